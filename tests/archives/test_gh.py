"""`gh run view --log` and `--log-failed`, saved in every way people save it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.archives.gh import UNKNOWN_STEP, is_gh_output, read_output
from kotaci.model import BadInput, Repo, RunRef
from kotaci.store import Batch, open_store
from tests.builders import (
    BOM,
    LAST,
    REPO,
    SEEDED,
    Jobs,
    checkout,
    failed,
    job_log,
    passed,
    saved_by_gh,
    script,
    set_up,
    stamped,
    system_text,
    unstamped,
    write_all,
)  # fmt: skip

JOBS: Jobs = {"build / test 🦀": passed(), "lint": failed()}
PATH = Path("saved.txt")


def read(text: str, *, repo: str = "", run: RunRef | None = None) -> Batch:
    said = Repo.parse(repo) if repo else None
    return read_output(PATH, text.encode(), said_repo=said, said_run=run, said_workflow="")


def jobs_of(batch: Batch) -> dict[str, list[tuple[int, str, int]]]:
    return {
        payload.body["name"]: [(step["number"], step["name"], step["n_lines"]) for step in payload.body["steps"]]
        for payload in batch.payloads
        if payload.kind == "job"
    }


def test_every_job_gets_its_log_back_without_the_boms_amid_the_lines() -> None:
    batch = read(saved_by_gh(JOBS))
    assert (batch.repo, batch.source) == (REPO, "gh")
    assert list(jobs_of(batch)) == ["build / test 🦀", "lint"]
    assert [log.body.decode() for log in batch.logs] == [job_log(steps, bom="") for steps in JOBS.values()]
    assert not any(payload.body.get("is_partial") for payload in batch.payloads)


def test_steps_are_numbered_in_their_order() -> None:
    assert jobs_of(read(saved_by_gh(JOBS)))["lint"] == [
        (1, "Set up job", 11),
        (2, "Run actions/checkout@v6", 5),
        (3, "Run cargo test", 7),
        (4, "Complete job", 1),
    ]


def test_unknown_steps_are_none() -> None:
    batch = read(saved_by_gh(JOBS, step_name=UNKNOWN_STEP))
    assert jobs_of(batch) == {"build / test 🦀": [], "lint": []}
    assert [log.body.decode() for log in batch.logs] == [job_log(steps, bom="") for steps in JOBS.values()]


def test_log_failed_is_a_part_of_a_log() -> None:
    steps = {"lint": [script(3, "cargo clippy", "error: unused", exit_code=101)]}
    batch = read(saved_by_gh(steps), repo="octo/kv")
    (_, job) = batch.payloads
    assert job.body["is_partial"] is True
    assert [log.is_partial for log in batch.logs] == [True]
    assert not any(log.is_partial for log in read(saved_by_gh(JOBS)).logs)
    assert jobs_of(batch) == {"lint": [(1, "Run cargo clippy", 6)]}


def test_log_failed_after_log_changes_nothing(tmp_path: Path) -> None:
    whole = read(saved_by_gh({"lint": failed()}), run=RunRef(9, 1))
    part = read(saved_by_gh({"lint": [failed()[2]]}), repo=REPO, run=RunRef(9, 1))
    (job_id,) = {log.job_id for log in (*whole.logs, *part.logs)}
    with open_store(tmp_path / "store", create=True) as store:
        assert write_all(store, whole) == 3
        assert write_all(store, part) == 0
        assert store.log(REPO, 9, 1, job_id) == job_log(failed(), bom="")


def test_lines_without_a_time_stamp_stay_where_they_stood() -> None:
    steps = {"a": [set_up(), checkout(), (3, "Run x", ("##[group]Run x", unstamped("second: line"), "third")), LAST]}
    (log,) = read(saved_by_gh(steps)).logs
    assert log.body.decode() == job_log(steps["a"], bom="")


@pytest.mark.parametrize("mark", [BOM, "´╗┐"], ids=["BOM", "BOM as code page 850 has it"])
def test_a_bom_at_the_very_start_or_in_every_step_is_no_text(mark: str) -> None:
    text = saved_by_gh(JOBS).replace(BOM, mark)
    assert [log.body for log in read(BOM + text).logs] == [log.body for log in read(saved_by_gh(JOBS)).logs]


def test_crlf_makes_the_same_jobs_and_steps() -> None:
    assert jobs_of(read(saved_by_gh(JOBS).replace("\n", "\r\n"))) == jobs_of(read(saved_by_gh(JOBS)))


def test_tabs_in_what_was_printed_are_text() -> None:
    steps = {"a": [set_up(), checkout(), script(3, "cut", "one\ttwo\tthree\tfour"), LAST]}
    assert b"Z one\ttwo\tthree\tfour\n" in read(saved_by_gh(steps)).logs[0].body


def test_the_workflow_is_told_where_the_log_tells_it() -> None:
    told = system_text().split("\n")[1].partition(" ")[2]
    batch = read(saved_by_gh({"a": [set_up(told), LAST]}))
    assert (batch.repo, batch.payloads[0].body["path"]) == (REPO, ".github/workflows/ci.yml")


def test_a_repository_that_nobody_tells_is_asked_for() -> None:
    text = saved_by_gh({"a": [script(1, "x")]})
    with pytest.raises(BadInput, match="does not tell its repository"):
        read(text)
    assert read(text, repo="octo/kv", run=RunRef(9, 2)).payloads[0].key == "9/2"


def test_the_same_output_is_the_same_run() -> None:
    assert read(saved_by_gh(JOBS)) == read(saved_by_gh(JOBS))
    assert read(saved_by_gh(JOBS)).logs[0].run_id != read(saved_by_gh({"lint": failed()})).logs[0].run_id


@pytest.mark.parametrize(
    "text",
    ["", "hello\n", job_log(passed()), "a\tb\tc\n", stamped(["x\ty\tz"]), stamped(["x"]).replace(" ", "\t"), "\t\t\t"],
)
def test_what_is_not_of_ghs_form_is_seen(text: str) -> None:
    assert not is_gh_output(text.encode())


def test_it_is_known_by_any_of_its_first_lines() -> None:
    text = saved_by_gh(JOBS)
    assert is_gh_output(text.encode())
    assert is_gh_output(BOM.encode() + text.encode())
    assert is_gh_output(b"a warning of gh\n" + text.encode())


def test_a_log_that_quotes_such_output_is_none() -> None:
    assert not is_gh_output(stamped([saved_by_gh(JOBS).splitlines()[1]]).encode())


@SEEDED
@given(
    st.lists(
        st.one_of(st.text(max_size=15), st.sampled_from(["\n", "\t", "job\tstep\t2026-03-02T09:00:00.0000000Z ", BOM])),
        max_size=25,
    ).map("".join)
)
def test_every_text_of_that_form_is_read_and_no_line_of_a_job_is_lost(text: str) -> None:
    if is_gh_output(text.encode()):
        batch = read(text, repo="octo/kv")
        for payload, log in zip(batch.payloads[1:], batch.logs, strict=True):
            steps = payload.body["steps"]
            assert not steps or sum(step["n_lines"] for step in steps) == log.body.count(b"\n")
