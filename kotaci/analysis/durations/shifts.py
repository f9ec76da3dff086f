"""Change points of one series of durations: found by PELT on logarithms, then confirmed one against the other.

The confirmation decides: a candidate stays where the runs between its neighbours differ by Mann-Whitney's test and by
enough of their median. It is the lineage of MongoDB (Daly et al., ICPE 2020) and Hunter (arXiv 2301.03034), with a
cost that slow runs of noisy runners do not bend, and a p that pays for having looked at every position.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from kotaci.analysis.claims import shift_ratio
from kotaci.analysis.durations.splitting import split_by_level

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ShiftOptions:
    """When a shift is called.

    `penalty`: of one more change point, times log n. `max_p`: of Mann-Whitney's test, two-sided, corrected for having
    looked at every position and for runs that resemble the one before. `min_shift`: least change of the median, 0.05 is
    5 %. `min_runs`: on each side. `min_stratum`: with fewer runs a stratum is left as it is. `certainty`: of the
    culprit.
    """

    penalty: float = 3.0
    max_p: float = 0.05
    min_shift: float = 0.05
    min_runs: int = 5
    min_stratum: int = 5
    certainty: float = 0.99


@dataclass(frozen=True)
class Shift:
    """One change of level.

    `position` is the index, in order of time, of the first run at the new level: it began `at`, on the commit `sha`;
    the run that brought it lies in `first..last`, both included, with the options' certainty if the level is constant
    on both sides. Of these `first_sha..last_sha` are the commits, and `good_sha` the last one before them. Medians in
    seconds and `ratio` with its 95 % interval reach to the neighbouring shifts, or to the last run, begun `until_at`;
    with strata they are those of the commonest stratum's level.
    """

    position: int
    at: pd.Timestamp
    sha: str
    first: int
    last: int
    good_sha: str
    first_sha: str
    last_sha: str
    first_at: pd.Timestamp
    last_at: pd.Timestamp
    until_at: pd.Timestamp
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
    cuts, likeness = _confirmed(values, chosen)
    return [
        to_shift(
            ordered,
            values,
            window,
            culprits=_culprits(values, window, chosen),
            p=_p(values[window[0] : window[1]], values[window[1] : window[2]], likeness, min_runs=chosen.min_runs),
        )
        for window in windows_of(cuts, len(values))
    ]


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
    """Return the positions that stand against their neighbours."""
    return _confirmed(values, options)[0]


def _confirmed(values: Floats, options: ShiftOptions) -> tuple[list[int], float]:
    """Return those positions, of which the weakest goes first, and how much a run resembles the one before."""
    cuts = split_by_level(values, penalty=options.penalty * math.log(max(2, len(values))), min_size=options.min_runs)
    likeness = _likeness(values, cuts)
    known: dict[tuple[int, int, int], float] = {}
    while cuts:
        windows = windows_of(cuts, len(values))
        for window in windows:
            if window not in known:
                known[window] = _weakness(values, *window, likeness=likeness, options=options)
        worst = max(range(len(cuts)), key=lambda place: known[windows[place]])
        if known[windows[worst]] < options.max_p:
            break
        del cuts[worst]
    return cuts, likeness


def windows_of(cuts: Sequence[int], end: int) -> list[tuple[int, int, int]]:
    """Return each cut between its neighbours."""
    bounds = [0, *cuts, end]
    return list(zip(bounds, bounds[1:], bounds[2:], strict=False))


def _weakness(values: Floats, start: int, cut: int, end: int, *, likeness: float, options: ShiftOptions) -> float:
    """Return the p of the difference; more than any p where the medians differ by too little."""
    before, after = values[start:cut], values[cut:end]
    ratio = float(np.median(after) / np.median(before))
    p = _p(before, after, likeness, min_runs=options.min_runs)
    return p if abs(ratio - 1) >= options.min_shift else 1 + p


def _p(before: Floats, after: Floats, likeness: float, *, min_runs: int) -> float:
    """Return the chance that unchanged runs differ so much at some position that has `min_runs` on each side.

    The tail of the greatest of all two-sample statistics along a series is Miller & Siegmund's (1982), which Lausen &
    Schumacher (1992) showed for ranks; it errs to the safe side for few runs.
    """
    n = len(before) + len(after)
    height = _height(before, after) * math.sqrt((1 - likeness) / (1 + likeness))
    if height <= 1:
        return 1.0
    least = min_runs / n
    density = math.exp(-height * height / 2) / math.sqrt(2 * math.pi)
    places = 2 * math.log((1 - least) / least)
    return min(1.0, 4 * density / height + density * (height - 1 / height) * places)


def _height(before: Floats, after: Floats) -> float:
    """Return Mann & Whitney's U in standard deviations from its mean, corrected for ties and for being whole."""
    n, m = len(before), len(after)
    ranks = rankdata(np.concatenate((before, after)))
    counts = np.unique(ranks, return_counts=True)[1]
    ties = float((counts**3 - counts).sum()) / ((n + m) * (n + m - 1))
    spread = math.sqrt(n * m / 12 * max(n + m + 1 - ties, 0.0))
    away = abs(float(ranks[:n].sum()) - n * (n + m + 1) / 2) - 0.5
    return max(0.0, away / spread) if spread else 0.0


def _likeness(values: Floats, cuts: Sequence[int]) -> float:
    """Return how much a run resembles the one before: the correlation of ranks within the levels, 0 where it is none
    that 99 in 100 series of independent runs would not show."""
    if len(values) < 20:
        return 0.0
    rest = np.concatenate([part / np.median(part) for part in np.split(values, list(cuts))])
    ranks = rankdata(rest)
    ranks -= ranks.mean()
    squares = float((ranks**2).sum())
    found = float((ranks[1:] * ranks[:-1]).sum()) / squares if squares else 0.0
    return min(found, 0.9) if found > 2.33 / math.sqrt(len(values)) else 0.0


def to_shift(
    series: pd.DataFrame, values: Floats, window: tuple[int, int, int], *, culprits: tuple[int, int], p: float
) -> Shift:
    """Return the shift at the middle of the window, told by `values`: the durations of `series`, levelled or not."""
    start, cut, end = window
    before, after = values[start:cut], values[cut:end]
    ratio, low, high = shift_ratio(list(before), list(after))
    first, last = culprits
    sha, at = series["head_sha"], series["at"]
    return Shift(
        position=cut,
        at=at[cut],
        sha=str(sha[cut]),
        first=first,
        last=last,
        good_sha=str(sha[first - 1]),
        first_sha=str(sha[first]),
        last_sha=str(sha[last]),
        first_at=at[first],
        last_at=at[last],
        until_at=at[end - 1],
        n_before=len(before),
        n_after=len(after),
        before_s=float(np.median(before)),
        after_s=float(np.median(after)),
        ratio=ratio,
        low=low,
        high=high,
        p=p,
    )


def p_once(before: Floats, after: Floats) -> float:
    """Return Mann-Whitney's p, two-sided, for a place that was not looked for in these durations."""
    return math.erfc(_height(before, after) / math.sqrt(2))


def _culprits(values: Floats, window: tuple[int, int, int], options: ShiftOptions) -> tuple[int, int]:
    """Return the interval of positions: the likelihood of one step in normal noise of unknown width, on ranks."""
    start, cut, end = window
    ranks = rankdata(values[start:end])
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
    return min(start + first, cut), max(start + min(last, n - 1), cut)
