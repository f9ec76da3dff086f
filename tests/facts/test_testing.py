"""Tests, rosters and lists of names: from logs, from JUnit reports, over builds and pruned logs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from kotaci.facts import build_facts, read_history
from kotaci.facts.testing import N_SLOWEST, to_test_rows
from kotaci.logs.results import Suite, TestReport, TestResult
from kotaci.store import Batch, Payload, Store
from tests.facts.payloads import REPO, START, batch, filled, job, log, log_text, run

DAY = 86400
TABLES = ("jobs", "tests", "rosters", "roster_names")


def libtest(*names: str, failed: str = "", binary: str = "ledger") -> tuple[str, ...]:
    """Return the lines of a run of these tests."""
    n = len(names)
    return (
        "##[group]Run cargo test",
        "cargo test",
        "##[endgroup]",
        f"     Running unittests src/lib.rs (target/debug/deps/{binary}-0123456789abcdef)",
        f"running {n} tests",
        *(f"test {name} ... {'FAILED' if name == failed else 'ok'}" for name in names),
        f"test result: ok. {n - bool(failed)} passed; {int(bool(failed))} failed; 0 ignored; 0 measured",
    )


def a_run(run_id: int, *lines: str, day: float = 0, conclusion: str = "success") -> Batch:
    """Return a run of one job with that log, so many days after the first."""
    job_id = run_id * 10 + 1
    return batch(
        run(run_id, start=day * DAY, conclusion=conclusion),
        [job(job_id, start=day * DAY, conclusion=conclusion)],
        logs=[log(run_id, 1, job_id, log_text(*lines, start=day * DAY), start=day * DAY)],
    )


def built(store: Store) -> dict[str, pd.DataFrame]:
    build_facts(store)
    return dict(read_history(store, tables=TABLES).tables)


def test_what_a_log_tells_becomes_rows(tmp_path: Path) -> None:
    with filled(tmp_path, a_run(1, *libtest("a", "b", failed="b"), conclusion="failure")) as store:
        found = built(store)
    (one,) = found["tests"].to_dict("records")
    assert (one["job_id"], one["suite"], one["test"], one["outcome"]) == (11, "ledger", "b", "failed")
    assert one["log_line"] == 14
    (roster,) = found["rosters"].to_dict("records")
    assert (roster["suite"], roster["n_tests"]) == ("ledger", 2)
    assert found["roster_names"][["roster_id", "names"]].to_numpy().tolist() == [[roster["roster_id"], "a\nb"]]


def test_a_retry_that_hides_in_a_green_job_is_told(tmp_path: Path) -> None:
    rows = (
        "    Starting 1 test across 1 binary",
        "  TRY 1 FAIL [   0.010s] (─/1) ledger connects",
        "  TRY 2 PASS [   0.011s] (1/1) ledger connects",
        "     Summary [   0.100s] 1 test run: 1 passed (1 flaky), 0 skipped",
    )
    with filled(tmp_path, a_run(1, *rows)) as store:
        found = built(store)["tests"]
    assert found[["suite", "test", "outcome"]].to_numpy().tolist() == [["ledger", "connects", "flaky"]]


def test_a_list_of_names_is_kept_once_however_many_jobs_ran_it(tmp_path: Path) -> None:
    same = [a_run(number, *libtest("a", "b"), day=number * 20) for number in range(1, 6)]
    with filled(tmp_path, *same, a_run(9, *libtest("a"), day=110)) as store:
        found = built(store)
    assert len(found["rosters"]) == 6
    assert sorted(found["roster_names"]["names"]) == ["a", "a\nb"]


def test_names_are_gathered_over_builds_and_outlive_pruned_logs(tmp_path: Path) -> None:
    with filled(tmp_path, a_run(1, *libtest("old"))) as store:
        built(store)
        store.prune(before=datetime(2026, 4, 1, tzinfo=UTC))
        for _ in store.write([a_run(2, *libtest("new"), day=40)]):
            pass
        found = built(store)
        assert sorted(found["roster_names"]["names"]) == ["new", "old"]
        assert set(found["rosters"]["roster_id"]) == set(found["roster_names"]["roster_id"])
        folder = tmp_path / "facts" / "roster_names"
        assert len(list(folder.rglob("*.parquet"))) == 1


def test_a_list_that_no_job_points_to_any_more_goes(tmp_path: Path) -> None:
    with filled(tmp_path, a_run(1, *libtest("first"))) as store:
        built(store)
        for _ in store.write([a_run(1, *libtest("second"))]):
            pass
        assert built(store)["roster_names"]["names"].tolist() == ["second"]


def test_a_step_that_ran_no_test_is_a_row_with_none(tmp_path: Path) -> None:
    with filled(tmp_path, a_run(1, *libtest())) as store:
        found = built(store)
    assert found["rosters"][["suite", "n_tests"]].to_numpy().tolist() == [["ledger", 0]]
    assert found["rosters"]["roster_id"].isna().all()
    assert found["roster_names"].empty


REPORT = (
    '<testsuite name="org.shop.TillTest"><testcase classname="org.shop.TillTest" name="opens"/>'
    '<testcase classname="org.shop.TillTest" name="adds"><failure message="expected 3"/></testcase></testsuite>'
)


def reported(body: str = REPORT) -> Batch:
    return Batch(REPO, "file", [Payload("junit", "1/1/report.xml/abc", body, START)])


def test_a_report_tells_where_the_log_names_no_test(tmp_path: Path) -> None:
    with filled(tmp_path, a_run(1, "BUILD FAILED", conclusion="failure"), reported()) as store:
        found = built(store)
    (one,) = found["tests"].to_dict("records")
    assert (one["job_id"], one["test"], one["message"]) == (11, "org.shop.TillTest.adds", "expected 3")
    assert pd.isna(one["log_line"])
    assert found["rosters"][["job_id", "suite", "n_tests"]].to_numpy().tolist() == [[11, "org.shop.TillTest", 2]]
    assert found["roster_names"]["names"].tolist() == ["org.shop.TillTest.adds\norg.shop.TillTest.opens"]


def test_a_report_of_a_run_with_several_jobs_belongs_to_none_of_them(tmp_path: Path) -> None:
    two = batch(run(1, conclusion="failure"), [job(11, conclusion="failure"), job(12, "lint")])
    with filled(tmp_path, two, reported()) as store:
        found = built(store)
    assert found["tests"]["job_id"].isna().all()
    assert found["rosters"]["job_id"].isna().all()
    assert len(found["tests"]) == 1


def test_a_report_that_an_earlier_kotaci_let_in_breaks_no_build(tmp_path: Path) -> None:
    with filled(tmp_path, a_run(1, *libtest("a")), reported("<!DOCTYPE x><testsuite/>")) as store:
        assert built(store)["rosters"]["n_tests"].tolist() == [1]


def test_what_a_log_told_already_is_not_told_again_by_a_report() -> None:
    logged = TestReport(
        (TestResult("pytest", "tests/test_a.py", "tests/test_a.py::test_one", "failed", line=7),),
        (Suite("pytest", "", 3, 1, 0),),
    )
    report = TestReport(
        (
            TestResult("junit", "tests.test_a", "tests.test_a.test_one", "failed"),
            TestResult("junit", "tests.test_b", "tests.test_b.test_two", "failed"),
        ),
        (Suite("junit", "tests.test_a", 1, 1, 0, ("tests.test_a.test_one", "tests.test_a.test_two")),),
    )
    rows = to_test_rows((REPO, 1, 1), {11: logged}, [report])
    assert [row[5] for row in rows["tests"]] == ["tests/test_a.py::test_one", "tests.test_b.test_two"]
    assert [(row[4], row[6]) for row in rows["rosters"]] == [("pytest", 4)], "a report may count the same tests"


def test_a_suite_that_ran_twice_in_a_job_is_one_row() -> None:
    named = [Suite("libtest", "ledger", 1, 0, 0, ("a",)), Suite("libtest", "ledger", 2, 0, 0, ("a", "b"))]
    counted = [Suite("surefire", "TillTest", 3, 0, 0), Suite("surefire", "TillTest", 3, 0, 0)]
    parts = [Suite("jest", "", 5, 0, 0), Suite("jest", "", 4, 1, 0)]
    rows = to_test_rows((REPO, 1, 1), {11: TestReport((), (*named, *counted, *parts))})["rosters"]
    assert [(row[4], row[6]) for row in rows] == [("ledger", 2), ("TillTest", 3), ("jest", 10)]


def test_only_the_slowest_tests_of_a_job_are_kept_and_all_are_counted() -> None:
    names = tuple(f"t{number}" for number in range(30))
    suite = Suite("nextest", "ledger", 30, 0, 0, names, times=(*map(float, range(29)), None))
    rows = to_test_rows((REPO, 1, 1), {11: TestReport((), (suite,))})["test_times"]
    assert [row[5:8] for row in rows[:2]] == [("t28", 28.0, 1), ("t27", 27.0, 2)]
    assert len(rows) == N_SLOWEST
    assert {row[8:] for row in rows} == {(29, 406.0)}


def test_durations_of_a_report_count_where_no_log_tells_any() -> None:
    report = TestReport((), (Suite("junit", "till", 2, 0, 0, ("a", "b"), times=(1.0, 3.0)),))
    timed = TestReport((), (Suite("nextest", "till", 1, 0, 0, ("a",), times=(2.0,)),))
    untimed = TestReport((), (Suite("pytest", "", 2, 0, 0),))
    for logged, expected in ((timed, [(11, "a", 2.0)]), (untimed, [(None, "b", 3.0), (None, "a", 1.0)])):
        rows = to_test_rows((REPO, 1, 1), {11: logged}, [report])["test_times"]
        assert [(row[3], row[5], row[6]) for row in rows] == expected
