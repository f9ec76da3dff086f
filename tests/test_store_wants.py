"""What a fetcher keeps in the store: a to-do list and answers, beside the raw and none of it."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.store import Answer, Batch, Payload, Store, Want, open_store
from tests.builders import AT, REPO, SEEDED, api_batch, write_all

SECRET = "gh" + "p_" + "a" * 36
RUNS = Answer("/repos/example/kvstore/actions/runs?page=1", 'W/"abc"', '<https://x/?page=2>; rel="next"', {"n": [1]})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store", create=True) as opened:
        yield opened


def wanted(*wants: Want, met: tuple[tuple[str, str], ...] = (), repo: str = REPO) -> Batch:
    return Batch(repo, "api", wants=wants, met=met)


# -- wants ----------------------------------------------------------------------------------------------------


def test_what_is_wanted_comes_newest_first_and_undated_last(store: Store) -> None:
    times = {"a": None, "b": AT, "c": AT + timedelta(microseconds=1), "d": AT, "e": AT - timedelta(days=9000)}
    write_all(store, wanted(*(Want("log", key, at, {"of": key}) for key, at in times.items())))
    found = store.wants(REPO, ["log"], limit=9)
    assert [want.key for want in found] == ["c", "b", "d", "e", "a"]
    assert found[0] == Want("log", "c", times["c"], {"of": "c"})
    assert (found[-1].at, store.wants(REPO, ["run"], limit=9), store.wants("o/r", ["log"], limit=9)) == (None, [], [])


def test_one_want_is_found_by_its_name(store: Store) -> None:
    write_all(store, wanted(Want("run", "1", AT, {"id": 1})))
    assert store.want(REPO, "run", "1") == Want("run", "1", AT, {"id": 1})
    assert store.want(REPO, "run", "2") is None


KINDS = st.sampled_from(["log", "run", "zip"])
WANTS = st.lists(
    st.builds(
        Want, KINDS, st.text("ab1/", min_size=1, max_size=4), st.none() | st.sampled_from([AT, AT + timedelta(1)])
    ),
    max_size=25,
    unique_by=lambda want: (want.kind, want.key),
)


@SEEDED
@given(WANTS, st.sets(KINDS, min_size=1), st.integers(1, 5))
def test_pages_of_any_size_give_the_whole_list(
    tmp_path_factory: pytest.TempPathFactory, wants: list[Want], kinds: set[str], limit: int
) -> None:
    def place(want: Want) -> tuple[timedelta, str, str]:
        return timedelta.max if want.at is None else AT - want.at, want.kind, want.key

    with open_store(tmp_path_factory.mktemp("pages") / "store", create=True) as store:
        write_all(store, wanted(*wants))
        found: list[Want] = []
        while page := store.wants(REPO, sorted(kinds), limit=limit, after=found[-1] if found else None):
            assert len(page) <= limit
            found += page
    assert found == sorted((want for want in wants if want.kind in kinds), key=place)


def test_a_page_goes_on_where_its_last_row_has_gone(store: Store) -> None:
    write_all(store, wanted(*(Want("log", f"{n}", AT) for n in range(5))))
    (_, last) = store.wants(REPO, ["log"], limit=2)
    write_all(store, wanted(met=(("log", last.key),)))
    assert [want.key for want in store.wants(REPO, ["log"], limit=9, after=last)] == ["2", "3", "4"]


def test_a_want_takes_the_place_of_the_one_before_and_goes_when_it_is_met(store: Store) -> None:
    write_all(store, wanted(Want("run", "1", AT, {"attempt": 1}), Want("log", "1/1/11", AT)))
    write_all(store, wanted(Want("run", "1", AT, {"attempt": 2})))
    assert store.n_wants(REPO) == {"log": 1, "run": 1}
    assert store.wants(REPO, ["run"], limit=9) == [Want("run", "1", AT, {"attempt": 2})]
    write_all(store, wanted(met=(("run", "1"), ("run", "never"))))
    assert store.n_wants(REPO) == {"log": 1}


def test_what_is_met_goes_before_what_is_wanted_comes(store: Store) -> None:
    write_all(store, wanted(Want("run", "1", body=1)))
    write_all(store, wanted(Want("run", "1", body=2), met=(("run", "1"),)))
    assert store.wants(REPO, ["run"], limit=9) == [Want("run", "1", body=2)]


def test_a_want_is_met_in_the_transaction_that_brings_it(store: Store) -> None:
    write_all(store, wanted(Want("run", "1")))
    connection = sqlite3.connect(store.path / "index.sqlite", isolation_level=None)
    connection.execute("CREATE TRIGGER crash BEFORE INSERT ON redactions BEGIN SELECT raise(ABORT, 'crash'); END")
    with pytest.raises(Exception, match="crash"):
        write_all(store, replace(api_batch(1), met=(("run", "1"),)))
    assert (store.n_wants(REPO), store.repos()) == ({"run": 1}, [])
    connection.execute("DROP TRIGGER crash")
    connection.close()
    write_all(store, replace(api_batch(1), met=(("run", "1"),)))
    assert (store.n_wants(REPO), store.repos()) == ({}, [REPO])


def test_wants_and_answers_are_no_change_of_what_is_known(store: Store) -> None:
    write_all(store, api_batch(1))
    before = store.attempt_digests(REPO), store.kind_digest(REPO, ["run"]), store.repos()
    assert write_all(store, replace(wanted(Want("log", "1/1/11", AT)), answers=(RUNS,))) == 0
    assert write_all(store, wanted(Want("log", "1/1/11", AT), repo="example/unknown")) == 0
    assert (store.attempt_digests(REPO), store.kind_digest(REPO, ["run"]), store.repos()) == before


def test_a_repository_whose_list_is_first_read_keeps_its_spelling(store: Store) -> None:
    write_all(store, wanted(Want("run", "1"), repo="Example/KVStore"))
    write_all(store, api_batch(1, repo="example/kvstore"))
    assert (store.repos(), store.n_wants("Example/KVStore")) == (["Example/KVStore"], {"run": 1})


# -- answers --------------------------------------------------------------------------------------------------


def test_an_answer_is_kept_by_its_address(store: Store) -> None:
    dated = replace(RUNS, etag="other", body=[])
    write_all(store, Batch(REPO, "api", answers=[RUNS]))
    assert store.answer(REPO, RUNS.url) == RUNS
    write_all(store, Batch(REPO, "api", answers=[dated]))
    assert store.answer(REPO, RUNS.url) == dated
    assert (store.answer(REPO, "/other"), store.answer("o/r", RUNS.url)) == (None, None)


def test_answers_that_were_not_asked_for_again_go(store: Store) -> None:
    write_all(store, Batch(REPO, "api", answers=[replace(RUNS, url=f"/{n}") for n in range(4)]))
    write_all(store, Batch("o/r", "api", answers=[RUNS]))
    store.keep_answers(REPO, {"/1", "/3", "/9"})
    assert [n for n in range(4) if store.answer(REPO, f"/{n}")] == [1, 3]
    assert store.answer("o/r", RUNS.url) == RUNS


def test_secrets_do_not_come_in_by_this_door(store: Store) -> None:
    told = Answer(f"/x?a={SECRET}", SECRET, SECRET, {"title": f"oops {SECRET}"})
    write_all(store, Batch(REPO, "api", wants=[Want("run", "1", AT, {"title": SECRET})], answers=[told]))
    found = store.answer(REPO, told.url)
    assert found is not None
    assert found.body == {"title": "oops [redacted:github-token]"}
    assert store.wants(REPO, ["run"], limit=1)[0].body == {"title": "[redacted:github-token]"}
    store.close()
    assert not any(SECRET.encode() in file.read_bytes() for file in store.path.iterdir())


# -- damage ---------------------------------------------------------------------------------------------------


def change(store: Store, statement: str, file: str = "index.sqlite") -> None:
    connection = sqlite3.connect(store.path / file, isolation_level=None)
    connection.execute(statement)
    connection.close()


@pytest.fixture
def fetched(store: Store) -> Store:
    """Return a store that a fetch of two runs has filled."""
    listed = Payload("listed", "2026-03-01..2026-03-07", {"runs": 2})
    write_all(store, api_batch(1), api_batch(1, 2), api_batch(2), Batch(REPO, "api", [listed]))
    write_all(store, replace(wanted(Want("log", "9/1/91", AT, {"x": 1})), answers=(RUNS,)))
    return store


def test_a_damaged_log_of_the_api_is_wanted_again(fetched: Store) -> None:
    change(fetched, "UPDATE logs SET body = x'00' WHERE run_id = 2", "logs-2026-03.sqlite")
    assert fetched.forget_broken() == 1
    assert [want.key for want in fetched.wants(REPO, ["log"], limit=9)] == ["9/1/91", "2/1/21"]
    assert fetched.payload_keys(REPO, "listed")


def test_a_damaged_log_of_a_file_is_not(store: Store) -> None:
    write_all(store, api_batch(1, source="gh"))
    change(store, "UPDATE logs SET body = x'00'", "logs-2026-03.sqlite")
    assert (store.forget_broken(), store.n_wants(REPO)) == (1, {})


def test_a_run_of_which_something_is_damaged_is_listed_again(fetched: Store) -> None:
    change(fetched, "UPDATE payloads SET body = x'00' WHERE key = '1/1/11'")
    assert fetched.forget_broken() == 1
    assert (fetched.payload_keys(REPO, "run"), fetched.payload_keys(REPO, "listed")) == ({"2/1"}, set())
    assert fetched.payload_keys(REPO, "job") == {"1/2/12", "2/1/21"}
    assert fetched.check() == []


def test_a_run_whose_log_was_pruned_stays_known(fetched: Store) -> None:
    fetched.prune(before=datetime(2026, 4, 1, tzinfo=UTC))
    change(fetched, "UPDATE payloads SET body = x'00' WHERE key = '1/1/11'")
    assert fetched.forget_broken() == 1
    assert fetched.payload_keys(REPO, "run") == {"1/1", "1/2", "2/1"}


@pytest.mark.parametrize(
    ("table", "problem", "n_listed"),
    [("wants", "want log 9/1/91", 0), ("answers", f"answer {RUNS.url}", 1)],
)
def test_a_damaged_want_or_answer_is_named_and_dropped(fetched: Store, table: str, problem: str, n_listed: int) -> None:
    change(fetched, f"UPDATE {table} SET body = x'00'")
    assert fetched.check() == [f"index.sqlite: {problem} of {REPO} is damaged"]
    assert fetched.forget_broken() == 1
    assert fetched.check() == []
    assert (fetched.want(REPO, "log", "9/1/91") is None, fetched.answer(REPO, RUNS.url) is None) == (
        table == "wants",
        table == "answers",
    )
    assert len(fetched.payload_keys(REPO, "listed")) == n_listed


# -- what is held ---------------------------------------------------------------------------------------------


def test_keys_and_logs_can_be_asked_for_without_reading_them(store: Store) -> None:
    batch = api_batch(1)
    part = replace(batch.logs[0], job_id=12, is_partial=True)
    write_all(store, batch, replace(batch, payloads=(), logs=(part, replace(part, job_id=13, state="expired"))))
    assert store.payload_keys(REPO, "job") == {"1/1/11"}
    assert [store.has_log(REPO, 1, 1, job_id) for job_id in (11, 12, 13, 14)] == [True, False, False, False]
    assert store.partial_logs(REPO) == {(1, 1, 12)}
    write_all(store, replace(batch, payloads=(), logs=(replace(part, is_partial=False),)))
    assert (store.has_log(REPO, 1, 1, 12), store.partial_logs(REPO)) == (True, set())
