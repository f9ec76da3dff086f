"""Conditions (`if:`) decided as far as a file can: may this hold for one of the events that start the workflow?

What only a run can tell stays open, so "never" is said only where every value that GitHub may give leads there.
Sources: docs.github.com, "Evaluate expressions" (loose comparison, texts without case, `&&` and `||` give operands) and
"Events that trigger workflows" (which `github.ref` an event has).
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from kotaci.workflows import Leg, Trigger, WorkflowFile, WorkflowJob
from kotaci.workflows.expressions import fill, split_text

Scalar: TypeAlias = str | float | bool | None
MAX_LENGTH, MAX_DEPTH, MAX_CASES = 4000, 40, 128
"""Longer or deeper conditions are left open; more combinations of compared values too."""

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|(?P<mark>==|!=|<=|>=|&&|\|\||[<>!()\[\].,*]))"
)
_RESULTS = frozenset({"success", "failure", "cancelled", "skipped"})
_STATUS = {"always", "success", "failure", "cancelled"}
_OTHER = "\0"
"""stands for every text that a condition does not name"""


@dataclass(frozen=True)
class Possible:
    """What a value may be: one of `values`, or where they are None any text that begins with one of `starts`."""

    values: frozenset[Scalar] | None = None
    starts: tuple[str, ...] = ("",)


ANY = Possible()
TRUTH = Possible(frozenset({True, False}))


def only(*values: Scalar) -> Possible:
    """Return a value that is one of these."""
    return Possible(frozenset(values))


@dataclass(frozen=True)
class World:
    """One event that starts a workflow, in words, and what is known of the contexts then."""

    said: str
    known: Mapping[str, Possible] = field(default_factory=dict)

    def of(self, path: str) -> Possible:
        """Return what a context's value may be; below a null all is null."""
        if path in self.known:
            return self.known[path]
        around = path
        while around := around.rpartition(".")[0]:
            if self.known.get(around) == only(None):
                return only(None)
            if f"{around}.*" in self.known:
                return self.known[f"{around}.*"]
        if re.fullmatch(r"needs\.[^.]+\.result|steps\.[^.]+\.(?:outcome|conclusion)", path):
            return Possible(frozenset(_RESULTS))
        return only("success", "failure", "cancelled") if path == "job.status" else ANY

    def with_known(self, more: Mapping[str, Possible]) -> World:
        """Return the world in which that is known too."""
        return World(self.said, {**self.known, **more})


@dataclass(frozen=True)
class Node:
    """A part of a condition: `kind` is literal, path, call, not, and, or, compare or open."""

    kind: str
    value: Scalar = None
    """the literal; the name of path and call; the operator of a comparison"""
    parts: tuple[Node, ...] = ()

    def walk(self) -> Iterator[Node]:
        """Yield it and all below."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(node.parts)


_OPEN = Node("open")


@lru_cache(maxsize=2048)
def parse_condition(text: str) -> Node:
    """Return the condition of `if:`, with or without `${{ }}`; an open node for what cannot be read."""
    pairs = list(split_text(text.strip()))
    expressions = [inside for _, inside in pairs if inside is not None]
    if expressions:
        if len(expressions) > 1 or any(literal.strip() for literal, _ in pairs):
            return _OPEN
        text = expressions[0]
    if len(text) > MAX_LENGTH:
        return _OPEN
    tokens, place = [], 0
    while place < len(text.rstrip()):
        found = _TOKEN.match(text, place)
        if found is None:
            return _OPEN
        tokens.append((found.lastgroup or "", found[found.lastgroup or 0]))
        place = found.end()
    reader = _Reader(tokens)
    try:
        node = reader.either(0)
    except _Unreadable:
        return _OPEN
    return node if reader.place == len(tokens) else _OPEN


class _Unreadable(Exception):
    pass


class _Reader:
    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        self.tokens, self.place = tokens, 0

    def next(self) -> str:
        kind, text = self.tokens[self.place] if self.place < len(self.tokens) else ("", "")
        return text if kind == "mark" else ""

    def takes(self, *marks: str) -> str:
        text = self.next()
        if text in marks:
            self.place += 1
            return text
        return ""

    def wants(self, mark: str) -> None:
        if not self.takes(mark):
            raise _Unreadable

    def either(self, depth: int) -> Node:
        parts = [self.all(depth)]
        while self.takes("||"):
            parts.append(self.all(depth))
        return Node("or", parts=tuple(parts)) if len(parts) > 1 else parts[0]

    def all(self, depth: int) -> Node:
        parts = [self.comparison(depth)]
        while self.takes("&&"):
            parts.append(self.comparison(depth))
        return Node("and", parts=tuple(parts)) if len(parts) > 1 else parts[0]

    def comparison(self, depth: int) -> Node:
        left = self.one(depth)
        while operator := self.takes("==", "!=", "<", "<=", ">", ">="):
            left = Node("compare", operator, (left, self.one(depth)))
        return left

    def one(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise _Unreadable
        if self.takes("!"):
            return Node("not", parts=(self.one(depth + 1),))
        if self.takes("("):
            inside = self.either(depth + 1)
            self.wants(")")
            return self.indexed(inside, depth) if self.next() in {".", "["} else inside
        kind, text = self.tokens[self.place] if self.place < len(self.tokens) else ("", "")
        self.place += 1
        if kind == "text":
            return Node("literal", text[1:-1].replace("''", "'"))
        if kind == "number":
            return Node("literal", float(text))
        if kind != "name":
            raise _Unreadable
        if text.casefold() in {"true", "false", "null"}:
            return Node("literal", {"true": True, "false": False}.get(text.casefold()))
        if self.takes("("):
            parts = []
            while not self.takes(")"):
                parts.append(self.either(depth + 1))
                if self.next() != ")":
                    self.wants(",")
            called = Node("call", text.casefold(), tuple(parts))
            return self.indexed(called, depth) if self.next() in {".", "["} else called
        return self.indexed(Node("path", text.casefold()), depth)

    def indexed(self, node: Node, depth: int) -> Node:
        while mark := self.takes(".", "["):
            kind, text = self.tokens[self.place] if self.place < len(self.tokens) else ("", "")
            if mark == ".":
                self.place += 1
                if kind != "name" and text != "*":
                    raise _Unreadable
                key = text.casefold()
            else:
                inside = self.either(depth + 1)
                self.wants("]")
                key = str(inside.value).casefold() if inside.kind == "literal" else "*"
            node = Node("path", f"{node.value}.{key}") if node.kind == "path" else _OPEN
        return node


def has_status(condition: str) -> bool:
    """Tell whether it asks for a status, so that GitHub does not put `success()` before it."""
    return any(node.kind == "call" and node.value in _STATUS for node in parse_condition(condition).walk())


def is_constant(condition: str) -> bool:
    """Tell whether it reads no context and calls nothing."""
    return all(node.kind not in {"path", "call", "open"} for node in parse_condition(condition).walk())


def can_hold(condition: str, world: World) -> bool:
    """Return whether the condition may hold there; an empty one does."""
    return not condition or any(_is_true(value) is not False for value in _cases(parse_condition(condition), world))


def can_fail(condition: str, world: World) -> bool:
    """Return whether the condition may not hold there."""
    return bool(condition) and any(_is_true(value) is not True for value in _cases(parse_condition(condition), world))


def _cases(node: Node, world: World) -> Iterator[Possible]:
    """Yield its value for each combination of the values of what it compares more than once."""
    compared: dict[str, list[Scalar]] = {}
    for one in node.walk():
        if (
            one.kind == "compare"
            and one.value in {"==", "!="}
            and {part.kind for part in one.parts} == {"path", "literal"}
        ):
            path, literal = sorted(one.parts, key=lambda part: part.kind, reverse=True)
            compared.setdefault(str(path.value), []).append(literal.value)
    uses = [str(one.value) for one in node.walk() if one.kind == "path"]
    names = [name for name, values in compared.items() if len(values) > 1 and uses.count(name) == len(values)]
    choices = [_choices(world.of(name), compared[name]) for name in names]
    if math.prod(map(len, choices)) > MAX_CASES:
        names, choices = [], []
    for values in itertools.product(*choices):
        yield _value(node, world.with_known({name: only(value) for name, value in zip(names, values, strict=True)}))


def _choices(possible: Possible, compared: Sequence[Scalar]) -> list[Scalar]:
    if possible.values is not None:
        return list(possible.values)
    return [*dict.fromkeys(compared), _OTHER]


def _value(node: Node, world: World) -> Possible:
    match node.kind:
        case "literal":
            return only(node.value)
        case "path":
            return world.of(str(node.value))
        case "not":
            truth = _is_true(_value(node.parts[0], world))
            return TRUTH if truth is None else only(not truth)
        case "and" | "or":
            return _chosen(node, world)
        case "compare":
            return _compared(str(node.value), *(_value(part, world) for part in node.parts))
        case "call":
            return _called(str(node.value), [_value(part, world) for part in node.parts], world)
    return ANY


def _chosen(node: Node, world: World) -> Possible:
    """Return what `&&` or `||` gives: the first operand that decides, else the last."""
    decides, may_be = node.kind == "or", set[Scalar]()
    for part in node.parts[:-1]:
        value = _value(part, world)
        truth = _is_true(value)
        if truth is decides:
            return _either(may_be, value)
        if truth is None:
            if value.values is None:
                # It may be this operand, any text that is (for `||`) or is not (for `&&`) empty.
                if decides:
                    may_be.add(_OTHER)
                else:
                    may_be |= {"", None, False}
            else:
                may_be |= {one for one in value.values if bool(one) is decides}
    return _either(may_be, _value(node.parts[-1], world))


def _either(may_be: set[Scalar], last: Possible) -> Possible:
    return Possible(frozenset(may_be) | last.values) if last.values is not None else ANY if may_be else last


def _is_true(possible: Possible) -> bool | None:
    """Return whether the value counts as true; None where it may be either."""
    if possible.values is None:
        return True if all(possible.starts) else None
    found = {bool(value) for value in possible.values}
    return found.pop() if len(found) == 1 else None


def _compared(operator: str, left: Possible, right: Possible) -> Possible:
    if operator not in {"==", "!="}:
        return TRUTH
    if left.values is not None and right.values is not None:
        found = {_is_equal(one, other) for one in left.values for other in right.values}
    elif right.values is not None or left.values is not None:
        opened, known = (left, right) if right.values is not None else (right, left)
        may_be = any(_may_begin(one, opened.starts) for one in known.values or ())
        found = {True, False} if may_be else {False}
    else:
        return TRUTH
    return Possible(frozenset(one == (operator == "==") for one in found))


def _may_begin(value: Scalar, starts: Sequence[str]) -> bool:
    return any(not start or (isinstance(value, str) and value.casefold().startswith(start)) for start in starts)


def _is_equal(one: Scalar, other: Scalar) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.casefold() == other.casefold()
    if type(one) is type(other):
        return one == other
    return _number(one) == _number(other)


def _number(value: Scalar) -> float:
    if isinstance(value, str):
        try:
            return float(value.strip() or 0)
        except ValueError:
            return math.nan
    return float(value or 0)


def _called(name: str, given: Sequence[Possible], world: World) -> Possible:
    if name in _STATUS:
        return only(True) if name == "always" else world.known.get(f"{name}()", TRUTH)
    if name not in {"contains", "startswith", "endswith"} or len(given) != 2:
        return ANY
    searched, sought = given
    if sought.values is None:
        return TRUTH
    words = ["" if word is None else str(word).casefold() for word in sought.values]
    if searched.values is not None:
        texts = ["" if one is None else str(one).casefold() for one in searched.values]
        if any(_OTHER in text for text in texts):
            return TRUTH
        test = {"contains": str.__contains__, "startswith": str.startswith, "endswith": str.endswith}[name]
        return Possible(frozenset(bool(test(text, word)) for text in texts for word in words))
    if name == "startswith" and not any(
        word.startswith(start) or start.startswith(word) for word in words for start in searched.starts
    ):
        return only(False)
    return TRUTH


_GLOB = re.compile(r"[*?+\[\]!\\]")
_NO_PULL_REQUEST = {
    "github.event.pull_request": only(None),
    "github.base_ref": only(""),
    "github.head_ref": only(""),
}
_NO_INPUTS = {"inputs": only(None), "github.event.inputs": only(None)}


def worlds_of(file: WorkflowFile) -> tuple[World, ...]:
    """Return one world for each event that starts the workflow."""
    return tuple(_world(trigger) for trigger in file.triggers)


def _world(trigger: Trigger) -> World:
    event = trigger.event
    known = {"github.event_name": only(event)}
    match event:
        case "pull_request":
            known |= _of_pull_request(trigger) | _NO_INPUTS
        case "push":
            known |= _of_push(trigger) | _NO_PULL_REQUEST | _NO_INPUTS | {"github.event.action": only(None)}
        case "schedule":
            known |= {"github.ref": Possible(starts=("refs/heads/",)), "github.event.action": only(None)}
            known |= {"github.event.schedule": only(*trigger.crons), **_NO_PULL_REQUEST, **_NO_INPUTS}
        case "release":
            known |= {"github.ref": Possible(starts=("refs/tags/",)), "github.ref_type": only("tag")}
            known |= {**_NO_PULL_REQUEST, **_NO_INPUTS, **_action(trigger.types)}
        case "workflow_dispatch":
            known |= {"github.ref": Possible(starts=("refs/heads/", "refs/tags/")), **_NO_PULL_REQUEST}
        case "merge_group":
            known |= {"github.ref": Possible(starts=("refs/heads/gh-readonly-queue/",)), **_NO_INPUTS}
            known |= {"github.event.pull_request": only(None)}
        case "workflow_call":
            return World("workflow_call")
        case _:
            known |= _action(trigger.types)
    filtered = [*trigger.branches, *trigger.tags]
    return World(f"{event} ({', '.join(filtered)})" if filtered else event, known)


def _action(types: Sequence[str]) -> dict[str, Possible]:
    return {"github.event.action": only(*types)} if types else {}


def _of_pull_request(trigger: Trigger) -> dict[str, Possible]:
    known = _action(trigger.types or ("opened", "synchronize", "reopened"))
    if trigger.branches and not any(map(_GLOB.search, trigger.branches)):
        known["github.base_ref"] = only(*trigger.branches)
    # A merged pull request that is closed has the ref of its base branch.
    if "closed" not in trigger.types:
        known["github.ref"] = Possible(starts=("refs/pull/",))
        known["github.ref_name"] = Possible(starts=tuple("123456789"))
    return known


def _of_push(trigger: Trigger) -> dict[str, Possible]:
    by_branch, by_tag = trigger.branches + trigger.branches_ignore, trigger.tags + trigger.tags_ignore
    names: list[Possible] = []
    if by_branch or not by_tag:
        names.append(_named("refs/heads/", trigger.branches))
    if by_tag or not by_branch:
        names.append(_named("refs/tags/", trigger.tags))
    known = {"github.ref": _joined(names)}
    if len(names) == 1:
        known["github.ref_type"] = only("branch" if by_branch else "tag")
        cut = len("refs/heads/") if by_branch else len("refs/tags/")
        found = names[0]
        known["github.ref_name"] = (
            Possible(frozenset(str(value)[cut:] for value in found.values))
            if found.values is not None
            else Possible(starts=tuple(start[cut:] for start in found.starts))
        )
    return known


def _named(prefix: str, patterns: Sequence[str]) -> Possible:
    if patterns and not any(map(_GLOB.search, patterns)):
        return only(*(prefix + pattern for pattern in patterns))
    starts = [_start(pattern) for pattern in patterns if not pattern.startswith("!")]
    return Possible(starts=tuple((prefix + start).casefold() for start in starts) or (prefix,))


def _start(pattern: str) -> str:
    """Return what every name that the pattern fits begins with; `?` makes the letter before it optional."""
    found = _GLOB.search(pattern)
    if found is None:
        return pattern
    return pattern[: max(0, found.start() - (found[0] == "?"))]


def _joined(names: Sequence[Possible]) -> Possible:
    if all(name.values is not None for name in names):
        return Possible(frozenset().union(*(name.values or () for name in names)))
    starts = [str(value).casefold() for name in names for value in name.values or ()]
    return Possible(starts=(*starts, *(start for name in names if name.values is None for start in name.starts)))


_SYSTEMS = {"ubuntu": "Linux", "windows": "Windows", "macos": "macOS"}


def of_leg(job: WorkflowJob, leg: Leg | None) -> dict[str, Possible]:
    """Return what a leg of the job knows of `matrix` and `runner.os`."""
    known: dict[str, Possible] = {}
    if leg is not None:
        for name, value in leg.values.items():
            is_plain = isinstance(value, str | float | bool) or value is None
            known[f"matrix.{name.casefold()}"] = only(value) if is_plain else ANY  # type: ignore[arg-type]
            if not is_plain:
                known[f"matrix.{name.casefold()}.*"] = ANY
        known["matrix.*"] = only(None)
    elif not job.is_dynamic:
        known["matrix"] = only(None)
    labels = [fill(label, matrix=leg.values if leg else None) or "" for label in job.runs_on]
    system = _SYSTEMS.get(labels[0].partition("-")[0].casefold()) if len(labels) == 1 and "-" in labels[0] else None
    return {**known, "runner.os": only(system) if system else only(*_SYSTEMS.values())}
