"""GitHub's log format in all its shapes: bytes to text, text to lines, groups and steps.

Lines keep the number they have in the stored log, from 1. A line without a time stamp (the continuation of a
multi-line `with:` value) belongs to the line before it and is never dropped.
"""

from __future__ import annotations

import codecs
import json
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import overload

_DATE = (
    r"20(?:[0-9]{2}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    r"|(?:[02468][048]|[13579][26])-02-29)"
)
"""A day that exists: what a log prints must never be a date that nobody can read."""
STAMP = re.compile(rf"(?:\ufeff|´╗┐)?({_DATE}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{{7}}Z) ?")
"""The time stamp of a line, after a BOM, or what is left of one where a console took it for code page 850."""
_FIRST_STAMP = re.compile(rf"^{STAMP.pattern}", re.MULTILINE)
_ANSI = re.compile(
    r"(?:\x1b|\^\[)\[[0-9;]{0,20}m|\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]"
)
"""Escapes; of colours also where a program wrote ESC as the two characters `^[`."""
_MARK = re.compile(r"##\[([a-z-]{1,20})[^\]\n]{0,200}\]")
_STEP_WORDS = re.compile(r"##\[group\]Run |Post job cleanup\.|Cleaning up orphan processes")
_STEP_START = re.compile(r"##\[group\]Run |Post job cleanup\.$|Cleaning up orphan processes$")

_MARK_CHARS = 200
"""So far from a line's start a marker begins: behind a time stamp and colours."""

MAX_LINE_CHARS = 4_000
"""Longest part of a line that a pattern is tried on; real lines of 429,056 characters were met."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its number in the stored log, time stamp (empty: none), text without colours, and marker.

    `mark` is the word of a leading `##[word]`, which `text` then lacks; `is_echo` tells the runner's own print of
    a script and its settings (the group that begins with `Run`), which says nothing about what happened.
    """

    number: int
    at: str
    text: str
    mark: str = ""
    is_echo: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of lines under one name: a step, or a part of one where only its markers tell."""

    name: str
    first_line: int
    last_line: int


def decode(body: bytes) -> bytes:
    """Return the same text as UTF-8 where it came as UTF-16 (PowerShell's `>`); everything else as it is."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if body.startswith(mark):
            return body.decode(encoding, "replace").encode()
    return body


def saved_error(body: bytes) -> str:
    """Return the message of a GitHub error that was saved in place of a log, or an empty string."""
    head = body.lstrip(codecs.BOM_UTF8).lstrip()[:4096]
    if head.startswith(b"{"):
        try:
            data = json.loads(body.lstrip(codecs.BOM_UTF8))
        except (ValueError, RecursionError):
            return ""
        is_error = isinstance(data, dict) and "message" in data and ("status" in data or "documentation_url" in data)
        return f"{data['message']} ({data.get('status', 'no status')})" if is_error else ""
    if re.match(rb"<(?:!doctype html|html)", head, re.IGNORECASE):
        return "an HTML page"
    return "an XML error of the log host" if re.match(rb"<\?xml[^>]*>\s*<Error>", head) else ""


def without_colours(text: str) -> str:
    """Return the text without ANSI escapes."""
    return _ANSI.sub("", text) if "\x1b" in text or "^[[" in text else text


def split_lines(text: str) -> list[str]:
    r"""Return the lines; only LF and CRLF end one, so that numbers agree with every editor and with `\n`."""
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def parse_lines(text: str) -> Iterator[Line]:
    """Yield every line of a job's log."""
    yield from Lines(text)


class Lines(Sequence[Line]):
    """The lines of a job's log, each made when it is asked for: a log of 200 MB then costs little more than itself."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = array("Q", [0])
        self._is_echo = bytearray()
        is_echo = False
        start = 0
        while start < len(text):
            end = text.find("\n", start)
            stop = len(text) if end < 0 else end
            at = text.find("##[", start, min(stop, start + _MARK_CHARS))
            _, word, shown = self._parts(start, stop) if at >= 0 else ("", "", "")
            if word == "group":
                is_echo = shown.startswith("Run ")
            self._is_echo.append(is_echo)
            if word == "endgroup":
                is_echo = False
            start = stop + 1
            self._starts.append(start)

    def __len__(self) -> int:
        return len(self._is_echo)

    def is_echo(self, place: int) -> bool:
        """Tell whether the line at that place belongs to a script's echo, without making it."""
        return self._is_echo[place] == 1

    @property
    def echo_starts(self) -> list[int]:
        """Return the places of the lines that open a script's echo: those at which steps may begin."""
        places, place = [], self._is_echo.find(1)
        while place >= 0:
            places.append(place)
            end = self._is_echo.find(0, place)
            place = self._is_echo.find(1, end) if end >= 0 else -1
        return places

    @overload
    def __getitem__(self, place: int) -> Line: ...
    @overload
    def __getitem__(self, place: slice) -> list[Line]: ...
    def __getitem__(self, place: int | slice) -> Line | list[Line]:
        if isinstance(place, slice):
            return [self._line(at) for at in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        return self._line(place % len(self))

    def __iter__(self) -> Iterator[Line]:
        return map(self._line, range(len(self)))

    def _line(self, place: int) -> Line:
        start, stop = self._starts[place], self._starts[place + 1] - 1
        at, word, shown = self._parts(start, stop)
        return Line(place + 1, at, shown, word, self._is_echo[place] == 1)

    def _parts(self, start: int, stop: int) -> tuple[str, str, str]:
        """Return a line's time stamp, its marker, and the text after both, without colours."""
        stamp = STAMP.match(self._text, start, stop)
        shown = self._text[stamp.end() if stamp else start : stop]
        if not stamp:
            shown = shown.removeprefix("\ufeff")
        shown = without_colours(shown)
        if shown.endswith("\r"):
            shown = shown[:-1]
        at = stamp[1] if stamp else ""
        if shown.startswith("##[") and (mark := _MARK.match(shown)):
            return at, mark[1], shown[mark.end() :]
        return at, "", shown


def first_stamp(text: str) -> str:
    """Return the first time stamp of the text that begins a line, or an empty string."""
    found = _FIRST_STAMP.search(text, 0, 20_000)
    return found[1] if found else ""


def last_stamp(text: str) -> str:
    """Return the last time stamp of the text that begins a line, or an empty string."""
    end = len(text)
    while end > 0:
        start = text.rfind("\n", 0, end) + 1
        if found := STAMP.match(text, start):
            return found[1]
        end = start - 1
    return ""


def seconds_between(since: str, until: str) -> float | None:
    """Return the seconds from one time stamp to another; None where either is empty."""
    if not since or not until:
        return None
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()


def parse_spans(text: str) -> list[Span]:
    """Return the parts of a whole job's log by its markers alone: set-up, one part per `Run` group, post steps.

    A composite action prints a group for each of its own steps, so parts are not steps; where the jobs API or
    step files tell the steps, use those.
    """
    starts = [(1, "Set up job")]
    number, counted = 1, 0
    for found in _STEP_WORDS.finditer(text):
        begin = text.rfind("\n", 0, found.start()) + 1
        stop = text.find("\n", found.end())
        raw = text[begin : len(text) if stop < 0 else stop].removesuffix("\r")[:MAX_LINE_CHARS]
        stamp = STAMP.match(raw)
        shown = without_colours(raw[stamp.end() :] if stamp else raw)
        if start := _STEP_START.match(shown):
            number, counted = number + text.count("\n", counted, begin), begin
            name = shown[len("##[group]") :] if start[0].startswith("##") else start[0].removesuffix(".")
            starts.append((number, "Complete job" if name.startswith("Cleaning") else name[:200]))
    n_lines = text.count("\n") + (not text.endswith("\n") and bool(text))
    ends = [number - 1 for number, _ in starts[1:]] + [n_lines]
    return [Span(name, first, last) for (first, name), last in zip(starts, ends, strict=True) if last >= first]
