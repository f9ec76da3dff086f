"""A server of the sample that tests only read, one of a small history that each test has for itself, and a client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from tests.github_server import Server, State, serve

TOKEN = "token-one"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Client(requests.Session):
    """A plain client of one server: paths below the repository, or whole addresses; no redirect is followed."""

    def __init__(self, server: Server, token: str | None = TOKEN) -> None:
        super().__init__()
        self.trust_env, self.ours = False, server
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    def ask(self, path: str = "", method: str = "GET", **told: Any) -> requests.Response:
        """Return the answer to one request."""
        home = f"{self.ours.api_url}/repos/{self.ours.state.full_name}"
        url = path if path.startswith("http") else f"{self.ours.api_url}{path[1:]}" if path[:1] == "~" else home + path
        return self.request(method, url, allow_redirects=False, timeout=30, **told)


@pytest.fixture(scope="session")
def sample() -> Iterator[Server]:
    """Return a server of the sample; tests only read it."""
    with serve(State.of_sample(), now=NOW) as server:
        yield server


@pytest.fixture
def small() -> Iterator[Server]:
    """Return a server of 60 generated runs of three jobs."""
    with serve(State.generated(60, 3, 6, ends_at=NOW, days=40), now=NOW) as server:
        yield server


@pytest.fixture
def client() -> Iterator[Callable[..., Client]]:
    """Return what makes clients, which are closed at the end."""
    made: list[Client] = []

    def make(server: Server, token: str | None = TOKEN) -> Client:
        made.append(Client(server, token))
        return made[-1]

    yield make
    for one in made:
        one.close()
