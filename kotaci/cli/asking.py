"""The client with which a command asks GitHub, or the host that a repository names."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

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
    """Return the client for a repository's host. Raises BadInput where nobody tells a token for that host."""
    from kotaci.github import Clock, open_client_of

    stop = threading.Event()
    return open_client_of(
        repo,
        environment=ENVIRONMENT,
        clock=Clock(time.monotonic, stop.wait, lambda: datetime.now(UTC), stop),
        api_url=api_url,
        max_requests=max_requests,
        waits_for_reset=waits_for_reset,
        points_per_minute=points_per_minute,
    )
