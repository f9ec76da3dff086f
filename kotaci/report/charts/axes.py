"""What charts over time share: periods below the axis, what happened when, a panel a series."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from kotaci.report import words
from kotaci.report.charts.canvas import SIZE, TITLE, Theme, dress, legend, to_floats

FEW = 5
"""Below this n a week's rate is drawn hollow: it is shown, and not to be read as a trend."""

MOST_SERIES = 5
"""Panels that fit one picture."""


@dataclass(frozen=True)
class Mark:
    """A moment that is drawn as a vertical line with its text, a stranger's words; one outside a chart is left out."""

    at: pd.Timestamp
    text: str


def size_of(groups: Mapping[str, pd.DataFrame]) -> tuple[float, float]:
    """Return the inches of a picture with a panel for each of the series."""
    return SIZE if len(groups) == 1 else (SIZE[0], 1.1 + 1.25 * len(groups))


def to_series(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows of each series in order of time. Raises ValueError for more than fit one picture."""
    ordered = rows.sort_values("period_at")
    if "series" not in rows:
        return {"": ordered}
    names = list(dict.fromkeys(rows["series"]))
    if len(names) > MOST_SERIES:
        raise ValueError(f"{len(names)} series do not fit one chart; keep {MOST_SERIES}")
    return {words.one_line(name, width=40): ordered[ordered["series"] == name] for name in names}


def panels_over_time(
    figure: Figure, theme: Theme, groups: Mapping[str, pd.DataFrame], *, title: str, y: str, period: str
) -> Sequence[Axes]:
    """Return one dressed axes a series, one above the other on one time axis; a lone one has n under its weeks."""
    panels: list[Axes] = figure.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0].tolist()
    weeks = sorted({week for rows in groups.values() for week in rows["period_at"]})
    for place, (axes, (name, rows)) in enumerate(zip(panels, groups.items(), strict=True)):
        dress(axes, theme, title=title if place == 0 else "", y=y if len(groups) == 1 else "")
        if name and len(groups) > 1:
            named = f"{name} (n = {np.nansum(to_floats(rows['n'])):,.0f})"
            axes.annotate(
                named, (0, 1), xycoords="axes fraction", xytext=(0, 3), textcoords="offset points",
                color=theme.ink, fontsize=9,
            )  # fmt: skip
    if len(groups) > 1:
        figure.supylabel(y, color=theme.quiet, fontsize=9)
        panels[0].set_title(panels[0].get_title(loc="left"), loc="left", color=theme.ink, pad=22, **TITLE)
    n = to_floats(next(iter(groups.values()))["n"]).tolist() if len(groups) == 1 else ()
    periods_below(panels[-1], weeks, weeks, period, n if period == "week" else ())
    return panels


def draw_line(
    axes: Axes, at: pd.Series[pd.Timestamp], values: np.ndarray, is_few: np.ndarray, theme: Theme, *, label: str = ""
) -> None:
    """Draw a line through the weeks with enough runs, and the others as hollow dots beside it."""
    solid, hollow = np.where(is_few, np.nan, values), np.where(is_few, values, np.nan)
    axes.plot(at, solid, "o-", color=theme.accent, linewidth=1.8, markersize=5, label=label, clip_on=False)
    axes.plot(at, hollow, "o", markersize=5, markerfacecolor=theme.ground, markeredgecolor=theme.accent, clip_on=False)


def draw_few_legend(axes: Axes, weeks: pd.DataFrame, theme: Theme) -> None:
    """Write what the lines are, and what a hollow dot is where there is one."""
    if bool((to_floats(weeks["n"]) < FEW).any()):
        few = f"too few runs (n < {FEW})"
        axes.plot([], [], "o", markerfacecolor=theme.ground, markeredgecolor=theme.accent, label=few)
    if any(axes.get_legend_handles_labels()[1]):
        legend(axes, theme)


_MARK_ROWS = 3

_MARK_POINTS = 11

_LETTER_POINTS = 4.6
"""About the width of a letter in a mark's text, of 8 points."""


def draw_marks(
    panels: Sequence[Axes],
    marks: Sequence[Mark],
    theme: Theme,
    *,
    to_place: Callable[[pd.Timestamp], float],
) -> None:
    """Draw a line through all panels for each mark, its text above the first, under the title.

    A text that would touch another goes a row higher; where the rows do not do, the line stands alone.
    """
    top = panels[0]
    if not marks:
        return
    places = [to_place(mark.at) for mark in marks]
    left, right = top.get_xlim()
    left, right = min(left, *places), max(right, *places)
    top.set_xlim(left, right)
    width = 0.8 * 72 * SIZE[0]
    taken = [-math.inf] * _MARK_ROWS
    named = bool(top.texts) and len(panels) > 1
    highest = 0
    for mark, place in sorted(zip(marks, places, strict=True), key=lambda pair: pair[1]):
        for axes in panels:
            axes.axvline(place, color=theme.quiet, linewidth=1.1, linestyle=(0, (4, 2)), clip_on=False)
        text = words.one_line(mark.text, width=36)
        length = _LETTER_POINTS * len(text)
        x = width * (place - left) / (right - left or 1)
        begin = max(0.0, min(x, width - length))
        row = next((row for row, end in enumerate(taken) if begin > end + 8), None)
        if row is None:
            continue
        taken[row], highest = begin + length, max(highest, row + 1)
        top.annotate(
            text, (place, 1), xycoords=top.get_xaxis_transform(),
            xytext=(begin - x + 2, 2 + _MARK_POINTS * (row + named)), textcoords="offset points",
            color=theme.quiet, fontsize=8, annotation_clip=False,
        )  # fmt: skip
    pad = 12 + _MARK_POINTS * (highest + named)
    top.set_title(top.get_title(loc="left"), loc="left", color=theme.ink, pad=pad, **TITLE)


def place_in_time(at: pd.Timestamp) -> float:
    """Return where a moment lies on an axis of dates."""
    return float(date2num(at))  # type: ignore[no-untyped-call]


def place_among(at: pd.Timestamp, periods: Sequence[pd.Timestamp], period: str) -> float:
    """Return where a moment lies on an axis whose periods are centred at 0, 1, 2 ..."""
    place = max(place for place, start in enumerate(periods) if start <= at)
    start = periods[place]
    return place - 0.5 + float((at - start) / (_end_of(start, period) - start))


def _end_of(start: pd.Timestamp, period: str) -> pd.Timestamp:
    return pd.date_range(start, periods=2, freq=_PERIODS[period].step)[1]


def marks_within(marks: Sequence[Mark], rows: pd.DataFrame, period: str) -> list[Mark]:
    """Return the marks that lie within the periods of the rows."""
    first, last = rows["period_at"].min(), rows["period_at"].max()
    return [mark for mark in marks if first <= mark.at < _end_of(last, period)]


def marks_in_words(marks: Sequence[Mark]) -> str:
    """Return the marks as sentences for an alternative text."""
    return "".join(f" {words.day(mark.at)}: {words.one_line(mark.text)}." for mark in marks)


@dataclass(frozen=True)
class _Period:
    """How a period is stepped and written below an axis."""

    step: str
    label: Callable[[pd.Timestamp], str]
    axis: str


_PERIODS = {
    "week": _Period("7D", lambda at: f"{at.day} {at:%b}", "week from"),
    "month": _Period("MS", lambda at: f"{at:%b}\n{at:%Y}" if at.month == 1 else f"{at:%b}", "month"),
    "quarter": _Period("QS", lambda at: f"Q{at.quarter}\n{at:%Y}" if at.quarter == 1 else f"Q{at.quarter}", "quarter"),
}


def periods_below(
    axes: Axes, places: Sequence[Any], periods: Sequence[pd.Timestamp], period: str, n: Sequence[float] = ()
) -> None:
    """Write the periods below the axis, and n under each where it is given; fewer of them where they would touch."""
    step = 1 + len(periods) // (14 if period == "week" else 28)
    dates = [_PERIODS[period].label(at) for at in periods]
    below = [f"{date}\nn = {count:,.0f}" for date, count in zip(dates, n, strict=True)] if len(n) else dates
    axes.set_xticks(places[::step], below[::step])
    years = sorted({at.year for at in periods})
    axes.set_xlabel(
        f"{_PERIODS[period].axis} (UTC), {'–'.join(str(year) for year in (years[0], years[-1])[: len(years)])}",
        color=axes.yaxis.label.get_color(),
        fontsize=9,
    )


def every_period(rows: pd.DataFrame, period: str) -> list[pd.Timestamp]:
    """Return the periods of the rows and those between, so that one without runs is seen as a hole."""
    first, last = rows["period_at"].min(), rows["period_at"].max()
    return sorted({*rows["period_at"], *pd.date_range(first, last, freq=_PERIODS[period].step)})


def span_in_words(rows: pd.DataFrame) -> str:
    """Return the first and the last period of the rows."""
    return f"from {words.day(rows['period_at'].min())} to {words.day(rows['period_at'].max())}, UTC"
