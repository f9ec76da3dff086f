"""What cargo's words in a log tell: crates downloaded, compiled and checked, and the phases that a build went through.

Cargo tells when it begins with a crate and never when it ends, so no crate's own time can be told; and linking is
told by no word at all: it is part of what lies between `Compiling` and `Finished`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kotaci.logs.lines import MAX_LINE_CHARS, STAMP, last_stamp, seconds_between, without_colours

_WORD = re.compile(r"\b(?:Compiling|Checking|Fresh|Downloaded|Finished|Running|Doc-tests|Documenting)\b")
_UNIT = re.compile(
    r"\s{0,12}(?P<action>Compiling|Checking|Fresh|Downloaded) (?P<unit>[\w.-]{1,100}) v(?P<version>[0-9]\S{0,80})"
    r"(?: \((?P<place>[^()]{1,500})\))?(?: \(registry .{1,300}\))?"
)
_OTHER = re.compile(r"\s{0,12}(?:Finished|Running|Doc-tests|Documenting) \S.*")
_FOLDER = re.compile(r"/|[A-Za-z]:[\\/]")

_DOWNLOAD, _COMPILE, _CHECK, _DOCUMENT = "download", "compile", "check", "documentation"
_TESTS, _DOC_TESTS, _BENCHMARKS, _INSTALL = "tests", "doc-tests", "benchmarks", "tool-install"
PHASES = (_DOWNLOAD, _COMPILE, _CHECK, _DOCUMENT, _TESTS, _DOC_TESTS, _BENCHMARKS, _INSTALL)
"""The phases that cargo's words tell apart."""

_BUILDS = (_COMPILE, _CHECK, _DOCUMENT)
"""One build goes by the last of these that it did: what is to be checked or documented is compiled in part."""

_TURNS = (
    "Updating", "Downloading", "Downloaded", "Compiling", "Checking", "Documenting", "Finished", "Running", "Doc-tests",
    "Starting", "Installing", "Installed", "Replaced", "test result: ", "Summary", "##[group]Run ", "##[error]",
    "Post job cleanup.", "Cleaning up orphan processes",
)  # fmt: skip
"""One of these is in every line at which a phase may begin or end."""
_CRATE = r"[\w.-]{1,100} v[0-9]\S{0,80}(?: \([^()]{1,500}\)){0,2}"
_BINARY = r".{1,1000}-[0-9a-f]{16}(?:\.exe)?\)?"
_BEGINS = {
    _INSTALL: re.compile(
        r"\s{0,12}Installing (?P<tool>[\w.-]{1,100}) v(?P<version>[0-9]\S{0,80})(?: \([^()]{1,500}\))?"
    ),
    _DOWNLOAD: re.compile(
        r"\s{0,12}(?:Updating (?:\S{1,200} index|git \w{1,20} .{1,300})|Downloading crates \.\.\.|"
        rf"Downloaded {_CRATE})"
    ),
    _COMPILE: re.compile(rf"\s{{0,12}}Compiling {_CRATE}"),
    _CHECK: re.compile(rf"\s{{0,12}}Checking {_CRATE}"),
    _DOCUMENT: re.compile(rf"\s{{0,12}}Documenting {_CRATE}"),
    _BENCHMARKS: re.compile(rf"\s{{0,12}}Running benches[\\/]{_BINARY}"),
    _TESTS: re.compile(rf"\s{{0,12}}(?:Running [^`\s]{_BINARY}|Starting [0-9]{{1,9}} tests? across .{{1,100}})"),
    _DOC_TESTS: re.compile(r"\s{0,12}Doc-tests \S{1,200}"),
}
_FINISHED = re.compile(r"\s{0,12}Finished \S.*")
_RESULT = re.compile(r"\s{0,12}test result: .*")
_SUMMARY = re.compile(r"\s{0,12}Summary \[.*")
_INSTALLED = re.compile(r"\s{0,12}(?:Installed|Replaced) package .*")
_STEP = re.compile(r"##\[(?:group\]Run |error\]).*|Post job cleanup\.|Cleaning up orphan processes")


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
    for number, at, shown in _lines_at((word.start() for word in _WORD.finditer(text)), text):
        found = _UNIT.fullmatch(shown)
        if found or _OTHER.fullmatch(shown):
            yield number, at, found


def _places(text: str) -> list[int]:
    """Return where one of _TURNS stands, in order; searching word by word is much faster than one pattern."""
    places = []
    for word in _TURNS:
        place = text.find(word)
        while place >= 0:
            places.append(place)
            place = text.find(word, place + len(word))
    return sorted(places)


def _lines_at(places: Iterable[int], text: str) -> Iterator[tuple[int, str, str]]:
    """Yield number, time stamp and text without colours of each line that holds one of the places."""
    number, counted, stop = 1, 0, -1
    for place in places:
        if place < stop:
            continue
        begin = text.rfind("\n", 0, place) + 1
        end = text.find("\n", place)
        stop = len(text) if end < 0 else end
        if place - begin > MAX_LINE_CHARS:
            continue
        raw = text[begin : min(stop, begin + MAX_LINE_CHARS)].removesuffix("\r")
        stamp = STAMP.match(raw)
        number, counted = number + text.count("\n", counted, begin), begin
        yield number, stamp[1] if stamp else "", without_colours(raw[stamp.end() :] if stamp else raw)


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of one step's log in which cargo did one thing: `phase` is a word of PHASES.

    `tool` and `version` name what `cargo install` builds, downloads and compilation included; empty else. `at` is the
    time stamp of its first line and `wall_s` its length, None where a stamp is missing. Compiling holds linking and
    build scripts; tests hold the start of every binary; doc-tests are compiled and run in one. Misleads where a test
    under libtest runs cargo itself and lets it print, and where what runs cargo hands its words on all at once (pip
    does): then a phase takes next to no time. `step_at` is the time stamp of the runner's line that opened the step
    (or a part of one) in which the phase stands; empty where there is none.
    """

    phase: str
    tool: str
    version: str
    at: str
    wall_s: float | None
    first_line: int
    last_line: int
    step_at: str = ""


@dataclass(slots=True)
class _Open:
    """A phase while it goes on; `end` is the time stamp and line of the last word that may be its last.

    Before the word `until` nothing but the runner ends it: what cargo says meanwhile is part of it.
    """

    phase: str
    at: str
    line: int
    tool: str = ""
    version: str = ""
    step_at: str = ""
    until: re.Pattern[str] | None = None
    end: tuple[str, int] | None = None

    def may_end(self, shown: str, begins: str) -> bool:
        return (
            begins == self.phase == _INSTALL
            or _STEP.fullmatch(shown) is not None
            or (self.until is not None and self.until.fullmatch(shown) is not None)
        )

    def ended(self, at: str, line: int) -> Phase:
        until, last = self.end or (at, line)
        took = seconds_between(self.at, until)
        wall_s = None if took is None else max(0.0, took)
        return Phase(
            self.phase, self.tool, self.version, self.at, wall_s, self.line, max(self.line, last), self.step_at
        )


def parse_phases(text: str) -> list[Phase]:
    """Return what cargo did, in the order of the log; time between phases is in none.

    A build that broke off, and tests without a result, last until the runner's error or the next step.
    """
    phases: list[Phase] = []
    here: _Open | None = None
    step_at = ""
    for number, at, shown in _lines_at(_places(text), text):
        begins, found = _begun(shown)
        if here and here.until and not here.may_end(shown, begins):
            continue
        if found is not None:
            if here and _goes_on(here, begins):
                here.end = None
                continue
            if here:
                phases.append(here.ended(at, number - 1))
            told = found.groupdict()
            here = _Open(
                begins, at, number, told.get("tool", ""), told.get("version", ""), step_at, _until(begins, shown)
            )
        elif here and _RESULT.fullmatch(shown):
            here.end = (at, number) if here.phase not in (_DOWNLOAD, *_BUILDS) else None
        elif here and any(word.fullmatch(shown) for word in (_FINISHED, _INSTALLED, _SUMMARY)):
            phases.append(here.ended(at, number))
            here = None
        elif _STEP.fullmatch(shown):
            if here:
                phases.append(here.ended(at, number - 1))
            here = None
            step_at = step_at if shown.startswith("##[error]") else at
    if here:
        phases.append(here.ended(last_stamp(text), text.count("\n") + (not text.endswith("\n"))))
    return phases


def _begun(shown: str) -> tuple[str, re.Match[str] | None]:
    """Return the phase that a line belongs to, and its match; nothing for a line that begins none."""
    for phase, pattern in _BEGINS.items():
        if found := pattern.fullmatch(shown):
            return phase, found
    return "", None


def _until(begins: str, shown: str) -> re.Pattern[str] | None:
    """Return the word that ends what holds cargo's words of its own: `cargo install`, and tests that nextest prints."""
    if begins == _INSTALL:
        return _INSTALLED
    return _SUMMARY if shown.lstrip().startswith("Starting ") else None


def _goes_on(here: _Open, begins: str) -> bool:
    """Return whether a word goes on with the phase that is open, which it may make a more telling one."""
    if here.phase in _BUILDS and begins in _BUILDS:
        here.phase = max(here.phase, begins, key=_BUILDS.index)
        return True
    return here.phase == begins != _INSTALL or (here.phase in _BUILDS and begins == _DOWNLOAD)
