"""Builds: only what changed is drawn again, what cannot be drawn again stays, and nobody sees half of it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow.dataset as arrow
import pytest

from kotaci.facts import Built, build_facts, read_history
from kotaci.facts.rows import ATTEMPT_TABLES
from kotaci.model import BadInput
from kotaci.store import Batch, open_store
from kotaci.tables import TABLES
from tests.facts.payloads import RED, REPO, batch, commit, filled, job, log, log_text, run

DAY = 86400
ALL = tuple(TABLES)


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return time and bytes of every file of the tables."""
    return {
        file.relative_to(folder).as_posix(): (file.stat().st_mtime_ns, file.read_bytes())
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def red_run(run_id: int, attempt: int = 1, *, day: float = 0) -> Batch:
    """Return a failed run of one job with its log, so many days after the first."""
    job_id = run_id * 10 + attempt
    return batch(
        run(run_id, attempt, start=day * DAY, conclusion="failure"),
        [job(job_id, start=day * DAY, conclusion="failure")],
        logs=[log(run_id, attempt, job_id, log_text(*RED, start=day * DAY), start=day * DAY)],
    )


def assert_consistent(tables: dict[str, pd.DataFrame]) -> None:
    """Assert that keys are unique, that what belongs to something finds it, and that counts agree."""
    for name, frame in tables.items():
        TABLES[name].check(frame)
    runs, jobs = tables["runs"], tables["jobs"]
    keys = {name: set(frame[["run_id", "attempt"]].itertuples(index=False)) for name, frame in tables.items()
            if name in ATTEMPT_TABLES}  # fmt: skip
    assert all(held <= keys["runs"] for held in keys.values())
    job_key = ["run_id", "attempt", "job_id"]
    known = set(jobs[job_key].itertuples(index=False))
    for name in ("steps", "setups", "failures", "annotations"):
        assert set(tables[name][job_key].itertuples(index=False)) <= known
    counted = jobs.groupby(["run_id", "attempt"]).size().reindex(pd.MultiIndex.from_frame(runs[["run_id", "attempt"]]))
    assert counted.fillna(0).tolist() == runs["n_jobs"].tolist()
    steps = tables["steps"].groupby(job_key).size().reindex(pd.MultiIndex.from_frame(jobs[job_key]))
    assert steps.fillna(0).tolist() == jobs["n_steps"].tolist()
    assert runs.loc[runs["is_last_attempt"], "run_id"].is_unique


def test_only_the_attempts_that_changed_are_read_again(tmp_path: Path) -> None:
    with filled(tmp_path, red_run(1), red_run(2), red_run(3, day=40)) as store:
        assert build_facts(store) == Built(n_parts=7, n_attempts_read=3, n_attempts_kept=0)
        for _ in store.write([red_run(4)]):
            pass
        assert build_facts(store) == Built(n_parts=1, n_attempts_read=1, n_attempts_kept=2)
        assert read_history(store)["runs"]["run_id"].tolist() == [1, 2, 4, 3]


def test_a_new_attempt_makes_the_one_before_be_read_again(tmp_path: Path) -> None:
    with filled(tmp_path, red_run(1), red_run(2)) as store:
        build_facts(store)
        for _ in store.write([red_run(1, 2, day=40)]):
            pass
        built = build_facts(store)
        assert (built.n_attempts_read, built.n_attempts_kept) == (2, 1)
        runs = read_history(store)["runs"]
    assert runs[["run_id", "attempt", "is_last_attempt"]].to_numpy().tolist() == [
        [1, 1, False], [2, 1, True], [1, 2, True],
    ]  # fmt: skip


def test_an_unchanged_store_makes_a_build_write_nothing(tmp_path: Path) -> None:
    with filled(tmp_path, commit(), red_run(1), red_run(2, day=40)) as store:
        build_facts(store)
        before = snapshot(tmp_path / "facts")
        assert build_facts(store) == Built(0, 0, 0)
    assert snapshot(tmp_path / "facts") == before


def test_a_build_in_steps_gives_the_tables_of_a_build_at_once(tmp_path: Path) -> None:
    batches = [red_run(2), red_run(1), red_run(1, 2, day=31), commit(), red_run(3, day=31)]
    with filled(tmp_path / "steps") as store:
        for one in batches:
            for _ in store.write([one]):
                pass
            build_facts(store)
        in_steps = read_history(store, tables=ALL).tables
    with filled(tmp_path / "once", *batches) as store:
        build_facts(store)
        at_once = read_history(store, tables=ALL).tables
    for name in ALL:
        pd.testing.assert_frame_equal(in_steps[name], at_once[name])
    assert_consistent(dict(at_once))


def test_tables_agree_with_one_another(tmp_path: Path) -> None:
    without_jobs = batch(run(7, conclusion="startup_failure"))
    with filled(tmp_path, commit(), red_run(1), red_run(1, 2), without_jobs, red_run(3, day=40)) as store:
        build_facts(store)
        assert_consistent(dict(read_history(store, tables=ALL).tables))


def test_progress_is_told_by_repository_and_month(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    with filled(tmp_path, red_run(1), red_run(2, day=40)) as store:
        build_facts(store, on_progress=lambda repo, done, n: told.append((repo, done, n)))
    assert told == [(REPO, 1, 2), (REPO, 2, 2)]


# -- what cannot be drawn again -------------------------------------------------------------------------------


def test_rows_outlive_their_pruned_logs(tmp_path: Path) -> None:
    with filled(tmp_path, red_run(1), red_run(2, day=40)) as store:
        build_facts(store)
        before = read_history(store, tables=ALL).tables
        assert store.prune(before=datetime(2026, 4, 1, tzinfo=UTC))[0] == 1
        build_facts(store)
        after = read_history(store, tables=ALL).tables
    assert len(before["failures"]) == 2
    for name in set(ALL) - {"jobs"}:
        pd.testing.assert_frame_equal(after[name], before[name])
    assert after["jobs"]["n_log_lines"].tolist() == before["jobs"]["n_log_lines"].tolist()


def test_a_pruned_log_is_told_to_be_pruned(tmp_path: Path) -> None:
    with filled(tmp_path, red_run(1), red_run(2, day=40)) as store:
        build_facts(store)
        store.prune(before=datetime(2026, 4, 1, tzinfo=UTC))
        build_facts(store)
        assert read_history(store)["jobs"]["log_state"].tolist() == ["pruned", "present"]
        assert build_facts(store) == Built(0, 0, 0)


def test_a_re_run_after_the_pruning_is_the_last_attempt(tmp_path: Path) -> None:
    with filled(tmp_path, red_run(1)) as store:
        build_facts(store)
        store.prune(before=datetime(2026, 4, 1, tzinfo=UTC))
        for _ in store.write([red_run(1, 2, day=40)]):
            pass
        build_facts(store)
        found = read_history(store, tables=ALL).tables
    assert found["runs"]["is_last_attempt"].tolist() == [False, True]
    assert len(found["failures"]) == 2


def test_a_raised_version_draws_rows_again_but_not_those_of_pruned_logs(tmp_path: Path) -> None:
    """The next version of an extractor, as the next process would have it: a real change of the program."""
    with filled(tmp_path, red_run(1), red_run(2, day=40)) as store:
        build_facts(store)
        store.prune(before=datetime(2026, 4, 1, tzinfo=UTC))
        build_facts(store)
    program = (
        "import sys; from pathlib import Path\n"
        "from kotaci.facts import build, rows; from kotaci.store import open_store\n"
        "rows.ATTEMPT_TABLES['failures'] += 1\n"
        "built = build.build_facts(open_store(Path(sys.argv[1]))); print(built.n_attempts_read, built.n_attempts_kept)"
    )
    counts = [
        subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert counts == ["1 1\n", "0 0\n"]
    with open_store(tmp_path) as store:
        assert len(read_history(store, tables=ALL)["failures"]) == 2


def test_a_log_that_comes_after_the_pruning_of_another_brings_the_rows_of_its_job(tmp_path: Path) -> None:
    jobs = [job(number, name, conclusion="failure") for number, name in ((11, "test"), (12, "lint"))]
    told = batch(run(1, conclusion="failure"), jobs, logs=[log(1, 1, 11, log_text(*RED))])
    with filled(tmp_path, told) as store:
        build_facts(store)
        store.prune(before=datetime(2026, 4, 1, tzinfo=UTC))
        build_facts(store)
        before = read_history(store, tables=ALL).tables
        assert before["failures"]["job_id"].tolist() == [11]
        for _ in store.write([batch(run(1, conclusion="failure"), logs=[log(1, 1, 12, log_text(*RED))])]):
            pass
        build_facts(store)
        after = dict(read_history(store, tables=ALL).tables)
        assert build_facts(store) == Built(0, 0, 0)
    assert after["failures"]["job_id"].tolist() == [11, 12]
    assert after["jobs"]["log_state"].tolist() == ["pruned", "present"]
    assert after["jobs"]["n_log_lines"].notna().all()
    assert after["jobs"]["queue_s"].tolist() == before["jobs"]["queue_s"].tolist()
    pd.testing.assert_frame_equal(
        after["failures"][after["failures"]["job_id"] == 11].reset_index(drop=True), before["failures"]
    )
    assert_consistent(after)


# -- the manifest ---------------------------------------------------------------------------------------------


def test_tables_of_a_newer_kotaci_are_refused(tmp_path: Path) -> None:
    with filled(tmp_path, red_run(1)) as store:
        build_facts(store)
        manifest = tmp_path / "facts" / "manifest.json"
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 99}))
        with pytest.raises(BadInput, match="newer kotaci"):
            build_facts(store)
        with pytest.raises(BadInput, match="newer kotaci"):
            read_history(store)


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"format": 1}', '{"format": "x", "repos": {}}'])
def test_a_damaged_manifest_is_told_in_one_line(tmp_path: Path, body: str) -> None:
    with filled(tmp_path, red_run(1)) as store:
        build_facts(store)
        (tmp_path / "facts" / "manifest.json").write_text(body)
        with pytest.raises(BadInput, match="damaged"):
            read_history(store)


def test_a_lost_file_of_the_tables_is_told_in_one_line(tmp_path: Path) -> None:
    with filled(tmp_path, red_run(1)) as store:
        build_facts(store)
        for file in (tmp_path / "facts" / "jobs").rglob("*.parquet"):
            file.unlink()
        with pytest.raises(BadInput, match="lost"):
            read_history(store)


def test_left_over_files_of_a_killed_build_are_removed(tmp_path: Path) -> None:
    with filled(tmp_path, red_run(1)) as store:
        build_facts(store)
        folder = next((tmp_path / "facts" / "runs").rglob("*.parquet")).parent
        before = snapshot(tmp_path / "facts")
        (folder / "0123.parquet").write_bytes(b"orphan")
        (folder / "4567.parquet.part").write_bytes(b"half")
        build_facts(store)
    assert snapshot(tmp_path / "facts") == before


# -- together -------------------------------------------------------------------------------------------------

BUILD = (
    "import sys; from pathlib import Path; from kotaci.facts import build_facts; from kotaci.store import open_store\n"
    "print(build_facts(open_store(Path(sys.argv[1]))).n_attempts_read)"
)


def test_of_two_builders_at_once_one_draws_and_the_other_finds_it_done(tmp_path: Path) -> None:
    with filled(tmp_path, *(red_run(number, day=number) for number in range(1, 41))) as store:
        started = [
            subprocess.Popen([sys.executable, "-c", BUILD, tmp_path], stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        assert sorted(process.communicate()[0] for process in started) == ["0\n", "40\n"]
        assert [process.returncode for process in started] == [0, 0]
        tables = dict(read_history(store, tables=ALL).tables)
    assert_consistent(tables)
    assert len(tables["runs"]) == 40


def test_a_reader_beside_a_builder_always_sees_consistent_tables(tmp_path: Path) -> None:
    n_rounds = 8
    with filled(tmp_path, red_run(1), red_run(2, day=31)) as store:
        build_facts(store)
    is_over = threading.Event()

    def build_again_and_again() -> None:
        with open_store(tmp_path) as mine:
            for number in range(n_rounds):
                for _ in mine.write([red_run(10 + number), red_run(30 + number, day=31)]):
                    pass
                build_facts(mine)
        is_over.set()

    builder = threading.Thread(target=build_again_and_again)
    builder.start()
    seen: list[int] = []
    with open_store(tmp_path) as store:
        while not is_over.is_set():
            tables = dict(read_history(store, tables=ALL).tables)
            assert_consistent(tables)
            seen.append(len(tables["runs"]))
        builder.join()
        assert len(read_history(store)["runs"]) == 2 + 2 * n_rounds
    assert seen == sorted(seen)
    assert all(n % 2 == 0 for n in seen)


def test_other_engines_read_the_tables_as_partitioned_parquet(tmp_path: Path) -> None:
    with filled(tmp_path, red_run(1), batch(run(2, start=40 * DAY))) as store:
        build_facts(store)
        jobs, runs = (read_history(store, tables=ALL)[name] for name in ("jobs", "runs"))
    for name, ours in (("jobs", jobs), ("runs", runs)):
        theirs = arrow.dataset(tmp_path / "facts" / name, partitioning="hive", format="parquet").to_table()
        assert set(theirs.column_names) == {*TABLES[name].names, "month"}
        rows = sorted(theirs.to_pylist(), key=lambda row: row["run_id"])
        assert {row["repo"] for row in rows} == {REPO}
        assert [row["started_at"] for row in rows] == ours["started_at"].tolist()
        assert [row["outcome"] for row in rows] == ours["outcome"].tolist()
    assert [row["month"] for row in rows] == ["2026-03", "2026-04"]


@pytest.mark.parametrize("table", ALL)
def test_every_table_has_one_schema_in_all_its_files(tmp_path: Path, table: str) -> None:
    with filled(tmp_path, red_run(1), batch(run(2, start=40 * DAY)), commit()) as store:
        build_facts(store)
    files = sorted((tmp_path / "facts" / table).rglob("*.parquet"))
    schemas = [arrow.dataset(file, format="parquet").schema for file in files]
    assert schemas
    assert all(schema == schemas[0] for schema in schemas)
