"""Logs in parts, logs of a part of a job, and logs that were imported before or after the API told of their jobs."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kotaci.facts import build_facts, read_history
from kotaci.model import BadInput
from kotaci.store import Batch, Log, Payload, Store, Want, open_store
from tests.builders import AT, REPO, api_batch, failed, job_log, job_payload, passed, run_payload, write_all
from tests.test_store import bodies, with_log

SECRET = "gh" + "p_" + "a" * 36


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store", create=True) as opened:
        yield opened


# -- in parts -------------------------------------------------------------------------------------------------


def test_a_log_in_a_file_is_the_log_that_is_in_it(store: Store, tmp_path: Path) -> None:
    body = b"".join(b"line %d, token %s\n" % (n, SECRET.encode() if n % 1000 == 0 else b"") for n in range(200_000))
    (tmp_path / "log.txt").write_bytes(body)
    (written,) = store.write([with_log(api_batch(1), body=tmp_path / "log.txt")])
    text = store.log(REPO, 1, 1, 11)
    assert text == body.replace(SECRET.encode(), b"[redacted:github-token]").decode()
    assert store.log_rows(REPO, 1, 1) == {11: ("present", len(text))}
    assert (written.n_redacted, written.n_log_bytes, store.check()) == (200, len(text), [])
    assert write_all(store, with_log(api_batch(1), body=body)) == 0


def test_an_empty_log_is_a_log(store: Store, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(b"")
    assert write_all(store, with_log(api_batch(1), body=tmp_path / "log.txt")) == 1
    assert (store.log(REPO, 1, 1, 11), store.has_log(REPO, 1, 1, 11), store.check()) == ("", True, [])


def test_a_file_that_is_gone_is_told_and_nothing_of_its_batch_is_kept(store: Store, tmp_path: Path) -> None:
    lost = replace(api_batch(1), logs=(replace(api_batch(1).logs[0], body=tmp_path / "lost.txt"),))
    with pytest.raises(BadInput, match=r"lost.txt: cannot be read \(No such file"):
        write_all(store, lost)
    assert store.repos() == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells no peak of memory this way")
@pytest.mark.slow
def test_a_log_of_200_mb_is_never_held_as_a_whole(tmp_path: Path) -> None:
    with (tmp_path / "log.txt").open("wb") as file:
        for number in range(200):
            file.write(b"".join(b"%07d a line of a long log %d\n" % (line, number) for line in range(32_000)))
    script = """
import resource, sys
from pathlib import Path
from kotaci.store import Batch, Log, open_store
from tests.builders import AT, REPO

with open_store(Path(sys.argv[1]) / "store", create=True) as store:
    list(store.write([Batch(REPO, "api", logs=[Log(1, 1, 1, AT, b"small")])]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    list(store.write([Batch(REPO, "api", logs=[Log(1, 1, 11, AT, Path(sys.argv[1]) / "log.txt")])]))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    ((_, n_bytes),) = [row for job, row in store.log_rows(REPO, 1, 1).items() if job == 11]
    assert store.check() == []
    print(grown // 1024 - store.summary()["stored_log_bytes"] // 2**20, n_bytes)
"""
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    grown_mb, n_bytes = map(int, done.stdout.split())
    assert n_bytes == (tmp_path / "log.txt").stat().st_size > 190_000_000
    assert grown_mb < 60


# -- imported jobs and the API's ------------------------------------------------------------------------------


def imported(*names: str, run_id: int = 1, is_partial: bool = False, body: str = "") -> Batch:
    """Return what `kotaci import run.log --run 1` writes: jobs with negative ids, known by their names only."""
    run = run_payload(run_id, conclusion=None, run_number=None)
    jobs, logs = [], []
    for number, name in enumerate(names, start=1):
        told = {"name": name, "conclusion": None, "steps": [], "is_partial": is_partial}
        jobs.append(job_payload(run_id, 1, -number, **told))
        text = body or f"{number}\n{job_log(passed(name))}"
        logs.append(Log(run_id, 1, -number, AT, text.encode(), is_partial=is_partial))
    return Batch(REPO, "gh", [run, *jobs], logs)


def told(*names: str, run_id: int = 1, logs: tuple[Log, ...] = ()) -> Batch:
    """Return what the API tells of the same run: ids from 11."""
    jobs = [job_payload(run_id, 1, 11 + number, name=name) for number, name in enumerate(names)]
    wants = [Want("log", f"{run_id}/1/{11 + number}", AT) for number in range(len(names))]
    return Batch(REPO, "api", [run_payload(run_id), *jobs], logs, wants)


def jobs_of(store: Store) -> set[str]:
    return {key.rpartition("/")[2] for key in store.payload_keys(REPO, "job")}


def shown(store: Store) -> list[tuple[int, str]]:
    """Return id and name of the jobs in the tables."""
    build_facts(store)
    jobs = read_history(store)["jobs"]
    return sorted(zip(jobs["job_id"].tolist(), jobs["job"].tolist(), strict=True))


BOTH_ORDERS = pytest.mark.parametrize("is_import_first", [True, False], ids=["import first", "import last"])


def write_both(store: Store, imported: Batch, told: Batch, *, is_import_first: bool) -> None:
    write_all(store, *((imported, told) if is_import_first else (told, imported)))
    write_all(store, *((imported, told) if is_import_first else (told, imported)))


@BOTH_ORDERS
def test_an_imported_log_becomes_that_of_the_apis_job(store: Store, is_import_first: bool) -> None:
    mine = imported("test", "lint / check: all")
    first, second = (mine, told("test", "lint / check: all"))[:: 1 if is_import_first else -1]
    write_all(store, first)
    assert write_all(store, second) == (5 if is_import_first else 2)
    assert jobs_of(store) == {"11", "12"}
    assert store.log(REPO, 1, 1, 11) == mine.logs[0].body.decode()  # type: ignore[union-attr]
    assert [row[0] for row in store.log_rows(REPO, 1, 1).values()] == ["present", "present"]
    assert (store.n_wants(REPO), store.check(), bodies(store.path)) == ({}, [], [1, 1])
    assert shown(store) == [(11, "test"), (12, "lint / check: all")]


@BOTH_ORDERS
def test_a_name_as_the_zip_writes_it_is_known(store: Store, is_import_first: bool) -> None:
    write_both(store, imported("lint  check all"), told("lint / check: all"), is_import_first=is_import_first)
    assert (jobs_of(store), store.has_log(REPO, 1, 1, 11)) == ({"11"}, True)


@BOTH_ORDERS
def test_a_part_of_a_log_stays_a_part_and_is_still_wanted(store: Store, is_import_first: bool) -> None:
    write_both(store, imported("test", is_partial=True), told("test"), is_import_first=is_import_first)
    assert (jobs_of(store), store.partial_logs(REPO), store.n_wants(REPO)) == ({"11"}, {(1, 1, 11)}, {"log": 1})
    assert not store.has_log(REPO, 1, 1, 11)
    whole = Log(1, 1, 11, AT, b"the whole\n")
    assert write_all(store, Batch(REPO, "api", logs=[whole])) == 1
    assert write_all(store, imported("test", is_partial=True)) == 0
    assert (store.log(REPO, 1, 1, 11), store.partial_logs(REPO), store.check()) == ("the whole\n", set(), [])
    assert bodies(store.path) == [1]


@BOTH_ORDERS
def test_of_two_whole_logs_the_apis_stays(store: Store, is_import_first: bool) -> None:
    answer = told("test", logs=(Log(1, 1, 11, AT, b"of the API\n"),))
    write_both(store, imported("test"), answer, is_import_first=is_import_first)
    assert (store.log(REPO, 1, 1, 11), jobs_of(store), bodies(store.path)) == ("of the API\n", {"11"}, [1])
    assert write_all(store, imported("test")) == 0


@pytest.mark.parametrize("state", ["expired", "never_written", "not_fetched"])
@BOTH_ORDERS
def test_an_imported_log_is_there_although_github_has_none(store: Store, state: str, is_import_first: bool) -> None:
    gone = Log(1, 1, 11, AT, state=state)  # type: ignore[arg-type]
    write_both(store, imported("test"), told("test", logs=(gone,)), is_import_first=is_import_first)
    assert (store.has_log(REPO, 1, 1, 11), jobs_of(store), shown(store)) == (True, {"11"}, [(11, "test")])


@BOTH_ORDERS
def test_a_part_is_replaced_by_an_imported_whole(store: Store, is_import_first: bool) -> None:
    write_both(store, imported("test", is_partial=True), told("test"), is_import_first=is_import_first)
    write_all(store, imported("test"))
    assert (store.has_log(REPO, 1, 1, 11), store.n_wants(REPO), store.check()) == (True, {}, [])
    assert bodies(store.path) == [1]


@BOTH_ORDERS
def test_of_jobs_that_share_a_name_nothing_is_lost_and_none_is_shown_twice(store: Store, is_import_first: bool) -> None:
    write_both(store, imported("test", "test", "lint"), told("test", "test", "lint"), is_import_first=is_import_first)
    assert jobs_of(store) == {"11", "12", "13", "-1", "-2"}
    assert [store.log(REPO, 1, 1, job_id) is None for job_id in (11, 12, 13, -1, -2)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert shown(store) == [(11, "test"), (12, "test"), (13, "lint")]


@BOTH_ORDERS
def test_a_job_that_github_does_not_name_stays_a_row(store: Store, is_import_first: bool) -> None:
    write_both(store, imported("test", "renamed since"), told("test"), is_import_first=is_import_first)
    assert shown(store) == [(-2, "renamed since"), (11, "test")]
    assert store.log(REPO, 1, 1, -2)


def test_nothing_is_joined_before_the_api_told_of_the_run_and_its_jobs(store: Store) -> None:
    write_all(store, imported("test"))
    write_all(store, Batch(REPO, "api", [run_payload(1)]))
    assert (jobs_of(store), shown(store)) == ({"-1"}, [(-1, "test")])
    write_all(store, Batch(REPO, "api", [job_payload(1, 1, 11)]))
    assert (jobs_of(store), shown(store)) == ({"11"}, [(11, "test")])


def test_a_pruned_import_keeps_the_job_on_which_its_rows_rest(store: Store) -> None:
    write_all(store, imported("test", body=job_log(failed())))
    before = shown(store)
    store.prune(before=AT.replace(month=4))
    write_all(store, told("test", logs=(Log(1, 1, 11, AT, b"of the API\n"),)))
    assert (jobs_of(store), shown(store)) == ({"-1", "11"}, before)


def test_a_crash_while_logs_are_joined_leaves_them_as_they_were(store: Store) -> None:
    import sqlite3

    write_all(store, imported("test"))
    connection = sqlite3.connect(store.path / "index.sqlite", isolation_level=None)
    connection.execute("CREATE TRIGGER crash BEFORE INSERT ON redactions BEGIN SELECT raise(ABORT, 'crash'); END")
    with pytest.raises(BadInput, match="crash"):
        write_all(store, told("test"))
    assert (jobs_of(store), store.check(), store.log(REPO, 1, 1, -1) is None) == ({"-1"}, [], False)
    connection.execute("DROP TRIGGER crash")
    connection.close()
    write_all(store, told("test"))
    assert (jobs_of(store), store.check(), store.has_log(REPO, 1, 1, 11)) == ({"11"}, [], True)
    assert bodies(store.path) == [1]


def test_a_payload_of_another_kind_under_the_attempt_is_left_alone(store: Store) -> None:
    write_all(store, imported("test"), Batch(REPO, "file", [Payload("junit", "1/1/x.xml", "<testsuite/>")]))
    write_all(store, told("test"))
    assert store.payload_keys(REPO, "junit") == {"1/1/x.xml"}
