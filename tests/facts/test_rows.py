"""Rows of one attempt: what GitHub says decides, what it does not say is read off the log."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from kotaci.archives.runlogs import read_folder
from kotaci.facts import build_facts, read_history
from kotaci.facts.rows import worst
from kotaci.model import Outcome, Repo
from kotaci.store import Batch, Payload
from kotaci.tables import TABLES
from tests.facts.payloads import GREEN, RED, REPO, START, batch, commit, filled, job, log, log_text, run, stamp, step

ALL = tuple(TABLES)


def tables(path: Path, *batches: Batch) -> dict[str, pd.DataFrame]:
    """Return every table of a store that holds these batches."""
    with filled(path, *batches) as store:
        build_facts(store)
        return dict(read_history(store, tables=ALL).tables)


def by_job(table: pd.DataFrame, column: str) -> dict[str, object]:
    return dict(zip(table["job"], table[column], strict=True))


def test_what_the_api_says_becomes_rows(tmp_path: Path) -> None:
    red = job(11, "test (linux)", queue=10, wall=60, conclusion="failure")
    found = tables(
        tmp_path, batch(run(conclusion="failure"), [red], logs=[log(1, 1, 11, log_text(*RED, start=10, step_s=4))])
    )
    (one,) = found["runs"].to_dict("records")
    assert (one["run_id"], one["attempt"], one["workflow"], one["workflow_name"]) == (
        1, 1, ".github/workflows/ci.yml", "CI",
    )  # fmt: skip
    assert (one["outcome"], one["outcome_source"], one["actor"], one["source"]) == ("failure", "api", "octocat", "api")
    assert (one["n_jobs"], one["n_failed_jobs"], one["wall_s"]) == (1, 1, 70.0)
    (one,) = found["jobs"].to_dict("records")
    assert (one["job"], one["job_base"], one["leg"]) == ("test (linux)", "test", "linux")
    assert (one["outcome"], one["failed_step"], one["exit_code"]) == ("failure", "Run cargo test", 101)
    assert (one["queue_s"], one["wall_s"]) == (10.0, 60.0)
    assert (one["runner"], one["labels"], one["log_state"]) == ("GitHub Actions 7", "ubuntu-24.04", "present")
    assert (one["n_log_lines"], one["n_steps"]) == (17, 2)
    assert found["steps"]["wall_s"].tolist() == [1.0, 59.0]
    assert set(found["steps"]["step_source"]) == {"api"}
    (failure,) = found["failures"].to_dict("records")
    assert (failure["step"], failure["error"]) == ("Run cargo test", "Process completed with exit code 101.")
    assert "test store::keeps_order ... FAILED" in failure["excerpt"]


def test_a_log_of_a_file_tells_outcome_times_and_steps(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "1_test.txt").write_text(log_text(*RED))
    (folder / "2_lint.txt").write_text(log_text(*GREEN, job="lint", start=5))
    found = tables(tmp_path / "store", read_folder(folder, said_repo=None, said_run=None, said_workflow=""))
    (one,) = found["runs"].to_dict("records")
    assert (one["outcome"], one["outcome_source"], one["source"]) == ("failure", "log", "run-zip")
    assert one["run_id"] < 0
    assert (one["n_jobs"], one["n_failed_jobs"]) == (2, 1)
    assert one["started_at"] == pd.Timestamp(START)
    jobs = found["jobs"].set_index("job")
    assert jobs["outcome"].to_dict() == {"test": "failure", "lint": "success"}
    assert set(jobs["outcome_source"]) == {"log"}
    assert jobs["wall_s"].to_dict() == {"test": 16.0, "lint": 11.0}
    assert jobs["queue_s"].isna().all()
    steps = found["steps"]
    mine = steps[steps["job_id"] == jobs["job_id"]["test"]]
    assert mine["step"].tolist() == ["Set up job", "Run cargo build", "Run cargo test", "Complete job"]
    # What came before the error passed; what came after it cannot be told.
    assert mine["outcome"].tolist() == ["success", "success", "failure", "unknown"]
    assert set(mine["step_source"]) == {"log"}
    assert jobs["failed_step"]["test"] == "Run cargo test"


def test_steps_of_a_run_zip_come_from_its_files(tmp_path: Path) -> None:
    whole = log_text(*RED)
    lines = whole.splitlines(keepends=True)
    folder = tmp_path / "run"
    (folder / "test").mkdir(parents=True)
    (folder / "1_test.txt").write_text(whole)
    for number, name, part in ((1, "Set up job", lines[:7]), (3, "Test", lines[7:16]), (9, "Complete job", lines[16:])):
        (folder / "test" / f"{number}_{name}.txt").write_text("".join(part))
    steps = tables(tmp_path / "store", read_folder(folder, said_repo=None, said_run=None, said_workflow=""))["steps"]
    told = steps[["step_number", "step", "outcome", "first_line", "last_line"]]
    assert told.to_numpy().tolist() == [
        [1, "Set up job", "success", 1, 7],
        [3, "Test", "failure", 8, 16],
        [9, "Complete job", "unknown", 17, 17],
    ]
    assert set(steps["step_source"]) == {"files"}


def test_a_log_that_breaks_off_is_unknown(tmp_path: Path) -> None:
    torn = log_text(*GREEN).rsplit("\n", 2)[0] + "\n"
    unsaid = job(11, conclusion=None)
    found = tables(tmp_path, batch(run(conclusion=None), [unsaid], logs=[log(1, 1, 11, torn)]))
    assert found["jobs"]["outcome"].tolist() == ["unknown"]
    assert found["runs"]["outcome"].tolist() == ["unknown"]
    assert found["failures"].empty


def test_two_attempts_of_a_run_are_two_rows(tmp_path: Path) -> None:
    found = tables(
        tmp_path,
        batch(run(1, 1, conclusion="failure"), [job(11, conclusion="failure")]),
        batch(run(1, 2, start=600), [job(12, start=600)]),
        batch(run(2, 1), [job(21)]),
    )
    told = found["runs"][["run_id", "attempt", "outcome", "is_last_attempt"]]
    assert told.to_numpy().tolist() == [[1, 1, "failure", False], [1, 2, "success", True], [2, 1, "success", True]]
    assert found["jobs"]["outcome"].tolist() == ["failure", "success", "success"]


def test_queue_time_begins_when_the_last_leg_of_the_needed_job_ended(tmp_path: Path) -> None:
    # Build: linux ends at 110 s, macos at 310 s. Test was created at 0 and started at 325: it waited 15 s, not 325.
    jobs = [
        job(11, "build (linux)", queue=10, wall=100),
        job(12, "build (macos)", queue=10, wall=300),
        job(13, "test", queue=325, wall=50),
        job(14, "lint", queue=7, wall=20),
    ]
    found = tables(tmp_path, commit(), batch(run(), jobs))["jobs"]
    assert by_job(found, "queue_s") == {"build (linux)": 10.0, "build (macos)": 10.0, "test": 15.0, "lint": 7.0}
    assert by_job(found, "leg") == {"build (linux)": "linux", "build (macos)": "macos", "test": "", "lint": ""}


def test_queue_time_begins_with_the_creation_where_the_needed_job_ended_before(tmp_path: Path) -> None:
    jobs = [job(11, "build (linux)", wall=100), job(13, "test", start=400, queue=20)]
    found = tables(tmp_path, commit(), batch(run(), jobs))["jobs"]
    assert by_job(found, "queue_s")["test"] == 20.0


def test_queue_time_without_a_clone_begins_with_the_creation(tmp_path: Path) -> None:
    jobs = [job(11, "build (linux)", wall=100), job(13, "test", queue=325)]
    assert by_job(tables(tmp_path, batch(run(), jobs))["jobs"], "queue_s")["test"] == 325.0


def test_a_job_whose_need_failed_is_downstream(tmp_path: Path) -> None:
    jobs = [job(11, "build (linux)"), job(12, "build (macos)", conclusion="failure"), job(13, "test"), job(14, "lint")]
    red = batch(run(conclusion="failure"), jobs)
    known = tables(tmp_path / "known", commit(), red)["jobs"]
    assert by_job(known, "is_downstream") == {
        "build (linux)": False, "build (macos)": False, "test": True, "lint": False,
    }  # fmt: skip
    assert tables(tmp_path / "unknown", red)["jobs"]["is_downstream"].isna().all()


def test_a_commit_that_becomes_known_later_mends_the_queue_times(tmp_path: Path) -> None:
    jobs = [job(11, "build (linux)", wall=100), job(13, "test", queue=125)]
    with filled(tmp_path, batch(run(), jobs)) as store:
        build_facts(store)
        for _ in store.write([commit()]):
            pass
        assert build_facts(store).n_attempts_read == 1
        found = read_history(store)["jobs"]
    assert by_job(found, "queue_s")["test"] == 15.0


def test_a_skipped_job_has_no_queue_time_and_is_not_failed(tmp_path: Path) -> None:
    skipped = job(12, "deploy", queue=0, wall=0, conclusion="skipped", steps=[], runner_name=None, labels=[])
    found = tables(tmp_path, batch(run(), [job(11), skipped]))
    row = found["jobs"].set_index("job").loc["deploy"]
    assert (row["outcome"], row["n_steps"], row["log_state"]) == ("skipped", 0, "not_fetched")
    assert pd.isna(row["queue_s"])
    assert found["runs"]["n_failed_jobs"].tolist() == [0]


@pytest.mark.parametrize("state", ["expired", "never_written", "not_fetched"])
def test_a_job_without_a_log_keeps_the_reason(tmp_path: Path, state: str) -> None:
    red = job(11, conclusion="failure")
    gone = log(1, 1, 11, state=state, reason="HTTP 410")
    found = tables(tmp_path, batch(run(conclusion="failure"), [red], logs=[gone]))
    row = found["jobs"].iloc[0]
    assert (row["log_state"], row["failed_step"]) == (state, "Run cargo test")
    assert pd.isna(row["n_log_lines"])
    assert pd.isna(row["exit_code"])
    assert found["failures"].empty


def test_words_that_github_adds_tomorrow_are_unknown(tmp_path: Path) -> None:
    odd = job(11, conclusion="evaporated", steps=[step(1, "Set up job", conclusion="melted")])
    found = tables(tmp_path, batch(run(conclusion="evaporated", event="solstice"), [odd]))
    assert found["runs"][["outcome", "event"]].to_numpy().tolist() == [["unknown", "solstice"]]
    assert found["jobs"]["outcome"].tolist() == ["unknown"]
    assert found["steps"]["outcome"].tolist() == ["unknown"]


def test_a_job_that_still_runs_is_running(tmp_path: Path) -> None:
    going = job(11, status="in_progress", conclusion=None, completed_at=None)
    waiting = job(12, "lint", status="queued", conclusion=None, started_at=None, completed_at=None, steps=[])
    found = tables(tmp_path, batch(run(status="in_progress", conclusion=None), [going, waiting]))
    assert found["jobs"]["outcome"].tolist() == ["running", "running"]
    assert found["runs"]["outcome"].tolist() == ["running"]
    assert found["runs"]["ended_at"].isna().all()
    assert found["jobs"]["wall_s"].isna().all()


def test_a_run_of_nulls_and_missing_fields_is_still_a_row(tmp_path: Path) -> None:
    bare = {"id": 1, "run_attempt": 1, "status": "completed", "conclusion": "startup_failure", "run_started_at": None}
    poor = {"id": 11, "name": None, "status": "completed", "conclusion": "failure", "steps": None, "labels": None}
    batch_ = Batch(REPO, "api", [Payload("run", "1/1", bare, START), Payload("job", "1/1/11", poor, START)])
    found = tables(tmp_path, batch_)
    assert found["runs"][["outcome", "workflow", "event", "branch"]].to_numpy().tolist() == [
        ["startup_failure", "unknown", "unknown", ""]
    ]
    assert found["jobs"][["job", "outcome", "failed_step"]].to_numpy().tolist() == [["", "failure", ""]]


def test_times_that_are_no_times_are_missing(tmp_path: Path) -> None:
    """A time of year 1 stands for none; a log may print a line that only looks like a time stamp."""
    odd = job(11, started_at="0001-01-01T00:00:00Z", completed_at="soon")
    unsaid = job(12, "lint", conclusion=None, started_at=None, completed_at=None)
    lying = log_text(*GREEN, job="lint") + "2026-99-99T99:99:99.0000000Z the end\n"
    found = tables(tmp_path, batch(run(), [odd, unsaid], logs=[log(1, 1, 12, lying)]))["jobs"].set_index("job")
    assert pd.isna(found["started_at"]["test"])
    assert pd.isna(found["ended_at"]["test"])
    assert found["started_at"]["lint"] == pd.Timestamp(START)


def test_an_end_before_the_start_gives_no_length(tmp_path: Path) -> None:
    found = tables(tmp_path, batch(run(), [job(11, wall=-5, steps=[])]))
    assert found["jobs"]["wall_s"].isna().all()


def test_a_pull_request_is_told_by_its_payload_or_by_the_ref_of_its_log(tmp_path: Path) -> None:
    told = run(1, event="pull_request", head_branch="fix", pull_requests=[{"number": 7, "base": {"ref": "main"}}])
    fork = run(2, event="pull_request", head_branch="fix", pull_requests=[])
    text = log_text(*GREEN).replace("refs/heads/main", "refs/pull/8/merge")
    found = tables(tmp_path, batch(told, [job(11)]), batch(fork, [job(21)], logs=[log(2, 1, 21, text)]))["runs"]
    assert found[["pr_number", "base_branch"]].to_numpy().tolist() == [[7, "main"], [8, ""]]


def test_what_a_job_ran_on_stands_in_setups(tmp_path: Path) -> None:
    found = tables(tmp_path, batch(run(), [job(11)], logs=[log(1, 1, 11, log_text(*GREEN))]))["setups"]
    told = {(row["item"], row["name"]): row["version"] for row in found.to_dict("records")}
    assert told["runner", "runner"] == "2.330.0"
    assert told["os", "Ubuntu"] == "24.04.3"
    assert told["workflow_ref", f"{REPO}/.github/workflows/ci.yml"] == "refs/heads/main"


def test_annotations_belong_to_their_job(tmp_path: Path) -> None:
    said = [{"annotation_level": "warning", "title": None, "message": "old action", "path": ".github", "start_line": 1}]
    more = Batch(REPO, "api", [Payload("annotations", "1/1/11", said, START)])
    found = tables(tmp_path, batch(run(), [job(11), job(12, "lint")]), more)["annotations"]
    assert found[["job_id", "level", "message"]].to_numpy().tolist() == [[11, "warning", "old action"]]


def test_benchmarks_are_those_that_the_log_prints(tmp_path: Path) -> None:
    said = (
        "##[group]Run cargo bench",
        "##[endgroup]",
        "test fib ... bench:       1,250 ns/iter (+/- 50)",
        "parse                   time:   [1.0 ms 1.5 ms 2.0 ms]",
        "parse                   time:   [1.0 cycles 1.5 cycles 2.0 cycles]",
    )
    found = tables(tmp_path, batch(run(), [job(11)], logs=[log(1, 1, 11, log_text(*said))]))["benchmarks"]
    assert found.drop(columns=["repo", "run_id", "attempt"]).to_numpy().tolist() == [
        [11, 10, "libtest", "fib", 1250.0, "ns", 1200.0, 1300.0, True],
        [11, 11, "criterion", "parse", 1.5e6, "ns", 1e6, 2e6, True],
        [11, 12, "criterion", "parse", 1.5, "cycles", 1.0, 2.0, pd.NA],
    ]


def test_a_cache_step_is_told_from_its_neighbours_of_the_same_second(tmp_path: Path) -> None:
    steps = [step(1, "Set up job", start=0, wall=0), step(2, "Registry", start=0, wall=0),
             step(3, "Test", start=0, wall=9), step(8, "Post Registry", start=9, wall=0),
             step(9, "Complete job", start=9, wall=0)]  # fmt: skip
    lines = ("##[group]Run actions/cache@v4", "  key: k-1", "##[endgroup]", "Cache not found for input keys: k-1",
             "##[group]Run cargo test", "cargo test", "##[endgroup]", "   Compiling serde v1.0.0",
             *["test result: ok."] * 80, "Post job cleanup.", "Cache saved with key: k-1")  # fmt: skip
    one = job(11, steps=steps)
    found = tables(tmp_path, batch(run(), [one], logs=[log(1, 1, 11, log_text(*lines, step_s=0.1))]))
    assert found["cache_events"]["step_number"].tolist() == [2, 8]
    assert found["units"]["step_number"].tolist() == [3]


def test_what_sccache_counted_belongs_to_its_step(tmp_path: Path) -> None:
    said = (
        "##[group]Run sccache --show-stats",
        "##[endgroup]",
        "Compile requests                     84",
        "Cache hits                           39",
        "Cache misses                          6",
        "Cache write errors                    5",
        "Cache location                  ghac, name: sccache-v0.10.0",
    )
    told = log(1, 1, 11, log_text(*said, start=20))
    (row,) = tables(tmp_path, batch(run(), [job(11)], logs=[told]))["compiler_caches"].to_dict("records")
    assert (row["job_id"], row["step_number"], row["line"], row["tool"]) == (11, 2, 10, "sccache")
    assert (row["n_requests"], row["n_hits"], row["n_misses"], row["n_write_errors"]) == (84, 39, 6, 5)
    assert row["location"] == "ghac, name: sccache-v0.10.0"
    assert pd.isna(row["size_bytes"])


def test_commits_caches_artifacts_and_workflow_files_are_tables_of_the_repository(tmp_path: Path) -> None:
    listed = Batch(
        REPO,
        "api",
        [
            Payload("caches", stamp(0), {"actions_caches": [{"id": 5, "key": "cargo-1", "size_in_bytes": 2048}]}),
            Payload("artifacts", "1", {"artifacts": [{"id": 6, "name": "report", "expired": False}]}),
        ],
    )
    found = tables(tmp_path, commit(), batch(run(), [job(11)]), listed)
    (one,) = found["commits"].to_dict("records")
    assert (one["subject"], one["n_files"], one["files"]) == ("Turn the cogs", 1, "src/lib.rs")
    assert found["workflow_jobs"][["job", "leg", "needs"]].to_numpy().tolist() == [
        ["build (linux)", "linux", ""],
        ["build (macos)", "macos", ""],
        ["test", "", "build"],
        ["lint", "", ""],
    ]
    assert found["caches"][["cache_id", "key", "size_bytes"]].to_numpy().tolist() == [[5, "cargo-1", 2048]]
    assert found["artifacts"][["run_id", "artifact", "is_expired"]].to_numpy().tolist() == [[1, "report", False]]


@pytest.mark.parametrize(
    ("jobs", "run"),
    [
        ({Outcome.SUCCESS, Outcome.FAILURE, Outcome.CANCELLED}, Outcome.FAILURE),
        ({Outcome.SUCCESS, Outcome.TIMED_OUT}, Outcome.FAILURE),
        ({Outcome.SUCCESS, Outcome.CANCELLED}, Outcome.CANCELLED),
        ({Outcome.SUCCESS, Outcome.UNKNOWN}, Outcome.UNKNOWN),
        ({Outcome.SUCCESS, Outcome.SKIPPED}, Outcome.SUCCESS),
        ({Outcome.SKIPPED}, Outcome.SKIPPED),
        (set(), Outcome.UNKNOWN),
    ],
)
def test_a_run_without_a_conclusion_is_as_bad_as_its_worst_job(jobs: set[Outcome], run: Outcome) -> None:
    assert worst(jobs) == run


def test_a_run_without_jobs_ends_with_githubs_last_word(tmp_path: Path) -> None:
    broken = run(conclusion="startup_failure", updated_at="2026-03-02T09:00:04Z")
    (one,) = tables(tmp_path, batch(broken, []))["runs"].to_dict("records")
    assert (one["outcome"], one["n_jobs"], one["wall_s"]) == ("startup_failure", 0, 4.0)


def test_a_log_put_together_from_two_years_tells_no_end(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "1_test.txt").write_text("2024-03-02T09:00:00.0000000Z begun\n" + log_text(*GREEN))
    found = tables(tmp_path / "store", read_folder(folder, said_repo=Repo.parse(REPO), said_run=None, said_workflow=""))
    (one,) = found["jobs"].to_dict("records")
    assert (one["started_at"].year, pd.isna(one["ended_at"]), pd.isna(one["wall_s"])) == (2024, True, True)


# -- which workflow file ran ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "is_exact"),
    [
        ("push", True),
        ("schedule", True),
        ("pull_request", False),
        ("pull_request_target", False),
        (None, None),
    ],
)
def test_the_file_at_the_head_of_a_pull_request_is_not_the_one_that_ran(
    tmp_path: Path, event: str | None, is_exact: bool | None
) -> None:
    (told,) = tables(tmp_path, commit(), batch(run(event=event), [job(11)]))["runs"]["is_workflow_exact"]
    assert (None if pd.isna(told) else bool(told)) == is_exact


@pytest.mark.parametrize("known", [{}, {"workflows_tree": ""}, {"workflows_tree": "a" * 40}])
def test_without_a_workflow_file_nobody_says_whether_it_is_the_one(tmp_path: Path, known: dict[str, str]) -> None:
    (told,) = commit().payloads[:1]
    body = {key: value for key, value in told.body.items() if key != "workflows_tree"}
    alone = Batch(REPO, "api", [Payload("commit", told.key, {**body, "parents": [{"sha": "b" * 40}], **known})])
    found = tables(tmp_path, alone, batch(run(), [job(11)]))
    assert found["runs"]["is_workflow_exact"].isna().all()
    assert found["commits"]["parents"].tolist() == ["b" * 40]
    assert found["commits"]["workflows_tree"].isna().tolist() == [not known]


def test_a_phase_belongs_to_the_step_that_its_log_shows_though_seconds_are_cut(tmp_path: Path) -> None:
    lines = (
        (10.0, "##[group]Run cargo fmt"),
        (10.1, "##[group]Run cargo test"),
        (10.2, "   Compiling kvstore v0.3.1 (/home/runner/work/kvstore/kvstore)"),
        (40.0, "    Finished `test` profile [unoptimized + debuginfo] target(s) in 29.8s"),
        (40.1, "     Running unittests src/lib.rs (target/debug/deps/kvstore-0a1b2c3d4e5f6a7b)"),
        (40.5, "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.40s"),
    )
    text = "".join(f"{stamp(second)} {line}\n" for second, line in lines)
    told = [step(1, "Check formatting", start=10, wall=0), step(2, "Unit tests", start=10, wall=30)]
    phases = tables(tmp_path, batch(run(), [job(11, wall=60) | {"steps": told}], logs=[log(1, 1, 11, text)]))["phases"]
    assert phases[["step_number", "phase", "wall_s", "first_line", "last_line"]].to_numpy().tolist() == [
        [2, "compile", pytest.approx(29.8), 3, 4],
        [2, "tests", pytest.approx(0.4), 5, 6],
    ]
