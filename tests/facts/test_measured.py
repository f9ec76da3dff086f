"""Cargo's timings and files of benchmarks in artifacts, to rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from kotaci.facts import build_facts, read_history
from kotaci.facts.artifacts import Found, Uploaders
from kotaci.facts.measured import N_SLOWEST, to_benchmark_rows, to_unit_time_rows
from kotaci.logs.benchmarks import Benchmark, BenchmarkEntry
from kotaci.logs.cargo_timings import TimedUnit
from kotaci.store import Batch, Payload
from tests.facts.payloads import REPO, START, batch, filled, job, log, log_text, run

KEY = (REPO, 1, 1)
NOBODY = Uploaders({})


def unit(name: str, start: float, wall: float, *unblocks: int) -> TimedUnit:
    return TimedUnit(name, "1.0.0", "todo", "", start, wall, None, unblocks, ())


def timings(
    units: Sequence[TimedUnit], *, file: str = "cargo-timing.html", number: int = 70
) -> Found[Sequence[TimedUnit]]:
    return Found(number, "cargo-timings-lint", file, units)


def test_the_slowest_units_and_those_of_the_critical_path_are_rows() -> None:
    quick = [unit("first", 0.0, 0.5, 1), unit("last", 0.5, 9.0)]
    beside = [unit(f"beside-{number}", 0.0, 1.0 + number / 64) for number in range(60)]
    rows = to_unit_time_rows(KEY, [timings([*quick, *beside])], Uploaders({13: ("lint",)}))
    assert len(rows) == N_SLOWEST + 1
    assert {row[3] for row in rows} == {13}
    assert [(row[7], *row[11:]) for row in rows if row[13]] == [
        ("last", 0.5, 9.0, True, 9.0, 9.5),
        ("first", 0.0, 0.5, True, 0.5, 9.5),
    ]
    assert (rows[1][7], rows[1][12:15]) == ("beside-59", (1.921875, False, None))


def test_a_report_that_cargo_wrote_twice_counts_once() -> None:
    units = [unit("kv", 0.0, 1.0)]
    found = [timings(units, file="a.html"), timings(units), timings([unit("kv", 0.0, 2.0)], file="b.html")]
    rows = to_unit_time_rows(KEY, found, NOBODY)
    assert [(row[6], row[12]) for row in rows] == [("cargo-timing.html", 1.0), ("b.html", 2.0)]
    assert len(to_unit_time_rows(KEY, [timings(units), timings(units, number=71)], NOBODY)) == 2
    assert to_unit_time_rows(KEY, [timings([])], NOBODY) == []


def entry(suite: str, sha: str, value: float) -> BenchmarkEntry:
    return BenchmarkEntry(suite, sha, None, (Benchmark("cargo", "fib", value, "ns", None, None, True),))


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([entry("", "", 1)], [("fib", 1)]),
        ([entry("Rust", "b", 1), entry("Rust", "c", 2), entry("Rust", "c", 3)], [("Rust: fib", 3)]),
        ([entry("Rust", "c", 1), entry("Wide", "c", 2)], [("Rust: fib", 1), ("Wide: fib", 2)]),
        ([entry("Rust", "b", 1), entry("Rust", "", 2)], []),
    ],
)
def test_of_a_history_of_benchmarks_only_the_entry_of_the_head_counts(
    entries: Sequence[BenchmarkEntry], told: Sequence[tuple[str, float]]
) -> None:
    rows = to_benchmark_rows(KEY, [Found(70, "a", "a.json", entries)], NOBODY, head_sha="c", printed=set())
    assert [row[6:8] for row in rows] == told
    assert {(row[3], row[4], row[5]) for row in rows} <= {(None, None, "github-action-benchmark")}


def test_a_history_without_commits_is_of_no_run_whose_head_is_not_known() -> None:
    files = [Found(70, "a", "a.json", [entry("Rust", "", 1)])]
    assert to_benchmark_rows(KEY, files, NOBODY, head_sha="", printed=set()) == []


def test_what_the_log_printed_is_not_counted_again_and_a_torn_file_breaks_no_build(tmp_path: Path) -> None:
    said = log(1, 1, 11, log_text("test fib ... bench:      1,250 ns/iter (+/- 50)"))
    told = '[{"name": "fib", "unit": "ns", "value": 1}, {"name": "size", "unit": "MB", "value": 2, "range": "0.5"}]'
    files = [("benchmark_data", "70/a.json", told), ("benchmark_data", "71/b.json", told[:-1]),
             ("cargo_timings", "72/c.html", "<html>")]  # fmt: skip
    held = [Payload(kind, f"1/1/{key}", {"artifact": "a", "text": text}, START) for kind, key, text in files]
    with filled(tmp_path, batch(run(), [job(11)], logs=[said]), Batch(REPO, "api", held)) as store:
        build_facts(store)
        found = read_history(store, tables=("benchmarks", "unit_times"))
    assert found["benchmarks"][["job_id", "tool", "name", "value", "unit"]].to_numpy().tolist() == [
        [11, "libtest", "fib", 1250.0, "ns"],
        [11, "github-action-benchmark", "size", 2.0, "MB"],
    ]
    assert found["benchmarks"]["line"].isna().tolist() == [False, True]
    assert found["benchmarks"]["is_smaller_better"].isna().tolist() == [False, True]
    assert found["unit_times"].empty
