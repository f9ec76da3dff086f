"""Every fault, seen by a plain client."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable

import pytest
import requests

from tests.github_server import Fault, Server
from tests.github_server.conftest import NOW, Client
from tests.github_server.routes import REPO

RUNS = "/actions/runs?per_page=5"

Clients = Callable[..., Client]


def test_drop_and_truncate_break_the_connection(client: Clients, small: Server) -> None:
    for kind in ("drop", "truncate"):
        small.faults.append(Fault(kind, endpoint=f"{REPO}/actions/runs"))
        assert client(small).ask("/labels").status_code == 200
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            client(small).ask(RUNS)
        assert client(small).ask(RUNS).status_code == 200
    assert [asked.status for asked in small.asked] == [200, 0, 200, 200, 200, 200]


def test_bodies_cut_inside(client: Clients, small: Server) -> None:
    small.faults += [Fault("short_json"), Fault("short_zip", host="blob")]
    with pytest.raises(requests.JSONDecodeError):
        client(small).ask(RUNS).json()
    artifact_id = next(key for key, told in small.state.artifacts.items() if told["name"] == "coverage")
    led = client(small).ask(f"/actions/artifacts/{artifact_id}/zip")
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(client(small, None).ask(led.headers["Location"]).content))


@pytest.mark.parametrize(
    ("fault", "status", "content_type"),
    [
        (Fault("502"), 502, "text/html"),
        (Fault("503"), 503, "text/html"),
        (Fault("500"), 500, "text/html"),
        (Fault("422"), 422, "application/json"),
        (Fault("gone"), 410, "application/json"),
        (Fault("missing"), 404, "application/json"),
        (Fault("html"), 200, "text/html"),
        (Fault("secondary", seconds=3), 403, "application/json"),
        (Fault("secondary", seconds=3, status=429), 429, "application/json"),
    ],
)
def test_answers_of_its_own(client: Clients, small: Server, fault: Fault, status: int, content_type: str) -> None:
    small.faults.append(fault)
    answer = client(small).ask(RUNS)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith(content_type)
    assert answer.headers.get("Retry-After") == ("3" if fault.kind == "secondary" else None)
    assert client(small).ask(RUNS).status_code == 200


def test_secondary_without_a_time(client: Clients, small: Server) -> None:
    small.faults.append(Fault("secondary"))
    answer = client(small).ask(RUNS)
    assert "Retry-After" not in answer.headers
    assert "secondary rate limit" in answer.json()["message"]


def test_primary(client: Clients, small: Server) -> None:
    small.faults.append(Fault("primary", seconds=30))
    answer = client(small).ask(RUNS)
    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (403, "0")
    assert int(answer.headers["x-ratelimit-reset"]) == NOW.timestamp() + 30
    assert small.counted() == 0


def test_slow(client: Clients, small: Server) -> None:
    small.faults.append(Fault("slow", seconds=0.2))
    began = time.monotonic()
    assert client(small).ask(RUNS).status_code == 200
    assert time.monotonic() - began >= 0.2


def test_wrong_total(client: Clients, small: Server) -> None:
    small.faults.append(Fault("wrong_total", seconds=-7))
    assert [client(small).ask(RUNS).json()["total_count"] for _ in range(2)] == [53, 60]


def test_lists_that_move(client: Clients, small: Server) -> None:
    before = list(small.state.newest_first())
    small.faults += [Fault("shift"), Fault("vanish", times=2)]
    pages = [client(small).ask(RUNS).json()["workflow_runs"] for _ in range(3)]
    seen = [[run["id"] for run in page] for page in pages]
    assert seen[0][1:] == before[:4]
    assert seen[0][0] not in before
    assert pages[0][0]["status"] == "completed"
    assert seen[1] == before[:5]
    assert seen[2] == before[1:6]


def test_every_and_times(client: Clients, small: Server) -> None:
    small.faults.append(Fault("502", times=2, every=3))
    asked = [client(small).ask("/labels").status_code for _ in range(10)]
    assert asked == [200, 200, 502, 200, 200, 502, 200, 200, 200, 200]


def test_faults_of_the_blob_host(client: Clients, small: Server) -> None:
    small.faults += [Fault("503", host="blob"), Fault("drop", host="blob")]
    artifact_id = next(iter(small.state.artifacts))
    url = client(small).ask(f"/actions/artifacts/{artifact_id}/zip").headers["Location"]
    assert client(small, None).ask(url).status_code == 503
    with pytest.raises(requests.ConnectionError):
        client(small, None).ask(url)
    assert client(small, None).ask(url).status_code == 200
    assert {asked.endpoint for asked in small.asked if asked.host == "blob"} == {"/artifacts/{artifact_id}"}
