"""What GitHub holds, as records: issues with their state and body, comments, the repository's labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kotaci.actions.identity import Marker, find_section

_TRUSTED = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})


def is_trusted(told: Mapping[str, Any], *, me: str = "") -> bool:
    """Tell whether a marker in it counts: written by who belongs to the repository, by an app, or by ourselves.

    Anybody may open an issue with our marker in it; such a one is a stranger's and stays untouched.
    """
    who = told.get("user") or {}
    return (
        told.get("author_association") in _TRUSTED or who.get("type") == "Bot" or (me != "" and who.get("login") == me)
    )


@dataclass(frozen=True)
class HeldIssue:
    """An issue, open or closed. `state_reason` is GitHub's: completed, not_planned, duplicate, reopened or empty."""

    number: int
    title: str
    body: str
    is_open: bool
    state_reason: str = ""
    is_locked: bool = False
    labels: Sequence[str] = ()

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> HeldIssue:
        """Return the issue of a payload."""
        return cls(
            number=told["number"],
            title=told.get("title") or "",
            body=told.get("body") or "",
            is_open=told.get("state") == "open",
            state_reason=told.get("state_reason") or "",
            is_locked=bool(told.get("locked")),
            labels=tuple(label["name"] for label in told.get("labels") or () if isinstance(label, dict)),
        )


@dataclass(frozen=True)
class Held:
    """What was found: all issues with a section of ours, by number, and the labels that the repository has."""

    issues: Sequence[HeldIssue] = ()
    labels: Sequence[str] = ()

    def find(self, marker: Marker, *, besides: Collection[int] = ()) -> HeldIssue | None:
        """Return the oldest issue with the marker's section, open or closed; one with its very id goes before."""
        found = [
            (section.marker.id != marker.id, one.number, one)
            for one in self.issues
            if one.number not in besides and (section := find_section(one.body, marker))
        ]
        return min(found, default=(False, 0, None))[2]
