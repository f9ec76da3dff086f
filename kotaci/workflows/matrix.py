"""`strategy.matrix` to legs, by the rules of GitHub's own reader.

Source of the rules: actions/runner, src/Sdk/WorkflowParser/Conversion/MatrixBuilder.cs, and the page "Running
variations of jobs in a workflow" of GitHub's documentation. In short: the product in declared order; `exclude`
removes what matches all its leaves; `include` adds its other keys to every combination of the product that
matches, never overwriting a declared key, and becomes a leg of its own where none matched. Values are compared as
`==` does in expressions: text without case, a number equals its text, missing equals null, "" and 0.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kotaci.workflows.expressions import UNKNOWN, Unknown, Value, evaluate, fill, split_text, to_text
from kotaci.workflows.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAX_LEGS = 256
"""GitHub's limit for one matrix; a larger one fails at run time, and only the first 256 legs are kept here."""

MAX_COMPARISONS = 500_000
"""Combinations times filter leaves that are tried; a matrix beyond is reported and not expanded."""

MAX_LEG_TEXT = 200
"""GitHub cuts whole names at 100 characters, so longer legs are told apart by what comes first."""


@dataclass(frozen=True)
class Leg:
    """One combination: all its values, and the text GitHub shows in brackets (without values added by `include`)."""

    values: Mapping[str, Value]
    text: str


@dataclass(frozen=True)
class Expansion:
    """The legs of a matrix; none and `is_dynamic` where only a run can tell."""

    legs: tuple[Leg, ...]
    is_dynamic: bool
    problems: tuple[tuple[int, str], ...] = ()


def expand_matrix(node: Node) -> Expansion:
    """Return the legs that the value of `matrix:` declares. Never raises; what is wrong is in `problems`."""
    matrix = _static_value(node)
    if isinstance(matrix, Unknown):
        return Expansion((), is_dynamic=True)
    if not isinstance(matrix, dict):
        return Expansion((), is_dynamic=False, problems=((node.line, "matrix is not a mapping"),))
    problems: list[tuple[int, str]] = []
    lines = {entry.key: entry.line for entry in node.entries} if isinstance(node, MappingNode) else {}
    vectors, include, exclude = _read_lists(matrix, lines=lines, line=node.line, problems=problems)
    n_leaves = 1 + sum(len(list(_leaves(item))) for item in (*include, *exclude))
    if math.prod(len(values) for values in vectors.values()) * n_leaves > MAX_COMPARISONS:
        problems.append((node.line, "the matrix is too large to be expanded"))
        return Expansion((), is_dynamic=False, problems=tuple(problems))
    legs = list(_combine(vectors, include=include, exclude=exclude))
    if len(legs) > MAX_LEGS:
        problems.append((node.line, f"{len(legs)} legs; GitHub allows {MAX_LEGS}"))
    return Expansion(tuple(legs[:MAX_LEGS]), is_dynamic=False, problems=tuple(problems))


def _read_lists(
    matrix: Mapping[str, Value], *, lines: Mapping[str, int], line: int, problems: list[tuple[int, str]]
) -> tuple[dict[str, list[Value]], list[dict[str, Value]], list[dict[str, Value]]]:
    """Return (vectors, include, exclude); what cannot be used is left out and told in `problems`."""
    vectors: dict[str, list[Value]] = {}
    filters: dict[str, list[dict[str, Value]]] = {"include": [], "exclude": []}
    for key, values in matrix.items():
        here = lines.get(key, line)
        if not isinstance(values, list):
            problems.append((here, f"matrix '{key}' is not a list"))
        elif key in filters:
            filters[key] = [item for item in values if isinstance(item, dict) and item]
            if len(filters[key]) < len(values):
                problems.append((here, f"an item of matrix '{key}' is not a mapping with values"))
        elif values:
            vectors[key] = values
        else:
            problems.append((here, f"matrix '{key}' does not contain any values"))
    names = {name.casefold() for name in vectors}
    for key in sorted({key for item in filters["exclude"] for key in item if key.casefold() not in names}):
        problems.append((lines.get("exclude", line), f"exclude key '{key}' is not a key of the matrix"))
    if not vectors and not filters["include"]:
        problems.append((line, "the matrix declares no values"))
    return vectors, filters["include"], filters["exclude"]


def _combine(
    vectors: Mapping[str, Sequence[Value]],
    *,
    include: Sequence[dict[str, Value]],
    exclude: Sequence[dict[str, Value]],
) -> Iterator[Leg]:
    names = {name.casefold() for name in vectors}
    exclude_leaves = [list(_leaves(_folded(item))) for item in exclude]
    wanted, extras = [], []
    for item in include:
        own = {key: value for key, value in item.items() if key.casefold() in names}
        wanted.append((own, list(_leaves(_folded(own)))))
        extras.append({key: value for key, value in item.items() if key not in own})
    matched: set[int] = set()
    choices = [[(value, _folded(value)) for value in values] for values in vectors.values()]
    for chosen in itertools.product(*choices) if vectors else ():
        combination = {key: value for key, (value, _) in zip(vectors, chosen, strict=True)}
        folded: Value = {key.casefold(): value for key, (_, value) in zip(vectors, chosen, strict=True)}
        if any(_matches(folded, leaves) for leaves in exclude_leaves):
            continue
        added: dict[str, Value] = {}
        for number, (_, leaves) in enumerate(wanted):
            if _matches(folded, leaves):
                matched.add(number)
                added.update(extras[number])
        yield Leg({**combination, **added}, _leg_text(combination))
    for number, (own, _) in enumerate(wanted):
        if number not in matched:
            combination = {**own, **extras[number]}
            yield Leg(combination, _leg_text(combination))


def _folded(value: Value) -> Value:
    """Return the value with its keys in one case, so that a look-up is a look-up."""
    if isinstance(value, dict):
        return {key.casefold(): _folded(item) for key, item in value.items()}
    return [_folded(item) for item in value] if isinstance(value, list) else value


def _leaves(value: Value) -> Iterator[tuple[tuple[str | int, ...], Value]]:
    """Yield (path, scalar) for each scalar in the value, in declared order."""
    stack: list[tuple[tuple[str | int, ...], Value]] = [((), value)]
    while stack:
        path, current = stack.pop()
        if isinstance(current, dict):
            stack.extend(((*path, key), item) for key, item in reversed(current.items()))
        elif isinstance(current, list):
            stack.extend(((*path, index), item) for index, item in reversed(list(enumerate(current))))
        else:
            yield path, current


def _matches(combination: Value, leaves: Sequence[tuple[tuple[str | int, ...], Value]]) -> bool:
    for path, wanted in leaves:
        value = combination
        for step in path:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                value = None
        if not _loosely_equal(value, wanted):
            return False
    return True


def _loosely_equal(left: Value, right: Value) -> bool:
    """Return `left == right` as GitHub's expressions have it (EvaluationResult.cs); `right` is a scalar."""
    if isinstance(left, list | dict):
        return False
    if isinstance(left, str) and isinstance(right, str):
        return left.upper() == right.upper()
    if left is None and right is None:
        return True
    return _number(left) == _number(right)


_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_PREFIXED = re.compile(r"0x[0-9a-fA-F]{1,8}|0o[0-7]{1,11}")


def _number(value: Value) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool | float):
        return float(value)
    text = str(value).strip()
    if not text or _NUMBER.fullmatch(text):
        return float(text or 0)
    if _PREFIXED.fullmatch(text):
        return float(int(text, 0))
    return {"Infinity": math.inf, "-Infinity": -math.inf}.get(text, math.nan)


def _leg_text(combination: dict[str, Value]) -> str:
    """Return every scalar in the combination, also those inside objects; null and "" leave no trace."""
    text = ""
    for _, value in _leaves(combination):
        if segment := to_text(value):
            text += (", " if text else "") + segment[: MAX_LEG_TEXT + 1]
        if len(text) > MAX_LEG_TEXT:
            return text[: MAX_LEG_TEXT - 3] + "..."
    return text


def _static_value(node: Node) -> Value | Unknown:
    """Return the value of a node, with literal expressions evaluated; UNKNOWN where any other is in it."""
    if isinstance(node, ScalarNode):
        return _static_scalar(node)
    if isinstance(node, SequenceNode):
        items = [_static_value(item) for item in node.items]
        return UNKNOWN if UNKNOWN in items else [item for item in items if not isinstance(item, Unknown)]
    values = {entry.key: _static_value(entry.value) for entry in node.entries}
    if any(value is UNKNOWN or "${{" in key for key, value in values.items()):
        return UNKNOWN
    return {key: value for key, value in values.items() if not isinstance(value, Unknown)}


def _static_scalar(node: ScalarNode) -> Value | Unknown:
    value = node.value
    if not isinstance(value, str) or "${{" not in value:
        return value
    parts = list(split_text(value.strip()))
    if len(parts) == 2 and parts[0][0] == parts[1][0] == "" and parts[0][1] is not None:
        return evaluate(parts[0][1])
    filled = fill(value)
    return UNKNOWN if filled is None else filled
