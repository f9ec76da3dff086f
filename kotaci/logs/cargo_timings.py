"""What `cargo build --timings` measured: seconds of each unit, what waited for it, and the path that decided the build.

The HTML report holds its data as JSON (`const UNIT_DATA = [...]`), read as cargo 1.95 wrote it and, by cargo's source
(`core/compiler/timings`), as earlier ones did: `unlocked_units` for `unblocked_units`, `rmeta_time` for the sections.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kotaci.model import BadInput

_DATA = "UNIT_DATA = "


@dataclass(frozen=True, slots=True)
class TimedUnit:
    """One call of the compiler or of a build script: times in seconds, `start_s` from the start of the build.

    `target` is empty for a library, else such as `build-script` or `kotadb "bin"`. `rmeta_s` is when, from its start,
    its metadata was there, for which `unblocks_early` wait; `unblocks` wait for its end. They hold places in the list.
    """

    unit: str
    version: str
    mode: str
    target: str
    start_s: float
    wall_s: float
    rmeta_s: float | None
    unblocks: tuple[int, ...]
    unblocks_early: tuple[int, ...]

    @property
    def end_s(self) -> float:
        """Return when it was done, from the start of the build."""
        return self.start_s + self.wall_s


@dataclass(frozen=True, slots=True)
class Step:
    """One unit on the critical path: `waited_s` after what it needed was there (for a free processor), then `own_s`
    until the next of the path could start: its metadata, or its end."""

    unit: TimedUnit
    waited_s: float
    own_s: float


def is_cargo_timings(text: str) -> bool:
    """Tell whether the text looks like such a report, whole or not."""
    return text.lstrip()[:1] == "<" and _DATA in text


def parse_cargo_timings(html: str) -> list[TimedUnit]:
    """Return the units in the order in which they began.

    Times include waiting for the processor where several compile at once, so they are no costs of the crates alone;
    what was fresh is not in it. Raises BadInput for what is no such report.
    """
    place = html.find(_DATA)
    if place < 0:
        raise BadInput(
            "a report of cargo's timings", "holds no UNIT_DATA", "give target/cargo-timings/cargo-timing.html"
        )
    try:
        told, _ = json.JSONDecoder().raw_decode(html, place + len(_DATA))
    except (ValueError, RecursionError) as error:
        raise BadInput("a report of cargo's timings", "is not whole", "copy it again") from error
    rows = [row for row in told if isinstance(row, dict)] if isinstance(told, list) else []
    known = [(row, span) for row in rows if (span := _span(row)) is not None]
    ordered = sorted(known, key=lambda pair: pair[1])
    places = {row["i"]: place for place, (row, _) in enumerate(ordered) if isinstance(row.get("i"), int)}
    return [_unit(row, span, places) for row, span in ordered]


def find_critical_path(units: Sequence[TimedUnit]) -> list[Step]:
    """Return the chain of units that ended last, the first one first: each waited for the one before it.

    Making a unit beside it faster gains nothing; one on it gains at most its `own_s`, until another chain is longest.
    """
    needs: dict[int, list[tuple[float, int]]] = {}
    for place, unit in enumerate(units):
        early = unit.end_s if unit.rmeta_s is None else unit.start_s + unit.rmeta_s
        for ready, following in ((unit.end_s, unit.unblocks), (early, unit.unblocks_early)):
            for other in following:
                needs.setdefault(other, []).append((ready, place))
    path: list[Step] = []
    at = max(range(len(units)), key=lambda place: units[place].end_s, default=None)
    until = units[at].end_s if at is not None else 0.0
    met: set[int] = set()
    while at is not None and at not in met:
        met.add(at)
        ready, before = max(needs.get(at, []), default=(0.0, None))
        start = units[at].start_s
        path.append(Step(units[at], max(0.0, start - ready), max(0.0, until - start)))
        at, until = before, ready
    return path[::-1]


def _unit(row: Mapping[str, Any], span: tuple[float, float], places: Mapping[int, int]) -> TimedUnit:
    def following(kind: str) -> tuple[int, ...]:
        told = row.get(f"unblocked_{kind}") or row.get(f"unlocked_{kind}")
        held = told if isinstance(told, list) else []
        return tuple(places[i] for i in held if isinstance(i, int) and i in places)

    name, version, mode, target = (str(row.get(key) or "").strip() for key in ("name", "version", "mode", "target"))
    return TimedUnit(name, version, mode, target, *span, _rmeta(row), following("units"), following("rmeta_units"))


def _span(row: Mapping[str, Any]) -> tuple[float, float] | None:
    start, wall = _seconds(row.get("start")), _seconds(row.get("duration"))
    return None if start is None or wall is None else (start, wall)


def _rmeta(row: Mapping[str, Any]) -> float | None:
    """Return when the metadata was there: told so, or the end of the front end, after which code is generated."""
    told = _seconds(row.get("rmeta_time"))
    if told is not None:
        return told
    sections = row.get("sections")
    for section in sections if isinstance(sections, list) else []:
        match section:
            case ["frontend", {"end": end}]:
                return _seconds(end)
    return None


def _seconds(told: Any) -> float | None:
    if isinstance(told, bool) or not isinstance(told, int | float) or not 0 <= told < 1e8:
        return None
    return float(told) if math.isfinite(told) else None
