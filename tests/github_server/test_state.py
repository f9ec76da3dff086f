"""The three sources of a state, and the server run by hand."""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from kotaci.store import Batch, Log, Payload, open_store
from tests.builders import REPO, api_batch, job_log, passed, write_all, write_files
from tests.github_server import Server, State, serve
from tests.github_server.conftest import NOW, Client
from tests.github_server.objects import Objects


def test_ids_are_gits(sample: Server) -> None:
    made = Objects()
    for sha, body in sample.state.objects.blobs.items():
        assert made.add_blob(body) == sha
    for sha, entries in sample.state.objects.trees.items():
        assert made.add_tree(entries) == sha


def test_trees_are_as_git_makes_them(tmp_path: Path) -> None:
    texts = {"a/one": b"1\n", "a.b": b"2\n", ".github/workflows/ci.yml": b"name: CI\n", ".github/CODEOWNERS": b"* @a\n"}
    write_files(tmp_path, texts)
    git = ("git", "-C", str(tmp_path))
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "--all"], check=True)
    told = subprocess.run([*git, "write-tree"], check=True, capture_output=True, text=True).stdout.strip()
    made = Objects()
    files = {path: made.add_blob(text) for path, text in texts.items()}
    assert made.root(files) == told
    workflows = made.find(told, ".github/workflows")
    assert workflows is not None
    del files[".github/workflows/ci.yml"]
    assert made.root(files, workflows=workflows.sha) == told


def test_the_sample_is_whole(sample: Server) -> None:
    state = sample.state
    assert sum(map(len, state.runs.values())) == 157
    states = collections.Counter(
        state.logs[job["id"]] if isinstance(state.logs[job["id"]], str) else "present"
        for jobs in state.jobs.values()
        for job in jobs
    )
    assert states == {"present": 965, "never_written": 165, "expired": 16, "lost": 1}
    assert len(state.artifacts) == 106


def test_a_store_is_served_with_its_gaps_filled(tmp_path: Path, client: Callable[..., Client]) -> None:
    bare = [
        Payload("run", "-77/1", {"name": "CI", "head_sha": None, "pull_requests": [{"number": 4}]}),
        Payload("job", "-77/1/-99", {"name": "test", "conclusion": None, "status": "completed"}),
    ]
    log = Log(-77, 1, -99, NOW, job_log(passed()).encode())
    with open_store(tmp_path / "store", create=True) as store:
        write_all(store, api_batch(5), api_batch(5, 2), Batch(REPO, "gh", bare, [log]))
    with serve(State.of_store(tmp_path / "store")) as server:
        ask = client(server).ask
        assert {run["id"] for run in ask("/actions/runs").json()["workflow_runs"]} == {5, 77}
        assert ask("/actions/runs/5").json()["run_attempt"] == 2
        run, job = ask("/actions/runs/77").json(), ask("/actions/runs/77/jobs").json()["jobs"][0]
        assert (run["path"], run["head_commit"]["id"]) == (".github/workflows/CI.yml", run["head_sha"])
        assert (job["id"], job["steps"]) == (99, [])
        assert set(run["pull_requests"][0]) == {"id", "number", "url", "head", "base"}
        link = ask("/actions/jobs/99/logs").headers["Location"]
        assert client(server, None).ask(link).content == job_log(passed()).encode()


def test_a_generated_history_is_a_mixture() -> None:
    state = State.generated(400, 4, 20, ends_at=NOW)
    words = collections.Counter(state.latest(run)["conclusion"] for run in state.runs)
    assert {state.latest(run)["status"] for run in state.runs} == {"completed", "in_progress"}
    assert set(words) >= {"success", "failure", "cancelled", "timed_out", "startup_failure", None}
    assert 0.65 < words["success"] / 400 < 0.85
    attempts = collections.Counter(map(len, state.runs.values()))
    assert attempts[2] + attempts[3] >= 18
    logs, annotated = collections.Counter[str](), 0
    for key in [(run, attempt) for run, attempts in state.runs.items() for attempt in attempts]:
        for job in state.jobs[key]:
            logs[state.log_state(job)] += 1
            annotated += bool(state.annotations[job["id"]])
    assert logs["present"] > 1000
    assert min(logs[word] for word in ("expired", "never_written", "lost")) > 0
    assert annotated > 50
    assert {told["name"] for told in state.artifacts.values()} == {"coverage", "test-results", "junit.xml"}
    again = State.generated(400, 4, 20, ends_at=NOW)
    assert (again.runs, again.commits) == (state.runs, state.commits)


def test_ten_thousand_runs_are_small() -> None:
    tracemalloc.start()
    try:
        state = State.generated(10_000, 8, 500, ends_at=NOW)
        assert len(state.jobs[state.newest_first()[500], 1]) in {0, 8}
        assert tracemalloc.get_traced_memory()[1] < 60 * 2**20
    finally:
        tracemalloc.stop()


def test_workflow_files_change_over_time() -> None:
    state = State.generated(60, 1, 0, ends_at=NOW, days=60)
    roots = {state.commits[state.latest(run)["head_sha"]]["root_tree"] for run in state.runs}
    assert len(roots) == 6
    texts = {state.objects.find(root, ".github/workflows/ci.yml") for root in roots}
    assert len(texts) == 6


def test_runs_stay_in_order_when_they_change() -> None:
    state = State.generated(10, 2, 0, ends_at=NOW)
    first = state.newest_first()[0]
    added = state.add_run(created_at=f"{NOW + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}", conclusion="failure")
    assert list(state.newest_first())[:2] == [added["id"], first]
    assert len(state.jobs[added["id"], 1]) == 2
    with_files = next(told["run_id"] for told in state.artifacts.values())
    state.delete_run(with_files)
    assert with_files not in state.newest_first()
    assert with_files not in {told["run_id"] for told in state.artifacts.values()}


@contextlib.contextmanager
def by_hand(*words: str) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:
    """Run the server in a process of its own; give its address, the example and the process."""
    command = [sys.executable, "-m", "tests.github_server", *words]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process.stdout.readline().strip(), process
        finally:
            process.kill()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_by_hand(stop: signal.Signals) -> None:
    words = ("--generate", "20", "--jobs", "2", "--points", "none", "--token", "mine", "--latency-ms", "1")
    with by_hand(*words) as (url, example, process):
        headers = {"Authorization": "Bearer mine"}
        path = f"{url}/repos/example/generated/actions/runs"
        assert example == f"curl -H 'Authorization: Bearer mine' {path}"
        assert requests.get(path, headers=headers, timeout=30).json()["total_count"] == 20
        told = requests.get(f"{url}/_asked", timeout=30).json()
        assert (told["requests"], told["counted"], told["by_status"]) == (1, 1, {"api 200": 1})
        assert requests.post(f"{url}/_forget", timeout=30).json()["requests"] == 0
        process.send_signal(stop)
        assert process.wait(timeout=30) == 0
