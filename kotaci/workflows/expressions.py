"""The small part of GitHub's expressions that a file alone decides: literals, `fromJSON('...')`, `matrix.x`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import Any, TypeAlias

Value: TypeAlias = str | float | bool | list[Any] | dict[str, Any] | None
"""A value of a matrix: JSON's kinds, every number a float."""


MAX_FILLED = 10_000
MAX_JSON_DEPTH = 100


class Unknown(Enum):
    """What only a run can tell."""

    UNKNOWN = auto()


UNKNOWN = Unknown.UNKNOWN

_TEXT = r"'(?:[^']|'')*+'"
_LITERAL_TEXT = re.compile(_TEXT)
_FROM_JSON = re.compile(rf"fromJSON\(\s*({_TEXT})\s*\)", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?[0-9]{1,300}(?:\.[0-9]{1,300})?")
_PATH = re.compile(rf"matrix((?:\.[A-Za-z_][A-Za-z0-9_-]*|\[(?:{_TEXT}|[0-9]{{1,9}})\])+)", re.IGNORECASE)
_PATH_STEP = re.compile(rf"\.([A-Za-z_][A-Za-z0-9_-]*)|\[(?:({_TEXT})|([0-9]+))\]")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def split_text(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield (literal, expression) pairs of a text; the last pair has None where no expression follows.

    An expression reaches from `${{` to the first `}}` outside of single quotes; without one the rest is literal.
    """
    start = 0
    while (opened := text.find("${{", start)) >= 0 and (end := _end_of_expression(text, opened + 3)) >= 0:
        yield text[start:opened], text[opened + 3 : end].strip()
        start = end + 2
    yield text[start:], None


def _end_of_expression(text: str, position: int) -> int:
    while True:
        end, quote = text.find("}}", position), text.find("'", position)
        if end < 0 or not 0 <= quote < end:
            return end
        position = text.find("'", quote + 1) + 1
        if position == 0:
            return -1


def has_expression(text: str) -> bool:
    """Return whether the text holds a complete `${{ }}`."""
    return next(split_text(text))[1] is not None


def evaluate(expression: str, *, matrix: Mapping[str, Value] | None = None) -> Value | Unknown:
    """Return the value of an expression (without `${{ }}`), UNKNOWN where the file does not decide it.

    A key that the matrix does not have is null, and keys do not differ by case, as on GitHub.
    """
    if words := _FROM_JSON.fullmatch(expression):
        return _from_json(_unquoted(words[1]))
    if _LITERAL_TEXT.fullmatch(expression):
        return _unquoted(expression)
    if expression in _WORDS:
        return _WORDS[expression]
    if _NUMBER.fullmatch(expression):
        return float(expression)
    if matrix is not None and (words := _PATH.fullmatch(expression)):
        value: Value = dict(matrix)
        for step in _PATH_STEP.finditer(words[1]):
            if step[3] is not None:
                value = item_of(value, int(step[3]))
            else:
                value = item_of(value, step[1] or _unquoted(step[2]))
        return value
    return UNKNOWN


def item_of(value: Value, key: str | int) -> Value:
    """Return the item of a mapping or list; null where there is none."""
    if isinstance(value, dict) and isinstance(key, str):
        return next((item for name, item in value.items() if name.casefold() == key.casefold()), None)
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        item: Value = value[key]
        return item
    return None


def fill(text: str, *, matrix: Mapping[str, Value] | None = None) -> str | None:
    """Return the text with its expressions replaced by their values.

    None where one of them is not known, and where the result would pass MAX_FILLED characters.
    """
    parts, length = [], 0
    for literal, expression in split_text(text):
        value = "" if expression is None else evaluate(expression, matrix=matrix)
        if isinstance(value, Unknown):
            return None
        parts += [literal, to_text(value)]
        length += len(parts[-1]) + len(parts[-2])
        if length > MAX_FILLED:
            return None
    return "".join(parts)


def to_text(value: Value) -> str:
    """Return a value as GitHub writes it: null is empty, numbers have at most 15 digits, objects say their kind."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(
            written := format(value, ".15g"), written.replace("e", "E")
        )
    if isinstance(value, str):
        return value
    return "Array" if isinstance(value, list) else "Object"


def _unquoted(literal: str) -> str:
    return literal[1:-1].replace("''", "'")


def _from_json(text: str) -> Value | Unknown:
    try:
        value: Value = json.loads(text, parse_int=float, parse_constant=_refuse)
        # Lone \ud800 escapes are legal JSON and no legal text.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return UNKNOWN
    return UNKNOWN if _is_too_deep(value) else value


def _is_too_deep(value: Value) -> bool:
    level: list[Any] = [[value]]
    for _ in range(MAX_JSON_DEPTH):
        level = [item for held in level for item in (held.values() if isinstance(held, dict) else held)]
        level = [item for item in level if isinstance(item, list | dict)]
        if not level:
            return False
    return True


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not JSON")
