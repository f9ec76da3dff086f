"""What every command has in common: the streams, the option --store, progress, logging."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from kotaci.places import ENVIRONMENT, default_store, is_ci

# Paths and names hold brackets, which are no markup of ours.
out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def store_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --store, the same for every command."""
    return click.option(
        "--store",
        "store_path",
        type=click.Path(path_type=Path),
        default=lambda: default_store(ENVIRONMENT),
        show_default="KOTACI_STORE, else the user's data folder",
        help="Folder of the store.",
    )(command)


def complain(what: object) -> None:
    """Tell on stderr what went wrong or is missing, in one line; as JSON where that was asked for."""
    if _writes_json():
        logging.getLogger("kotaci").error("%s", what)
    else:
        click.echo(f"kotaci: {what}", err=True)


def _writes_json() -> bool:
    handlers = logging.getLogger("kotaci").handlers
    return any(isinstance(handler.formatter, _AsJson) for handler in handlers)


class _AsJson(logging.Formatter):
    """One JSON object a line, with all that was told."""

    def __init__(self) -> None:
        from pythonjsonlogger.json import JsonFormatter

        self._formatter = JsonFormatter("{asctime}{levelname}{name}{message}", style="{")
        super().__init__()

    def format(self, record: logging.LogRecord) -> str:
        return self._formatter.format(record)


class _AsText(logging.Formatter):
    """A line for a person, with all that was told."""

    def format(self, record: logging.LogRecord) -> str:
        told = (f"{name} {value}" for name, value in vars(record).items() if name not in _OWN)
        line = ", ".join([f"{self.formatTime(record)} {record.getMessage()}", *told])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


_OWN = {*vars(logging.makeLogRecord({})), "message", "asctime"}
"""What every record has"""


@contextmanager
def progress(what: str, *, every_s: float = 0.0) -> Iterator[Callable[[str, int, int | None], None]]:
    """Yield a function (text, done, total) that shows progress: a bar on a terminal, plain lines elsewhere.

    Plain lines come at most every `every_s` seconds.
    """
    if not err.is_terminal or is_ci(ENVIRONMENT):
        due = 0.0

        def tell(text: str, done: int, total: int | None) -> None:
            nonlocal due
            if time.monotonic() >= due and _writes_json():
                logging.getLogger("kotaci").info(what, extra={"done": done, "total": total, "doing": text})
                due = time.monotonic() + every_s
            elif time.monotonic() >= due:
                click.echo(f"{what}: {done}{f'/{total}' if total else ''} {text}", err=True)
                due = time.monotonic() + every_s

        yield tell
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda text, done, total: bar.update(task, description=f"{what}: {text}", completed=done, total=total)


def start_logging(*, verbose: bool, as_json: bool) -> None:
    logger = logging.getLogger("kotaci")
    if not verbose and not as_json:
        logger.addHandler(logging.NullHandler())
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_AsJson() if as_json else _AsText())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
