"""Small logs, zips, trees and batches in GitHub's shapes, written so that the eye sees what is in them.

A job is told as steps: (number, name, lines). `in_2021`, `in_2024` and `in_2026` lay the same jobs out as the zips of
those years; `saved_by_gh` and `tinuous_run` do it for the two tools. `api_batch` is one attempt as the API tells it.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings

from kotaci.store import Batch, Log, Payload, Store

SEEDED = settings(deadline=None, derandomize=True)
"""For properties: the same examples on every machine, however slow it is."""

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""When a log begins, if not said otherwise: Monday, 2 March 2026, nine o'clock."""

REPO = "example/kvstore"
WORKFLOW = ".github/workflows/ci.yml"
SHA = "0123456789abcdef0123456789abcdef01234567"
BOM = "\ufeff"

Step = tuple[int, str, Sequence[str]]
"""A step: its number as GitHub counts, its name, its lines without time stamps."""

Jobs = Mapping[str, Sequence[Step]]
"""Jobs by the name that GitHub shows."""

LAST = (9, "Complete job", ("Cleaning up orphan processes",))
"""The step with which every whole log ends."""


# -- text -----------------------------------------------------------------------------------------------------


def unstamped(text: str) -> str:
    """Return a line that `stamped` leaves without a time stamp, as the rest of a multi-line `with:` value."""
    return f"\0{text}"


def stamp(at: datetime) -> str:
    """Return the moment as GitHub prints it: seven digits of a second."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}0Z"


def stamped(lines: Sequence[str], *, at: datetime = AT, first: int = 0) -> str:
    """Return the lines as text, each a second after the one before; the first is the `first`-th second after `at`."""
    return "".join(
        line[1:] + "\n" if line.startswith("\0") else f"{stamp(at + timedelta(seconds=first + place))} {line}\n"
        for place, line in enumerate(lines)
    )


def set_up(*lines: str, job: str = "test", image: str = "ubuntu-24.04") -> Step:
    """Return the first step: runner, image, whatever lines are given, and the job's name."""
    return (
        1,
        "Set up job",
        (
            "Current runner version: '2.330.0'",
            "##[group]Operating System", "Ubuntu", "24.04.3", "LTS", "##[endgroup]",
            "##[group]Runner Image", f"Image: {image}", "Version: 20260224.36.1", "##[endgroup]",
            *lines,
            f"Complete job name: {job}",
        ),
    )  # fmt: skip


def checkout(number: int = 2, *, repo: str = REPO) -> Step:
    """Return the step that checks the repository out: in a job's log, the one place that names it."""
    header = ("##[group]Run actions/checkout@v6", "with:", f"  repository: {repo}", "##[endgroup]")
    return number, "Run actions/checkout@v6", (*header, f"Syncing repository: {repo}")


def script(number: int, command: str, *output: str, exit_code: int = 0) -> Step:
    """Return a step that runs a command: the echo of its script, its output, and the error where it failed."""
    echo = (f"##[group]Run {command}", f"\x1b[36;1m{command}\x1b[0m", "shell: /usr/bin/bash -e {0}", "##[endgroup]")
    error = (f"##[error]Process completed with exit code {exit_code}.",) if exit_code else ()
    return number, f"Run {command}", (*echo, *output, *error)


def passed(job: str = "test") -> list[Step]:
    """Return the steps of a job that passed."""
    tests = script(3, "cargo test", "test index::grows ... ok", "test result: ok. 7 passed; 0 failed")
    return [set_up(job=job), checkout(), tests, LAST]


def failed(job: str = "test") -> list[Step]:
    """Return the steps of a job whose tests failed with exit code 101."""
    tests = script(3, "cargo test", "test index::grows ... FAILED", "error: test failed", exit_code=101)
    return [set_up(job=job), checkout(), tests, LAST]


def job_log(steps: Sequence[Step], *, at: datetime = AT, bom: str = BOM) -> str:
    """Return a whole job's log as the API gives it: a BOM, then the lines of all steps."""
    return bom + stamped([line for _, _, lines in steps for line in lines], at=at)


def system_text(*, queued: datetime = AT - timedelta(seconds=40), taken: datetime = AT - timedelta(seconds=5)) -> str:
    """Return a `system.txt`: labels asked for, then a runner found; no newline at its end."""
    lines = (
        (queued, "Requested labels: ubuntu-latest"),
        (queued, f"Job defined at: {REPO}/{WORKFLOW}@refs/heads/main"),
        (queued, "Waiting for a runner to pick up this job..."),
        (taken, "Job is about to start running on the hosted runner: GitHub Actions 1000000001"),
    )
    return "\n".join(f"{stamp(at)} {text}" for at, text in lines)


# -- zips and trees -------------------------------------------------------------------------------------------

PHANTOM = stamped(["##[section]Starting: Prepare job test", "Evaluating strategy", "Creating job ..."])
"""The file that a matrix added in zips up to 2024; it is no job."""


def in_2021(jobs: Jobs) -> dict[str, str]:
    """Return the files of a zip of 2021-02 .. 2023-09: ordinals from 1, CRLF, no BOM, a phantom that is 1 too."""
    files = {"1_test.txt": PHANTOM}
    for ordinal, (name, steps) in enumerate(jobs.items(), start=1):
        files[f"{ordinal}_{_plain(name)}.txt"] = job_log(steps, bom="")
        files |= _step_files(name, steps, bom="")
    return {name: text.replace("\n", "\r\n") for name, text in files.items()}


def in_2024(jobs: Jobs) -> dict[str, str]:
    """Return the files of a zip of 2023-11 .. 2024-11: a phantom with a number of its own, LF, no BOM."""
    files = {"-2147483648_test.txt": PHANTOM}
    for ordinal, (name, steps) in enumerate(jobs.items(), start=1):
        files[f"{ordinal}_{_plain(name)}.txt"] = job_log(steps, bom="")
        files |= _step_files(name, steps, bom="")
    return files


def in_2026(jobs: Jobs, *, has_steps: bool = True) -> dict[str, str]:
    """Return the files of a zip since 2025-03: ordinals from 0, BOMs, `system.txt`, and step files only sometimes."""
    files = {}
    for ordinal, (name, steps) in enumerate(jobs.items()):
        files[f"{ordinal}_{_plain(name)}.txt"] = job_log(steps)
        files[f"{_plain(name)}/system.txt"] = system_text()
        if has_steps:
            files |= _step_files(name, steps, bom=BOM)
    return files


def _step_files(job: str, steps: Sequence[Step], *, bom: str) -> dict[str, str]:
    # The same lines as in the whole file, 0.1 ms later: GitHub writes them twice.
    files, n_before = {}, 0
    for number, name, lines in steps:
        files[f"{_plain(job)}/{number}_{_plain(name)}.txt"] = bom + stamped(
            lines, at=AT + timedelta(microseconds=100), first=n_before
        )
        n_before += len(lines)
    return files


def _plain(name: str) -> str:
    return re.sub("[/:]", "", name)


def write_zip(path: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write a zip with these entries and return its path; equal entries make equal bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return path


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write the files below the folder and return the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def saved_by_gh(jobs: Jobs, *, step_name: str = "") -> str:
    """Return `gh run view --log`: job, step, and the line, the BOM of every step file in the midst of its first line.

    `step_name` stands for every step, as `UNKNOWN STEP` does where the zip had no step files.
    """
    rows = []
    for job, steps in jobs.items():
        n_before = 0
        for _, name, lines in steps:
            text = BOM + stamped(lines, first=n_before)
            rows += [f"{job}\t{step_name or name}\t{line}\n" for line in text.splitlines()]
            n_before += len(lines)
    return "".join(rows)


def tinuous_run(
    jobs: Jobs, *, day: str = "2026/03/02", event: str = "push", ref: str = "main", sha: str = SHA[:7],
    workflow: str = "CI", number: int = 7,
) -> dict[str, str]:  # fmt: skip
    """Return the files of one run in a tinuous tree, below its `logs` folder."""
    folder = f"logs/{day}/github/{event}/{ref}/{sha}/{workflow}/{number}"
    return {f"{folder}/{name}": text for name, text in in_2026(jobs).items()}


# -- batches --------------------------------------------------------------------------------------------------


def run_payload(run_id: int = 1, attempt: int = 1, *, at: datetime = AT, **told: Any) -> Payload:
    """Return a run as the API tells it; `told` replaces or adds fields of the body."""
    body = {
        "id": run_id, "run_attempt": attempt, "run_number": run_id, "name": "CI", "path": WORKFLOW, "event": "push",
        "status": "completed", "conclusion": "success", "head_branch": "main", "head_sha": SHA, "pull_requests": [],
        "display_title": "Grow the index", "actor": {"login": "octocat"}, "created_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "run_started_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
    }  # fmt: skip
    return Payload("run", f"{run_id}/{attempt}", {**body, **told}, at)


def job_payload(run_id: int = 1, attempt: int = 1, job_id: int = 11, *, at: datetime = AT, **told: Any) -> Payload:
    """Return a job as the API tells it: queued at once, taken after 5 s, two minutes long, one step."""
    times = {
        name: f"{at + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"
        for name, seconds in (("created_at", 0), ("started_at", 5), ("completed_at", 125))
    }
    conclusion = told.get("conclusion", "success")
    step = {
        "number": 1, "name": "Run cargo test", "status": "completed", "conclusion": conclusion,
        "started_at": times["started_at"], "completed_at": times["completed_at"],
    }  # fmt: skip
    body = {
        "id": job_id, "run_id": run_id, "run_attempt": attempt, "name": "test", "status": "completed",
        "conclusion": conclusion, **times, "labels": ["ubuntu-latest"], "runner_name": "GitHub Actions 1000000001",
        "steps": [step],
    }  # fmt: skip
    return Payload("job", f"{run_id}/{attempt}/{job_id}", {**body, **told}, at)


def commit_payload(sha: str = SHA, *, at: datetime = AT, **told: Any) -> Payload:
    """Return a commit as the API tells it, with the one file it changed."""
    who = {"name": "octocat", "date": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    body = {
        "sha": sha, "parents": [], "commit": {"author": who, "committer": who, "message": "Grow the index"},
        "files": [{"filename": "src/index.rs", "status": "modified"}], "workflows_tree": "",
    }  # fmt: skip
    return Payload("commit", sha, {**body, **told}, at)


def api_batch(
    run_id: int = 1,
    attempt: int = 1,
    *,
    at: datetime = AT,
    conclusion: str = "success",
    log: str | None = None,
    repo: str = REPO,
    source: str = "api",
    sha: str = SHA,
) -> Batch:
    """Return an attempt of one job, its log being that text, or by default one that tells the same conclusion.

    The job's id is the run's id, times ten, plus the attempt.
    """
    job_id = run_id * 10 + attempt
    text = log if log is not None else job_log(passed() if conclusion == "success" else failed(), at=at)
    payloads = (
        run_payload(run_id, attempt, at=at, conclusion=conclusion, head_sha=sha),
        job_payload(run_id, attempt, job_id, at=at, conclusion=conclusion),
    )
    return Batch(repo, source, payloads, (Log(run_id, attempt, job_id, at, text.encode()),))


def write_all(store: Store, *batches: Batch) -> int:
    """Write the batches and return how many things changed."""
    return max((written.n_changed for written in store.write(batches)), default=0)
