"""Why a job failed: the few lines of its log that explain it, and what they say.

Lines are weighed (`weighing`), then whole blocks (`blocks`) are taken, the heaviest first, until what is left would
explain less than it takes room. With the last green log of the same job, what that log lacks goes first: the strongest
single signal there is (measured on pairs of logs after CiDiff, arXiv 2504.18182).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kotaci.logs.blocks import Block, block_at, split_prefix
from kotaci.logs.causes import Catalogue, read_catalogue
from kotaci.logs.difference import is_new, masked
from kotaci.logs.ending import parse_ending, span_of
from kotaci.logs.lines import STAMP, Line, parse_lines, parse_spans
from kotaci.logs.results import TestResult, parse_tests
from kotaci.logs.weighing import SUMMARY, TEST, Region, Weighed, is_small_talk, weigh

MAX_LINES = 60
UNDECIDED = "undecided"

SHARE_OF_BEST = 0.6
"""Blocks lighter than this share of the heaviest are left out: they would tell less than they distract."""
LEAST_WEIGHT = 0.3
"""Below this no line is taken for a sign of failure."""
WHOLE_OF_A_KIND = 2
"""So many blocks of one kind are shown whole; of later ones only the first line."""
HEADS_OF_A_KIND = 10
LAST_SUMMARIES = 6
LAST_LINES = 2
"""Lines before the end of the failing step that are shown whatever they say."""
LAST_LINES_ALONE = 8
"""The same where no sign in the step is heavier than a summary or a plain refusal."""
TELLING = 0.6
NEW_GAP = 2
"""Lines without news that may stand within a stretch that the green log lacks."""

_COLUMNS = re.compile(rf"^[^\t\n]{{0,400}}\t[^\t\n]{{0,400}}\t(?={STAMP.pattern})", re.MULTILINE)
_COLUMNS_AHEAD = 20_000


@dataclass(frozen=True)
class Explanation:
    """What explains a failed job; `lines` are sorted numbers, from 1, of the text as given."""

    lines: tuple[int, ...]
    headline: str
    cause: str
    confidence: float
    tests: tuple[TestResult, ...]
    exit_code: int | None
    step: str
    has_green: bool

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
    lines = list(parse_lines(text))
    ending = parse_ending(text)
    span = span_of(ending.error_line, parse_spans(text)) if ending.error_line else None
    last = (ending.error_line or len(lines)) - 1
    region = Region((span.first_line if span else 1) - 1, last, ending.error_line is not None)
    new = is_new(lines, parse_lines(_without_columns(last_green))) if last_green else None
    report = parse_tests(lines)
    catalogue = catalogue or read_catalogue()
    weighed = weigh(lines, region=region, new=new, report=report, catalogue=catalogue)
    chosen = _chosen(weighed, lines, region, new, max_lines)
    failed = tuple(result for result in report.results if result.outcome == "failed")
    cause, confidence = _cause(weighed, failed)
    return Explanation(
        lines=tuple(place + 1 for place in chosen),
        headline=_headline(weighed, lines, failed),
        cause=cause,
        confidence=confidence,
        tests=failed,
        exit_code=ending.exit_code,
        step=span.name if span else "",
        has_green=new is not None,
    )


def _without_columns(log: str) -> str:
    """Return the text without the job and step that `gh run view --log` puts before each line."""
    return _COLUMNS.sub("", log) if _COLUMNS.search(log, 0, _COLUMNS_AHEAD) else log


def _chosen(
    weighed: Sequence[Weighed], lines: Sequence[Line], region: Region, new: Sequence[bool] | None, max_lines: int
) -> list[int]:
    """Return the places of the lines to show, sorted, at most `max_lines`."""
    chosen = dict.fromkeys([region.last] if region.is_told else [])
    for place in _by_weight(weighed, lines, new):
        if len(chosen) >= max_lines:
            break
        chosen[place] = None
    for place in _last_words(weighed, lines, region, new):
        if len(chosen) >= max_lines:
            break
        chosen[place] = None
    return sorted(list(chosen)[:max_lines])


def _by_weight(weighed: Sequence[Weighed], lines: Sequence[Line], new: Sequence[bool] | None) -> Iterator[int]:
    """Yield the places of whole blocks, the heaviest first, of the same weight the first in the log first."""
    least = max((one.weight for one in weighed), default=0) * SHARE_OF_BEST
    kinds: Counter[str] = Counter()
    told: set[str] = set()
    read: set[int] = set()
    for one in sorted(weighed, key=lambda one: (-round(one.weight, 1), one.place)):
        if one.weight < max(least, LEAST_WEIGHT):
            return
        if one.place in read:
            continue
        block = _block(one, lines, new)
        read.update(range(block.start, block.stop))
        form = masked(split_prefix(lines[block.start].text)[1]) + "\n" + masked(lines[one.place].text)
        if form in told:
            continue
        told.add(form)
        kinds[one.kind] += 1
        if kinds[one.kind] <= WHOLE_OF_A_KIND:
            yield from block.shown
        elif kinds[one.kind] <= WHOLE_OF_A_KIND + HEADS_OF_A_KIND:
            yield one.place if one.kind == SUMMARY else block.start


def _block(one: Weighed, lines: Sequence[Line], new: Sequence[bool] | None) -> Block:
    if one.span is not None:
        return Block(one.span[0], one.span[1], tuple(range(*one.span)))
    return _new_stretch(one.place, lines, new) if new is not None and new[one.place] else block_at(lines, one.place)


def _new_stretch(start: int, lines: Sequence[Line], new: Sequence[bool]) -> Block:
    """Return the lines from one on that the green log lacks, up to one that only informs."""
    stop = at = start + 1
    while at < len(lines) and at - stop <= NEW_GAP and at - start <= MAX_LINES:
        if new[at]:
            if is_small_talk(lines[at].text):
                break
            stop = at + 1
        at += 1
    return Block(start, stop, tuple(range(start, stop)))


def _last_words(
    weighed: Sequence[Weighed], lines: Sequence[Line], region: Region, new: Sequence[bool] | None
) -> Iterator[int]:
    """Yield the last summaries of the failing step, and its last lines that say anything."""
    told: set[str] = set()
    for one in reversed(weighed):
        is_within = region.first <= one.place <= region.last and (new is None or new[one.place])
        form = masked(lines[one.place].text)
        if one.kind == SUMMARY and is_within and form not in told and len(told) < LAST_SUMMARIES:
            told.add(form)
            yield one.place
    if region.is_told:
        is_telling = any(one.weight >= TELLING for one in weighed if one.place < region.last)
        n = LAST_LINES if is_telling else LAST_LINES_ALONE
        before = range(region.last - 1, max(region.first, region.last - 1 - 2 * n), -1)
        said = [p for p in before if _says_something(lines[p])]
        yield from said[:n]


def _says_something(line: Line) -> bool:
    return bool(line.text.strip()) and not line.mark and not line.is_echo and not is_small_talk(line.text)


def _headline(weighed: Sequence[Weighed], lines: Sequence[Line], failed: Sequence[TestResult]) -> str:
    """Return what failed in one line: a test with its message, else the heaviest line."""
    if failed:
        first = failed[0]
        return f"{first.test}: {first.message}" if first.message else first.test
    best = max(weighed, key=lambda one: (round(one.weight, 1), -one.place), default=None)
    return "" if best is None else " ".join(split_prefix(lines[best.place].text)[1].split())


def _cause(weighed: Sequence[Weighed], failed: Sequence[TestResult]) -> tuple[str, float]:
    scores: Counter[str] = Counter()
    for one in weighed:
        if one.rule is not None:
            score = one.weight * one.rule.confidence * (0.5 if one.rule.is_summary else 1.0)
            scores[one.rule.cause] = max(scores[one.rule.cause], score)
    if failed:
        scores["test-assertion"] = max(scores["test-assertion"], 0.5)
    if not scores:
        return UNDECIDED, 0.0
    cause, confidence = max(scores.items(), key=lambda pair: pair[1])
    return cause, confidence
