"""The report of `cargo build --timings`; R: written by a real cargo 1.95 for three crates of one workspace."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.logs.cargo_timings import TimedUnit, find_critical_path, is_cargo_timings, parse_cargo_timings
from kotaci.model import BadInput
from tests.builders import SEEDED


def unit(i: int, name: str, start: float, duration: float, *, target: str = "", **told: Any) -> dict[str, Any]:
    """Return a unit as cargo 1.95 writes it."""
    return {
        "i": i, "name": name, "version": "0.1.0", "mode": "todo", "target": target, "features": [], "start": start,
        "duration": duration, "unblocked_units": [], "unblocked_rmeta_units": [], "sections": None,
    } | told  # fmt: skip


def front(end: float, whole: float) -> list[Any]:
    """Return the sections of a library whose metadata is there at `end`."""
    return [["frontend", {"start": 0.0, "end": end}], ["codegen", {"start": end, "end": whole}]]


BUILD = [  # R
    unit(1, "alpha", 0.1, 0.26, target=" build-script", unblocked_units=[2]),
    unit(2, "alpha", 0.36, 0.01, target=" build-script (run)", mode="run-custom-build", unblocked_units=[0]),
    unit(0, "alpha", 0.37, 0.86, unblocked_rmeta_units=[3], sections=front(0.42, 0.86)),
    unit(3, "beta", 0.79, 1.41, unblocked_rmeta_units=[4], sections=front(0.56, 1.41)),
    unit(4, "gamma", 1.36, 1.14, unblocked_units=[5], sections=front(0.69, 1.14)),
    unit(5, "gamma", 2.5, 0.42, target=' gamma "bin"'),
]


def report(units: Any) -> str:
    """Return the page around the data, as cargo writes it."""
    script = f"DURATION = 3;\nconst UNIT_DATA = {json.dumps(units, indent=2)};\nconst CONCURRENCY_DATA = [];"
    return f"<html>\n<table>\n</table>\n<script>\n{script}\n</script></html>\n"


def test_units_are_read_in_the_order_in_which_they_began() -> None:
    units = parse_cargo_timings(report(BUILD[::-1]))
    assert [(one.unit, one.target, one.start_s) for one in units] == [
        ("alpha", "build-script", 0.1), ("alpha", "build-script (run)", 0.36), ("alpha", "", 0.37), ("beta", "", 0.79),
        ("gamma", "", 1.36), ("gamma", 'gamma "bin"', 2.5),
    ]  # fmt: skip
    assert units[3] == TimedUnit("beta", "0.1.0", "todo", "", 0.79, 1.41, 0.56, (), (4,))


def test_the_critical_path_is_as_long_as_the_build() -> None:
    path = find_critical_path(parse_cargo_timings(report(BUILD)))
    assert [(step.unit.unit, step.unit.target) for step in path] == [
        ("alpha", "build-script"), ("alpha", "build-script (run)"), ("alpha", ""), ("beta", ""), ("gamma", ""),
        ("gamma", 'gamma "bin"'),
    ]  # fmt: skip
    assert [round(step.own_s, 2) for step in path] == [0.26, 0.01, 0.42, 0.56, 1.14, 0.42]
    assert sum(step.own_s + step.waited_s for step in path) == pytest.approx(2.92)


def test_a_unit_beside_the_path_is_not_on_it() -> None:
    told = [unit(0, "slow", 0.0, 5.0, unblocked_units=[2]), unit(1, "quick", 0.0, 1.0, unblocked_units=[2]),
            unit(2, "last", 5.5, 1.0)]  # fmt: skip
    path = find_critical_path(parse_cargo_timings(report(told)))
    assert [(step.unit.unit, step.waited_s, step.own_s) for step in path] == [("slow", 0.0, 5.0), ("last", 0.5, 1.0)]


def test_earlier_cargos_said_unlocked_and_rmeta_time() -> None:  # D
    told = [{**unit(0, "a", 0.0, 2.0), "rmeta_time": 0.5, "unlocked_rmeta_units": [1]}, unit(1, "b", 0.5, 2.0)]
    path = find_critical_path(parse_cargo_timings(report(told)))
    assert [(step.unit.unit, step.own_s) for step in path] == [("a", 0.5), ("b", 2.0)]


@pytest.mark.parametrize("html", ["", "<html>", "UNIT_DATA = ", "UNIT_DATA = [{", "UNIT_DATA = " + "[" * 99_999])
def test_another_file_is_refused(html: str) -> None:
    with pytest.raises(BadInput):
        parse_cargo_timings(html)


@pytest.mark.parametrize(
    ("text", "is_it"),
    [(report(BUILD), True), ("\n<html>UNIT_DATA = [{", True), ("2026 UNIT_DATA = []", False), ("<html>", False)],
)
def test_a_report_is_told_by_its_look_though_it_may_be_torn(text: str, is_it: bool) -> None:
    assert is_cargo_timings(text) is is_it


SCALARS = st.sampled_from([None, True, "x", -1, 0, 1, 2.5, 10**400, float("inf"), float("nan"), [0], [1, 9], [[0]]])
KEYS = ["i", "name", "start", "duration", "unblocked_units", "unblocked_rmeta_units", "sections", "rmeta_time"]


@SEEDED
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), SCALARS) | SCALARS, max_size=6) | SCALARS)
def test_any_data_is_read(told: Any) -> None:
    units = parse_cargo_timings(report(told))
    path = find_critical_path(units)
    assert len(path) <= len(units)
    assert bool(path) == bool(units)
    assert all(step.own_s >= 0 and step.waited_s >= 0 for step in path)


@SEEDED
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 9)), min_size=1, max_size=8))
def test_a_chain_accounts_for_every_second(chain: list[tuple[int, int, int]]) -> None:
    told, at = [], 0
    for i, (waited, own, rest) in enumerate(chain):
        at += waited
        told.append(unit(i, f"c{i}", at, own + rest, unblocked_rmeta_units=[i + 1], rmeta_time=own))
        at += own
    told[-1]["duration"] = max(told[-1]["duration"], 100)
    units = parse_cargo_timings(report(told))
    path = find_critical_path(units)
    assert sum(step.own_s + step.waited_s for step in path) == pytest.approx(max(one.end_s for one in units))
