"""What a history does behind one's back while it is fetched, and answers that nobody expects."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kotaci.archives.runlogs import JobLog, RunFacts, to_batch
from kotaci.facts import build_facts, read_history
from kotaci.github import Progress, Refused
from kotaci.github.commits import committed_at
from kotaci.github.pace import LimitSpent, Pace
from kotaci.model import BadInput, Repo, RunRef
from kotaci.store import Store, open_store
from tests.builders import job_log, passed, write_all
from tests.github.clock import Hands, still_clock
from tests.github.fetching import TOKEN, fetch_from, held
from tests.github_server import Fault, Limits, Rights, State, serve
from tests.github_server.state import File

NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
REPO = "/repos/{owner}/{repo}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store", create=True) as opened:
        yield opened


def history(**options: Any) -> State:
    """Return a small history in which every run has ended."""
    usual = {"n_runs": 12, "n_jobs": 2, "n_reruns": 3, "seed": 5, "ends_at": NOW, "days": 6}
    state = State.generated(**{**usual, **options})
    for run_id in state.newest_first():
        if state.latest(run_id)["status"] != "completed":
            state.finish(run_id, at=NOW, log=b"2026-11-20T12:00:00.0000000Z done\n")
    return state


def serving(state: State, **options: Any) -> Any:
    limits = Limits(10**6, points_per_minute=None)
    return serve(state, **{"tokens": {TOKEN: Rights()}, "limits": limits, "now": NOW, **options})


def once_it_fetches(what: str, change: Callable[[], object]) -> Callable[[Progress], None]:
    """Return what makes the change when that is first told to be under way."""
    left = [change]

    def on_progress(now: Progress) -> None:
        if now.what == what and left:
            left.pop()()

    return on_progress


def whole(state: State, folder: Path) -> dict[str, Any]:
    """Return what an undisturbed fetch stores."""
    with serving(state) as server, open_store(folder, create=True) as store:
        assert fetch_from(server, store).is_complete
        return held(store, api_url=server.api_url)


def test_a_repository_that_is_hidden_meanwhile_makes_no_fact_of_its_404s(store: Store, tmp_path: Path) -> None:
    state = history()
    with serving(state) as server:
        state.repo["private"] = True

        def hide() -> None:
            server.tokens[TOKEN] = Rights(private_visible=False)

        with pytest.raises(Refused, match="is no longer seen by this token"):
            fetch_from(server, store, on_progress=once_it_fetches("runs", hide))
        server.tokens[TOKEN] = Rights()
        assert fetch_from(server, store).is_complete
        assert held(store, api_url=server.api_url) == whole(state, tmp_path / "calm")


def test_a_rename_meanwhile_changes_nothing_but_the_name(store: Store, tmp_path: Path) -> None:
    state = history()
    expected = whole(state, tmp_path / "calm")
    with serving(state) as server:
        rename = once_it_fetches("runs", lambda: state.rename("example/renamed"))
        assert fetch_from(server, store, repo="example/generated", on_progress=rename).is_complete
        found = held(store, api_url=server.api_url)
    assert found.keys() == expected.keys()
    assert {key for key in found if key.startswith("commit")} == {key for key in expected if key.startswith("commit")}
    trees = {key: body["workflows_tree"] for key, body in found.items() if key.startswith("commit ")}
    assert trees == {key: expected[key]["workflows_tree"] for key in trees}


def test_artifacts_are_listed_to_the_end_although_a_budget_cut_the_list(store: Store) -> None:
    state = history(n_runs=4)
    model = next(iter(state.artifacts.values()))
    with serving(state) as server:
        fetch_from(server, store)
        for number in range(1, 251):
            at = (NOW + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
            state.artifacts[10**9 + number] = {**model, "id": 10**9 + number, "name": "binary", "created_at": at}
        assert not fetch_from(server, store, max_requests=1).is_complete
        assert fetch_from(server, store).is_complete
    found = {one["id"] for _, _, body in store.payloads("example/generated", "artifacts") for one in body["artifacts"]}
    assert found == set(state.artifacts)


@pytest.mark.parametrize("status", ["400", "408", "409", "499"])
def test_a_passing_refusal_of_a_job_list_leaves_no_run_without_jobs(store: Store, tmp_path: Path, status: str) -> None:
    state = history()
    with serving(state) as server:
        server.faults.append(Fault(status, endpoint=f"{REPO}/actions/runs/{{run_id}}/jobs", times=2))
        assert fetch_from(server, store).is_complete
        assert held(store, api_url=server.api_url) == whole(state, tmp_path / "calm")


def test_a_run_that_waited_for_an_approval_goes_on_under_the_same_number(store: Store) -> None:
    state = history(n_reruns=0)
    run_id = state.newest_first()[0]
    run = state.runs[run_id][1]
    jobs = state.jobs[run_id, 1]
    before = dict(run)
    run |= {"conclusion": "action_required", "updated_at": "2026-11-20T13:00:00Z"}
    state.jobs[run_id, 1] = []
    with serving(state) as server:
        fetch_from(server, store)
        run |= before
        state.jobs[run_id, 1] = jobs
        assert fetch_from(server, store).is_complete
    assert store.payload("example/generated", "run", f"{run_id}/1")["conclusion"] == before["conclusion"]
    assert store.payload_keys("example/generated", "job") >= {f"{run_id}/1/{job['id']}" for job in jobs}


def test_a_log_that_is_still_on_its_way_is_asked_for_again(store: Store) -> None:
    state = history(n_reruns=0)
    run_id, job = next(
        (run_id, job)
        for run_id in state.newest_first()
        for job in state.jobs[run_id, 1]
        if job["conclusion"] == "failure" and isinstance(state.logs.get(job["id"]), bytes)
    )
    text, job["completed_at"] = state.logs[job["id"]], "2026-11-20T13:50:00Z"
    state.jobs[run_id, 1] = [job, *(one for one in state.jobs[run_id, 1] if one["id"] != job["id"])]
    state.logs[job["id"]] = "never_written"
    with serving(state) as server:
        assert fetch_from(server, store).is_complete
        assert store.log_rows("example/generated", run_id, 1)[job["id"]][0] == "never_written"
        state.logs[job["id"]] = text
        assert fetch_from(server, store).is_complete
    assert store.log("example/generated", run_id, 1, job["id"]) == text.decode()  # type: ignore[union-attr]


def test_the_history_is_known_up_to_now_although_older_runs_are_still_to_be_fetched(store: Store) -> None:
    state = history(n_runs=30, days=40)
    with serving(state) as server:
        assert fetch_from(server, store, max_requests=30).left["run"]
        assert fetch_from(server, store, since="2d").is_complete
    build_facts(store)
    assert read_history(store).as_of == NOW


def test_two_servers_may_use_the_same_id(store: Store) -> None:
    for host in ("https://ghe-a.example", "https://ghe-b.example"):
        state = history(n_runs=2)
        state.repo["web"] = host
        with serving(state) as server:
            fetch_from(server, store, logs="none")
    assert store.repos() == ["ghe-a.example/example/generated", "ghe-b.example/example/generated"]


def test_another_repository_under_the_same_name_is_not_mixed_in(store: Store) -> None:
    state = history(n_runs=2)
    with serving(state) as server:
        fetch_from(server, store, logs="none")
        state.repo["id"] += 1
        with pytest.raises(BadInput, match="is another repository than the one that the store holds under that name"):
            fetch_from(server, store)


def test_a_small_budget_with_a_new_token_each_night_gets_through_a_long_list(store: Store) -> None:
    state = history(n_runs=1500, n_jobs=1, n_reruns=0, days=300)
    tokens = {f"night-{night}": Rights() for night in range(8)}
    with serving(state, tokens=tokens) as server:
        for token in tokens:
            done = fetch_from(server, store, token=token, logs="none", max_requests=20)
    assert store.payload_keys(done.repo, "run")
    assert done.left["run"] + len(store.payload_keys(done.repo, "run")) == 1500


def test_a_commit_of_nobody_has_no_date() -> None:
    assert committed_at({"commit": {"committer": None, "author": None}}) is None
    assert committed_at({"commit": {"committer": None, "author": {"date": "2026-11-20T14:00:00Z"}}}) == NOW


def test_expired_logs_of_two_runs_say_nothing_of_older_ones(store: Store) -> None:
    state = history(n_runs=40, n_reruns=0, days=60, ends_at=NOW - timedelta(days=100))
    old = [run_id for run_id in state.newest_first() if state.latest(run_id)["conclusion"] == "success"]
    for place, run_id in enumerate(old):
        for job in state.jobs[run_id, 1]:
            if job["conclusion"] != "skipped":
                state.logs[job["id"]] = "expired" if place < 2 else b"2026-08-01T12:00:00.0000000Z kept\n"
    with serving(state) as server:
        done = fetch_from(server, store)
    states = [row[0] for run_id in old[2:] for row in store.log_rows(done.repo, run_id, 1).values()]
    assert "expired" not in states


def test_every_junit_file_of_an_artifact_is_kept(store: Store) -> None:
    state = history(n_runs=3)
    with io.BytesIO() as made:
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(150):
                archive.writestr(f"TEST-{number}.xml", f'<testsuite name="s{number}"><testcase name="t"/></testsuite>')
        body = made.getvalue()
    number, told = next(iter(state.artifacts.items()))
    state.artifacts[number] = {**told, "name": "junit-reports", "expired": False}
    state.files[number] = File("junit-reports.zip", "application/zip", body)
    with serving(state) as server:
        done = fetch_from(server, store)
    assert sum("TEST-" in key for key in store.payload_keys(done.repo, "junit")) == 150


def test_a_part_of_a_green_log_is_made_whole(store: Store) -> None:
    state = history(n_reruns=0)
    run_id, job = next(
        (run_id, job)
        for run_id in state.newest_first()
        for job in state.jobs[run_id, 1]
        if job["conclusion"] == "success" and isinstance(state.logs.get(job["id"]), bytes)
    )
    part = JobLog(job["name"], job_log(passed())[:500].encode(), is_partial=True)
    write_all(store, to_batch(RunFacts(Repo.parse(state.full_name), RunRef(run_id, 1), "gh"), [part]))
    with serving(state) as server:
        assert fetch_from(server, store).is_complete
    assert store.log(state.full_name, run_id, 1, job["id"]) == bytes(state.logs[job["id"]]).decode()


def test_no_token_of_github_is_kept(store: Store, tmp_path: Path) -> None:
    state = history(n_runs=2)
    with serving(state) as server:
        fetch_from(server, store)
        for answer in (store.answer("example/generated", url) for url in _urls(store)):
            assert answer is not None
            assert "temp_clone_token" not in str(answer.body)
            assert "download_url" not in str(answer.body)


def _urls(store: Store) -> list[str]:
    return [url for (url,) in store._rows("SELECT url FROM answers")]


@pytest.mark.parametrize("seconds", [86_400, 99_999_999_999])
def test_a_pause_of_a_day_ends_the_fetch(seconds: float) -> None:
    pace = Pace(still_clock(Hands()))
    with pytest.raises(LimitSpent, match="holds on"):
        pace.pause(seconds, at_most=300)


def test_pauses_that_do_not_help_get_longer_and_end() -> None:
    hands = Hands()
    pace = Pace(still_clock(hands))
    for seconds in (10, 20, 40, 80):
        before = hands.at_s
        pace.pause(10, at_most=300)
        pace.take()
        assert hands.at_s - before == seconds
    with pytest.raises(LimitSpent):
        pace.pause(10, at_most=300)


def test_pygithub_keeps_quiet(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    state = history(n_runs=2)
    state.rename("example/renamed")
    with serving(state) as server:
        fetch_from(server, store, repo="example/generated", logs="none")
    assert logging.getLogger("github").level >= logging.ERROR
    assert capfd.readouterr().err == ""


def test_workflow_files_that_are_hidden_meanwhile_are_fetched_later(store: Store, tmp_path: Path) -> None:
    state = history()
    with serving(state) as server:
        state.repo["private"] = True

        def hide() -> None:
            server.tokens[TOKEN] = Rights(private_visible=False)

        with pytest.raises(Refused):
            fetch_from(server, store, on_progress=once_it_fetches("workflow files", hide))
        server.tokens[TOKEN] = Rights()
        assert fetch_from(server, store).is_complete
        assert held(store, api_url=server.api_url) == whole(state, tmp_path / "calm")


def test_a_host_of_logs_that_cannot_be_reached_does_not_hold_up_commits(store: Store) -> None:
    state = history(n_runs=60, n_jobs=3, days=20)
    with serving(state) as server:
        server.faults.append(Fault("drop", host="blob", times=10**6))
        done = fetch_from(server, store)
    assert "were left for later" in str(done.notes)
    assert store.payload_keys(done.repo, "commit") == {state.latest(run_id)["head_sha"] for run_id in state.runs}
    assert not done.left.get("commit")
    assert done.left["log"]


def test_a_job_without_a_name_is_left_and_told(store: Store) -> None:
    state = history(n_reruns=0)
    run_id = next(run_id for run_id in state.newest_first() if state.latest(run_id)["conclusion"] == "success")
    state.jobs[run_id, 1] = [{**job, "name": None} for job in state.jobs[run_id, 1]]
    with serving(state) as server:
        done = fetch_from(server, store)
    assert done.left == {"zip": 1}
    assert "TypeError, which `kotaci --verbose` explains" in str(done.notes[0])


def test_a_silence_that_was_not_looked_at_is_none(store: Store) -> None:
    state = history()
    with serving(state) as server:
        fetch_from(server, store, logs="none")
        server.advance(45 * 86_400)
        assert fetch_from(server, store, logs="none", since="10d").is_complete
        build_facts(store)
        assert read_history(store).as_of == NOW
        assert fetch_from(server, store, logs="none").is_complete
    assert read_history(store).as_of == NOW + timedelta(days=45)


def test_a_run_that_waited_for_long_is_ended_also_by_a_short_look_back(store: Store) -> None:
    state = history(n_reruns=0)
    run_id = state.newest_first()[0]
    with serving(state) as server:
        state.rerun(run_id, at=NOW)
        fetch_from(server, store)
        state.finish(run_id, at=NOW)
        server.advance(9 * 86_400)
        assert fetch_from(server, store, since="2d").is_complete
    assert store.payload("example/generated", "run", f"{run_id}/2")["status"] == "completed"


def test_a_rerun_under_way_costs_nothing_while_nothing_changes(store: Store) -> None:
    state = history(n_reruns=0)
    with serving(state) as server:
        for run_id in state.newest_first()[:5]:
            state.rerun(run_id, at=NOW)
        fetch_from(server, store)
        assert fetch_from(server, store).n_requests == 0


def test_one_deleted_log_does_not_make_the_others_of_its_zip_expired(store: Store) -> None:
    state = history(n_reruns=0, n_jobs=4)
    run_id = next(run_id for run_id in state.newest_first() if state.latest(run_id)["conclusion"] == "success")
    first, *others = [job["id"] for job in state.jobs[run_id, 1] if job["conclusion"] == "success"]
    state.logs[first] = "expired"
    with serving(state) as server:
        done = fetch_from(server, store)
    states = {job_id: row[0] for job_id, row in store.log_rows(done.repo, run_id, 1).items()}
    assert states[first] == "expired"
    assert {states[job_id] for job_id in others} == {"present"}
