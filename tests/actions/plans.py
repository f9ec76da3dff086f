"""One plan for each kind of action, and what must be true of the server once it was applied, however often."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kotaci.actions import Held, HeldIssue, Kind, Plan, Stage, plan_comment, plan_findings, plan_publish
from kotaci.actions.identity import find_sections
from kotaci.model import Repo
from tests.actions.reports import LATER, REPO, finding, red_now, write_report
from tests.github_server import Server

WHERE = Repo.parse(REPO)
TARGETS = {
    Kind.COMMENT_ISSUE: "issue:1",
    Kind.COMMENT_PULL: "pull:3",
    Kind.COMMENT_COMMIT: "commit:{sha}",
    Kind.RERUN_FAILED: "run:{run}/1",
}


def failed_run(server: Server) -> int:
    """Return the newest run that failed."""
    state = server.state
    return next(run for run in state.newest_first() if state.latest(run)["conclusion"] == "failure")


def held(server: Server) -> Held:
    """Return what the server holds, read off its state."""
    issues = [
        HeldIssue(told["number"], told["title"], told["body"], told["state"] == "open", told.get("state_reason") or "")
        for told in server.state.issues.values()
        if find_sections(told.get("body") or "")
    ]
    return Held(tuple(issues), tuple(server.state.labels))


def opened(server: Server, folder: Path, *, state: str) -> None:
    """Put an issue of the kit's own, opened the night before, on the server as number 5."""
    report = write_report(folder / "before", {"flaky_tests": [finding()]})
    (action,) = plan_findings(report, Held(), repo=WHERE).actions
    at = {"created_at": "2026-11-20T12:00:00Z", "updated_at": "2026-11-20T12:00:00Z", "user": "octocat"}
    server.state.issues[5] = {
        **at, "id": 5, "number": 5, "title": action.title, "body": f"Seen by hand.\n\n{action.body}\n\nThanks!",
        "labels": ["flaky"], "state": state, "state_reason": "completed" if state == "closed" else None,
    }  # fmt: skip


def plan_for(kind: Kind, server: Server, folder: Path) -> Plan:
    """Return a plan of one action of that kind, the server prepared for it."""
    found = {"flaky_tests": [finding(run_id=11)], "ci_health": []}
    if kind == Kind.CREATE_ISSUE:
        return plan_findings(write_report(folder / "now", {"ci_health": [red_now()]}), held(server), repo=WHERE)
    if kind in {Kind.UPDATE_ISSUE, Kind.REOPEN_ISSUE, Kind.CLOSE_ISSUE}:
        opened(server, folder, state="closed" if kind == Kind.REOPEN_ISSUE else "open")
        parts = {"flaky_tests": []} if kind == Kind.CLOSE_ISSUE else found
        return plan_findings(write_report(folder / "now", parts, as_of=LATER), held(server), repo=WHERE)
    report = write_report(folder / "now", found)
    if kind == Kind.COMMENT_ISSUE:
        return plan_publish(report, repo=WHERE, issue=1)
    sha = next(iter(server.state.commits))
    target = TARGETS[kind].format(sha=sha, run=failed_run(server))
    return plan_comment(report, repo=WHERE, target=target, stage=Stage.PROGRESS)


def _ours(bodies: list[str]) -> int:
    return sum(len(find_sections(body or "")) for body in bodies)


def _issue(server: Server, number: int, state: str) -> bool:
    told = server.state.issues[number]
    (section,) = find_sections(told["body"])
    is_kept = told["body"].startswith("Seen by hand.\n\n") and told["body"].endswith("\n\nThanks!")
    history = [moment for moment, _ in section.history]
    return is_kept and told["state"] == state and section.marker.as_of == "2026-11-21T14:28:00Z" and len(history) < 3


CHECKS: dict[Kind, Callable[[Server], bool]] = {
    Kind.CREATE_ISSUE: lambda server: (
        _ours([told.get("body") for told in server.state.issues.values() if told["state"] == "open"])
        == 1
        == _ours([told.get("body") for told in server.state.issues.values()])
    ),
    Kind.UPDATE_ISSUE: lambda server: _issue(server, 5, "open"),
    Kind.REOPEN_ISSUE: lambda server: _issue(server, 5, "open"),
    Kind.CLOSE_ISSUE: lambda server: _issue(server, 5, "closed"),
    Kind.COMMENT_ISSUE: lambda server: [told["issue"] for told in server.state.comments.values()] == [1],
    Kind.COMMENT_PULL: lambda server: [told["issue"] for told in server.state.comments.values()] == [3],
    Kind.COMMENT_COMMIT: lambda server: len(server.state.commit_comments) == 1,
    Kind.RERUN_FAILED: lambda server: len(server.state.runs[failed_run_before(server)]) == 2,
}
"""What is true once an action of that kind was done: once, and no more."""


def failed_run_before(server: Server) -> int:
    """Return the run that was run again, by its first attempt."""
    state = server.state
    return next(run for run in state.newest_first() if state.runs[run][1]["conclusion"] == "failure")
