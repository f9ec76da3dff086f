"""Where a series may change its level: candidates only, to be confirmed by who asks."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import ruptures
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_WINDOW = 11
"""Runs of the running median that tells the noise: a spike of five in a row is noise, a level of six is not."""

_SIGMA = 1.4826 * math.sqrt(_WINDOW / (_WINDOW - 1.6))
"""From the median distance to the running median to the standard deviation: a run is itself part of that median."""

_WIDEST = 2.0
"""A run weighs no more than one so many standard deviations from the running median."""

_LEAST_NOISE = 0.01
"""Below 1 % nothing is asked for; it keeps a series that hardly varies from being cut at every hair."""


def split_by_level(values: Floats, *, penalty: float, min_size: int) -> list[int]:
    """Return the positions at which the level of durations above 0 changes, by PELT (Killick et al. 2012).

    The cost is that of a mean on logarithms, in units of the noise around a running median, to which outliers are
    pulled in: so a penalty means the same for every series, one wild run weighs no more than a slow one, and a large
    shift does not hide a small one, as it does where the whole series' spread or its ranks are the unit.
    """
    if len(values) < 2 * min_size or np.ptp(values) == 0:
        return []
    logs = np.log(values)
    middle = pd.Series(logs).rolling(_WINDOW, center=True, min_periods=1).median().to_numpy()
    noise = max(_LEAST_NOISE, _rounding(values), _SIGMA * float(np.median(np.abs(logs - middle))))
    scaled = np.clip(logs, middle - _WIDEST * noise, middle + _WIDEST * noise) / noise
    found = ruptures.KernelCPD(kernel="linear", min_size=min_size).fit(scaled[:, None]).predict(pen=penalty)
    return [int(position) for position in found[:-1]]


def _rounding(values: Floats) -> float:
    """Return the noise of durations in whole seconds, as a share of their median; 0 where they are finer."""
    return 1 / math.sqrt(12) / float(np.median(values)) if bool((values == np.floor(values)).all()) else 0.0
