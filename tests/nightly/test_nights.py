"""The scheduled workflow, night after night, by the real act: each fetches the new alone, and tells what it found."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from githubkit import GitHub, TokenAuthStrategy

from kotaci.store import open_store
from tests.github_server import Limits, State, serve
from tests.nightly.acting import ACT, ROOT, Checkout, Night, Shelf, make_home

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux" or not ACT.is_file(), reason="needs act on Linux"),
]

ENDS_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass
class Morning:
    """What a night did, and what there is after it: reports, caches, what the store holds, runs that were added, issues
    as (title, state), comments as (issue, text)."""

    night: Night
    reports: set[str]
    open: list[str]
    closed: list[str]
    others: int
    held: dict[str, Any]
    added: set[int]
    issues: dict[int, tuple[str, str]]
    comments: list[tuple[int, str]]


def break_notebook(folder: Path) -> None:
    """Put a copy of ci_health into the folder that fails in its second cell of code."""
    notebook = json.loads((ROOT / "notebooks" / "ci_health.ipynb").read_text("utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    code[1]["source"] = ["raise RuntimeError('made to fail')"]
    (folder / "broken.ipynb").write_text(json.dumps(notebook), "utf-8")


@pytest.fixture(scope="module")
def mornings(tmp_path_factory: pytest.TempPathFactory) -> list[Morning]:
    """Three nights: requests run out in the first and a notebook fails; closed months are lost before the third."""
    folder = tmp_path_factory.mktemp("nights")
    state = State.generated(24, 2, 2, days=50, ends_at=ENDS_AT)
    found: list[Morning] = []
    with serve(state, limits=Limits(points_per_minute=None)) as server:
        checkout = Checkout.make(folder, make_home(folder), server)
        shelf = Shelf(checkout.kept / "caches", dict(state.caches))
        state.caches = shelf  # type: ignore[assignment]
        break_notebook(checkout.folder)

        def sleep(added: set[int], **inputs: str) -> None:
            night = checkout.night(since="all", **inputs)
            (newest,) = shelf.keys_of("kotaci-open")[-1:]
            copy = shutil.copytree(checkout.kept / "caches" / newest, folder / f"night-{len(found) + 1}")
            with open_store(copy) as store:
                held = store.summary()
            reports = {path.name for path in (checkout.kept / "artifacts" / "kotaci-reports").iterdir()}
            keys = (shelf.keys_of("kotaci-open"), shelf.keys_of("kotaci-closed"))
            issues = {number: (told["title"], told["state"]) for number, told in state.issues.items()}
            comments = [(told["issue"], told["body"]) for told in state.comments.values()]
            found.append(Morning(night, reports, *keys, len(shelf.others), held, added, issues, comments))

        (nightly,) = (told for told in state.workflows.values() if told["path"].endswith("nightly.yml"))
        of_nightly = {"name": nightly["name"], "path": nightly["path"], "workflow_id": nightly["id"]}

        def run(conclusion: str) -> int:
            told = {**of_nightly, "event": "schedule", "head_branch": "main", "conclusion": conclusion}
            number: int = state.add_run(**told)["id"]
            return number

        with GitHub(TokenAuthStrategy("token-one"), base_url=server.api_url) as people:
            people.rest.issues.create("example", "generated", title="How is our CI?")
        checkout.variables |= {"KOTACI_MAX_REQUESTS": "110", "KOTACI_ISSUE": "1"}
        sleep(set(state.runs), notebooks="ci_health broken.ipynb")
        del checkout.variables["KOTACI_MAX_REQUESTS"]
        sleep({run("failure")}, notebooks="ci_health")
        shutil.rmtree(checkout.kept / "caches" / found[-1].closed[0])
        sleep({run("success"), run("success")}, notebooks="ci_health")
    return found


def test_a_budget_of_requests_ends_no_night(mornings: list[Morning]) -> None:
    first, second, _ = mornings
    assert first.night.steps["report", "Fetch what is new"] == "success"
    assert "there is more to fetch than tonight's requests allow" in first.night.said
    (n_requests,) = re.findall(r"new things in kotaci-store; (\d+) requests", first.night.said)
    assert int(n_requests) <= 110
    assert second.held["payloads"]["run"] > first.held["payloads"]["run"]


def test_one_notebook_fails_and_the_others_are_delivered(mornings: list[Morning]) -> None:
    first, second, _ = mornings
    assert first.night.steps["report", "Run the notebooks"] == "failure"
    assert first.night.code == 1
    assert {"index.html", "ci_health.html", "ci_health.md", "findings.json", "broken.html"} <= first.reports
    assert first.night.steps["report", "Save the open month"] == "success"
    assert second.night.steps["report", "Run the notebooks"] == "success"


def test_each_night_asks_for_the_new_alone(mornings: list[Morning]) -> None:
    first, second, third = mornings
    assert second.added <= second.night.runs_asked
    assert third.added <= third.night.runs_asked
    # A run that had not ended is asked for again.
    unfinished = third.night.runs_asked - third.added
    assert unfinished < first.added
    assert len(unfinished) <= 2
    assert third.night.n_requests < 40
    assert third.held["payloads"]["run"] == second.held["payloads"]["run"] + 2


def test_older_caches_of_ours_go_and_those_of_others_stay(mornings: list[Morning]) -> None:
    first, second, third = mornings
    assert [morning.open for morning in mornings] == [
        ["kotaci-open-101-1"],
        ["kotaci-open-102-1"],
        ["kotaci-open-103-1"],
    ]
    assert len(second.closed) == 1
    # The user's own caches are all there still.
    assert first.others == second.others == third.others


def test_closed_months_that_the_cache_lost_cost_their_texts_alone(mornings: list[Morning]) -> None:
    _, second, third = mornings
    assert "the logs of closed months are gone from the cache" in third.night.said
    assert (second.held["logs"]["pruned"], third.held["logs"]["pruned"] > 0) == (0, True)
    assert third.held["logs"]["not_fetched"] == second.held["logs"]["not_fetched"]
    assert third.night.n_logs <= 2 * len(third.added | third.night.runs_asked)


def test_an_issue_is_opened_then_updated_then_closed_and_one_comment_kept(mornings: list[Morning]) -> None:
    title, (_, second, third) = "CI: nightly.yml failing on main", mornings
    assert [morning.issues for morning in mornings[:2]] == [{1: ("How is our CI?", "open"), 2: (title, "open")}] * 2
    assert third.issues == {1: ("How is our CI?", "open"), 2: (title, "closed")}
    assert [len(morning.comments) for morning in mornings] == [1, 1, 1]
    assert len({morning.comments[0] for morning in mornings}) == 3
    assert "/actions/runs/103/artifacts/" in third.comments[0][1]
    assert ("PATCH", "/repos/{owner}/{repo}/issues/{issue_number}") in second.night.written
    assert (second.night.code, third.night.code) == (0, 0)
