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


@contextmanager
def progress(what: str, *, every_s: float = 0.0) -> Iterator[Callable[[str, int, int | None], None]]:
    """Yield a function (text, done, total) that shows progress: a bar on a terminal, plain lines elsewhere.

    Plain lines come at most every `every_s` seconds.
    """
    if not err.is_terminal or is_ci(ENVIRONMENT):
        due = 0.0

        def tell(text: str, done: int, total: int | None) -> None:
            nonlocal due
            if time.monotonic() >= due:
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
    from pythonjsonlogger.json import JsonFormatter

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter("{asctime}{levelname}{name}{message}", style="{"))
    if not as_json:
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
