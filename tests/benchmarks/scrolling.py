"""What a scroll step in a large log costs: the window escaped and marked, against printing the same lines."""

from __future__ import annotations

import io
import statistics
from collections.abc import Callable
from time import perf_counter

from kotaci.lab.reading import OVERLAP, WINDOW, LogViewer
from kotaci.logs.lines import split_lines
from kotaci.report.blocks import note
from kotaci.report.inline import Inline
from tests.benchmarks.measure import Row
from tests.builders import job_log, script, set_up


def measure_scrolling(*, n_lines: int = 45_000, n_steps: int = 40) -> list[Row]:
    """Return the times of opening a log, of a step through it and of a search, and a step's ratio to a plain print.

    A step is the press of a button: from it to the text that goes to the browser. What the browser then does with 200
    lines does not hang on the length of the log.
    """
    noise = [f"\x1b[32m   Compiling\x1b[0m part-{number} v0.1.0 (/home/runner/work)" for number in range(n_lines)]
    text = job_log([set_up(), script(2, "cargo build", *noise, exit_code=1)])
    viewer = LogViewer()
    title = note(Inline.of("a large log"))
    opened = _seconds(lambda: viewer.show(text, title=title, hits=(n_lines // 2,)))
    viewer.first.click()
    steps = [_seconds(viewer.forward.click) for _ in range(n_steps)]
    lines = split_lines(text)
    starts = [step * (WINDOW - OVERLAP) for step in range(n_steps)]
    prints = [_seconds(lambda start=start: _print(lines, start)) for start in starts]  # type: ignore[misc]
    first = _seconds(lambda: setattr(viewer.search, "value", f"part-{n_lines - 1} "))
    step, plain = statistics.median(steps), statistics.median(prints)
    size = f"a log of {len(text.encode()) / 1e6:.1f} MB"
    return [
        (f"{size}: opened", f"{opened * 1e3:,.0f} ms"),
        (f"{size}: a step of {WINDOW} lines", f"{step * 1e3:.2f} ms, at most {max(steps) * 1e3:.2f} ms"),
        (f"{size}: a step, against a plain print of its lines", f"{step / plain:,.0f} times"),
        (f"{size}: first search through all of it", f"{first * 1e3:,.0f} ms"),
    ]


def _print(lines: list[str], start: int) -> None:
    out = io.StringIO()
    for line in lines[start : start + WINDOW]:
        print(line, file=out)


def _seconds(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began
