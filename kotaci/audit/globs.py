"""Which files a pattern fits: those of `hashFiles`, and those of `paths:` and `branches:`, are two languages.

The second is that of GitHub's "Filter pattern cheat sheet".
"""

from __future__ import annotations

import re
from functools import lru_cache

MAX_STARS = 6
"""Patterns with more are taken to fit everything: matching them could take long."""

_PART = re.compile(r"\*\*/|\*\*|\*|\[[^\]]+\]|\\.|.", re.DOTALL)

_RANGE = re.compile(r"(?<=\w)\\-(?=\w)")


@lru_cache(maxsize=1024)
def hashed_pattern(pattern: str) -> re.Pattern[str]:
    """Return what fits a pattern of `hashFiles` (package @actions/glob): `*` stays within a folder, `**` between
    slashes is any number of folders, and a folder stands for all below it."""
    parts = [part for part in pattern.removeprefix("./").split("/") if part not in {"", "."}]
    text = ""
    for place, part in enumerate(parts):
        is_last = place == len(parts) - 1
        if part == "**":
            text += ".*" if is_last else "(?:[^/]+/)*"
        else:
            text += _segment(part) + ("" if is_last else "/")
    return _compiled(rf"{text}(?:/.*)?")


def _segment(part: str) -> str:
    found = re.split(r"(\*+|\?|\[!?[\w-]+\])", part)
    return "".join(_words_of(one) for one in found)


def _words_of(piece: str) -> str:
    if piece[:1] == "*":
        return "[^/]*"
    if piece == "?":
        return "[^/]"
    return _set_of(piece)


def _set_of(piece: str) -> str:
    """Return a set of letters as one of Python's; all else as plain text."""
    if re.fullmatch(r"\[!?[\w-]+\]", piece):
        return piece.replace("[!", "[^")
    return re.escape(piece)


def _compiled(text: str) -> re.Pattern[str]:
    """Return the pattern; one that fits all where it cannot be read, so that nobody is told it fits nothing."""
    try:
        return re.compile(text)
    except re.error:
        return re.compile(".*", re.DOTALL)


@lru_cache(maxsize=2048)
def parse_glob(pattern: str) -> re.Pattern[str]:
    """Return what fits a whole path or name: `*` stays within a folder, `**` does not, `?` and `+` count the character
    before them. What is no pattern fits everything."""
    if pattern.count("*") > MAX_STARS:
        return re.compile(".*", re.DOTALL)
    parts: list[str] = []
    for part in _PART.findall(pattern):
        match part:
            case "**/":
                parts.append("(?:.*/)?")
            case "**":
                parts.append(".*")
            case "*":
                parts.append("[^/]*")
            case "?" | "+" if parts:
                parts[-1] = f"(?:{parts[-1]}){part}"
            case _ if part.startswith("[") and len(part) > 1:
                parts.append(f"[{_RANGE.sub('-', re.escape(part[1:-1]))}]")
            case _:
                parts.append(re.escape(part[-1]))
    return _compiled("".join(parts))


def fits(pattern: str, path: str) -> bool:
    """Tell whether the pattern, without its `!`, fits."""
    return parse_glob(pattern.removeprefix("!")).fullmatch(path) is not None
