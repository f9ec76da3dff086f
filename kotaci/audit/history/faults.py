"""Each fault as the spans of versions in which it stood: when it came, when it went, how often it came back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kotaci.archives.git import PastCommit
from kotaci.audit.marks import Mark


@dataclass(frozen=True)
class Span:
    """From the version that brought a fault to the one that took it away; `went` is None while it is there.

    `is_open` where it stood in the first version that was read: it may be older.
    """

    came: PastCommit
    went: PastCommit | None = None
    is_open: bool = False


@dataclass(frozen=True)
class Fault:
    """One fault through the versions, by the identity of its mark; `mark` is how it was seen last.

    A renamed file, job or step makes another fault of it, so a rename looks like one that went and one that came.
    """

    mark: Mark
    spans: tuple[Span, ...]
    as_of: datetime

    @property
    def is_standing(self) -> bool:
        """Return whether the newest version has it."""
        return self.spans[-1].went is None

    @property
    def n_returns(self) -> int:
        """Return how often it came back after it had gone."""
        return len(self.spans) - 1

    @property
    def lasted(self) -> timedelta:
        """Return how long it stood, all spans together, up to the newest version."""
        ends = [span.went.at if span.went else self.as_of for span in self.spans]
        return sum((end - span.came.at for span, end in zip(self.spans, ends, strict=True)), timedelta())


def follow_faults(versions: Sequence[tuple[PastCommit, Sequence[Mark]]]) -> tuple[Fault, ...]:
    """Return the faults of versions in their order: those that stand first, of these those that lasted longest."""
    if not versions:
        return ()
    spans: dict[str, list[Span]] = {}
    last: dict[str, Mark] = {}
    standing: set[str] = set()
    for place, (commit, marks) in enumerate(versions):
        here = {mark.identity: mark for mark in marks}
        for identity in here.keys() - standing:
            spans.setdefault(identity, []).append(Span(commit, is_open=place == 0))
        for identity in standing - here.keys():
            begun = spans[identity][-1]
            spans[identity][-1] = Span(begun.came, commit, begun.is_open)
        last.update(here)
        standing = set(here)
    as_of = versions[-1][0].at
    faults = [Fault(last[identity], tuple(found), as_of) for identity, found in spans.items()]
    return tuple(sorted(faults, key=lambda one: (not one.is_standing, -one.lasted, one.mark.path, one.mark.identity)))
