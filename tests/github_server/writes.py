"""What changes something: re-runs, dispatches, caches, issues, comments, labels, references, files, pull requests."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from kotaci.model import parse_moment
from tests.github_server import shapes
from tests.github_server.asking import Ask, Missing, Refused
from tests.github_server.policy import Answer, problem
from tests.github_server.repository import commit_of, issue_body
from tests.github_server.runs import caches_asked, workflow_of
from tests.github_server.shapes import Body, moment

BODY_LIMIT = 65_536
"""Characters of an issue's or comment's body."""

BAD_JOBS = frozenset({"failure", "cancelled", "timed_out", "skipped", "startup_failure"})
"""Conclusions of jobs that `rerun-failed-jobs` does again; the skipped ones stood behind a failed one."""


def _needed(ask: Ask, *names: str) -> list[Any]:
    missing = [name for name in names if ask.body.get(name) is None or ask.body[name] == ""]
    if missing:
        raise _invalid(*missing, code="missing_field")
    return [ask.body[name] for name in names]


def _invalid(*fields: str, code: str = "invalid") -> Refused:
    errors = [{"resource": "Body", "field": field, "code": code} for field in fields]
    return Refused(problem(422, "Validation Failed", errors=errors))


def _text(ask: Ask) -> str | None:
    body = ask.body.get("body")
    if body is not None and len(body) > BODY_LIMIT:
        raise Refused(
            problem(422, "Validation Failed", errors=[f"body is too long (maximum is {BODY_LIMIT} characters)"])
        )
    return body


# -- runs ------------------------------------------------------------------------------------------------------


def _again(ask: Ask, run_id: int, again: Callable[[Body], bool]) -> Answer:
    told = ask.state.latest(run_id)
    if told["status"] != "completed":
        return problem(403, "This workflow is already running")
    if parse_moment(told["created_at"]) < ask.now - timedelta(days=30):
        return problem(403, "Unable to retry this workflow run because it was created over a month ago")
    ask.state.rerun(run_id, at=ask.now, again=again)
    return Answer(201, {})


def rerun(ask: Ask) -> Answer:
    return _again(ask, ask.number("run_id"), lambda _: True)


def rerun_failed(ask: Ask) -> Answer:
    return _again(ask, ask.number("run_id"), lambda job: job["conclusion"] in BAD_JOBS)


def rerun_job(ask: Ask) -> Answer:
    of_run, told = ask.state.find_job(ask.number("job_id"))
    return _again(ask, of_run["id"], lambda job: job["name"] == told["name"])


def cancel(ask: Ask) -> Answer:
    told = ask.state.latest(ask.number("run_id"))
    if told["status"] == "completed":
        return problem(409, "Cannot cancel a workflow run that is completed.")
    ask.state.finish(told["id"], at=ask.now, conclusion="cancelled")
    return Answer(202, {})


def dispatch(ask: Ask) -> Answer:
    state, told, (ref,) = ask.state, workflow_of(ask), _needed(ask, "ref")
    head = state.commit_of(ref)
    if head is None:
        return problem(422, f"No ref found for: {ref}")
    if len(ask.body.get("inputs") or {}) > 25:
        return problem(422, "Invalid Argument - you may only define up to 25 inputs for a workflow_dispatch event")
    file = state.objects.find(head["root_tree"], told["path"])
    if file is None or b"workflow_dispatch" not in state.objects.blobs[file.sha]:
        return problem(422, "Workflow does not have 'workflow_dispatch' trigger")
    at = moment(ask.now)
    times = dict.fromkeys(("created_at", "run_started_at", "updated_at"), at)
    run = state.add_run(
        **times, event="workflow_dispatch", status="queued", conclusion=None, head_sha=head["sha"], name=told["name"],
        head_branch=ref.removeprefix("refs/heads/"), path=told["path"], workflow_id=told["id"], actor=state.me,
        triggering_actor=state.me, display_title=told["name"], pull_requests=[],
    )  # fmt: skip
    state.jobs[run["id"], 1] = []
    if not ask.body.get("return_run_details"):
        return Answer(204)
    home = f"{state.full_name}/actions/runs/{run['id']}"
    urls = {"run_url": f"{shapes.API}/repos/{home}", "html_url": f"{shapes.WEB}/{home}"}
    return Answer(200, {"workflow_run_id": run["id"], **urls})


def delete_caches(ask: Ask) -> Answer:
    if not ask.query.get("key"):
        raise _invalid("key", code="missing_field")
    # Deleting asks for the whole key, listing only for its beginning.
    found = [told for told in caches_asked(ask) if told["key"] == ask.query["key"]]
    if not found:
        raise Missing
    for told in found:
        del ask.state.caches[told["id"]]
    return Answer(200, {"total_count": len(found), "actions_caches": found})


def delete_cache(ask: Ask) -> Answer:
    del ask.state.caches[ask.number("cache_id")]
    return Answer(204)


# -- issues ----------------------------------------------------------------------------------------------------


def _next_number(ask: Ask) -> int:
    # Issues and pull requests share their numbers; those that runs name are taken too.
    named: list[int] = [
        pull["number"]
        for attempts in ask.state.runs.values()
        for told in attempts.values()
        for pull in told.get("pull_requests") or ()
    ]
    return max([0, *ask.state.issues, *ask.state.pulls, *named]) + 1


def _new(ask: Ask, number: int) -> Body:
    at = moment(ask.now)
    return {
        "id": 2_900_000_000 + number, "number": number, "state": "open", "user": ask.state.me, "created_at": at,
        "updated_at": at,
    }  # fmt: skip


def _labels(ask: Ask) -> list[str]:
    names = [told if isinstance(told, str) else told["name"] for told in ask.body.get("labels") or ()]
    for name in names:
        ask.state.labels.setdefault(name, {"name": name})
    return names


def create_issue(ask: Ask) -> Answer:
    (title,) = _needed(ask, "title")
    number = _next_number(ask)
    ask.state.issues[number] = {**_new(ask, number), "title": title, "body": _text(ask), "labels": _labels(ask)}
    return Answer(201, issue_body(ask, ask.state.issues[number]))


def change_issue(ask: Ask) -> Answer:
    told = ask.state.issues[ask.number("issue_number")]
    _text(ask)
    if ask.body.get("state") not in {None, "open", "closed"}:
        raise _invalid("state")
    told |= {name: ask.body[name] for name in ("title", "body", "state") if name in ask.body}
    if "labels" in ask.body:
        told["labels"] = _labels(ask)
    is_closed = told["state"] == "closed"
    told |= {"updated_at": moment(ask.now), "closed_at": moment(ask.now) if is_closed else None}
    told["state_reason"] = (ask.body.get("state_reason") or "completed") if is_closed else None
    return Answer(200, issue_body(ask, told))


def create_comment(ask: Ask) -> Answer:
    number = ask.number("issue_number")
    if number not in ask.state.issues and number not in ask.state.pulls:
        raise Missing
    _needed(ask, "body")
    comment_id = max([3_000_000_000, *ask.state.comments]) + 1
    told = {**_new(ask, number), "id": comment_id, "issue": number, "body": _text(ask)}
    ask.state.comments[comment_id] = told
    return Answer(201, shapes.comment(ask.repo, told))


def change_comment(ask: Ask) -> Answer:
    told = ask.state.comments[ask.number("comment_id")]
    _needed(ask, "body")
    told |= {"body": _text(ask), "updated_at": moment(ask.now)}
    return Answer(200, shapes.comment(ask.repo, told))


def delete_comment(ask: Ask) -> Answer:
    del ask.state.comments[ask.number("comment_id")]
    return Answer(204)


def create_commit_comment(ask: Ask) -> Answer:
    sha = ask.state.commits[ask.names["commit_sha"]]["sha"]
    _needed(ask, "body")
    comment_id = max([400_000_000, *ask.state.commit_comments]) + 1
    told = {**_new(ask, 0), "id": comment_id, "commit_id": sha, "body": _text(ask)}
    ask.state.commit_comments[comment_id] = told
    return Answer(201, shapes.commit_comment(ask.repo, told))


def change_commit_comment(ask: Ask) -> Answer:
    told = ask.state.commit_comments[ask.number("comment_id")]
    _needed(ask, "body")
    told |= {"body": _text(ask), "updated_at": moment(ask.now)}
    return Answer(200, shapes.commit_comment(ask.repo, told))


def delete_commit_comment(ask: Ask) -> Answer:
    del ask.state.commit_comments[ask.number("comment_id")]
    return Answer(204)


def create_label(ask: Ask) -> Answer:
    (name,) = _needed(ask, "name")
    if name.lower() in {known.lower() for known in ask.state.labels}:
        raise _invalid("name", code="already_exists")
    given = {key: ask.body[key] for key in ("color", "description") if ask.body.get(key)}
    ask.state.labels[name] = {"name": name, **given}
    return Answer(201, shapes.label(ask.repo, ask.state.labels[name]))


# -- references, files, pull requests --------------------------------------------------------------------------


def create_ref(ask: Ask) -> Answer:
    ref, sha = _needed(ask, "ref", "sha")
    if not ref.startswith("refs/") or ref.count("/") < 2:
        return problem(422, "Reference name must start with 'refs/' and contain at least two slashes")
    if ref.removeprefix("refs/") in ask.state.refs:
        return problem(422, "Reference already exists")
    if sha not in ask.state.commits:
        return problem(422, "Object does not exist")
    ask.state.refs[ref.removeprefix("refs/")] = sha
    return Answer(201, shapes.git_ref(ask.repo, ref.removeprefix("refs/"), sha))


def create_tree(ask: Ask) -> Answer:
    state, (entries,) = ask.state, _needed(ask, "tree")
    root = ask.body.get("base_tree")
    if root is not None and root not in state.objects.trees:
        return problem(404, "Not Found")
    for entry in entries:
        if (entry.get("mode"), entry.get("type")) != ("100644", "blob") or not isinstance(entry.get("content"), str):
            return problem(422, "tree.sha or tree.content must be given")
        root = state.objects.put(root, entry["path"], state.objects.add_blob(entry["content"].encode()))
    return Answer(201, shapes.tree(ask.repo, state.objects, root, is_deep=False))


def create_commit(ask: Ask) -> Answer:
    message, root = _needed(ask, "message", "tree")
    parents = ask.body.get("parents") or []
    if root not in ask.state.objects.trees or any(parent not in ask.state.commits for parent in parents):
        return problem(422, "Tree SHA does not exist")
    told = _committed(ask, root, parents, message)
    return Answer(201, shapes.git_commit(ask.repo, told))


def _committed(ask: Ask, root: str, parents: list[str], message: str) -> Body:
    who = {"name": ask.state.me, "date": moment(ask.now)}
    # What was made in one moment of the server's clock is told apart, as what people make is.
    seed = f"{parents} {root} {message} {ask.now} {len(ask.state.commits)}"
    sha = hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()
    told: Body = {
        "sha": sha, "parents": parents, "root_tree": root, "files": [],
        "commit": {"author": who, "committer": who, "message": message},
    }  # fmt: skip
    ask.state.commits[sha] = told
    return told


def put_content(ask: Ask) -> Answer:
    state, path = ask.state, ask.names["path"].strip("/")
    message, text = _needed(ask, "message", "content")
    try:
        body = base64.b64decode(text)
    except binascii.Error:
        return problem(422, "content is not valid Base64")
    name = ask.body.get("branch") or ask.repo["default_branch"]
    if f"heads/{name}" not in state.refs:
        return problem(404, f"Branch {name} not found")
    parent = commit_of(ask, name)
    before = state.objects.find(parent["root_tree"], path)
    if before is not None and not ask.body.get("sha"):
        return problem(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if ask.body.get("sha") and (before is None or before.sha != ask.body["sha"]):
        return problem(409, f"{path} does not match {ask.body['sha']}")
    root = state.objects.put(parent["root_tree"], path, state.objects.add_blob(body))
    told = _committed(ask, root, [parent["sha"]], message)
    told["files"] = [{"filename": path, "status": "added" if before is None else "modified"}]
    state.refs[f"heads/{name}"] = told["sha"]
    entry = state.objects.find(root, path)
    if entry is None:
        raise Missing
    content = shapes.content(ask.repo, state.objects, path, entry, name, is_whole=False)
    whole = shapes.commit(ask.repo, told)
    return Answer(201 if before is None else 200, {"content": content, "commit": {**whole["commit"], **whole}})


def create_pull(ask: Ask) -> Answer:
    title, head, base = _needed(ask, "title", "head", "base")
    head = head.rpartition(":")[2]
    ends = {name: ask.state.refs.get(f"heads/{ref}") for name, ref in (("head", head), ("base", base))}
    missing = [name for name, sha in ends.items() if sha is None]
    if missing:
        raise _invalid(*missing)
    for told in ask.state.pulls.values():
        if (told["state"], told["head"]["ref"], told["base"]["ref"]) == ("open", head, base):
            who = f"{ask.repo['owner']['login']}:{head}"
            errors = [{"resource": "PullRequest", "message": f"A pull request already exists for {who}."}]
            return problem(422, "Validation Failed", errors=errors)
    number = _next_number(ask)
    refs = {"head": {"ref": head, "sha": ends["head"]}, "base": {"ref": base, "sha": ends["base"]}}
    is_draft = bool(ask.body.get("draft"))
    if is_draft and not ask.repo.get("has_drafts", True):
        return problem(422, "Draft pull requests are not supported in this repository.")
    told = {**_new(ask, number), "title": title, "body": _text(ask), "draft": is_draft, **refs}
    ask.state.pulls[number] = told
    merged = {"merged": False, "mergeable": None, "rebaseable": None, "mergeable_state": "unknown", "merged_by": None}
    counts = dict.fromkeys(("comments", "review_comments", "additions", "deletions"), 0)
    size = {**counts, "commits": 1, "changed_files": 1, "maintainer_can_modify": False}
    return Answer(201, {**shapes.pull(ask.repo, ask.state.pulls[number]), **merged, **size})
