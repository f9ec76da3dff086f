"""A plan comes back from its file as it was, and a wrong word in it is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kotaci.actions.files import parse_plan, read_plan, to_json, write_plan
from kotaci.actions.identity import Marker, to_section
from kotaci.actions.model import Action, Kind, Plan
from kotaci.model import BadInput, Link

MARKER = Marker("flaky-test", "a")
BODY = to_section(MARKER, "words", note="note")
ISSUE = Action(
    "one", Kind.CREATE_ISSUE, "o/r", title="CI: it's failing", labels=("flaky",), body=BODY, marker=MARKER.line(),
    reason="new", evidence=(Link("run 1", "https://github.com/o/r/actions/runs/1"),),
)  # fmt: skip
RERUN = Action("again", Kind.RERUN_FAILED, "o/r", run_id=7, attempt=1)
PLAN = Plan("o/r", "2026-11-20T14:28:00Z", "0" * 16, "reports", (ISSUE, RERUN), ("one more",))


def changed(path: str, value: Any) -> str:
    """Return the plan's JSON with the value at a dotted path changed; `...` deletes it."""
    told = json.loads(to_json(PLAN))
    place = told
    *way, last = [int(word) if word.isdigit() else word for word in path.split(".")]
    for word in way:
        place = place[word]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(told)


def test_a_plan_is_read_back(tmp_path: Path) -> None:
    write_plan(PLAN, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == PLAN
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("version", 1, "version 1: is not that of this kotaci, 2"),
        ("repo", "here", "here: is not a repository"),
        ("repo", ..., "the plan: 'repo': is missing"),
        ("as_of", "today", "the plan.as_of 'today': has another form"),
        ("extra", 1, "the plan: 'extra' 1: is a key that no plan has"),
        ("actions", {}, "the plan.actions {}: is no list"),
        ("actions.0.kind", "drop", "actions[0].kind 'drop': is no kind of action"),
        ("actions.0.number", "3", "actions[0].number '3': is no number"),
        ("actions.0.number", True, "actions[0].number True: is no number"),
        ("actions.0.labels", [1], "actions[0].labels 1: is no text"),
        ("actions.0.repo", "o/other", "actions[0].repo 'o/other': is another repository than the plan's, o/r"),
        ("actions.0.marker", "", "actions[0].marker '': is no marker"),
        ("actions.0.body", "words", "actions[0].body: does not begin with its marker"),
        ("actions.0.title", " ", "actions[0].title '': is no title"),
        ("actions.0.evidence", [{"text": "a"}], "actions[0].evidence: 'url': is missing"),
        ("actions.1.run_id", 0, "actions[1].run_id 0: is no run and attempt"),
        ("actions.1.id", "one", "actions: has two actions with one id"),
        ("actions.1.sha", "../..", "actions[1].sha '../..': has another form"),
    ],
)
def test_a_wrong_word_is_named(path: str, value: Any, told: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_plan(changed(path, value))
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "[" * 100_000])
def test_what_is_no_plan(text: str) -> None:
    with pytest.raises(BadInput):
        parse_plan(text)


def test_each_kind_shows_the_command_of_gh() -> None:
    assert RERUN.gh() == "gh run rerun 7 --failed --repo o/r"
    assert ISSUE.gh(plan="my plan.json") == (
        "jq -r '.actions[0].body' 'my plan.json' | gh issue create --repo o/r --title 'CI: it'\"'\"'s failing' "
        "--body-file - --label flaky"
    )
    commit = replace(ISSUE, kind=Kind.COMMENT_COMMIT, sha="a" * 40, repo="host.test:8443/o/r")
    assert f"gh api --hostname host.test:8443 repos/o/r/commits/{'a' * 40}/comments -F body=@-" in commit.gh()
    assert replace(ISSUE, kind=Kind.CLOSE_ISSUE, number=3).gh().endswith("&& gh issue close 3 --repo o/r")
    assert "gh pr comment 3 --repo o/r" in replace(ISSUE, kind=Kind.COMMENT_PULL, number=3).gh()
