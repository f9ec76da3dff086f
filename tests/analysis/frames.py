"""Frames of runs, jobs and failures by hand: a row is told by what matters to the question, the rest is plain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from kotaci.tables import FAILURES, JOBS, RUNS, Table

REPO = "octo/widgets"
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
CI = ".github/workflows/ci.yml"

Row = Mapping[str, Any]
KEYS = ("repo", "run_id", "attempt", "job_id")


def at(hours: float) -> datetime:
    """Return the moment so many hours after a Monday's midnight."""
    return MONDAY + timedelta(hours=hours)


def run(run_id: int, outcome: str = "success", *, hours: float | None = None, wall: float = 600, **told: Any) -> Row:
    """Return a run: every hour one (or at `hours`), on main, by push, ten minutes long."""
    start = at(run_id if hours is None else hours)
    return {
        "repo": REPO, "run_id": run_id, "attempt": 1, "workflow": CI, "workflow_name": "CI", "run_number": run_id,
        "event": "push", "branch": "main", "base_branch": "", "head_sha": "c" * 40, "actor": "octocat", "title": "",
        "outcome": outcome, "outcome_source": "api", "created_at": start, "started_at": start,
        "ended_at": start + timedelta(seconds=wall), "wall_s": wall, "n_jobs": 1, "n_failed_jobs": 0,
        "is_last_attempt": True, "source": "api",
    } | told  # fmt: skip


def runs(outcomes: str | Iterable[Row], **told: Any) -> pd.DataFrame:
    """Return runs: rows, or letters of which each is one: P passed, F failed, C cancelled."""
    words = {"P": "success", "F": "failure", "C": "cancelled"}
    if isinstance(outcomes, str):
        outcomes = [run(place + 1, words[letter], **told) for place, letter in enumerate(outcomes)]
    return frame(RUNS, outcomes)


def job(of: Row, outcome: str = "success", *, name: str = "test", wall: float = 300, **told: Any) -> Row:
    """Return a job of that run: 10 s in the queue, then five minutes; its id is the run's times 100 and the attempt."""
    base, _, leg = name.rstrip(")").partition(" (")
    return {
        "repo": REPO, "run_id": of["run_id"], "attempt": of["attempt"],
        "job_id": of["run_id"] * 100 + of["attempt"], "workflow": of["workflow"], "job": name, "job_base": base,
        "leg": leg, "outcome": outcome, "outcome_source": "api",
        "failed_step": "Run cargo test" if outcome == "failure" else "",
        "exit_code": 101 if outcome == "failure" else None, "created_at": of["created_at"],
        "started_at": of["started_at"] + timedelta(seconds=10),
        "ended_at": of["started_at"] + timedelta(seconds=10 + wall), "queue_s": 10, "wall_s": wall, "runner": "",
        "labels": "ubuntu-24.04", "n_steps": 2, "log_state": "present", "log_bytes": 100, "n_log_lines": 10,
    } | told  # fmt: skip


def failure(of: Row, *lines: str, error: str = "Process completed with exit code 101.") -> Row:
    """Return the excerpt of a job's log: the lines, numbered from 40."""
    excerpt = "\n".join(f"{number}\t{line}" for number, line in enumerate((*lines, error), start=40))
    keys = ("repo", "run_id", "attempt", "job_id", "outcome")
    return {**{key: of[key] for key in keys}, "step": "Run cargo test", "exit_code": 101, "error": error,
            "error_line": 40 + len(lines), "first_line": 40, "last_line": 40 + len(lines), "excerpt": excerpt,
            "method": "last lines of the failing step"}  # fmt: skip


def frame(table: Table, rows: Iterable[Row]) -> pd.DataFrame:
    """Return the rows as a frame of the contract; what a row does not tell is missing."""
    return table.check(table.to_frame([row.get(name) for name in table.names] for row in rows))


def jobs(rows: Iterable[Row] = ()) -> pd.DataFrame:
    """Return jobs as a frame."""
    return frame(JOBS, rows)


def failures(rows: Iterable[Row] = ()) -> pd.DataFrame:
    """Return failures as a frame."""
    return frame(FAILURES, rows)


def one_job_each(of: pd.DataFrame, **told: Any) -> pd.DataFrame:
    """Return a job for each run, with the run's outcome."""
    records: Sequence[Any] = of.to_dict("records")
    return jobs(job(record, record["outcome"], **told) for record in records)


def setup(of: Row, item: str, name: str, version: str) -> Row:
    """Return one thing that a job ran on."""
    return {**{key: of[key] for key in KEYS}, "item": item, "name": name, "version": version}


def a_test(of: Row, name: str, outcome: str = "failed", *, suite: str = "") -> Row:
    """Return a test of a job that failed, or was flaky."""
    return {**{key: of[key] for key in KEYS}, "suite": suite, "test": name, "outcome": outcome}


def annotation(of: Row, message: str) -> Row:
    """Return what GitHub says of a job."""
    return {**{key: of[key] for key in KEYS}, "level": "failure", "title": "", "message": message}


def commit(sha: str, *parents: str, tree: str = "", **told: Any) -> Row:
    """Return a commit after its parents, with a folder of workflow files."""
    return {"repo": REPO, "commit_sha": sha, "parents": " ".join(parents), "author": "octocat", "authored_at": MONDAY,
            "committed_at": MONDAY, "subject": f"change {sha}", "message": "", "n_files": 1, "files": "src/lib.rs",
            "workflows_tree": tree} | told  # fmt: skip


def declared(tree: str, job_key: str, **told: Any) -> Row:
    """Return a job as the workflow files of a folder declare it: 20 minutes, no needs, may not fail."""
    return {"repo": REPO, "workflows_tree": tree, "workflow": CI, "workflow_name": "CI", "triggers": "push",
            "job_key": job_key, "job": job_key, "leg": "", "is_dynamic": False, "needs": "", "runs_on": "ubuntu-24.04",
            "timeout_min": 20.0, "has_timeout": True, "condition": "", "is_allowed_to_fail": False, "uses": "",
            "n_steps": 2, "line": 10} | told  # fmt: skip


def restore(of: Row, result: str, key: str, **told: Any) -> Row:
    """Return a restore of a cache in a job: 200 MB in 12 seconds, unless it missed."""
    return {**{name: of[name] for name in KEYS}, "step_number": 2, "action": "actions/cache", "operation": "restore",
            "result": result, "key": key, "restored_key": "" if result == "miss" else key,
            "size_bytes": None if result == "miss" else 200_000_000,
            "wall_s": 1 if result == "miss" else 12} | told  # fmt: skip


def unit(of: Row, name: str, **told: Any) -> Row:
    """Return a crate that a job compiled: a dependency."""
    return {**{key: of[key] for key in KEYS}, "step_number": 3, "unit": name, "version": "1.0.0",
            "action": "Compiling", "started_at": of["started_at"], "wall_s": 2, "is_local": False} | told  # fmt: skip


def counted(of: Row, hits: int, misses: int, **told: Any) -> Row:
    """Return what sccache counted in a job, in GitHub's cache."""
    return {**{key: of[key] for key in KEYS}, "step_number": 3, "line": 40, "tool": "sccache", "location": "ghac",
            "n_requests": hits + misses, "n_hits": hits, "n_misses": misses, "n_uncacheable": 0, "n_errors": 0,
            "n_write_errors": 0} | told  # fmt: skip
