"""One plan for each kind of action, and what must be true of the server once it was applied, however often."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from kotaci.actions import (
    Ground,
    Held,
    HeldIssue,
    Kind,
    Plan,
    Stage,
    plan_comment,
    plan_findings,
    plan_handoff,
    plan_publish,
)
from kotaci.actions.identity import find_sections
from kotaci.actions.patches import plan_patches, to_remedies
from kotaci.archives.checkout import tree_of
from kotaci.audit import audit
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


CI = ".github/workflows/ci.yml"
WITHOUT_LIMIT = (
    "name: CI\non: push\njobs:\n  test:\n    runs-on: ubuntu-24.04 # x\n    steps:\n      - run: cargo test\n"
)


def developed(server: Server, text: str = WITHOUT_LIMIT) -> Ground:
    """Put a branch develop on the server with that workflow file; return it as where patches go."""
    state = server.state
    main = state.commits[state.refs["heads/main"]]
    blob = state.objects.add_blob(text.encode())
    root = state.objects.put(main["root_tree"], CI, blob)
    state.commits["d" * 40] = {**main, "sha": "d" * 40, "parents": [main["sha"]], "root_tree": root}
    state.refs["heads/develop"] = "d" * 40
    return Ground("develop", "d" * 40, main["commit"]["committer"]["date"], {CI: blob})


def patch_plan(ground: Ground, text: str = WITHOUT_LIMIT) -> Plan:
    """Return the plan that gives the jobs of that text a time-out."""
    tree = tree_of({CI: text})
    remedies, left_out = to_remedies(tree, audit(tree, rules=["job-without-timeout"]).marks)
    return plan_patches(remedies, ground, repo=WHERE, left_out=left_out)


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
    if kind == Kind.OPEN_PULL:
        return patch_plan(developed(server))
    found = {"flaky_tests": [finding(run_id=11)], "ci_health": []}
    if kind == Kind.CREATE_ISSUE:
        return plan_findings(write_report(folder / "now", {"ci_health": [red_now()]}), held(server), repo=WHERE)
    if kind in {Kind.UPDATE_ISSUE, Kind.REOPEN_ISSUE, Kind.CLOSE_ISSUE}:
        opened(server, folder, state="closed" if kind == Kind.REOPEN_ISSUE else "open")
        parts = {"flaky_tests": []} if kind == Kind.CLOSE_ISSUE else found
        return plan_findings(write_report(folder / "now", parts, as_of=LATER), held(server), repo=WHERE)
    if kind == Kind.HAND_OFF:
        return plan_handoff("# CI hand-off", repo=WHERE, issue=1, as_of=datetime(2026, 11, 20, tzinfo=UTC))
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


def _pull(server: Server) -> bool:
    """Tell whether there is one branch with one commit, and one draft pull request of it; nobody's branch has moved."""
    state = server.state
    branches = [name for name in state.refs if name.startswith("heads/fix/")]
    pulls = [told for told in state.pulls.values() if find_sections(told.get("body") or "")]
    if (len(branches), len(pulls), state.refs["heads/develop"]) != (1, 1, "d" * 40):
        return False
    commit, base = state.commits[state.refs[branches[0]]], state.commits["d" * 40]
    entry = state.objects.find(commit["root_tree"], CI)
    text = WITHOUT_LIMIT.replace("# x\n", "# x\n    timeout-minutes: 30\n").encode()
    others = [state.objects.put(one["root_tree"], CI, "0" * 40) for one in (commit, base)]
    is_ours = commit["parents"] == ["d" * 40] and others[0] == others[1]
    ends = [f"heads/{pulls[0][end]['ref']}" for end in ("head", "base")]
    is_draft = pulls[0]["draft"] and ends == [branches[0], "heads/develop"]
    return is_ours and is_draft and entry is not None and state.objects.blobs[entry.sha] == text


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
    Kind.OPEN_PULL: _pull,
    Kind.HAND_OFF: lambda server: [told["issue"] for told in server.state.comments.values()] == [1],
    Kind.RERUN_FAILED: lambda server: len(server.state.runs[failed_run_before(server)]) == 2,
}
"""What is true once an action of that kind was done: once, and no more."""

N_WRITES = {Kind.OPEN_PULL: 4}
"""How many requests write it, where it is not one."""


def failed_run_before(server: Server) -> int:
    """Return the run that was run again, by its first attempt."""
    state = server.state
    return next(run for run in state.newest_first() if state.runs[run][1]["conclusion"] == "failure")
