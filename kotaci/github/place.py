"""Where the errands of one fetch are done, and facts that they share: what is gone, when an attempt began."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kotaci.github.client import Client, Reply
from kotaci.model import Repo, parse_moment
from kotaci.store import Payload, Want

SOURCE = "api"
"""Under which what GitHub says is stored"""

KEPT_DAYS = timedelta(days=90)
"""How long logs are kept where nobody changed it (GitHub's documentation)."""


@dataclass
class Place:
    """Where errands of one fetch are done: repository, folder for downloads, and what they learn on the way."""

    repo: str
    client: Client
    folder: Path
    commits: Collection[str] = ()
    """Commits that are held already"""
    asked: set[str] = field(default_factory=set)
    """Addresses whose answers are kept for the next fetch"""
    expired_at: datetime | None = None
    """Start of the newest attempt whose logs GitHub said have expired: older ones are not asked for"""

    @property
    def path(self) -> str:
        """The repository's path below the API's address."""
        repo = Repo.parse(self.repo)
        return f"/repos/{repo.owner}/{repo.name}"

    def has_expired(self, at: datetime | None) -> bool:
        """Tell whether logs of that time are gone, as far as GitHub has said."""
        return self.expired_at is not None and at is not None and at < self.expired_at

    def learn_expiry(self, at: datetime | None) -> None:
        """Note that logs of that time have expired; one deleted by hand before its time tells nothing of others."""
        if at is not None and at < self.client.pace.server_now() - KEPT_DAYS:
            self.expired_at = max(at, self.expired_at or at)


def started(run: Mapping[str, Any]) -> datetime | None:
    """Return when an attempt began: a re-run has its own moment."""
    told = run.get("run_started_at") or run.get("created_at")
    return parse_moment(told) if told else None


def gone(want: Want, reply: Reply, asked: str) -> Payload:
    """Return the fact that GitHub has not, or no longer, what was asked of it for that want."""
    body = {"status": reply.status, "message": reply.message, "asked": asked}
    return Payload("gone", f"{want.kind}/{want.key}/{asked}", body, want.at)


def reason_of(reply: Reply) -> str:
    """Return why there is nothing, in GitHub's words."""
    return f"HTTP {reply.status}{f': {reply.message}' if reply.message else ''}"
