"""A repository as the writers see it: what was looked at, and the one way in which something is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kotaci.actions.held import Held, HeldIssue, is_trusted
from kotaci.actions.identity import find_sections
from kotaci.github import Client, Refused, Reply, Unanswered, Unreachable
from kotaci.model import BadInput, Repo

MAX_SENDS = 4
"""A write without an answer, of which nothing is found, is sent again after 1, 2 and 4 s."""


@dataclass
class Place:
    """A repository by its name of today, what of it was looked at, and how something is written there."""

    client: Client
    repo: Repo
    home: str
    me: str = ""
    issues: dict[int, HeldIssue] = field(default_factory=dict)
    newest: int = 0
    is_listed: bool = False
    default: str = ""
    """the default branch"""
    _labels: tuple[str, ...] | None = None

    @classmethod
    def open(cls, client: Client, repo: Repo) -> Place:
        """Look at the repository. Raises Refused where the token does not see it, BadInput where it is archived."""
        reply = client.get(f"/repos/{repo.owner}/{repo.name}")
        if reply.status != 200:
            raise Refused(repo, f"cannot be seen with this token ({reply.status})", "check the name and the token")
        if reply.body.get("archived"):
            raise BadInput(repo, "is archived: nothing can be written there", "apply to another repository")
        # A write is not sent after a rename, as a read is.
        home, default = f"/repos/{reply.body['full_name']}", str(reply.body.get("default_branch") or "")
        return cls(client, repo, home, _me(client), default=default)

    def get(self, path: str) -> Reply:
        """Return what lies below the repository."""
        return self.client.get(f"{self.home}{path}")

    def rows(self, path: str, **parameters: object) -> Iterator[Mapping[str, Any]]:
        """Yield the entries of a list below the repository; none where there is no such list."""
        for page in self.client.pages(f"{self.home}{path}", parameters=parameters):
            yield from page.body or ()

    def labels(self) -> tuple[str, ...]:
        """Return the names of the repository's labels."""
        if self._labels is None:
            self._labels = tuple(label["name"] for label in self.rows("/labels"))
        return self._labels

    def held(self) -> Held:
        """Return the issues with a section of ours, as they are now, and the labels.

        The first time all issues are listed, afterwards those that came since: each write of this process is noted.
        """
        newest = self.newest
        for told in self.rows("/issues", state="all", sort="created", direction="desc"):
            if self.is_listed and told["number"] <= newest:
                break
            self.newest = max(self.newest, told["number"])
            self.note(told)
        self.is_listed = True
        return Held(tuple(self.issues.values()), self.labels())

    def note(self, told: Mapping[str, Any]) -> None:
        """Take over an issue as GitHub tells it; a stranger's marker counts for nothing."""
        if "pull_request" not in told and is_trusted(told, me=self.me) and find_sections(told.get("body") or ""):
            self.issues[told["number"]] = HeldIssue.of(told)
        else:
            self.issues.pop(told["number"], None)

    def issue(self, number: int) -> Mapping[str, Any]:
        """Return an issue or pull request. Raises BadInput where it is not one of this repository."""
        reply = self.get(f"/issues/{number}")
        if reply.status != 200:
            raise BadInput(f"{self.repo}#{number}", f"is not there ({reply.status})", "check the number")
        told: Mapping[str, Any] = reply.body
        if not str(told.get("repository_url", "")).lower().endswith(self.home.lower()):
            raise BadInput(
                f"{self.repo}#{number}", "was moved to another repository", "name it by its new number there"
            )
        if told.get("locked"):
            raise BadInput(f"{self.repo}#{number}", "is locked", "unlock it, or write to another")
        return told

    def send(
        self,
        verb: str,
        path: str,
        body: Mapping[str, object] | None,
        *,
        found: Callable[[], Mapping[str, Any] | None],
    ) -> Mapping[str, Any]:
        """Write once and return what is there now; without an answer `found` tells whether the write took effect."""
        for n_try in range(MAX_SENDS):
            if n_try:
                self.client.clock.wait(2.0 ** (n_try - 1))
            try:
                reply = self.client.change(verb, f"{self.home}{path}", body)
            except Unanswered:
                there = found()
                if there is not None:
                    return there
                continue
            if reply.status in {200, 201, 204} or (verb == "DELETE" and reply.status in {404, 410}):
                return reply.body or {}
            if reply.status in {404, 410}:
                hint = "give it issues: write, contents: write for commits, actions: write for re-runs"
                raise Refused(f"{self.repo} {path}", f"this token may not write there ({reply.status})", hint)
            raise BadInput(
                f"{self.repo} {path}", f"was not taken ({reply.status}, {reply.message})", "make the plan again"
            )
        raise Unreachable(f"{self.repo} {path}", "could not be written", "run it again later: it goes on")


def _me(client: Client) -> str:
    """Return the login of the token's owner; empty for a workflow's token, whose owner is an app."""
    try:
        reply = client.get("/user")
    except Refused:
        return ""
    return str(reply.body.get("login", "")) if reply.body else ""
