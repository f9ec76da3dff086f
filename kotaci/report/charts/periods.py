"""Tables by period → bars, lines and grids: draws, never computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from kotaci.model import BAD_OUTCOMES, Outcome, plural
from kotaci.report import words
from kotaci.report.blocks import Block, note
from kotaci.report.charts.axes import (
    FEW,
    Mark,
    draw_few_legend,
    draw_line,
    draw_marks,
    every_period,
    marks_in_words,
    marks_within,
    panels_over_time,
    periods_below,
    place_among,
    place_in_time,
    size_of,
    span_in_words,
    to_series,
)
from kotaci.report.charts.canvas import SIZE, Theme, dress, ink_on, legend, mixed, picture, to_floats
from kotaci.report.inline import Inline

_NONE = "No runs in this window."

_GROUPS = ("passed", "failed", "cancelled", "other")


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
    counts = counts.reindex(every_period(weeks, period), fill_value=0)
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
        dress(axes, theme, title=title, y="attempts")
        periods_below(axes, list(places), list(counts.index), period)
        legend(axes, theme)
        draw_marks([axes], shown_marks, theme, to_place=lambda at: place_among(at, list(counts.index), period))

    total = int(weeks["n_runs"].sum())
    shown_marks = marks_within(marks, weeks, period)
    alt = f"{title} Bars: {total:,} runs by {period} and outcome, {span_in_words(weeks)}.{marks_in_words(shown_marks)}"
    return picture(draw, size=SIZE, alt=alt)


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
    groups = to_series(weeks)
    top = 1.04 * max(5.0, float(np.nanmax([*(100 * to_floats(weeks["high"])), 5.0])))

    def draw(figure: Figure, theme: Theme) -> None:
        panels = panels_over_time(figure, theme, groups, title=title, y=y, period=period)
        for axes, rows in zip(panels, groups.values(), strict=True):
            is_few = to_floats(rows["n"]) < FEW
            low, high = (np.where(is_few, np.nan, 100 * to_floats(rows[name])) for name in ("low", "high"))
            axes.fill_between(rows["period_at"], low, high, color=theme.accent, alpha=0.15, linewidth=0)
            draw_line(axes, rows["period_at"], 100 * to_floats(rows[rate]), is_few, theme)
            axes.set_ylim(0, top)
        draw_few_legend(panels[0], weeks, theme)
        draw_marks(panels, shown_marks, theme, to_place=place_in_time)

    n_runs = int(to_floats(weeks["n"]).sum())
    shown_marks = marks_within(marks, weeks, period)
    what = f"{rate.replace('_', ' ')} by {period}"
    alt = f"{title} Line: {what}, n = {n_runs:,}, {span_in_words(weeks)}.{marks_in_words(shown_marks)}"
    return picture(draw, size=size_of(groups), alt=alt)


def plot_durations(
    weeks: pd.DataFrame, *, title: str, period: str = "week", marks: Sequence[Mark] = (), none: str = _NONE
) -> Block:
    """Return median (line) and 95th percentile (dots) by period in minutes, for rows (period_at, n, median_s, p95_s).

    One panel, each on its own scale, for each value of `series` (wall, queue ...), where there is that column, up to
    MOST_SERIES. Periods with n < FEW are hollow dots off the line. Raises ValueError for more series.
    """
    if weeks.empty:
        return note(Inline.of(none))
    groups = to_series(weeks)

    def draw(figure: Figure, theme: Theme) -> None:
        panels = panels_over_time(figure, theme, groups, title=title, y="minutes", period=period)
        for axes, rows in zip(panels, groups.values(), strict=True):
            is_few = to_floats(rows["n"]) < FEW
            median, tail = (to_floats(rows[name]) / 60 for name in ("median_s", "p95_s"))
            tail = np.where(is_few, np.nan, tail)
            axes.fill_between(rows["period_at"], median, tail, color=theme.accent, alpha=0.1, linewidth=0)
            axes.plot(rows["period_at"], tail, color=theme.accent, linewidth=1.3, linestyle=":", label="95 % are below")
            draw_line(axes, rows["period_at"], median, is_few, theme, label="median")
            axes.set_ylim(bottom=0)
        draw_few_legend(panels[0], weeks, theme)
        draw_marks(panels, shown_marks, theme, to_place=place_in_time)

    shown_marks = marks_within(marks, weeks, period)
    return picture(
        draw,
        size=size_of(groups),
        alt=f"{title} Lines: median and 95th percentile of durations by {period}, {span_in_words(weeks)}."
        f"{marks_in_words(shown_marks)}",
    )


def plot_heat(
    cells: pd.DataFrame, *, title: str, period: str = "week", marks: Sequence[Mark] = (), none: str = _NONE
) -> Block:
    """Return the failure rate of each job and period as a grid, for rows (job, period_at, n, n_failed).

    Jobs stand in the order of the rows. A square says failed/n; with n < FEW it is pale, without runs empty.
    """
    if cells.empty:
        return note(Inline.of(none))
    jobs, weeks = list(dict.fromkeys(cells["job"])), every_period(cells, period)

    def draw(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        colours = LinearSegmentedColormap.from_list("heat", list(theme.heat))
        for row in cells.itertuples():
            if not row.n:
                continue
            x, y, rate = weeks.index(row.period_at), jobs.index(row.job), float(row.n_failed) / float(row.n)
            colour = mixed(colours(rate), theme.ground, share=1.0 if row.n >= FEW else 0.45)
            axes.add_patch(Rectangle((x - 0.47, y - 0.45), 0.94, 0.9, facecolor=colour, linewidth=0))
            if len(weeks) <= _MOST_WORDED_WEEKS:
                ink = ink_on(colour)
                axes.text(x, y, f"{row.n_failed}/{row.n}", ha="center", va="center", fontsize=8, color=ink)
        axes.set_xlim(-0.55, len(weeks) - 0.45)
        axes.set_ylim(len(jobs) - 0.5, -0.5)
        axes.set_yticks(range(len(jobs)), [words.one_line(job, width=40) for job in jobs])
        dress(axes, theme, title=title, y="", has_grid=False)
        periods_below(axes, range(len(weeks)), weeks, period)
        axes.spines["bottom"].set_visible(False)
        draw_marks([axes], shown_marks, theme, to_place=lambda at: place_among(at, weeks, period))

    shown_marks = marks_within(marks, cells, period)
    size = (SIZE[0], 1.0 + 0.3 * len(jobs))
    n_failed, n = int(cells["n_failed"].sum()), int(cells["n"].sum())
    return picture(
        draw,
        size=size,
        alt=f"{title} Grid: {n_failed:,} of {n:,} runs failed, by job and {period}, {plural(len(jobs), 'job')}, "
        f"{span_in_words(cells)}.{marks_in_words(shown_marks)}",
    )


_MOST_WORDED_WEEKS = 18

_OTHER_GROUPS: Mapping[str, str] = {Outcome.SUCCESS: "passed", Outcome.CANCELLED: "cancelled"}


def _group(outcome: str) -> str:
    if outcome in BAD_OUTCOMES:
        return "failed"
    return _OTHER_GROUPS.get(outcome, "other")
