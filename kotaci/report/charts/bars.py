"""Tables of seconds and minutes → bars that lie: jobs in time, minutes one after another, changes with intervals."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from kotaci.model import plural
from kotaci.report import words
from kotaci.report.blocks import Block, note
from kotaci.report.charts.canvas import SIZE, TITLE, Colour, Theme, dress, legend, mixed, picture, to_floats
from kotaci.report.inline import Inline

_NAME_WIDTH = 38
_ROW_INCHES = 0.29


def plot_gantt(jobs: pd.DataFrame, *, title: str, none: str = "No run whose jobs can be put in order.") -> Block:
    """Return the jobs of one run in time, for rows (job, start_s, queue_s, run_s, slack_s, is_critical).

    Jobs stand in the order of the rows. Seconds from the start of the run; start_s is when the job was ready and its
    queue began. Critical jobs are dark, the queue is a thin line before the job, and a dotted line after it how much
    longer it could have taken.
    """
    if jobs.empty:
        return note(Inline.of(none))
    begin, queue, run, slack = (to_floats(jobs[name]) / 60 for name in ("start_s", "queue_s", "run_s", "slack_s"))
    is_critical = jobs["is_critical"].to_numpy(bool)
    end = begin + queue + run

    def draw(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        places = np.arange(len(jobs))
        axes.hlines(places, begin, begin + queue, color=theme.quiet, linewidth=1.4, label="waits for a runner")
        for chosen, colour, label in (
            (np.flatnonzero(is_critical), to_rgb(theme.accent), "on the critical path"),
            (np.flatnonzero(~is_critical), _pale(theme), "beside it" if is_critical.any() else "a job"),
        ):
            if len(chosen):
                left = (begin + queue)[chosen]
                axes.barh(chosen, run[chosen], left=left, height=0.62, color=colour, label=label)
        axes.hlines(places, end, end + slack, color=theme.quiet, linewidth=1.2, linestyle=":", label="slack")
        for place, (stop, length) in enumerate(zip(end, run, strict=True)):
            _beside(axes, stop, place, words.duration(60 * length), theme)
        _rows_down(axes, jobs["job"], theme, title=title, x="minutes since the start of the run")
        axes.set_xlim(0, 1.1 * float(np.nanmax(end + slack)))
        legend(axes, theme)

    path = ", then ".join(
        f"{words.one_line(job, width=_NAME_WIDTH)} ({words.duration(60 * length)})"
        for job, length in zip(jobs["job"][is_critical], run[is_critical], strict=True)
    )
    alt = f"{title} Bars: {plural(len(jobs), 'job')} of one run in time; critical path: {path}."
    return picture(draw, size=_size(len(jobs)), alt=alt)


def plot_waterfall(parts: pd.DataFrame, *, title: str, none: str = "No minutes in this window.") -> Block:
    """Return what a total is made of, for rows (part, minutes), in their order, the total below them.

    Each bar begins where the last one ended.
    """
    if parts.empty or not float(parts["minutes"].sum()):
        return note(Inline.of(none))
    minutes = to_floats(parts["minutes"])
    begin = np.concatenate([[0.0], np.cumsum(minutes)[:-1]])
    total = float(minutes.sum())

    def draw(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        axes.barh(np.arange(len(parts)), minutes, left=begin, height=0.62, color=_pale(theme))
        axes.barh([len(parts)], [total], height=0.62, color=theme.accent)
        for place, (start, length) in enumerate(zip(begin, minutes, strict=True)):
            text = f"{words.number(round(length))} ({words.percent(length / total)})"
            _beside(axes, start + length, place, text, theme)
        _beside(axes, total, len(parts), words.number(round(total)), theme)
        _rows_down(axes, [*parts["part"], "in all"], theme, title=title, x="minutes of machines")
        axes.set_xlim(0, 1.15 * total)

    pairs = zip(parts["part"], minutes, strict=True)
    told = "; ".join(f"{part} {words.minutes(round(length))}" for part, length in pairs)
    alt = f"{title} Bars, one after another: {told}; in all {words.minutes(round(total))}."
    return picture(draw, size=_size(len(parts) + 1), alt=alt)


def plot_counts(counts: pd.DataFrame, *, title: str, x: str, none: str = "Nothing to count.") -> Block:
    """Return lying bars in parts, for rows (name, and up to three columns of counts, the worst first), in their order.

    The first part is of the colour of failures, the last is pale.
    """
    parts = [name for name in counts.columns if name != "name"]
    if counts.empty or not counts[parts].to_numpy(float).sum():
        return note(Inline.of(none))

    def draw(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        places, begin = np.arange(len(counts)), np.zeros(len(counts))
        colours = (theme.outcomes["failed"], theme.accent, theme.outcomes["other"])
        for part, colour in zip(parts, colours, strict=False):
            lengths = to_floats(counts[part])
            axes.barh(places, lengths, left=begin, height=0.62, color=colour, label=part)
            begin = begin + lengths
        for place, total in enumerate(begin):
            _beside(axes, total, place, f"{total:,.0f}", theme)
        _rows_down(axes, counts["name"], theme, title=title, x=x, width=48)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        axes.set_xlim(0, 1.1 * float(begin.max()))
        legend(axes, theme)

    told = "; ".join(
        f"{row['name']}: " + ", ".join(f"{row[part]:,.0f} {part}" for part in parts if row[part])
        for row in counts.to_dict("records")
    )
    return picture(draw, size=_size(len(counts)), alt=f"{title} Bars, {x}: {told}.")


HOW_MARKS = {"measured": ("s", True), "replayed": ("o", True), "estimated": ("o", False)}
"""How a change is known, and its mark: a square, a dot, a hollow dot."""


def plot_changes(changes: pd.DataFrame, *, title: str, x: str, none: str = "No change to try.") -> Block:
    """Return changes with their 95 % intervals, for rows (name, value, low, high, how), in their order; 0 is no change.

    `how` is a key of HOW_MARKS.
    """
    if changes.empty:
        return note(Inline.of(none))
    value, low, high = (to_floats(changes[name]) for name in ("value", "low", "high"))

    def draw(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        places = np.arange(len(changes))
        axes.axvline(0, color=theme.quiet, linewidth=1.1)
        axes.hlines(places, low, high, color=theme.accent, linewidth=2.2)
        for how, (marker, is_filled) in HOW_MARKS.items():
            chosen = (changes["how"] == how).to_numpy(bool)
            if chosen.any():
                face = theme.accent if is_filled else theme.ground
                axes.plot(
                    value[chosen], places[chosen], marker, markersize=7, markerfacecolor=face,
                    markeredgecolor=theme.accent, label=how,
                )  # fmt: skip
        _rows_down(axes, changes["name"], theme, title=title, x=x, width=56)
        legend(axes, theme)

    told = "; ".join(
        f"{row.name}: {_tenths(row.value)} [{_tenths(row.low)}, {_tenths(row.high)}], {row.how}"
        for row in changes[["name", "value", "low", "high", "how"]].itertuples(index=False)
    )
    return picture(draw, size=_size(len(changes)), alt=f"{title} Dots with 95 % intervals, {x}: {told}.")


def _size(n_rows: int) -> tuple[float, float]:
    return SIZE[0], 1.15 + _ROW_INCHES * n_rows


def _tenths(value: float) -> str:
    return words.number(round(value, 1))


def _pale(theme: Theme) -> Colour:
    return mixed(to_rgb(theme.accent), theme.ground, share=0.38)


def _beside(axes: Axes, x: float, place: float, text: str, theme: Theme) -> None:
    axes.annotate(
        text, (x, place), xytext=(5, 0), textcoords="offset points", va="center", color=theme.ink, fontsize=8,
        bbox={"facecolor": theme.ground, "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip


def _rows_down(axes: Axes, names: Iterable[str], theme: Theme, *, title: str, x: str, width: int = _NAME_WIDTH) -> None:
    """Frame bars that lie: their names on the left, the first on top, numbers below."""
    shown = [words.one_line(name, width=width) for name in names]
    dress(axes, theme, title="", y="", has_grid=False)
    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101  (axes of a picture)
    figure.suptitle(words.one_line(title, width=110), x=0.01, ha="left", color=theme.ink, **TITLE)
    axes.grid(axis="x", color=theme.line, linewidth=0.8)
    axes.set_yticks(range(len(shown)), shown)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.number(value)))
    axes.set_xlabel(x, color=theme.quiet, fontsize=9)
    axes.spines["bottom"].set_visible(False)
