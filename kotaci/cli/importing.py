"""`kotaci import`: the store from what people have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from kotaci.cli.holding import say_held
from kotaci.cli.terminal import err, out, progress, store_option
from kotaci.model import BadInput, Repo, RunRef, plural


@click.command("import")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--git", "clones", multiple=True, type=click.Path(path_type=Path), help="A clone: commits and workflow files."
)
@click.option("--repo", help="owner/name of these files; wins over what they tell.")
@click.option("--run", "run_text", help="The run of these logs: its id, RUN/ATTEMPT, or its address.")
@click.option("--workflow", default="", help="Path of the workflow file, where the files do not tell it.")
@store_option
def import_command(
    *,
    paths: Sequence[Path],
    clones: Sequence[Path],
    repo: str | None,
    run_text: str | None,
    workflow: str,
    store_path: Path,
) -> None:
    """Fill the store from what you have.

    PATHS are run-log zips or folders, saved `gh run view --log` output, single job logs, JUnit XML, a tinuous tree
    (folder or tar), or, with --run, recordings of `kotaci watch`, reports of cargo's timings and files of benchmarks.
    Importing the same twice changes nothing.
    """
    from kotaci.archives.git import read_clone
    from kotaci.archives.reading import Said, read_archive
    from kotaci.store import Batch, open_store

    if not paths and not clones:
        raise BadInput("import", "was given nothing to read", "name a file or folder, or a clone with --git")
    said = Said(Repo.parse(repo) if repo else None, RunRef.parse(run_text) if run_text else None, workflow)
    missing = [path for path in (*paths, *clones) if not path.exists()]
    if missing:
        raise BadInput(missing[0], "does not exist", "check the spelling")

    skipped: list[tuple[Path, BadInput]] = []

    nameless = set[str]()

    def batches() -> Iterator[Batch]:
        for path in paths:
            for batch in read_archive(path, said=said, on_skipped=lambda file, error: skipped.append((file, error))):
                nameless.update(payload.key for payload in batch.payloads if payload.key.startswith("-"))
                yield batch
        for clone in clones:
            # Commits last: one that is stored has its workflow files, also after a kill.
            payloads = sorted(read_clone(clone), key=lambda payload: payload.kind == "commit")
            name = said.repo or Repo.parse(_remote_of(payloads, clone))
            for start in range(0, len(payloads), 200):
                yield Batch(str(name), "git", payloads[start : start + 200])

    # Everything is read once before the store is made, where that is cheap: a wrong file leaves nothing behind.
    stream = _peeked(batches())
    with open_store(store_path, create=True) as store, progress("importing") as tell:
        written = None
        for written in store.write(stream):
            tell(f"batches, {written.n_log_bytes / 1e6:,.0f} MB of logs", written.n_batches, None)
        summary = store.summary()
    if written is None or written.n_changed == 0:
        out.print(f"Nothing new; the store at {store_path} holds all of it.")
    else:
        out.print(
            f"Stored {written.n_changed:,} new things in {store_path}; "
            f"{written.n_log_bytes / 1e6:,.1f} MB of logs were read."
        )
    for file, error in skipped[:10]:
        err.print(f"skipped {file}: {error.problem}")
    if len(skipped) > 10:
        err.print(f"skipped {len(skipped) - 10} more files that hold no log")
    n_nameless = len({key.split("/")[0] for key in nameless})
    if n_nameless and not said.run and n_nameless <= len(paths):
        err.print(
            f"{plural(n_nameless, 'log')} told no run, and stand as runs of their own; "
            "with --run RUN a log joins the run that was fetched"
        )
    if written is not None and written.n_redacted:
        out.print(f"Replaced {written.n_redacted} secrets on the way in.")
    say_held(summary)


def _remote_of(payloads: Sequence[Any], clone: Path) -> str:
    head: dict[str, Any] = next((payload.body for payload in payloads if payload.kind == "head"), {})
    if not head.get("remote"):
        raise BadInput(clone, "does not tell its repository", "say it with --repo owner/name")
    return str(head["remote"])


def _peeked(batches: Iterator[Any]) -> Iterator[Any]:
    first = next(batches, None)

    def chained() -> Iterator[Any]:
        if first is not None:
            yield first
        yield from batches

    return chained()
