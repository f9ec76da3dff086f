"""Runs as dots over time, with the level they lie on: where a series shifted, and what else it did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from kotaci.report import words
from kotaci.report.blocks import Block, note
from kotaci.report.charts.axes import MOST_SERIES, Mark, draw_marks, marks_in_words, place_in_time
from kotaci.report.charts.canvas import SIZE, TITLE, Theme, dress, legend, picture, to_floats
from kotaci.report.inline import Inline

_MARKERS = {"a run": "o", "cache: partial": "s", "cache: miss": "^"}
"""Runs whose cache did not hit have a mark of their own, so that a slow one explains itself."""


def plot_series(
    points: pd.DataFrame,
    *,
    title: str,
    y: str = "minutes",
    marks: Sequence[Mark] = (),
    none: str = "No series to show in this window.",
) -> Block:
    """Return each run as a dot and the level as a line, for rows (series, at, value, level, stratum).

    One panel, each on its own scale, for each value of `series`, up to MOST_SERIES. A step in the line is a shift, and
    both levels are written at it. `stratum` is the cache's outcome, or empty. Raises ValueError for more series.
    """
    if points.empty:
        return note(Inline.of(none))
    names = list(dict.fromkeys(points["series"]))
    if len(names) > MOST_SERIES:
        raise ValueError(f"{len(names)} series do not fit one chart; keep {MOST_SERIES}")
    groups = {name: points[points["series"] == name].sort_values("at", kind="stable") for name in names}
    kinds = {
        name: ("cache: " + rows["stratum"]).where(rows["stratum"].isin(["partial", "miss"]), "a run")
        for name, rows in groups.items()
    }
    shown = [mark for mark in marks if points["at"].min() <= mark.at <= points["at"].max()]

    def draw(figure: Figure, theme: Theme) -> None:
        panels = figure.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0].tolist()
        for place, (axes, (name, rows)) in enumerate(zip(panels, groups.items(), strict=True)):
            dress(axes, theme, title=title if place == 0 else "", y=y if len(groups) == 1 else "")
            at = np.array([place_in_time(moment) for moment in rows["at"]])
            value, level = to_floats(rows["value"]), to_floats(rows["level"])
            for kind, marker in _MARKERS.items():
                chosen = (kinds[name] == kind).to_numpy(bool)
                if chosen.any() or (place == 0 and any((other == kind).any() for other in kinds.values())):
                    colour = theme.outcomes["failed"] if kind == "cache: miss" else theme.accent
                    look: dict[str, Any] = {"color": colour, "markersize": 3.6, "alpha": 0.6, "linewidth": 0}
                    axes.plot(at[chosen], value[chosen], marker, label=kind, **look)
            axes.plot(at, level, color=theme.ink, linewidth=1.6, drawstyle="steps-post", label="level")
            for begin in (0, *(1 + np.flatnonzero(np.diff(level)))):
                text = words.duration(60 * level[begin]) if y == "minutes" else words.number(level[begin])
                axes.annotate(
                    text, (at[begin], level[begin]), xytext=(3, 5), textcoords="offset points", color=theme.ink,
                    fontsize=8, bbox={"facecolor": theme.ground, "edgecolor": "none", "pad": 0.8, "alpha": 0.75},
                )  # fmt: skip
            axes.set_ylim(0, 1.08 * float(np.nanmax(value)))
            named = f"{words.one_line(name, width=70)} (n = {len(rows):,})"
            axes.annotate(
                named, (0, 1), xycoords="axes fraction", xytext=(0, 3), textcoords="offset points", color=theme.ink,
                fontsize=9,
            )  # fmt: skip
        locator = AutoDateLocator()  # type: ignore[no-untyped-call]
        panels[-1].xaxis.set_major_locator(locator)
        panels[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        panels[0].set_title(panels[0].get_title(loc="left"), loc="left", color=theme.ink, pad=22, **TITLE)
        if len(groups) > 1:
            figure.supylabel(y, color=theme.quiet, fontsize=9)
        legend(panels[0], theme)
        draw_marks(panels, shown, theme, to_place=place_in_time)

    told = "; ".join(f"{words.one_line(name)}: {_levels(rows, y)}, n = {len(rows):,}" for name, rows in groups.items())
    span = f"{words.day(points['at'].min())} to {words.day(points['at'].max())}"
    size = (SIZE[0], SIZE[1] if len(groups) == 1 else 1.1 + 1.45 * len(groups))
    return picture(draw, size=size, alt=f"{title} Dots: runs from {span}, in {y}; {told}.{marks_in_words(shown)}")


def _levels(rows: pd.DataFrame, y: str) -> str:
    level = to_floats(rows["level"])
    steps = [level[0], *level[1:][np.diff(level) != 0]]
    return " then ".join(words.number(round(step, 1)) for step in steps) + f" {y}"
