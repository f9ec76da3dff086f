"""Killed at any moment, a store is whole, and running the same again gives what an undisturbed run gives."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kotaci.facts import build_facts, read_history
from kotaci.store import Batch, open_store
from kotaci.tables import TABLES
from tests.builders import AT, failed, job_log, passed, write_all, write_files
from tests.builders import api_batch as one_attempt
from tests.commands import start

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
    pytest.mark.slow,
]

N_RUNS = 600
"""Three commits of the store, since it commits after 256 batches."""


def kotaci(*words: str | Path) -> list[str | Path]:
    return [sys.executable, "-m", "kotaci", *words]


def run_to_the_end(*words: str | Path) -> str:
    """Run kotaci and return what it printed."""
    done = subprocess.run(kotaci(*words), capture_output=True, text=True, check=True)
    return done.stdout


def state_of(folder: Path) -> frozenset[tuple[str, int, int]]:
    """Return path, size and time of every file; a file that goes while we look is not there."""
    found = set()
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                file = os.stat(os.path.join(where, name))  # noqa: PTH116, PTH118  (looked at thousands of times)
            except FileNotFoundError:
                continue
            found.add((os.path.join(where, name), file.st_size, file.st_mtime_ns))  # noqa: PTH118
    return frozenset(found)


def changes_until_killed(
    processes: Any, *words: str | Path, watched: Path, at_change: int | None, at_loss: str = "no"
) -> int:
    """Run kotaci, kill it at the n-th change of the watched files that is seen; return how many were seen.

    With `at_loss`, kill it also as soon as a file whose name ends so is gone.

    The process is watched without a pause, so the moment is as early as a look at the folder lasts.
    """
    process = processes.Process(target=start, args=(list(map(str, words)), {}))
    process.start()
    n_seen, before = 0, state_of(watched)
    while process.is_alive() and n_seen != at_change:
        now = state_of(watched)
        n_seen += now != before
        if any(name.endswith(at_loss) for name in {path for path, *_ in before} - {path for path, *_ in now}):
            break
        before = now
    process.kill()
    process.join()
    return n_seen


def told(store: Path) -> dict[str, Any]:
    """Return `kotaci store --json` but for what depends on the place: path and room on the disk."""
    words = json.loads(run_to_the_end("store", "--json", "--store", store))
    return {name: value for name, value in words.items() if name not in {"store", "size"}}


def tables(store: Path) -> dict[str, pd.DataFrame]:
    return dict(read_history(store, tables=TABLES).tables)


def assert_same_tables(one: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]) -> None:
    for name in TABLES:
        pd.testing.assert_frame_equal(one[name], other[name])


def assert_whole(store: Path) -> None:
    with open_store(store) as held:
        assert held.check() == []


# -- import ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tinuous tree of small runs over four months; every third failed."""
    text = {True: job_log(failed()), False: job_log(passed())}
    files = {
        f"logs/{AT + timedelta(hours=3 * number):%Y/%m/%d}/github/push/main/{number:07x}/CI/{number}/0_test.txt": (
            text[number % 3 == 0] + f"{number}\n"
        )
        for number in range(1, N_RUNS + 1)
    }
    return write_files(tmp_path_factory.mktemp("tree"), {**files, "tinuous.yaml": "repo: example/kvstore\n"})


@pytest.fixture(scope="module")
def undisturbed(
    tree: Path, processes: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Return what an undisturbed import tells, its tables, and how many changes of its files were seen."""
    store = tmp_path_factory.mktemp("undisturbed") / "store"
    n_changes = changes_until_killed(processes, "import", tree, "--store", store, watched=store.parent, at_change=None)
    words = told(store)
    assert (words["runs"], words["failed_jobs"], words["logs"]["present"]) == (N_RUNS, N_RUNS // 3, N_RUNS)
    return words, tables(store), n_changes


@pytest.mark.parametrize("seed", range(2))
def test_an_import_killed_five_times_and_run_again_is_an_undisturbed_import(
    seed: int, tree: Path, undisturbed: tuple[dict[str, Any], dict[str, Any], int], processes: Any, tmp_path: Path
) -> None:
    words, frames, n_changes = undisturbed
    store, chance = tmp_path / "store", random.Random(seed)  # noqa: S311  (repeatable on purpose)
    n_killed = 0
    for latest in (n_changes // 2, 6, 6, 6, 6):
        moment = chance.randint(1, max(1, latest))
        n_seen = changes_until_killed(processes, "import", tree, "--store", store, watched=tmp_path, at_change=moment)
        n_killed += n_seen == moment
        if (store / "index.sqlite").is_file():
            assert_whole(store)
    assert n_killed >= 1
    run_to_the_end("import", tree, "--store", store)
    assert run_to_the_end("store", "--store", store, "check").endswith("reads back as it was stored.\n")
    assert told(store) == words
    assert_same_tables(tables(store), frames)


@pytest.mark.parametrize("n_lines", [1, 2])
def test_what_progress_said_was_stored_outlives_a_kill(n_lines: int, tree: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    with subprocess.Popen(kotaci("import", tree, "--store", store), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = [process.stderr.readline() for _ in range(n_lines)]
        process.send_signal(signal.SIGKILL)
    assert lines[-1].startswith(f"importing: {256 * n_lines} batches")
    assert_whole(store)
    with open_store(store) as held:
        assert held.summary()["payloads"]["run"] >= 256 * n_lines


# -- tables ---------------------------------------------------------------------------------------------------


def attempt(number: int) -> Batch:
    return one_attempt(number, at=AT + timedelta(days=number), conclusion="failure" if number % 3 == 0 else "success")


@pytest.fixture(scope="module")
def half_built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of 80 attempts over three months, with the tables of every other one only."""
    folder = tmp_path_factory.mktemp("half") / "store"
    with open_store(folder, create=True) as store:
        write_all(store, *(attempt(number) for number in range(1, 81, 2)))
        build_facts(store)
        write_all(store, *(attempt(number) for number in range(2, 81, 2)))
    return folder


@pytest.fixture(scope="module")
def built(half_built: Path, processes: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Return the same store with the tables of all, built undisturbed, and how many changes were seen."""
    store = tmp_path_factory.mktemp("built") / "store"
    shutil.copytree(half_built, store)
    return store, changes_until_killed(
        processes, "store", "--json", "--store", store, watched=store / "facts", at_change=None
    )


def test_tables_killed_while_they_are_built_are_the_old_ones_or_the_new(
    half_built: Path, built: tuple[Path, int], processes: Any, tmp_path: Path
) -> None:
    old, new, n_changes = tables(half_built), tables(built[0]), built[1]
    assert (len(old["runs"]), len(new["runs"])) == (40, 80)
    chance, n_killed = random.Random(7), 0  # noqa: S311  (repeatable on purpose)
    for number in range(20):
        store, moment = tmp_path / str(number), chance.randint(1, max(1, n_changes // 2))
        shutil.copytree(half_built, store)
        seen = changes_until_killed(
            processes, "store", "--json", "--store", store, watched=store / "facts", at_change=moment
        )
        n_killed += seen == moment
        found = tables(store)
        assert_same_tables(found, old if len(found["runs"]) == 40 else new)
        with open_store(store) as held:
            build_facts(held)
        assert_same_tables(tables(store), new)
        assert names_in(store / "facts") == names_in(built[0] / "facts")
    assert n_killed >= 1


def test_tables_killed_while_the_old_files_are_removed_are_the_new_ones(
    half_built: Path, built: tuple[Path, int], processes: Any, tmp_path: Path
) -> None:
    for number in range(2):
        store = tmp_path / str(number)
        shutil.copytree(half_built, store)
        changes_until_killed(
            processes, "store", "--json", "--store", store, watched=store / "facts", at_change=None, at_loss=".parquet"
        )
        assert_same_tables(tables(store), tables(built[0]))


def names_in(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
