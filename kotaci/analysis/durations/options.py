"""What is looked at and when something is said of it: thresholds, printed with the result."""

from __future__ import annotations

from dataclasses import dataclass

from kotaci.analysis.durations.shifts import ShiftOptions


@dataclass(frozen=True)
class DurationOptions(ShiftOptions):
    """When a job or a step of a whole history is said to have shifted."""

    min_wall_s: float = 2.0
    """Series of a smaller median are not looked at: GitHub tells steps in whole seconds."""
    min_change_s: float = 2.0
    """A smaller change of the median is not told, however many per cent it is."""
    false_share: float = 0.05
    """Of the shifts told, so many may be false on average (Benjamini & Hochberg 1995, over all series looked at)."""
    cache_chance: float = 0.01
    """How likely, beforehand, the share of exact hits changes at a run: the prior of its change points."""
    n_detectable: int = 12
    """Of so many series, those with most time, the smallest detectable change is told."""
    medium_minutes: float = 10.0
    """What costs so many minutes a week is of medium severity."""
    high_minutes: float = 60.0
    """And of high severity."""


DEFAULTS = DurationOptions()
