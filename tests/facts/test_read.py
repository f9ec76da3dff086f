"""Reading: one repository, one window, only the columns and months asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from kotaci.facts import build_facts, read_history
from kotaci.facts.files import read_manifest, read_table
from kotaci.model import BadInput
from kotaci.store import Batch, Payload, Store
from kotaci.tables import TABLES
from tests.facts.payloads import REPO, START, batch, commit, filled, job, run

DAY = 86400
ALL = tuple(TABLES)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store of five months, 2 March to 30 July: a run every 30 days, each of one job."""
    runs = [batch(run(n, start=n * 30 * DAY), [job(n * 10, start=n * 30 * DAY)]) for n in range(6)]
    with filled(tmp_path_factory.mktemp("read"), commit(), *runs) as held:
        build_facts(held)
        yield held


def run_ids(store: Store, **words: str) -> list[int]:
    return read_history(store, **words)["runs"]["run_id"].tolist()


@pytest.mark.parametrize(
    ("since", "until", "runs"),
    [
        ("", "", [0, 1, 2, 3, 4, 5]),
        ("all", "", [0, 1, 2, 3, 4, 5]),
        ("2026-05-01", "", [2, 3, 4, 5]),
        ("2026-05-01T09:00", "2026-05-01", [2]),
        ("2026-05-01T09:01", "", [3, 4, 5]),
        ("", "2026-04-30", [0, 1]),
        ("30d", "", [5]),
        ("31d", "", [4, 5]),
        ("30d", "2026-05-01", [2]),
        ("2026-08-01", "", []),
        ("", "2020-01-01", []),
    ],
)
def test_a_window_holds_the_attempts_that_started_in_it(store: Store, since: str, until: str, runs: list[int]) -> None:
    history = read_history(store, since=since, until=until)
    assert history["runs"]["run_id"].tolist() == runs
    assert history["jobs"]["run_id"].tolist() == runs


def test_an_empty_window_gives_empty_tables_of_the_contract(store: Store) -> None:
    history = read_history(store, until="2020-01-01", tables=ALL)
    for name, table in TABLES.items():
        table.check(history[name])
        assert name in {"commits", "workflow_jobs"} or history[name].empty


def test_an_empty_store_has_no_repository_to_choose(tmp_path: Path) -> None:
    with filled(tmp_path) as empty:
        build_facts(empty)
        with pytest.raises(BadInput, match="holds 0 repositories; fill it with `kotaci import`"):
            read_history(empty)


def test_a_store_without_runs_has_empty_tables(tmp_path: Path) -> None:
    with filled(tmp_path, commit()) as held:
        build_facts(held)
        history = read_history(held, since="30d", tables=ALL)
    assert history.as_of is None
    for name, table in TABLES.items():
        table.check(history[name])
    assert len(history["commits"]) == 1


def test_only_the_months_of_the_window_are_opened(store: Store, tmp_path: Path) -> None:
    """A month outside the window may be lost, and nobody notices: its files were not opened."""
    copy = filled(tmp_path, *(batch(run(n, start=n * 30 * DAY), [job(n * 10)]) for n in range(6)))
    build_facts(copy)
    for file in (tmp_path / "facts" / "jobs").rglob("month=2026-03/*.parquet"):
        file.unlink()
    assert run_ids(copy, since="2026-06-01") == [4, 5]


def test_only_the_columns_asked_for_are_read(store: Store) -> None:
    parts = read_manifest(store.path / "facts").repos[REPO]
    paths = [part.files["jobs"] for part in parts.values() if "jobs" in part.files]
    frame = read_table(store.path / "facts", TABLES["jobs"], paths, repo=REPO, columns=["repo", "job", "wall_s"])
    assert list(frame.columns) == ["repo", "job", "wall_s"]
    assert len(frame) == 6


def test_as_of_is_the_end_of_what_was_stored(store: Store) -> None:
    newest = datetime(2026, 7, 30, 9, 1, 10, tzinfo=UTC)
    assert read_history(store).as_of == newest
    assert read_history(store, since="30d").as_of == newest
    assert read_history(store, until="2020-01-01").as_of == newest


def test_as_of_is_not_later_than_the_window(store: Store) -> None:
    """What was seen until May must not call a workflow silent that ran in June."""
    assert read_history(store, until="2026-04-30").as_of == datetime(2026, 5, 1, tzinfo=UTC)


def test_an_unknown_repository_names_those_that_exist(store: Store) -> None:
    with pytest.raises(BadInput, match=rf"octo/gadgets: is not in the store .*; choose one of: {REPO}"):
        read_history(store, repo="octo/gadgets")


def test_a_repository_is_found_in_any_case_of_letters(store: Store) -> None:
    assert read_history(store, repo="Octo/Widgets").repo == REPO


def test_two_repositories_must_be_chosen_from(tmp_path: Path) -> None:
    other = Batch("octo/gadgets", "api", [Payload("run", "9/1", run(9), START)])
    with filled(tmp_path, batch(run(1)), other) as held:
        build_facts(held)
        with pytest.raises(BadInput, match=f"holds 2 repositories; choose one with --repo: octo/gadgets, {REPO}"):
            read_history(held)
        assert run_ids(held, repo="octo/gadgets") == [9]
        assert run_ids(held, repo=REPO) == [1]


def test_the_default_branch_is_told_by_the_repository(tmp_path: Path) -> None:
    told = Batch(REPO, "api", [Payload("repo", "repo", {"default_branch": "trunk"})])
    with filled(tmp_path, batch(run(1)), told) as held:
        build_facts(held)
        history = read_history(held)
    assert (history.default_branch, history.branch_is_told) == ("trunk", True)


def test_the_default_branch_is_else_that_of_most_pushes_whatever_the_window(tmp_path: Path) -> None:
    runs = [
        batch(run(1)),
        batch(run(2)),
        batch(run(3, head_branch="fix", start=60 * DAY)),
        batch(run(4, head_branch="fix", event="pull_request")),
        batch(run(5, head_branch="fix", event="pull_request")),
    ]
    with filled(tmp_path, *runs) as held:
        build_facts(held)
        whole, narrow = read_history(held), read_history(held, since="1d")
    assert (whole.default_branch, whole.branch_is_told) == ("main", False)
    assert narrow["runs"]["run_id"].tolist() == [3]
    assert narrow.default_branch == "main"


def test_a_store_is_read_by_its_path_as_well(store: Store) -> None:
    assert run_ids(store) == read_history(store.path)["runs"]["run_id"].tolist()


def test_frames_of_a_window_are_numbered_from_zero(store: Store) -> None:
    history = read_history(store, since="2026-05-01", tables=ALL)
    for frame in history.tables.values():
        assert frame.index.equals(pd.RangeIndex(len(frame)))


def test_starts_are_those_of_all_runs_up_to_the_end_of_the_window(store: Store) -> None:
    everything = read_history(store)["runs"]
    narrow = read_history(store, since="1h")
    assert sorted(narrow.starts["run_id"]) == sorted(everything["run_id"])
    until = everything["started_at"].min() + pd.Timedelta(seconds=1)
    assert len(read_history(store, until=until.isoformat()).starts) < len(everything)


# -- a host of one's own, and what a fetch knows --------------------------------------------------------------


def test_a_repository_of_another_host_has_its_tables_too(tmp_path: Path) -> None:
    name = "ghe.example:8443/octo/widgets"
    with filled(tmp_path, replace(batch(run(1), [job(11)]), repo=name)) as store:
        build_facts(store)
        history = read_history(store, repo=f"https://{name}")
    assert (history.repo, set(history["runs"]["repo"])) == (name, {name})
    assert [path.name for path in (tmp_path / "facts" / "runs").iterdir()] == [
        "repo=ghe.example%3A8443%2Focto%2Fwidgets"
    ]


FETCHED = datetime(2026, 3, 9, 9, tzinfo=UTC)


def fetched(at: datetime = FETCHED) -> Batch:
    return Batch(REPO, "api", [Payload("fetched", "state", {"as_of": f"{at:%Y-%m-%dT%H:%M:%SZ}"})])


def test_what_a_fetch_saw_last_is_what_the_tables_speak_for(tmp_path: Path) -> None:
    with filled(tmp_path, batch(run(1), [job(11)]), fetched()) as store:
        build_facts(store)
        assert read_history(store).as_of == FETCHED
        assert read_history(store, since="24h")["runs"].empty
        assert len(read_history(store, since="8d")["runs"]) == 1
        assert read_history(store, until="2026-03-04").as_of == datetime(2026, 3, 5, tzinfo=UTC)


def test_runs_that_were_imported_after_the_fetch_count(tmp_path: Path) -> None:
    with filled(tmp_path, batch(run(1, start=30 * 86400), [job(11, start=30 * 86400)]), fetched()) as store:
        build_facts(store)
        assert read_history(store).as_of == datetime(2026, 4, 1, 9, 1, 10, tzinfo=UTC)
