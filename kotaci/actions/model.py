"""The words of what is written to GitHub: an action, and a plan of them that a person can read first."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from kotaci.model import Link

PLAN_VERSION = 2


class Kind(StrEnum):
    """What an action does."""

    CREATE_ISSUE = "create-issue"
    UPDATE_ISSUE = "update-issue"
    REOPEN_ISSUE = "reopen-issue"
    CLOSE_ISSUE = "close-issue"
    COMMENT_ISSUE = "comment-issue"
    COMMENT_PULL = "comment-pull"
    COMMENT_COMMIT = "comment-commit"
    RERUN_FAILED = "rerun-failed"
    OPEN_PULL = "open-pull"
    HAND_OFF = "hand-off"


ISSUE_KINDS = frozenset({Kind.CREATE_ISSUE, Kind.UPDATE_ISSUE, Kind.REOPEN_ISSUE, Kind.CLOSE_ISSUE})
"""Kinds that write an issue that the kit opened."""

COMMENT_KINDS = frozenset({Kind.COMMENT_ISSUE, Kind.COMMENT_PULL, Kind.COMMENT_COMMIT, Kind.HAND_OFF})


@dataclass(frozen=True)
class PlannedFile:
    """A file as it is to be: `text` is the whole of it, `blob_sha` git's id of what it was made from, empty where there
    was none. Where the base holds another by then, the change is not made."""

    path: str
    text: str
    blob_sha: str = ""


@dataclass(frozen=True)
class Change:
    """One commit on a branch of its own, `branch`, from the head of `base`; `diff` is the same for `git apply`."""

    branch: str
    base: str
    message: str
    files: Sequence[PlannedFile]
    diff: str


@dataclass(frozen=True)
class Action:
    """One write. `body` is the whole marked section with `marker` as its first line; both are empty for a re-run.

    `number` is of the issue or pull request, 0 where there is none (yet); `sha` of the commit; `run_id` and `attempt`
    of the run as it was when this was planned: a later attempt means that it was run again already. `change` is what a
    new pull request holds.
    """

    id: str
    kind: Kind
    repo: str
    number: int = 0
    sha: str = ""
    run_id: int = 0
    attempt: int = 0
    title: str = ""
    labels: Sequence[str] = ()
    body: str = ""
    marker: str = ""
    reason: str = ""
    evidence: Sequence[Link] = ()
    change: Change | None = None

    @property
    def target(self) -> str:
        """Return what it writes to, in words."""
        if self.kind == Kind.RERUN_FAILED:
            return f"run {self.run_id}"
        if self.kind == Kind.COMMENT_COMMIT:
            return f"commit {self.sha[:12]}"
        if self.kind == Kind.CREATE_ISSUE:
            return "a new issue"
        if self.change is not None:
            return f"a new pull request of {self.change.branch} to {self.change.base}"
        return f"pull request #{self.number}" if self.kind == Kind.COMMENT_PULL else f"issue #{self.number}"

    def gh(self, *, plan: str = "plan.json", place: int = 0) -> str:
        """Return the command of GitHub's own tool that does the same, once: its body comes out of the plan's file.

        Unlike `kotaci apply` it looks for nothing first, and replaces a whole body, also what people wrote in it.
        """
        repo = f"--repo {shlex.quote(self.repo)}"
        body = f"jq -r '.actions[{place}].body' {shlex.quote(plan)} | "
        if self.kind == Kind.RERUN_FAILED:
            return f"gh run rerun {self.run_id} --failed {repo}"
        if self.kind == Kind.COMMENT_COMMIT:
            host, _, name = self.repo.rpartition("/")[0].rpartition("/")[0], "", "/".join(self.repo.split("/")[-2:])
            at = f"--hostname {host} " if host else ""
            return f"{body}gh api {at}repos/{name}/commits/{self.sha}/comments -F body=@-"
        if self.kind == Kind.COMMENT_PULL:
            return f"{body}gh pr comment {self.number} {repo} --body-file -"
        if self.kind in {Kind.COMMENT_ISSUE, Kind.HAND_OFF}:
            return f"{body}gh issue comment {self.number} {repo} --body-file -"
        if self.change is not None:
            return self._git(self.change, body, f"jq -j '.actions[{place}].change.", shlex.quote(plan))
        if self.kind == Kind.CREATE_ISSUE:
            labels = "".join(f" --label {shlex.quote(label)}" for label in self.labels)
            return f"{body}gh issue create {repo} --title {shlex.quote(self.title)} --body-file -{labels}"
        edit = f"{body}gh issue edit {self.number} {repo} --body-file -"
        after = {Kind.REOPEN_ISSUE: "reopen", Kind.CLOSE_ISSUE: "close"}.get(self.kind)
        return f"{edit} && gh issue {after} {self.number} {repo}" if after else edit

    def _git(self, change: Change, body: str, told: str, plan: str) -> str:
        base, branch = shlex.quote(change.base), shlex.quote(change.branch)
        pull = f"gh pr create --repo {shlex.quote(self.repo)} --draft --base {base} --head {branch}"
        steps = (
            f"git fetch origin {base}",
            f"git switch --no-track -c {branch} FETCH_HEAD",
            f"{told}diff' {plan} | git apply --index",
            f"{told}message' {plan} | git commit -F -",
            f"git push origin {branch}",
            f"{body}{pull} --title {shlex.quote(self.title)} --body-file -",
        )
        return " && ".join(steps)


@dataclass(frozen=True)
class Plan:
    """What would be written, and what was left out and why; nothing is until it is applied.

    `report` is the folder it was made from, `digest` that of its findings: where they differ by now, it is too old.
    """

    repo: str
    as_of: str
    digest: str
    report: str
    actions: Sequence[Action] = ()
    left_out: Sequence[str] = ()
    version: int = PLAN_VERSION
