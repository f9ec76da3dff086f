"""Prices of faults, by runs told by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from kotaci.analysis.pricing import Fault, Priced, price_faults, worth_of
from kotaci.model import Certainty, Finding, Price, Severity
from kotaci.tables import CACHE_EVENTS, PHASES, SETUPS, UNITS
from tests.analysis.frames import CI, Row, frame
from tests.analysis.pipelines import Tables
from tests.analysis.test_spending import phase

RATES = {"ubuntu-24.04": 0.5}


def priced(told: Tables, method: str, *, phases: list[Row] = [], **of: Any) -> Priced:  # noqa: B006
    """Return the price of one fault in these runs."""
    none = {"cache_events": CACHE_EVENTS, "setups": SETUPS, "units": UNITS}
    tables: dict[str, pd.DataFrame] = {name: frame(table, []) for name, table in none.items()}
    tables |= told.frames() | {"phases": frame(PHASES, phases)}
    fault = Fault("it", method, **({"workflow": CI} | of))
    return price_faults([fault], tables, prices=RATES)["it"]


def pipelines(n: int = 8, *, event: str = "push") -> Tables:
    """Return runs a day apart: lint of 60 s, then two legs of test of 120 and 240 s."""
    told = Tables()
    for number in range(1, n + 1):
        legs = {"lint": [(0, 60)], "test": [(0, 120), (0, 240)]}
        run_told = {"hours": 24.0 * number, "event": event, "wall": 300}
        told.add({"lint": [], "test": ["lint"]}, legs, run_told=run_told)
    return told


def test_a_wait_costs_the_time_that_runs_would_have_ended_sooner() -> None:
    found = priced(pipelines(), "needs", job="test", need="lint")
    assert (found.price.minutes, found.price.people_minutes, found.price.basis) == (0, 8, "replayed")
    assert found.n == 8


def test_a_wait_that_is_none_is_refused_with_the_reason() -> None:
    found = priced(pipelines(), "needs", job="lint", need="test")
    assert (found.price.basis, found.method) == ("none", "not priced: lint needs test: is no edge of these runs")


def test_legs_cost_all_but_the_longest() -> None:
    found = priced(pipelines(), "legs", job="test")
    assert (found.price.minutes, found.price.money_usd) == (16, 8)


def test_a_step_or_a_job_done_twice() -> None:
    told = pipelines()
    for job in [job for job in told.jobs if job["job_base"] == "lint"]:
        told.step(job, "Build", 45)
    assert priced(told, "duplicates", job="lint", step="Build").price.minutes == 6
    assert priced(told, "duplicates", job="lint").price.minutes == 8
    assert priced(told, "duplicates", job="lint", step="Gone").price.minutes is None


def test_push_and_pull_request_on_one_commit() -> None:
    told = pipelines()
    told.runs = [row | {"head_sha": told.runs[0]["head_sha"]} if row["run_id"] == 2 else row for row in told.runs]
    found = priced(told, "duplicates")
    assert (found.price.minutes, found.n) == (7, 8)


def test_tools_from_source_cost_their_seconds() -> None:
    told = pipelines()
    lints = [job for job in told.jobs if job["job_base"] == "lint"]
    phases = [phase(job, 2, "tool-install", 90.0, tool="cargo-deny") for job in lints]
    found = priced(told, "tools", phases=phases, job="lint")
    assert (found.price.minutes, found.n) == (12, 8)
    assert "cargo-deny" in found.method


def test_the_same_fault_in_several_places_is_one_price() -> None:
    told = pipelines()
    tests = [job for job in told.jobs if job["job_base"] == "test"]
    phases = [phase(job, 2, "tool-install", 30.0, tool="cargo-deny") for job in told.jobs]
    also = (("test", "", ""), ("gone", "", ""))
    found = priced(told, "tools", phases=phases, job="lint", also=also)
    assert (found.price.minutes, len(tests)) == (0.5 * 8 + 0.5 * 16, 16)
    assert found.method.startswith("2 places together; the dearest: ")
    waits = priced(told, "needs", job="test", need="lint", also=(("lint", "", "test"),))
    assert waits.price.people_minutes == 8


@pytest.mark.parametrize("method", ["timeouts", "caches", "transfers", "share"])
def test_what_is_not_known_has_no_price_and_says_why(method: str) -> None:
    found = priced(pipelines(), method, job="lint")
    assert found.price == Price()
    assert found.method.startswith("not priced: ")


def test_few_runs_have_no_price() -> None:
    assert priced(pipelines(5), "spent", job="lint").price == Price()
    assert priced(pipelines(6), "spent", job="lint").price.minutes == 6


def test_a_workflow_that_never_ran_has_no_price() -> None:
    found = priced(pipelines(), "spent", job="lint", workflow=".github/workflows/other.yml")
    assert found == Priced(Price(), 0, "not priced: no run of this workflow is in the window")


def test_no_runs_at_all_and_a_method_that_is_none() -> None:
    assert priced(Tables(), "timeouts", job="lint").price == Price()
    told = pipelines().frames()
    assert price_faults([Fault("it", "", CI)], told, prices=RATES) == {}


def test_worth_weighs_people_and_certainty() -> None:
    def finding(certainty: Certainty, price: Price) -> Finding:
        return Finding("a", "b", "c", "d", "e", certainty, Severity.LOW, 9, "counted", price=price)

    assert worth_of(finding(Certainty.PROVED, Price(10, people_minutes=2))) == 20
    assert worth_of(finding(Certainty.LOW, Price(10))) == 2
    assert worth_of(finding(Certainty.PROVED, Price())) == 0
