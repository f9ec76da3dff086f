"""Which files a pattern of a workflow fits: those of `hashFiles` and those of `paths:` are two languages."""

from __future__ import annotations

import re
from functools import lru_cache


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


@lru_cache(maxsize=1024)
def filter_pattern(pattern: str) -> re.Pattern[str]:
    """Return what fits a pattern of `paths:` (docs: Workflow syntax, filter patterns): `**` reaches over folders,
    `?` and `+` repeat the character before them."""
    pieces = re.findall(r"\*\*/|\*+|\[!?[\w-]+\]|\\.|.", pattern)
    words = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "?", "+": "+"}
    text = ""
    for piece in pieces:
        if piece in words:
            text += words[piece]
        elif piece[:1] == "*":
            text += ".*"
        else:
            text += _set_of(piece.removeprefix("\\") if len(piece) == 2 else piece)
    return _compiled(text)


def _compiled(text: str) -> re.Pattern[str]:
    """Return the pattern; one that fits all where it cannot be read, so that nobody is told it fits nothing."""
    try:
        return re.compile(text)
    except re.error:
        return re.compile(".*", re.DOTALL)
