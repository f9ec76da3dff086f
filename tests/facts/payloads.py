"""Payloads in the shape of GitHub's API, logs in the shape of its runners, and stores that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kotaci.store import Batch, Log, Payload, Store, open_store

REPO = "octo/widgets"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""A Monday; every moment here is told in seconds from it."""


def at(seconds: float) -> str:
    """Return the moment as GitHub's API writes it."""
    return f"{START + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def stamp(seconds: float) -> str:
    """Return the moment as a runner writes it in a log: seven digits of a second."""
    return f"{START + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S.%f}0Z"


def run(run_id: int = 1, attempt: int = 1, *, start: float = 0, **changed: Any) -> dict[str, Any]:
    """Return a run as `GET /runs/{id}/attempts/{n}` gives it."""
    return {
        "id": run_id,
        "run_attempt": attempt,
        "run_number": run_id,
        "name": "CI",
        "path": ".github/workflows/ci.yml",
        "event": "push",
        "status": "completed",
        "conclusion": "success",
        "head_branch": "main",
        "head_sha": "c" * 40,
        "display_title": "Turn the cogs",
        "created_at": at(start),
        "run_started_at": at(start),
        "updated_at": at(start + 900),
        "actor": {"login": "octocat"},
        "triggering_actor": {"login": "octocat"},
        "pull_requests": [],
    } | changed


def job(
    job_id: int, name: str = "test", *, start: float = 0, queue: float = 10, wall: float = 60, **changed: Any
) -> Any:
    """Return a job as `GET /runs/{id}/jobs` gives it: created at `start`, then `queue` and `wall` seconds."""
    conclusion = changed.get("conclusion", "success")
    return {
        "id": job_id,
        "name": name,
        "status": "completed",
        "conclusion": "success",
        "created_at": at(start),
        "started_at": at(start + queue),
        "completed_at": at(start + queue + wall),
        "runner_name": "GitHub Actions 7",
        "labels": ["ubuntu-24.04"],
        "steps": [
            step(1, "Set up job", start=start + queue, wall=1),
            step(2, "Run cargo test", start=start + queue + 1, wall=wall - 1, conclusion=conclusion),
        ],
    } | changed


def step(number: int, name: str, *, start: float = 0, wall: float = 1, conclusion: str = "success") -> dict[str, Any]:
    """Return one entry of a job's `steps`."""
    return {
        "number": number,
        "name": name,
        "status": "completed",
        "conclusion": conclusion,
        "started_at": at(start),
        "completed_at": at(start + wall),
    }


def batch(run: Mapping[str, Any], jobs: Iterable[Any] = (), *, logs: Sequence[Log] = (), source: str = "api") -> Batch:
    """Return the attempt as the store takes it; its month is that of `run_started_at`."""
    key = f"{run['id']}/{run['run_attempt']}"
    moment = datetime.fromisoformat(run["run_started_at"])
    payloads = [Payload("run", key, run, moment), *(Payload("job", f"{key}/{j['id']}", j, moment) for j in jobs)]
    return Batch(REPO, source, payloads, logs)


def log(run_id: int, attempt: int, job_id: int, body: str = "", *, start: float = 0, **changed: Any) -> Log:
    """Return a job's log for the store; `state=` where there is none, `start` is that of the attempt."""
    return Log(run_id, attempt, job_id, START + timedelta(seconds=start), body.encode(), **changed)


def log_text(*lines: str, start: float = 0, step_s: float = 1, job: str = "test") -> str:
    """Return a whole job's log: set-up, the lines given, the runner's end; one line every `step_s` seconds."""
    all_lines = [
        "Current runner version: '2.330.0'",
        "##[group]Operating System",
        "Ubuntu",
        "24.04.3",
        "##[endgroup]",
        f"Job defined at: {REPO}/.github/workflows/ci.yml@refs/heads/main",
        f"Complete job name: {job}",
        *lines,
        "Cleaning up orphan processes",
    ]
    return "".join(f"{stamp(start + step_s * place)} {line}\n" for place, line in enumerate(all_lines))


GREEN = ("##[group]Run cargo test", "cargo test", "##[endgroup]", "test result: ok. 3 passed; 0 failed")
RED = (
    "##[group]Run cargo build",
    "cargo build",
    "##[endgroup]",
    "    Finished `dev` profile",
    "##[group]Run cargo test",
    "cargo test",
    "##[endgroup]",
    "test store::keeps_order ... FAILED",
    "##[error]Process completed with exit code 101.",
)


def filled(path: Path, *batches: Batch) -> Store:
    """Return the store in that folder with the batches written to it."""
    store = open_store(path, create=True)
    for _ in store.write(batches):
        pass
    return store


WORKFLOW = """\
name: CI
on: push
jobs:
  build:
    runs-on: ubuntu-24.04
    strategy:
      matrix:
        os: [linux, macos]
    steps:
      - run: cargo build
  test:
    needs: build
    runs-on: ubuntu-24.04
    steps:
      - run: cargo test
  lint:
    runs-on: ubuntu-24.04
    steps:
      - run: cargo clippy
"""


def commit(sha: str = "c" * 40, *, workflow: str = WORKFLOW) -> Batch:
    """Return a commit with one workflow file, as an imported clone gives it."""
    body = {
        "sha": sha,
        "parents": ["b" * 40],
        "commit": {
            "author": {"name": "octocat", "date": at(-60)},
            "committer": {"name": "octocat", "date": at(-30)},
            "message": "Turn the cogs\n\nThey were still.",
        },
        "files": [{"filename": "src/lib.rs", "status": "modified"}],
        "workflows_tree": "f" * 40,
    }
    return Batch(
        REPO,
        "git",
        [
            Payload("commit", sha, body, START),
            Payload("workflow_tree", "f" * 40, {".github/workflows/ci.yml": "e" * 40}),
            Payload("workflow_file", "e" * 40, workflow),
        ],
    )
