"""Prices of the sample's planted faults, found again by plain loops over the raw tables."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from kotaci.analysis.pricing import TABLES, Fault, Priced, price_faults
from kotaci.config import Prices
from kotaci.facts import History, read_history
from kotaci.places import sample_folder

CI, NIGHTLY = ".github/workflows/ci.yml", ".github/workflows/nightly.yml"
RATES = Prices().per_minute
TRUTHS = {
    truth["id"]: truth
    for truth in json.loads((sample_folder() / "truths.json").read_text(encoding="utf-8"))["truths"]
}  # fmt: skip

FAULTS = [
    Fault("limit", "timeouts", NIGHTLY, "soak"),
    Fault("no-hang", "timeouts", CI, "coverage"),
    Fault("masked", "share", CI, "strict-lints"),
    Fault("swallowed", "share", NIGHTLY, "bench"),
    Fault("blind", "through", CI, "gate"),
    Fault("shared-key", "caches", CI, "coverage"),
    Fault("newer", "superseded", CI),
    Fault("release", "spent", ".github/workflows/release.yml", "build"),
]


@pytest.fixture(scope="module")
def history(sample: Path) -> History:
    return read_history(sample, since="all", tables=TABLES)


@pytest.fixture(scope="module")
def priced(history: History) -> dict[str, Priced]:
    return price_faults(FAULTS, history.tables, prices=RATES)


@pytest.fixture(scope="module")
def ran(history: History) -> list[dict[str, Any]]:
    """Return every job that cost minutes, by plain loops: with the minutes GitHub bills, and its run."""
    runs = {(run["run_id"], run["attempt"]): run for run in history["runs"].to_dict("records")}
    found = []
    for job in history["jobs"].to_dict("records"):
        run = runs[job["run_id"], job["attempt"]]
        is_taken = job["outcome"] != "cancelled" or bool(job["runner"])
        if job["outcome"] != "skipped" and is_taken and not job["started_at"] < run["started_at"]:
            seconds = (job["ended_at"] - job["started_at"]).total_seconds()
            found.append(job | {"seconds": seconds, "minutes": max(1, math.ceil(seconds / 60)), "run": run})
    return found


def test_minutes_after_a_limit(priced: dict[str, Priced], ran: list[dict[str, Any]]) -> None:
    soaks = [job for job in ran if job["job"] == "soak"]
    passed = sorted(job["seconds"] for job in soaks if job["outcome"] == "success")
    place = 0.99 * (len(passed) - 1)
    p99 = passed[int(place)] + (place % 1) * (passed[int(place) + 1] - passed[int(place)])
    limit = max(5, math.ceil(1.5 * p99 / 60))
    over = [job for job in soaks if job["seconds"] > 60 * limit]
    assert [[job["run_id"], job["attempt"]] for job in over] == TRUTHS["timeout"]["run_ids"]
    price = priced["limit"].price
    assert price.minutes == sum(job["minutes"] - limit for job in over) == 15
    assert price.money_usd == pytest.approx(15 * RATES["ubuntu-latest"])
    assert priced["limit"].n == len(soaks)


def test_minutes_of_failures_that_nobody_heard_of(priced: dict[str, Priced], ran: list[dict[str, Any]]) -> None:
    unheard = [
        job
        for job in ran
        if job["job"] == "strict-lints" and job["outcome"] == "failure" and job["run"]["outcome"] == "success"
    ]
    assert priced["masked"].price.minutes == sum(job["minutes"] for job in unheard) > 0
    assert priced["masked"].n == len(TRUTHS["masked-strict-lints"]["run_ids"])
    assert f"{len(unheard)} times in a run that passed" in priced["masked"].method


def test_minutes_of_runs_whose_gate_let_a_cancelled_job_pass(
    priced: dict[str, Priced], ran: list[dict[str, Any]]
) -> None:
    minutes = 0
    for run_id, attempt in TRUTHS["gate-blind-to-cancelled"]["run_ids"]:
        mine = [job for job in ran if (job["run_id"], job["attempt"]) == (run_id, attempt)]
        assert [job["outcome"] for job in mine if job["job"] == "gate"] == ["success"]
        minutes += sum(job["minutes"] for job in mine)
    assert priced["blind"].price.minutes == minutes > 0
    assert "passed, or was skipped, in 4 runs" in priced["blind"].method


def test_minutes_after_a_newer_run_had_come(priced: dict[str, Priced], ran: list[dict[str, Any]]) -> None:
    pulls = [
        job["run"] | {"job": job}
        for job in ran
        if job["workflow"] == CI and job["run"]["event"] == "pull_request" and job["attempt"] == 1
    ]
    lost = 0
    for run in pulls:
        later = [
            other["created_at"]
            for other in pulls
            if other["pr_number"] == run["pr_number"]
            and (other["created_at"], other["run_id"]) > (run["created_at"], run["run_id"])
        ]
        if later and min(later) < run["job"]["ended_at"]:
            left = (min(later) - run["job"]["started_at"]).total_seconds()
            kept = max(1, math.ceil(left / 60)) if left > 0 else 0
            lost += run["job"]["minutes"] - kept
    assert priced["newer"].price.minutes == lost > 0
    assert priced["newer"].price.basis == "measured"


def test_what_lost_nothing_is_priced_at_nothing_and_what_is_not_known_is_not_priced(priced: dict[str, Priced]) -> None:
    assert priced["no-hang"].price.minutes == 0
    assert priced["swallowed"].price.minutes is None
    assert priced["swallowed"].n == len(TRUTHS["swallowed-exit-code"]["run_ids"])
    assert "not recorded" in priced["swallowed"].method


def test_a_key_shared_by_two_builds_restores_for_nothing(priced: dict[str, Priced]) -> None:
    n = len(TRUTHS["shared-key"]["run_ids"])
    assert f"after {n} of {n} exact hits the dependencies were compiled again" in priced["shared-key"].method
    assert (priced["shared-key"].price.minutes or 0) > 0


def test_two_runs_are_too_few(priced: dict[str, Priced]) -> None:
    assert (priced["release"].price.minutes, priced["release"].n) == (None, 2)
    assert "fewer than 6" in priced["release"].method
