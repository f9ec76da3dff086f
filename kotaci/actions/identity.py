"""What is ours in an issue or comment: a section between two hidden marks, found again by what the first one tells.

People's words around it stay as they are. A marker that stands in strangers' text is broken before it is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from kotaci.logs.signatures import normal_form, read_kinds
from kotaci.model import BadInput
from kotaci.report import markdown as md

END = "<!-- /kotaci:1 -->"
MAX_ENTRIES = 8
"""Entries of history that are kept, the newest."""

MIN_SECTION = 400
"""Characters below which a section says nothing; what people wrote leaves no room then."""

MAX_EXEMPLAR = 120
MAX_NOTE = 200

_MARK = re.compile(r"<!-- kotaci:1((?: [a-z_]+=[^\s<>]*)+) -->")
_HISTORY = re.compile(r"<!-- kotaci:history ([^\s<>]*) -->")
_SECTION = re.compile(rf"{_MARK.pattern}\n?(.*?){re.escape(END)}", re.DOTALL)
_FORGED = re.compile(r"<!--(?=\s*/?\s*kotaci)", re.IGNORECASE)
_SHOWN = "<details><summary>History</summary>"


@dataclass(frozen=True)
class Marker:
    """Who a section is: its topic and id, and with what they were made.

    `signature` is the version of the table that made the id: where it differs, the normal form of `exemplar` (what
    the failure is called) decides, so that a better table does not open every issue again. `seen` is the highest run
    id of its evidence, `parts` are the notebooks that gave the findings, `as_of` the end of their data.
    """

    topic: str
    id: str
    exemplar: str = ""
    signature: str = ""
    as_of: str = ""
    seen: int = 0
    parts: Sequence[str] = ()

    @property
    def version(self) -> str:
        """Return the version of the signature's table, today's where none was read."""
        return self.signature or f"s{read_kinds().version}"

    def line(self) -> str:
        """Return the hidden mark that a section begins with."""
        told = {
            "kind": self.topic,
            "id": self.id,
            "sig": self.version,
            "exemplar": self.exemplar[:MAX_EXEMPLAR],
            "as_of": self.as_of,
            "seen": self.seen,
            "parts": ",".join(self.parts),
        }
        return f"<!-- kotaci:1 {' '.join(f'{name}={_packed(str(value))}' for name, value in told.items())} -->"

    def is_same(self, other: Marker) -> bool:
        """Tell whether both stand for the same thing."""
        if self.topic != other.topic:
            return False
        if self.id == other.id:
            return True
        form = normal_form(self.exemplar[:MAX_EXEMPLAR])
        return self.signature != other.signature and form != "" and form == normal_form(other.exemplar[:MAX_EXEMPLAR])


@dataclass(frozen=True)
class Section:
    """What is ours in a body: its marker, its words, and what was said at earlier times (moment, note)."""

    marker: Marker
    content: str
    history: Sequence[tuple[str, str]]
    start: int
    end: int


def _packed(text: str) -> str:
    """Return text as one word that ends no HTML comment."""
    return quote(text.encode("utf-8", "replace"), safe=":/.,-_").replace("--", "-%2D")


def parse_marker(line: str) -> Marker | None:
    """Return the marker of a line that is one; None for any other."""
    found = _MARK.fullmatch(line.strip())
    return _marker(found[1]) if found else None


def _marker(words: str) -> Marker | None:
    told = {name: unquote(value) for name, _, value in (word.partition("=") for word in words.split())}
    if not told.get("kind") or not told.get("id"):
        return None
    seen = told.get("seen", "")
    return Marker(
        topic=told["kind"],
        id=told["id"],
        exemplar=told.get("exemplar", ""),
        signature=told.get("sig", ""),
        as_of=told.get("as_of", ""),
        seen=int(seen) if re.fullmatch("[0-9]{1,18}", seen) else 0,
        parts=tuple(filter(None, told.get("parts", "").split(","))),
    )


def to_section(marker: Marker, content: str, *, note: str = "") -> str:
    """Return a whole section: the marker, the words, and `note` (plain text) as the history's first entry."""
    history = [(marker.as_of, note[:MAX_NOTE])] if note else []
    return _rendered(marker.line(), harmless(content), history)


def harmless(content: str) -> str:
    """Return Markdown in which nothing can be taken for a mark of ours."""
    return _FORGED.sub("<!\u200b--", content)


def find_sections(body: str) -> list[Section]:
    """Return our sections in a body, in order."""
    sections = []
    for found in _SECTION.finditer(body):
        marker = _marker(found[1])
        if marker is not None:
            told = _HISTORY.search(found[2])
            history = _entries(told[1] if told else "")
            shown = found[2].rfind(_SHOWN) if len(history) > 1 else -1
            content = found[2][:shown] if shown >= 0 else _HISTORY.sub("", found[2])
            sections.append(Section(marker, content.strip(), history, found.start(), found.end()))
    return sections


def find_section(body: str, marker: Marker) -> Section | None:
    """Return the section that stands for the same as the marker, or None."""
    return next((section for section in find_sections(body) if section.marker.is_same(marker)), None)


def merge(body: str, section: str, *, budget: int = md.COMMENT_BUDGET) -> str:
    """Return the body with the section in the place of its older self, or below what is there.

    History is carried on, a note that says what the last one said is not added; what people wrote stays. The section
    is cut to what they leave of the budget. Raises BadInput where that is too little.
    """
    (new,) = find_sections(section)
    old = find_section(body, new.marker)
    before, after = (
        (body[: old.start], body[old.end :]) if old else (f"{body.rstrip()}\n\n" if body.strip() else "", "")
    )
    history = list(old.history) if old else []
    for moment, note in new.history:
        if not history or history[-1][1] != note:
            history.append((moment, note))
    room = budget - len(before) - len(after)
    for kept in (MAX_ENTRIES, 2):
        text = _rendered(new.marker.line(), new.content, history[-kept:])
        if len(text) <= room:
            return before + text + after
    frame = len(text) - len(new.content)
    if room - frame < MIN_SECTION:
        hint = "shorten what people wrote there, or write to another"
        raise BadInput(f"a body of {len(before) + len(after):,} characters", "leaves no room for a report", hint)
    return before + _rendered(new.marker.line(), md.cut(new.content, room - frame), history[-kept:]) + after


def without(body: str, marker: Marker) -> str:
    """Return what of a body is not the section of that marker: people's words."""
    old = find_section(body, marker)
    return (body[: old.start] + body[old.end :]).strip() if old else body


def _entries(packed: str) -> list[tuple[str, str]]:
    try:
        told = json.loads(unquote(packed)) if packed else []
        return [(str(moment)[:20], str(note)[:MAX_NOTE]) for moment, note in told][-MAX_ENTRIES:]
    except (ValueError, TypeError, RecursionError):
        # Somebody changed it by hand: the history begins anew.
        return []


def _rendered(line: str, content: str, history: Sequence[tuple[str, str]]) -> str:
    parts = [line, content.strip("\n")]
    if len(history) > 1:
        rows = (f"- {md.escape_text(moment)} {md.escape_text(note)}" for moment, note in reversed(history))
        parts.append("\n".join([f"\n{_SHOWN}", "", *rows, "", "</details>"]))
    if history:
        parts.append(f"\n<!-- kotaci:history {_packed(json.dumps(list(history)))} -->")
    return "\n".join([*parts, END])
