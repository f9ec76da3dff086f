"""Results of benchmarks as dots over time, with the level they lie on and the alerts among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from kotaci.model import plural
from kotaci.report import words
from kotaci.report.blocks import Block, note
from kotaci.report.charts.axes import MOST_SERIES, Mark, draw_marks, marks_in_words, place_in_time
from kotaci.report.charts.canvas import SIZE, TITLE, Theme, dress, legend, picture, to_floats
from kotaci.report.inline import Inline


@dataclass(frozen=True)
class AlertMark:
    """How alerts of one kind are drawn: a matplotlib marker, filled or hollow."""

    marker: str
    is_filled: bool


def plot_results(
    points: pd.DataFrame,
    *,
    title: str,
    alerts: Mapping[str, AlertMark],
    marks: Sequence[Mark] = (),
    none: str = "No benchmark in this window.",
) -> Block:
    """Return each result as a dot and its level as a line, for rows (series, at, value, level, alert).

    One panel, each on its own scale from 0, for each value of `series`, which names the unit, up to MOST_SERIES. A step
    in the line is a shift, and both levels are written at it. `alert` is a key of `alerts`, or empty. Raises ValueError
    for more series.
    """
    if points.empty:
        return note(Inline.of(none))
    names = list(dict.fromkeys(points["series"]))
    if len(names) > MOST_SERIES:
        raise ValueError(f"{len(names)} series do not fit one chart; keep {MOST_SERIES}")
    groups = {name: points[points["series"] == name].sort_values("at", kind="stable") for name in names}
    met = [kind for kind in alerts if (points["alert"] == kind).any()]
    shown = [mark for mark in marks if points["at"].min() <= mark.at <= points["at"].max()]

    def draw(figure: Figure, theme: Theme) -> None:
        panels = figure.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0].tolist()
        for place, (axes, (name, rows)) in enumerate(zip(panels, groups.items(), strict=True)):
            dress(axes, theme, title=title if place == 0 else "", y="")
            at = np.array([place_in_time(moment) for moment in rows["at"]])
            value = to_floats(rows["value"])
            axes.plot(at, value, "o", color=theme.accent, markersize=3.6, alpha=0.6, linewidth=0, label="a result")
            for kind in met:
                chosen = (rows["alert"] == kind).to_numpy(bool)
                red = theme.outcomes["failed"]
                axes.plot(
                    at[chosen], value[chosen], alerts[kind].marker, markersize=7, linewidth=0, markeredgecolor=red,
                    markerfacecolor=red if alerts[kind].is_filled else theme.ground, label=f"alert: {kind}",
                )  # fmt: skip
            _draw_level(axes, at, to_floats(rows["level"]), theme)
            axes.set_ylim(0, 1.1 * (float(np.nanmax(value)) or 1.0))
            named = f"{words.one_line(name, width=80)} (n = {len(rows):,})"
            axes.annotate(
                named, (0, 1), xycoords="axes fraction", xytext=(0, 3), textcoords="offset points", color=theme.ink,
                fontsize=9,
            )  # fmt: skip
        locator = AutoDateLocator()  # type: ignore[no-untyped-call]
        panels[-1].xaxis.set_major_locator(locator)
        panels[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        panels[0].set_title(panels[0].get_title(loc="left"), loc="left", color=theme.ink, pad=22, **TITLE)
        legend(panels[0], theme)
        draw_marks(panels, shown, theme, to_place=place_in_time)

    told = "; ".join(_in_words(name, rows, met) for name, rows in groups.items())
    span = f"{words.day(points['at'].min())} to {words.day(points['at'].max())}, UTC"
    size = (SIZE[0], SIZE[1] if len(groups) == 1 else 1.1 + 1.45 * len(groups))
    return picture(draw, size=size, alt=f"{title} Dots: results from {span}; {told}.{marks_in_words(shown)}")


def _draw_level(axes: Axes, at: np.ndarray, level: np.ndarray, theme: Theme) -> None:
    is_known = ~np.isnan(level)
    at, level = at[is_known], level[is_known]
    axes.plot(at, level, color=theme.ink, linewidth=1.6, drawstyle="steps-post", label="level")
    for step in np.flatnonzero(np.diff(level)):
        for side, where, dx in ((step, "right", -4), (step + 1, "left", 4)):
            axes.annotate(
                words.number(level[side], digits=2), (at[side], level[side]), xytext=(dx, 4), ha=where,
                textcoords="offset points", color=theme.ink, fontsize=8,
            )  # fmt: skip


def _in_words(name: str, rows: pd.DataFrame, kinds: Sequence[str]) -> str:
    level = to_floats(rows["level"])
    level = level[~np.isnan(level)]
    steps = level[np.concatenate([[True], np.diff(level) != 0])] if len(level) else level
    counts = [(kind, int((rows["alert"] == kind).sum())) for kind in kinds]
    alerts = ", ".join(f"{plural(n, 'alert')}: {kind}" for kind, n in counts if n)
    levels = " then ".join(words.number(step, digits=2) for step in steps)
    return f"{words.one_line(name)}: level {levels or words.MISSING}, n = {len(rows):,}" + (
        f", {alerts}" if alerts else ""
    )
