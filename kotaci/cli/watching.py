"""`kotaci watch`: a command as it is, and what it took from the machine in a file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from kotaci.cli.terminal import complain
from kotaci.model import BadInput

SHORTEST_S, LONGEST_S = 0.01, 3600


@click.command("watch", context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("kotaci-watch.json"),
    show_default=True,
    help="File of the recording; one that is there is replaced.",
)
@click.option("--every", type=float, default=1.0, show_default=True, metavar="SECONDS", help="Time between two looks.")
def watch_command(*, command: tuple[str, ...], out: Path, every: float) -> None:
    """Run a command and record its CPU, memory, disk and the machine's network.

    The command's streams are untouched, SIGINT and SIGTERM are passed on to it. A recording stays small however long
    the command runs: from 3,600 samples on, pairs are merged. Known shapes of secrets in the command are replaced.

    The exit code is the command's own, so the codes of other commands do not hold here; it is 128 and the signal's
    number where a signal ended it. Only where nothing was run it is 2: no such command, a bad option.
    """
    from kotaci.watch.processes import watch

    if not SHORTEST_S <= every <= LONGEST_S:
        raise BadInput(f"--every {every:g}", "is no such time", f"name seconds from {SHORTEST_S} to {LONGEST_S:,}")
    recording, refused = watch(command, out=out, every_s=every, started_at=datetime.now(UTC))
    if refused:
        complain(f"{out}: the recording could not be written ({refused.strerror}); the command is not touched by it")
    raise SystemExit(recording.exit_code)
