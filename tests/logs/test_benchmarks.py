"""Wordings of benchmark results, each marked: R recorded from a real run, D from the source or book of the tool."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.logs.benchmarks import Benchmark, is_benchmark_data, parse_benchmark_data, parse_benchmarks
from kotaci.model import BadInput
from tests.builders import SEEDED

HEAD = "2026-03-02T09:00:"


def log(*lines: str) -> str:
    """Return the lines with time stamps, a second apart."""
    return "".join(f"{HEAD}{number % 60:02d}.0000000Z {line}\n" for number, line in enumerate(lines))


def told(*lines: str) -> list[tuple[str, str, float, str, float | None, float | None]]:
    """Return what the lines tell, without direction and line."""
    return [(one.tool, one.name, one.value, one.unit, one.low, one.high) for one in parse_benchmarks(log(*lines))]


@pytest.mark.parametrize(
    ("line", "one"),
    [
        # R, cargo bench 1.95, with the harness of `#[bench]`
        ("test store::insert_many_keys ... bench:      44,030.59 ns/iter (+/- 2,275.46)",
         ("libtest", "store::insert_many_keys", 44030.59, "ns", 41755.13, 46306.05)),
        ("test store::copy             ... bench:         172.45 ns/iter (+/- 217.98) = 23813 MB/s",
         ("libtest", "store::copy", 172.45, "ns", 0.0, 390.43)),
        # R, the same with --color always on xterm
        ("test store::tiny             ... \x1b[36mbench\x1b(B\x1b[m:           0.93 ns/iter (+/- 0.84)",
         ("libtest", "store::tiny", 0.93, "ns", 0.09, 1.77)),
        # D, before 1.79: whole ns; and criterion's --output-format bencher, whose names may hold blanks
        ("test bench_fib_20 ... bench:      37,174 ns/iter (+/- 7,527)",
         ("libtest", "bench_fib_20", 37174.0, "ns", 29647.0, 44701.0)),
        ("test fib/with 20 ... bench:       1,250 ns/iter (+/- 50)",
         ("libtest", "fib/with 20", 1250.0, "ns", 1200.0, 1300.0)),
        # D, criterion's book and source
        ("alloc                   time:   [2.5094 ms 2.5306 ms 2.5553 ms]",
         ("criterion", "alloc", 2530600.0, "ns", 2509400.0, 2555300.0)),
        ("\x1b[32mfib 20\x1b[0m                  time:   [\x1b[2m26.029 µs\x1b[0m \x1b[1m26.251 µs\x1b[0m 26.505 µs]",
         ("criterion", "fib 20", 26251.0, "ns", 26029.0, 26505.0)),
        ("parse                   time:   [950.00 ps 999.00 ps 1.0010 ns]",
         ("criterion", "parse", 0.999, "ns", 0.95, 1.001)),
        ("parse                   time:   [9.5 cycles 10.5 cycles 11.5 cycles]",
         ("criterion", "parse", 10.5, "cycles", 9.5, 11.5)),
    ],
)  # fmt: skip
def test_each_wording(line: str, one: tuple[object, ...]) -> None:
    assert told(line) == [tuple(pytest.approx(part) if isinstance(part, float) else part for part in one)]


def test_a_long_name_stands_on_the_line_before() -> None:  # D
    said = (
        "Benchmarking store/insert_many_keys/1000",
        "Benchmarking store/insert_many_keys/1000: Warming up for 3.0000 s",
        "Warning: Unable to complete 100 samples in 5.0s. You may wish to increase target time to 9.3s.",
        "Benchmarking store/insert_many_keys/1000: Analyzing",
        "store/insert_many_keys/1000",
        "                        time:   [1.0000 ms 1.2500 ms 1.5000 ms]",
        "                        thrpt:  [391.34 MiB/s 395.17 MiB/s 398.51 MiB/s]",
        "                 change:",
        "                        time:   [-1.1233% +1.9237% +5.0838%] (p = 0.24 > 0.05)",
        "                        thrpt:  [-4.8379% -1.8874% +1.1361%]",
        "                        No change in performance detected.",
        "Found 8 outliers among 100 measurements (8.00%)",
        "  4 (4.00%) high mild",
    )
    (one,) = parse_benchmarks(log(*said))
    assert one == Benchmark("criterion", "store/insert_many_keys/1000", 1.25e6, "ns", 1e6, 1.5e6, True, 6)


def test_a_name_that_another_stream_tore_away_is_the_one_that_ran() -> None:
    said = ("Benchmarking store/get", "  a line of the program", "                        time:   [1 ns 2 ns 3 ns]")
    assert [name for _, name, *_ in told(*said)] == ["store/get"]


def test_what_is_no_result_is_none() -> None:
    script = ("##[group]Run cargo bench", "test echoed ... bench:      1 ns/iter (+/- 0)", "##[endgroup]")
    others = (
        "test result: ok. 0 passed; 0 failed; 0 ignored; 3 measured; 0 filtered out",
        "test a ... bench:      1.2.3 ns/iter (+/- 0)",
        "test a ... ok",
        "time:   [0.1 s] done",
        "                        time:   [1 ns 2 ns 3 ns]",
    )
    assert told(*script, *others[:-2]) == []
    assert told(others[-1]) == []


def data(tool: str = "cargo", **bench: Any) -> dict[str, Any]:
    """Return what github-action-benchmark writes for one commit and one benchmark."""
    one = {"name": "fib", "value": 1250, "unit": "ns/iter", "range": "± 50"} | bench
    commit = {"id": "c" * 40, "message": "Turn the cogs", "timestamp": "2026-03-02T09:00:00Z"}
    return {
        "lastUpdate": 1772442000000,
        "repoUrl": "https://github.com/octo/widgets",
        "entries": {"Rust": [{"commit": commit, "date": 1772442000000, "tool": tool, "benches": [one]}]},
    }


@pytest.mark.parametrize("script", ["{}", "window.BENCHMARK_DATA = {}", "window.BENCHMARK_DATA = {};\n"])
def test_the_file_of_the_pages_branch_and_its_json(script: str) -> None:  # D
    (entry,) = parse_benchmark_data(script.replace("{}", json.dumps(data(), indent=2)))
    assert (entry.suite, entry.commit_sha, entry.at) == ("Rust", "c" * 40, datetime(2026, 3, 2, 9, tzinfo=UTC))
    assert entry.benchmarks == (Benchmark("cargo", "fib", 1250.0, "ns", 1200.0, 1300.0, True),)


@pytest.mark.parametrize(
    ("tool", "bench", "one"),
    [
        ("customSmallerIsBetter", {"unit": "MB", "range": "3"}, (1250.0, "MB", None, None, True)),
        ("customBiggerIsBetter", {"unit": "ops/sec", "range": "±2%"}, (1250.0, "ops/sec", 1225.0, 1275.0, False)),
        ("pytest", {"unit": "iter/sec", "range": "stddev: 0.1"}, (1250.0, "iter/sec", None, None, False)),
        ("go", {"unit": "us/op", "range": None}, (1.25e6, "ns", None, None, True)),
        ("anything", {"unit": "ops/s"}, (1250.0, "ops/s", 1200.0, 1300.0, False)),
        ("anything", {"unit": "widgets"}, (1250.0, "widgets", 1200.0, 1300.0, None)),
    ],
)
def test_which_way_is_better_and_how_wide(tool: str, bench: dict[str, Any], one: tuple[object, ...]) -> None:  # D
    (entry,) = parse_benchmark_data(json.dumps(data(tool, **bench)))
    (found,) = entry.benchmarks
    assert (found.value, found.unit, found.low, found.high, found.is_smaller_better) == one


def test_a_bare_list_is_read_and_does_not_tell_which_way() -> None:  # D
    told = [{"name": "size", "unit": "MB", "value": "12.5"}, {"name": "wall", "unit": "s", "value": 2}, {"name": "x"}]
    (entry,) = parse_benchmark_data(json.dumps(told))
    assert (entry.commit_sha, entry.at) == ("", None)
    assert entry.benchmarks == (
        Benchmark("custom", "size", 12.5, "MB", None, None, None),
        Benchmark("custom", "wall", 2e9, "ns", None, None, True),
    )


@pytest.mark.parametrize("text", ["", "<html>", "[]", "[[]]", '{"entries": []}', "window.BENCHMARK_DATA", "[" * 99_999])
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_benchmark_data(text)


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        (json.dumps(data()), True),
        ("window.BENCHMARK_DATA = {", True),
        ('\ufeff [{"name": "size", "unit": "MB", "value": 1', True),
        ('[{"name": "size"}]', False),
        ('{"log": {"entries": []}}', False),
        ("##[group]", False),
        ("", False),
    ],
)
def test_such_a_file_is_told_by_its_look_though_it_may_be_torn(text: str, is_it: bool) -> None:
    assert is_benchmark_data(text) is is_it


SAID = (
    "test a ... bench:   1,234 ns/iter (+/- 56)", "test a ... bench: 9e9,. ns/iter (+/- .)", "a long name",
    "a                       time:   [1 ns 2 ns 3 ns]", "                        time:   [1 ns 2 ns 3 ns]",
    "Benchmarking a: Analyzing", "##[group]Run cargo bench", "##[endgroup]",
    "test " + " ... bench:" * 900 + "/iter (+/- ", " " * 9000 + "time:   [",
)  # fmt: skip


@SEEDED
@given(st.lists(st.sampled_from(SAID) | st.text(max_size=60), max_size=40))
def test_any_lines_are_read_in_their_order(lines: list[str]) -> None:
    found = parse_benchmarks(log(*[line.replace("\n", " ") for line in lines]))
    assert [one.line for one in found] == sorted({one.line for one in found})
    assert all(one.name and one.low is not None and one.low <= one.value for one in found if one.tool == "libtest")


KEYS = st.sampled_from(["commit", "id", "date", "tool", "benches", "name", "value", "unit", "range"])
JSON = st.recursive(
    st.sampled_from([None, True, "x", "± 3", 1, 1e308, 10**400, float("nan")]) | st.floats(),
    lambda inner: st.dictionaries(KEYS, inner, max_size=5) | st.lists(inner, max_size=2),
    max_leaves=8,
)


@SEEDED
@given(JSON)
def test_any_json_is_read_or_refused(told: Any) -> None:
    for text in (json.dumps(told), json.dumps({"entries": {"Rust": [told]}}), json.dumps([told])):
        try:
            entries = parse_benchmark_data(text)
        except BadInput:
            continue
        assert all(one.name and abs(one.value) < 1e110 for entry in entries for one in entry.benchmarks)
