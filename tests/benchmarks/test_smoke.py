"""The benchmarks run, at sizes that tell nothing about speed, so that their code does not rot."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from kotaci.facts import build_facts, read_history
from kotaci.store import open_store
from tests.benchmarks.__main__ import main
from tests.benchmarks.auditing import measure_audit
from tests.benchmarks.changes import measure_changes
from tests.benchmarks.durations import measure_durations
from tests.benchmarks.earlier import measure_earlier
from tests.benchmarks.explaining import EXPLAIN_STEPS, to_ere
from tests.benchmarks.fetching import measure_fetch, measure_memory
from tests.benchmarks.generate import START, history
from tests.benchmarks.measure import in_own_process, measure_histories, run_step
from tests.benchmarks.scrolling import measure_scrolling
from tests.benchmarks.timing import measure_timing
from tests.benchmarks.watching import measure_watch


def test_a_generated_history_has_as_many_jobs_as_asked_for_over_two_years(tmp_path: Path) -> None:
    with open_store(tmp_path, create=True) as store:
        for _ in store.write(history(500)):
            pass
        build_facts(store)
        held = read_history(store, tables=["runs", "jobs", "failures"])
    assert (len(held["jobs"]), len(held["runs"])) == (500, 100)
    assert held["runs"]["attempt"].max() == 2
    assert 0 < len(held["failures"]) == (held["jobs"]["outcome"] == "failure").sum() < 50
    assert held["jobs"]["n_log_lines"].between(35, 55).all()
    assert held["runs"]["started_at"].min() >= START
    assert (held["runs"]["started_at"].max() - START).days in range(700, 731)


def test_the_same_seed_gives_the_same_history() -> None:
    assert list(history(50)) == list(history(50))
    assert list(history(50)) != list(history(50, seed=2))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the peak memory that way")
def test_histories_are_measured_and_their_growth_is_told(tmp_path: Path) -> None:
    rows = dict(measure_histories(tmp_path, [25, 50], measured=run_step))
    assert len(rows) == 1 + 2 * 10
    assert "x of 25" in rows["50 jobs: facts, all"]
    assert rows["25 jobs: facts MB"].endswith(" MB")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the peak memory that way")
def test_a_step_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    told = in_own_process("fill", tmp_path / "store", 5)
    assert told["seconds"] > 0
    assert told["peak_mb"] > 10
    with open_store(tmp_path / "store") as store:
        assert store.summary()["payloads"] == {"job": 5, "run": 1}


def test_the_benchmarks_print_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    main(["import", "--logs", "4", "--rounds", "1"])
    printed = capsys.readouterr().out.splitlines()
    assert "| measured | value |" in printed
    assert sum("MB/s" in line for line in printed) == 4
    assert any(line.startswith("| import, 4 logs of 2 kB | ") for line in printed)


def test_an_unknown_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["imports"])
    assert "imports: choose from install, import, history, notebooks, fetch, memory" in capsys.readouterr().err


def test_a_fetch_is_measured_by_kind_and_against_its_limits(tmp_path: Path) -> None:
    rows = dict(measure_fetch(tmp_path, n_runs=4, n_polite=2, n_others=2, latency_s=0.002))
    assert float(rows["requests per run, list and jobs"]) > 1
    assert any("times the" in value for value in rows.values())


def test_memory_is_measured(tmp_path: Path) -> None:
    rows = dict(measure_memory(tmp_path, sizes=(2, 4), large_bytes=2**20))
    assert rows["memory from 2 to 4 runs"].endswith("times")
    assert "MB peak" in rows["a log of 1 MiB among 20 runs"]


def test_called_changes_are_measured() -> None:
    rows = dict(measure_changes(n_histories=4, lengths=(20,), rates=(0.0, 0.1), n_long=200))
    assert (
        rows["20 commits, 0% flaky: false alarms, looked at once; after each commit; two in a row"]
        == "0.0%; 0.0%; 0.0%"
    )
    assert rows["20 commits, 0% flaky, then 100% fail: found, median delay; two in a row"] == "100%, 4; 100%, 2"
    assert rows["failures in a row needed after 20 commits, 0/10 % flaky"] == "4/8"
    assert any(value.endswith("changes") for value in rows.values())


def test_found_shifts_are_measured() -> None:
    rows = dict(measure_durations(n_series=2, seeds=(1, 2)))
    assert len(rows) == 2 + 3 + 3 + 3 + 2 * 3
    assert sum("ruptures" in name for name in rows) == 3
    assert all("; " in value for name, value in rows.items() if name.endswith("false alarms"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the peak memory that way")
def test_build_time_is_measured(tmp_path: Path) -> None:
    rows = dict(measure_timing(tmp_path, [100], measured=run_step))
    assert [name.removeprefix("100 jobs: ") for name in rows] == [
        "tables in memory", "needs of every run", "critical paths", "suggestions, replayed",
    ]  # fmt: skip
    assert all(value.endswith(" MB peak") for value in rows.values())
    assert list(tmp_path.iterdir()) == []


def test_an_audit_is_measured(tmp_path: Path) -> None:
    rows = measure_audit(tmp_path, n_workflows=1, n_tests=1, n_rounds=1)
    assert len(rows) == 4
    assert all(value.endswith(" s") for _, value in rows)


def test_scrolling_is_measured() -> None:
    rows = dict(measure_scrolling(n_lines=600, n_steps=2))
    assert len(rows) == 4
    assert any(value.endswith(" times") for value in rows.values())


@pytest.mark.parametrize(
    ("pattern", "spelled"),
    [
        (r"(?i)\bno space\s+left", r"\bno space[[:space:]]+left"),
        (r"(?:a|b)\d{2}", "(a|b)[0-9]{2}"),
        (r"[\s(]x", None),
        ("❌ x", None),
    ],
)
def test_patterns_are_spelled_as_grep_reads_them(pattern: str, spelled: str | None) -> None:
    assert to_ere(pattern) == spelled


@pytest.mark.cargo
@pytest.mark.skipif(not shutil.which("cargo"), reason="no Rust toolchain")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the time of children that way")
def test_a_watched_build_is_measured_beside_a_plain_one(tmp_path: Path) -> None:
    rows = dict(measure_watch(tmp_path, n_crates=2, n_modules=2, n_rounds=1))
    assert "x of plain" in rows["cargo build of 2 crates, watched: wall"]
    assert rows["that build, as recorded: most memory"].endswith(" MB")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", sorted(EXPLAIN_STEPS))
def test_a_generated_log_is_explained(step: str, tmp_path: Path) -> None:
    EXPLAIN_STEPS[step](tmp_path, 1)


def test_the_audit_of_earlier_versions_is_measured(tmp_path: Path) -> None:
    ((what, told),) = measure_earlier(tmp_path, n_versions=3)
    assert "3 versions" in what
    assert "28 limits that changed" in told
