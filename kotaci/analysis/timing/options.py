"""The thresholds of build-time analysis; printed with every result that they decide."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TimingOptions:
    """Thresholds of the replay.

    n_resamples and seed make the bootstrap interval, month_days what a month has, fewest_days the shortest window that
    is scaled to a month.
    """

    n_resamples: int = 1000
    seed: int = 20260101
    month_days: float = 30.0
    fewest_days: float = 1.0


DEFAULTS = TimingOptions()
