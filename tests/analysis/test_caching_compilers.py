"""What sccache counted, job by job: the last print of each, what it mostly is, and what it could not keep."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kotaci.analysis.caching import Caching, assess_caching
from kotaci.pages.caches import compilers_table
from kotaci.tables import CACHE_EVENTS, CACHES, COMPILER_CACHES, SETUPS, UNITS

from .frames import Row, counted, frame, job, jobs, run, runs

RUNS = [run(number) for number in range(1, 7)]
JOBS = [job(one) for one in RUNS]


def assessed(prints: Sequence[Row]) -> Caching:
    return assess_caching(
        runs=runs(RUNS),
        jobs=jobs(JOBS),
        cache_events=frame(CACHE_EVENTS, ()),
        units=frame(UNITS, ()),
        setups=frame(SETUPS, ()),
        caches=frame(CACHES, ()),
        compiler_caches=frame(COMPILER_CACHES, prints),
    )


def test_the_last_print_of_a_job_counts_what_the_ones_before_it_counted() -> None:
    prints = [counted(JOBS[0], 40, 20, line=90), counted(JOBS[0], 9, 1, line=10), counted(JOBS[1], 50, 10)]
    told = assessed(prints)
    (row,) = told.compilers.to_dict("records")
    assert (row["workflow"], row["job"], row["location"]) == ("ci.yml", "test", "ghac")
    assert (row["n_jobs"], row["n"], row["n_hits"], row["hit_rate"]) == (2, 120, 90, 0.75)
    assert told.findings == []
    shown = compilers_table(told).markdown
    assert "ci.yml / test" in shown
    assert "ghac" in shown


@pytest.mark.parametrize(("n", "kinds"), [(4, []), (5, ["compiler-cache-misses"])])
def test_a_cache_that_mostly_misses_is_a_finding_once_enough_jobs_tell_it(n: int, kinds: list[str]) -> None:
    found = assessed([counted(one, 1, 9) for one in JOBS[:n]]).findings
    assert [finding.kind for finding in found] == kinds
    assert all(finding.claim == "took 5 of 50 compilations from sccache" for finding in found)


def test_what_could_not_be_kept_is_a_finding_that_points_at_the_jobs() -> None:
    prints = [counted(JOBS[0], 9, 1), counted(JOBS[1], 9, 5, n_write_errors=5), counted(JOBS[2], 9, 1, n_errors=None)]
    (found,) = assessed(prints).findings
    assert (found.kind, found.n, len(found.evidence)) == ("compiler-cache-writes", 1, 1)
    assert found.claim == "could not keep 5 compilations in sccache, in 1 of 3 jobs"
    assert str(JOBS[1]["job_id"]) in found.evidence[0].url


def test_a_server_that_compiled_nothing_has_no_rate_and_no_print_is_said_to_be_none() -> None:
    told = assessed([counted(JOBS[0], 0, 0)])
    assert told.compilers["hit_rate"].isna().all()
    assert "–" in compilers_table(told).markdown
    assert "no log of this window" in compilers_table(assessed([])).markdown
