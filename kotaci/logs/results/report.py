"""What a log or a report file tells of tests: results, suites, and the pieces from which readers make them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from kotaci.logs.lines import Line

MAX_BLOCK_LINES = 12
"""Lines of a failure that are worth reading: its head and message; what follows is a stack."""
MAX_MESSAGE_CHARS = 500
MAX_SECONDS = 1e8
"""Three years: what a log claims beyond that is no duration."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test that failed, or passed in a way worth knowing.

    `test` is the name as its framework prints it and `suite` the binary, crate, file or class that holds it; `outcome`
    is failed, flaky (passed on the runner's own retry), slow or leaky. `line` (1-based) names it; `spans` tell of it,
    the most decisive first. A result from a report file has line 0 and no spans.
    """

    __test__ = False

    framework: str
    suite: str
    test: str
    outcome: str
    message: str = ""
    location: str = ""
    line: int = 0
    spans: tuple[tuple[int, int], ...] = ()
    wall_s: float | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """One run of a binary, file or class: what it counted (None: not told), and the names that ran, where printed.

    `times` are seconds of each of the names, with all that its framework counts to a test; empty where none is printed.
    """

    framework: str
    suite: str
    n_passed: int | None
    n_failed: int | None
    n_skipped: int | None
    names: tuple[str, ...] = ()
    line: int = 0
    times: tuple[float | None, ...] = ()

    @property
    def n_ran(self) -> int | None:
        """Return how many tests ran, passed or failed; None where the framework does not tell."""
        if self.n_passed is None and self.n_failed is None:
            return None
        return (self.n_passed or 0) + (self.n_failed or 0)


@dataclass(frozen=True, slots=True)
class TestReport:
    """All that one log, or one report file, tells of tests."""

    __test__ = False

    results: tuple[TestResult, ...] = ()
    suites: tuple[Suite, ...] = ()


@dataclass(slots=True)
class Block:
    """The lines that tell how one test failed, while they are read."""

    first: int
    last: int
    message: str = ""
    location: str = ""

    def grow(self, number: int) -> bool:
        """Take one more line in; False where the block is long enough."""
        self.last = number
        return number - self.first + 1 < MAX_BLOCK_LINES


@dataclass(slots=True)
class Draft:
    """A result while its log is read."""

    framework: str
    suite: str
    test: str
    line: int
    outcome: str = "failed"
    message: str = ""
    location: str = ""
    wall_s: float | None = None
    block: Block | None = None

    def to_result(self) -> TestResult:
        """Return the result: its block first, then the line that names it where the block does not hold that."""
        spans: list[tuple[int, int]] = []
        if self.block is not None:
            spans.append((self.block.first, self.block.last))
        if self.block is None or not self.block.first <= self.line <= self.block.last:
            spans.append((self.line, self.line))
        message = (self.block.message if self.block else "") or self.message
        location = (self.block.location if self.block else "") or self.location
        return TestResult(
            framework=self.framework,
            suite=self.suite,
            test=self.test,
            outcome=self.outcome,
            message=message.strip()[:MAX_MESSAGE_CHARS],
            location=location,
            line=self.line,
            spans=tuple(spans),
            wall_s=self.wall_s,
        )


@dataclass
class Reader:
    """Reads the lines of one framework: those that one of `HEADS` (RE2) finds, and all while `is_open`."""

    HEADS: ClassVar[tuple[str, ...]] = ()

    drafts: list[Draft] = field(default_factory=list)
    suites: list[Suite] = field(default_factory=list)
    is_open: bool = False

    def read(self, line: Line, text: str) -> None:
        """Take in one line; `text` is what patterns may be tried on."""
        raise NotImplementedError

    def end_step(self) -> None:
        """Close what is open: another step of the job begins."""

    def finish(self) -> None:
        """Close what is open: the log ends here."""
        self.end_step()


def seconds(text: str) -> float | None:
    """Return a printed number of seconds, also `1,229.111`; None where it is none."""
    try:
        number = float(text.replace(",", ""))
    except ValueError:
        return None
    return number if number < MAX_SECONDS else None


def once(drafts: Iterable[Draft]) -> list[Draft]:
    """Return the drafts with every test once; a later sighting gives what the first one lacked."""
    kept: dict[tuple[str, str, str], Draft] = {}
    for draft in drafts:
        first = kept.setdefault((draft.framework, draft.suite, draft.test), draft)
        if first is draft:
            continue
        first.block = first.block or draft.block
        first.message = first.message or draft.message
        first.location = first.location or draft.location
        first.wall_s = draft.wall_s if first.wall_s is None else first.wall_s
        if draft.outcome == "failed":
            first.outcome = "failed"
    return list(kept.values())
