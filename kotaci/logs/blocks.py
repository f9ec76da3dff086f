"""From a line that says something failed to the lines that belong to it: a diagnostic, a trace, a list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kotaci.logs.lines import Line

MOST_LINES = 14
"""Lines shown of one block; a diagnostic of a compiler with its source lines and notes seldom has more."""
MOST_READ = 200
"""Lines that a block may span; what is not shown of it is not looked at again."""
BACK = 8
"""Lines looked back from a note to the diagnostic that it belongs to, and in a build stage to its command."""
KEPT_FRAMES = 3
"""Frames shown of a stack: those nearest to the fault."""

PREFIX = re.compile(
    r"\[(?!(?:ERROR|WARN|WARNING|INFO|DEBUG|FATAL)\])[\w:.@/ -]{1,40}\]:? (?=.)"
    r"|#\d{1,5} (?:\d{1,6}\.\d{1,6} )?|[A-Za-z][\w.@/-]{0,39} +\| ",
    re.IGNORECASE,
)
"""What tools that run others put before each line: `[test:docs] `, buildkit's `#12 0.34 `, compose's `web  | `."""

_BODY = re.compile(
    r"\s*(?:\||-->|::: |= (?:note|help)|\d+ +[|│]|[│├└┌┊]|[+>~^]|at \S|E  |\.\.\. |note:|help:|hint:|Caused by"
    r"|Expected|Received|expected|actual|found|left:|right:|required:|reason:|symbol:|location:|-> "
    r"|(?:Previous )?(?:[Rr]ead|READ|[Ww]rite|WRITE) (?:at|of size) )"
)
_LEVEL = re.compile(r"\[(ERROR|WARN|WARNING|INFO|DEBUG|FATAL)\] ?")
_FRAME = re.compile(r"\s*(?:at \S|File \"|\d{1,3}: [\w<]|#\d+ )|\s+\S+:\d+:(?:\d+:)? in ")
_RUNTIME = re.compile(
    r"\s*(?:stack backtrace:$|\d{1,3}: [\w<]|at (?:/rustc/|\S*/library/)"
    r"|note: (?:run with `RUST_BACKTRACE|Some details are))"
)
"""Rust's own backtrace and what is said of it: the panic's line has the place."""
_SECTION = re.compile(r"[_=]{4,} .* [_=]{4,}$")
_CAUSE = re.compile(r"\s*Caused by\b")
"""Cargo's and anyhow's chain of causes stands a blank line below the error."""
_TRACEBACK = re.compile(r"\s*(?:[+|] *)*Traceback \(most recent call last\)")


@dataclass(frozen=True, slots=True)
class Block:
    """Places (from 0) of the first and behind the last line, and of those to show."""

    start: int
    stop: int
    shown: tuple[int, ...]


def split_prefix(text: str) -> tuple[str, str]:
    """Return what another tool put before the line, and the line."""
    found = PREFIX.match(text)
    return (found[0], text[found.end() :]) if found else ("", text)


def is_body(text: str) -> bool:
    """Tell whether a line by its look belongs to one above it."""
    return _BODY.match(split_prefix(text)[1]) is not None


def block_at(lines: Sequence[Line], place: int) -> Block:
    """Return the block around a line."""
    tag = split_prefix(lines[place].text)[0].split(" ")[0]
    start = _start(lines, place, tag)
    head = split_prefix(lines[start].text)[1]
    if _TRACEBACK.match(head):
        return _traceback(lines, start)
    level, head = _split_level(head)
    indent = -1 if head.rstrip().endswith(":") and start == place else _indent(head)
    shown, stop, n_frames = [start], start + 1, 0
    for at in range(start + 1, min(len(lines), start + MOST_READ)):
        line = lines[at]
        other, body = split_prefix(line.text)
        said, body = _split_level(body)
        if not body.strip() and at + 1 < len(lines) and _CAUSE.match(lines[at + 1].text):
            continue
        if line.mark in {"group", "endgroup", "error"} or not body.strip() or other.split(" ")[0] != tag:
            break
        if said and said != level:
            break
        if _RUNTIME.match(body):
            stop = at + 1
            continue
        if _FRAME.match(body):
            n_frames += 1
            stop = at + 1
            if n_frames <= KEPT_FRAMES and len(shown) < MOST_LINES:
                shown.append(at)
            continue
        if _indent(body) <= indent and not _BODY.match(body) and not (tag.startswith("#") and at <= place):
            break
        stop = at + 1
        if len(shown) < MOST_LINES or at == place:
            shown.append(at)
    if place >= stop:
        return Block(place, place + 1, (place,))
    return Block(start, stop, tuple(shown))


def _start(lines: Sequence[Line], place: int, tag: str) -> int:
    at = place
    is_pytest = lines[place].text.startswith("E  ")
    while place - at < BACK and at > 0:
        body = split_prefix(lines[at].text)[1]
        line = lines[at - 1]
        other, before = split_prefix(line.text)
        if not before.strip() or line.mark or line.is_echo or other.split(" ")[0] != tag:
            break
        is_deeper = _BODY.match(body) is not None or _indent(body) > _indent(before)
        is_section = is_pytest or tag.startswith("#") or _SECTION.match(before) is not None
        if not is_deeper and not is_section:
            break
        at -= 1
    return at


def _traceback(lines: Sequence[Line], start: int) -> Block:
    """Return head, the last frames and the exception of a Python trace."""
    indent = _indent(split_prefix(lines[start].text)[1])
    at = start + 1
    while at < min(len(lines), start + MOST_READ):
        body = split_prefix(lines[at].text)[1]
        if _indent(body) <= indent and body.strip():
            break
        at += 1
    frames = range(max(start + 1, at - 3), at)
    return Block(start, at + 1, (start, *frames, *([at] if at < len(lines) else [])))


def _split_level(text: str) -> tuple[str, str]:
    """Return Maven's level of a line, such as ERROR, and the rest."""
    found = _LEVEL.match(text)
    return (found[1], text[found.end() :]) if found else ("", text)


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())
