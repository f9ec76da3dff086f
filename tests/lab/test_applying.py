"""A write from the lab: shown whole before it, refused without the tick, written once to the server on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kotaci import lab
from kotaci.github import Client, open_github
from kotaci.lab.applying import AGAIN, ISSUES, START, Apply
from kotaci.lab.picking import Desk
from kotaci.model import Repo
from kotaci.store import open_store
from tests.actions.conftest import writes
from tests.builders import AT, api_batch, write_all
from tests.github.clock import still_clock
from tests.github.fetching import TOKEN
from tests.github_server import Limits, Rights, Server, State, serve

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[Server]:
    state = State.generated(n_runs=3, n_jobs=1, n_reruns=0, seed=3, ends_at=NOW)
    at = {"created_at": "2026-03-02T12:00:00Z", "updated_at": "2026-03-02T12:00:00Z", "user": "octocat"}
    state.issues[1] = {**at, "id": 1, "number": 1, "title": "Mine", "state": "open", "labels": []}
    with serve(state, {TOKEN: Rights()}, Limits(10**6, points_per_minute=None), now=NOW) as served:
        yield served


@pytest.fixture
def desk(server: Server, tmp_path: Path) -> Desk:
    store = open_store(tmp_path / "store", create=True)
    failed = [
        api_batch(run_id, conclusion="failure", repo=server.state.full_name, at=AT + timedelta(hours=run_id), sha=sha)
        for run_id, sha in enumerate(("a" * 40, "b" * 40, "c" * 40, "d" * 40), start=1)
    ]
    write_all(store, *failed)
    return Desk(
        store=str(store.path), repo="", since="all", until="", config="", shows="failure_triage"
    )  # fmt: skip


@pytest.fixture
def panel(server: Server, desk: Desk) -> Apply:
    def open_client(repo: Repo, stop: threading.Event) -> Client:
        return open_github(
            token=TOKEN, clock=still_clock(utc=server.now), api_url=server.api_url, points_per_minute=None
        )

    made = Apply(open_client=open_client)
    desk.tell(made.show)
    return made


def test_a_comment_is_read_then_confirmed_then_written_once(panel: Apply, server: Server) -> None:
    panel.what.value, panel.target.value = START, "issue:1"
    panel.preview.click()
    assert writes(server) == []
    assert "Investigating CI issue" in panel.shown.value
    assert "nothing is written yet" in panel.said.value
    assert panel.apply.disabled
    panel.is_read.value = True
    panel.apply.click()
    assert len(writes(server)) == 1
    assert "created" in panel.shown.value
    assert (panel.is_read.value, panel.apply.disabled, panel.plan) == (False, True, None)
    panel.preview.click()
    assert "nothing to do" in panel.shown.value
    panel.is_read.value = True
    panel.apply.click()
    assert writes(server) == []


def test_without_the_tick_nothing_is_written(panel: Apply, server: Server) -> None:
    panel.what.value, panel.target.value = START, "issue:1"
    panel.preview.click()
    panel.apply.click()
    assert "was not read" in panel.said.value
    assert writes(server) == []


def test_another_choice_takes_the_preview_back(panel: Apply, desk: Desk, server: Server) -> None:
    panel.what.value, panel.target.value = START, "issue:1"
    panel.preview.click()
    panel.is_read.value = True
    panel.target.value = "issue:2"
    assert (panel.plan, panel.is_read.value, panel.apply.disabled, panel.shown.value) == (None, False, True, "")
    panel.target.value = "issue:1"
    panel.preview.click()
    panel.is_read.value = True
    desk.since.value = "7d"
    assert panel.plan is None
    panel.apply.click()
    assert writes(server) == []


def test_issues_for_what_fails(panel: Apply, server: Server) -> None:
    panel.what.value = ISSUES
    assert panel.target.disabled
    panel.preview.click()
    assert "create-issue" in panel.shown.value
    assert "failing on test" in panel.shown.value
    panel.is_read.value = True
    panel.apply.click()
    assert writes(server) == ["POST /issues"]
    panel.preview.click()
    panel.apply.click()
    assert writes(server) == []


@pytest.mark.parametrize(
    ("what", "target", "said"),
    [
        (START, "", "is nothing to write to"),
        (START, "issue:99", "99"),
        (START, "run:1", "is nothing for that; write run:ID to run it again"),
        (AGAIN, "issue:1", "is nothing for that"),
        (AGAIN, "run:1", "run 1"),
    ],
)
def test_what_cannot_be_written_is_a_sentence(panel: Apply, server: Server, what: str, target: str, said: str) -> None:
    panel.what.value, panel.target.value = what, target
    panel.preview.click()
    assert said in panel.said.value
    assert 'role="alert"' in panel.said.value
    assert panel.plan is None
    assert writes(server) == []


def test_nothing_is_written_about_the_sample(sample: Path) -> None:
    made: Any = lab.actions(lab.desk(store=str(sample), repo="", since="30d", until="", config=""))
    made.what.value, made.target.value = START, "issue:1"
    made.preview.click()
    assert "bundled sample" in made.said.value
