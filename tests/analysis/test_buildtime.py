"""Where the minutes go: the run that stands for many, its jobs in time, and a workflow's minutes."""

from __future__ import annotations

import pytest

from kotaci.analysis.buildtime import TABLES as NEEDED
from kotaci.analysis.buildtime import BuildTime, assess_build_time
from kotaci.analysis.timing import usual_path
from kotaci.model import BadInput
from kotaci.tables import TABLES
from tests.analysis.frames import run, runs
from tests.analysis.pipelines import Tables

PRICES = {"ubuntu-latest": 0.006}
NEEDS = {"lint": [], "tests": ["lint"], "docs": []}


def assessed(tables: Tables, **told: str) -> BuildTime:
    frames = {name: TABLES[name].to_frame([]) for name in NEEDED} | tables.frames()
    return assess_build_time(frames, prices=PRICES, default_branch="main", **told)


@pytest.fixture
def three() -> Tables:
    tables = Tables()
    for wall in (300, 400, 900):
        legs = {"lint": [(3, 100)], "tests": [(7, wall - 110)], "docs": [(1, 50)]}
        on = {key: {"labels": "ubuntu-latest"} for key in NEEDS}
        tables.add(NEEDS, legs, run_told={"wall_s": wall}, **on)
    return tables


def test_the_run_nearest_the_median_stands_for_all(three: Tables) -> None:
    built = assessed(three)
    assert built.usual.run["wall_s"].tolist() == [400]
    assert built.gantt["job"].tolist() == ["docs", "lint", "tests"]
    assert built.gantt["start_s"].tolist() == [0, 0, 103]
    assert built.gantt["queue_s"].tolist() == [1, 3, 7]
    assert built.gantt["run_s"].tolist() == [50, 100, 290]
    assert built.gantt["is_critical"].tolist() == [False, True, True]
    assert built.gantt["slack_s"].tolist() == [349, 0, 0]


def test_without_the_workflow_file_no_path_is_guessed(three: Tables) -> None:
    three.commits.clear()
    built = assessed(three)
    assert built.gantt["job"].tolist() == ["docs", "lint", "tests"]
    assert not built.gantt["is_critical"].any()
    assert built.gantt["slack_s"].tolist() == [0, 0, 0]


def test_runs_that_failed_were_run_again_or_skipped_jobs_do_not_stand_for_the_others() -> None:
    rows = [
        *(run(n, wall=600, n_jobs=9) for n in range(1, 4)),
        run(4, "failure", wall=10, n_jobs=9),
        run(5, wall=20, n_jobs=2),
        run(6, wall=30, n_jobs=9, attempt=2),
        run(7, wall=640, n_jobs=9),
        run(8, wall=610, n_jobs=9, event="schedule"),
    ]
    flow = rows[0]["workflow"]
    unknown = assessed(Tables()).paths
    assert usual_path(runs(rows), unknown, workflow=flow).run["run_id"].tolist() == [3]
    assert usual_path(runs(rows[3:4]), unknown, workflow=flow).run.empty
    assert usual_path(runs(rows), unknown, workflow="other.yml").run.empty


def test_the_run_drawn_has_the_critical_path_that_most_runs_have() -> None:
    tables = Tables()
    for tests, docs in ((300, 50), (310, 50), (10, 302), (320, 50)):
        legs = {"lint": [(0, 100)], "tests": [(0, tests)], "docs": [(0, docs)]}
        tables.add(NEEDS, legs, run_told={"wall_s": max(100 + tests, docs)})
    usual = assessed(tables).usual
    assert (usual.keys, usual.n_alike, usual.n) == (("lint", "tests"), 3, 4)
    assert usual.run["wall_s"].tolist() == [410]


def test_minutes_of_a_workflow_are_whole_minutes_of_its_jobs(three: Tables) -> None:
    row = assessed(three).workflows.to_dict("records")[0]
    assert row["n_jobs"] == 9
    assert row["minutes"] == 3 * (2 + 1) + 4 + 5 + 14
    assert row["dollars"] == pytest.approx(0.006 * 32)
    assert row["share"] == 1
    assert row["wall_s"] == 400
    assert row["queue_s"] == 3


def test_a_workflow_that_is_not_there_is_named_with_those_that_are(three: Tables) -> None:
    with pytest.raises(BadInput, match=r"nope\.yml: is no workflow of this window") as raised:
        assessed(three, workflow="nope.yml")
    assert "ci.yml" in raised.value.hint
    assert assessed(three, workflow="ci.yml").usual.workflow.endswith("ci.yml")


def test_nothing_gives_empty_tables() -> None:
    built = assessed(Tables())
    assert built.workflows.empty
    assert built.gantt.empty
    assert built.bill.n == 0
    assert built.usual.run.empty
