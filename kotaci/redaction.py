"""Known shapes of secrets out of bytes, before they are stored; how many were found is counted.

The shapes are data (`redaction.toml`). Line numbers stay true: a secret that spans lines leaves its line ends.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

PART_BYTES = 4 * 2**20
"""How much of a log is looked at in one piece."""

LONGEST_BYTES = 64 * 2**20
"""Policy: a text that offers no cut for so long is cut where it is, so that memory stays bounded. GitHub cuts lines
far below this; a secret that lies just there may be missed."""

REACH_BYTES = 128 * 2**10
"""A private key's beginning may belong to an end up to 20,000 bytes behind it, counted when other secrets are gone.
Redaction makes a text at most five times as long (`://:abc@`), so this much of redacted text is out of its reach."""


@dataclass(frozen=True)
class Rule:
    """One shape: its id, and a pattern with a group `secret`; it is tried where a literal and `also` occur."""

    id: str
    literals: tuple[bytes, ...]
    also: bytes
    pattern: re.Pattern[bytes]
    examples: tuple[str, ...]
    harmless: tuple[str, ...]

    def may_match(self, body: bytes) -> bool:
        """Tell quickly whether the pattern need be tried."""
        return self.also in body and any(literal in body for literal in self.literals)


@dataclass(frozen=True)
class Rules:
    """All shapes and the version of their file."""

    version: int
    rules: tuple[Rule, ...]


@cache
def read_rules() -> Rules:
    """Return the shapes of `redaction.toml`; a tilde in an example is dropped."""
    data = tomllib.loads(files("kotaci").joinpath("redaction.toml").read_text(encoding="utf-8"))
    return Rules(
        version=data["version"],
        rules=tuple(
            Rule(
                id=entry["id"],
                literals=tuple(text.encode() for text in entry["literals"]),
                also=entry.get("also", "").encode(),
                pattern=re.compile(entry["pattern"].encode()),
                examples=tuple(text.replace("~", "") for text in entry["examples"]),
                harmless=tuple(entry["harmless"]),
            )
            for entry in data["rule"]
        ),
    )


@cache
def _any_literal() -> re.Pattern[str]:
    """Return what finds a text that a pattern must be tried on, in one pass."""
    found = {
        re.escape(literal.decode()) + (f"(?s:.*){re.escape(rule.also.decode())}" if rule.also else "")
        for rule in read_rules().rules
        for literal in rule.literals
    }
    return re.compile("|".join(sorted(found)))


def redact_json(value: Any) -> tuple[Any, int]:
    """Return the JSON value with the secrets of every text in it replaced, and how many there were.

    Text by text, not the whole document: there `\\n` stands for a line end, and a secret may end in another text.
    """
    if isinstance(value, str):
        if not _any_literal().search(value):
            return value, 0
        body, n_redacted = redact(value.encode("utf-8", "replace"))
        return body.decode(), n_redacted
    if isinstance(value, dict):
        pairs = {key: redact_json(held) for key, held in value.items()}
        return {key: held for key, (held, _) in pairs.items()}, sum(n for _, n in pairs.values())
    if isinstance(value, (list, tuple)):
        items = [redact_json(held) for held in value]
        return [held for held, _ in items], sum(n for _, n in items)
    return value, 0


def may_hold_secret(body: bytes) -> bool:
    """Tell quickly whether any shape's literal occurs; where none does, there is nothing to replace."""
    return any(rule.may_match(body) for rule in read_rules().rules)


def redact(body: bytes) -> tuple[bytes, int]:
    """Return the bytes with every secret replaced by `[redacted:RULE]`, and how many there were."""
    n_redacted, n_found = 0, -1
    # One that was glued to another is only seen once that one is gone.
    while n_found:
        n_found = 0
        for rule in read_rules().rules:
            if rule.may_match(body):
                body, n_new = rule.pattern.subn(lambda match, rule=rule: _replaced(match, rule), body)  # type: ignore[misc]
                n_found += n_new
        n_redacted += n_found
    return body, n_redacted


def redact_parts(chunks: Iterable[bytes], *, part_bytes: int = PART_BYTES) -> Iterator[tuple[bytes, int]]:
    """Yield redacted parts of a text that comes in chunks, each with how many secrets were in it.

    Joined they are what `redact` makes of the whole, and no more than a few parts are held at a time: a part ends
    at a line end over which no secret reaches.
    """
    held, wanted = bytearray(), part_bytes
    for chunk in chunks:
        for start in range(0, len(chunk), part_bytes):
            held += chunk[start : start + part_bytes]
            if len(held) < wanted:
                continue
            cut = _last_cut(held)
            if not cut and len(held) >= LONGEST_BYTES:
                cut = held.rfind(b"\n") + 1 or len(held)
            if cut:
                yield redact(bytes(held[:cut]))
                del held[:cut]
            # Where there was no cut, the next look waits until there is twice as much to look at.
            wanted = len(held) + part_bytes if cut else min(2 * len(held), max(LONGEST_BYTES, len(held) + part_bytes))
    if held:
        yield redact(bytes(held))


_MARK = re.compile(rb"-----(?:BEGIN|END) ")
_HEADER = re.compile(rb"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_NO_TOKEN = frozenset(b"\n\r\t \"'<>")
"""No secret of one line holds any of these, so a mark right behind one is never swallowed by a secret."""

_AWS_NAME = re.compile(
    rb"""(?:aws_secret_access_key|AWS_SECRET_ACCESS_KEY)["']?\s{0,3}(?:[=:]\s{0,3}["']?)?\Z""",
)


def _last_cut(text: bytearray) -> int:
    """Return the last place in the text, just behind a line end, over which no secret can reach; 0 where none is.

    Only two shapes go over line ends: a private key, and an AWS secret key whose value stands on the next line.
    """
    marks = [found.start() for found in _MARK.finditer(text)] if b"PRIVATE KEY" in text else []
    cut, is_barred = text.rfind(b"\n") + 1, False
    while cut:
        while marks and marks[-1] >= cut:
            marks.pop()
        header = -1 if is_barred else _open_header(text, marks)
        if header >= 0 and not _is_out_of_reach(text, header, cut):
            cut = text.rfind(b"\n", 0, header) + 1
            # A mark that nothing swallows, first of its line, ends every key that begins before that line.
            is_barred = _is_firm(text, header) and text.find(b"-----", cut) == header
        elif _AWS_NAME.search(text, max(0, cut - 64), cut):
            cut, is_barred = text.rfind(b"\n", 0, cut - 1) + 1, False
        else:
            return cut
    return 0


def _open_header(text: bytearray, marks: list[int]) -> int:
    """Return where the last private key begins that none of the marks behind it surely ends, or -1."""
    for mark in reversed(marks):
        if _HEADER.match(text, mark):
            return mark
        if _is_firm(text, mark):
            return -1
    return -1


def _is_firm(text: bytearray, mark: int) -> bool:
    return mark == 0 or text[mark - 1] in _NO_TOKEN


def _is_out_of_reach(text: bytearray, header: int, cut: int) -> bool:
    near = text.rfind(b"\n", header, min(cut, header + 8 * REACH_BYTES)) + 1
    return any(
        end - header >= REACH_BYTES and len(redact(bytes(text[header:end]))[0]) >= REACH_BYTES for end in (near, cut)
    )


def _replaced(match: re.Match[bytes], rule: Rule) -> bytes:
    start, end = (offset - match.start() for offset in match.span("secret"))
    whole = match[0]
    return whole[:start] + f"[redacted:{rule.id}]".encode() + b"\n" * whole.count(b"\n", start, end) + whole[end:]
