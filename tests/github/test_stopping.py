"""A fetch that is killed, stopped or out of budget, again and again: nothing is lost, nothing whole is asked twice."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kotaci.model import BadInput, ExitCode
from kotaci.store import Store, open_store
from tests.github.fetching import TOKEN, fetch_from, held
from tests.github_server import Limits, Rights, State, serve

N_KILLS = 50
ROOT = Path(__file__).parents[2]


@pytest.fixture
def server() -> Iterator[Any]:
    state = State.generated(n_runs=60, n_jobs=3, n_reruns=6, seed=3, ends_at=datetime.now(UTC).replace(microsecond=0))
    for run_id in state.newest_first():
        if state.latest(run_id)["status"] != "completed":
            state.finish(run_id, at=datetime.now(UTC), log=b"2026-11-20T12:00:00.0000000Z done\n")
    with serve(state, tokens={TOKEN: Rights()}, limits=Limits(10**6, points_per_minute=None)) as served:
        yield served


def command(server: Any, folder: Path, *options: str) -> list[str]:
    where = ("--store", str(folder), "--api-url", server.api_url, "--points", "0", "--since", "all")
    return ["fetch", server.state.full_name, *where, *options]


def start(arguments: list[str], told: Path) -> None:
    """Run the command line in a process of its own; what it says goes to a file."""
    os.environ["GITHUB_TOKEN"] = TOKEN
    with told.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    from kotaci.cli import main

    sys.exit(main(arguments))


def runs_until(process: Any, is_due: Callable[[], bool]) -> None:
    """Return when the process has ended or the moment has come."""
    while process.is_alive() and not is_due():
        process.join(0.001)


def whole_things(store: Store) -> set[str]:
    """Return the paths that must not be asked again: of runs, logs, annotations and commits that are held whole."""
    found = set()
    for repo in store.repos():
        for key in store.payload_keys(repo, "run"):
            run_id, attempt = key.split("/")
            found |= {f"/actions/runs/{run_id}/jobs"}
            if store.want(repo, "zip", key) is None:
                found |= {f"/actions/runs/{run_id}/attempts/{attempt}/logs"}
            for job_id in store.log_rows(repo, int(run_id), int(attempt)):
                found |= {f"/actions/jobs/{job_id}/logs"}
        found |= {f"/check-runs/{key.split('/')[2]}/annotations" for key in store.payload_keys(repo, "annotations")}
        found |= {f"/commits/{sha}" for sha in store.payload_keys(repo, "commit")}
    return found


@pytest.mark.slow
def test_fifty_kills_at_random_moments(server: Any, processes: Any, tmp_path: Path) -> None:
    with open_store(tmp_path / "calm", create=True) as calm:
        assert fetch_from(server, calm).is_complete
        expected = held(calm)
    folder, rng = tmp_path / "store", random.Random(11)  # noqa: S311
    n_killed, known = 0, set[str]()
    while n_killed < N_KILLS:
        server.forget()
        process = processes.Process(target=start, args=(command(server, folder), tmp_path / "told.txt"))
        process.start()
        due = rng.randint(1, 30)
        runs_until(process, lambda due=due: len(server.asked) >= due)  # type: ignore[misc]
        n_killed += process.is_alive()
        process.kill()
        process.join()
        asked = {re.sub("^/repositories/[^/]+", "", one.path) for one in list(server.asked)}
        assert asked & known == set()
        if (folder / "index.sqlite").is_file():
            with open_store(folder) as store:
                known = whole_things(store)
                assert store.check() == []
    with open_store(folder) as store:
        done = fetch_from(server, store)
        assert done.is_complete
        assert held(store) == expected
        assert store.check() == []


def test_ctrl_c_ends_with_what_is_kept_and_the_exit_code_of_incomplete(server: Any, tmp_path: Path) -> None:
    server.latency_s = 0.02
    folder = tmp_path / "store"
    process = subprocess.Popen(
        [sys.executable, "-m", "kotaci", *command(server, folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={**os.environ, "GITHUB_TOKEN": TOKEN},
    )
    while process.poll() is None and len(server.asked) < 60:
        try:
            process.wait(0.005)
        except subprocess.TimeoutExpired:
            continue
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INCOMPLETE, said
    assert "was stopped; run it again to go on" in said
    assert "Still to fetch: " in said
    assert TOKEN not in said
    with open_store(folder) as store:
        assert store.payload_keys(server.state.full_name, "run")
        assert store.check() == []


def test_a_budget_night_after_night_reaches_the_same_store(server: Any, tmp_path: Path) -> None:
    with open_store(tmp_path / "calm", create=True) as calm:
        fetch_from(server, calm)
        expected = held(calm)
    nights = 0
    with open_store(tmp_path / "store", create=True) as store:
        while nights < 30:
            nights += 1
            server.forget()
            done = fetch_from(server, store, max_requests=60)
            assert done.n_requests == server.counted() <= 60
            if done.is_complete:
                break
            assert "--max-requests 60: is used up" in str(done.stopped)
        assert done.is_complete
        assert held(store) == expected
    assert 3 < nights < 15


def test_a_second_fetch_into_the_same_store_is_refused_while_one_runs(server: Any, tmp_path: Path) -> None:
    with (
        open_store(tmp_path / "store", create=True) as store,
        store.lock("fetch"),
        pytest.raises(BadInput, match="is being written by another kotaci; wait for it to finish"),
    ):
        fetch_from(server, store)


def test_what_is_older_than_asked_for_is_not_counted_as_left(server: Any, tmp_path: Path) -> None:
    with open_store(tmp_path / "store", create=True) as store:
        assert fetch_from(server, store, max_requests=40).left["run"]
        done = fetch_from(server, store, since="1d")
        assert done.is_complete
        assert store.n_wants(done.repo)["run"]


def test_another_token_each_night_as_workflows_have(server: Any, tmp_path: Path) -> None:
    """Their lists are asked anew each night, since an ETag holds for one token."""
    server.tokens.update({f"night-{night}": Rights() for night in range(30)})
    with open_store(tmp_path / "store", create=True) as store:
        for night in range(30):
            done = fetch_from(server, store, token=f"night-{night}", max_requests=60)
            if done.is_complete:
                break
        assert done.is_complete
        with open_store(tmp_path / "calm", create=True) as calm:
            fetch_from(server, calm)
            assert held(store) == held(calm)
