"""The patterns of `paths:` and `branches:` as GitHub reads them (docs.github.com, "Filter pattern cheat sheet")."""

from __future__ import annotations

import re
from functools import lru_cache

MAX_STARS = 6
"""Patterns with more are taken to fit everything: matching them could take long."""

_PART = re.compile(r"\*\*/|\*\*|\*|\[[^\]]+\]|\\.|.", re.DOTALL)

_RANGE = re.compile(r"(?<=\w)\\-(?=\w)")


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
    try:
        return re.compile("".join(parts), re.DOTALL)
    except re.error:
        return re.compile(".*", re.DOTALL)


def fits(pattern: str, path: str) -> bool:
    """Tell whether the pattern, without its `!`, fits."""
    return parse_glob(pattern.removeprefix("!")).fullmatch(path) is not None
