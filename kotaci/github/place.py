"""Where the errands of one fetch are done, and facts that they share: what is gone, when an attempt began."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kotaci.github.client import Client, Refused, Reply
from kotaci.model import parse_moment
from kotaci.store import Answer, Payload, Want

SOURCE = "api"
"""Under which what GitHub says is stored"""

KEPT_DAYS = timedelta(days=90)
"""How long logs are kept where nobody changed it (GitHub's documentation)."""

N_EXPIRED = 5
"""Attempts in a row whose logs have expired before older ones are taken to have expired as well."""


@dataclass
class Place:
    """Where errands of one fetch are done: repository, folder for downloads, and what they learn on the way."""

    repo: str
    client: Client
    folder: Path
    github_id: int
    commits: Collection[str] = ()
    """Commits that are held already"""
    asked: set[str] = field(default_factory=set)
    """Addresses whose answers are kept for the next fetch"""
    n_barren: Counter[str] = field(default_factory=Counter)
    """How often an artifact of that name was looked into and held no report"""
    expired: list[datetime] = field(default_factory=list)
    """Starts of attempts whose logs GitHub said have expired, without one in between that was still there"""
    _itself: Answer | None = None

    @property
    def path(self) -> str:
        """The repository's path below the API's address: by its id, which no rename touches.

        PyGithub drops the query where it follows a rename.
        """
        return f"/repositories/{self.github_id}"

    def check_visible(self) -> None:
        """Make sure that a 404 was about one thing. Raises Refused where the whole repository is hidden by now.

        Asked on condition, so that it counts once only.
        """
        reply = self.client.get(self.path, known=self._itself)
        if reply.status != 200:
            problem = f"is no longer seen by this token ({reply.status})"
            raise Refused(self.repo, problem, "check the token's rights; what was fetched is kept")
        self._itself = reply.answer()

    def has_expired(self, at: datetime | None) -> bool:
        """Tell whether logs of that time are gone, as far as GitHub has said of N_EXPIRED newer ones in a row."""
        return len(self.expired) >= N_EXPIRED and at is not None and at < min(self.expired)

    def is_recent(self, at: datetime | None) -> bool:
        """Tell whether logs of that time are usually still kept: one that is gone was deleted, alone perhaps."""
        return at is not None and at >= self.client.pace.server_now() - KEPT_DAYS

    def learn_expiry(self, at: datetime | None, *, is_expired: bool) -> None:
        """Note whether logs of that time have expired; one of before its time was deleted and tells nothing."""
        if at is not None and not self.is_recent(at):
            self.expired = [*self.expired, at] if is_expired else []


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
