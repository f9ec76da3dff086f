"""Change points of one series of durations: found by PELT on ranks, then confirmed one against the other.

The confirmation decides: a candidate stays where the runs between its neighbours differ by Mann-Whitney's test and by
enough of their median. It is the lineage of MongoDB (Daly et al., ICPE 2020) and Hunter (arXiv 2301.03034), with a
cost that slow runs of noisy runners do not bend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu, rankdata

from kotaci.analysis.claims import shift_ratio
from kotaci.analysis.durations.splitting import split_by_rank

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ShiftOptions:
    """When a shift is called.

    `penalty`: of one more change point, times log n. `max_p`: of Mann-Whitney's test, two-sided, not corrected for
    having looked at every position; the level is low instead. `min_shift`: least change of the median, 0.05 is 5 %.
    `min_runs`: on each side. `min_stratum`: with fewer runs a stratum is left as it is. `certainty`: of the culprit.
    """

    penalty: float = 2.0
    max_p: float = 0.001
    min_shift: float = 0.05
    min_runs: int = 5
    min_stratum: int = 5
    certainty: float = 0.99


@dataclass(frozen=True)
class Shift:
    """One change of level.

    `position` is the index, in order of time, of the first run at the new level; the run that brought it lies in
    `first..last`, both included, with the options' certainty if the level is constant on both sides. Of these
    `first_sha..last_sha` are the commits, and `good_sha` the last one before them. Medians in seconds and `ratio` with
    its 95 % interval reach to the neighbouring shifts; with strata they are those of the commonest stratum's level.
    """

    position: int
    first: int
    last: int
    good_sha: str
    first_sha: str
    last_sha: str
    first_at: pd.Timestamp
    last_at: pd.Timestamp
    n_before: int
    n_after: int
    before_s: float
    after_s: float
    ratio: float
    low: float
    high: float
    p: float

    @property
    def is_slower(self) -> bool:
        """Tell a loss from a gain."""
        return self.ratio > 1


def find_shifts(series: pd.DataFrame, *, options: ShiftOptions | None = None) -> list[Shift]:
    """Return the shifts of one job's or step's durations, the earliest first.

    `series` has a row a run with `at`, `head_sha`, `wall_s` (seconds) and, optionally, `stratum`: a word that tells
    runs of different levels apart, such as the cache's outcome. Rows without a duration above 0 or a time count for
    nothing. Give runs that passed, of one job, leg, event family and branch line, once each. None found is no proof of
    none: `smallest_detectable` tells what would be. Misleads where the level drifts rather than jumps (the drift is cut
    into steps), where runs are not independent, and where a stratum occurs on one side only: then the ratio that levels
    it holds the shift too, and hides it.
    """
    chosen = options or ShiftOptions()
    ordered = usable(series)
    values = level_strata(ordered, options=chosen)
    cuts = confirmed_cuts(values, options=chosen)
    return [_shift(ordered, values, *window, options=chosen) for window in _windows(cuts, len(values))]


def usable(series: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with a time and a duration above 0, in order of time."""
    kept = series[(series["wall_s"] > 0).fillna(False) & series["at"].notna()]
    return kept.sort_values("at", kind="stable").reset_index(drop=True)


def level_strata(series: pd.DataFrame, *, options: ShiftOptions) -> Floats:
    """Return durations at the level of the commonest stratum: each divided by the ratio of its stratum's median."""
    values: Floats = series["wall_s"].to_numpy(dtype=float)
    if "stratum" not in series or series.empty:
        return values
    strata = series["stratum"].astype("str").fillna("")
    commonest = strata.value_counts().index[0]
    level = float(np.median(values[strata == commonest]))
    levelled: Floats = values.copy()
    for stratum, n in strata.value_counts().items():
        if n >= options.min_stratum:
            mine = (strata == stratum).to_numpy()
            levelled[mine] *= level / float(np.median(values[mine]))
    return levelled


def confirmed_cuts(values: Floats, *, options: ShiftOptions) -> list[int]:
    """Return the positions that stand against their neighbours; the weakest goes first."""
    cuts = split_by_rank(values, penalty=options.penalty * math.log(max(2, len(values))), min_size=options.min_runs)
    while cuts:
        weights = [
            _weakness(values[left:cut], values[cut:right], options) for left, cut, right in _windows(cuts, len(values))
        ]
        worst = int(np.argmax(weights))
        if weights[worst] < options.max_p:
            break
        del cuts[worst]
    return cuts


def _windows(cuts: Sequence[int], end: int) -> list[tuple[int, int, int]]:
    """Return each cut between its neighbours."""
    bounds = [0, *cuts, end]
    return list(zip(bounds, bounds[1:], bounds[2:], strict=False))


def _weakness(before: Floats, after: Floats, options: ShiftOptions) -> float:
    """Return the p of the difference; more than any p where the medians differ by too little."""
    ratio = float(np.median(after) / np.median(before))
    p = float(mannwhitneyu(before, after).pvalue)
    return p if abs(ratio - 1) >= options.min_shift else 1 + p


def _shift(series: pd.DataFrame, values: Floats, start: int, cut: int, end: int, *, options: ShiftOptions) -> Shift:
    before, after = values[start:cut], values[cut:end]
    ratio, low, high = shift_ratio(list(before), list(after))
    first, last = _culprits(values[start:end], cut - start, options)
    first, last = start + first, start + last
    sha, at = series["head_sha"], series["at"]
    return Shift(
        position=cut,
        first=first,
        last=last,
        good_sha=str(sha[first - 1]),
        first_sha=str(sha[first]),
        last_sha=str(sha[last]),
        first_at=at[first],
        last_at=at[last],
        n_before=len(before),
        n_after=len(after),
        before_s=float(np.median(before)),
        after_s=float(np.median(after)),
        ratio=ratio,
        low=low,
        high=high,
        p=float(mannwhitneyu(before, after).pvalue),
    )


def _culprits(values: Floats, cut: int, options: ShiftOptions) -> tuple[int, int]:
    """Return the interval of positions: the likelihood of one step in normal noise of unknown width, on ranks."""
    ranks = rankdata(values)
    n = len(ranks)
    at = np.arange(1, n)
    left = np.cumsum(ranks)[:-1]
    explained = left**2 / at + (ranks.sum() - left) ** 2 / (n - at)
    rest = np.maximum((ranks**2).sum() - explained, 1e-9)
    logs = -n / 2 * np.log(rest)
    weights = np.exp(logs - logs.max())
    below = np.cumsum(weights) / weights.sum()
    tail = (1 - options.certainty) / 2
    first, last = (1 + int(np.searchsorted(below, share)) for share in (tail, 1 - tail))
    return min(first, cut), max(min(last, n - 1), cut)
