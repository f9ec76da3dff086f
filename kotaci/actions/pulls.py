"""Draft pull requests of the kit's own: one commit on a branch of its own, from the head of the base, opened once.

What was begun goes on: files are put into GitHub's object store, where nobody sees them, until the branch is made with
its one commit; the branch is looked for before it is made, and the pull request before it is opened. An existing
branch is never moved, and what is to be written is none that people work on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from kotaci.actions.held import is_trusted
from kotaci.actions.identity import Marker, find_section, find_sections
from kotaci.actions.model import Change, Plan
from kotaci.actions.place import Place
from kotaci.actions.writer import NOTHING, Applied, Writer, check_body
from kotaci.github import Client, Refused, Unreachable
from kotaci.model import BadInput, Repo

FIRST_BASE = "develop"
"""The branch that work goes to where it is there and the configuration names no other."""

PEOPLES = frozenset({"main", "master", "develop", "trunk"})
"""Branches that are never written to, whatever a plan says; nor are the base and the default branch."""

RIGHTS = (
    "workflow files need a token with the `workflow` scope, or with Contents, Pull requests and Workflows: write; a "
    "workflow's own GITHUB_TOKEN can have neither, and starts no CI on what it opens"
)
"""Which token it takes."""

_ABOUT_RIGHTS = re.compile(r"\b(?:scope|permission)s?\b", re.IGNORECASE)
_NO_DRAFTS = re.compile(r"\bdraft pull requests are not supported\b", re.IGNORECASE)


def blob_id(content: bytes) -> str:
    """Return the id that git gives a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class HeldPull:
    """A pull request with a section of ours."""

    number: int
    marker: Marker
    is_open: bool
    url: str


@dataclass(frozen=True)
class Ground:
    """Where patches would go: the branch `base` with the commit at its head and its date, the ids of the `blobs` that
    it holds by path, and the pull requests of ours."""

    base: str
    sha: str
    as_of: str
    blobs: Mapping[str, str]
    pulls: tuple[HeldPull, ...] = ()


def fetch_ground(
    client: Client, repo: Repo, *, base: str, paths: Collection[str], branches: Sequence[str] = (), max_new: int = 0
) -> Ground:
    """Return where patches of these files would go; `base` is the configuration's, else develop, else the default.

    Of pull requests that are closed only those of these branches are looked for, until `max_new` have none: a
    repository may have many thousands.

    Raises BadInput where there is no such branch, and what `Place.open` raises.
    """
    place = Place.open(client, repo)
    name, head = _base(place, base)
    blobs = {path: sha for path in sorted(paths) if (sha := _blob(place, path, head["sha"]))}
    as_of = re.sub(r"\.\d+", "", str(head["commit"]["committer"]["date"]))
    pulls = [one for told in place.rows("/pulls", state="open") if (one := _held(place, told))]
    owner, n_new = place.home.split("/")[2], 0
    for branch in branches:
        if n_new > max_new:
            break
        rows = place.rows("/pulls", state="closed", head=f"{owner}:{branch}")
        closed = [one for told in rows if (one := _held(place, told))]
        pulls += closed
        n_new += not closed
    return Ground(name, head["sha"], as_of, blobs, tuple(pulls))


def fetch_base(client: Client, repo: Repo, *, base: str) -> str:
    """Return the branch that patches go to, as `fetch_ground` takes it."""
    return _base(Place.open(client, repo), base)[0]


def _base(place: Place, base: str) -> tuple[str, Mapping[str, Any]]:
    for name in [base] if base else [FIRST_BASE, place.default]:
        reply = place.get(f"/branches/{quote(name, safe='')}")
        if reply.status == 200:
            return name, reply.body["commit"]
    raise BadInput(name, f"is no branch of {place.repo} ({reply.status})", "check base_branch in the configuration")


def _held(place: Place, told: Mapping[str, Any]) -> HeldPull | None:
    sections = find_sections(told.get("body") or "") if is_trusted(told, me=place.me) else []
    if not sections:
        return None
    return HeldPull(told["number"], sections[0].marker, told.get("state") == "open", str(told.get("html_url") or ""))


def _blob(place: Place, path: str, ref: str) -> str:
    """Return the id of a file at a commit or branch; empty where there is none."""
    reply = place.get(f"/contents/{quote(path)}?ref={quote(ref, safe='')}")
    return str(reply.body["sha"]) if reply.status == 200 and isinstance(reply.body, dict) else ""


def needs(plan: Plan) -> str:
    """Return which token it takes to apply a plan that writes workflow files; empty for any other."""
    return RIGHTS if any(action.change is not None for action in plan.actions) else ""


@dataclass
class PullWriter(Writer):
    """A branch with one commit, and the draft pull request about it."""

    change: Change
    _parent: Mapping[str, Any] = field(default_factory=dict)
    """the commit at the head of the base, as it was looked at"""

    def check(self) -> None:
        check_body(self.action.body)
        self._check_branch()
        if self._found() is not None:
            return
        reply = self.place.get(f"/branches/{quote(self.change.base, safe='')}")
        if reply.status != 200:
            raise BadInput(self.change.base, f"is no branch of {self.place.repo} ({reply.status})", _AGAIN)
        self._parent = reply.body["commit"]
        for file in self.change.files:
            if _blob(self.place, file.path, self._parent["sha"]) != file.blob_sha:
                raise BadInput(f"{self.change.base}:{file.path}", "was changed since the plan was made", _AGAIN)
        self._is_made()

    def _check_branch(self) -> None:
        branch = self.change.branch
        if branch in {*PEOPLES, self.change.base, self.place.default} or not branch.startswith("fix/ci-"):
            raise BadInput(branch, "is a branch that nothing is written to", "write to one of its own: fix/ci-…")

    def _is_made(self) -> bool:
        """Return whether the branch is there with these files. Raises BadInput where it holds others."""
        reply = self.place.get(f"/git/ref/heads/{quote(self.change.branch)}")
        if reply.status != 200:
            return False
        sha = reply.body["object"]["sha"]
        if any(_blob(self.place, file.path, sha) != blob_id(file.text.encode()) for file in self.change.files):
            told = "is a branch already, and holds something else"
            raise BadInput(self.change.branch, told, "delete it, or open a pull request of it by hand")
        return True

    def _found(self) -> Mapping[str, Any] | None:
        """Return the pull request of this branch with our marker, open or closed."""
        owner = self.place.home.split("/")[2]
        rows = self.place.rows("/pulls", state="all", head=f"{owner}:{self.change.branch}")
        ours = [
            told
            for told in rows
            if is_trusted(told, me=self.place.me) and find_section(told.get("body") or "", self.marker)
        ]
        return min(ours, key=lambda told: told["number"], default=None)

    def expected(self) -> str:
        return "would be opened" if self._found() is None else NOTHING

    def url(self) -> str:
        told = self._found()
        return "" if told is None else str(told.get("html_url") or "")

    def write(self) -> Applied:
        told = self._found()
        if told is not None:
            closed = "" if told.get("state") == "open" else "was closed, and stays so"
            return Applied(self.action, NOTHING, str(told.get("html_url") or ""), closed)
        if not self._is_made():
            self._make()
        told, besides = self._open()
        return Applied(self.action, "opened", str(told.get("html_url") or ""), besides)

    def _make(self) -> None:
        """Make the branch with its one commit; where another did in the same moment, theirs is taken."""
        entries = [
            {"path": file.path, "mode": "100644", "type": "blob", "content": file.text} for file in self.change.files
        ]
        tree = self._parent["commit"]["tree"]["sha"]
        root = self._send("/git/trees", {"base_tree": tree, "tree": entries})["sha"]
        message = {"message": self.change.message, "tree": root, "parents": [self._parent["sha"]]}
        sha = self._send("/git/commits", message)["sha"]
        try:
            self._send("/git/refs", {"ref": f"refs/heads/{self.change.branch}", "sha": sha})
        except BadInput:
            if not self._is_made():
                raise

    def _open(self) -> tuple[Mapping[str, Any], str]:
        """Open the pull request and return it; where another did in the same moment, theirs. What else is to say goes
        with it."""
        body = {
            "title": self.action.title,
            "head": self.change.branch,
            "base": self.change.base,
            "body": self.action.body,
        }
        besides = ""
        try:
            self._send("/pulls", {**body, "draft": True})
        except BadInput as refusal:
            if _NO_DRAFTS.search(refusal.problem):
                self._send("/pulls", body)
                besides = "no draft: this repository has none"
            elif self._found() is None:
                raise
        told = self._found()
        if told is None:
            raise Unreachable(self.action.title, "was opened and is not listed yet", "run it again: it looks first")
        return told, besides

    def _send(self, path: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        """Write, and tell of a refusal which token it takes.

        What is put into the object store cannot be looked up, and is sent again: the same has the same id there.
        """
        found = {"/git/refs": self._ref, "/pulls": self._found}.get(path, lambda: None)
        try:
            return self.place.send("POST", path, body, found=found)
        except (Refused, BadInput) as refusal:
            if "may not write" not in refusal.problem and not _ABOUT_RIGHTS.search(refusal.problem):
                raise
            raise Refused(refusal.value, refusal.problem, f"{RIGHTS}; or apply the patch by hand") from refusal

    def _ref(self) -> Mapping[str, Any] | None:
        return {} if self._is_made() else None


_AGAIN = "make the plan again"
