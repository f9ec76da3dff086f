"""The scheduled workflow, night after night, by the real act: each fetches the new alone, and tells what it found."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

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
    """What a night did, and what there is after it: reports, caches, what the store holds, runs that were added."""

    night: Night
    reports: set[str]
    open: list[str]
    closed: list[str]
    others: int
    held: dict[str, Any]
    added: set[int]


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
            found.append(Morning(night, reports, *keys, len(shelf.others), held, added))

        checkout.variables["KOTACI_MAX_REQUESTS"] = "110"
        sleep(set(state.runs), notebooks="ci_health broken.ipynb")
        del checkout.variables["KOTACI_MAX_REQUESTS"]
        sleep({state.add_run(conclusion="success")["id"] for _ in range(2)}, notebooks="ci_health")
        shutil.rmtree(checkout.kept / "caches" / found[-1].closed[0])
        sleep({state.add_run(conclusion="success")["id"]}, notebooks="ci_health")
    return found


def test_a_budget_of_requests_ends_no_night(mornings: list[Morning]) -> None:
    first, second, _ = mornings
    assert first.night.steps["report", "Fetch what is new"] == "success"
    assert "there is more to fetch than tonight's requests allow" in first.night.said
    assert first.night.n_requests < 140
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
    assert third.held["payloads"]["run"] == second.held["payloads"]["run"] + 1


def test_closed_months_are_saved_once_and_older_caches_go(mornings: list[Morning]) -> None:
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
