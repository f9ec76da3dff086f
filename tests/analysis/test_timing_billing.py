"""Minutes: rounded up job by job, priced by label, and counted once."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.analysis.timing import Bill, lost_minutes, price_of, to_bill, to_billed
from tests.analysis.frames import Row, job, jobs, run, runs
from tests.builders import SEEDED

PRICES = {"ubuntu-24.04": 0.006, "macos-15": 0.062}


def bill(*rows: Row, of: Row | None = None) -> Bill:
    return to_bill(to_billed(runs([of or run(1)]), jobs(rows), prices=PRICES))


@SEEDED
@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=8))
def test_each_job_rounds_up(seconds: list[int]) -> None:
    rows = [job(run(1), wall=wall, job_id=place) for place, wall in enumerate(seconds)]
    minutes = sum(max(1, -(-wall // 60)) for wall in seconds)
    found = bill(*rows)
    assert (found.n, found.minutes, found.n_unpriced) == (len(seconds), minutes, 0)
    assert found.dollars == pytest.approx(minutes * 0.006)


def test_label_without_a_price_is_counted_not_free() -> None:
    rows = [job(run(1), wall=61), job(run(1), wall=119, job_id=2, labels="self-hosted gpu")]
    assert bill(*rows) == Bill(n=2, minutes=4, dollars=0.012, n_unpriced=1, minutes_unpriced=2)
    assert bill(rows[1]).dollars is None


@pytest.mark.parametrize(
    ("labels", "price"),
    [
        ("macos-15", 0.062),
        ("self-hosted", None),
        ("", None),
        ("big ubuntu-24.04", 0.006),
        ("macos-15 ubuntu-24.04", None),
    ],
)
def test_price_of_labels(labels: str, price: float | None) -> None:
    assert price_of(labels, PRICES) == price


def test_what_no_runner_took_costs_nothing() -> None:
    first = run(1, attempt=2)
    carried = first["started_at"] - timedelta(hours=1)
    rows = [
        job(first, "skipped"),
        job(first, "cancelled", job_id=2),
        job(first, job_id=3, started_at=carried, ended_at=carried + timedelta(minutes=5)),
        job(first, "running", job_id=4, ended_at=None),
    ]
    assert bill(*rows, of=first) == Bill(0, 0, 0.0, 0, 0)
    assert bill(job(first, "cancelled", runner="GitHub Actions 1"), of=first).minutes == 5


def test_losses_are_counted_once_each() -> None:
    history = [
        run(1, hours=0, head_sha="a" * 40),
        run(1, hours=2, head_sha="a" * 40, attempt=2, created_at=run(1, hours=0)["created_at"]),
        run(2, hours=4, head_sha="b" * 40),
        run(3, "cancelled", hours=5, head_sha="d" * 40, wall=600),
        run(4, hours=5.1, head_sha="e" * 40),
        run(5, hours=8, head_sha="b" * 40, event="pull_request", pr_number=7),
        run(6, hours=9, head_sha="b" * 40, event="schedule"),
    ]
    billed = to_billed(runs(history), jobs(job(of) for of in history), prices=PRICES)
    losses = lost_minutes(runs(history), billed)
    assert {reason: (lost.n, lost.minutes) for reason, lost in losses.items()} == {
        "run again": (1, 5),
        "superseded": (1, 5),
        "duplicate on one commit": (1, 5),
    }
    assert math.isclose(to_bill(billed).dollars or 0, 35 * 0.006)
