"""Where the minutes of the sample go, against what was planted in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kotaci.analysis.buildtime import TABLES, BuildTime, assess_build_time
from kotaci.config import Prices
from kotaci.facts import History, read_history
from kotaci.pages import timing, whatif
from kotaci.places import sample_folder

TRUTHS = {
    truth["id"]: truth
    for truth in json.loads((sample_folder() / "truths.json").read_text(encoding="utf-8"))["truths"]
}  # fmt: skip


@pytest.fixture(scope="module")
def history(sample: Path) -> History:
    return read_history(sample, since="all", tables=TABLES)


@pytest.fixture(scope="module")
def built(history: History) -> BuildTime:
    prices = Prices().per_minute
    return assess_build_time(history.tables, prices=prices, default_branch=history.default_branch)


def test_a_run_of_ci_hangs_on_lint_tests_coverage_and_the_gate(built: BuildTime) -> None:
    assert built.usual.workflow == TRUTHS["cold-cache"]["where"]["workflow"]
    assert list(built.usual.keys) == ["lint", "tests", "coverage", "gate"]
    assert built.usual.n_alike > 0.9 * built.usual.n
    assert built.network.left_out() == {}


def test_every_second_of_every_job_is_spent_on_something(built: BuildTime) -> None:
    seconds = (built.billed["ended_at"] - built.billed["started_at"]).dt.total_seconds()
    assert built.spent["minutes"].sum() == pytest.approx(seconds.sum() / 60)
    by_kind = built.spent.groupby("kind")["minutes"].sum()
    assert by_kind.idxmax() == "compile"


def test_the_cold_cache_and_the_true_claim_are_the_shifts_and_nothing_else(built: BuildTime) -> None:
    slower = [finding for finding in built.shifts.findings if finding.kind == "cold-cache-slower"]
    (cold,) = slower
    (gained,) = [finding for finding in built.shifts.findings if finding not in slower]
    assert cold.subject.startswith("ci.yml / tests")
    assert gained.subject.startswith("ci.yml / tests")
    groups = built.shifts.groups
    assert groups.loc[groups["is_cold"], "sha"].tolist() == [TRUTHS["cold-cache"]["where"]["commit"]]
    assert "the cache went cold" in groups.loc[groups["is_cold"], "shared"].iloc[0]
    gain = groups[groups["finding"] == gained.id].iloc[0]
    assert gain["low"] < 2 / 6 < gain["high"]
    assert groups["is_recovery"].sum() == len(groups) - 2 == 1


def test_the_jobs_that_nobody_waits_for_are_those_beside_the_gate(built: BuildTime) -> None:
    assert set(built.unwaited["job_key"]) == {"strict-lints", "soak", "bench"}
    masked = built.unwaited[built.unwaited["job_key"] == TRUTHS["masked-strict-lints"]["where"]["job"]]
    assert masked["n_failed"].tolist() == masked["n"].tolist()


def test_dropping_a_gate_is_refused_and_waiting_less_saves_most(built: BuildTime) -> None:
    rows = built.suggestions.to_table()
    assert rows.iloc[0]["title"] == "Let coverage start without waiting for tests"
    assert rows.loc[rows["verdict"] == "refused", "title"].str.startswith("Let gate start").all()
    text = whatif.whatif_table(built.suggestions).markdown
    assert "the job has an" in text
    assert "saves" in text


def test_the_answer_names_what_decides_and_what_would_give_most(history: History, built: BuildTime) -> None:
    said = timing.time_answer(history, built).markdown
    assert "`lint`, `tests`, `coverage`, `gate` decide how long" in said
    assert "would have saved" in said
