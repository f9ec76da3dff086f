"""A server of a small history that can be written to, and what applies plans to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from kotaci.actions import Applied, Plan, apply_plan
from kotaci.github import Client, open_github
from tests.github.clock import Hands, still_clock
from tests.github_server import Limits, Rights, Server, State, serve

TOKEN = "token-one"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server with two labels, an open issue 1, a closed issue 2 and an open pull request 3."""
    state = State.generated(12, 2, 0, ends_at=NOW, days=2)
    at = {"created_at": "2026-11-20T12:00:00Z", "updated_at": "2026-11-20T12:00:00Z", "user": "octocat"}
    for number, word in ((1, "open"), (2, "closed")):
        state.issues[number] = {**at, "id": number, "number": number, "title": "Mine", "state": word, "labels": []}
    sha = next(iter(state.commits))
    ends = {"head": {"ref": "fix", "sha": sha}, "base": {"ref": "main", "sha": sha}}
    state.pulls[3] = {**at, **ends, "id": 3, "number": 3, "title": "Fix", "state": "open", "body": None}
    state.labels |= {name: {"name": name} for name in ("ci", "flaky")}
    with serve(state, {TOKEN: Rights()}, Limits(10**6, points_per_minute=None), now=NOW) as served:
        yield served


@pytest.fixture
def hands() -> Hands:
    """Return the hands of the clock, with what was waited."""
    return Hands()


@pytest.fixture
def client(server: Server, hands: Hands) -> Callable[[], Client]:
    """Return what opens a client whose waiting takes no time."""

    def make() -> Client:
        clock = still_clock(hands, utc=server.now)
        return open_github(token=TOKEN, clock=clock, api_url=server.api_url, points_per_minute=None)

    return make


@pytest.fixture
def apply(client: Callable[[], Client]) -> Callable[..., list[Applied]]:
    """Return what applies a plan."""

    def run(plan: Plan, **options: bool) -> list[Applied]:
        return apply_plan(plan, client=client(), **options)

    return run


def writes(server: Server) -> list[str]:
    """Return what was written, and forget it."""
    told = [
        f"{one.method} {one.endpoint.removeprefix('/repos/{owner}/{repo}')}"
        for one in server.asked
        if one.method != "GET"
    ]
    server.forget()
    return told
