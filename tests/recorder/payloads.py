"""The history in the shapes of GitHub's REST API: runs, jobs, annotations, artifacts, caches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from .caches import Entry
from .history import CI, DOCS, NIGHTLY, RELEASE, Attempt, History
from .jobs import Done, runner_name
from .render import REPOSITORY, Step
from .story import SINCE, UNTIL

API = f"https://api.github.com/repos/{REPOSITORY}"
HTML = f"https://github.com/{REPOSITORY}"
NAMES = {CI: "CI", NIGHTLY: "Nightly", DOCS: "Docs", RELEASE: "Release"}
WORKFLOW_IDS = {CI: 141_200_301, NIGHTLY: 141_200_302, DOCS: 141_200_303, RELEASE: 141_200_304}
REPOSITORY_ID = 912_300_400
EXPIRED_BEFORE = SINCE + timedelta(days=1)

Record = dict[str, Any]
JobIds = dict[tuple[int, int, int], int]


def to_job_ids(history: History) -> JobIds:
    """Job ids by run, attempt and place in the attempt; they grow with the time of creation."""
    places = sorted(
        (job.created_at, attempt.run_id, attempt.attempt, place)
        for attempt in history.attempts
        for place, job in enumerate(attempt.jobs)
    )
    ids: JobIds = {}
    last = 0
    for at, run_id, number, place in places:
        last = max(last + 3, 52_100_000_000 + int((at - SINCE).total_seconds()) * 350)
        ids[(run_id, number, place)] = last
    return ids


def is_expired(attempt: Attempt) -> bool:
    """The first day's logs are older than the ninety days that GitHub keeps them."""
    return attempt.started_at < EXPIRED_BEFORE


def to_records(history: History) -> Iterator[Record]:
    """Every payload with its kind and key, in the order of the runs."""
    ids = to_job_ids(history)
    yield _record("repo", "repo", _repository())
    for attempt in history.attempts:
        key = f"{attempt.run_id}/{attempt.attempt}"
        yield _record("run", key, _run(attempt))
        jobs = [_job(attempt, job, ids[(attempt.run_id, attempt.attempt, n)]) for n, job in enumerate(attempt.jobs)]
        yield _record("jobs", key, {"total_count": len(jobs), "jobs": jobs})
        for place, job in enumerate(attempt.jobs):
            job_id = ids[(attempt.run_id, attempt.attempt, place)]
            if job.annotations:
                yield _record("annotations", str(job_id), [_annotation(attempt, *note) for note in job.annotations])
            if is_expired(attempt) and job.log:
                state = {"state": "expired", "reason": "older than the 90 days for which logs are kept"}
                yield _record("log_state", f"{key}/{job_id}", state)
            elif job.log is None:
                yield _record("log_state", f"{key}/{job_id}", {"state": "never_written", "reason": job.missing})
    for run_id, attempts in _by_run(history):
        found = [
            _artifact(run_id, attempts[0], item)
            for attempt in attempts
            for job in attempt.jobs
            for item in job.artifacts
        ]
        if found:
            yield _record("artifacts", str(run_id), {"total_count": len(found), "artifacts": found})
    for at, entries in sorted(history.caches.items()):
        listed = {"total_count": len(entries), "actions_caches": [_cache(entry) for entry in entries]}
        yield _record("caches", _iso(at), listed)
        usage = {
            "full_name": REPOSITORY,
            "active_caches_size_in_bytes": sum(entry.size for entry in entries),
            "active_caches_count": len(entries),
        }
        yield _record("cache_usage", _iso(at), usage)


def _by_run(history: History) -> Iterator[tuple[int, list[Attempt]]]:
    runs: dict[int, list[Attempt]] = {}
    for attempt in history.attempts:
        runs.setdefault(attempt.run_id, []).append(attempt)
    yield from sorted(runs.items())


def _record(kind: str, key: str, payload: object) -> Record:
    return {"kind": kind, "key": key, "payload": payload}


def _iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _user(login: str) -> Record:
    number = int(sha256(login.encode()).hexdigest()[:7], 16)
    return {
        "login": login,
        "id": number,
        "type": "Bot" if login.endswith("[bot]") else "User",
        "site_admin": False,
    }


def _repository() -> Record:
    return {
        "id": REPOSITORY_ID,
        "name": "kvstore",
        "full_name": REPOSITORY,
        "owner": {"login": "example", "type": "Organization"},
        "private": False,
        "html_url": HTML,
        "description": "A small log-structured key-value store",
        "fork": False,
        "url": API,
        "default_branch": "develop",
        "created_at": "2026-02-02T09:00:00Z",
        "updated_at": _iso(UNTIL),
        "pushed_at": "2026-11-20T14:20:00Z",
        "visibility": "public",
        "archived": False,
    }


def _run(attempt: Attempt) -> Record:
    trigger = attempt.trigger
    pulls = []
    if trigger.pull:
        repository = {"id": REPOSITORY_ID, "url": API, "name": "kvstore"}
        pulls = [
            {
                "url": f"{API}/pulls/{trigger.pull}",
                "id": 2_800_000_000 + trigger.pull,
                "number": trigger.pull,
                "head": {"ref": trigger.branch, "sha": trigger.sha, "repo": repository},
                "base": {"ref": "develop", "sha": trigger.base_sha, "repo": repository},
            }
        ]
    url = f"{API}/actions/runs/{attempt.run_id}"
    previous = f"{url}/attempts/{attempt.attempt - 1}" if attempt.attempt > 1 else None
    return {
        "id": attempt.run_id,
        "name": NAMES[trigger.workflow],
        "head_branch": trigger.branch,
        "head_sha": trigger.sha,
        "path": trigger.workflow,
        "display_title": trigger.title,
        "run_number": attempt.number,
        "event": trigger.event,
        "status": "completed",
        "conclusion": attempt.conclusion,
        "workflow_id": WORKFLOW_IDS[trigger.workflow],
        "url": url,
        "html_url": f"{HTML}/actions/runs/{attempt.run_id}",
        "pull_requests": pulls,
        "created_at": _iso(attempt.created_at),
        "updated_at": _iso(attempt.updated_at),
        "actor": _user(trigger.actor),
        "run_attempt": attempt.attempt,
        "run_started_at": _iso(attempt.started_at),
        "triggering_actor": _user("kvstore-maintainer" if attempt.attempt > 1 else trigger.actor),
        "jobs_url": f"{url}/jobs",
        "logs_url": f"{url}/logs",
        "previous_attempt_url": previous,
        "workflow_url": f"{API}/actions/workflows/{WORKFLOW_IDS[trigger.workflow]}",
        "repository": {"id": REPOSITORY_ID, "name": "kvstore", "full_name": REPOSITORY},
    }


def _job(attempt: Attempt, job: Done, job_id: int) -> Record:
    ran = bool(job.steps)
    return {
        "id": job_id,
        "run_id": attempt.run_id,
        "workflow_name": NAMES[attempt.trigger.workflow],
        "head_branch": attempt.trigger.branch,
        "run_url": f"{API}/actions/runs/{attempt.run_id}",
        "run_attempt": attempt.attempt,
        "head_sha": attempt.trigger.sha,
        "url": f"{API}/actions/jobs/{job_id}",
        "html_url": f"{HTML}/actions/runs/{attempt.run_id}/job/{job_id}",
        "status": "completed",
        "conclusion": job.conclusion,
        "created_at": _iso(job.created_at),
        "started_at": _iso(job.started_at),
        "completed_at": _iso(job.completed_at),
        "name": job.name,
        "steps": [_step(step) for step in job.steps],
        "check_run_url": f"{API}/check-runs/{job_id}",
        "labels": [job.label],
        "runner_id": 1_000_000 + job_id % 900_000 if ran else 0,
        "runner_name": runner_name(job.started_at) if ran else "",
        "runner_group_id": 0,
        "runner_group_name": "GitHub Actions" if ran else "",
    }


def _step(step: Step) -> Record:
    return {
        "name": step.name,
        "status": "completed" if step.conclusion else "in_progress",
        "conclusion": step.conclusion,
        "number": step.number,
        "started_at": _iso(step.started_at),
        "completed_at": _iso(step.completed_at) if step.completed_at else None,
    }


def _annotation(attempt: Attempt, level: str, message: str) -> Record:
    return {
        "path": ".github",
        "blob_href": f"{HTML}/blob/{attempt.trigger.sha}/.github",
        "start_line": 1,
        "start_column": None,
        "end_line": 1,
        "end_column": None,
        "annotation_level": level,
        "title": "",
        "message": message,
        "raw_details": "",
    }


def _artifact(run_id: int, attempt: Attempt, item: tuple[int, str, int, datetime]) -> Record:
    number, name, size, at = item
    expires = at + timedelta(days=90)
    return {
        "id": number,
        "name": name,
        "size_in_bytes": size,
        "url": f"{API}/actions/artifacts/{number}",
        "archive_download_url": f"{API}/actions/artifacts/{number}/zip",
        "expired": expires < UNTIL,
        "digest": f"sha256:{sha256(f'{number} {size}'.encode()).hexdigest()}",
        "created_at": _iso(at),
        "updated_at": _iso(at),
        "expires_at": _iso(expires),
        "workflow_run": {
            "id": run_id,
            "head_branch": attempt.trigger.branch,
            "head_sha": attempt.trigger.sha,
        },
    }


def _cache(entry: Entry) -> Record:
    return {
        "id": entry.id,
        "ref": entry.ref,
        "key": entry.key,
        "version": entry.version,
        "last_accessed_at": entry.last_accessed_at.strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
        "created_at": entry.created_at.strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
        "size_in_bytes": entry.size,
    }
