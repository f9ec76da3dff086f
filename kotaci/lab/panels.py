"""What every panel of the lab is made of: widgets that show blocks, and errors as a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from importlib.resources import files
from typing import Any

import ipywidgets
from markupsafe import escape

from kotaci.model import KotaciError
from kotaci.report import words
from kotaci.report.blocks import Block, style

WIDE = {"width": "auto"}
"""As wide as the column: a share of it would leave no room for the margin."""
LABEL = {"description_width": "6.5rem"}


class Panel:
    """Something that a cell shows: `widget` holds it, and `said` is where it tells how it went."""

    widget: Any

    def __init__(self) -> None:
        self.said = ipywidgets.HTML()
        self._is_quiet = False

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        """Return what JupyterLab shows."""
        del include, exclude
        return self.widget._repr_mimebundle_()

    def on_click(self, button: Any, work: Callable[[], None]) -> None:
        """Let the button do its work; what goes wrong is told as a sentence."""

        def clicked(_: Any) -> None:
            with self.problems_told():
                work()

        button.on_click(clicked)

    def on_change(self, widget: Any, work: Callable[[Any], None]) -> None:
        """Hand each value that a person chooses to `work`; what goes wrong is told as a sentence."""

        def changed(change: Any) -> None:
            if not self._is_quiet:
                with self.problems_told():
                    work(change["new"])

        widget.observe(changed, names="value")

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Change widgets without the work that a person's choice would start."""
        before, self._is_quiet = self._is_quiet, True
        try:
            yield
        finally:
            self._is_quiet = before

    @contextmanager
    def problems_told(self) -> Iterator[None]:
        """Tell what goes wrong inside as a sentence, never as a traceback."""
        try:
            yield
        except KotaciError as error:
            self.said.value = saying(str(error), is_problem=True)
        except Exception as error:
            # A person at a widget can do nothing with a traceback, and the kernel must go on.
            self.said.value = saying(f"This went wrong: {type(error).__name__}: {error}", is_problem=True)


@cache
def dress() -> str:
    """Return the style of all blocks and of what is only in the lab."""
    own = files("kotaci.lab").joinpath("lab.css").read_text("utf-8").replace(".kotaci ", ".kotaci" * 3 + " ")
    return f"<style>{style()}{own}</style>"


def column(*inside: Any) -> Any:
    """Return widgets one under the other, with the style that they need."""
    return ipywidgets.VBox([ipywidgets.HTML(dress()), *inside])


def row(*inside: Any) -> Any:
    """Return widgets beside each other, that wrap where it is narrow."""
    return ipywidgets.HBox(list(inside), layout={"flex_flow": "row wrap", "align_items": "center"})


def html(block: Block) -> str:
    """Return a block as the value of an HTML widget. The widget runs what it is given: blocks escape."""
    return f'<div class="kotaci">{block.html}</div>'


def saying(text: str, *, is_problem: bool = False) -> str:
    """Return a sentence that a screen reader tells too, as the value of an HTML widget."""
    role, tone = ("alert", "k-problem") if is_problem else ("status", "k-said")
    return f'<div class="kotaci"><p class="{tone}" role="{role}">{escape(words.one_line(text))}</p></div>'


def output_of(*blocks: Block) -> tuple[dict[str, Any], ...]:
    """Return the blocks as the `outputs` of an Output widget, each as a cell would show it."""
    return tuple({"output_type": "display_data", "data": block._repr_mimebundle_(), "metadata": {}} for block in blocks)


button = partial(ipywidgets.Button, layout={"width": "auto"})
"""A button as wide as its words."""
