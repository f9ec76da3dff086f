"""States made of what a store holds: the bundled sample, or any store, gaps filled and negative ids made positive."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import zstandard

from kotaci.model import parse_moment
from kotaci.places import sample_folder
from kotaci.sample import read_sample
from kotaci.store import Batch, Log, Payload, open_store
from tests.github_server.objects import Entry
from tests.github_server.shapes import Body, moment, number_of
from tests.github_server.state import Made, State, artifact_file

EPOCH = "2026-01-01T00:00:00Z"
"""When a thing happened of which no source told a time."""

_BY_RUN = ("run", "job", "annotations")
_ALONE = ("repo", "artifacts", "caches", "commit", "workflow_tree", "workflow_file", "codeowners", "workflow")

# What a store calls its logs, as the API shows it: a pruned one was there once, one not fetched we cannot give.
_STATES = {"expired": "expired", "never_written": "never_written", "pruned": "expired", "not_fetched": "never_written"}


def of_sample() -> State:
    """Return the bundled sample."""
    return _of_batches(read_sample(sample_folder() / "history.tar.xz"))


def of_store(path: Path, *, repo: str | None = None) -> State:
    """Return what the store holds of that repository, by default its first."""
    with open_store(path) as store:
        name = repo or store.repos()[0]

        def batches() -> Iterator[Batch]:
            for kind in (*_BY_RUN, *_ALONE):
                for key, source, body in store.payloads(name, kind):
                    yield Batch(name, source, [Payload(kind, key, body)])
            for key, _, run in store.payloads(name, "run"):
                run_id, attempt = map(int, key.split("/"))
                for job_id, (state, _) in store.log_rows(name, run_id, attempt).items():
                    text = store.log(name, run_id, attempt, job_id) or ""
                    at = parse_moment(run.get("run_started_at") or EPOCH)
                    yield Batch(name, "api", (), [Log(run_id, attempt, job_id, at, text.encode(), state)])

        return _of_batches(batches())


def _of_batches(batches: Iterable[Batch]) -> State:
    kinds: dict[str, dict[str, Any]] = {kind: {} for kind in (*_BY_RUN, *_ALONE)}
    logs, name = dict[int, bytes | str](), "example/unnamed"
    for batch in batches:
        name = batch.repo
        for payload in batch.payloads:
            kinds.setdefault(payload.kind, {})[payload.key] = payload.body
        for log in batch.logs:
            is_lost = log.state == "never_written" and "runner was lost" in log.reason
            told = "lost" if is_lost else _STATES.get(log.state, "")
            logs[abs(log.job_id)] = told or zstandard.compress(_bytes(log.body))
    state = State(_repo(name, next(iter(kinds["repo"].values()), {})))
    state.logs = Made(lambda job_id: _log(logs.get(job_id)), n_kept=64)
    state.workflows = {told["id"]: told for told in kinds["workflow"].values()}
    _add_runs(state, kinds)
    _add_commits(state, kinds)
    newest = max(state.runs.values(), key=lambda attempts: attempts[min(attempts)]["created_at"], default={})
    if newest and state.repo["pushed_at"] == EPOCH:
        state.repo["pushed_at"] = newest[min(newest)]["created_at"]
    for caches in list(kinds["caches"].values())[-1:]:
        state.caches = {cache["id"]: cache for cache in caches["actions_caches"]}
    held = state.artifacts
    state.files = Made(lambda key: artifact_file(held[key]["name"], key, held[key].get("size_in_bytes")))
    for listed in kinds["artifacts"].values():
        for told in listed["artifacts"]:
            _add_artifact(state, told)
    return state


def _bytes(body: bytes | Path) -> bytes:
    return body.read_bytes() if isinstance(body, Path) else body


def _log(held: bytes | str | None) -> bytes | str | None:
    return zstandard.decompress(held) if isinstance(held, bytes) else held


def _repo(full_name: str, told: Body) -> Body:
    owner, _, name = full_name.partition("/")
    empty: Body = {"private": False, "description": None, "default_branch": "main", "pushed_at": EPOCH}
    empty |= {"id": number_of(full_name), "created_at": EPOCH, "updated_at": EPOCH, "full_name": full_name}
    return {**empty, **told, "name": name, "owner": {"login": owner, "type": "Organization", **told.get("owner", {})}}


def _add_runs(state: State, kinds: Mapping[str, Mapping[str, Any]]) -> None:
    jobs: dict[str, list[Body]] = {}
    for key, job in kinds["job"].items():
        jobs.setdefault(key.rpartition("/")[0], []).append({**job, "id": abs(int(key.rpartition("/")[2]))})
    for place, (key, told) in enumerate(kinds["run"].items(), start=1):
        run_id, attempt = abs(int(key.split("/")[0])), int(key.split("/")[1])
        own = jobs.get(key, [])
        run = _run(told, run_id, attempt, own, place)
        state.runs.setdefault(run_id, {})[attempt] = run
        state.jobs[run_id, attempt] = [{**_timed(job, run), "run_id": run_id} for job in own]
        state.places.update({job["id"]: (run_id, attempt) for job in own})
        workflow = {"name": run["name"], "path": run["path"], "state": "active"}
        times = dict.fromkeys(("created_at", "updated_at"), state.repo["created_at"])
        state.workflows.setdefault(run["workflow_id"], {"id": run["workflow_id"], **workflow, **times})
    for attempts in state.runs.values():
        # A store may know the second attempt only; GitHub always knows the first.
        attempts.setdefault(1, {**attempts[min(attempts)], "run_attempt": 1})
    for key, told in kinds["annotations"].items():
        state.annotations[abs(int(key.rpartition("/")[2]))] = told


def _run(told: Body, run_id: int, attempt: int, jobs: list[Body], place: int) -> Body:
    known = {name: value for name, value in told.items() if value not in (None, "")}
    begins = [job["started_at"] for job in jobs if job.get("started_at")]
    at = known.get("run_started_at") or known.get("created_at") or min(begins, default=EPOCH)
    path = known.get("path") or f".github/workflows/{known.get('name') or 'ci'}.yml"
    empty = {
        "name": path, "path": path, "run_number": place, "event": "push", "status": "completed", "head_branch": None,
        "head_sha": hashlib.sha1(str(run_id).encode(), usedforsecurity=False).hexdigest(), "actor": "ghost",
        "workflow_id": number_of(path), "display_title": known.get("name") or path, "created_at": at, "updated_at": at,
        "run_started_at": at, "conclusion": None,
    }  # fmt: skip
    whole = {**empty, **known, "id": run_id, "run_attempt": attempt}
    return {name: moment(parse_moment(value)) if name.endswith("_at") else value for name, value in whole.items()}


def _timed(job: Body, run: Body) -> Body:
    # GitHub tells an end of everything that is finished.
    end = job.get("completed_at") or (run["updated_at"] if job.get("conclusion") else None)
    begin = job.get("started_at") or job.get("created_at") or run["run_started_at"]
    steps = [
        {"status": "completed", "conclusion": None, "started_at": None, "completed_at": None, **step}
        for step in job.get("steps") or ()
    ]
    return {**job, "created_at": job.get("created_at") or begin, "started_at": begin, "completed_at": end,
            "steps": steps}  # fmt: skip


def _add_artifact(state: State, told: Body) -> None:
    run_id = abs(told["workflow_run"]["id"])
    if run_id not in state.runs:
        return
    at = state.runs[run_id][min(state.runs[run_id])]["created_at"]
    ends = moment(parse_moment(told.get("created_at") or at) + timedelta(days=90))
    times = {"created_at": at, "updated_at": at, "expires_at": ends}
    artifact_id = abs(told["id"])
    state.artifacts[artifact_id] = {**times, **told, "id": artifact_id, "run_id": run_id}


def _add_commits(state: State, kinds: Mapping[str, Mapping[str, Any]]) -> None:
    objects = state.objects
    for sha, text in kinds["workflow_file"].items():
        objects.add_blob(text.encode(), sha=sha)
    for sha, files in kinds["workflow_tree"].items():
        objects.add_tree((Entry(Path(path).name, "blob", blob) for path, blob in files.items()), sha=sha)
    owners: dict[str, str] = {}
    for text in kinds["codeowners"].values():
        owners[".github/CODEOWNERS"] = objects.add_blob(text.encode())
    files = {"README.md": objects.add_blob(f"# {state.repo['name']}\n".encode()), **owners}
    roots: dict[str, str] = {}
    for sha, told in kinds["commit"].items():
        tree = told.get("workflows_tree") or ""
        roots.setdefault(tree, objects.root(files, workflows=tree))
        state.commits[sha] = _commit(sha, told, roots[tree])
    for attempts in state.runs.values():
        for run in attempts.values():
            who = {"name": "ghost", "date": run["created_at"]}
            unknown = {"commit": {"author": who, "committer": who, "message": run["display_title"]}}
            roots.setdefault("", objects.root(owners))
            state.commits.setdefault(run["head_sha"], _commit(run["head_sha"], unknown, roots[""]))
            if run["head_branch"]:
                state.refs.setdefault(f"heads/{run['head_branch']}", run["head_sha"])
    _point_branches(state)


def _commit(sha: str, told: Body, root: str) -> Body:
    parents = [parent if isinstance(parent, str) else parent["sha"] for parent in told.get("parents", ())]
    return {**told, "sha": sha, "parents": parents, "files": told.get("files", []), "root_tree": root}


def _point_branches(state: State) -> None:
    for run_id in reversed(state.newest_first()):
        run = state.latest(run_id)
        if run["head_branch"] and run["event"] in {"push", "schedule", "pull_request"}:
            state.refs[f"heads/{run['head_branch']}"] = run["head_sha"]
    dates = {sha: told["commit"]["committer"]["date"] for sha, told in state.commits.items()}
    if dates:
        state.refs.setdefault(f"heads/{state.repo['default_branch']}", max(dates, key=lambda sha: (dates[sha], sha)))
