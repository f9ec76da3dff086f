"""How a job ended according to its log.

The log does not hold everything: a job time-out and a cancellation by hand read the same, and a step that was
allowed to fail reads like one that was not. Where the API's conclusion is known, it decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kotaci.logs.lines import MAX_LINE_CHARS, STAMP, Span, without_colours
from kotaci.model import Outcome

_ERROR = re.compile(r"##\[error\]")
_STAMP_CHARS = 40
"""More than a BOM and a time stamp: what stands before the mark of a line, where it is one."""
_EXIT = re.compile(r"Process completed with exit code (-?[0-9]{1,10})\.")
_CANCELLED = "The operation was canceled."
_LOST = "The runner has received a shutdown signal"
CUT_OFF = (_CANCELLED, _LOST)
"""How errors begin that end a step from outside; nothing that the step printed need be to blame."""
LATER = 3
_AFTER_A_STEP = re.compile(
    r"##\[group\]Run |##\[warning\]|##\[error\]|Post job cleanup\.|Cleaning up orphan processes"
    r"|Evaluate and set |Node \d+ is being deprecated|Node\.js \d+ actions are deprecated"
)
_END = "Cleaning up orphan processes"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a log says its job ended: outcome, the process's exit code, and the line that GitHub marks as the error.

    `later`: lines of exit codes of later steps. Which of several failed steps was allowed to is not in the log.
    """

    outcome: Outcome
    exit_code: int | None = None
    error: str = ""
    error_line: int | None = None
    later: tuple[int, ...] = ()


def parse_ending(text: str) -> Ending:
    """Return how the job ended, by its `##[error]` lines.

    An exit code or an error that ends its step is a failure; "The operation was canceled." alone is a
    cancellation; neither, in a log that reaches its end, is a success; a log that breaks off is unknown.
    An error that the step outlived (some tools' warnings) is none. Source: counts on public logs, which also show
    that about one failed job in a hundred has no exit code.
    """
    errors = [found for match in _ERROR.finditer(text) if (found := _error_at(text, match.start(), match.end()))]
    exits = [(code, error, line_start) for error, line_start in errors if (code := _EXIT.match(error))]
    if exits:
        (code, error, line_start), *others = exits
        later = tuple(_line_number(text, start) for _, _, start in others[:LATER])
        return Ending(Outcome.FAILURE, int(code[1]), error, _line_number(text, line_start), later)
    for error, line_start in errors:
        if error.startswith(CUT_OFF):
            outcome = Outcome.CANCELLED if error.startswith(_CANCELLED) else Outcome.FAILURE
            return Ending(outcome, None, error, _line_number(text, line_start))
    for error, line_start in errors:
        if _ends_step(text, line_start):
            return Ending(Outcome.FAILURE, None, error, _line_number(text, line_start))
    return Ending(Outcome.SUCCESS if _END in text[-20_000:] else Outcome.UNKNOWN)


def _error_at(text: str, start: int, end: int) -> tuple[str, int] | None:
    """Return the error and where its line starts; None where the mark stands amid a line, as in a script's echo."""
    before = text[max(0, start - _STAMP_CHARS) : start].rpartition("\n")[2]
    if before.removeprefix("\ufeff") and not STAMP.fullmatch(before):
        return None
    shown = text[end : end + MAX_LINE_CHARS].partition("\n")[0]
    return without_colours(shown).strip(), start - len(before)


def _line_number(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _ends_step(text: str, offset: int) -> bool:
    next_line = text.find("\n", offset) + 1
    if next_line == 0 or next_line >= len(text):
        return True
    stamp = STAMP.match(text, next_line)
    return _AFTER_A_STEP.match(text, stamp.end() if stamp else next_line) is not None


def span_of(line_number: int, spans: Sequence[Span]) -> Span | None:
    """Return the span that holds the line."""
    return next((span for span in spans if span.first_line <= line_number <= span.last_line), None)
