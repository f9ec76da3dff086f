"""Changes of a workflow, as data: what would be tried on the runs recorded. Jobs are named by their key in the file."""

from __future__ import annotations

from dataclasses import dataclass

from kotaci.model import BadInput


@dataclass(frozen=True)
class RemoveNeed:
    """The job no longer waits for `need`."""

    workflow: str
    job: str
    need: str


@dataclass(frozen=True)
class AddNeed:
    """The job waits for `need` too."""

    workflow: str
    job: str
    need: str


@dataclass(frozen=True)
class Faster:
    """The job, or only a step of it, takes `percent` less time; 100 for a step removed (its tool comes prebuilt)."""

    workflow: str
    job: str
    percent: float
    step: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.percent <= 100:
            raise BadInput(str(self.percent), "is not a share", "write a percentage from 0 to 100")


@dataclass(frozen=True)
class Split:
    """The job runs in `parts` equal parts at once; each repeats its first overhead_s (set-up), the rest is shared."""

    workflow: str
    job: str
    parts: int
    overhead_s: float

    def __post_init__(self) -> None:
        if self.parts < 2 or self.overhead_s < 0:
            told = f"{self.parts} parts, {self.overhead_s} s"
            raise BadInput(told, "is no way to split a job", "take two parts or more, and no negative overhead")


@dataclass(frozen=True)
class TimeOut:
    """The job is stopped after so many minutes."""

    workflow: str
    job: str
    minutes: float

    def __post_init__(self) -> None:
        if self.minutes <= 0:
            raise BadInput(str(self.minutes), "is not a limit", "write minutes above 0")


@dataclass(frozen=True)
class CacheHits:
    """Every restore of the job that missed would have hit: an upper bound, since what is new must miss once."""

    workflow: str
    job: str


@dataclass(frozen=True)
class CancelSuperseded:
    """A run of that event would have been cancelled when the next of its workflow, event and place was created.

    A run that was started again is left alone. No run gets shorter by it: nobody waits for what is superseded. On a
    branch where each commit's own verdict is wanted it takes that away.
    """

    workflow: str
    event: str


@dataclass(frozen=True)
class Merge:
    """Jobs with the same needs become one, run one after another; the first overhead_s of all but one are saved."""

    workflow: str
    jobs: tuple[str, ...]
    overhead_s: float

    def __post_init__(self) -> None:
        if len(set(self.jobs)) < 2 or len(set(self.jobs)) < len(self.jobs) or self.overhead_s < 0:
            told = f"{', '.join(self.jobs)}, {self.overhead_s} s"
            raise BadInput(told, "is no way to merge jobs", "name two jobs or more, and no negative overhead")


@dataclass(frozen=True)
class OtherRunner:
    """The job takes `percent` less time (negative: more) on a runner of another price, in US dollars a minute.

    How much faster it is, is whoever asks who says so.
    """

    workflow: str
    job: str
    percent: float
    price: float

    def __post_init__(self) -> None:
        if self.percent >= 100 or self.price < 0:
            told = f"{self.percent} %, {self.price} $"
            raise BadInput(told, "is no runner", "write a percentage below 100, and no negative price")


@dataclass(frozen=True)
class SkipPaths:
    """Pushes and pull requests that change only files of these patterns (`paths-ignore`) would not have run.

    A required check that never runs stays pending, and blocks: it needs another that reports in its place.
    """

    workflow: str
    patterns: tuple[str, ...]

    def __post_init__(self) -> None:
        wrong = [pattern for pattern in self.patterns if not pattern or set(pattern) & set("?+[]!")]
        if wrong or not self.patterns:
            raise BadInput(", ".join(wrong), "is no pattern that can be tried", "write paths with * and ** only")


Scenario = (
    RemoveNeed | AddNeed | Faster | Split | TimeOut | CacheHits | CancelSuperseded | Merge | OtherRunner | SkipPaths
)
