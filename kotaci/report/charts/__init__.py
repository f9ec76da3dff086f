"""Tables → pictures, once in light and once in dark: draws, never computes. The only room with matplotlib."""

from kotaci.report.charts.axes import FEW, MOST_SERIES, Mark
from kotaci.report.charts.bars import HOW_MARKS, plot_changes, plot_counts, plot_gantt, plot_waterfall
from kotaci.report.charts.canvas import DARK, LIGHT, Theme, picture
from kotaci.report.charts.periods import plot_durations, plot_heat, plot_outcomes, plot_rate
from kotaci.report.charts.points import plot_series
from kotaci.report.charts.results import AlertMark, plot_results
from kotaci.report.charts.usage import plot_usage

__all__ = [
    "DARK",
    "FEW",
    "HOW_MARKS",
    "LIGHT",
    "MOST_SERIES",
    "AlertMark",
    "Mark",
    "Theme",
    "picture",
    "plot_changes",
    "plot_counts",
    "plot_durations",
    "plot_gantt",
    "plot_heat",
    "plot_outcomes",
    "plot_rate",
    "plot_results",
    "plot_series",
    "plot_usage",
    "plot_waterfall",
]
