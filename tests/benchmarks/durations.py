"""What `find_shifts` finds in simulated durations, with and without strata, beside other libraries and a 20 % limit.

The noise is ours: log-normal, 5 % of the runs 1.5 to 3 times as slow; where there are cache misses, a run in five is
one and takes 1.6 times as long. A series of 120 runs has one to three shifts by -33 to +50 %, at least 15 runs apart.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from kotaci.analysis.durations import find_shifts, smallest_detectable

Row = tuple[str, str]
Find = Callable[[pd.DataFrame], list[int]]

CASES = ((0.1, False), (0.15, True), (0.25, True))
SEEDS = (1, 2, 3, 11, 12, 13)
"""The first three are those of the figures of earlier versions; nothing was chosen by any of the six."""

PEERS = Path(__file__).with_name("shift_peers.py")
N_RUNS = 120
RATIOS = (1 / 1.5, 1 / 1.3, 1 / 1.2, 1.15, 1.2, 1.3, 1.5)
NEAR = 5
"""Runs that a call may lie beside the planted place and still be its call."""


@dataclass(frozen=True)
class Histories:
    """Series of one noise and seed: such with shifts, the places planted in each, and as many without."""

    changed: Sequence[pd.DataFrame]
    planted: Sequence[list[int]]
    quiet: Sequence[pd.DataFrame]


@dataclass(frozen=True)
class Score:
    """What came of one seed: F1 over the planted shifts, and the share of unchanged series with a call."""

    f1: float
    false_alarms: float


def measure_durations(*, n_series: int = 60, seeds: Sequence[int] = SEEDS, peers: Path | None = None) -> list[Row]:
    """Return F1 and false alarms per noise and method, how good the culprit interval is, and what is detectable.

    `peers` is the interpreter of the environment that has other libraries; without one ruptures alone is beside us.
    """
    methods: dict[str, Find] = {
        "ours": lambda series: [shift.position for shift in find_shifts(series.drop(columns="stratum"))],
        "ours, by cache outcome": lambda series: [shift.position for shift in find_shifts(series)],
        "20 % from the median of the last 10": _last_ten,
    }
    rows = []
    for cv, has_misses in CASES:
        noise = f"cv {cv:.0%} with spikes{' and misses' if has_misses else ''}"
        histories = [_histories(cv, has_misses, seed, n_series) for seed in seeds]
        scores = {
            name: [_score(one, [find(h) for h in one.changed], [find(h) for h in one.quiet]) for one in histories]
            for name, find in methods.items()
            if has_misses or "cache" not in name
        }
        for name, told in {**scores, **_of_peers(histories, peers or Path(sys.executable))}.items():
            f1 = " ".join(f"{score.f1:.2f}" for score in told)
            alarms = " ".join(f"{score.false_alarms:.0%}" for score in told)
            rows.append((f"{noise}, {name}: F1; false alarms", f"{f1}; {alarms}"))
        rows.append((f"{noise}: planted run in its culprit interval, median width", _culprits(histories[0])))
        began = perf_counter()
        detectable = smallest_detectable(histories[0].quiet[0])
        shown = "none" if detectable is None else f"{detectable:.3g}"
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


def _histories(cv: float, has_misses: bool, seed: int, n_series: int) -> Histories:
    chance = np.random.default_rng(seed)
    changed, quiet = [], []
    for _ in range(n_series):
        changed.append(simulate(chance, cv, has_misses, is_changed=True))
        quiet.append(simulate(chance, cv, has_misses, is_changed=False)[0])
    return Histories([series for series, _ in changed], [planted for _, planted in changed], quiet)


def _of_peers(histories: Sequence[Histories], python: Path) -> dict[str, list[Score]]:
    """Return the scores of each peer; they are not told of the caches."""
    asked = [series["wall_s"].to_list() for one in histories for series in (*one.changed, *one.quiet)]
    answer = subprocess.run([python, PEERS], input=json.dumps(asked), capture_output=True, text=True, check=True)
    told: Mapping[str, list[list[int]]] = json.loads(answer.stdout)
    scores: dict[str, list[Score]] = {}
    for name, found in told.items():
        left = iter(found)
        scores[name] = [
            _score(one, [next(left) for _ in one.changed], [next(left) for _ in one.quiet]) for one in histories
        ]
    return scores


def _score(histories: Histories, called: Sequence[list[int]], in_quiet: Sequence[list[int]]) -> Score:
    n_right = sum(len(_matched(*pair)) for pair in zip(called, histories.planted, strict=True))
    n_called, n_planted = sum(map(len, called)), sum(map(len, histories.planted))
    return Score(2 * n_right / (n_called + n_planted), sum(map(bool, in_quiet)) / len(in_quiet))


def _matched(called: Sequence[int], planted: Sequence[int]) -> list[tuple[int, int]]:
    """Return which call is whose; each planted shift has one at most."""
    left, pairs = list(planted), []
    for call in called:
        near = [place for place in left if abs(place - call) <= NEAR]
        if near:
            pairs.append((call, min(near, key=lambda place: abs(place - call))))
            left.remove(pairs[-1][1])
    return pairs


def _culprits(histories: Histories) -> str:
    widths, n_holding = [], 0
    for series, planted in zip(histories.changed, histories.planted, strict=True):
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
