"""Which green log a failed job is compared with, and that the comparison is made."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from kotaci.facts import History, build_facts, read_history
from kotaci.facts.explanations import explain_job, last_green
from kotaci.store import Batch, Log, Store, open_store
from tests.builders import AT, LAST, job_log, job_payload, run_payload, script, set_up, write_all

NOISE = "ERROR refused, as this test expects"
NEWS = "the flux is misaligned"


def run(
    run_id: int, *, branch: str = "main", job: str = "test", lines: tuple[str, ...] = (), red: bool = False
) -> Batch:
    """Return a run of one job, a day after the run before it."""
    at = AT + timedelta(days=run_id)
    conclusion = "failure" if red else "success"
    log = job_log([set_up(), script(3, "make", *lines, exit_code=int(red)), LAST], at=at)
    payloads = (
        run_payload(run_id, at=at, conclusion=conclusion, head_branch=branch),
        job_payload(run_id, 1, run_id * 10, at=at, conclusion=conclusion, name=job),
    )
    return Batch("example/kvstore", "api", payloads, (Log(run_id, 1, run_id * 10, at, log.encode()),))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store", create=True) as opened:
        yield opened


def history(store: Store, *batches: Batch) -> History:
    write_all(store, *batches)
    build_facts(store)
    return read_history(store, since="all", tables=["runs", "jobs"])


def green_of(held: History, run_id: int) -> int | None:
    found = last_green(held["runs"], held["jobs"], key=(run_id, 1, run_id * 10), default_branch="main")
    return None if found is None else found[0]


def test_the_newest_green_job_of_the_branch_before_it(store: Store) -> None:
    held = history(
        store, run(1, branch="x"), run(2, branch="x"), run(3), run(4, branch="x", red=True), run(5, branch="x")
    )
    assert green_of(held, 4) == 2


def test_without_one_of_its_branch_that_of_the_default_branch(store: Store) -> None:
    held = history(store, run(1), run(2, branch="y"), run(3, branch="x", red=True))
    assert green_of(held, 3) == 1


def test_another_job_or_branch_line_is_no_measure(store: Store) -> None:
    held = history(store, run(1, job="lint"), run(2, branch="y"), run(3, branch="x", red=True))
    assert green_of(held, 3) is None


def test_what_is_new_explains(store: Store) -> None:
    held = history(store, run(1, lines=(NOISE,)), run(2, lines=(NOISE, NEWS), red=True))
    why = explain_job(held, key=(2, 1, 20))
    assert why is not None
    assert why.has_green
    assert [line.text for line in why.excerpt] == [NEWS, "Process completed with exit code 1."]


def test_a_log_that_is_not_held_explains_nothing(store: Store) -> None:
    batch = run(1, red=True)
    held = history(store, Batch(batch.repo, batch.source, batch.payloads))
    assert explain_job(held, key=(1, 1, 10)) is None
