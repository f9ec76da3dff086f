"""The client with which a command asks GitHub, or the host that a repository names."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kotaci.model import Repo
from kotaci.places import ENVIRONMENT

if TYPE_CHECKING:  # PyGithub takes half a second to import
    from kotaci.github import Client

POINTS = 900
"""Requests a minute that GitHub allows."""


def open_client(
    repo: Repo,
    *,
    api_url: str | None = None,
    max_requests: int | None = None,
    waits_for_reset: bool = False,
    points_per_minute: int | None = POINTS,
) -> Client:
    """Return the client for a repository's host. Raises BadInput where nobody tells a token for that host.

    A token of github.com goes to another host only where a person names that host's API: one pasted address must not
    give it away.
    """
    from kotaci.github import Clock, find_token, open_github

    is_named = api_url is not None or repo.host == "github.com"
    if api_url is None and repo.host != "github.com":
        api_url = f"https://api.{repo.host}" if repo.host.endswith(".ghe.com") else f"https://{repo.host}/api/v3"
    api_url = api_url or ENVIRONMENT.get("GITHUB_API_URL") or "https://api.github.com"
    host = (urlsplit(api_url).hostname or "").removeprefix("api.")
    token = find_token(ENVIRONMENT, host=host, is_named=is_named)
    stop = threading.Event()
    return open_github(
        token=token,
        clock=Clock(time.monotonic, stop.wait, lambda: datetime.now(UTC), stop),
        api_url=api_url,
        max_requests=max_requests,
        waits_for_reset=waits_for_reset,
        points_per_minute=points_per_minute,
    )
