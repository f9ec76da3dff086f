"""Known shapes of secrets out of bytes, before they are stored; how many were found is counted.

The shapes are data (`redaction.toml`). Line numbers stay true: a secret that spans lines leaves its line ends.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Rule:
    """One shape: its id, literals of which one must occur for it to be tried, and a pattern with a group `secret`."""

    id: str
    literals: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    examples: tuple[str, ...]
    harmless: tuple[str, ...]


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
                pattern=re.compile(entry["pattern"].encode()),
                examples=tuple(text.replace("~", "") for text in entry["examples"]),
                harmless=tuple(entry["harmless"]),
            )
            for entry in data["rule"]
        ),
    )


@cache
def _any_literal() -> re.Pattern[str]:
    literals = sorted({literal.decode() for rule in read_rules().rules for literal in rule.literals})
    return re.compile("|".join(map(re.escape, literals)))


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
    return any(literal in body for rule in read_rules().rules for literal in rule.literals)


def redact(body: bytes) -> tuple[bytes, int]:
    """Return the bytes with every secret replaced by `[redacted:RULE]`, and how many there were."""
    n_redacted, n_found = 0, -1
    # One that was glued to another is only seen once that one is gone.
    while n_found:
        n_found = 0
        for rule in read_rules().rules:
            if any(literal in body for literal in rule.literals):
                body, n_new = rule.pattern.subn(lambda match, rule=rule: _replaced(match, rule), body)  # type: ignore[misc]
                n_found += n_new
        n_redacted += n_found
    return body, n_redacted


def _replaced(match: re.Match[bytes], rule: Rule) -> bytes:
    start, end = (offset - match.start() for offset in match.span("secret"))
    whole = match[0]
    return whole[:start] + f"[redacted:{rule.id}]".encode() + b"\n" * whole.count(b"\n", start, end) + whole[end:]
