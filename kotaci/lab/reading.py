"""A log of any length to read: a window of lines that moves, a search, and the lines that explain a failure."""

from __future__ import annotations

import re
from collections.abc import Collection

import ipywidgets
from markupsafe import escape

from kotaci.lab.panels import LABEL, WIDE, Panel, button, column, row, saying
from kotaci.logs.lines import Line, Lines
from kotaci.model import plural
from kotaci.report import words
from kotaci.report.blocks import Block, note
from kotaci.report.inline import Inline

WINDOW = 200
"""Lines in the page at a time."""
OVERLAP = 20
"""Lines of the window before that the next one repeats."""
ROWS = 24
"""Lines that are seen at a time, as tall as lab.css makes the log."""
AHEAD = 8
"""Lines above one that was gone to."""
MOST_CHARS = 2_000
"""The longest part of a line that is shown; lines of 429,056 characters were met."""

_MARKS = {"error": "error", "warning": "warning", "group": "group", "command": "echo", "debug": "echo"}


class LogViewer(Panel):
    """A log, WINDOW lines of it at a time: only these are in the page, so that its length does not matter.

    `position` is the number of the first line shown; buttons, a slider, a line's number and a search move it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines = Lines("")
        self._hits: frozenset[int] = frozenset()
        self._target = 0
        self._found: list[int] = []
        self._lowered: list[str] | None = None
        self.title = ipywidgets.HTML()
        self.pane = ipywidgets.HTML(layout=WIDE)
        self.position = ipywidgets.IntSlider(
            description="First line", min=1, max=1, readout=False, style=LABEL, layout={"width": "24rem"}
        )
        self.line = ipywidgets.BoundedIntText(
            description="Go to line", min=1, max=1, style=LABEL, layout={"width": "13rem"}
        )
        self.first, self.back = button(description="First lines"), button(description="Back")
        self.forward, self.last = button(description="Forward"), button(description="Last lines")
        self.failure = button(description="To the failure", button_style="primary")
        self.search = ipywidgets.Text(
            description="Search", placeholder="words in the log, then Enter", continuous_update=False, style=LABEL,
            layout={"width": "24rem"},
        )  # fmt: skip
        self.before, self.after = button(description="Previous hit"), button(description="Next hit")
        self.where = ipywidgets.HTML()
        for one, to in (
            (self.first, lambda: self._move_to(1)),
            (self.back, lambda: self._move_to(self.position.value - WINDOW + OVERLAP)),
            (self.forward, lambda: self._move_to(self.position.value + WINDOW - OVERLAP)),
            (self.last, lambda: self._move_to(self.position.max)),
            (self.failure, lambda: self.go_to(min(self._hits))),
            (self.before, lambda: self._step(-1)),
            (self.after, lambda: self._step(1)),
        ):
            self.on_click(one, to)
        self.on_change(self.position, lambda _: self._draw())
        self.on_change(self.line, self.go_to)
        self.on_change(self.search, self._look_for)
        self._controls = ipywidgets.VBox(
            [
                row(self.failure, self.first, self.back, self.forward, self.last),
                row(self.position, self.line),
                row(self.search, self.before, self.after, self.where),
            ]
        )
        self.widget = column(self.title, self._controls, self.said, self.pane)
        self.show(None, title=note(Inline.of("No log is chosen.")))

    def show(self, text: str | None, *, title: Block, hits: Collection[int] = ()) -> None:
        """Show another log from its failure on, else from its start; None stands for one that is not held."""
        self._lines, self._lowered, self._found = Lines(text or ""), None, []
        n = len(self._lines)
        self._hits = frozenset(number for number in hits if 1 <= number <= n)
        self._target = 0
        self.title.value = f'<div class="kotaci">{title.html}</div>'
        self.said.value = "" if text is None or n else saying("The log is empty.")
        self._controls.layout.display = None if n else "none"
        self.failure.disabled = not self._hits
        with self.quiet():
            self.position.max, self.position.value = max(1, n - ROWS + 1), 1
            self.line.max, self.line.value = max(1, n), 1
            self.search.value = self.where.value = ""
        if self._hits:
            self.go_to(min(self._hits))
        else:
            self._draw()

    def go_to(self, number: int) -> None:
        """Show the lines around that one."""
        self._target = number
        self._move_to(number - AHEAD)

    def _move_to(self, first: int) -> None:
        with self.quiet():
            self.position.value = max(1, min(first, self.position.max))
        self._draw()

    def _look_for(self, query: str) -> None:
        wanted = query.lower()
        if self._lowered is None and wanted:
            self._lowered = [line.text.lower() for line in self._lines]
        self._found = [place + 1 for place, text in enumerate(self._lowered or []) if wanted in text] if wanted else []
        self._step(0)

    def _step(self, by: int) -> None:
        """Go to the next hit of the search, to the one before, or (0) to the first that is not above the window."""
        query = self.search.value
        if not query or not self._found:
            self.where.value = saying(f"No line holds “{query}”.") if query else ""
            self._draw()
            return
        found = self._found
        if by == 0 or self._target not in found:
            here = self._target if by and self._target else self.position.value
            place = next((at for at, number in enumerate(found) if number >= here), 0)
            place -= by < 0
        else:
            place = found.index(self._target) + by
        place %= len(found)
        self.where.value = saying(f"{place + 1:,} of {plural(len(found), 'line')} with “{query}”")
        self.go_to(found[place])

    def _draw(self) -> None:
        self.pane.value = self.slice_html()

    def slice_html(self) -> str:
        """Return the lines of the window, escaped; empty for no log."""
        n, first = len(self._lines), self.position.value
        if not n:
            return ""
        shown = self._lines[first - 1 : first - 1 + WINDOW]
        query = self.search.value
        label = f"Lines {first:,} to {first + len(shown) - 1:,} of {n:,}"
        inside = "".join(self._line_html(line, query) for line in shown)
        return (
            f'<div class="kotaci"><p class="k-said">{label}</p>'
            f'<pre class="k-log" tabindex="0" role="region" aria-label="{label}">{inside}</pre></div>'
        )

    def _line_html(self, line: Line, query: str) -> str:
        marks = [_MARKS.get(line.mark, "echo" if line.is_echo else "")]
        marks += ["hit"] if line.number in self._hits else []
        marks += ["target"] if line.number == self._target else []
        named = " ".join(f"k-{mark}" for mark in marks if mark)
        text = line.text[:MOST_CHARS]
        rest = len(line.text) - len(text)
        more = f" … and {rest:,} more characters" if rest else ""
        return f'<span class="{named}" data-n="{line.number}">{_marked(text, query)}{more}\n</span>'


def _marked(text: str, query: str) -> str:
    """Return the text escaped, with what was searched for marked."""
    shown = words.visible(text).replace("\n", " ").expandtabs(4)
    if not query:
        return str(escape(shown))
    parts = re.split(f"({re.escape(query)})", shown, flags=re.IGNORECASE)
    return "".join(f"<mark>{escape(part)}</mark>" if at % 2 else str(escape(part)) for at, part in enumerate(parts))
