"""Tables → pictures, once in light and once in dark: draws, never computes. The only room with matplotlib."""

from kotaci.report.charts.axes import FEW, MOST_SERIES, Mark
from kotaci.report.charts.canvas import DARK, LIGHT, Theme, picture
from kotaci.report.charts.periods import plot_durations, plot_heat, plot_outcomes, plot_rate

__all__ = [
    "DARK",
    "FEW",
    "LIGHT",
    "MOST_SERIES",
    "Mark",
    "Theme",
    "picture",
    "plot_durations",
    "plot_heat",
    "plot_outcomes",
    "plot_rate",
]
