"""Coverage: what was read, and one sentence for each thing that is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from kotaci.analysis.coverage import Coverage, assess_coverage
from tests.analysis.frames import Row, job, jobs, run, runs


def coverage(told: Iterable[Row], of_jobs: Iterable[Row] = (), *, is_told: bool = True) -> Coverage:
    return assess_coverage(runs(told), jobs(of_jobs), branch_is_told=is_told, default_branch="main")


def test_runs_attempts_and_jobs_are_counted() -> None:
    first, again, second = run(1, "failure"), run(1, attempt=2), run(2, "cancelled")
    found = coverage([first, again, second], [job(first, "failure"), job(again), job(second, "cancelled")])
    assert (found.n_runs, found.n_attempts, found.n_jobs) == (2, 3, 3)
    assert (found.n_failed_jobs, found.n_cancelled_jobs) == (1, 1)
    assert found.missing == ()


ONE = run(1, "failure")


@pytest.mark.parametrize(
    ("told", "of_jobs", "sentence"),
    [
        (
            [ONE],
            [job(ONE, "failure", log_state=state, job_id=n) for n, state in enumerate(["expired", "expired", "pruned"])]
            + [job(ONE, "failure", job_id=9), job(ONE, log_state="expired", job_id=10)],
            "3 of 4 failed jobs have no log here (2 expired, 1 pruned).",
        ),
        (
            [ONE],
            [job(ONE, outcome_source="log"), job(ONE, job_id=7)],
            (
                "1 of 2 outcomes were read off the logs: a job that was allowed to fail, or a time-out, "
                "cannot be told there."
            ),
        ),
        (
            [ONE],
            [job(ONE, "unknown")],
            "1 jobs have an outcome that could not be told (a log that breaks off, or a new word of GitHub).",
        ),
        (
            [ONE],
            [job(ONE, queue_s=None), job(ONE, job_id=7), job(ONE, "skipped", job_id=8, queue_s=None)],
            "1 of 2 jobs have no queue time.",
        ),
        (
            [run(1, source="tinuous")],
            [],
            "1 runs come from an archive that keeps one attempt of each: re-runs cannot be seen.",
        ),
        (
            [run(1, "startup_failure", n_jobs=0)],
            [],
            "1 runs have no jobs here: a broken workflow file, or jobs that were not fetched.",
        ),
        ([run(1, branch=""), run(2, branch="", event="pull_request")], [], "1 runs have no branch here."),
    ],
    ids=["log", "outcome-source", "unknown", "queue", "tinuous", "no-jobs", "no-branch"],
)
def test_each_thing_that_is_missing_has_one_sentence(
    told: Sequence[Row], of_jobs: Sequence[Row], sentence: str
) -> None:
    assert coverage(told, of_jobs).missing == (sentence,)


def test_a_guessed_default_branch_is_said_to_be_guessed() -> None:
    assert coverage([run(1)], is_told=False).missing == (
        "The default branch was not told; main, where most pushes went, is taken for it.",
    )


def test_nothing_lacks_nothing() -> None:
    assert coverage([]) == Coverage(0, 0, 0, 0, 0, ())
