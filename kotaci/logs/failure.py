"""Why a job failed: the few lines of its log that explain it, and what they say.

Lines are weighed (`weighing`) and whole blocks of them chosen (`choosing`). With the last green log of the same job,
what that log lacks goes first: the strongest single signal there is (measured on pairs of logs after CiDiff, arXiv
2504.18182).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kotaci.logs.blocks import block_at, is_body, split_prefix
from kotaci.logs.causes import UNDECIDED, Catalogue, read_catalogue
from kotaci.logs.choosing import LEAST_WEIGHT, MAX_LINES, choose
from kotaci.logs.difference import is_new
from kotaci.logs.ending import CUT_OFF, Ending, parse_ending, span_of
from kotaci.logs.lines import MAX_LINE_CHARS, STAMP, Line, Lines, Span, parse_spans
from kotaci.logs.results import TestResult, parse_tests
from kotaci.logs.signatures import signature
from kotaci.logs.weighing import Region, Weighed, weigh

TEST_ASSERTION = "test-assertion"
LEAST_CONFIDENCE = 0.1
"""Below this a cause is a guess: undecided."""
MOST_ERRORS = 100
"""Errors of one step looked through for its last."""
GATE = "gate"
IS_GATE = 0.9
GATE_LINES = 20
"""A step that says more than this does more than compare."""
_RESULT = "(?:success|failure|cancelled|skipped)"
_COMPARES = re.compile(rf"""["']{_RESULT}["'] *(?:[!=]=|=|-eq|-ne) *["']?{_RESULT}\b""")
TESTS_FAILED = 0.6
"""How sure it is that tests that failed say something of the code, where no line of theirs tells another cause."""

_SAYS_NOTHING = re.compile(r"Process completed with exit code|The operation was canceled|The process '")
_PLACE = re.compile(r"\s*--> (\S{1,300})$")
_ANNOUNCES = re.compile(
    r"\s*(?:(?:\[ERROR\] )?COMPILATION ERROR|npm (?:ERR!|error) code |error: linking with |Execution failed for task "
    r"|error: failed to run custom build command|error during build:|Failed to compile|FAILURE: |ERROR in |FAILED: "
    r"|error: subprocess-exited-with-error|error: metadata-generation-failed|error: failed-wheel-build)"
)
"""What only says that a reason follows: the reason makes the better headline."""
ANNOUNCED = 80
"""Lines below it in which the reason is looked for, since a build in a build prints much, and how heavy it must be."""
LEAST_TOLD = 0.5
ALIKE = 0.88
"""Of signs of one kind the first makes the headline, however far from the end: what standing there is worth differs."""
_COLUMNS = re.compile(rf"^[^\t\n]{{0,400}}\t[^\t\n]{{0,400}}\t(?={STAMP.pattern})", re.MULTILINE)
_COLUMNS_AHEAD = 20_000


@dataclass(frozen=True)
class Explanation:
    """What explains a failed job.

    `excerpt` holds the lines to show, in order; `cause` is an id of the catalogue or `undecided`, `confidence` 0..1 how
    sure it is; `tests` the tests that failed, with message and place in the source; `exit_code` that of the failed
    step's process; `step` its name as far as the log tells; `has_green` tells whether a green log was compared with.
    """

    excerpt: tuple[Line, ...]
    headline: str
    cause: str
    confidence: float
    tests: tuple[TestResult, ...]
    exit_code: int | None
    step: str
    has_green: bool

    @property
    def lines(self) -> tuple[int, ...]:
        """The numbers of the lines to show, from 1, of the text as given."""
        return tuple(line.number for line in self.excerpt)

    @property
    def signature(self) -> str:
        """The stable id of the same failure; empty where the log says no more than that it ended."""
        says_nothing = not self.headline or _SAYS_NOTHING.match(self.headline)
        return "" if says_nothing else signature(self.headline)

    @property
    def failed_tests(self) -> tuple[str, ...]:
        """The names of the failed tests, each once, as their framework prints them."""
        return tuple(dict.fromkeys(result.test for result in self.tests))


def explain(
    log: str, *, last_green: str | None = None, max_lines: int = MAX_LINES, catalogue: Catalogue | None = None
) -> Explanation:
    """Return why a job failed, by its log.

    `last_green` is the last green log of the same job, branch line and toolchain; `catalogue` holds the causes, the
    bundled ones where none is given. The time is linear in the log. Misleads where the log does not hold the reason:
    a job's time-out reads like a cancellation by hand, a lost runner like a log that breaks off.
    """
    text = _without_columns(log)
    lines = Lines(text)
    ending = parse_ending(text)
    spans = parse_spans(text)
    span = span_of(ending.error_line, spans) if ending.error_line else None
    region = _region(lines, ending, span, spans)
    new = is_new(lines, Lines(_without_columns(last_green))) if last_green else None
    report = parse_tests(lines)
    catalogue = catalogue or read_catalogue()
    weighed = weigh(lines, region=region, new=new, report=report, catalogue=catalogue)
    chosen = choose(weighed, lines, region, new, max_lines)
    failed = tuple(result for result in report.results if result.outcome == "failed")
    is_gate = not failed and _is_gate(lines, region)
    cause, confidence = (GATE, IS_GATE) if is_gate else _cause(weighed, chosen, failed)
    return Explanation(
        excerpt=tuple(lines[place] for place in chosen),
        headline=_headline(weighed, lines, failed),
        cause=cause,
        confidence=confidence,
        tests=failed,
        exit_code=ending.exit_code,
        step=span.name if span else "",
        has_green=new is not None,
    )


def _region(lines: Sequence[Line], ending: Ending, span: Span | None, spans: Sequence[Span]) -> Region:
    """Return where the step that failed stands; where it has no exit code, up to the last of its errors."""
    if ending.error_line is None or span is None:
        return Region(_last_script(spans) - 1, len(lines) - 1, is_told=False, is_cut_off=False)
    last = ending.error_line - 1
    if ending.exit_code is None:
        within = range(last, min(span.last_line, last + MOST_ERRORS * 2))
        last = max(place for place in within if lines[place].mark == "error")
    later = next((Span("", other.first_line, at) for at in ending.later if (other := span_of(at, spans))), None)
    return Region(
        span.first_line - 1,
        last,
        is_told=True,
        is_cut_off=ending.error.startswith(CUT_OFF),
        later=range(later.first_line - 1, later.last_line) if later else range(0),
    )


def _last_script(spans: Sequence[Span]) -> int:
    """Return where the last step starts that ran something of the repository's own: 1 where none is told."""
    names = [span.name for span in spans]
    ran = names.index("Post job cleanup") if "Post job cleanup" in names else len(names)
    own = (s.first_line for s in spans[:ran] if s.name.startswith("Run ") and not s.name.startswith("Run actions/"))
    return max(own, default=1)


def _without_columns(log: str) -> str:
    """Return the text without the job and step that `gh run view --log` puts before each line."""
    return _COLUMNS.sub("", log) if _COLUMNS.search(log, 0, _COLUMNS_AHEAD) else log


def _headline(weighed: Sequence[Weighed], lines: Sequence[Line], failed: Sequence[TestResult]) -> str:
    """Return what failed in one line: a test with its message, else the heaviest line, with the place that a compiler
    names below it."""
    if failed:
        first = failed[0]
        return f"{first.test}: {first.message}" if first.message else first.test
    heavy = [one for one in weighed if one.weight >= LEAST_WEIGHT]
    known = [one for one in heavy if not _SAYS_NOTHING.match(lines[one.place].text)] or heavy or weighed
    best = max(known, key=lambda one: (round(one.weight, 1), -one.place), default=None)
    if best is None:
        return ""
    alike = (one for one in known if one.kind == best.kind and one.weight >= ALIKE * best.weight)
    best = _told_by(min(alike, key=lambda one: one.place), known, lines)
    start = _head(best, lines)
    told = " ".join(split_prefix(lines[start].text)[1].split()).removeprefix("= note: ")
    below = lines[start + 1 : start + 2]
    place = _PLACE.match(split_prefix(below[0].text)[1]) if below else None
    return f"{told} ({place[1]})" if place else told


def _head(best: Weighed, lines: Sequence[Line]) -> int:
    """Return where the diagnostic starts that a line belongs to; the line itself where that only announces it."""
    if best.span is not None or not is_body(lines[best.place].text):
        return best.place
    start = block_at(lines, best.place).start
    return best.place if _ANNOUNCES.match(split_prefix(lines[start].text)[1]) else start


def _told_by(best: Weighed, known: Sequence[Weighed], lines: Sequence[Line]) -> Weighed:
    """Return the first sign below that says what a line announces, else that line's."""
    if not _ANNOUNCES.match(split_prefix(lines[best.place].text)[1]):
        return best
    below = (one for one in known if best.place < one.place <= best.place + ANNOUNCED and one.weight >= LEAST_TOLD)
    return next((one for one in below if not _ANNOUNCES.match(split_prefix(lines[one.place].text)[1])), best)


def _is_gate(lines: Sequence[Line], region: Region) -> bool:
    """Tell whether the failing step's script compares the results of other jobs, which its echo shows filled in, and
    says little more than that."""
    n_said = 0
    compares = False
    for place in range(region.first, min(region.last, region.first + GATE_LINES * 10)):
        line = lines[place]
        if line.is_echo:
            compares = compares or _COMPARES.search(line.text[:MAX_LINE_CHARS]) is not None
        else:
            n_said += bool(line.text.strip())
    return compares and region.is_told and n_said <= GATE_LINES


def _cause(weighed: Sequence[Weighed], chosen: Sequence[int], failed: Sequence[TestResult]) -> tuple[str, float]:
    """Return the cause that the chosen lines tell best, and how sure that is.

    Where tests failed, that is the cause, unless lines that tell of more than half of them name another.
    """
    shown = set(chosen)
    scores: dict[str, float] = {}
    by_place = {place: test for test in failed for first, last in test.spans for place in range(first - 1, last)}
    telling: dict[str, set[str]] = {}
    for one in weighed:
        if one.rule is not None and one.place in shown and (not failed or one.place in by_place):
            is_lesser = one.rule.is_summary or one.rule.is_weak
            score = one.weight * one.rule.confidence * (0.5 if is_lesser else 1.0)
            scores[one.rule.cause] = max(scores.get(one.rule.cause, 0.0), score)
            if failed:
                telling.setdefault(one.rule.cause, set()).add(by_place[one.place].test)
    if failed:
        n_shown = len({by_place[place].test for place in shown if place in by_place})
        scores = {cause: score for cause, score in scores.items() if 2 * len(telling[cause]) > n_shown}
        scores[TEST_ASSERTION] = max(scores.get(TEST_ASSERTION, 0.0), TESTS_FAILED)
    cause, confidence = max(scores.items(), key=lambda pair: round(pair[1], 1), default=(UNDECIDED, 0.0))
    return (cause, confidence) if confidence >= LEAST_CONFIDENCE else (UNDECIDED, 0.0)
