"""One run by its address: it, its red logs, and the last green run before it to compare with; nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kotaci.github import Fetched, fetch_run_with_green, open_github
from kotaci.model import BadInput, Repo, RunRef
from kotaci.store import Store, open_store
from tests.github.clock import still_clock
from tests.github.fetching import TOKEN, fetch_from
from tests.github_server import Limits, Rights, State, serve

TRUTHS = json.loads((Path(__file__).parents[2] / "kotaci/sample/truths.json").read_text(encoding="utf-8"))
(RED, _), *_ = next(truth["run_ids"] for truth in TRUTHS["truths"] if truth["id"] == "regression")


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with serve(
        State.of_sample(), tokens={TOKEN: Rights()}, limits=Limits(per_hour=10**6, points_per_minute=None)
    ) as serving:
        yield serving


def fetch_one(server: Any, store: Store, run_id: int) -> Fetched:
    client = open_github(
        token=TOKEN, clock=still_clock(None, utc=server.now), api_url=server.api_url, points_per_minute=None
    )
    return fetch_run_with_green(store, Repo.parse(server.state.full_name), RunRef(run_id, 1), client=client)


def test_brings_the_red_run_and_the_green_one_before_it(server: Any, tmp_path: Path) -> None:
    with open_store(tmp_path / "store", create=True) as store:
        done = fetch_one(server, store, RED)
        assert (done.stopped, done.notes) == (None, [])
        (repo,) = store.repos()
        runs = {key.split("/")[0]: body for key, _, body in store.payloads(repo, "run")}
        red, green = runs.pop(str(RED)), next(iter(runs.values()))
        assert len(runs) == 1
        assert (green["conclusion"], green["path"]) == ("success", red["path"])
        assert green["created_at"] < red["created_at"]
        for run_id, attempt in ((RED, 1), (green["id"], green["run_attempt"])):
            states = {state for state, _ in store.log_rows(repo, int(run_id), int(attempt)).values()}
            assert "present" in states
        assert done.n_requests < 30


def test_a_later_fetch_does_not_ask_for_it_again(server: Any, tmp_path: Path) -> None:
    with open_store(tmp_path / "store", create=True) as store:
        fetch_one(server, store, RED)
        server.forget()
        assert fetch_from(server, store).is_complete
        assert not [one.path for one in server.asked if one.path.endswith(f"/runs/{RED}/jobs")]


def test_a_run_that_is_not_there_is_named(server: Any, tmp_path: Path) -> None:
    with open_store(tmp_path / "store", create=True) as store, pytest.raises(BadInput, match="404"):
        fetch_one(server, store, 7)
