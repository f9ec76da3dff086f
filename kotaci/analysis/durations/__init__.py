"""Since when a job or a step takes longer, or less: shifts that survive noise, and what several of them share."""

from kotaci.analysis.durations.detecting import smallest_detectable
from kotaci.analysis.durations.shifts import Shift, ShiftOptions, find_shifts
from kotaci.analysis.durations.together import Located, Together, group_shifts

__all__ = [
    "Located",
    "Shift",
    "ShiftOptions",
    "Together",
    "find_shifts",
    "group_shifts",
    "smallest_detectable",
]
