"""How far each line of a log explains its failure: by what bears it, where it stands, and whether it is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kotaci.logs.blocks import split_prefix
from kotaci.logs.causes import Catalogue, Rule
from kotaci.logs.lines import MAX_LINE_CHARS, Line
from kotaci.logs.marks import DECOYS, SUMMARIES, TOLD_AS_A_WARNING, find_marks
from kotaci.logs.results import TestReport

BEFORE_STEP = 0.2
"""Of a line before the failing step: set-up says much that is not fatal."""
BESIDE_TESTS = 0.7
"""Of a vague sign beside tests that failed, without a green log: passing tests print expected errors."""
BEFORE_GUESS = 0.6
"""The same where no error mark tells which step failed, so that it is taken to be the last."""
LATER_STEP = 0.75
"""Of a line in the next step that failed: perhaps the first was allowed to, perhaps this one always runs."""
AFTER_STEP = 0.15
"""Of a line after it: post steps and later `always()` steps do not explain what was there before."""
KNOWN_IN_GREEN = 0.3
"""Of a line that the last green log has too: an expected error of a passing test, a warning that nobody reads."""
STRONG = 0.8
"""A sign this heavy stands though the line also bears a decoy's word."""
SUMMARY = "summary"
TEST = "test"
NAMED = "test's name"
"""A line that names a failed test again: in a list, a summary, a row."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A line (its place from 0) that may explain the failure: weight 0..1, kind of sign, rule of a cause; of a test's
    result its span and the test."""

    place: int
    weight: float
    kind: str
    rule: Rule | None = None
    span: tuple[int, int] | None = None
    test: str = ""


@dataclass(frozen=True, slots=True)
class Region:
    """Places (from 0) of the failing step's first line and of the line that ends it.

    `is_told` by an error mark; `is_cut_off` where that says that the step was cancelled or its runner went away.
    `later`: places of a later step that failed too, for the first may have been allowed to.
    """

    first: int
    last: int
    is_told: bool
    is_cut_off: bool
    later: range = range(0)

    def factor(self, place: int) -> float:
        """Return what standing there is worth; within the step a little more towards its end."""
        if place in self.later:
            return LATER_STEP
        if place > self.last:
            return AFTER_STEP
        nearness = 0.9 + 0.1 / (1 + (self.last - place) / 100)
        before = BEFORE_STEP if self.is_told else BEFORE_GUESS
        return nearness * (before if place < self.first else 1.0)


def weigh(
    lines: Sequence[Line], *, region: Region, new: Sequence[bool] | None, report: TestReport, catalogue: Catalogue
) -> list[Weighed]:
    """Return the lines that bear a sign of failure, in the order of the log.

    `new` tells for each line whether the last green log lacks it; None where there is none to compare with.
    """
    found = []
    for line in lines:
        if line.is_echo or line.mark in {"group", "endgroup"} or not line.text.strip():
            continue
        weight, kind, rule = _of_line(line, catalogue)
        if weight > 0:
            found.append(Weighed(line.number - 1, weight, kind, rule))
    for result in report.results:
        if result.outcome == "failed":
            decisive, *named = (*result.spans, (result.line, result.line))
            test = f"{result.suite} {result.test}"
            found.append(Weighed(decisive[0] - 1, 1.0, TEST, None, (decisive[0] - 1, decisive[1]), test))
            found += [Weighed(first - 1, 0.9, NAMED, None, (first - 1, last), test) for first, last in named]
    if new is None:
        found = _beside_tests(found)
    return [replace(one, weight=one.weight * region.factor(one.place) * _novelty(one, new)) for one in found]


def _beside_tests(found: Sequence[Weighed]) -> list[Weighed]:
    of_tests = {place for one in found if one.span for place in range(*one.span)}
    if not of_tests:
        return list(found)
    return [
        replace(one, weight=one.weight * BESIDE_TESTS) if _is_vague(one) and one.place not in of_tests else one
        for one in found
    ]


def _is_vague(one: Weighed) -> bool:
    """Tell whether a line says no more than that something failed, as an expected error in a passing test does."""
    return one.span is None and one.kind != SUMMARY and one.weight <= STRONG and (one.rule is None or one.rule.is_weak)


def _novelty(one: Weighed, new: Sequence[bool] | None) -> float:
    if new is None:
        return 1.0
    places = range(*one.span) if one.span else (one.place,)
    return 1.0 if any(new[place] for place in places) else KNOWN_IN_GREEN


def _of_line(line: Line, catalogue: Catalogue) -> tuple[float, str, Rule | None]:
    text = split_prefix(line.text[:MAX_LINE_CHARS])[1]
    if line.mark == "error":
        text = f"##[error]{text}"
    marks = find_marks(text)
    is_decoy = DECOYS in marks and TOLD_AS_A_WARNING not in marks
    weight, kind = (marks[0].weight, marks[0].name) if marks and marks[0] is not DECOYS else (0.0, "")
    if is_decoy and weight < STRONG:
        return 0.0, "", None
    rule = next(iter(catalogue.find(text)), None)
    is_summary = SUMMARIES in marks
    if rule is not None:
        kind = f"{rule.cause} {rule.tool}"
        is_summary = rule.is_summary or (is_summary and rule.confidence < STRONG)
        weight = max(weight, (0.3 + 0.3 * rule.confidence) if rule.is_weak else (0.55 + 0.4 * rule.confidence))
    if is_summary and weight:
        return SUMMARIES.weight, SUMMARY, rule
    return weight * (0.5 if is_decoy else 1.0), kind, rule


def is_small_talk(text: str) -> bool:
    """Tell whether a line only informs: a decoy without a strong sign."""
    marks = find_marks(split_prefix(text[:MAX_LINE_CHARS])[1])
    return DECOYS in marks and marks[0].weight < STRONG
