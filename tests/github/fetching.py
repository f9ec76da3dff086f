"""A fetch from the server on loopback with a clock that stands still, and what a store holds, to compare."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from kotaci.github import Fetched, fetch, open_github
from kotaci.model import Repo
from kotaci.store import Store
from tests.github.clock import Hands, still_clock

TOKEN = "token-one"


def fetch_from(
    server: Any,
    store: Store,
    *,
    token: str = TOKEN,
    repo: str = "",
    max_requests: int | None = None,
    hands: Hands | None = None,
    utc: Callable[[], datetime] | None = None,
    **options: Any,
) -> Fetched:
    """Fetch all that the server has, without its points, and return what was done."""
    client = open_github(
        token=token,
        clock=still_clock(hands, utc=utc or server.now),
        api_url=server.api_url,
        max_requests=max_requests,
        points_per_minute=None,
    )
    return fetch(store, Repo.parse(repo or server.state.full_name), client=client, **{"since": "all", **options})


NIGHTLY = {"caches", "cache_usage", "fetched", "listed"}
"""Payloads that tell of the night on which they were fetched."""


def held(store: Store, *, besides: frozenset[str] | set[str] = NIGHTLY, api_url: str = "http://none") -> dict[str, Any]:
    """Return all payloads and logs of the one repository in the store, by kind and key.

    The address of the server, which is another for each, is replaced in payloads.
    """
    (repo,) = store.repos()
    found: dict[str, Any] = {}
    for kind in sorted(set(store.summary()["payloads"]) - besides):
        for key, _, body in store.payloads(repo, kind):
            found[f"{kind} {key}"] = json.loads(json.dumps(body).replace(api_url, "https://api.example"))
    for key, _, _ in list(store.payloads(repo, "run")):
        run_id, attempt = map(int, key.split("/"))
        for job_id, (state, _) in store.log_rows(repo, run_id, attempt).items():
            found[f"log {key}/{job_id}"] = (state, store.log(repo, run_id, attempt, job_id))
    return found
