"""Tables → pictures, once in light and once in dark: draws, never computes. The only module with matplotlib."""

from __future__ import annotations

import base64
import io
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from kotaci.model import BAD_OUTCOMES, Outcome, plural
from kotaci.report import words
from kotaci.report.blocks import Block, note
from kotaci.report.inline import Inline
from kotaci.report.markdown import escape_text

FEW = 5
"""Below this n a week's rate is drawn hollow: it is shown, and not to be read as a trend."""

MOST_SERIES = 5
"""Panels that fit one picture."""

_NONE = "No runs in this window."
_GROUPS = ("passed", "failed", "cancelled", "other")


@dataclass(frozen=True)
class Theme:
    """The colours of a picture. Outcomes differ in lightness too, so grey print keeps them apart."""

    ground: str
    ink: str
    quiet: str
    line: str
    outcomes: Mapping[str, str]
    """by group: passed, failed, cancelled, other"""
    accent: str
    heat: Sequence[str]
    """from no failure to all failed"""


LIGHT = Theme(
    ground="#ffffff",
    ink="#191d22",
    quiet="#58616d",
    line="#e2e6eb",
    outcomes={"passed": "#a9dcc0", "failed": "#b3261a", "cancelled": "#7d8793", "other": "#d9dde3"},
    accent="#0b4fa8",
    heat=("#f2f8f5", "#f6c9b0", "#d9593f", "#7d1410"),
)
DARK = Theme(
    ground="#0f1318",
    ink="#e6e9ed",
    quiet="#9aa4b1",
    line="#2a313b",
    outcomes={"passed": "#2c6a4a", "failed": "#ff9c91", "cancelled": "#8b96a4", "other": "#3c4551"},
    accent="#93bdfb",
    heat=("#18221e", "#5a2f2a", "#c25a4c", "#ffc1b5"),
)

_STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "svg.fonttype": "path",
    "svg.hashsalt": "kotaci",
    "text.parse_math": False,
    "axes.unicode_minus": True,
}

Draw = Callable[[Figure, Theme], None]


@dataclass(frozen=True)
class Mark:
    """A moment that is drawn as a vertical line with its text, a stranger's words; one outside a chart is left out."""

    at: pd.Timestamp
    text: str


def picture(draw: Draw, *, size: tuple[float, float], alt: str) -> Block:
    """Return what `draw` draws, in both themes, as one picture of `size` inches that carries no outside reference.

    The same drawing gives the same bytes. In Markdown it is its `alt` text.
    """
    light, dark = (_to_svg(draw, size, theme) for theme in (LIGHT, DARK))
    html = Markup(
        '<figure class="k-figure" tabindex="0"><picture><source media="(prefers-color-scheme: dark)" srcset="{}">'
        '<img src="{}" alt="{}"></picture></figure>'
    ).format(_data_url(dark), _data_url(light), words.one_line(alt, width=1000))
    return Block(html=str(html), markdown=f"*Figure:* {escape_text(words.one_line(alt, width=1000))}")


def _to_svg(draw: Draw, size: tuple[float, float], theme: Theme) -> bytes:
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # Names in scripts that the font does not have are drawn as boxes; that is no news for a report.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        figure = Figure(figsize=size, facecolor=theme.ground, layout="constrained")
        draw(figure, theme)
        FigureCanvasSVG(figure)
        file = io.BytesIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", metadata=nothing, facecolor=theme.ground)
    return _slim(file.getvalue().decode("utf-8")).encode("utf-8")


def _slim(svg: str) -> str:
    """Return the drawing without what no eye sees: indents, comments, and decimals below a hundredth of a point."""
    bare = re.sub(r"<!--.*?-->|<!DOCTYPE[^>]*>", "", svg, flags=re.DOTALL)
    paths = re.sub(r' d="[^"]*"', lambda found: " " + re.sub(r"(\.\d\d)\d+", r"\1", " ".join(found[0].split())), bare)
    return re.sub(r"\s*\n\s*", "\n", paths)


def _data_url(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode('ascii')}"


def plot_outcomes(
    weeks: pd.DataFrame, *, title: str, period: str = "week", marks: Sequence[Mark] = (), none: str = _NONE
) -> Block:
    """Return stacked bars of runs by period and outcome, for rows (period_at, outcome, n_runs).

    `title` is the finding; `period` is week, month or quarter, `marks` are what happened when: as in the other charts.
    """
    if weeks.empty:
        return note(Inline.of(none))
    counts = weeks.assign(group=[_group(outcome) for outcome in weeks["outcome"]]).pivot_table(
        index="period_at", columns="group", values="n_runs", aggfunc="sum", fill_value=0
    )
    counts = counts.reindex(_every_period(weeks, period), fill_value=0)
    shown = [group for group in _GROUPS if group in counts]

    def draw(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        places, below = np.arange(len(counts)), np.zeros(len(counts))
        for group in shown:
            heights = counts[group].to_numpy(dtype=float)
            axes.bar(places, heights, bottom=below, width=0.72, color=theme.outcomes[group], label=group, linewidth=0)
            below = below + heights
        for place, total in zip(places, below, strict=True):
            axes.annotate(
                f"{total:,.0f}", (place, total), xytext=(0, 3), textcoords="offset points", ha="center",
                color=theme.quiet, fontsize=8,
            )  # fmt: skip
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.margins(y=0.12)
        _dress(axes, theme, title=title, y="attempts")
        _periods_below(axes, list(places), list(counts.index), period)
        _legend(axes, theme)
        _draw_marks([axes], shown_marks, theme, to_place=lambda at: _place_among(at, list(counts.index), period))

    total = int(weeks["n_runs"].sum())
    shown_marks = _within(marks, weeks, period)
    alt = f"{title} Bars: {total:,} runs by {period} and outcome, {_span(weeks)}.{_marks_in_words(shown_marks)}"
    return picture(draw, size=_SIZE, alt=alt)


def plot_rate(
    weeks: pd.DataFrame,
    *,
    title: str,
    period: str = "week",
    rate: str = "failure_rate",
    y: str = "failed, % of runs",
    marks: Sequence[Mark] = (),
    none: str = _NONE,
) -> Block:
    """Return the rate of that column by period with its 95 % interval, for rows (period_at, n, `rate`, low, high).

    One panel, on one scale, for each value of `series`, where there is that column, up to MOST_SERIES. Weeks with
    n < FEW are hollow dots off the line. Raises ValueError for more series.
    """
    if weeks.empty:
        return note(Inline.of(none))
    groups = _series(weeks)
    top = 1.04 * max(5.0, float(np.nanmax([*(100 * _floats(weeks["high"])), 5.0])))

    def draw(figure: Figure, theme: Theme) -> None:
        panels = _panels(figure, theme, groups, title=title, y=y, period=period)
        for axes, rows in zip(panels, groups.values(), strict=True):
            is_few = _floats(rows["n"]) < FEW
            low, high = (np.where(is_few, np.nan, 100 * _floats(rows[name])) for name in ("low", "high"))
            axes.fill_between(rows["period_at"], low, high, color=theme.accent, alpha=0.15, linewidth=0)
            _line(axes, rows["period_at"], 100 * _floats(rows[rate]), is_few, theme)
            axes.set_ylim(0, top)
        _few_legend(panels[0], weeks, theme)
        _draw_marks(panels, shown_marks, theme, to_place=_place_in_time)

    n_runs = int(_floats(weeks["n"]).sum())
    shown_marks = _within(marks, weeks, period)
    what = f"{rate.replace('_', ' ')} by {period}"
    alt = f"{title} Line: {what}, n = {n_runs:,}, {_span(weeks)}.{_marks_in_words(shown_marks)}"
    return picture(draw, size=_size(groups), alt=alt)


def plot_durations(
    weeks: pd.DataFrame, *, title: str, period: str = "week", marks: Sequence[Mark] = (), none: str = _NONE
) -> Block:
    """Return median (line) and 95th percentile (dots) by period in minutes, for rows (period_at, n, median_s, p95_s).

    One panel, each on its own scale, for each value of `series` (wall, queue ...), where there is that column, up to
    MOST_SERIES. Periods with n < FEW are hollow dots off the line. Raises ValueError for more series.
    """
    if weeks.empty:
        return note(Inline.of(none))
    groups = _series(weeks)

    def draw(figure: Figure, theme: Theme) -> None:
        panels = _panels(figure, theme, groups, title=title, y="minutes", period=period)
        for axes, rows in zip(panels, groups.values(), strict=True):
            is_few = _floats(rows["n"]) < FEW
            median, tail = (_floats(rows[name]) / 60 for name in ("median_s", "p95_s"))
            tail = np.where(is_few, np.nan, tail)
            axes.fill_between(rows["period_at"], median, tail, color=theme.accent, alpha=0.1, linewidth=0)
            axes.plot(rows["period_at"], tail, color=theme.accent, linewidth=1.3, linestyle=":", label="95 % are below")
            _line(axes, rows["period_at"], median, is_few, theme, label="median")
            axes.set_ylim(bottom=0)
        _few_legend(panels[0], weeks, theme)
        _draw_marks(panels, shown_marks, theme, to_place=_place_in_time)

    shown_marks = _within(marks, weeks, period)
    return picture(
        draw,
        size=_size(groups),
        alt=f"{title} Lines: median and 95th percentile of durations by {period}, {_span(weeks)}."
        f"{_marks_in_words(shown_marks)}",
    )


def plot_heat(
    cells: pd.DataFrame, *, title: str, period: str = "week", marks: Sequence[Mark] = (), none: str = _NONE
) -> Block:
    """Return the failure rate of each job and period as a grid, for rows (job, period_at, n, n_failed).

    Jobs stand in the order of the rows. A square says failed/n; with n < FEW it is pale, without runs empty.
    """
    if cells.empty:
        return note(Inline.of(none))
    jobs, weeks = list(dict.fromkeys(cells["job"])), _every_period(cells, period)

    def draw(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        colours = LinearSegmentedColormap.from_list("heat", list(theme.heat))
        for row in cells.itertuples():
            if not row.n:
                continue
            x, y, rate = weeks.index(row.period_at), jobs.index(row.job), float(row.n_failed) / float(row.n)
            colour = _mixed(colours(rate), theme.ground, share=1.0 if row.n >= FEW else 0.45)
            axes.add_patch(Rectangle((x - 0.47, y - 0.45), 0.94, 0.9, facecolor=colour, linewidth=0))
            if len(weeks) <= _MOST_WORDED_WEEKS:
                ink = _ink_on(colour)
                axes.text(x, y, f"{row.n_failed}/{row.n}", ha="center", va="center", fontsize=8, color=ink)
        axes.set_xlim(-0.55, len(weeks) - 0.45)
        axes.set_ylim(len(jobs) - 0.5, -0.5)
        axes.set_yticks(range(len(jobs)), [words.one_line(job, width=40) for job in jobs])
        _dress(axes, theme, title=title, y="", has_grid=False)
        _periods_below(axes, range(len(weeks)), weeks, period)
        axes.spines["bottom"].set_visible(False)
        _draw_marks([axes], shown_marks, theme, to_place=lambda at: _place_among(at, weeks, period))

    shown_marks = _within(marks, cells, period)
    size = (_SIZE[0], 1.0 + 0.3 * len(jobs))
    n_failed, n = int(cells["n_failed"].sum()), int(cells["n"].sum())
    return picture(
        draw,
        size=size,
        alt=f"{title} Grid: {n_failed:,} of {n:,} runs failed, by job and {period}, {plural(len(jobs), 'job')}, "
        f"{_span(cells)}.{_marks_in_words(shown_marks)}",
    )


_SIZE = (9.6, 3.4)
_TITLE: dict[str, Any] = {"fontsize": 11, "fontweight": "bold"}
_MOST_WORDED_WEEKS = 18
Colour = tuple[float, float, float]


def _mixed(colour: Sequence[float], ground: str, *, share: float) -> Colour:
    """Return the colour laid over the ground at that share; what alpha would show, but known to `_ink_on`."""
    red, green, blue = (share * c + (1 - share) * g for c, g in zip(colour, to_rgb(ground), strict=False))
    return red, green, blue


def _ink_on(colour: Colour) -> str:
    """Return the ink, of the light or the dark theme, that is read best on the colour (WCAG contrast)."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    lightness = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return LIGHT.ink if lightness > 0.18 else DARK.ink


_OTHER_GROUPS: Mapping[str, str] = {Outcome.SUCCESS: "passed", Outcome.CANCELLED: "cancelled"}


def _group(outcome: str) -> str:
    if outcome in BAD_OUTCOMES:
        return "failed"
    return _OTHER_GROUPS.get(outcome, "other")


def _size(groups: Mapping[str, pd.DataFrame]) -> tuple[float, float]:
    return _SIZE if len(groups) == 1 else (_SIZE[0], 1.1 + 1.25 * len(groups))


def _series(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    ordered = rows.sort_values("period_at")
    if "series" not in rows:
        return {"": ordered}
    names = list(dict.fromkeys(rows["series"]))
    if len(names) > MOST_SERIES:
        raise ValueError(f"{len(names)} series do not fit one chart; keep {MOST_SERIES}")
    return {words.one_line(name, width=40): ordered[ordered["series"] == name] for name in names}


def _floats(values: pd.Series[float]) -> np.ndarray:
    return np.asarray(values.to_numpy(dtype=float, na_value=np.nan))


def _dress(axes: Axes, theme: Theme, *, title: str, y: str, has_grid: bool = True) -> None:
    axes.set_facecolor(theme.ground)
    axes.set_title(words.one_line(title, width=110) if title else "", loc="left", color=theme.ink, pad=12, **_TITLE)
    axes.set_ylabel(y, color=theme.quiet, fontsize=9)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(theme.line)
    axes.tick_params(colors=theme.quiet, labelsize=9, length=0)
    axes.tick_params(axis="x", pad=7)
    axes.set_axisbelow(True)
    if has_grid:
        axes.grid(axis="y", color=theme.line, linewidth=0.8)
        axes.margins(x=0.02)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: words.number(value)))


def _panels(
    figure: Figure, theme: Theme, groups: Mapping[str, pd.DataFrame], *, title: str, y: str, period: str
) -> Sequence[Axes]:
    """Return one dressed axes a series, one above the other on one time axis; a lone one has n under its weeks."""
    panels: list[Axes] = figure.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0].tolist()
    weeks = sorted({week for rows in groups.values() for week in rows["period_at"]})
    for place, (axes, (name, rows)) in enumerate(zip(panels, groups.items(), strict=True)):
        _dress(axes, theme, title=title if place == 0 else "", y=y if len(groups) == 1 else "")
        if name and len(groups) > 1:
            named = f"{name} (n = {np.nansum(_floats(rows['n'])):,.0f})"
            axes.annotate(
                named, (0, 1), xycoords="axes fraction", xytext=(0, 3), textcoords="offset points",
                color=theme.ink, fontsize=9,
            )  # fmt: skip
    if len(groups) > 1:
        figure.supylabel(y, color=theme.quiet, fontsize=9)
        panels[0].set_title(panels[0].get_title(loc="left"), loc="left", color=theme.ink, pad=22, **_TITLE)
    n = _floats(next(iter(groups.values()))["n"]).tolist() if len(groups) == 1 else ()
    _periods_below(panels[-1], weeks, weeks, period, n if period == "week" else ())
    return panels


def _line(
    axes: Axes, at: pd.Series[pd.Timestamp], values: np.ndarray, is_few: np.ndarray, theme: Theme, *, label: str = ""
) -> None:
    """Draw a line through the weeks with enough runs, and the others as hollow dots beside it."""
    solid, hollow = np.where(is_few, np.nan, values), np.where(is_few, values, np.nan)
    axes.plot(at, solid, "o-", color=theme.accent, linewidth=1.8, markersize=5, label=label, clip_on=False)
    axes.plot(at, hollow, "o", markersize=5, markerfacecolor=theme.ground, markeredgecolor=theme.accent, clip_on=False)


def _few_legend(axes: Axes, weeks: pd.DataFrame, theme: Theme) -> None:
    if bool((_floats(weeks["n"]) < FEW).any()):
        few = f"too few runs (n < {FEW})"
        axes.plot([], [], "o", markerfacecolor=theme.ground, markeredgecolor=theme.accent, label=few)
    if any(axes.get_legend_handles_labels()[1]):
        _legend(axes, theme)


_MARK_ROWS = 3
_MARK_POINTS = 11
_LETTER_POINTS = 4.6
"""About the width of a letter in a mark's text, of 8 points."""


def _draw_marks(
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
    width = 0.8 * 72 * _SIZE[0]
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
    top.set_title(top.get_title(loc="left"), loc="left", color=theme.ink, pad=pad, **_TITLE)


def _place_in_time(at: pd.Timestamp) -> float:
    """Return where a moment lies on an axis of dates."""
    return float(date2num(at))  # type: ignore[no-untyped-call]


def _place_among(at: pd.Timestamp, periods: Sequence[pd.Timestamp], period: str) -> float:
    """Return where a moment lies on an axis whose periods are centred at 0, 1, 2 ..."""
    place = max(place for place, start in enumerate(periods) if start <= at)
    start = periods[place]
    return place - 0.5 + float((at - start) / (_end_of(start, period) - start))


def _end_of(start: pd.Timestamp, period: str) -> pd.Timestamp:
    return pd.date_range(start, periods=2, freq=_PERIODS[period].step)[1]


def _within(marks: Sequence[Mark], rows: pd.DataFrame, period: str) -> list[Mark]:
    first, last = rows["period_at"].min(), rows["period_at"].max()
    return [mark for mark in marks if first <= mark.at < _end_of(last, period)]


def _marks_in_words(marks: Sequence[Mark]) -> str:
    return "".join(f" {words.day(mark.at)}: {words.one_line(mark.text)}." for mark in marks)


def _legend(axes: Axes, theme: Theme) -> None:
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.005, 1.0), frameon=False, fontsize=9, labelcolor=theme.quiet,
        handlelength=1.6, borderaxespad=0,
    )  # fmt: skip


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


def _periods_below(
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


def _every_period(rows: pd.DataFrame, period: str) -> list[pd.Timestamp]:
    """Return the periods of the rows and those between, so that one without runs is seen as a hole."""
    first, last = rows["period_at"].min(), rows["period_at"].max()
    return sorted({*rows["period_at"], *pd.date_range(first, last, freq=_PERIODS[period].step)})


def _span(rows: pd.DataFrame) -> str:
    return f"from {words.day(rows['period_at'].min())} to {words.day(rows['period_at'].max())}, UTC"
