"""Which lines of a failed job's log to show: whole blocks, the heaviest first, until the rest would only distract."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from kotaci.logs.blocks import Block, block_at
from kotaci.logs.difference import masked
from kotaci.logs.lines import Line
from kotaci.logs.weighing import NAMED, SUMMARY, TEST, Region, Weighed, is_small_talk

MAX_LINES = 60
"""Lines shown where nobody asks for another number; with the last green log they hold most of what people mark."""
SHARE_OF_BEST = 0.6
"""Blocks lighter than this share of the heaviest are left out: they would tell less than they distract."""
SHARE_OF_NEWS = 0.45
"""The same with a green log to compare with: what is not new weighs little then, so that less is in doubt."""
LEAST_WEIGHT = 0.3
"""Below this no line is taken for a sign of failure."""
WHOLE_OF_A_KIND = 3
"""So many blocks of one kind are shown whole; of later ones only the first line."""
HEADS_OF_A_KIND = 10
REPEATED = 0.8
"""A block of which more than this share was shown in another tells the same again."""
LAST_SUMMARIES = 6
LAST_LINES = 2
"""Lines before the end of the failing step that are shown whatever they say."""
LAST_LINES_ALONE = 8
"""The same where no sign in the step is heavier than a summary or a plain refusal."""
TELLING = 0.6
NEW_GAP = 2
"""Lines without news that may stand within a stretch that the green log lacks."""

_ORPHAN = re.compile(r"Terminate orphan process: pid")


def choose(
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
    least = max((one.weight for one in weighed), default=0) * (SHARE_OF_BEST if new is None else SHARE_OF_NEWS)
    best: dict[str, float] = {}
    for one in weighed:
        best[one.kind] = max(best.get(one.kind, 0.0), one.weight)
    kinds: Counter[str] = Counter()
    told: set[str] = set()
    read: set[int] = set()
    for one in sorted(weighed, key=lambda one: (-round(best[one.kind], 1), one.place)):
        if one.weight < max(least, LEAST_WEIGHT) or one.place in read:
            continue
        block = _block(one, lines, new)
        read.update(range(block.start, block.stop))
        # Numbers are part of a test's name, which a masked line lacks.
        forms = [f"{one.kind}\n{one.test}"] if one.test else [masked(lines[place].text) for place in block.shown]
        n_told = sum(form in told for form in forms)
        told.update(forms if not one.test else [*forms, *(masked(lines[place].text) for place in block.shown[1:])])
        if n_told > REPEATED * len(forms):
            continue
        kinds[one.kind] += 1
        if new is not None or kinds[one.kind] <= WHOLE_OF_A_KIND:
            yield from block.shown
        elif kinds[one.kind] <= WHOLE_OF_A_KIND + HEADS_OF_A_KIND:
            yield one.place if one.kind in {SUMMARY, TEST, NAMED} else block.start


def _block(one: Weighed, lines: Sequence[Line], new: Sequence[bool] | None) -> Block:
    if new is not None and new[one.place]:
        return _new_stretch(one.place, lines, new)
    return block_at(lines, one.place) if one.span is None else Block(*one.span, tuple(range(*one.span)))


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
    if region.is_cut_off:
        yield from _what_ran(lines, region)
    elif region.is_told:
        is_telling = any(one.weight >= TELLING for one in weighed if one.place < region.last)
        n = LAST_LINES if is_telling else LAST_LINES_ALONE
        before = range(region.last - 1, max(region.first, region.last - 1 - 2 * n), -1)
        said = [p for p in before if _says_something(lines[p]) and (new is None or new[p])]
        yield from said[:n]


def _what_ran(lines: Sequence[Line], region: Region) -> Iterator[int]:
    """Yield what was running when a step was cut off: its last output, its command, processes left behind."""
    before = [p for p in range(region.last - 1, region.first - 1, -1) if lines[p].text.strip() and not lines[p].is_echo]
    yield from before[:LAST_LINES]
    if lines[region.first].mark == "group":
        yield region.first
    after = (p for p in range(region.last + 1, len(lines)) if _ORPHAN.match(lines[p].text))
    yield from list(after)[:LAST_LINES]


def _says_something(line: Line) -> bool:
    return bool(line.text.strip()) and not line.mark and not line.is_echo and not is_small_talk(line.text)
