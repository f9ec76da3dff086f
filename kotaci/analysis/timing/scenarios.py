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


Scenario = RemoveNeed | AddNeed | Faster | Split | TimeOut
