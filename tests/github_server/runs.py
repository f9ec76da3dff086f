"""What a GET under `actions` gives, and check runs: runs, jobs, their logs, artifacts, caches, annotations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from kotaci.model import parse_moment
from tests.github_server import shapes
from tests.github_server.asking import Ask, Missing, Refused, page
from tests.github_server.policy import Answer, problem
from tests.github_server.shapes import Body, moment
from tests.github_server.state import State, matching

# -- runs ------------------------------------------------------------------------------------------------------

_FILTERS = {"event": "event", "branch": "head_branch", "head_sha": "head_sha", "check_suite_id": "check_suite_id"}


def workflows(ask: Ask) -> Answer:
    told = sorted(ask.state.workflows.values(), key=lambda told: told["id"])
    return page(ask, told, lambda told: shapes.workflow(ask.repo, told), "workflows")


def workflow_of(ask: Ask) -> Body:
    """Return the workflow that the path names by id or file. Raises Missing."""
    name = ask.names["workflow_id"]
    for told in ask.state.workflows.values():
        if name in {str(told["id"]), told["path"], told["path"].rpartition("/")[2]}:
            return told
    raise Missing


def workflow(ask: Ask) -> Answer:
    return Answer(body=shapes.workflow(ask.repo, workflow_of(ask)))


def runs_of_workflow(ask: Ask) -> Answer:
    return _runs(ask, {"workflow_id": workflow_of(ask)["id"]})


def runs(ask: Ask) -> Answer:
    return _runs(ask, {})


def _runs(ask: Ask, among: dict[str, Any]) -> Answer:
    state = ask.state
    equal = {field: ask.query.get(name) or None for name, field in _FILTERS.items()}
    actor, status = ask.query.get("actor"), ask.query.get("status")
    begin, end = _range(ask.query.get("created") or "")

    def is_asked(told: Body) -> bool:
        who = told["actor"] if isinstance(told["actor"], str) else told["actor"]["login"]
        return (
            matching(among, told)
            and begin <= told["created_at"] <= end
            and matching(equal, {**told, "check_suite_id": str(told["id"] * 2 + 1)})
            and (not actor or who == actor)
            and (not status or status in {told["status"], told["conclusion"]})
        )

    is_search = any((*equal.values(), actor, status, ask.query.get("created")))
    found: Sequence[int] = state.newest_first()
    if is_search or among:
        found = [run_id for run_id in found if is_asked(state.latest(run_id))]
    bare: Body = {"pull_requests": []} if ask.query.get("exclude_pull_requests") == "true" else {}
    # GitHub tells how many there are, and gives the first thousand.
    cap = ask.limits.search_cap if is_search else None
    return page(ask, found, lambda run_id: _run(ask, state.latest(run_id)) | bare, "workflow_runs", cap=cap)


def _range(text: str) -> tuple[str, str]:
    """Return the first and the last second of a `created` search; a day is whole."""
    words = re.fullmatch(r"(?:(\*|[^.<>=*]+)\.\.(\*|[^.<>=*]+))|(>=|<=|>|<|)([^.<>=*]*)", text)
    if words is None:
        raise Refused(problem(422, "Validation Failed", errors=[{"field": "created", "code": "invalid"}]))
    low, high = (words[1], words[2]) if words[1] else (words[4], words[4])
    sign = words[3] or ""
    begin, end = _second(low, "00:00:00"), _second(high, "23:59:59")
    if sign.startswith(">"):
        return (begin, "~") if sign == ">=" else (end + "+", "~")
    if sign.startswith("<"):
        return ("", end) if sign == "<=" else ("", begin[:-1])
    return begin, end or "~"


def _second(text: str, at: str) -> str:
    if text in {"", "*"}:
        return ""
    told = moment(parse_moment(text))
    return f"{text}T{at}Z" if len(text) == 10 else told


def _run(ask: Ask, told: Body) -> Body:
    return shapes.run(ask.repo, told, ask.state.commits.get(told["head_sha"]))


def run(ask: Ask) -> Answer:
    return Answer(body=_run(ask, ask.state.latest(ask.number("run_id"))))


def attempt(ask: Ask) -> Answer:
    return Answer(body=_run(ask, ask.state.attempt(*_attempt(ask))))


def _attempt(ask: Ask) -> tuple[int, int]:
    run_id = ask.number("run_id")
    number = ask.number("attempt_number") if "attempt_number" in ask.names else max(ask.state.runs[run_id])
    return run_id, ask.state.runs[run_id][number]["run_attempt"]


def jobs(ask: Ask) -> Answer:
    run_id, last = _attempt(ask)
    is_all = ask.query.get("filter") == "all"
    return _jobs(ask, run_id, ask.state.runs[run_id] if is_all else [last])


def jobs_of_attempt(ask: Ask) -> Answer:
    run_id, number = _attempt(ask)
    return _jobs(ask, run_id, [number])


def _jobs(ask: Ask, run_id: int, numbers: Iterable[int]) -> Answer:
    attempts = ask.state.runs[run_id]
    told = [(attempts[number], job) for number in numbers for job in ask.state.jobs.get((run_id, number), ())]
    return page(ask, told, lambda pair: shapes.job(ask.repo, pair[1], pair[0]), "jobs")


def job(ask: Ask) -> Answer:
    of_run, told = ask.state.find_job(ask.number("job_id"))
    return Answer(body=shapes.job(ask.repo, told, of_run))


# -- downloads -------------------------------------------------------------------------------------------------


DOWNLOAD = "\x00blob"
"""What stands before the path in a Location that leads to the blob host; the server signs it."""


def _led_to(path: str) -> Answer:
    # GitHub's redirects have an empty body.
    return Answer(302, raw=b"", headers={"Location": f"{DOWNLOAD}{path}"}, content_type="text/html;charset=utf-8")


def job_log(ask: Ask) -> Answer:
    _, told = ask.state.find_job(ask.number("job_id"))
    state = ask.state.log_state(told)
    if state == "expired":
        return problem(410, "Server Error")
    if state == "never_written":
        raise Missing
    return _led_to(f"/job-logs/{told['id']}.txt")


def run_logs(ask: Ask) -> Answer:
    run_id, number = _attempt(ask)
    made = ask.state.zip_of_logs(run_id, number)
    if made == "expired":
        return problem(410, "Server Error")
    if made == "never_written":
        raise Missing
    return _led_to(f"/run-logs/{run_id}/{number}.zip")


def artifact_file(ask: Ask) -> Answer:
    told = _artifact(ask, ask.number("artifact_id"))
    if ask.names["archive_format"] != "zip":
        raise Missing
    if told["expired"]:
        return problem(410, "Artifact has expired")
    return _led_to(f"/artifacts/{told['id']}")


def blob(state: State, kind: str, name: str) -> Answer:
    """Return what the blob host holds: a job's log, a zip of logs, an artifact's file. Raises KeyError."""
    stem = name.partition(".")[0]
    if kind == "job-logs":
        held = state.logs[int(stem)]
        if isinstance(held, str):
            raise KeyError(name)
        return Answer(raw=held, content_type="text/plain")
    if kind == "run-logs":
        run_id, attempt = stem.split("/")
        made = state.zip_of_logs(int(run_id), int(attempt))
        file, content_type = f"logs_{run_id}.zip", "application/zip"
        if isinstance(made, str):
            raise KeyError(name)
    else:
        held_file = state.files[int(stem)]
        made, file, content_type = held_file.body, held_file.name, held_file.content_type
    headers = {"Content-Disposition": f"attachment; filename=\"{file}\"; filename*=UTF-8''{quote(file)}"}
    return Answer(raw=made, headers=headers, content_type=content_type)


# -- artifacts, caches, annotations ----------------------------------------------------------------------------


def _artifact(ask: Ask, artifact_id: int) -> Body:
    told = ask.state.described(artifact_id)
    run_id = ask.state.artifacts[artifact_id]["run_id"]
    return shapes.artifact(ask.repo, told, ask.state.latest(run_id), now=moment(ask.now))


def _artifacts(ask: Ask, run_id: int | None) -> Answer:
    asked = {"name": ask.query.get("name") or None, "run_id": run_id}
    found = [told for told in ask.state.artifacts.values() if matching(asked, told)]
    is_rising = ask.query.get("direction") == "asc"
    found.sort(key=lambda told: (told["created_at"], told["id"]), reverse=not is_rising)
    return page(ask, found, lambda told: _artifact(ask, told["id"]), "artifacts")


def artifacts(ask: Ask) -> Answer:
    return _artifacts(ask, None)


def artifacts_of_run(ask: Ask) -> Answer:
    return _artifacts(ask, _attempt(ask)[0])


def artifact(ask: Ask) -> Answer:
    return Answer(body=_artifact(ask, ask.number("artifact_id")))


def caches_asked(ask: Ask) -> list[Body]:
    """Return the caches whose key begins as asked, of the ref that was asked."""
    key, ref = ask.query.get("key") or "", ask.query.get("ref") or None
    return [told for told in ask.state.caches.values() if told["key"].startswith(key) and matching({"ref": ref}, told)]


def caches(ask: Ask) -> Answer:
    sort = ask.query.get("sort") or "last_accessed_at"
    if sort not in {"created_at", "last_accessed_at", "size_in_bytes"}:
        return problem(422, "Validation Failed", errors=[{"field": "sort", "code": "invalid"}])
    is_rising = ask.query.get("direction") == "asc"
    found = sorted(caches_asked(ask), key=lambda told: (told[sort], told["id"]), reverse=not is_rising)
    return page(ask, found, dict, "actions_caches")


def cache_usage(ask: Ask) -> Answer:
    held = ask.state.caches.values()
    n_bytes = sum(told["size_in_bytes"] for told in held)
    told = {"full_name": ask.state.full_name, "active_caches_size_in_bytes": n_bytes, "active_caches_count": len(held)}
    return Answer(body=told)


def annotations_of(ask: Ask) -> Answer:
    of_run, told = ask.state.find_job(ask.number("check_run_id"))
    found = ask.state.annotations.get(told["id"], [])
    return page(ask, found, lambda body: shapes.annotation(ask.repo, body, of_run["head_sha"]))
