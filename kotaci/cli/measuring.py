"""What recorded runs say of the claims in commit messages, by the mechanism of `kotaci claim`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from kotaci.model import BadInput, plural, short_workflow

if TYPE_CHECKING:
    from kotaci.audit.history import Claimed
    from kotaci.facts import History


@dataclass(frozen=True)
class Measured:
    """One claim and one workflow that its commit touched: the `answer` of `kotaci claim`, or of a claim without a ratio
    only how long its runs took since; `reason` where nothing was measured. NaN where a value is not known."""

    workflow: str
    answer: str = ""
    ratio: float = math.nan
    low: float = math.nan
    high: float = math.nan
    n_before: int = 0
    n_after: int = 0
    after_s: float = math.nan
    """median"""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, null where a value is not known, with `said`."""
        values = asdict(self)
        unknown = [key for key, value in values.items() if isinstance(value, float) and math.isnan(value)]
        return {**values, **dict.fromkeys(unknown), "said": self.said}

    @property
    def said(self) -> str:
        """Return it in words."""
        name = short_workflow(self.workflow)
        if self.reason:
            return f"{name}: not measured, {self.reason}"
        after = f"{plural(self.n_after, 'run')} after"
        if not self.answer:
            return f"{name}: median {self.after_s / 60:.1f} min, {after}"
        if math.isnan(self.low):
            return f"{name}: {self.answer}, {plural(self.n_before, 'run')} before, {after}"
        change, low, high = (f"{100 * (value - 1):+.0f} %" for value in (self.ratio, self.low, self.high))
        return f"{name}: {self.answer}, {change} [{low}, {high}], {plural(self.n_before, 'run')} before, {after}"


def measure_claim(claimed: Claimed, history: History) -> Iterator[Measured]:
    """Yield what whole runs of each workflow that the commit touched say of it, 14 days on each side.

    The claim may be about another job, step or workflow than those: then this says little of it.
    """
    from kotaci.analysis.claims import judge_claim
    from kotaci.analysis.sides import AFTER, BEFORE, Scope, find_sides

    for workflow in claimed.workflows:
        try:
            sides = find_sides(
                history.tables,
                at=claimed.commit.sha,
                scope=Scope(workflow),
                default_branch=history.default_branch,
            )
        except BadInput as problem:
            yield Measured(workflow, reason=f"{short_workflow(str(problem.value))} {problem.problem}")
            continue
        before, after = sides.durations(BEFORE), sides.durations(AFTER)
        if not len(after):
            yield Measured(workflow, reason="no run that passed is held since")
        elif claimed.ratio is None:
            yield Measured(workflow, n_after=len(after), after_s=statistics.median(after))
        else:
            found = judge_claim(before, after, claimed_ratio=claimed.ratio)
            effect = (found.ratio, found.low, found.high)
            yield Measured(workflow, str(found.answer), *effect, found.n_before, found.n_after, found.after)
