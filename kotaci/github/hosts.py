"""Where a repository's API is, and with which token it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from kotaci.github.client import API_URL, Client, open_github
from kotaci.github.pace import POINTS_PER_MINUTE, Clock
from kotaci.github.token import find_token
from kotaci.model import Repo


def open_client_of(
    repo: Repo,
    *,
    environment: Mapping[str, str],
    clock: Clock,
    api_url: str | None = None,
    max_requests: int | None = None,
    waits_for_reset: bool = False,
    points_per_minute: float | None = POINTS_PER_MINUTE,
) -> Client:
    """Return the client for a repository's host. Raises BadInput where nobody tells a token for that host.

    A token of github.com goes to another host only where a person names that host's API: one pasted address must not
    give it away.
    """
    is_named = api_url is not None or repo.host == "github.com"
    if api_url is None and repo.host != "github.com":
        api_url = f"https://api.{repo.host}" if repo.host.endswith(".ghe.com") else f"https://{repo.host}/api/v3"
    api_url = api_url or environment.get("GITHUB_API_URL") or API_URL
    host = (urlsplit(api_url).hostname or "").removeprefix("api.")
    return open_github(
        token=find_token(environment, host=host, is_named=is_named),
        clock=clock,
        api_url=api_url,
        max_requests=max_requests,
        waits_for_reset=waits_for_reset,
        points_per_minute=points_per_minute,
    )
