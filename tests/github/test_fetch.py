"""A whole fetch from the server on loopback: everything is there as the server has it, and never asked for twice."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from kotaci.facts import build_facts, read_history
from kotaci.github import Refused
from kotaci.model import job_url
from kotaci.store import Batch, Store, open_store
from tests.builders import AT, api_batch, failed, job_log, write_all
from tests.github.fetching import TOKEN, fetch_from, held
from tests.github_server import Limits, Rights, State, serve

REPO = "/repos/{owner}/{repo}"
NO_POINTS = Limits(per_hour=10**6, points_per_minute=None)
TOKENS = {TOKEN: Rights(), "token-two": Rights()}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store", create=True) as opened:
        yield opened


def serving(state: State, **options: Any) -> Any:
    """Return a server of that state with two tokens and no points."""
    return serve(state, **{"tokens": TOKENS, "limits": NO_POINTS, **options})


def shown(server: Any, path: str, name: str = "") -> list[Any]:
    """Return what an independent client sees there: all pages of the list `name`, or of a bare list."""
    found, page = list[Any](), 1
    with requests.Session() as session:
        while page:
            answer = session.get(
                f"{server.api_url}/repos/{server.state.full_name}{path}",
                params={"per_page": "100", "page": str(page), "filter": "all"},
                headers={"Authorization": f"Bearer {TOKEN}"},
            )
            body = answer.json()
            found += body[name] if name else body if isinstance(body, list) else [body]
            page = page + 1 if "next" in answer.links else 0
    return found


def endpoints(server: Any) -> Counter[str]:
    """Return how often each endpoint of the API was asked, without the part that all share."""
    return Counter(one.endpoint.removeprefix(REPO) for one in server.asked if one.host == "api")


def paths(server: Any, pattern: str) -> list[str]:
    """Return the asked paths of the API that the pattern fits, below the repository's."""
    base = f"/repositories/{server.state.repo['id']}"
    return [one.path.removeprefix(base) for one in server.asked if re.fullmatch(base + pattern, one.path)]


N_RUNS = int(os.environ.get("KOTACI_TEST_RUNS", "300"))
"""Three pages of runs; with 1200 twelve, which lasts four times as long and proves the same."""

LISTS = {
    "",
    "/actions/workflows",
    "/actions/runs",
    "/actions/artifacts",
    "/actions/caches",
    "/actions/cache/usage",
    "/contents/{path}",
}
"""What is asked at every fetch, of the repository as a whole."""


@pytest.mark.slow
def test_a_history_of_hundreds_of_runs_is_fetched_field_by_field_and_only_once(store: Store) -> None:
    state = State.generated(n_runs=N_RUNS, n_jobs=8, n_reruns=N_RUNS // 20)
    with serving(state) as server:
        done = fetch_from(server, store)
        assert done.is_complete, (done.notes, done.stopped, done.left)
        first = endpoints(server)
        assert first["/actions/runs"] + first["/actions/runs/{run_id}/jobs"] <= 1.1 * N_RUNS
        assert_equal(server, store)

        server.forget()
        again = fetch_from(server, store)
        assert (again.is_complete, again.n_requests) == (True, server.counted())
        assert server.counted() <= 3

        server.forget()
        other = fetch_from(server, store, token="token-two")
        assert other.is_complete
        unfinished = {f"/actions/runs/{run['id']}/jobs" for run in shown_runs(server) if run["status"] != "completed"}
        assert set(paths(server, "/actions/runs/.*")) == unfinished
        assert set(endpoints(server)) <= LISTS | {"/actions/runs/{run_id}/jobs"}
        floor = f"{server.now() - timedelta(days=30):%Y-%m-%d}"
        slices = [one.query["created"] for one in server.asked if one.endpoint == f"{REPO}/actions/runs"]
        assert slices
        assert all(created >= floor for created in slices)


def shown_runs(server: Any) -> list[Any]:
    asked = list(server.asked)
    runs = shown(server, "/actions/runs", "workflow_runs")
    server.asked[:] = asked
    return runs


def assert_equal(server: Any, store: Store) -> None:
    """Compare all that the store holds with what the server shows to another client."""
    state, (repo,) = server.state, store.repos()
    runs = {
        f"{run['id']}/{number}": shown(server, f"/actions/runs/{run['id']}/attempts/{number}")[0]
        if run["run_attempt"] > 1
        else run
        for run in shown(server, "/actions/runs", "workflow_runs")
        for number in range(1, run["run_attempt"] + 1)
    }
    assert {key: body for key, _, body in store.payloads(repo, "run")} == runs
    jobs = {
        f"{job['run_id']}/{job['run_attempt']}/{job['id']}": job
        for run_id in dict.fromkeys(key.split("/")[0] for key in runs)
        for job in shown(server, f"/actions/runs/{run_id}/jobs", "jobs")
    }
    assert {key: body for key, _, body in store.payloads(repo, "job")} == jobs
    marked = {key: job for key, job in jobs.items() if job["conclusion"] not in {None, "success", "skipped"}}
    assert {key: body for key, _, body in store.payloads(repo, "annotations")} == {
        key: shown(server, f"/check-runs/{job['id']}/annotations") for key, job in marked.items()
    }
    for key, job in jobs.items():
        run_id, attempt, job_id = map(int, key.split("/"))
        if job["conclusion"] is None:
            assert job_id not in store.log_rows(repo, run_id, attempt)
            continue
        log_state, _ = store.log_rows(repo, run_id, attempt)[job_id]
        expected = state.logs.get(job_id, "never_written")
        assert log_state == (
            "present" if isinstance(expected, bytes) else "never_written" if expected == "lost" else expected
        )
        if isinstance(expected, bytes):
            assert store.log(repo, run_id, attempt, job_id) == expected.decode("utf-8", "replace")
    artifacts = shown(server, "/actions/artifacts", "artifacts")
    assert {one["id"]: one for _, _, body in store.payloads(repo, "artifacts") for one in body["artifacts"]} == {
        one["id"]: one for one in artifacts
    }
    (caches,) = (body for _, _, body in store.payloads(repo, "caches"))
    by_id = {one["id"]: one for one in caches["actions_caches"]}
    assert by_id == {one["id"]: one for one in shown(server, "/actions/caches", "actions_caches")}
    shas = {run["head_sha"] for run in runs.values()}
    assert store.payload_keys(repo, "commit") == shas
    assert store.check() == []


def small(**options: Any) -> State:
    """Return a small history with re-runs in it."""
    return State.generated(**{"n_runs": 12, "n_jobs": 3, "n_reruns": 3, "days": 20, **options})


def test_workflow_files_of_commits_are_those_of_the_server(store: Store) -> None:
    state = State.of_sample()
    with serving(state, now=datetime(2026, 11, 22, 23, 59, tzinfo=UTC)) as server:
        fetch_from(server, store, logs="none")
    (repo,) = store.repos()
    trees = {key: body["workflows_tree"] for key, _, body in store.payloads(repo, "commit")}
    assert trees == {sha: commit["workflows_tree"] for sha, commit in state.commits.items() if sha in trees}


def test_a_list_of_more_than_a_thousand_runs_of_one_day_is_not_cut(store: Store) -> None:
    with serving(State.generated(n_runs=1300, n_jobs=1, n_reruns=0, days=1)) as server:
        done = fetch_from(server, store, logs="none", max_requests=60)
    assert "is used up" in str(done.stopped)
    assert len(store.payload_keys(done.repo, "run")) + done.left["run"] == 1300


def test_a_run_that_was_running_is_asked_again_until_it_has_ended(store: Store) -> None:
    state = small(n_reruns=0)
    with serving(state) as server:
        run = state.rerun(state.newest_first()[0], at=server.now())
        fetch_from(server, store)
        key = f"{run['id']}/{run['run_attempt']}"
        assert store.payload(store.repos()[0], "run", key)["status"] == "queued"
        state.finish(run["id"], at=server.now(), log=b"2026-11-20T12:00:00.0000000Z done\n")
        fetch_from(server, store)
        assert store.payload(store.repos()[0], "run", key)["conclusion"] == "success"
        assert_equal(server, store)


def test_a_late_rerun_of_an_old_run_is_seen_and_the_failure_before_it_stays(store: Store) -> None:
    state = small(n_reruns=0)
    with serving(state) as server:
        fetch_from(server, store)
        oldest = state.newest_first()[-1]
        state.rerun(oldest, at=server.now())
        state.finish(oldest, at=server.now(), conclusion="failure", log=b"2026-11-20T12:00:00.0000000Z bad\n")
        before = held(store)
        server.forget()
        done = fetch_from(server, store)
        assert done.is_complete
        running = {f"/actions/runs/{run['id']}/jobs" for run in shown_runs(server) if run["status"] != "completed"}
        assert set(paths(server, "/actions/runs/[0-9]+/jobs")) - running == {f"/actions/runs/{oldest}/jobs"}
        assert before.items() <= held(store).items()
        assert_equal(server, store)


def test_an_unfinished_run_of_long_ago_is_asked_for_by_its_id(store: Store) -> None:
    state = small(n_reruns=0, n_runs=3)
    with serving(state) as server:
        run = state.rerun(state.newest_first()[0], at=server.now())
        server.advance(60 * 86400)
        fetch_from(server, store)
        state.finish(run["id"], at=server.now())
        server.forget()
        done = fetch_from(server, store)
        assert done.is_complete
        assert f"/actions/runs/{run['id']}" in paths(server, "/actions/runs/[0-9]+")
        key = f"{run['id']}/{run['run_attempt']}"
        assert store.payload(store.repos()[0], "run", key)["conclusion"] == "success"


def test_a_run_that_was_deleted_while_it_ran_is_a_fact(store: Store) -> None:
    state = small(n_reruns=0, n_runs=3)
    with serving(state) as server:
        run = state.rerun(state.newest_first()[0], at=server.now())
        fetch_from(server, store)
        state.delete_run(run["id"])
        assert fetch_from(server, store).is_complete
        gone = store.payload(store.repos()[0], "gone", f"unfinished/{run['id']}/run")
        assert gone["status"] == 404


def test_a_renamed_repository_goes_on_under_its_new_name(store: Store) -> None:
    state = small()
    with serving(state) as server:
        fetch_from(server, store, repo="example/generated")
        before = held(store)
        state.rename("example/renamed")
        server.forget()
        done = fetch_from(server, store, repo="example/generated")
        assert (done.repo, store.repos()) == ("example/renamed", ["example/renamed"])
        assert not paths(server, "/actions/runs/[0-9]+/attempts/[0-9]+/logs")
        assert {key for key in held(store) if key.startswith("log")} == {key for key in before if key.startswith("log")}
    build_facts(store)
    assert read_history(store, repo="example/generated").repo == "example/renamed"


def test_only_red_logs_or_none(store: Store) -> None:
    with serving(small()) as server:
        assert fetch_from(server, store, logs="none").is_complete
        assert store.summary()["logs"]["present"] == 0
        fetch_from(server, store, logs="failed")
        asked = endpoints(server)
        assert asked["/actions/jobs/{job_id}/logs"]
        assert not asked["/actions/runs/{run_id}/attempts/{attempt_number}/logs"]
        fetch_from(server, store, logs="all")
        assert_equal(server, store)


def test_a_clone_saves_the_requests_for_commits(store: Store, tmp_path: Path) -> None:
    state = small()
    with serving(state) as server, open_store(tmp_path / "other", create=True) as other:
        fetch_from(server, other)
        commits = [
            payload for kind in ("workflow_tree", "workflow_file", "commit") for payload in payloads_of(other, kind)
        ]
        server.forget()
        fetch_from(server, store, commits=commits)
        assert not paths(server, "/commits/.*")
        assert not paths(server, "/git/trees/.*")
        assert held(store) == held(other)


def payloads_of(store: Store, kind: str) -> list[Any]:
    from kotaci.store import Payload

    return [Payload(kind, key, body) for key, _, body in store.payloads(store.repos()[0], kind)]


def test_an_imported_log_is_not_fetched_and_the_job_is_not_doubled(store: Store) -> None:
    state = small(n_reruns=0)
    with serving(state) as server:
        run, job = next(
            (run, job)
            for run in shown_runs(server)
            for job in state.jobs[run["id"], 1]
            if job["conclusion"] == "failure" and isinstance(state.logs.get(job["id"]), bytes)
        )
        from kotaci.archives.runlogs import JobLog, RunFacts, to_batch
        from kotaci.model import Repo, RunRef

        mine = JobLog(job["name"], job_log(failed(job["name"]), at=AT).encode())
        imported = to_batch(RunFacts(Repo.parse(state.full_name), RunRef(run["id"], 1), "file"), [mine])
        write_all(store, imported)
        server.forget()
        fetch_from(server, store)
        assert f"/actions/jobs/{job['id']}/logs" not in paths(server, "/actions/jobs/.*/logs")
        assert store.log(state.full_name, run["id"], 1, job["id"]) == mine.body.decode()
    build_facts(store)
    jobs = read_history(store)["jobs"]
    assert len(jobs[jobs["run_id"] == run["id"]]) == len(state.jobs[run["id"], 1])


def test_an_enterprise_server_has_its_own_host_and_links(store: Store) -> None:
    state = small()
    state.repo["web"] = "https://ghe.example:8443"
    with serving(state, prefix="/api/v3") as server:
        assert server.api_url.endswith("/api/v3")
        done = fetch_from(server, store)
        assert (done.repo, done.is_complete) == ("ghe.example:8443/example/generated", True)
        server.forget()
        assert fetch_from(server, store).n_requests == 0
    build_facts(store)
    assert len(read_history(store)["runs"])
    assert job_url(done.repo, 1, 2) == "https://ghe.example:8443/example/generated/actions/runs/1/job/2"


def test_a_second_repository_in_the_same_store(store: Store) -> None:
    write_all(store, *(Batch("other/place", batch.source, batch.payloads, batch.logs) for batch in [api_batch(5)]))
    with serving(small()) as server:
        fetch_from(server, store)
    assert store.repos() == ["example/generated", "other/place"]


def test_an_unknown_repository_changes_nothing(store: Store) -> None:
    with serving(small()) as server, pytest.raises(Refused, match="is unknown to GitHub"):
        fetch_from(server, store, repo="example/nothing")
    assert store.repos() == []
