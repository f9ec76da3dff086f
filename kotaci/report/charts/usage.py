"""One recording of a command over its time → processors and memory, of the command and of the machine."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from kotaci.report import words
from kotaci.report.blocks import Block, note
from kotaci.report.charts.canvas import SIZE, Theme, dress, legend, picture, to_floats
from kotaci.report.inline import Inline

_LONG_S = 180
"""From so many seconds on a recording's axis is in minutes."""


def plot_usage(
    samples: pd.DataFrame,
    *,
    n_cores: int,
    memory_bytes: float,
    title: str,
    what: str,
    none: str = "No recording in this window.",
) -> Block:
    """Return processors and memory over a recording's time, for rows of `usage_samples` in order.

    Each is drawn for the whole machine (area) and for the command (line), up to what the machine has. `what` tells
    which recording it is.
    """
    if samples.empty:
        return note(Inline.of(none))
    ends, spans = to_floats(samples["at_s"]), to_floats(samples["span_s"])
    is_long = bool(ends[-1] >= _LONG_S)
    edges = np.array([max(0.0, ends[0] - spans[0]), *ends]) / (60 if is_long else 1)
    lengths = np.where(spans > 0, spans, np.nan)
    cores = {name: to_floats(samples[f"{name}cpu_s"]) / lengths for name in ("machine_", "")}
    in_use = np.maximum(memory_bytes - to_floats(samples["available_bytes"]), 0)
    panels = (
        ("cores", n_cores, np.minimum(cores["machine_"], n_cores), np.minimum(cores[""], n_cores)),
        ("memory, GB", memory_bytes / 1e9, in_use / 1e9, to_floats(samples["rss_bytes"]) / 1e9),
    )

    def draw(figure: Figure, theme: Theme) -> None:
        for axes, (y, top, of_machine, of_command) in zip(figure.subplots(2, 1, sharex=True), panels, strict=True):
            is_first = y == panels[0][0]
            dress(axes, theme, title=title if is_first else "", y=y)
            axes.stairs(of_machine, edges, fill=True, color=theme.accent, alpha=0.2, linewidth=0, label="machine")
            axes.stairs(of_command, edges, baseline=None, color=theme.accent, linewidth=1.6, label="command")
            axes.axhline(top, color=theme.quiet, linewidth=1.1, linestyle=(0, (4, 2)), label="all there is")
            axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
            axes.set_ylim(0, 1.06 * top)
            if is_first:
                legend(axes, theme)
        axes.set_xlim(0, edges[-1])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.number(value)))
        axes.set_xlabel(f"{'minutes' if is_long else 'seconds'} from its start", color=theme.quiet, fontsize=9)

    alt = (
        f"{title} Lines: cores and memory in use over {words.duration(ends[-1])}, {what}; the machine had at most "
        f"{words.number(np.nanmax([*panels[0][2], 0.0]))} of {n_cores} cores busy and "
        f"{words.number(np.max(panels[1][2]))} of {words.number(panels[1][1])} GB of memory in use."
    )
    return picture(draw, size=(SIZE[0], 4.2), alt=alt)
