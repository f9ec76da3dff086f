"""Intervals for rates, medians and differences; each with its source. z = 1.96, that is 95 %."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Z = 1.959963984540054

FEWEST_FOR_INTERVAL = 6
"""With fewer values even their whole range covers the median with less than 95 %: 1 - 2 * 0.5^n."""


def wilson(x: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of the rate x / n; (0, 1) for n = 0.

    Wilson (1927). Right for small n and rates near 0 or 1; misleads where the trials are not independent, as the
    attempts of one run are not.
    """
    if n == 0:
        return 0.0, 1.0
    p = x / n
    centre = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    # At x = 0 and x = n the bounds are exactly 0 and 1; rounding would leave them just outside the rate.
    return (0.0 if x == 0 else max(0.0, centre - half)), (1.0 if x == n else min(1.0, centre + half))


def rate_change(x1: int, n1: int, x2: int, n2: int) -> tuple[float, float, float]:
    """Return (difference, low, high) of the rates x2/n2 - x1/n1, 95 %; (nan, nan, nan) where an n is 0.

    Newcombe (1998), method 10: from the two Wilson intervals. A change can be told where 0 lies outside.
    """
    if n1 == 0 or n2 == 0:
        return math.nan, math.nan, math.nan
    p1, p2 = x1 / n1, x2 / n2
    (low1, high1), (low2, high2) = wilson(x1, n1), wilson(x2, n2)
    low = (p2 - p1) - math.hypot(p2 - low2, high1 - p1)
    high = (p2 - p1) + math.hypot(high2 - p2, p1 - low1)
    return p2 - p1, max(-1.0, low), min(1.0, high)


def median_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return (median, low, high), 95 %, by order statistics; nan for no values, the range for few.

    Conover, Practical Nonparametric Statistics: ranks n/2 -+ z sqrt(n)/2. No assumption on the distribution, but
    the values must be independent; a trend within them makes it too narrow.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    ordered = ordered[~np.isnan(ordered)]
    n = len(ordered)
    if n == 0:
        return math.nan, math.nan, math.nan
    low = max(0, math.floor(n / 2 - Z * math.sqrt(n) / 2))
    return float(np.median(ordered)), float(ordered[low]), float(ordered[n - 1 - low])


def median_shift(before: Sequence[float], after: Sequence[float]) -> tuple[float, float, float]:
    """Return (shift, low, high), 95 %: by how much `after` lies above `before`; nan where a side has no value.

    Hodges and Lehmann (1963): the median of all pairwise differences; the interval inverts the test of Mann and
    Whitney with its normal approximation, and is the range of the differences where few values reach no 95 %. Misleads
    where the two differ in shape rather than in place, and where their values hang together.
    """
    first, second = (np.asarray(values, dtype=float) for values in (before, after))
    m, n = len(first), len(second)
    if m == 0 or n == 0:
        return math.nan, math.nan, math.nan
    differences = np.sort(np.subtract.outer(second, first).ravel())
    below = math.floor(m * n / 2 - Z * math.sqrt(m * n * (m + n + 1) / 12))
    low = min(max(0, below), len(differences) - 1)
    return float(np.median(differences)), float(differences[low]), float(differences[-1 - low])
