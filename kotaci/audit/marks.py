"""What a rule found, and where: the record of the audit before it becomes a Finding."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kotaci.model import Certainty, Severity
from kotaci.workflows import WorkflowFile, WorkflowJob


@dataclass(frozen=True)
class Edit:
    """Lines `first` to `last` (from 1) of a file replaced by `lines`, without line ends; an insertion before `first`
    where `last` is one less."""

    first: int
    last: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Patch:
    """A remedy by machine: edits of one file, and in words what they do; `besides` are those of other files without
    which it would not work. A file that is not there yet has no lines."""

    path: str
    edits: tuple[Edit, ...]
    said: str
    besides: tuple[Patch, ...] = ()


@dataclass(frozen=True)
class Mark:
    """One place where a rule fires.

    `subject` names the place in words that stay when lines move, so that the identity does too; `claim` is one
    sentence with what was read; `certainty`, `severity` are those of the card where None; `job` is the key of the job
    it is about, for the price; `also` are further places (path, line) that belong to it.
    """

    path: str
    line: int
    subject: str
    claim: str
    end_line: int = 0
    """the last line; 0 for the same one"""
    job: str = ""
    certainty: Certainty | None = None
    severity: Severity | None = None
    patch: Patch | None = None
    also: Sequence[tuple[str, int]] = ()
    rule: str = ""
    """filled in by the audit"""
    instead_of: Sequence[tuple[str, str]] = ()
    """of a linter's mark: rule and identity of those of ours that say the same, and are not shown besides"""

    @property
    def identity(self) -> str:
        """Return what stays the same when lines move or numbers change: rule, file, subject and claim."""
        said = re.sub(r"\d+", "#", self.claim)
        return hashlib.blake2b(
            "\0".join((self.rule, self.path, self.subject, said)).encode(), digest_size=8
        ).hexdigest()

    @property
    def place(self) -> str:
        """Return path and line; the path alone where there is no line, as of a file that is missing."""
        return f"{self.path}:{self.line}" if self.line else self.path

    def of(self, rule: str) -> Mark:
        """Return the mark as that rule's."""
        return replace(self, rule=rule)


def mark_job(file: WorkflowFile, job: WorkflowJob, claim: str, *, key: str = "", patch: Patch | None = None) -> Mark:
    """Return a mark on a job, at the line of one of its keys, or at its own."""
    line = job.lines.get(key, job.line)
    return Mark(file.path, line, f"job {job.key}", claim, job=job.key, patch=patch)
