"""What is shown of benchmarks says what the analysis found, in both forms, and says so where there is nothing."""

from __future__ import annotations

import re
from datetime import date

import pytest

from kotaci.analysis.benchmarks import Benchmarking
from kotaci.config import Landmark
from kotaci.pages.benchmarks import benchmark_figure, benchmark_table
from tests.analysis.test_benchmarks import assessed, benched, noisy, result


@pytest.fixture(scope="module")
def told() -> Benchmarking:
    """Five benchmarks over 60 runs: a loss, a lone slow result, a quiet one, one of unknown direction, a rate."""
    of_jobs = [benched(place) for place in range(1, 61)]
    lone = [value * (1.5 if place == 30 else 1) for place, value in enumerate(noisy(60, seed=3))]
    stories = {
        "quiet <b>": (noisy(60, level=0.9), {}),
        "store::insert_many": (noisy(30, level=1.2e6, seed=1) + noisy(30, level=1.5e6, seed=2), {}),
        "store::get": (lone, {}),
        "size": (noisy(60, seed=4), {"unit": "MB", "is_smaller_better": None}),
        "rate": (noisy(30, seed=5) + noisy(30, level=2000, seed=6), {"unit": "ops/s", "is_smaller_better": False}),
    }
    return assessed(
        of_jobs,
        [
            result(row, value, name=name, **of)
            for name, (values, of) in stories.items()
            for row, value in zip(of_jobs, values, strict=True)
        ],
    )


def row_of(markdown: str, name: str) -> list[str]:
    """Return the cells of the row that begins with that benchmark."""
    line = next(line for line in markdown.splitlines() if line.startswith(f"| {name}"))
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_the_table_begins_with_what_is_worse_now(told: Benchmarking) -> None:
    block = benchmark_table(told)
    rows = [line for line in block.markdown.splitlines() if line.startswith("| ")]
    assert rows[2].startswith("| store::insert\\_many · ci.yml / bench, libtest")
    worse = row_of(block.markdown, "store::insert")
    assert worse[3] == "1 · 1 a shift"
    assert re.fullmatch(r"\[.*worse\]\(https://\S+/compare/\S+\) · 1.20 ms → 1.50 ms, 3 Mar 2026", worse[4])
    assert row_of(block.markdown, "store::get")[3] == "1 · 1 noise"
    assert row_of(block.markdown, "size")[3] == "– · not known which way is better"
    assert " better](" in row_of(block.markdown, "rate")[4]
    assert "quiet <b>" not in block.html


def test_the_figure_says_what_the_alerts_are(told: Benchmarking) -> None:
    block = benchmark_figure(told, dates=[Landmark(date(2026, 3, 3), "new runner")])
    assert block.markdown.startswith("*Figure:* 2 alerts in 300 results of 5 benchmarks: 1 a shift, 1 noise. Dots: ")
    assert "3 Mar 2026: new runner." in block.markdown
    assert "store::insert\\_many, ms, bench: level 1.2" in block.markdown
    assert block == benchmark_figure(told, dates=[Landmark(date(2026, 3, 3), "new runner")])


def test_nothing_is_a_sentence() -> None:
    none = assessed([], [])
    for block in (benchmark_table(none), benchmark_figure(none)):
        assert "no log in this window holds a result" in block.markdown


def test_one_result_is_shown() -> None:
    row = benched(1)
    one = assessed([row], [result(row, 0.0)])
    assert row_of(benchmark_table(one).markdown, "fib")[2] == "0 ns · noise ± –"
    assert "level –, n = 1" in benchmark_figure(one).markdown
