"""`gh run view --log` and `--log-failed`, saved: `job<TAB>step<TAB>time stamp text` lines back to the jobs' logs."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from kotaci.archives.runlogs import JobLog, RunFacts, source_id, to_batch
from kotaci.logs.setup import repo_name, workflow_path
from kotaci.model import BadInput, Repo, RunRef
from kotaci.store import Batch

_ROW = re.compile(
    r"(?!\d{4}-\d\d-\d\dT\d\d:)([^\t\n]{1,300})\t([^\t\n]{1,300})\t(?:\ufeff|´╗┐)?(?=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)"
)
UNKNOWN_STEP = "UNKNOWN STEP"
"""What gh writes where the zip had no step files."""


def is_gh_output(body: bytes) -> bool:
    """Tell whether one of the first lines is of gh's form."""
    return any(_ROW.match(line) for line in body[:65_536].decode("utf-8", "replace").lstrip("\ufeff").split("\n")[:20])


def read_output(
    path: Path, body: bytes, *, said_repo: Repo | None, said_run: RunRef | None, said_workflow: str
) -> Batch:
    """Return the run of a saved gh output. Raises BadInput where the repository is told by nobody.

    A job without the runner's first lines is `--log-failed` output: its log is only a part.
    """
    lines: dict[str, list[str]] = {}
    steps: dict[str, list[tuple[str, int]]] = {}
    job = step = ""
    for raw in body.decode("utf-8", "replace").lstrip("\ufeff").split("\n"):
        row = _ROW.match(raw)
        if row:
            job, step, text = row[1], row[2], raw[row.end() :]
        elif not raw or not job:
            continue
        else:
            # The continuation of a multi-line value: gh repeats the two columns, but no time stamp stands there.
            text = raw.removeprefix(f"{job}\t{step}\t")
        lines.setdefault(job, []).append(text)
        told = steps.setdefault(job, [])
        if told and told[-1][0] == step:
            told[-1] = (step, told[-1][1] + 1)
        else:
            told.append((step, 1))
    jobs = [
        JobLog(
            name,
            ("\n".join(rows) + "\n").encode(),
            [(n, title, count) for n, (title, count) in enumerate(steps[name], start=1)]
            if all(title != UNKNOWN_STEP for title, _ in steps[name])
            else [],
            is_partial=not any("Current runner version" in row for row in rows[:60]),
        )
        for name, rows in lines.items()
    ]
    heads = ["\n".join(rows[:400]) for rows in lines.values()]
    told_repo = next(filter(None, map(repo_name, heads)), "")
    if said_repo is None and not told_repo:
        raise BadInput(path, "does not tell its repository", "say it with --repo owner/name")
    repo = said_repo or Repo.parse(told_repo)
    ref = said_run or RunRef(source_id("gh", hashlib.blake2b(body).hexdigest()), 1)
    workflow = said_workflow or next(filter(None, map(workflow_path, heads)), "")
    return to_batch(RunFacts(repo, ref, "gh", workflow=workflow, workflow_name=workflow), jobs)
