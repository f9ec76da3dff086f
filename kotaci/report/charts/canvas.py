"""A picture in light and in dark: its colours, its letters, its frame. Draws nothing of its own."""

from __future__ import annotations

import base64
import io
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
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from kotaci.report import words
from kotaci.report.blocks import Block
from kotaci.report.markdown import escape_text


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


SIZE = (9.6, 3.4)

TITLE: dict[str, Any] = {"fontsize": 11, "fontweight": "bold"}

Colour = tuple[float, float, float]


def mixed(colour: Sequence[float], ground: str, *, share: float) -> Colour:
    """Return the colour laid over the ground at that share; what alpha would show, but known to `ink_on`."""
    red, green, blue = (share * c + (1 - share) * g for c, g in zip(colour, to_rgb(ground), strict=False))
    return red, green, blue


def ink_on(colour: Colour) -> str:
    """Return the ink, of the light or the dark theme, that is read best on the colour (WCAG contrast)."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    lightness = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return LIGHT.ink if lightness > 0.18 else DARK.ink


def to_floats(values: pd.Series[float]) -> np.ndarray:
    """Return numbers as matplotlib takes them; what is missing is a hole."""
    return np.asarray(values.to_numpy(dtype=float, na_value=np.nan))


def dress(axes: Axes, theme: Theme, *, title: str, y: str, has_grid: bool = True) -> None:
    """Frame a plot: `title` is its finding, `y` names the axis."""
    axes.set_facecolor(theme.ground)
    axes.set_title(words.one_line(title, width=110) if title else "", loc="left", color=theme.ink, pad=12, **TITLE)
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


def legend(axes: Axes, theme: Theme) -> None:
    """Write what is what to the right of the plot."""
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.005, 1.0), frameon=False, fontsize=9, labelcolor=theme.quiet,
        handlelength=1.6, borderaxespad=0,
    )  # fmt: skip
