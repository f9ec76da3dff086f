"""Did it get as much faster as somebody says? Confirmed, contradicted, or not to be told from these runs.

The effect is the Hodges-Lehmann ratio after / before: the median of all quotients of a later and an earlier value. Its
95 % interval inverts the exact Mann-Whitney test, so it holds for few runs and any distribution. The ratio, not the
test's p, is judged: a change that is real may still be less than was claimed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from kotaci.analysis.statistics import Z, rate_change

_MOST_EXACT = 400
"""Pairs up to which the distribution is counted; above, the normal approximation differs by less than one rank."""
_POWER_80 = 1 + 0.8416212335729143 / Z
"""Half-widths that an effect must have to be shown four times in five (z of 80 % beside that of the interval)."""
_TAIL = 0.025
_FEWEST = 3
"""Runs on each side: two may owe what they have in common to one cold cache or one bad day, whatever a test says."""
_MOST_RUNS = 1_000


class Answer(StrEnum):
    """What is said of a claim."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    UNTOLD = "cannot be told"


@dataclass(frozen=True)
class Claim:
    """A claim beside what was measured.

    `ratio` of after to before with its 95 % interval `low..high`; of rates the quotient of `before` and `after`, its
    interval by Newcombe's for the difference, over `before`. NaN where it is not known. `detectable`: the smallest
    change (0.2 is 20 %, in the claimed direction) that so many runs with this noise would have shown four times in
    five, estimated from the interval's width; missing where no change would. `runs_needed`: runs after the change with
    which any change can be shown at all; missing where there are enough, or where no number of them would do.
    """

    answer: Answer
    claimed_ratio: float
    n_before: int
    n_after: int
    before: float
    """median in seconds, or rate"""
    after: float
    ratio: float
    low: float
    high: float
    detectable: float | None = None
    runs_needed: int | None = None


def judge_claim(before: Sequence[float], after: Sequence[float], *, claimed_ratio: float) -> Claim:
    """Return what durations say of the claim that they fell (or rose) to `claimed_ratio` of what they were.

    A claim below 1 is *confirmed* where the whole interval is below 1 and reaches down to the claim: it did become
    faster, and at least as fast as claimed is possible. It is *contradicted* where the whole interval is slower than
    the claim, even where something was gained. Else it cannot be told. Above 1 likewise, mirrored. A confirmed claim
    is not exact: read the interval. Misleads where values are not independent (legs or attempts of one run: give one
    value a run), where something else changed at the same time, and where failed runs are given: they end early.
    Raises ValueError for values that are not above 0, and for a claim of 1 or not above 0.
    """
    _check(claimed_ratio)
    x, y = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    if not (np.isfinite(x).all() and np.isfinite(y).all() and (x > 0).all() and (y > 0).all()):
        raise ValueError("durations must be finite and above 0")
    medians = (float(np.median(x)) if len(x) else math.nan, float(np.median(y)) if len(y) else math.nan)
    counts = (claimed_ratio, len(x), len(y), *medians)
    if not len(x) or not len(y):
        return Claim(Answer.UNTOLD, *counts, math.nan, math.nan, math.nan, runs_needed=_runs_needed(len(x), len(y)))
    ratio, low, high = shift_ratio(before, after)
    if math.isnan(low):
        return Claim(Answer.UNTOLD, *counts, ratio, low, high, runs_needed=_runs_needed(len(x), len(y)))
    half = math.log(high / ratio) if claimed_ratio < 1 else math.log(ratio / low)
    shown = abs(math.expm1((-1 if claimed_ratio < 1 else 1) * half * _POWER_80))
    return Claim(_answer(claimed_ratio, low, high), *counts, ratio, low, high, detectable=shown)


def judge_rate_claim(
    n_bad_before: int, n_before: int, n_bad_after: int, n_after: int, *, claimed_ratio: float
) -> Claim:
    """Return what counts say of the claim that a rate (failures, hits) went to `claimed_ratio` of what it was.

    The answers are those of `judge_claim`, on Newcombe's interval of the difference. The rate before is taken as
    measured when the difference becomes a ratio: with a small `n_before` a claimed ratio is judged too sharply, the
    direction is not. A rate of 0 before has no ratio: nothing can be told.
    """
    _check(claimed_ratio)
    difference, low, high = rate_change(n_bad_before, n_before, n_bad_after, n_after)
    rate = n_bad_before / n_before if n_before else math.nan
    counts = (claimed_ratio, n_before, n_after, rate, n_bad_after / n_after if n_after else math.nan)
    if math.isnan(difference) or rate == 0:
        return Claim(Answer.UNTOLD, *counts, math.nan, math.nan, math.nan)
    ratio, low, high = 1 + difference / rate, 1 + low / rate, 1 + high / rate
    shown = ((high - ratio) if claimed_ratio < 1 else (ratio - low)) * _POWER_80
    is_possible = shown < 1 or claimed_ratio > 1
    answer = _answer(claimed_ratio, low, high)
    return Claim(answer, *counts, ratio, max(0.0, low), high, detectable=shown if is_possible else None)


def shift_ratio(before: Sequence[float], after: Sequence[float]) -> tuple[float, float, float]:
    """Return (ratio, low, high) of after to before, 95 %; (ratio, nan, nan) where the values are too few for it.

    Hodges & Lehmann (1963) on logarithms, the interval after Hollander & Wolfe, Nonparametric Statistical Methods,
    section 4.3. Values of both sides must be above 0, and there must be some. Its least is 4 against 4, or 3
    against 5; never with fewer than 3. Ties make it a little wide.
    """
    logs = np.sort(np.subtract.outer(np.log(np.asarray(after, float)), np.log(np.asarray(before, float))).ravel())
    ratio = float(np.exp(np.median(logs)))
    rank = _rank(len(before), len(after))
    if rank == 0 or min(len(before), len(after)) < _FEWEST:
        return ratio, math.nan, math.nan
    return ratio, float(np.exp(logs[rank - 1])), float(np.exp(logs[len(logs) - rank]))


def _check(claimed_ratio: float) -> None:
    if not 0 < claimed_ratio < math.inf or claimed_ratio == 1:
        raise ValueError("a claimed ratio is above 0 and not 1")


def _answer(claimed_ratio: float, low: float, high: float) -> Answer:
    is_less = claimed_ratio < 1
    if low > claimed_ratio if is_less else high < claimed_ratio:
        return Answer.CONTRADICTED
    return Answer.CONFIRMED if (high < 1 if is_less else low > 1) else Answer.UNTOLD


def _rank(n: int, m: int) -> int:
    """Return which of the ordered quotients bounds the interval, from 1; 0 where even the outermost does not."""
    pairs = n * m
    if pairs > _MOST_EXACT:
        return max(0, math.floor(pairs / 2 - Z * math.sqrt(pairs * (n + m + 1) / 12)))
    # How often each value of the Mann-Whitney statistic comes: the coefficients of the Gaussian binomial.
    counts = np.zeros(pairs + 1)
    counts[0] = 1
    for one in range(1, m + 1):
        for place in range(pairs, n + one - 1, -1):
            counts[place] -= counts[place - n - one]
        for place in range(one, pairs + 1):
            counts[place] += counts[place - one]
    below = np.cumsum(counts) / math.comb(n + m, m)
    return int(np.searchsorted(below, _TAIL, side="right"))


def _runs_needed(n_before: int, n_after: int) -> int | None:
    """Return how many runs after the change can show anything; the chance of the clearest order must be small."""
    needed = (n for n in range(max(n_after + 1, _FEWEST), _MOST_RUNS) if 1 / math.comb(n_before + n, n) <= _TAIL)
    return next(needed, None) if n_before >= _FEWEST else None
