"""Everything that can go wrong on the way, at every endpoint: what is fetched in the end is the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kotaci.model import ExitCode, KotaciError
from kotaci.store import Store, open_store
from tests.github.clock import Hands
from tests.github.fetching import TOKEN, fetch_from, held
from tests.github_server import Fault, Limits, Rights, State, serve

NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
REPO = "/repos/{owner}/{repo}"
RUN, ATTEMPT = f"{REPO}/actions/runs/{{run_id}}", f"{REPO}/actions/runs/{{run_id}}/attempts/{{attempt_number}}"

LISTS = [
    REPO,
    f"{REPO}/actions/workflows",
    f"{REPO}/actions/runs",
    f"{REPO}/actions/artifacts",
    f"{REPO}/actions/caches",
    f"{REPO}/actions/cache/usage",
]
THINGS = [
    f"{RUN}/jobs",
    ATTEMPT,
    f"{REPO}/check-runs/{{check_run_id}}/annotations",
    f"{REPO}/commits/{{ref}}",
    f"{REPO}/contents/{{path}}",
    f"{REPO}/git/trees/{{tree_sha}}",
    f"{REPO}/git/blobs/{{file_sha}}",
]
DOWNLOADS = [
    f"{REPO}/actions/jobs/{{job_id}}/logs",
    f"{ATTEMPT}/logs",
    f"{REPO}/actions/artifacts/{{artifact_id}}/{{archive_format}}",
]
BLOBS = ["/job-logs/{job_id}.txt", "/run-logs/{run_id}/{attempt_number}.zip", "/artifacts/{artifact_id}"]
ZIPS = [f"{ATTEMPT}/logs", BLOBS[1]]
API = [*LISTS, *THINGS, *DOWNLOADS]

PASSING: dict[str, tuple[dict[str, Any], list[str]]] = {
    "dropped": ({"kind": "drop", "times": 3}, [*API, *BLOBS]),
    "cut": ({"kind": "truncate", "times": 3}, [*LISTS, *THINGS, *BLOBS]),
    "cut JSON": ({"kind": "short_json", "times": 3}, [*LISTS, *THINGS]),
    "cut zip": ({"kind": "short_zip", "times": 1}, [BLOBS[1]]),
    "500": ({"kind": "500", "times": 3}, [*API, *BLOBS]),
    "502": ({"kind": "502", "times": 3}, [*API, *BLOBS]),
    "503": ({"kind": "503", "times": 3}, [*API, *BLOBS]),
    "too many at once, 403": ({"kind": "secondary", "times": 2, "seconds": 30}, API),
    "too many at once, 429": ({"kind": "secondary", "times": 2, "seconds": 30, "status": 429}, API),
    "too many at once, no time told": ({"kind": "secondary", "times": 2}, API),
    "slow": ({"kind": "slow", "times": 1, "seconds": 0.05}, [*API, *BLOBS]),
    "total too large": ({"kind": "wrong_total", "seconds": 1}, [f"{REPO}/actions/runs"]),
    "total too small": ({"kind": "wrong_total", "seconds": -1}, [f"{REPO}/actions/runs"]),
    "404 from the host of zips": ({"kind": "missing"}, [BLOBS[1]]),
    "404 for a zip": ({"kind": "missing"}, [f"{ATTEMPT}/logs"]),
}
"""Faults that pass: one fetch brings everything."""

ENDING: dict[str, tuple[dict[str, Any], ExitCode | None, list[str]]] = {
    "502 for ever": ({"kind": "502", "times": 10**6}, ExitCode.INCOMPLETE, sorted({*API, *BLOBS} - {*ZIPS})),
    "dropped for ever": ({"kind": "drop", "times": 10**6}, ExitCode.INCOMPLETE, sorted({*API, *BLOBS} - {*ZIPS})),
    "hourly limit": ({"kind": "primary", "seconds": 600}, ExitCode.INCOMPLETE, API),
    "a proxy's page": ({"kind": "html", "times": 10**6}, ExitCode.BAD_INPUT, [*LISTS, *THINGS]),
    "token withdrawn": ({"kind": "401", "times": 10**6}, ExitCode.REFUSED, API),
}
"""Faults that end a fetch, or leave a part of it for later: the next fetch brings everything."""

FACTS = [*THINGS, *DOWNLOADS, *BLOBS]
"""Where a 404 or 410 is a fact about one thing, and is stored as such."""


def pairs(table: dict[str, Any]) -> list[Any]:
    return [
        pytest.param(name, endpoint, id=f"{name} at {endpoint.removeprefix(REPO) or '/'}")
        for name, row in table.items()
        for endpoint in row[-1]
    ]


def serving() -> Any:
    """Return a server of a small history in which every endpoint is asked."""
    state = State.generated(n_runs=5, n_jobs=2, n_reruns=1, seed=8, ends_at=NOW, days=6)
    for run_id in state.newest_first():
        if state.latest(run_id)["status"] != "completed":
            state.finish(run_id, at=NOW, log=b"2026-11-20T12:00:00.0000000Z done\n")
    limits = Limits(per_hour=10**6, points_per_minute=None)
    return serve(state, tokens={TOKEN: Rights()}, limits=limits, now=NOW)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Return what a fetch without faults stores; it asks every endpoint of the tables above."""
    with serving() as server, open_store(tmp_path_factory.mktemp("whole") / "store", create=True) as store:
        assert fetch_from(server, store).is_complete
        assert {*API, *BLOBS} - {one.endpoint for one in server.asked} == set()
        yield held(store, api_url=server.api_url)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store", create=True) as opened:
        yield opened


@pytest.mark.parametrize(("name", "endpoint"), pairs(PASSING))
def test_a_fault_that_passes_is_not_seen_in_the_store(
    name: str, endpoint: str, store: Store, whole: dict[str, Any]
) -> None:
    fault = Fault(endpoint=endpoint, host="blob" if endpoint in BLOBS else "api", **PASSING[name][0])
    hands = Hands()
    with serving() as server:
        server.faults.append(fault)
        done = fetch_from(server, store, hands=hands)
        assert fault.n_struck == fault.times
        assert done.is_complete, (done.notes, done.stopped, done.left)
        assert held(store, api_url=server.api_url) == whole
    assert sum(hands.waits) <= 600


@pytest.mark.parametrize(("name", "endpoint"), pairs(ENDING))
def test_a_fault_that_stays_ends_the_fetch_and_the_next_one_goes_on(
    name: str, endpoint: str, store: Store, whole: dict[str, Any]
) -> None:
    options, code, _ = ENDING[name]
    with serving() as server:
        server.faults.append(Fault(endpoint=endpoint, host="blob" if endpoint in BLOBS else "api", **options))
        ended, words = _ending(server, store)
        assert (ended, TOKEN in words) == (code, False)
        server.faults.clear()
        server.advance(601)
        done = fetch_from(server, store)
        assert done.is_complete, (done.notes, done.stopped, done.left)
        assert held(store, api_url=server.api_url) == whole


def _ending(server: Any, store: Store) -> tuple[ExitCode, str]:
    try:
        done = fetch_from(server, store)
    except KotaciError as error:
        return error.exit_code, str(error)
    return ExitCode.DONE if done.is_complete else ExitCode.INCOMPLETE, f"{done.notes} {done.stopped}"


@pytest.mark.parametrize("kind", ["502", "drop"])
@pytest.mark.parametrize("endpoint", ZIPS, ids=lambda endpoint: endpoint.removeprefix(REPO))
def test_a_zip_that_can_never_be_had_does_not_hide_the_logs(
    kind: str, endpoint: str, store: Store, whole: dict[str, Any]
) -> None:
    with serving() as server:
        server.faults.append(Fault(kind, endpoint=endpoint, times=10**6, host="blob" if endpoint in BLOBS else "api"))
        assert fetch_from(server, store).is_complete
        assert held(store, api_url=server.api_url) == whole


@pytest.mark.parametrize("kind", ["missing", "gone"])
@pytest.mark.parametrize("endpoint", FACTS, ids=lambda endpoint: endpoint.removeprefix(REPO))
def test_one_thing_that_is_gone_is_a_fact_and_the_rest_is_fetched(
    kind: str, endpoint: str, store: Store, whole: dict[str, Any]
) -> None:
    with serving() as server:
        server.faults.append(Fault(kind, endpoint=endpoint, host="blob" if endpoint in BLOBS else "api"))
        assert fetch_from(server, store).is_complete
        server.forget()
        # What `.github` holds is asked each time, so that settings are seen once they are there.
        assert fetch_from(server, store).n_requests <= 2 * ("/contents/" in endpoint)
        found = held(store, api_url=server.api_url)
    lost = {key for key, value in whole.items() if found.get(key) != value}
    new = set(found) - set(whole)
    assert len(lost) <= 5
    assert all(key.startswith("gone ") for key in new)
    assert {key.partition(" ")[0] for key in lost} <= {
        "log", "run", "job", "annotations", "commit", "workflow_tree", "workflow_file", "codeowners", "junit", "report",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["shift", "vanish"])
def test_a_list_that_changes_while_it_is_paged_loses_nothing(kind: str, store: Store) -> None:
    state = State.generated(n_runs=260, n_jobs=1, n_reruns=0, ends_at=NOW, days=2)
    limits = Limits(per_hour=10**6, points_per_minute=None)
    with serve(state, tokens={TOKEN: Rights()}, limits=limits, now=NOW) as server:
        server.faults.append(Fault(kind, endpoint=f"{REPO}/actions/runs", every=2))
        done = fetch_from(server, store, logs="none", max_requests=30)
        listed = {key.split("/")[0] for key in store.payload_keys(done.repo, "run")}
        wanted, last = set(), None
        while page := store.wants(done.repo, ["run"], limit=500, after=last):
            wanted |= {want.key for want in page}
            last = page[-1]
        # A run that came while the list was read is seen by the next fetch.
        assert {str(run_id) for run_id in state.newest_first()[1:]} <= listed | wanted
