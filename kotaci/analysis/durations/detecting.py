"""How small a shift this history would have shown: so that "no change found" says what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from kotaci.analysis.durations.shifts import Floats, ShiftOptions, confirmed_cuts, level_strata, usable

RATIOS = (1.05, 1.075, 1.1, 1.15, 1.2, 1.25, 1.3, 1.4, 1.5, 1.75, 2.0, 3.0)
NEAR = 5
"""Runs that a shift may be found beside its planted place."""


def smallest_detectable(
    series: pd.DataFrame,
    *,
    options: ShiftOptions | None = None,
    ratios: Sequence[float] = RATIOS,
    n_trials: int = 40,
    power: float = 0.8,
    seed: int = 20260302,
) -> float | None:
    """Return the least slow-down (0.15 is 15 %) that is found in `power` of the trials; None where none of `ratios` is.

    Each trial draws a history of as many runs from this one's, with repetition, its own shifts taken out, and plants a
    shift in its middle half. `series` and `options` are those of `find_shifts`. The same seed gives the same answer.
    Optimistic where slow runs come in bunches, which drawing breaks up, and for a shift near an end; a speed-up is
    harder or easier to see by little.
    """
    chosen = options or ShiftOptions()
    values = level_strata(usable(series), options=chosen)
    if len(values) < 2 * chosen.min_runs:
        return None
    cuts = confirmed_cuts(values, options=replace(chosen, min_shift=0.0))
    noise = np.concatenate([part / np.median(part) for part in np.split(values, cuts)])
    below, above = 0, len(ratios)
    while below < above:
        middle = (below + above) // 2
        if _share_found(noise, ratios[middle], chosen, n_trials, seed) >= power:
            above = middle
        else:
            below = middle + 1
    return ratios[below] - 1 if below < len(ratios) else None


def _share_found(noise: Floats, ratio: float, options: ShiftOptions, n_trials: int, seed: int) -> float:
    """Return in how many of the trials the shift is found; the same draws for every ratio."""
    chance = np.random.default_rng(seed)
    n, n_found = len(noise), 0
    for _ in range(n_trials):
        drawn = chance.choice(noise, n)
        place = int(chance.integers(n // 4, n - n // 4))
        drawn[place:] *= ratio
        n_found += any(abs(cut - place) <= NEAR for cut in confirmed_cuts(drawn, options=options))
    return n_found / n_trials
