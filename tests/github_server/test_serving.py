"""Pages, searches, ETags, limits, tokens, renames, and the host of logs, with a plain client."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests

from tests.github_server import Limits, Rights, Server, State, serve
from tests.github_server.conftest import NOW, Client
from tests.github_server.objects import object_id
from tests.github_server.routes import REPO
from tests.github_server.test_shapes import ARTIFACT, JOB, RUN, SHA

Clients = Callable[..., Client]


@pytest.fixture
def ask(sample: Server, client: Clients) -> Callable[..., requests.Response]:
    """Return what asks the sample's server."""
    return client(sample).ask


# -- pages and searches ----------------------------------------------------------------------------------------


def test_pages_hold_everything_once(ask: Callable[..., requests.Response], sample: Server) -> None:
    found: list[int] = []
    url: str | None = "/actions/runs?per_page=50"
    while url:
        response = ask(url)
        found += [run["id"] for run in response.json()["workflow_runs"]]
        url = response.links.get("next", {}).get("url")
    assert found == list(sample.state.newest_first())
    assert {name: link["url"].rpartition("=")[2] for name, link in response.links.items()} == {
        "prev": "2",
        "first": "1",
    }


def test_a_page_has_at_most_a_hundred(ask: Callable[..., requests.Response]) -> None:
    assert len(ask("/actions/runs?per_page=500").json()["workflow_runs"]) == 100
    assert len(ask("/actions/runs").json()["workflow_runs"]) == 30
    assert ask("/actions/runs", "HEAD").headers["Content-Length"] == str(len(ask("/actions/runs").content))
    assert ask("/actions/runs?page=99").json() == {"total_count": 142, "workflow_runs": []}


@pytest.mark.parametrize(
    ("created", "begin", "end"),
    [
        ("2026-09-01..2026-09-02", "2026-09-01", "2026-09-02~"),
        ("2026-10-20", "2026-10-20", "2026-10-20~"),
        (">=2026-11-01", "2026-11-01", "~"),
        (">2026-11-01", "2026-11-02", "~"),
        ("<=2026-09-02", "", "2026-09-02~"),
        ("<2026-10-20", "", "2026-10-20"),
        ("2026-11-01..*", "2026-11-01", "~"),
        ("*..2026-09-02", "", "2026-09-02~"),
        ("2026-09-02T14:00:00Z..2026-09-02T16:30:00+02:00", "2026-09-02T14", "2026-09-02T14:30:00Z"),
    ],
)
def test_created_searches(
    ask: Callable[..., requests.Response], sample: Server, created: str, begin: str, end: str
) -> None:
    wanted = {run for run in sample.state.runs if begin <= sample.state.latest(run)["created_at"] <= end}
    answer = ask("/actions/runs", params={"created": created, "per_page": 100}).json()
    assert wanted
    assert answer["total_count"] == len(wanted)
    assert {run["id"] for run in answer["workflow_runs"]} <= wanted


@pytest.mark.parametrize("created", ["yesterday", "2026-13-01", "2026-09-01...2026-09-02"])
def test_created_that_is_no_date(ask: Callable[..., requests.Response], created: str) -> None:
    assert ask("/actions/runs", params={"created": created}).status_code == 422


@pytest.mark.parametrize(
    "query",
    [
        {"event": "schedule"}, {"branch": "develop"}, {"status": "failure"}, {"status": "completed"},
        {"actor": "kvstore-contributor"}, {"head_sha": SHA}, {"event": "push", "status": "failure"},
    ],
)  # fmt: skip
def test_filters(ask: Callable[..., requests.Response], sample: Server, query: dict[str, str]) -> None:
    fields = {"branch": "head_branch"}

    def is_wanted(run: dict[str, Any]) -> bool:
        told = {**run, "actor": run["actor"]["login"]}
        return all(
            value in {run["status"], run["conclusion"]} if name == "status" else told[fields.get(name, name)] == value
            for name, value in query.items()
        )

    wanted = [run_id for run_id in sample.state.newest_first() if is_wanted(sample.state.latest(run_id))]
    answer = ask("/actions/runs", params={**query, "per_page": 100}).json()
    assert wanted
    assert answer["total_count"] == len(wanted)
    assert [run["id"] for run in answer["workflow_runs"]] == wanted[:100]


def test_a_search_reaches_a_thousand_only(client: Clients) -> None:
    state = State.generated(30, 1, 0, ends_at=NOW)
    with serve(state, limits=Limits(search_cap=20), now=NOW) as server:
        searched = client(server).ask("/actions/runs?created=>=2020-01-01&per_page=8&page=3")
        assert searched.json()["total_count"] == 30
        assert len(searched.json()["workflow_runs"]) == 4
        assert "next" not in searched.links
        assert len(client(server).ask("/actions/runs?per_page=8&page=3").json()["workflow_runs"]) == 8
    assert Limits().search_cap == 1000


def test_attempts_have_their_own_times(ask: Callable[..., requests.Response]) -> None:
    first, second, latest = (ask(f"/actions/runs/{RUN}{path}").json() for path in ("/attempts/1", "/attempts/2", ""))
    assert latest["created_at"] == first["created_at"] != second["created_at"] == second["run_started_at"]
    assert second["previous_attempt_url"] == first["url"] + "/attempts/1"
    assert ask(f"/actions/runs/{RUN}/attempts/3").status_code == 404


def test_jobs_of_earlier_attempts_need_all(ask: Callable[..., requests.Response]) -> None:
    by = {name: ask(f"/actions/runs/{RUN}/jobs?filter={name}").json()["jobs"] for name in ("latest", "all")}
    assert {name: {job["run_attempt"] for job in jobs} for name, jobs in by.items()} == {"latest": {2}, "all": {1, 2}}


def test_caches(ask: Callable[..., requests.Response]) -> None:
    answer = ask("/actions/caches?key=v0-rust&sort=size_in_bytes&direction=asc").json()["actions_caches"]
    sizes = [cache["size_in_bytes"] for cache in answer]
    assert sizes == sorted(sizes)
    assert answer
    assert all(cache["key"].startswith("v0-rust") for cache in answer)
    usage, everything = ask("/actions/cache/usage").json(), ask("/actions/caches?per_page=100").json()
    assert usage["active_caches_size_in_bytes"] == sum(c["size_in_bytes"] for c in everything["actions_caches"])
    assert {cache["ref"] for cache in ask("/actions/caches?ref=refs/heads/develop").json()["actions_caches"]} == {
        "refs/heads/develop"
    }


def test_trees_agree(ask: Callable[..., requests.Response], sample: Server) -> None:
    told = sample.state.commits[SHA]
    root = ask(f"/commits/{SHA}").json()["commit"]["tree"]["sha"]
    below = {entry["path"]: entry["sha"] for entry in ask(f"/git/trees/{root}?recursive=1").json()["tree"]}
    shown = {entry["name"]: entry["sha"] for entry in ask(f"/contents/.github?ref={SHA}").json()}
    assert below[".github/workflows"] == shown["workflows"] == told["workflows_tree"]
    file = ask(f"/contents/.github/workflows/ci.yml?ref={SHA}").json()
    body = base64.b64decode(file["content"])
    assert file["sha"] == below[".github/workflows/ci.yml"] == object_id("blob", body)
    assert ask(f"/contents/nothing?ref={SHA}").status_code == 404


def test_commits_of_a_path_and_time(ask: Callable[..., requests.Response]) -> None:
    response = ask("/commits?path=.github/workflows&since=2026-09-01T00:00:00Z&until=2026-10-01T00:00:00Z&per_page=100")
    assert response.json()
    for commit in response.json():
        assert "2026-09-01" <= commit["commit"]["committer"]["date"] <= "2026-10-01"
        files = ask(f"/commits/{commit['sha'][:12]}").json()["files"]
        assert any(file["filename"].startswith(".github/workflows/") for file in files)


# -- ETags, limits ---------------------------------------------------------------------------------------------


def test_an_etag_is_good_for_its_token_only(client: Clients) -> None:
    state, tokens = State.generated(5, 1, 0), {"token-one": Rights(), "token-two": Rights()}
    with serve(state, tokens) as server:
        one, two = client(server, "token-one"), client(server, "token-two")
        tag = one.ask("/actions/runs").headers["ETag"]
        assert tag.startswith('W/"')
        assert one.ask("/actions/runs").headers["ETag"] == tag
        again = one.ask("/actions/runs", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert server.counted() == 2
        assert two.ask("/actions/runs", headers={"If-None-Match": tag}).status_code == 200
        state.add_run()
        assert one.ask("/actions/runs", headers={"If-None-Match": tag}).status_code == 200


def test_an_anonymous_304_counts(client: Clients) -> None:
    with serve(State.generated(5, 1, 0)) as server:
        nobody = client(server, None)
        tag = nobody.ask("/actions/runs").headers["ETag"]
        again = nobody.ask("/actions/runs", headers={"If-None-Match": tag})
        assert (again.status_code, again.headers["X-RateLimit-Remaining"]) == (304, "58")


def test_the_hour_runs_out_and_begins_again(client: Clients) -> None:
    with serve(State.generated(5, 1, 0), limits=Limits(per_hour=2), now=NOW) as server:
        ask = client(server).ask
        left = [ask("/actions/workflows").headers["x-ratelimit-remaining"] for _ in range(2)]
        assert left == ["1", "0"]
        refused = ask("/actions/workflows")
        assert (refused.status_code, refused.headers["x-ratelimit-remaining"]) == (403, "0")
        assert "API rate limit exceeded" in refused.json()["message"]
        assert ask("~/rate_limit").json()["resources"]["core"]["remaining"] == 0
        assert [asked.counted for asked in server.asked] == [True, True, False, False]
        server.advance(int(refused.headers["x-ratelimit-reset"]) - NOW.timestamp())
        assert ask("/actions/workflows").status_code == 200


def test_points_of_a_minute(client: Clients) -> None:
    with serve(State.generated(5, 1, 0), limits=Limits(points_per_minute=7)) as server:
        ask = client(server).ask
        assert ask("/labels", "POST", json={"name": "ci"}).status_code == 201
        assert [ask("/labels").status_code for _ in range(3)] == [200, 200, 403]
        refused = ask("/labels")
        assert 50 < int(refused.headers["Retry-After"]) <= 60
        assert "secondary rate limit" in refused.json()["message"]
        server.limits.points_per_minute = None
        assert ask("/labels").status_code == 200


def test_too_many_at_once(client: Clients) -> None:
    with serve(State.generated(5, 1, 0), limits=Limits(concurrent=2), latency_s=0.2) as server:
        askers = [client(server) for _ in range(6)]
        with ThreadPoolExecutor(6) as pool:
            words = sorted(pool.map(lambda one: one.ask("/labels").status_code, askers))
        assert words[0] == 200
        assert words[-1] == 403


# -- tokens ----------------------------------------------------------------------------------------------------


def test_a_wrong_token(client: Clients, sample: Server) -> None:
    refused = client(sample, "stolen").ask("/actions/runs")
    assert (refused.status_code, refused.json()["message"]) == (401, "Bad credentials")


def test_without_a_token_logs_are_refused(client: Clients, sample: Server) -> None:
    ask = client(sample, None).ask
    assert ask("/actions/runs").headers["X-RateLimit-Limit"] == "60"
    assert ask(f"/actions/jobs/{JOB}/logs").json()["message"] == "Must have admin rights to Repository."
    assert ask(f"/actions/artifacts/{ARTIFACT}/zip").status_code == 401
    assert ask("/issues", "POST", json={"title": "x"}).status_code == 401


@pytest.mark.parametrize(
    ("rights", "method", "path", "need"),
    [
        (Rights(actions="none"), "GET", "/actions/runs", "actions=read"),
        (Rights(actions="read"), "POST", "/actions/runs/1/rerun", "actions=write"),
        (Rights(contents="none"), "GET", "/commits", "contents=read"),
        (Rights(checks="none"), "GET", "/check-runs/1/annotations", "checks=read"),
        (Rights(issues="read"), "POST", "/issues", "issues=write"),
        (Rights(pull_requests="none"), "GET", "/pulls", "pull_requests=read"),
    ],
)
def test_a_right_that_is_missing(client: Clients, rights: Rights, method: str, path: str, need: str) -> None:
    with serve(State.generated(5, 1, 0), {"token-one": rights}) as server:
        refused = client(server).ask(path, method, json={})
        assert refused.status_code == 403
        assert refused.json()["message"] == "Resource not accessible by personal access token"
        assert refused.headers["X-Accepted-GitHub-Permissions"] == need
        assert client(server).ask().status_code == 200


def test_single_sign_on(client: Clients) -> None:
    with serve(State.generated(5, 1, 0), {"token-one": Rights(sso=True)}) as server:
        refused = client(server).ask("/actions/runs")
        assert refused.status_code == 403
        assert refused.headers["X-GitHub-SSO"].startswith("required; url=https://github.com/orgs/example/sso?")


def test_a_private_repository_is_not_there_for_others(client: Clients) -> None:
    state = State.generated(5, 1, 0)
    state.repo["private"] = True
    with serve(state, {"token-one": Rights(), "token-two": Rights(private_visible=False)}) as server:
        asked = [client(server, token).ask("/actions/runs").status_code for token in ("token-one", "token-two", None)]
    assert asked == [200, 404, 404]


def test_other_repositories_are_not_there(client: Clients, sample: Server) -> None:
    ask = client(sample).ask
    assert ask("~/repos/example/other/actions/runs").status_code == 404
    assert ask("~/repositories/1/actions/runs").status_code == 404
    assert ask("~/repos/Example/KVStore").status_code == 200


# -- names -----------------------------------------------------------------------------------------------------


def test_a_renamed_repository(client: Clients) -> None:
    state = State.generated(5, 1, 0)
    with serve(state) as server:
        state.rename("elsewhere/renamed")
        moved = client(server).ask("~/repos/example/generated/actions/runs?per_page=2")
        assert moved.status_code == 301
        assert moved.headers["Location"] == f"{server.api_url}/repositories/{state.repo['id']}/actions/runs?per_page=2"
        found = client(server).ask(moved.headers["Location"]).json()["workflow_runs"]
        assert {run["repository"]["full_name"] for run in found} == {"elsewhere/renamed"}
        assert {asked.endpoint for asked in server.asked} == {f"{REPO}/actions/runs"}
        assert client(server).ask("~/repos/example/generated/issues", "POST", json={}).status_code == 307


def test_a_prefix_stands_in_every_address(client: Clients) -> None:
    with serve(State.generated(5, 1, 0), prefix="/api/v3") as server:
        home = f"{server.api_url}/repos/example/generated"
        assert server.api_url.endswith("/api/v3")
        response = client(server).ask("/actions/runs?per_page=1")
        assert response.json()["workflow_runs"][0]["jobs_url"].startswith(home)
        assert response.links["next"]["url"].startswith(f"{server.api_url}/repositories/")
        assert client(server).ask(response.links["next"]["url"]).status_code == 200
        assert requests.get(home.replace("/api/v3", ""), timeout=30).status_code == 404


# -- logs and artifacts ----------------------------------------------------------------------------------------


def test_a_link_to_a_log(client: Clients, sample: Server) -> None:
    led = client(sample).ask(f"/actions/jobs/{JOB}/logs")
    assert (led.status_code, led.content) == (302, b"")
    url = led.headers["Location"]
    assert url.startswith("http://localhost:")
    assert url != client(sample).ask(f"/actions/jobs/{JOB}/logs").headers["Location"]
    anyone = client(sample, None)
    assert anyone.ask(url).content == sample.state.logs[JOB]
    assert (sample.asked[-1].host, sample.asked[-1].counted) == ("blob", False)
    refused = client(sample).ask(url)
    assert (refused.status_code, refused.headers["x-ms-error-code"]) == (401, "InvalidAuthenticationInfo")
    assert anyone.ask(url.partition("?")[0]).status_code == 403
    assert anyone.ask(url[:-5] + "wrong").status_code == 403


def test_a_link_lives_a_minute(client: Clients, small: Server) -> None:
    job = next(job for run in small.state.newest_first()[10:] for job in small.state.jobs[run, 1]
               if small.state.log_state(job) == "present")  # fmt: skip
    url = client(small).ask(f"/actions/jobs/{job['id']}/logs").headers["Location"]
    small.advance(59)
    assert client(small, None).ask(url).status_code == 200
    small.advance(1)
    assert client(small, None).ask(url).status_code == 403


@pytest.mark.parametrize(
    ("log", "status", "blob_status"), [("expired", 410, None), ("never_written", 404, None), ("lost", 302, 404)]
)
def test_logs_that_are_not_there(
    client: Clients, small: Server, log: str, status: int, blob_status: int | None
) -> None:
    job = small.state.jobs[next(iter(small.state.runs)), 1][0]
    small.state.logs[job["id"]] = log
    led = client(small).ask(f"/actions/jobs/{job['id']}/logs")
    assert led.status_code == status
    if blob_status:
        gone = client(small, None).ask(led.headers["Location"])
        assert (gone.status_code, gone.headers["x-ms-error-code"]) == (blob_status, "BlobNotFound")


def test_a_running_job_has_no_log(client: Clients, small: Server) -> None:
    run_id = small.state.newest_first()[0]
    words = {job["status"]: job["id"] for job in small.state.jobs[run_id, 1]}
    small.state.logs[words["in_progress"]] = b"early"
    assert client(small).ask(f"/actions/jobs/{words['in_progress']}/logs").status_code == 404
    assert client(small).ask(f"/actions/runs/{run_id}/logs").status_code == 404


def test_the_zip_of_a_run(client: Clients, sample: Server) -> None:
    ask = client(sample).ask
    url = ask(f"/actions/runs/{RUN}/logs").headers["Location"]
    zips = zipfile.ZipFile(io.BytesIO(client(sample, None).ask(url).content))
    job = sample.state.jobs[RUN, 2][0]
    assert zips.read(f"0_{job['name']}.txt") == sample.state.logs[job["id"]]
    assert zips.read(f"{job['name']}/system.txt").startswith(job["created_at"][:19].encode())
    assert not any(set(":") & set(name) for name in zips.namelist())
    other = ask(f"/actions/runs/{RUN}/attempts/1/logs").headers["Location"]
    assert client(sample, None).ask(other).content != client(sample, None).ask(url).content
    assert ask("/actions/runs/18103543128/logs").status_code == 410


def test_the_file_of_an_artifact(client: Clients, sample: Server) -> None:
    told = client(sample).ask(f"/actions/artifacts/{ARTIFACT}").json()
    led = client(sample).ask(f"/actions/artifacts/{ARTIFACT}/zip")
    file = client(sample, None).ask(led.headers["Location"])
    assert file.headers["Content-Type"] == "application/zip"
    assert len(file.content) == told["size_in_bytes"] == 436296
    assert told["digest"] == f"sha256:{hashlib.sha256(file.content).hexdigest()}"


def test_a_single_file_comes_as_it_is(client: Clients, small: Server) -> None:
    artifact_id = next(key for key, told in small.state.artifacts.items() if told["name"] == "junit.xml")
    led = client(small).ask(f"/actions/artifacts/{artifact_id}/zip")
    file = client(small, None).ask(led.headers["Location"])
    assert file.headers["Content-Type"] == "text/xml"
    assert file.content.startswith(b"<testsuites>")
    small.advance(timedelta(days=91).total_seconds())
    assert client(small).ask(f"/actions/artifacts/{artifact_id}").json()["expired"] is True
    assert client(small).ask(f"/actions/artifacts/{artifact_id}/zip").status_code == 410
