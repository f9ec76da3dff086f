"""Which step printed a line, where the API tells the steps and the log tells only its own parts.

Both are in order. A part of the log begins a step or goes on in the one before (a composite action prints a part for
each of its own steps), and every step that ran begins a part, but for those of containers, which print none. Times
narrow this down: the API's are whole seconds, cut, so that short steps share one. Of all ways to lay the parts along
the steps what they agree on is told; what they do not agree on, and what fits no way, is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

_CUT = timedelta(seconds=1)
"""The API's times are cut to seconds: a step may have gone on so much longer than it says."""

_WITHOUT_WORD = ("Initialize containers", "Stop containers")
_BUILT_FIRST = ("Initialize containers", "Build ", "Pull ", "Pre ")
"""Steps that the runner puts between `Set up job` and the workflow's own."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a log by its marker (see `kotaci.logs.lines.parse_spans`), and when it began, as far as it tells."""

    name: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Ran:
    """A step that ran; `is_broken_off`: it was cancelled."""

    name: str
    started_at: datetime | None
    ended_at: datetime | None
    is_broken_off: bool = False

    @property
    def may_be_silent(self) -> bool:
        """Tell whether it may have been cancelled before it printed anything."""
        return self.is_broken_off and self.started_at == self.ended_at

    def may_hold(self, at: datetime | None) -> bool:
        """Tell whether something at that moment may be of this step."""
        if at is None:
            return True
        has_begun = self.started_at is None or self.started_at <= at
        return has_begun and (self.ended_at is None or at < self.ended_at + _CUT)


def place_parts(parts: Sequence[Part], steps: Sequence[Ran]) -> list[int | None]:
    """Return for each part the place of its step in `steps`, None where not certain; nothing where no way fits."""
    kinds = [_kind(steps, place) for place in range(len(steps))]
    is_silent = [kind == "silent" or step.may_be_silent for kind, step in zip(kinds, steps, strict=True)]

    def moves(part: Part, place: int) -> list[int]:
        """Return where a part may lie whose predecessor lies at `place`."""
        found = [place] if place >= 0 and _goes_on(part, kinds[place]) and steps[place].may_hold(part.at) else []
        for later in range(place + 1, len(steps)):
            if steps[later].may_hold(part.at) and _begins(part, steps[later].name, kinds[later]):
                found.append(later)
            if not is_silent[later]:
                break
        return found

    ways: list[dict[int, list[int]]] = []
    reached = {-1}
    for part in parts:
        ways.append({place: moves(part, place) for place in reached})
        reached = {later for found in ways[-1].values() for later in found}
    good = {place for place in reached if all(is_silent[place + 1 :])}
    if not good:
        return []
    told: list[int | None] = []
    for way in reversed(ways):
        told.append(next(iter(good)) if len(good) == 1 else None)
        good = {place for place, found in way.items() if not good.isdisjoint(found)}
    return told[::-1]


def step_by_time(at: datetime | None, steps: Sequence[Ran]) -> int | None:
    """Return the place of the one step that may have printed something at that moment; None where two may."""
    found = [place for place, step in enumerate(steps) if at and step.started_at and step.may_hold(at)]
    return found[0] if len(found) == 1 else None


def _kind(steps: Sequence[Ran], place: int) -> str:
    name = steps[place].name
    if name in {"Set up job", "Complete job"}:
        return name
    is_first = all(step.name.startswith(("Set up job", *_BUILT_FIRST)) for step in steps[:place])
    if name in _WITHOUT_WORD or (is_first and name.startswith(_BUILT_FIRST)):
        return "silent"
    is_post = name.startswith("Post ") and any(step.name == name[len("Post ") :] for step in steps[:place])
    return "post" if is_post else "main"


def _begins(part: Part, name: str, kind: str) -> bool:
    """Tell whether the part may be the first of a step; a step without a name of its own has that of its part."""
    if kind in {"Set up job", "Complete job"}:
        return part.name == kind
    if kind == "post":
        return part.name == "Post job cleanup"
    return (
        kind == "main" and part.name.startswith("Run ") and (not name.startswith("Run ") or _is_same(part.name, name))
    )


def _goes_on(part: Part, kind: str) -> bool:
    return part.name.startswith("Run ") if kind == "main" else kind == "post" and part.name == "Post job cleanup"


def _is_same(printed: str, name: str) -> bool:
    """Tell whether they are one name, of which either may have been cut."""
    shown, told = printed.rstrip(".…"), name.rstrip(".…")
    return shown.startswith(told) or told.startswith(shown)
