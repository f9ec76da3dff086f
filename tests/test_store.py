"""What goes into a store is there, once, whole, and stays: also on a full disk, beside readers, after a crash."""

import contextlib
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from kotaci.model import BadInput
from kotaci.redaction import read_rules
from kotaci.store import Batch, Log, Payload, Store, StoreFull, Written, open_store
from tests.builders import (
    AT,
    REPO,
    SEEDED,
    SHA,
    WORKFLOW,
    api_batch,
    commit_payload,
    failed,
    job_log,
    passed,
    run_payload,
    write_all,
)

APRIL = datetime(2026, 4, 1, 0, 10, tzinfo=UTC)
SECRET = "gh" + "p_" + "a" * 36


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store", create=True) as opened:
        yield opened


def with_log(batch: Batch, **changes: object) -> Batch:
    return replace(batch, payloads=(), logs=(replace(batch.logs[0], **changes),))


def month_files(store: Store) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in store.path.glob("logs-????-??.sqlite")}


# -- writing --------------------------------------------------------------------------------------------------


def test_what_was_written_is_read_back(store: Store) -> None:
    assert write_all(store, api_batch(7, conclusion="failure")) == 3
    assert store.repos() == [REPO]
    assert store.payload(REPO, "run", "7/1")["conclusion"] == "failure"
    assert [(kind, key, source) for kind, key, source, _ in store.attempt_payloads(REPO, 7, 1)] == [
        ("job", "7/1/71", "api"),
        ("run", "7/1", "api"),
    ]
    assert store.log(REPO, 7, 1, 71) == job_log(failed())
    assert store.log_rows(REPO, 7, 1) == {71: ("present", len(job_log(failed()).encode()))}
    assert store.check() == []


def test_what_is_not_there_is_none(store: Store) -> None:
    assert store.payload(REPO, "run", "7/1") is None
    assert store.log(REPO, 7, 1, 71) is None
    assert store.attempt_payloads(REPO, 7, 1) == []
    assert list(store.payloads(REPO, "run")) == []


def test_writing_twice_changes_nothing(store: Store) -> None:
    batches = [api_batch(1), api_batch(2, conclusion="failure")]
    assert write_all(store, *batches) == 6
    before = month_files(store), store.attempt_digests(REPO)["2026-03"]
    (again,) = store.write(batches)
    assert (again.n_batches, again.n_changed, again.n_redacted) == (2, 0, 0)
    assert (month_files(store), store.attempt_digests(REPO)["2026-03"]) == before


def test_a_later_answer_of_the_api_replaces_the_earlier(store: Store) -> None:
    write_all(store, Batch(REPO, "api", [run_payload(1, status="in_progress", conclusion=None)]))
    assert write_all(store, Batch(REPO, "api", [run_payload(1)])) == 1
    assert store.payload(REPO, "run", "1/1")["conclusion"] == "success"


def test_what_github_said_is_not_replaced_by_what_an_archive_says(store: Store) -> None:
    told, guessed = run_payload(1), run_payload(1, conclusion=None, name=None)
    assert write_all(store, Batch(REPO, "api", [told])) == 1
    assert write_all(store, Batch(REPO, "run-zip", [guessed])) == 0
    assert list(store.payloads(REPO, "run")) == [("1/1", "api", told.body)]


def test_what_an_archive_says_is_replaced_by_what_github_says(store: Store) -> None:
    told, guessed = run_payload(1), run_payload(1, conclusion=None, name=None)
    write_all(store, Batch(REPO, "run-zip", [guessed]))
    assert write_all(store, Batch(REPO, "api", [told])) == 1
    assert list(store.payloads(REPO, "run")) == [("1/1", "api", told.body)]


def test_repositories_are_kept_apart(store: Store) -> None:
    write_all(store, api_batch(1), api_batch(1, repo="example/other", conclusion="failure"))
    assert store.repos() == [REPO, "example/other"]
    assert [store.payload(repo, "run", "1/1")["conclusion"] for repo in store.repos()] == ["success", "failure"]


def test_totals_that_were_yielded_do_not_change_afterwards(store: Store) -> None:
    totals = list(store.write(api_batch(run_id) for run_id in range(1, 301)))
    assert [written.n_batches for written in totals] == [256, 300]
    assert [written.n_changed for written in totals] == [3 * 256, 3 * 300]


def test_a_stream_that_breaks_keeps_what_was_yielded(store: Store) -> None:
    def batches() -> Iterator[Batch]:
        yield from map(api_batch, range(1, 258))
        raise BadInput("the 258th", "is torn", "fetch it again")

    totals: list[Written] = []
    with pytest.raises(BadInput, match="is torn"):
        totals.extend(store.write(batches()))
    assert len(store.last_attempts(REPO)) == 256
    assert store.check() == []


@SEEDED
@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists, max_leaves=9))
def test_any_json_comes_back_as_it_went_in(tmp_path_factory: pytest.TempPathFactory, body: object) -> None:
    with open_store(tmp_path_factory.mktemp("any") / "store", create=True) as store:
        write_all(store, Batch(REPO, "api", [Payload("thing", "1", {"body": body})]))
        assert store.payload(REPO, "thing", "1") == {"body": body}
        assert store.check() == []


def test_half_of_a_surrogate_pair_becomes_a_question_mark(store: Store) -> None:
    write_all(store, Batch(REPO, "api", [run_payload(1, name="cut \ud83d")]))
    assert store.payload(REPO, "run", "1/1")["name"] == "cut ?"


def test_bytes_that_are_no_text_become_replacement_characters(store: Store) -> None:
    write_all(store, with_log(api_batch(1), body=b"caf\xe9\n"))
    assert store.log(REPO, 1, 1, 11) == "caf\ufffd\n"


def test_a_large_log_is_kept_small_and_comes_back_whole(store: Store) -> None:
    text = "the same line again\n" * 100_000
    write_all(store, api_batch(1, log=text))
    assert store.log(REPO, 1, 1, 11) == text
    assert store.summary()["log_bytes"] == 2_000_000
    assert store.summary()["stored_log_bytes"] < 20_000


# -- secrets --------------------------------------------------------------------------------------------------


def test_secrets_never_reach_the_disk_and_are_counted(store: Store) -> None:
    batch = replace(api_batch(1, log=f"token {SECRET}\n"), payloads=(run_payload(1, display_title=f"oops\n{SECRET}"),))
    (written,) = store.write([batch])
    assert written.n_redacted == 2
    assert store.log(REPO, 1, 1, 11) == "token [redacted:github-token]\n"
    assert store.payload(REPO, "run", "1/1")["display_title"] == "oops\n[redacted:github-token]"
    assert (store.summary()["redacted"], store.summary()["redaction_rules"]) == (2, [read_rules().version])
    assert next(store.write([batch])).n_redacted == 0


# -- months ---------------------------------------------------------------------------------------------------


def test_logs_lie_in_the_month_in_which_their_attempt_started(store: Store) -> None:
    write_all(store, api_batch(1), api_batch(1, 2, at=APRIL), with_log(api_batch(3), at=None))
    assert sorted(file.name for file in store.path.glob("logs-*.sqlite")) == [
        "logs-2026-03.sqlite",
        "logs-2026-04.sqlite",
        "logs-undated.sqlite",
    ]
    assert list(store.attempt_digests(REPO)) == ["2026-03", "2026-04"]
    assert [key for key, _, _ in store.payloads(REPO, "run", month="2026-04")] == ["1/2"]
    assert [list(attempts) for attempts in store.attempt_digests(REPO).values()] == [[(1, 1)], [(1, 2)]]


def test_the_month_is_utcs(store: Store) -> None:
    eastern = datetime.fromisoformat("2026-03-31T23:30:00-05:00")
    write_all(store, api_batch(1, at=eastern))
    assert list(store.attempt_digests(REPO)) == ["2026-04"]
    assert [file.name for file in store.path.glob("logs-*.sqlite")] == ["logs-2026-04.sqlite"]


def test_the_file_of_a_closed_month_never_changes(tmp_path: Path) -> None:
    with open_store(tmp_path, create=True) as store:
        write_all(store, api_batch(1))
    before = month_files(store)
    with open_store(tmp_path) as store:
        write_all(store, api_batch(1), api_batch(2, at=APRIL), api_batch(1, 2, at=APRIL))
        assert store.log(REPO, 1, 1, 11)
        assert store.check() == []
        store.summary()
    assert month_files(store)["logs-2026-03.sqlite"] == before["logs-2026-03.sqlite"]
    assert list(before) == ["logs-2026-03.sqlite"]


# -- states of a log ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["expired", "never_written", "not_fetched"])
def test_a_log_that_is_held_is_not_given_up_for_word_that_it_is_gone(store: Store, state: str) -> None:
    write_all(store, api_batch(1))
    assert write_all(store, with_log(api_batch(1), state=state, body=b"", reason="410 Gone")) == 0
    assert store.log(REPO, 1, 1, 11)


def test_a_log_that_appears_after_all_is_taken(store: Store) -> None:
    write_all(store, with_log(api_batch(1), state="not_fetched", body=b""))
    assert (store.log_rows(REPO, 1, 1), store.log(REPO, 1, 1, 11)) == ({11: ("not_fetched", 0)}, None)
    assert write_all(store, with_log(api_batch(1))) == 1
    assert store.log_rows(REPO, 1, 1)[11][0] == "present"


def test_a_log_that_grew_is_replaced(store: Store) -> None:
    write_all(store, api_batch(1, log="one\n"))
    assert write_all(store, api_batch(1, log="one\ntwo\n")) == 1
    assert store.log(REPO, 1, 1, 11) == "one\ntwo\n"


def test_logs_are_counted_by_state(store: Store) -> None:
    gone = (Log(2, 1, n, AT, state=state) for n, state in enumerate(("expired", "never_written", "not_fetched")))
    write_all(store, api_batch(1), Batch(REPO, "api", (), tuple(gone)))
    assert store.summary()["logs"] == {
        "present": 1, "expired": 1, "never_written": 1, "not_fetched": 1, "pruned": 0,
    }  # fmt: skip


def test_bytes_of_logs_are_those_of_the_logs_that_are_present(store: Store) -> None:
    write_all(store, api_batch(1), api_batch(2, at=APRIL))
    both = store.summary()
    store.prune(before=APRIL)
    assert (both["log_bytes"], store.summary()["log_bytes"]) == (
        2 * len(job_log(passed()).encode()),
        both["log_bytes"] // 2,
    )
    assert 0 < store.summary()["stored_log_bytes"] < both["stored_log_bytes"]
    assert store.summary()["size"] == sum(file.stat().st_size for file in store.path.iterdir())


# -- less after more ------------------------------------------------------------------------------------------


def as_part(batch: Batch, body: bytes) -> Batch:
    """Return what `--log-failed` tells of the same job."""
    (run, job), (log,) = batch.payloads, batch.logs
    job = replace(job, body={**job.body, "is_partial": True, "steps": []})
    return replace(batch, payloads=(run, job), logs=(replace(log, body=body, is_partial=True),))


def test_a_part_of_a_log_does_not_replace_what_is_held(store: Store) -> None:
    whole = api_batch(1, source="gh")
    part, other = as_part(whole, b"the end only\n"), as_part(whole, b"another end\n")
    assert write_all(store, part) == 3
    assert write_all(store, other) == 0
    assert write_all(store, whole) == 2
    assert write_all(store, part) == 0
    assert store.log(REPO, 1, 1, 11) == job_log(passed())
    assert store.payload(REPO, "job", "1/1/11") == whole.payloads[1].body


# -- a commit, told by a clone and by the API -----------------------------------------------------------------


@pytest.mark.parametrize("order", [1, -1], ids=["clone first", "API first"])
def test_the_workflows_of_a_commit_stay_known_whoever_told_of_them(store: Store, order: int) -> None:
    cloned = Batch(REPO, "git", [commit_payload(workflows_tree="f" * 40)])
    bare = {key: value for key, value in commit_payload().body.items() if key != "workflows_tree"}
    told = Batch(REPO, "api", [replace(commit_payload(), body={**bare, "html_url": "https://github.com/x"})])
    write_all(store, *[cloned, told][::order])
    whole = {**told.payloads[0].body, "workflows_tree": "f" * 40}
    assert list(store.payloads(REPO, "commit")) == [(SHA, "api", whole)]
    assert (write_all(store, told), write_all(store, cloned), store.check()) == (0, 0, [])


# -- one run, told by several files ---------------------------------------------------------------------------


def file_batch(at: datetime | None = AT, source: str = "file", **told: object) -> Batch:
    return Batch(REPO, source, [Payload("run", "1/1", {"id": 1, "path": None, "head_sha": "", **told}, at)])


def test_what_one_file_told_of_a_run_survives_another_that_tells_less(store: Store) -> None:
    write_all(store, file_batch(path=WORKFLOW, event="unknown", pull_requests=[{"number": 5}], head_branch="main"))
    write_all(store, file_batch(event="push", pull_requests=[], head_sha=SHA, head_branch="topic", source="gh"))
    assert store.payload(REPO, "run", "1/1") == {
        "id": 1, "path": WORKFLOW, "event": "push", "pull_requests": [{"number": 5}], "head_sha": SHA,
        "head_branch": "topic",
    }  # fmt: skip
    assert write_all(store, file_batch(path=WORKFLOW), file_batch()) == 0


def test_what_a_file_tells_of_a_run_is_not_mixed_into_what_github_says(store: Store) -> None:
    write_all(store, file_batch(display_title="guessed"), Batch(REPO, "api", [run_payload(1)]))
    assert store.payload(REPO, "run", "1/1") == run_payload(1).body


def test_a_run_stays_in_the_month_that_was_told_first(store: Store) -> None:
    write_all(store, file_batch(at=None))
    write_all(store, file_batch(path=WORKFLOW))
    assert list(store.attempt_digests(REPO)) == ["2026-03"]
    write_all(store, file_batch(at=APRIL, event="push"))
    assert list(store.attempt_digests(REPO)) == ["2026-03"]


# -- pruning --------------------------------------------------------------------------------------------------


def test_prune_drops_the_logs_of_whole_months_and_says_how_many(store: Store) -> None:
    write_all(store, api_batch(1), api_batch(2), api_batch(3, at=APRIL), with_log(api_batch(4), at=None))
    told = store.prunable(before=APRIL + timedelta(days=20))
    assert told[0] == 2
    assert told[1] > 0
    held = store.summary()["stored_log_bytes"]
    assert store.prune(before=APRIL + timedelta(days=20)) == told
    assert store.summary()["stored_log_bytes"] == held - told[1]
    assert store.log_rows(REPO, 1, 1)[11][0] == "pruned"
    assert store.log(REPO, 1, 1, 11) is None
    assert store.log(REPO, 3, 1, 31)
    assert store.log(REPO, 4, 1, 41)
    assert store.prunable(before=APRIL + timedelta(days=20)) == (0, 0)
    assert store.check() == []


def test_prune_gives_the_disk_back(tmp_path: Path) -> None:
    noise = "".join(hashlib.sha256(bytes([n % 256, n // 256])).hexdigest() for n in range(8_000))
    with open_store(tmp_path, create=True) as store:
        write_all(store, api_batch(1, log=noise))
    before = (tmp_path / "logs-2026-03.sqlite").stat().st_size
    with open_store(tmp_path) as store:
        store.prune(before=APRIL)
    assert (tmp_path / "logs-2026-03.sqlite").stat().st_size < before / 10


def test_prune_to_a_size_drops_the_oldest_months_and_no_more_than_it_must(store: Store) -> None:
    noise = "".join(hashlib.sha256(bytes([n % 256, n // 256])).hexdigest() for n in range(8_000))
    may = APRIL + timedelta(days=40)
    write_all(store, *(api_batch(n, at=at, log=noise) for n, at in enumerate((AT, APRIL, may), start=1)))
    store.close()
    whole = store.size()
    assert store.pruned_to(0) is None
    assert store.prune_to(whole) == (0, 0)
    assert store.prune_to(whole - 1)[0] == 1
    assert [store.log_rows(REPO, n, 1)[10 * n + 1][0] for n in (1, 2, 3)] == ["pruned", "present", "present"]
    assert store.size() < whole
    assert store.prune_to(1)[0] == 2
    assert store.size() > 1
    assert store.check() == []


def test_what_was_pruned_stays_pruned(store: Store) -> None:
    write_all(store, api_batch(1))
    store.prune(before=APRIL)
    assert write_all(store, api_batch(1)) == 0
    assert write_all(store, with_log(api_batch(1), body=b"other")) == 0
    assert store.log_rows(REPO, 1, 1)[11][0] == "pruned"


def test_prune_can_be_told_to_take_one_repository_only(store: Store) -> None:
    write_all(store, api_batch(1), api_batch(1, repo="example/other"))
    assert store.prunable(before=APRIL, repo="example/other")[0] == 1
    assert store.prune(before=APRIL, repo="example/other")[0] == 1
    assert store.log(REPO, 1, 1, 11)
    assert store.log("example/other", 1, 1, 11) is None
    assert store.check() == []


def test_a_commit_or_run_is_not_pruned(store: Store) -> None:
    write_all(store, api_batch(1))
    store.prune(before=APRIL)
    assert store.payload(REPO, "run", "1/1")
    assert store.attempt_digests(REPO)["2026-03"][1, 1][1] is True


# -- digests --------------------------------------------------------------------------------------------------

MARCH_RUN = api_batch(1)


@pytest.mark.parametrize(
    "change",
    [
        Batch(REPO, "api", [run_payload(1, conclusion="cancelled")]),
        Batch(REPO, "api", [Payload("annotations", "1/1/11", [{"message": "slow"}], AT)]),
        Batch(REPO, "api", (), [Log(1, 1, 12, AT, b"another job")]),
        Batch(REPO, "api", (), [Log(1, 1, 12, AT, state="expired")]),
        Batch(REPO, "git", [commit_payload(SHA)]),
        Batch(REPO, "api", [run_payload(1, 2, at=APRIL)]),
    ],
    ids=["run", "annotation", "log", "expired log", "commit known", "later attempt"],
)
def test_an_attempts_digest_changes_with_what_it_consists_of(store: Store, change: Batch) -> None:
    write_all(store, MARCH_RUN, api_batch(2))
    before = store.attempt_digests(REPO)["2026-03"]
    assert write_all(store, change) > 0
    after = store.attempt_digests(REPO)["2026-03"]
    assert after[1, 1] != before[1, 1]
    is_commit = change.source == "git"
    assert (after[2, 1] != before[2, 1]) == is_commit


@pytest.mark.parametrize(
    "other",
    [
        api_batch(3),
        api_batch(2, 2, conclusion="failure"),
        api_batch(1, repo="example/other", conclusion="failure"),
        Batch(REPO, "git", [commit_payload("f" * 40)]),
        Batch(REPO, "api", [Payload("caches", "1", {"n": 1}, AT)]),
        Batch(REPO, "api", [Payload("gone", "1/1/11", {"status": 410, "message": "Gone", "asked": ""}, AT)]),
    ],
    ids=["another run", "an attempt of another run", "another repository", "another commit", "no attempt's", "gone"],
)
def test_an_attempts_digest_does_not_change_with_what_is_not_its_own(store: Store, other: Batch) -> None:
    write_all(store, MARCH_RUN, api_batch(2))
    before = store.attempt_digests(REPO)["2026-03"]
    assert write_all(store, other) > 0
    assert store.attempt_digests(REPO)["2026-03"][1, 1] == before[1, 1]


def test_pruning_changes_the_digest_and_says_so(store: Store) -> None:
    write_all(store, MARCH_RUN)
    (digest, is_pruned) = store.attempt_digests(REPO)["2026-03"][1, 1]
    store.prune(before=APRIL)
    after = store.attempt_digests(REPO)["2026-03"][1, 1]
    assert (is_pruned, after[1], after[0] == digest) == (False, True, False)


def test_the_digest_of_a_kind_changes_with_its_payloads_only(store: Store) -> None:
    write_all(store, MARCH_RUN)
    before = store.kind_digest(REPO, ["commit"])
    write_all(store, api_batch(2))
    assert store.kind_digest(REPO, ["commit"]) == before
    write_all(store, Batch(REPO, "git", [commit_payload()]))
    assert store.kind_digest(REPO, ["commit"]) != before


def test_the_last_attempt_of_every_run_is_known(store: Store) -> None:
    write_all(store, api_batch(1), api_batch(1, 3), api_batch(2))
    assert store.last_attempts(REPO) == {1: 3, 2: 1}


# -- what is no store -----------------------------------------------------------------------------------------


def test_without_a_store_there_is_none_unless_asked_for(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no store; fill one with `kotaci fetch`"):
        open_store(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="is a file, not a store"):
        open_store(tmp_path / "file", create=True)


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match=r"cannot be made \(Not a directory\)"):
        open_store(tmp_path / "file" / "store", create=True)


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(BadInput, match="is a folder with other things in it"):
        open_store(tmp_path, create=True)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_with_nothing_but_tables_becomes_a_store_again(tmp_path: Path) -> None:
    (tmp_path / "facts").mkdir()
    with open_store(tmp_path, create=True) as store:
        assert store.repos() == []


def test_a_text_in_the_place_of_the_index_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").write_text("this is no database at all, but long enough to be read as a header " * 20)
    with pytest.raises(BadInput, match="is damaged or not a database of kotaci"):
        open_store(tmp_path, create=True)
    assert (tmp_path / "index.sqlite").read_text().startswith("this is no database")


def change_index(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path / "index.sqlite", isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_a_database_of_somebody_else_is_refused_and_not_touched(tmp_path: Path) -> None:
    change_index(tmp_path, "CREATE TABLE bookmarks (url TEXT)")
    before = (tmp_path / "index.sqlite").read_bytes()
    with pytest.raises(BadInput, match="is not a database of kotaci"):
        open_store(tmp_path, create=True)
    assert (tmp_path / "index.sqlite").read_bytes() == before


def test_a_store_of_a_newer_kotaci_is_refused(tmp_path: Path) -> None:
    open_store(tmp_path, create=True).close()
    change_index(tmp_path, "PRAGMA user_version = 99")
    with pytest.raises(BadInput, match=r"was written by a newer kotaci \(schema 99, .*; upgrade kotaci"):
        open_store(tmp_path)


def test_logs_of_a_newer_kotaci_are_refused(tmp_path: Path) -> None:
    with open_store(tmp_path, create=True) as store:
        write_all(store, api_batch(1))
    connection = sqlite3.connect(tmp_path / "logs-2026-03.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with open_store(tmp_path) as store, pytest.raises(BadInput, match="was written by a newer kotaci"):
        store.log(REPO, 1, 1, 11)


# -- damage ---------------------------------------------------------------------------------------------------


def change_logs(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path / "logs-2026-03.sqlite", isolation_level=None)
    connection.execute(statement)
    connection.close()


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    with open_store(tmp_path, create=True) as store:
        write_all(store, api_batch(1), api_batch(2))
    return tmp_path


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE logs SET body = x'00' WHERE run_id = 1", "log of job 11 of run 1/1 is damaged"),
        ("DELETE FROM logs WHERE run_id = 1", "log of job 11 of run 1/1 is lost"),
    ],
    ids=["damaged", "lost"],
)
def test_check_names_every_log_that_does_not_read_back(filled: Path, statement: str, problem: str) -> None:
    change_logs(filled, statement)
    with open_store(filled) as store:
        assert store.check() == [f"logs-2026-03.sqlite: {problem}"]


def test_check_finds_a_log_that_was_exchanged(filled: Path) -> None:
    with open_store(filled) as store:
        write_all(store, api_batch(3, log="something else"))
    change_logs(filled, "UPDATE logs SET body = (SELECT body FROM logs WHERE run_id = 3) WHERE run_id = 1")
    with open_store(filled) as store:
        assert store.check() == ["logs-2026-03.sqlite: log of job 11 of run 1/1 is damaged"]


def test_a_damaged_payload_is_an_error_and_comes_back_when_it_was_forgotten(filled: Path) -> None:
    change_index(filled, "UPDATE payloads SET body = x'00' WHERE kind = 'run' AND key = '1/1'")
    with open_store(filled) as store:
        for read in (
            lambda: store.payload(REPO, "run", "1/1"),
            lambda: list(store.payloads(REPO, "run")),
            lambda: store.attempt_payloads(REPO, 1, 1),
        ):
            with pytest.raises(BadInput, match=rf"run 1/1 of {REPO} is damaged; run `kotaci store check`"):
                read()
        assert (store.forget_broken(), store.check()) == (1, [])
        assert store.payload(REPO, "run", "1/1") is None
        assert write_all(store, api_batch(1)) == 1
        assert store.payload(REPO, "run", "1/1") == run_payload(1).body


def test_a_payload_that_is_no_json_is_damaged(filled: Path) -> None:
    body = zstandard.compress(b"{").hex()
    change_index(filled, f"UPDATE payloads SET body = x'{body}' WHERE kind = 'run' AND key = '1/1'")
    with open_store(filled) as store, pytest.raises(BadInput, match="is damaged"):
        store.payload(REPO, "run", "1/1")


@pytest.mark.parametrize(
    "use",
    [
        Store.repos,
        Store.check,
        Store.summary,
        Store.forget_broken,
        lambda store: store.payload(REPO, "run", "1/1"),
        lambda store: list(store.payloads(REPO, "run")),
        lambda store: store.attempt_payloads(REPO, 1, 1),
        lambda store: store.attempt_digests(REPO),
        lambda store: store.last_attempts(REPO),
        lambda store: store.kind_digest(REPO, ["run"]),
        lambda store: store.log_rows(REPO, 1, 1),
        lambda store: store.log(REPO, 1, 1, 11),
        lambda store: store.has_log(REPO, 1, 1, 11),
        lambda store: store.partial_logs(REPO),
        lambda store: store.payload_keys(REPO, "run"),
        lambda store: store.repo_of_id(7),
        lambda store: store.rename(REPO, "o/r"),
        lambda store: store.prunable(before=APRIL),
        lambda store: store.prune(before=APRIL),
        lambda store: write_all(store, api_batch(1)),
    ],
)
def test_a_damaged_index_is_an_error_in_words(filled: Path, use: Callable[[Store], object]) -> None:
    with open_store(filled) as store:
        change_index(filled, "DROP TABLE payloads", "DROP TABLE logs")
        with pytest.raises(BadInput, match="is damaged or not a database of kotaci"):
            use(store)
    with pytest.raises(BadInput, match="is damaged or not a database of kotaci"):
        open_store(filled)


def test_check_finds_a_payload_that_was_exchanged(filled: Path) -> None:
    change_index(filled, "UPDATE payloads SET body = x'00' WHERE kind = 'run' AND key = '1/1'")
    with open_store(filled) as store:
        assert store.check() == [f"index.sqlite: run 1/1 of {REPO} is damaged"]


def test_a_month_that_was_deleted_is_lost_and_reading_does_not_make_it_anew(filled: Path) -> None:
    (filled / "logs-2026-03.sqlite").unlink()
    with open_store(filled) as store:
        assert store.check() == [f"logs-2026-03.sqlite: log of job {n}1 of run {n}/1 is lost" for n in (1, 2)]
        with pytest.raises(BadInput, match=r"the log of job 11 of run 1/1 is lost .* run `kotaci store check`"):
            store.log(REPO, 1, 1, 11)
    assert not (filled / "logs-2026-03.sqlite").exists()


def test_a_month_that_was_overwritten_is_told_and_so_is_every_log_in_it(filled: Path) -> None:
    (filled / "logs-2026-03.sqlite").write_text("nothing to see here " * 500)
    with open_store(filled) as store:
        first, *others = store.check()
    assert "is damaged or not a database of kotaci" in first
    assert others == [f"logs-2026-03.sqlite: log of job {n}1 of run {n}/1 is damaged" for n in (1, 2)]


def test_a_torn_log_is_an_error_and_not_a_crash(filled: Path) -> None:
    change_logs(filled, "UPDATE logs SET body = substr(body, 1, 20)")
    with open_store(filled) as store, pytest.raises(BadInput, match=r"is lost from logs-2026-03\.sqlite, or damaged"):
        store.log(REPO, 1, 1, 11)


def test_a_lost_log_comes_back_when_it_is_written_again_under_another_word(filled: Path) -> None:
    # What a crash between the two commits leaves: a log that nobody refers to.
    change_index(filled, "DELETE FROM logs WHERE run_id = 1")
    with open_store(filled) as store:
        assert store.check() == []
        assert write_all(store, api_batch(1)) == 1
        assert store.log(REPO, 1, 1, 11)


def bodies(path: Path) -> list[int]:
    with contextlib.closing(sqlite3.connect(path / "logs-2026-03.sqlite")) as logs:
        return [run_id for (run_id,) in logs.execute("SELECT run_id FROM logs ORDER BY run_id")]


def test_a_log_that_is_replaced_leaves_no_body_behind(filled: Path) -> None:
    with open_store(filled) as store:
        write_all(store, with_log(api_batch(1), body=b"two\n"))
        write_all(store, with_log(api_batch(1), body=b"three\n"), with_log(api_batch(1), body=b"four\n"))
        assert (store.log(REPO, 1, 1, 11), store.check()) == ("four\n", [])
        write_all(store, with_log(api_batch(1), body=b"five\n"), with_log(api_batch(1), body=b"four\n"))
        assert (store.log(REPO, 1, 1, 11), store.check()) == ("four\n", [])
    assert bodies(filled) == [1, 2]


def test_a_crash_between_the_commits_of_a_replacement_leaves_the_first_version(filled: Path) -> None:
    # As the crash leaves it: the index was rolled back, the month was not, and nothing was deleted yet.
    connection = sqlite3.connect(filled / "index.sqlite", isolation_level=None)
    connection.execute("CREATE TRIGGER crash BEFORE INSERT ON redactions BEGIN SELECT raise(ABORT, 'crash'); END")
    with open_store(filled) as store:
        with pytest.raises(BadInput, match="crash"):
            write_all(store, with_log(api_batch(1), body=b"version two\n"))
        assert (store.log(REPO, 1, 1, 11), store.check()) == (job_log(passed()), [])
        connection.execute("DROP TRIGGER crash")
        connection.close()
        assert bodies(filled) == [1, 1, 2]
        assert write_all(store, with_log(api_batch(1), body=b"version two\n")) == 1
        assert (store.log(REPO, 1, 1, 11), store.check()) == ("version two\n", [])
    assert bodies(filled) == [1, 2]


# -- several at once ------------------------------------------------------------------------------------------

CHILD = """
import sys
from pathlib import Path
from kotaci.store import open_store
from tests.builders import REPO, api_batch, write_all

def write(first, n):
    with open_store(path, create=True) as store:
        for run_id in range(first, first + n):
            write_all(store, api_batch(run_id))

def make(n):
    for number in range(n):
        with open_store(path / str(number), create=True) as store:
            write_all(store, api_batch(number))

def read(n):
    for _ in range(n):
        with open_store(path) as store:
            digests = store.attempt_digests(REPO)["2026-03"]
            for run_id, attempt in digests:
                assert store.log(REPO, run_id, attempt, run_id * 10 + attempt)
    print(len(digests))

path = Path(sys.argv[1])
{"write": write, "read": read, "make": make}[sys.argv[2]](*map(int, sys.argv[3:]))
"""


@contextlib.contextmanager
def child(store: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    root = Path(__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(store), *arguments],
        cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        yield process
        output, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, ""), output


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    with child(tmp_path / "store", "write", "1", "40"), child(tmp_path / "store", "write", "101", "40"):
        pass
    with open_store(tmp_path / "store") as store:
        assert sorted(store.last_attempts(REPO)) == [*range(1, 41), *range(101, 141)]
        assert store.summary()["logs"]["present"] == 80
        assert store.check() == []


def test_a_store_can_be_made_by_several_at_once(tmp_path: Path) -> None:
    with child(tmp_path, "make", "60"), child(tmp_path, "make", "60"), child(tmp_path, "make", "60"):
        pass
    for number in range(60):
        with open_store(tmp_path / str(number)) as store:
            assert (list(store.last_attempts(REPO)), store.check()) == ([number], [])


def test_readers_in_another_process_neither_wait_nor_hinder_nor_see_half_a_batch(filled: Path) -> None:
    with child(filled, "read", "60"), open_store(filled) as store:
        for run_id in range(3, 63):
            write_all(store, api_batch(run_id))
            store.summary()
    with open_store(filled) as store:
        assert len(store.last_attempts(REPO)) == 62


def test_a_reader_in_the_midst_of_reading_does_not_hold_up_the_writer(filled: Path) -> None:
    with open_store(filled) as reader, open_store(filled) as writer:
        rows = reader.payloads(REPO, "run")
        assert next(rows)[0] == "1/1"
        assert write_all(writer, api_batch(3)) == 3
        assert [key for key, _, _ in rows] == ["2/1"]
        assert [key for key, _, _ in reader.payloads(REPO, "run")] == ["1/1", "2/1", "3/1"]


def test_a_lock_keeps_the_second_out_until_the_first_is_done(filled: Path) -> None:
    with open_store(filled) as store:
        with store.lock("facts"):
            other = sqlite3.connect(filled / "facts.lock", timeout=0, isolation_level=None)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.close()


# -- a full disk ----------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    can_mount = sys.platform == "linux" and os.geteuid() == 0 and shutil.which("mount") is not None
    if not can_mount or subprocess.call(mount) != 0:
        pytest.skip("a small file system can only be mounted by root, on Linux")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def noise(run_id: int) -> str:
    """A log of 130 kB that hardly compresses below half of that."""
    return "".join(hashlib.sha256(f"{run_id} {n}".encode()).hexdigest() + "\n" for n in range(2_000))


def fill(store: Store, batches: Sequence[Batch]) -> Iterator[int]:
    """Write one batch after the other and yield how many things were reported stored."""
    for batch in batches:
        yield from (written.n_changed for written in store.write([batch]))


@pytest.mark.parametrize("make_room", ["by deleting", "by a larger disk"])
def test_on_a_full_disk_what_was_reported_stays_and_the_rest_can_follow(small_disk: Path, make_room: str) -> None:
    batches = [api_batch(run_id, log=noise(run_id)) for run_id in range(1, 61)]
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2**20))
    stored: list[int] = []
    with open_store(small_disk / "store", create=True) as store:
        with pytest.raises(StoreFull, match=r"cannot be written further .*; free some space and run the same again"):
            stored.extend(fill(store, batches))
        n_stored = len(stored)
        assert 0 < n_stored < len(batches)
        held = store.last_attempts(REPO)
        assert sorted(held) == list(range(1, n_stored + 1))
        assert all(store.log(REPO, run_id, 1, run_id * 10 + 1) == noise(run_id) for run_id in held)
        assert store.check() == []
        if make_room == "by deleting":
            ballast.unlink()
            few = batches[n_stored : n_stored + 3]
        else:
            subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
            few = batches[n_stored:]
        assert list(fill(store, few)) == [3] * len(few)
        assert store.check() == []


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are a thing of Unix")
def test_a_process_that_may_write_no_further_keeps_what_it_reported(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from pathlib import Path
from kotaci.store import StoreFull, open_store
from tests.builders import REPO, api_batch
from tests.test_store import noise

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
batches = [api_batch(run_id, log=noise(run_id)) for run_id in range(1, 41)]
n_stored = 0
with open_store(Path(sys.argv[1]), create=True) as store:
    try:
        for batch in batches:
            for written in store.write([batch]):
                n_stored += 1
    except StoreFull:
        assert 0 < n_stored < 40
        assert len(store.last_attempts(REPO)) == n_stored
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert store.check() == []
    assert sum(written.n_changed for written in store.write(batches)) == 3 * (40 - n_stored)
print(n_stored)
"""
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "store")], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    with open_store(tmp_path / "store") as store:
        assert len(store.last_attempts(REPO)) == 40
        assert store.check() == []


def test_pruning_on_a_full_disk_is_an_error_and_not_a_crash(small_disk: Path) -> None:
    with open_store(small_disk / "store", create=True) as store:
        write_all(store, *(api_batch(run_id, log=noise(run_id)) for run_id in range(1, 21)))
        with pytest.raises(OSError, match="No space left"):
            (small_disk / "ballast").write_bytes(bytes(4 * 2**20))
        with pytest.raises(StoreFull):
            store.prune(before=APRIL)
        (small_disk / "ballast").unlink()
        store.prune(before=APRIL)
        assert store.check() == []


def test_a_broken_log_is_forgotten_and_comes_back(store: Store) -> None:
    write_all(store, api_batch(1), api_batch(2))
    with sqlite3.connect(store.path / "logs-2026-03.sqlite") as connection:
        connection.execute("UPDATE logs SET body = x'00' WHERE run_id = 2")
    connection.close()
    assert len(store.check()) == 1
    assert write_all(store, api_batch(2)) == 0
    assert store.forget_broken() == 1
    assert (store.check(), store.log(REPO, 2, 1, 21)) == ([], None)
    assert write_all(store, api_batch(2)) == 1
    assert (store.check(), store.log(REPO, 2, 1, 21)) == ([], api_batch(2).logs[0].body.decode())


def test_a_repository_is_the_same_in_any_case(store: Store) -> None:
    write_all(store, api_batch(1, repo="Example/KVStore"))
    write_all(store, api_batch(2, repo="example/kvstore"))
    assert store.repos() == ["Example/KVStore"]


def test_pruning_again_drops_what_a_killed_prune_left(store: Store) -> None:
    write_all(store, api_batch(1))
    with sqlite3.connect(store.path / "index.sqlite") as connection:
        connection.execute("UPDATE logs SET state = 'pruned', n_stored = 0")
    connection.close()
    assert store.prune(before=AT + timedelta(days=60)) == (0, 0)
    with sqlite3.connect(store.path / "logs-2026-03.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM logs").fetchone() == (0,)
    connection.close()


def test_a_log_that_comes_while_a_prune_runs_is_not_lost(filled: Path) -> None:
    # The trigger is the import: its commit lies between the mark and the deletion.
    with open_store(filled) as store:
        write_all(store, api_batch(3))
        columns = "repo, run_id, attempt, job_id, state, reason, month, source, digest, n_bytes, n_stored, n_redacted"
        change_index(
            filled,
            f"CREATE TABLE later AS SELECT {columns} FROM logs WHERE run_id = 3",
            "DELETE FROM logs WHERE run_id = 3",
            f"CREATE TRIGGER import AFTER UPDATE ON logs WHEN new.run_id = 2 BEGIN"
            f" INSERT INTO logs ({columns}) SELECT {columns} FROM later; END",
        )
        assert store.prune(before=APRIL)[0] == 2
        assert (store.log(REPO, 3, 1, 31), store.check()) == (job_log(passed()), [])
    assert bodies(filled) == [3]


def test_the_payload_that_was_stored_last_is_the_newest_of_what_content_names(store: Store) -> None:
    assert store.last_payload(REPO, "codeowners") is None
    for key, text in (("ffff", "* @a"), ("0000", "* @b")):
        write_all(store, Batch(REPO, "git", [Payload("codeowners", key, text)]))
    assert store.last_payload(REPO, "codeowners") == "* @b"
