"""Each kind of action: applied, applied again, two at once, unheard, refused; it is written once, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kotaci.actions import (
    Action,
    Applied,
    CannotApply,
    Kind,
    Plan,
    fetch_held,
    plan_comment,
    plan_findings,
    plan_publish,
)
from kotaci.actions.held import is_trusted
from kotaci.actions.identity import find_sections
from kotaci.github import Client, Refused, Unreachable
from kotaci.model import BadInput, KotaciError
from tests.actions.conftest import TOKEN, writes
from tests.actions.plans import CHECKS, N_WRITES, WHERE, failed_run, held, opened, plan_for
from tests.actions.reports import LATER, finding, red_now, write_report
from tests.github.clock import Hands
from tests.github_server import Fault, Rights, Server

Apply = Callable[..., list[Applied]]
DONE = {
    Kind.CREATE_ISSUE: "created", Kind.UPDATE_ISSUE: "updated", Kind.REOPEN_ISSUE: "reopened",
    Kind.CLOSE_ISSUE: "closed", Kind.RERUN_FAILED: "run again", Kind.OPEN_PULL: "opened",
}  # fmt: skip


@pytest.mark.parametrize("kind", Kind)
def test_applied_twice_it_is_written_once(kind: Kind, server: Server, apply: Apply, tmp_path: Path) -> None:
    plan = plan_for(kind, server, tmp_path)
    assert [action.kind for action in plan.actions] == [kind]
    assert [one.done for one in apply(plan, is_dry=True)] != ["nothing to do"]
    assert writes(server) == []
    (one,) = apply(plan)
    assert one.done == DONE.get(kind, "created")
    assert one.url.startswith("https://github.com/example/generated/")
    assert len(writes(server)) == N_WRITES.get(kind, 1)
    assert CHECKS[kind](server)
    assert [one.done for one in apply(plan)] == ["nothing to do"]
    assert [one.done for one in apply(plan, is_dry=True)] == ["nothing to do"]
    assert writes(server) == []
    assert CHECKS[kind](server)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("fault", ["unheard", "truncate", "502", "drop", "secondary"])
def test_a_write_without_an_answer_is_looked_up(
    kind: Kind, fault: str, server: Server, apply: Apply, hands: Hands, tmp_path: Path
) -> None:
    plan = plan_for(kind, server, tmp_path)
    method = "PATCH" if kind in {Kind.UPDATE_ISSUE, Kind.REOPEN_ISSUE, Kind.CLOSE_ISSUE} else "POST"
    where = "/repos/{owner}/{repo}/pulls" if kind == Kind.OPEN_PULL else "*"
    server.faults.append(Fault(fault, where, method=method, seconds=5 if fault == "secondary" else None))
    apply(plan)
    assert CHECKS[kind](server)
    # What had taken effect is not sent again; what had not is, after a while.
    assert len(writes(server)) == N_WRITES.get(kind, 1) + (fault not in {"unheard", "truncate"})
    assert bool(hands.waits) == (fault in {"502", "drop", "secondary"})
    assert server.faults[0].n_struck == 1


@pytest.mark.parametrize("kind", Kind)
def test_two_at_once_write_one(kind: Kind, server: Server, client: Callable[[], Client], tmp_path: Path) -> None:
    from kotaci.actions import apply_plan

    plan = plan_for(kind, server, tmp_path)
    server.latency_s = 0.01
    failed: list[BaseException] = []

    def work() -> None:
        try:
            apply_plan(plan, client=client())
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert CHECKS[kind](server)


@pytest.mark.parametrize("kind", [Kind.CREATE_ISSUE, Kind.COMMENT_ISSUE, Kind.COMMENT_COMMIT])
def test_of_two_made_at_the_same_time_the_older_stays(kind: Kind, server: Server, apply: Apply, tmp_path: Path) -> None:
    plan = plan_for(kind, server, tmp_path)
    apply(plan)
    state = server.state
    things: dict[int, Any] = {
        Kind.CREATE_ISSUE: state.issues, Kind.COMMENT_ISSUE: state.comments, Kind.COMMENT_COMMIT: state.commit_comments,
    }[kind]  # fmt: skip
    first = max(things)
    things[first + 1] = {**things[first], "id": first + 1}
    if kind == Kind.CREATE_ISSUE:
        things[first + 1] |= {"number": first + 1, "body": f"A person's words.\n\n{things[first]['body']}"}
    assert not CHECKS[kind](server)
    (one,) = apply(plan)
    assert "the same at the same time" in one.besides
    assert CHECKS[kind](server)
    if kind == Kind.CREATE_ISSUE:
        told = things[first + 1]
        assert (told["state"], told["state_reason"]) == ("closed", "not_planned")
        assert told["body"].startswith("A person's words.\n\n")
        assert f"it goes on in #{first}" in told["body"]
    assert [one.done for one in apply(plan)] == ["nothing to do"]


def test_from_night_to_night(server: Server, apply: Apply, client: Callable[[], Client], tmp_path: Path) -> None:
    """Opened, brought up to date in place with its history, closed, opened again: one issue."""
    nights = [
        ("20 Nov 2026, 04:00 UTC", [red_now()], "created"),
        ("21 Nov 2026, 04:00 UTC", [red_now(run_id=12, claim="has been red on main for long")], "updated"),
        ("22 Nov 2026, 04:00 UTC", [], "closed"),
        ("23 Nov 2026, 04:00 UTC", [], None),
        ("24 Nov 2026, 04:00 UTC", [red_now(run_id=15)], "reopened"),
    ]
    for as_of, found, done in nights:
        report = write_report(tmp_path / as_of[:2], {"ci_health": found}, as_of=as_of)
        plan = plan_findings(report, fetch_held(client(), WHERE), repo=WHERE)
        assert [one.done for one in apply(plan)] == ([done] if done else [])
    (told,) = [told for told in server.state.issues.values() if find_sections(told.get("body") or "")]
    assert (told["state"], told["labels"]) == ("open", ["ci"])
    (section,) = find_sections(told["body"])
    assert [note[:20] for _, note in section.history] == [
        "has been red on main", "has been red on main", "green again", "has been red on main",
    ]  # fmt: skip


def test_a_strangers_marker_counts_for_nothing(
    server: Server, apply: Apply, client: Callable[[], Client], tmp_path: Path
) -> None:
    plan = plan_for(Kind.CREATE_ISSUE, server, tmp_path)
    stranger = {**server.state.issues[1], "number": 4, "body": plan.actions[0].body, "user": "mallory"}
    server.state.issues[4] = {**stranger, "author_association": "NONE"}
    assert fetch_held(client(), WHERE).issues == ()
    (one,) = apply(plan)
    assert one.done == "created"
    assert server.state.issues[4]["state"] == "open"
    server.state.issues[4]["user"] = server.state.me
    assert {one.number for one in fetch_held(client(), WHERE).issues} == {4, 5}


def refused(action: Action | Plan, apply: Apply, server: Server) -> str:
    """Return the sentence with which a plan is refused; nothing may have been written."""
    server.forget()
    with pytest.raises(KotaciError) as caught:
        apply(action)
    assert writes(server) == []
    assert isinstance(caught.value, CannotApply | Refused | BadInput)
    return str(caught.value)


def publishing(folder: Path, number: int) -> Plan:
    return plan_publish(write_report(folder / "night", {"flaky_tests": [finding()]}), repo=WHERE, issue=number)


@pytest.mark.parametrize(
    ("number", "changed", "told"),
    [
        (2, {}, "example/generated#2: is closed"),
        (1, {"locked": True}, "example/generated#1: is locked"),
        (99, {}, "example/generated#99: is not there (404)"),
        (3, {}, "example/generated#3: is a pull request, not an issue"),
    ],
)
def test_targets_that_cannot_be_written_to(
    number: int, changed: dict[str, Any], told: str, server: Server, apply: Apply, tmp_path: Path
) -> None:
    if number in server.state.issues:
        server.state.issues[number] |= changed
    assert refused(publishing(tmp_path, number), apply, server).startswith(told)


def test_one_that_cannot_be_done_holds_back_all(server: Server, apply: Apply, tmp_path: Path) -> None:
    report = write_report(tmp_path / "now", {"ci_health": [red_now()], "flaky_tests": [finding()]})
    plan = plan_findings(report, held(server), repo=WHERE)
    del server.state.labels["flaky"]
    assert refused(plan, apply, server).startswith("flaky: are no labels of example/generated; make them, or")


def test_issues_that_changed_since_the_plan(server: Server, apply: Apply, tmp_path: Path) -> None:
    plan = plan_for(Kind.UPDATE_ISSUE, server, tmp_path)
    told = server.state.issues[5]
    whole = told["body"]
    told["state"] = "closed"
    assert "#5: was closed since" in refused(plan, apply, server)
    told |= {"state": "open", "body": "All by hand now."}
    assert "#5: has no section of flaky-test:store reopens" in refused(plan, apply, server)
    told["body"] = whole.replace("2026-11-20T14:28:00Z", "2026-11-29T14:28:00Z")
    assert "#5: tells of newer data already, as of 2026-11-29T14:28:00Z" in refused(plan, apply, server)
    told["body"] = whole + "x" * 65_000
    assert "leaves no room for a report" in refused(plan, apply, server)


def test_a_plan_older_than_the_findings(server: Server, apply: Apply, tmp_path: Path) -> None:
    plan = publishing(tmp_path, 1)
    write_report(tmp_path / "night", {"flaky_tests": [finding(subject="another")]}, as_of=LATER)
    assert "has other findings than those that the plan was made from" in refused(plan, apply, server)


def test_a_body_that_is_too_long_or_no_section(server: Server, apply: Apply, tmp_path: Path) -> None:
    plan = publishing(tmp_path, 1)
    (action,) = plan.actions
    long = replace(action, body=action.body.replace("## CI report", "x" * 70_000))
    assert "is longer than the 65,536 that GitHub takes" in refused(replace(plan, actions=(long,)), apply, server)
    open_ended = replace(action, body=action.body.removesuffix("-->"))
    assert "is not one whole section" in refused(replace(plan, actions=(open_ended,)), apply, server)


@pytest.mark.parametrize("kind", Kind)
def test_a_token_that_may_not(kind: Kind, server: Server, apply: Apply, tmp_path: Path) -> None:
    plan = plan_for(kind, server, tmp_path)
    server.tokens[TOKEN] = Rights(actions="read", contents="read", issues="read", pull_requests="read")
    with pytest.raises(Refused) as caught:
        apply(plan)
    assert "this token may not write" in str(caught.value)
    assert {one.status for one in server.asked if one.method != "GET"} == {403}


def test_a_token_that_finds_nothing_to_write_to(server: Server, apply: Apply, tmp_path: Path) -> None:
    plan = plan_for(Kind.COMMENT_ISSUE, server, tmp_path)
    server.faults.append(Fault("missing", method="POST"))
    with pytest.raises(Refused, match=r"this token may not write there \(404\); give it issues: write"):
        apply(plan)


def test_a_repository_that_is_not_seen_archived_or_renamed(server: Server, apply: Apply, tmp_path: Path) -> None:
    plan = publishing(tmp_path, 1)
    server.state.repo["archived"] = True
    assert "is archived" in refused(plan, apply, server)
    server.state.repo["archived"] = False
    other = replace(plan, repo="example/other", actions=(replace(plan.actions[0], repo="example/other"),))
    assert "example/other: cannot be seen with this token (404)" in refused(other, apply, server)
    server.state.rename("example/renamed")
    assert [one.done for one in apply(plan)] == ["created"]
    assert [one.done for one in apply(plan)] == ["nothing to do"]


def test_runs_that_are_not_to_be_run_again(server: Server, apply: Apply, tmp_path: Path) -> None:
    state, report = server.state, write_report(tmp_path / "night", {"flaky_tests": [finding()]})

    def plan(run_id: int, attempt: int = 1) -> Plan:
        return plan_comment(report, repo=WHERE, target=f"run:{run_id}/{attempt}")

    green = next(run for run in state.newest_first() if state.latest(run)["conclusion"] == "success")
    assert "passed: there is nothing to run again" in refused(plan(green), apply, server)
    assert "has no attempt 2 yet" in refused(plan(failed_run(server), 2), apply, server)
    assert "is not there (404)" in refused(plan(5), apply, server)
    state.runs[green][1] |= {"status": "in_progress", "conclusion": None}
    assert "has not ended yet" in refused(plan(green), apply, server)


def test_a_server_that_stays_silent_is_said_and_kept_for_later(server: Server, apply: Apply, tmp_path: Path) -> None:
    plan = plan_for(Kind.COMMENT_ISSUE, server, tmp_path)
    server.faults.append(Fault("502", method="POST", times=9))
    with pytest.raises(Unreachable, match="could not be written; run it again later"):
        apply(plan)
    server.faults.clear()
    assert [one.done for one in apply(plan)] == ["created"]


def test_writes_are_a_second_apart(server: Server, hands: Hands, tmp_path: Path) -> None:
    from kotaci.actions import apply_plan
    from kotaci.github import open_github
    from tests.github.clock import still_clock

    report = write_report(tmp_path / "now", {"ci_health": [red_now()], "flaky_tests": [finding()]})
    plan = plan_findings(report, held(server), repo=WHERE)
    client = open_github(token=TOKEN, clock=still_clock(hands, utc=server.now), api_url=server.api_url)
    apply_plan(plan, client=client)
    assert hands.waits[0] == pytest.approx(1.0)


def test_an_issue_of_the_night_before_keeps_its_people(server: Server, apply: Apply, tmp_path: Path) -> None:
    opened(server, tmp_path, state="open")
    plan = plan_for(Kind.UPDATE_ISSUE, server, tmp_path)
    server.state.issues[5]["body"] = server.state.issues[5]["body"].replace("\n", "\r\n") + " And more."
    apply(plan)
    body = server.state.issues[5]["body"]
    assert body.startswith("Seen by hand.\r\n\r\n")
    assert body.endswith("\r\n\r\nThanks! And more.")
    assert server.state.issues[5]["labels"] == ["flaky"]


def test_a_workflows_token_has_no_account_of_its_own(server: Server, apply: Apply, tmp_path: Path) -> None:
    server.faults.append(Fault("403", endpoint="/user"))
    assert [one.done for one in apply(plan_for(Kind.COMMENT_ISSUE, server, tmp_path))] == ["created"]


@pytest.mark.parametrize(
    ("told", "counts"),
    [
        ({"author_association": "MEMBER"}, True),
        ({"author_association": "NONE", "user": {"login": "github-actions[bot]", "type": "Bot"}}, True),
        ({"author_association": "NONE", "user": {"login": "octocat", "type": "User"}}, True),
        ({"author_association": "CONTRIBUTOR", "user": {"login": "mallory", "type": "User"}}, False),
        ({"author_association": "NONE", "user": None}, False),
    ],
)
def test_whose_marker_counts(told: dict[str, Any], counts: bool) -> None:
    assert is_trusted(told, me="octocat") == counts
    assert is_trusted({**told, "user": None}, me="") == (told["author_association"] == "MEMBER")
