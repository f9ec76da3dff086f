"""Since when a job or a step takes longer, or less: shifts that survive noise, and what several of them share."""

from kotaci.analysis.durations.assessing import Shifts, assess_shifts
from kotaci.analysis.durations.detecting import smallest_detectable
from kotaci.analysis.durations.options import DurationOptions
from kotaci.analysis.durations.shifts import Shift, ShiftOptions, find_shifts
from kotaci.analysis.durations.together import Located, Together, group_shifts

__all__ = [
    "DurationOptions",
    "Located",
    "Shift",
    "ShiftOptions",
    "Shifts",
    "Together",
    "assess_shifts",
    "find_shifts",
    "group_shifts",
    "smallest_detectable",
]
