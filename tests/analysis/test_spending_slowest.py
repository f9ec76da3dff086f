"""The slowest tests of all jobs."""

from __future__ import annotations

import pytest

from kotaci.analysis.spending import slowest_tests
from kotaci.tables import TEST_TIMES
from tests.analysis.frames import KEYS, Row, frame, job, run

JOBS = [job(run(number)) for number in (1, 2)]


def timed(of: Row, test: str, seconds: float, *, all_s: float) -> Row:
    return {**{key: of[key] for key in KEYS}, "suite": "kv", "test": test, "wall_s": seconds, "rank": 1, "n_timed": 9,
            "all_s": all_s}  # fmt: skip


def test_a_tests_share_is_of_all_tests_of_all_jobs() -> None:
    told = ((JOBS[0], "slow", 6), (JOBS[0], "quick", 1), (JOBS[1], "slow", 8))
    rows = [timed(of, test, seconds, all_s=10) for of, test, seconds in told]
    assert slowest_tests(frame(TEST_TIMES, rows)).to_numpy().tolist() == [
        ["kv", "slow", 2, 7, pytest.approx(7.9), 14, 0.7],
        ["kv", "quick", 1, 1, 1, 1, 0.05],
    ]


@pytest.mark.parametrize("rows", [[], [timed(JOBS[0], "instant", 0, all_s=0)]])
def test_no_time_is_no_share(rows: list[Row]) -> None:
    assert slowest_tests(frame(TEST_TIMES, rows))["share"].tolist() == [0] * len(rows)
