"""Where a series may change its level: candidates only, to be confirmed by who asks."""

from __future__ import annotations

import numpy as np
import ruptures
from numpy.typing import NDArray
from scipy.stats import rankdata


def split_by_rank(values: NDArray[np.float64], *, penalty: float, min_size: int) -> list[int]:
    """Return the positions at which ranks change their mean, by PELT (Killick et al. 2012), exact for this cost.

    Ranks have variance 1, so that a penalty of 2 log n means the same for every series, and one wild value weighs no
    more than any other that is slowest. Many equal values make ranks coarse.
    """
    if len(values) < 2 * min_size or np.ptp(values) == 0:
        return []
    ranks = rankdata(values)
    scaled = (ranks - ranks.mean()) / ranks.std()
    found = ruptures.KernelCPD(kernel="linear", min_size=min_size).fit(scaled[:, None]).predict(pen=penalty)
    return [int(position) for position in found[:-1]]
