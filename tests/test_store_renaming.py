"""A repository's new name takes everything with it, whatever moment the renaming is killed at."""

import contextlib
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kotaci.facts import build_facts, read_history
from kotaci.model import BadInput
from kotaci.store import Answer, Batch, Log, Payload, Store, Want, open_store
from kotaci.tables import TABLES
from tests.builders import AT, REPO, SHA, api_batch, commit_payload, job_payload, run_payload, write_all
from tests.test_store import with_log

NEW = "example/database"
APRIL = datetime(2026, 4, 1, 0, 10, tzinfo=UTC)
ANSWER = Answer("/repositories/7/actions/runs", "etag", "", [1])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store", create=True) as opened:
        yield opened


def fill(store: Store) -> None:
    """Write two months of runs, a to-do list, an answer and the repository's own payload, and another repository."""
    about = Payload("repo", "repo", {"id": 7, "default_branch": "trunk"})
    write_all(store, api_batch(1, conclusion="failure"), api_batch(2, at=APRIL), api_batch(1, repo="o/other"))
    write_all(store, Batch(REPO, "api", [about, commit_payload()], wants=[Want("log", "3/1/31", AT)], answers=[ANSWER]))


def held(store: Store, repo: str) -> dict[str, Any]:
    """Return everything that the store holds under the name."""
    kinds = ("repo", "run", "job", "commit")
    return {
        "payloads": {(kind, row[0]): row[1:] for kind in kinds for row in store.payloads(repo, kind)},
        "logs": {
            (run_id, attempt, job_id): store.log(repo, run_id, attempt, job_id)
            for run_id, attempt in ((1, 1), (2, 1))
            for job_id in store.log_rows(repo, run_id, attempt)
        },
        "wants": store.wants(repo, ["log"], limit=9),
        "answer": store.answer(repo, ANSWER.url),
    }


def rows_in(store: Store, month: str) -> list[tuple[str, int]]:
    with contextlib.closing(sqlite3.connect(store.path / f"logs-{month}.sqlite")) as logs:
        return list(logs.execute("SELECT repo, job_id FROM logs ORDER BY repo, job_id"))


def test_everything_goes_over_to_the_new_name(store: Store) -> None:
    fill(store)
    before, other = held(store, REPO), held(store, "o/other")
    store.rename(REPO, NEW)
    assert held(store, NEW) == before
    assert (held(store, "o/other"), store.repos(), store.check()) == (other, [NEW, "o/other"], [])
    assert held(store, REPO) == {"payloads": {}, "logs": {}, "wants": [], "answer": None}
    assert (rows_in(store, "2026-03"), rows_in(store, "2026-04")) == ([(NEW, 11), ("o/other", 11)], [(NEW, 21)])
    assert (store.repo_of_id(7), store.repo_of_id(8), store.former_names(NEW)) == (NEW, None, [REPO])
    assert write_all(store, api_batch(1, conclusion="failure", repo=NEW)) == 0


def test_a_name_that_differs_in_case_only_is_the_same(store: Store) -> None:
    fill(store)
    store.rename(REPO.upper(), REPO.title())
    assert (store.repos(), store.former_names(REPO)) == ([REPO, "o/other"], [])


def test_a_repository_that_is_renamed_again_knows_all_its_names(store: Store) -> None:
    fill(store)
    store.rename(REPO, NEW)
    store.rename(NEW, "example/third")
    assert store.former_names("example/third") == [REPO, NEW]
    store.rename("example/third", REPO)
    assert (store.former_names(REPO), store.former_names(NEW)) == ([NEW, "example/third"], [])
    assert held(store, REPO)["logs"].keys() == {(1, 1, 11), (2, 1, 21)}


def test_a_name_of_which_nothing_is_held_changes_nothing(store: Store) -> None:
    fill(store)
    before = held(store, REPO)
    store.rename("example/never", NEW)
    assert (held(store, REPO), store.repos()) == (before, [REPO, "o/other"])


# -- where both names hold something --------------------------------------------------------------------------


def one(store: Store, old: Batch, new: Batch) -> None:
    write_all(store, old, replace(new, repo=NEW))
    store.rename(REPO, NEW)
    assert (store.repos(), store.check()) == ([NEW], [])


@pytest.mark.parametrize(
    ("old", "new", "stays"),
    [
        ("api", "gh", "old"),
        ("gh", "api", "new"),
        ("gh", "gh", "new"),
        ("api", "api", "new"),
    ],
)
def test_what_the_api_told_wins(store: Store, old: str, new: str, stays: str) -> None:
    one(
        store,
        Batch(REPO, old, [run_payload(1, name="old")]),
        Batch(NEW, new, [run_payload(1, name="new")]),
    )
    assert store.payload(NEW, "run", "1/1")["name"] == stays


def test_of_two_answers_of_the_api_the_newer_wins(store: Store) -> None:
    dates = {"old": "2026-03-09T00:00:00Z", "new": "2026-03-02T00:00:00Z"}
    old, new = (Batch(REPO, "api", [run_payload(1, name=name, updated_at=at)]) for name, at in dates.items())
    one(store, old, new)
    assert store.payload(NEW, "run", "1/1")["name"] == "old"


WHOLE, PART, NONE = {"body": b"whole\n"}, {"body": b"part\n", "is_partial": True}, {"state": "not_fetched", "body": b""}
EXPIRED = {"state": "expired", "body": b""}


@pytest.mark.parametrize(
    ("old", "new", "stays"),
    [
        (WHOLE, PART, "whole\n"),
        (PART, WHOLE, "whole\n"),
        (WHOLE, NONE, "whole\n"),
        (PART, EXPIRED, "part\n"),
        (NONE, EXPIRED, None),
        (WHOLE, {"body": b"other\n"}, "other\n"),
    ],
)
def test_of_two_logs_the_more_complete_stays(
    store: Store, old: dict[str, Any], new: dict[str, Any], stays: str | None
) -> None:
    run = Batch(REPO, "api", [run_payload(1)])
    one(store, replace(run, logs=with_log(api_batch(1), **old).logs), with_log(api_batch(1), **new))
    assert store.log(NEW, 1, 1, 11) == stays
    assert stays is None or len(rows_in(store, "2026-03")) == 1
    assert store.log_rows(NEW, 1, 1)[11][0] == ("present" if stays else "expired")


def test_a_log_that_came_under_the_old_name_is_no_longer_wanted(store: Store) -> None:
    log = Want("log", "1/1/11", AT)
    one(store, api_batch(1), Batch(NEW, "api", wants=[log, replace(log, key="1/1/12")]))
    assert [want.key for want in store.wants(NEW, ["log"], limit=9)] == ["1/1/12"]


def test_imported_jobs_meet_those_of_the_api(store: Store) -> None:
    job = job_payload(1, 1, -5, conclusion=None)
    mine = Batch(REPO, "gh", [run_payload(1, conclusion=None), job], [Log(1, 1, -5, AT, b"imported\n")])
    one(store, mine, Batch(NEW, "api", [run_payload(1), job_payload(1, 1, 11)]))
    assert (store.payload_keys(NEW, "job"), store.log(NEW, 1, 1, 11)) == ({"1/1/11"}, "imported\n")
    assert rows_in(store, "2026-03") == [(NEW, 11)]


# -- interrupted ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def failing(file: Path, what: str) -> Iterator[None]:
    """Make SQLite fail at a statement, as a kill would end the renaming there."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute(f"CREATE TRIGGER crash BEFORE {what} BEGIN SELECT raise(ABORT, 'crash'); END")
    yield
    connection.execute("DROP TRIGGER crash")
    connection.close()


CRASHES = {
    "while the first month is copied": ("logs-2026-03.sqlite", "INSERT ON logs"),
    "while the second month is copied": ("logs-2026-04.sqlite", "INSERT ON logs"),
    "while payloads go over": ("index.sqlite", "UPDATE ON payloads"),
    "while logs go over": ("index.sqlite", "UPDATE ON logs"),
    "while the to-do list goes over": ("index.sqlite", "UPDATE ON wants"),
    "at the end of the flip": ("index.sqlite", "INSERT ON former_names"),
    "while old bodies go": ("logs-2026-03.sqlite", "DELETE ON logs"),
    "while old bodies of the second month go": ("logs-2026-04.sqlite", "DELETE ON logs"),
}


@pytest.mark.parametrize("crash", CRASHES)
def test_a_renaming_that_is_interrupted_is_finished_by_the_next(store: Store, crash: str) -> None:
    fill(store)
    before = held(store, REPO)
    file, what = CRASHES[crash]
    with failing(store.path / file, what), pytest.raises(BadInput, match="crash"):
        store.rename(REPO, NEW)
    is_flipped = NEW in store.repos()
    assert is_flipped == ("bodies" in crash)
    assert held(store, NEW if is_flipped else REPO) == before
    assert (held(store, REPO if is_flipped else NEW)["payloads"], store.check()) == ({}, [])
    store.rename(REPO, NEW)
    assert (held(store, NEW), store.check(), store.former_names(NEW)) == (before, [], [REPO])
    assert (rows_in(store, "2026-03"), rows_in(store, "2026-04")) == ([(NEW, 11), ("o/other", 11)], [(NEW, 21)])


def test_what_is_written_under_either_name_meanwhile_is_kept(store: Store) -> None:
    fill(store)
    batches = [api_batch(run_id, repo=chosen) for run_id, chosen in enumerate([REPO, NEW] * 3, start=10)]
    random.Random(3).shuffle(batches)  # noqa: S311  (repeatable on purpose)
    for number, batch in enumerate(batches):
        write_all(store, batch)
        if number % 2:
            store.rename(REPO, NEW)
    store.rename(REPO, NEW)
    assert store.payload_keys(NEW, "run") == {"1/1", "2/1", *(f"{n}/1" for n in range(10, 16))}
    assert all(store.log(NEW, run_id, 1, run_id * 10 + 1) for run_id in (1, 2, *range(10, 16)))
    assert (store.repos(), store.check()) == ([NEW, "o/other"], [])


# -- tables ---------------------------------------------------------------------------------------------------


def tables(store: Store, repo: str) -> dict[str, pd.DataFrame]:
    build_facts(store)
    return dict(read_history(store, repo=repo, tables=TABLES).tables)


def assert_same_but_for_the_name(one: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]) -> None:
    for name in TABLES:
        pd.testing.assert_frame_equal(one[name].drop(columns="repo"), other[name].drop(columns="repo"))
        assert other[name]["repo"].isin([NEW]).all()


def test_tables_stand_under_the_new_name_and_nothing_is_read_again(store: Store) -> None:
    fill(store)
    before = tables(store, REPO)
    store.rename(REPO, NEW)
    built = build_facts(store)
    assert (built.n_attempts_read, built.n_attempts_kept) == (0, 2)
    assert_same_but_for_the_name(before, tables(store, NEW))
    assert read_history(store, repo=REPO).repo == NEW


def test_rows_of_pruned_logs_survive_the_renaming(store: Store) -> None:
    fill(store)
    tables(store, REPO)
    store.prune(before=APRIL)
    before = tables(store, REPO)
    assert len(before["failures"]) == 1
    store.rename(REPO, NEW)
    write_all(store, api_batch(3, repo=NEW), Batch(NEW, "git", [commit_payload(SHA)]))
    after = tables(store, NEW)
    assert after["runs"]["run_id"].tolist() == [1, 3, 2]
    pd.testing.assert_frame_equal(after["failures"].drop(columns="repo"), before["failures"].drop(columns="repo"))


def test_rows_of_pruned_logs_survive_where_both_names_had_tables_of_that_month(store: Store) -> None:
    fill(store)
    write_all(store, api_batch(4, repo=NEW, conclusion="failure"))
    build_facts(store)
    store.prune(before=APRIL)
    build_facts(store)
    store.rename(REPO, NEW)
    assert tables(store, NEW)["failures"]["run_id"].tolist() == [1, 4]
    assert build_facts(store).n_parts == 0
