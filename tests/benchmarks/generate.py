"""Generated histories: runs of five jobs over two years, as batches in the shape of GitHub's API, with small logs.

The same seed gives the same history, and a longer history begins like a shorter one of the same density.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from kotaci.store import Batch, Log, Payload

REPO = "example/generated"
START = datetime(2024, 11, 1, tzinfo=UTC)
SPAN = timedelta(days=730)
JOBS = ("lint", "test (ubuntu-24.04)", "test (macos-15)", "test (windows-2025)", "docs")
STEPS = ("Set up job", "Run actions/checkout@v6", "Run cargo build", "Run cargo test", "Complete job")
FILLER = 30
"""Lines between set-up and end, so that a log has about forty."""


def history(n_jobs: int, *, seed: int = 1, n_lines: int = FILLER) -> Iterator[Batch]:
    """Yield runs with that many jobs in all, evenly over two years; one in eight fails, of which half is run again."""
    chance = random.Random(seed)  # noqa: S311  (repeatable on purpose)
    n_runs = n_jobs // len(JOBS)
    run_id = done = 0
    while done < n_runs:
        run_id += 1
        at = START + SPAN * (done / n_runs) + timedelta(seconds=chance.randint(0, 3_000))
        fails = chance.random() < 0.125
        yield _attempt(run_id, 1, at, chance, fails=fails, n_lines=n_lines)
        done += 1
        if fails and done < n_runs and chance.random() < 0.5:
            later = at + timedelta(minutes=chance.randint(30, 120))
            yield _attempt(run_id, 2, later, chance, fails=chance.random() < 0.3, n_lines=n_lines)
            done += 1


def _attempt(run_id: int, attempt: int, at: datetime, chance: random.Random, *, fails: bool, n_lines: int) -> Batch:
    key = f"{run_id}/{attempt}"
    is_pull = chance.random() < 0.6
    run = {
        "id": run_id, "run_attempt": attempt, "run_number": run_id, "name": "CI", "path": ".github/workflows/ci.yml",
        "event": "pull_request" if is_pull else "push", "status": "completed",
        "conclusion": "failure" if fails else "success",
        "head_branch": f"fix-{chance.randint(1, 400)}" if is_pull else "main",
        "head_sha": f"{chance.getrandbits(160):040x}", "display_title": "Change something",
        "created_at": _api(at), "run_started_at": _api(at), "updated_at": _api(at + timedelta(minutes=20)),
        "actor": {"login": "octocat"}, "triggering_actor": {"login": "octocat"}, "pull_requests": [],
    }  # fmt: skip
    payloads, logs = [Payload("run", key, run, at)], []
    bad = chance.randrange(len(JOBS)) if fails else -1
    for place, name in enumerate(JOBS):
        job_id = (run_id * 10 + attempt) * 10 + place
        job, text = _job(job_id, name, at, chance, fails=place == bad, n_lines=n_lines)
        payloads.append(Payload("job", f"{key}/{job_id}", job, at))
        logs.append(Log(run_id, attempt, job_id, at, text.encode()))
    return Batch(REPO, "api", payloads, logs)


def _job(
    job_id: int, name: str, at: datetime, chance: random.Random, *, fails: bool, n_lines: int
) -> tuple[dict[str, Any], str]:
    started = at + timedelta(seconds=chance.randint(3, 90))
    moments = [started]
    for _ in STEPS:
        moments.append(moments[-1] + timedelta(seconds=chance.randint(1, 120)))
    words = ["success", "success", "success", "failure" if fails else "success", "success"]
    job = {
        "id": job_id, "name": name, "status": "completed", "conclusion": "failure" if fails else "success",
        "created_at": _api(at), "started_at": _api(started), "completed_at": _api(moments[-1]),
        "runner_name": f"GitHub Actions {chance.randint(1, 99)}", "labels": ["ubuntu-24.04"],
        "steps": [
            {
                "number": number, "name": step, "status": "completed", "conclusion": word,
                "started_at": _api(moments[number - 1]), "completed_at": _api(moments[number]),
            }
            for number, (step, word) in enumerate(zip(STEPS, words, strict=True), start=1)
        ],
    }  # fmt: skip
    return job, _log(name, started, moments[-1], chance, fails=fails, n_lines=n_lines)


def _log(name: str, started: datetime, ended: datetime, chance: random.Random, *, fails: bool, n_lines: int) -> str:
    lines = [
        "Current runner version: '2.330.0'", "##[group]Operating System", "Ubuntu", "24.04.3", "##[endgroup]",
        f"Complete job name: {name}", "##[group]Run cargo test", "cargo test", "##[endgroup]",
    ]  # fmt: skip
    if name.startswith("test"):
        lines += _tested(chance, n_lines, fails=fails)
    else:
        lines += [f"    Checking part-{place} v0.{chance.randint(1, 99)}.0" for place in range(n_lines)]
    if fails:
        lines.append("##[error]Process completed with exit code 101.")
    lines.append("Cleaning up orphan processes")
    step = (ended - started) / len(lines)
    return "".join(f"{started + step * place:%Y-%m-%dT%H:%M:%S.%f}0Z {line}\n" for place, line in enumerate(lines))


def _tested(chance: random.Random, n_tests: int, *, fails: bool) -> list[str]:
    """Return the lines of a run of tests; the same tests run every time."""
    bad = "part::case_0"
    lines = ["     Running unittests src/lib.rs (target/debug/deps/part-0123456789abcdef)", f"running {n_tests} tests"]
    lines += [f"test part::case_{place} ... {'FAILED' if fails and not place else 'ok'}" for place in range(n_tests)]
    if fails:
        panic = f"thread '{bad}' panicked at src/part.rs:{chance.randint(1, 900)}:5:"
        lines += ["failures:", "", f"---- {bad} stdout ----", panic, "boom", "", "failures:", f"    {bad}", ""]
    counted = f"{n_tests - fails} passed; {int(fails)} failed; 0 ignored; 0 measured; 0 filtered out"
    return [*lines, f"test result: {'FAILED' if fails else 'ok'}. {counted}; finished in 0.01s"]


def _api(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
