"""Markdown for GitHub: strangers' text made harmless, and texts that fit a character budget.

GitHub looks for mentions, references and addresses in the text after Markdown is done, so a backslash does
not stop them: a zero-width space (`&#8203;`) between the sign and the word does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from kotaci.report.words import one_line, visible

COMMENT_BUDGET = 65_536
"""Characters that GitHub takes in one comment, issue or pull request."""

_BREAK = "&#8203;"
_SPECIAL = re.compile(r"[\\`*_\[\]~$#!]")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"})
_REFERENCE = re.compile(r"(?:@|#|\bgh-)(?=\w)|:(?=//)|\bwww(?=\.)", re.IGNORECASE)
_REFERENCE_IN_HTML = re.compile(rf"(?<!&){_REFERENCE.pattern}", re.IGNORECASE)
_BLOCK_START = re.compile(r"^(\d{1,9}(?=[.)](?:\s|$))|(?=[-+=:]))")
_FENCE_LINE = re.compile(r"^ {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_RUN_OF_TICKS = re.compile(r"`+")


def escape_text(value: Any) -> str:
    """Return any text as one line of Markdown that reads the same and does nothing.

    No formatting, HTML, link, image, table column, heading or list; no mention, no `#123`, `GH-123` or address
    that GitHub would turn into a cross reference, and so no closing keyword that works.
    """
    broken = _REFERENCE.sub(lambda found: found[0] + "\0", one_line(value, width=2000))
    escaped = _SPECIAL.sub(r"\\\g<0>", broken.translate(_ENTITIES).replace("&#124;", "\1"))
    escaped = escaped.replace("\0", _BREAK).replace("\1", "&#124;")
    return _BLOCK_START.sub(r"\1\\", escaped)


def quiet_html(html: str) -> str:
    """Return HTML made by us, for where Markdown takes only HTML, with no mention or reference in its text."""
    parts = re.split(r"(<[^>]*>)", html)
    return "".join(part if part.startswith("<") else _REFERENCE_IN_HTML.sub(rf"\g<0>{_BREAK}", part) for part in parts)


def code_span(value: Any) -> str:
    """Return any text as inline code; with a `|` in it as `<code>`, the one form that is whole in a table."""
    text = one_line(value, width=2000)
    if "|" in text:
        return f"<code>{escape_text(text)}</code>"
    ticks = "`" * (1 + max((len(run) for run in _RUN_OF_TICKS.findall(text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return f"{ticks}{pad}{text or ' '}{pad}{ticks}"


def fence(value: Any, *, info: str = "text") -> str:
    """Return any text as a code block that its content cannot leave; `info` is ours."""
    text = visible(value)
    ticks = "`" * max(3, 1 + max((len(run) for run in _RUN_OF_TICKS.findall(text)), default=0))
    return f"{ticks}{info}\n{text}\n{ticks}"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[bool]) -> str:
    """Return a table of cells that are Markdown already; `right` says which columns hold numbers."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(" ".join(cell.split()).replace("|", "&#124;") for cell in cells) + " |"

    rule = "|" + "|".join(" ---: " if is_right else " --- " for is_right in right) + "|"
    return "\n".join([line(headers), rule, *(line(row) for row in rows)])


def fit(rungs: Iterable[str], budget: int) -> str:
    """Return the first of ever shorter renderings that fits `budget` characters, else the last one, cut."""
    text = ""
    for text in rungs:
        if len(text) <= budget:
            return text
    return cut(text, budget)


def cut(text: str, budget: int) -> str:
    """Return as many whole lines as fit, with what was open closed, and how many lines are missing."""
    if len(text) <= budget:
        return text
    lines = text.splitlines()
    # `<details>` is only ever written by us: strangers' `<` are entities, or inside a fence.
    best, kept, fence_mark, depth = "", "", "", 0
    for n_kept, line in enumerate(lines):
        candidate = kept + _closers(fence_mark, depth) + _more(len(lines) - n_kept)
        if len(candidate) <= budget:
            best = candidate
        if len(kept) > budget:
            break
        kept += line + "\n"
        mark = _FENCE_LINE.match(line)
        if fence_mark:
            is_closing = re.fullmatch(rf" {{0,3}}{fence_mark}{fence_mark[0]}*\s*", line)
            fence_mark = "" if is_closing else fence_mark
        elif mark:
            fence_mark = mark[1]
        else:
            depth += line.count("<details") - line.count("</details>")
    return best.strip("\n")


def _closers(fence_mark: str, depth: int) -> str:
    return (f"{fence_mark}\n" if fence_mark else "") + "\n</details>\n" * depth


def _more(n_lines: int) -> str:
    return f"\n… and {n_lines:,} more {'line' if n_lines == 1 else 'lines'}"
