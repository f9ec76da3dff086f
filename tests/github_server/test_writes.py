"""What changes something, and that it is there afterwards."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.github_server import Fault, Rights, Server
from tests.github_server.conftest import NOW, Client


@pytest.fixture
def ask(small: Server, client: Callable[..., Client]) -> Callable[..., Any]:
    """Return what asks the small server."""
    return client(small).ask


def failed_run(server: Server) -> int:
    """Return the newest run that failed at its only attempt."""
    state = server.state
    return next(
        run
        for run in state.newest_first()
        if len(state.runs[run]) == 1 and state.latest(run)["conclusion"] == "failure"
    )


def test_a_rerun_is_another_attempt(small: Server, ask: Callable[..., Any]) -> None:
    run_id = failed_run(small)
    before = ask(f"/actions/runs/{run_id}").json()
    assert ask(f"/actions/runs/{run_id}/rerun", "POST").status_code == 201
    after = ask(f"/actions/runs/{run_id}").json()
    assert (after["run_attempt"], after["status"], after["conclusion"]) == (2, "queued", None)
    assert (after["created_at"], after["run_started_at"]) == (before["created_at"], "2026-11-20T12:00:00Z")
    jobs = ask(f"/actions/runs/{run_id}/jobs?filter=all").json()["jobs"]
    assert [job["run_attempt"] for job in jobs] == [1, 1, 1, 2, 2, 2]
    assert len({job["id"] for job in jobs}) == 6
    assert ask(f"/actions/runs/{run_id}/rerun", "POST").status_code == 403
    small.state.finish(run_id, at=NOW, log=b"done\n")
    assert ask(f"/actions/runs/{run_id}").json()["conclusion"] == "success"
    assert ask(f"/actions/jobs/{jobs[-1]['id']}/logs").status_code == 302


def test_a_rerun_of_what_failed_keeps_the_rest(small: Server, ask: Callable[..., Any]) -> None:
    run_id = failed_run(small)
    words = [job["conclusion"] for job in small.state.jobs[run_id, 1]]
    assert ask(f"/actions/runs/{run_id}/rerun-failed-jobs", "POST").status_code == 201
    again = ask(f"/actions/runs/{run_id}/jobs").json()["jobs"]
    assert [job["conclusion"] for job in again] == [word if word == "success" else None for word in words]


def test_a_rerun_of_one_job(small: Server, ask: Callable[..., Any]) -> None:
    job = small.state.jobs[failed_run(small), 1][1]
    assert ask(f"/actions/jobs/{job['id']}/rerun", "POST").status_code == 201
    again = small.state.jobs[failed_run_of(small, job), 2]
    assert [told["name"] for told in again if told["status"] == "queued"] == [job["name"]]


def failed_run_of(server: Server, job: dict[str, Any]) -> int:
    """Return the run of a job."""
    return server.state.places[job["id"]][0]


def test_runs_of_more_than_a_month_ago_stay(small: Server, ask: Callable[..., Any]) -> None:
    refused = ask(f"/actions/runs/{small.state.newest_first()[-1]}/rerun", "POST")
    assert (refused.status_code, "over a month ago" in refused.json()["message"]) == (403, True)


def test_cancel(small: Server, ask: Callable[..., Any]) -> None:
    running, done = small.state.newest_first()[0], small.state.newest_first()[-1]
    assert ask(f"/actions/runs/{running}/cancel", "POST").status_code == 202
    assert ask(f"/actions/runs/{running}").json()["conclusion"] == "cancelled"
    assert ask(f"/actions/runs/{done}/cancel", "POST").status_code == 409


def test_dispatch(small: Server, ask: Callable[..., Any]) -> None:
    path = "/actions/workflows/nightly.yml/dispatches"
    assert ask(path, "POST", json={"ref": "main"}).status_code == 204
    newest = ask("/actions/runs?per_page=1").json()["workflow_runs"][0]
    assert (newest["event"], newest["status"], newest["path"]) == (
        "workflow_dispatch", "queued", ".github/workflows/nightly.yml",
    )  # fmt: skip
    told = ask(path, "POST", json={"ref": "main", "inputs": {"days": "7"}, "return_run_details": True})
    assert told.status_code == 200
    assert ask(f"/actions/runs/{told.json()['workflow_run_id']}").status_code == 200
    assert ask(path, "POST", json={"ref": "nowhere"}).status_code == 422
    assert ask(path, "POST", json={"ref": "main", "inputs": dict.fromkeys(map(str, range(26)))}).status_code == 422
    assert ask("/actions/workflows/ci.yml/dispatches", "POST", json={"ref": "main"}).status_code == 422


def test_caches_go_by_their_whole_key_or_id(small: Server, ask: Callable[..., Any]) -> None:
    first, second = list(small.state.caches.values())[:2]
    assert ask("/actions/caches", "DELETE").status_code == 422
    assert ask(f"/actions/caches?key={first['key'][:8]}", "DELETE").status_code == 404
    assert ask(f"/actions/caches?key={first['key']}", "DELETE").json()["total_count"] == 1
    assert ask(f"/actions/caches/{second['id']}", "DELETE").status_code == 204
    assert ask(f"/actions/caches/{second['id']}", "DELETE").status_code == 404
    assert ask("/actions/cache/usage").json()["active_caches_count"] == 43


def test_issues_labels_and_comments(small: Server, ask: Callable[..., Any]) -> None:
    made = ask("/issues", "POST", json={"title": "Flaky", "body": "<!-- mark -->", "labels": ["flaky"]}).json()
    ask("/issues", "POST", json={"title": "Other"})
    number = made["number"]
    assert [one["number"] for one in ask("/issues?labels=flaky").json()] == [number]
    comment = ask(f"/issues/{number}/comments", "POST", json={"body": "one"}).json()
    assert ask(f"/issues/comments/{comment['id']}", "PATCH", json={"body": "two"}).status_code == 200
    assert [one["body"] for one in ask(f"/issues/{number}/comments").json()] == ["two"]
    assert ask(f"/issues/{number}", "PATCH", json={"state": "closed"}).json()["closed_at"] == "2026-11-20T12:00:00Z"
    assert [one["number"] for one in ask("/issues?state=closed").json()] == [number]
    assert ask(f"/issues/{number}").json()["comments"] == 1
    assert [label["name"] for label in ask("/labels").json()] == ["flaky"]
    assert ask("/labels", "POST", json={"name": "FLAKY"}).status_code == 422
    assert ask("/issues", "POST", json={"body": "no title"}).status_code == 422
    assert ask("/issues", "POST", json={"title": "long", "body": "x" * 65_537}).status_code == 422
    assert ask("/issues/99/comments", "POST", json={"body": "x"}).status_code == 404


def test_a_branch_a_file_and_a_pull_request(ask: Callable[..., Any]) -> None:
    head, path = ask("/git/ref/heads/main").json()["object"]["sha"], "/contents/.github/workflows/ci.yml"
    assert ask("/git/refs", "POST", json={"ref": "refs/heads/fix", "sha": head}).status_code == 201
    assert ask("/git/refs", "POST", json={"ref": "refs/heads/fix", "sha": head}).status_code == 422
    text = base64.b64encode(b"name: CI\n").decode()
    body = {"message": "Change CI", "content": text, "branch": "fix"}
    assert ask(path, "PUT", json=body).status_code == 422
    assert ask(path, "PUT", json={**body, "sha": head}).status_code == 409
    old = ask(path).json()["sha"]
    done = ask(path, "PUT", json={**body, "sha": old})
    assert done.status_code == 200
    assert ask(f"{path}?ref=fix").json()["content"].strip() == text
    assert ask(path).json()["sha"] == old
    assert ask("/branches/fix").json()["commit"]["sha"] == done.json()["commit"]["sha"]
    assert ask(f"/commits/{done.json()['commit']['sha']}").json()["parents"][0]["sha"] == head
    asked = {"title": "Change CI", "head": "fix", "base": "main"}
    pull = ask("/pulls", "POST", json=asked)
    assert pull.status_code == 201
    assert ask("/pulls", "POST", json=asked).status_code == 422
    assert [one["number"] for one in ask("/pulls?head=example:fix").json()] == [pull.json()["number"]]
    assert ask(f"/issues/{pull.json()['number']}/comments", "POST", json={"body": "see"}).status_code == 201


def test_files_of_one_commit_and_a_draft(small: Server, ask: Callable[..., Any]) -> None:
    head = ask("/branches/main").json()["commit"]
    files = [
        {"path": path, "mode": "100644", "type": "blob", "content": "é"} for path in (".github/workflows/a.yml", "b/c")
    ]
    made = ask("/git/trees", "POST", json={"base_tree": head["commit"]["tree"]["sha"], "tree": files})
    assert made.status_code == 201
    commit = {"message": "fix(ci): both", "tree": made.json()["sha"], "parents": [head["sha"]]}
    sha = ask("/git/commits", "POST", json=commit).json()["sha"]
    assert ask("/git/refs", "POST", json={"ref": "refs/heads/fix/ci-a", "sha": sha}).status_code == 201
    for path in (".github/workflows/a.yml", "b/c", ".github/workflows/ci.yml"):
        assert ask(f"/contents/{path}?ref=fix/ci-a").status_code == 200
    assert ask("/contents/b/c").status_code == 404
    told = {"title": "Fix", "head": "fix/ci-a", "base": "main", "draft": True}
    assert ask("/pulls", "POST", json=told).json()["draft"] is True
    small.state.repo["has_drafts"] = False
    assert ask("/pulls", "POST", json=told).status_code == 422
    assert ask("/git/trees", "POST", json={"base_tree": "0" * 40, "tree": files}).status_code == 404
    assert ask("/git/trees", "POST", json={"tree": [{"path": "a", "mode": "100644"}]}).status_code == 422
    assert ask("/git/commits", "POST", json={**commit, "tree": "0" * 40}).status_code == 422


def test_a_token_that_may_not_write_workflows(small: Server, ask: Callable[..., Any]) -> None:
    small.tokens["token-one"] = Rights(workflows="none")
    body = {"message": "Change", "content": "bg=="}
    assert ask("/contents/.github/workflows/ci.yml", "PUT", json=body).status_code == 403
    assert ask("/contents/notes.md", "PUT", json=body).status_code == 201
    file = {"path": ".github/workflows/a.yml", "mode": "100644", "type": "blob", "content": "a"}
    assert ask("/git/trees", "POST", json={"tree": [file]}).status_code == 403


def test_comments_go_away_and_a_pull_request_is_an_issue_too(small: Server, ask: Callable[..., Any]) -> None:
    sha = small.state.newest_first() and next(iter(small.state.commits))
    said = ask(f"/commits/{sha}/comments", "POST", json={"body": "one"}).json()
    assert ask(f"/comments/{said['id']}", "PATCH", json={"body": "two"}).status_code == 200
    assert [one["body"] for one in ask(f"/commits/{sha}/comments").json()] == ["two"]
    assert [ask(f"/comments/{said['id']}", "DELETE").status_code for _ in range(2)] == [204, 404]
    assert ask(f"/commits/{'0' * 40}/comments", "POST", json={"body": "one"}).status_code == 404
    small.state.refs["heads/fix"] = sha
    number = ask("/pulls", "POST", json={"title": "Fix", "head": "fix", "base": "main"}).json()["number"]
    assert ask(f"/issues/{number}").json()["pull_request"]["url"].endswith(f"/pulls/{number}")
    comment = ask(f"/issues/{number}/comments", "POST", json={"body": "one"}).json()
    assert [ask(f"/issues/comments/{comment['id']}", "DELETE").status_code for _ in range(2)] == [204, 404]


def test_a_write_that_nobody_hears_of(small: Server, ask: Callable[..., Any]) -> None:
    small.faults.append(Fault("unheard", method="POST"))
    assert ask("/labels").status_code == 200
    assert ask("/labels", "POST", json={"name": "ci"}).status_code == 502
    assert [label["name"] for label in ask("/labels").json()] == ["ci"]


def test_a_body_that_is_no_json(ask: Callable[..., Any]) -> None:
    assert ask("/issues", "POST", data="{").status_code == 400
