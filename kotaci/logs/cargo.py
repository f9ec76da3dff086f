"""Which crates a job downloaded, compiled and checked, from cargo's status words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kotaci.logs.lines import MAX_LINE_CHARS, STAMP, seconds_between, without_colours

_WORD = re.compile(r"\b(?:Compiling|Checking|Fresh|Downloaded|Finished|Running|Doc-tests|Documenting)\b")
_UNIT = re.compile(
    r"\s{0,12}(?P<action>Compiling|Checking|Fresh|Downloaded) (?P<unit>[\w.-]{1,100}) v(?P<version>[0-9]\S{0,80})"
    r"(?: \((?P<place>[^()]{1,500})\))?(?: \(registry .{1,300}\))?"
)
_OTHER = re.compile(r"\s{0,12}(?:Finished|Running|Doc-tests|Documenting) \S.*")
_FOLDER = re.compile(r"/|[A-Za-z]:[\\/]")


@dataclass(frozen=True, slots=True)
class Unit:
    """One word of cargo on one crate.

    `is_local` tells a crate of the workspace, of which cargo shows the folder. `wall_s` runs until cargo's next word:
    with several crates at a time it is no crate's own time, and only the sum of a stretch means anything. `at` is the
    time stamp, empty where the line has none; `line` its number.
    """

    action: str
    unit: str
    version: str
    is_local: bool
    at: str
    wall_s: float | None
    line: int


def parse_units(text: str) -> list[Unit]:
    """Return cargo's words on crates, in the order of the log; the same crate once for each build that named it."""
    said = list(_status_lines(text))
    units = []
    for place, (number, at, found) in enumerate(said):
        if found is None:
            continue
        following = said[place + 1][1] if place + 1 < len(said) else ""
        units.append(
            Unit(
                found["action"],
                found["unit"],
                found["version"],
                bool(found["place"] and _FOLDER.match(found["place"])),
                at,
                seconds_between(at, following),
                number,
            )
        )
    return units


def _status_lines(text: str) -> Iterator[tuple[int, str, re.Match[str] | None]]:
    """Yield number, time stamp and match of each status line; None for words that only end the one before."""
    number, counted, stop = 1, 0, -1
    for word in _WORD.finditer(text):
        if word.start() < stop:
            continue
        begin = text.rfind("\n", 0, word.start()) + 1
        end = text.find("\n", word.end())
        stop = len(text) if end < 0 else end
        if word.start() - begin > MAX_LINE_CHARS:
            continue
        raw = text[begin : min(stop, begin + MAX_LINE_CHARS)].removesuffix("\r")
        stamp = STAMP.match(raw)
        shown = without_colours(raw[stamp.end() :] if stamp else raw)
        found = _UNIT.fullmatch(shown)
        if found or _OTHER.fullmatch(shown):
            number, counted = number + text.count("\n", counted, begin), begin
            yield number, stamp[1] if stamp else "", found
