"""A tree of logs as `tinuous` keeps it: unpacked run-log zips under date, event, ref, commit, workflow and number.

The attempt is not recorded there: one folder holds the attempt that was last when it was fetched. It is stored as
attempt 1 of a run without GitHub's id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from kotaci.archives.runlogs import JobLog, RunFacts, read_files, source_id, to_batch, to_jobs
from kotaci.logs.setup import workflow_path
from kotaci.model import BadInput, Repo, RunRef, parse_moment
from kotaci.store import Batch
from kotaci.workflows import nodes

_RUN = re.compile(
    r"(?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d)/github/(?P<event>[^/]+)/(?P<ref>[^/]+)/(?P<sha>[0-9a-f]{7,40})/"
    r"(?P<workflow>[^/]+)/(?P<number>[0-9]{1,18})"
)
_EVENTS = {"cron": "schedule", "manual": "workflow_dispatch", "pr": "pull_request"}
"""tinuous' words; `manual` may have been a repository_dispatch too."""


def is_tree(path: Path) -> bool:
    """Tell whether the folder is a tinuous tree: its configuration file, or folders of years under `logs`."""
    return (path / "tinuous.yaml").is_file() or any((path / "logs").glob("[12][0-9][0-9][0-9]"))


def read_tree(path: Path, *, said_repo: Repo | None) -> Iterator[Batch]:
    """Yield one batch a run, by date. Raises BadInput where there are none, or the repository is told by nobody."""
    config = _read_config(path / "tinuous.yaml")
    if said_repo is None and "repo" not in config:
        raise BadInput(path, "does not tell its repository", "say it with --repo owner/name")
    repo = said_repo or Repo.parse(str(config["repo"]))
    declared = _at(config, "ci", "github", "workflows")
    only_file = f".github/workflows/{declared[0]}" if isinstance(declared, list) and len(declared) == 1 else ""
    logs = path / "logs"
    folders = [
        (match, folder)
        for folder in sorted(logs.glob("[12]*/*/*/github/*/*/*/*/*"))
        if folder.is_dir() and (match := _RUN.fullmatch(folder.relative_to(logs).as_posix()))
    ]
    if not folders:
        raise BadInput(
            path, "holds no run of GitHub Actions", "expected logs/YYYY/MM/DD/github/EVENT/REF/SHA/WORKFLOW/N"
        )
    for match, folder in folders:
        jobs = to_jobs(read_files(folder))
        if jobs:
            yield to_batch(_to_facts(match, jobs, repo=repo, only_file=only_file), jobs)


def _to_facts(match: re.Match[str], jobs: list[JobLog], *, repo: Repo, only_file: str) -> RunFacts:
    name, number, ref = unquote(match["workflow"]), int(match["number"]), unquote(match["ref"])
    is_pr = match["event"] == "pr"
    heads = (job.system + job.body[:20_000].decode("utf-8", "replace") for job in jobs)
    return RunFacts(
        repo,
        RunRef(source_id("tinuous", str(repo), name, str(number)), 1),
        "tinuous",
        workflow=next(filter(None, map(workflow_path, heads)), "") or only_file,
        workflow_name=name,
        run_number=number,
        event=_EVENTS.get(match["event"], match["event"]),
        branch="" if is_pr else ref,
        head_sha=match["sha"],
        pr_number=int(ref) if is_pr and ref.isdigit() else None,
        at=parse_moment(f"{match['year']}-{match['month']}-{match['day']}"),
    )


def _at(config: Any, *keys: str) -> Any:
    for key in keys:
        config = config.get(key) if isinstance(config, dict) else None
    return config


def _read_config(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        tree, problems = nodes.read_tree(file.read_bytes().decode("utf-8", "replace"))
    except nodes.TreeError as error:
        raise BadInput(file, f"is not YAML ({error})", "mend it, or leave it away and say --repo") from error
    if problems:
        line, message = problems[0]
        raise BadInput(file, f"is not YAML (line {line}: {message})", "mend it, or leave it away and say --repo")
    config = nodes.to_plain(tree)
    return config if isinstance(config, dict) else {}
