"""What `find_shifts` finds in simulated durations, with and without strata, against a 20 % limit on the last ten runs.

The noise is ours: log-normal, 5 % of the runs 1.5 to 3 times as slow; where there are cache misses, a run in five is
one and takes 1.6 times as long. A series of 120 runs has one to three shifts by -33 to +50 %, at least 15 runs apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import pandas as pd

from kotaci.analysis.durations import find_shifts, smallest_detectable

Row = tuple[str, str]
Find = Callable[[pd.DataFrame], list[int]]

CASES = ((0.1, False), (0.15, True), (0.25, True))
SEEDS = (1, 2, 3)
N_RUNS = 120
RATIOS = (1 / 1.5, 1 / 1.3, 1 / 1.2, 1.15, 1.2, 1.3, 1.5)
NEAR = 5
"""Runs that a call may lie beside the planted place and still be its call."""


@dataclass(frozen=True)
class Score:
    """What came of one seed: F1 over the planted shifts, and the share of unchanged series with a call."""

    f1: float
    false_alarms: float


def measure_durations(*, n_series: int = 60) -> list[Row]:
    """Return F1 and false alarms per noise and method, how good the culprit interval is, and what is detectable."""
    methods: dict[str, Find] = {
        "ours": lambda series: [shift.position for shift in find_shifts(series.drop(columns="stratum"))],
        "ours, by cache outcome": lambda series: [shift.position for shift in find_shifts(series)],
        "20 % from the median of the last 10": _last_ten,
    }
    rows = []
    for cv, has_misses in CASES:
        noise = f"cv {cv:.0%} with spikes{' and misses' if has_misses else ''}"
        for name, find in methods.items():
            if has_misses or "cache" not in name:
                scores = [_score(find, cv, has_misses, seed, n_series) for seed in SEEDS]
                f1 = " ".join(f"{score.f1:.2f}" for score in scores)
                alarms = " ".join(f"{score.false_alarms:.0%}" for score in scores)
                rows.append((f"{noise}, {name}: F1; false alarms", f"{f1}; {alarms}"))
        rows.append(
            (f"{noise}: planted run in its culprit interval, median width", _culprits(cv, has_misses, n_series))
        )
        series, _ = simulate(np.random.default_rng(SEEDS[0]), cv, has_misses, is_changed=False)
        began = perf_counter()
        told = smallest_detectable(series)
        shown = "none" if told is None else f"{told:.3g}"
        rows.append((f"{noise}, by cache outcome: smallest detectable", f"{shown} in {perf_counter() - began:.1f} s"))
    return rows


def simulate(
    chance: np.random.Generator, cv: float, has_misses: bool, *, is_changed: bool
) -> tuple[pd.DataFrame, list[int]]:
    """Return a series as `find_shifts` takes it, and the planted positions."""
    values = 300 * chance.lognormal(0, math.sqrt(math.log(1 + cv * cv)), N_RUNS)
    values *= np.where(chance.random(N_RUNS) < 0.05, chance.uniform(1.5, 3, N_RUNS), 1)
    missed = chance.random(N_RUNS) < (0.2 if has_misses else 0)
    values *= np.where(missed, 1.6, 1)
    cuts: list[int] = []
    n_cuts = int(chance.integers(1, 4)) if is_changed else 0
    while len(cuts) < n_cuts:
        cut = int(chance.integers(12, N_RUNS - 12))
        if all(abs(cut - other) >= 15 for other in cuts):
            cuts.append(cut)
    for cut in cuts:
        values[cut:] *= chance.choice(RATIOS)
    at = pd.date_range("2026-01-01", periods=N_RUNS, freq="h", tz="UTC")
    sha = [f"{place:040x}" for place in range(N_RUNS)]
    stratum = np.where(missed, "miss", "hit")
    return pd.DataFrame({"at": at, "head_sha": sha, "wall_s": values, "stratum": stratum}), sorted(cuts)


def _score(find: Find, cv: float, has_misses: bool, seed: int, n_series: int) -> Score:
    chance = np.random.default_rng(seed)
    n_right = n_called = n_planted = n_alarms = 0
    for _ in range(n_series):
        series, planted = simulate(chance, cv, has_misses, is_changed=True)
        called = find(series)
        n_right += len(_matched(called, planted))
        n_called += len(called)
        n_planted += len(planted)
        quiet, _ = simulate(chance, cv, has_misses, is_changed=False)
        n_alarms += bool(find(quiet))
    return Score(2 * n_right / (n_called + n_planted), n_alarms / n_series)


def _matched(called: Sequence[int], planted: Sequence[int]) -> list[tuple[int, int]]:
    """Return which call is whose; each planted shift has one at most."""
    left, pairs = list(planted), []
    for call in called:
        near = [place for place in left if abs(place - call) <= NEAR]
        if near:
            pairs.append((call, min(near, key=lambda place: abs(place - call))))
            left.remove(pairs[-1][1])
    return pairs


def _culprits(cv: float, has_misses: bool, n_series: int) -> str:
    chance = np.random.default_rng(SEEDS[0])
    widths, n_holding = [], 0
    for _ in range(n_series):
        series, planted = simulate(chance, cv, has_misses, is_changed=True)
        found = {shift.position: shift for shift in find_shifts(series)}
        for call, place in _matched(list(found), planted):
            widths.append(found[call].last - found[call].first + 1)
            n_holding += found[call].first <= place <= found[call].last
    return f"{n_holding / len(widths):.0%} of {len(widths)}, {np.median(widths):g} runs" if widths else "-"


def _last_ten(series: pd.DataFrame) -> list[int]:
    """Return each run that leaves the limit, a stretch of them once."""
    values = series["wall_s"].to_numpy()
    out = [
        place >= 10 and abs(values[place] / np.median(values[place - 10 : place]) - 1) > 0.2 for place in range(N_RUNS)
    ]
    return [place for place in range(1, N_RUNS) if out[place] and not out[place - 1]]
