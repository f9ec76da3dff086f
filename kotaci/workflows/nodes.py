"""YAML text to a bounded tree of nodes that know their lines.

The tree is built from parser events with a stack of our own: an alias is a shared node, so a file cannot
explode in memory, and depth, size and recursion are checked before anything walks the tree.
Scalars follow the YAML 1.2 core schema, as GitHub reads them: `on` and `yes` are text, `3.10` is a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml import events as yaml_events
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

MAX_CHARACTERS = 1 << 20
"""Longer files are refused; real ones are below 100 KB."""

MAX_NODES = 50_000
"""GitHub's own limit for one file, counted with every alias written out (actions/runner, YamlObjectReader)."""

MAX_DEPTH = 100

_BREAKS = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{sign + word: float("inf") for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


class TreeError(Exception):
    """Why a text is not a tree, and the line (from 1) that says so."""

    def __init__(self, line: int, message: str) -> None:
        self.line, self.message = line, message
        super().__init__(f"line {line}: {message}")


@dataclass(frozen=True)
class ScalarNode:
    """One scalar: its text, and whether it was written without quotes and tag."""

    text: str
    is_plain: bool
    line: int
    end_line: int
    height: int = 1
    n_nodes: int = 1

    @property
    def value(self) -> str | float | bool | None:
        """Return the value by the core schema; every number is a float, as on GitHub."""
        if not self.is_plain:
            return self.text
        if self.text in _SPECIAL:
            return _SPECIAL[self.text]
        if _INTEGER.fullmatch(self.text):
            return float(int(self.text, 0 if self.text[:2] in {"0o", "0x"} else 10))
        return float(self.text) if _FLOAT.fullmatch(self.text) else self.text


@dataclass(frozen=True)
class SequenceNode:
    """One list of nodes."""

    items: tuple[Node, ...]
    line: int
    end_line: int
    height: int
    n_nodes: int


@dataclass(frozen=True)
class Entry:
    """One `key: value` of a mapping; `line` is the line of the key."""

    key: str
    line: int
    value: Node


@dataclass(frozen=True)
class MappingNode:
    """One mapping, in declared order; of keys that differ in case only the first is kept, as GitHub refuses them."""

    entries: tuple[Entry, ...]
    line: int
    end_line: int
    height: int
    n_nodes: int

    def get(self, key: str) -> Node | None:
        """Return the value of the key; None where it is not there."""
        return next((entry.value for entry in self.entries if entry.key == key), None)


Node: TypeAlias = ScalarNode | SequenceNode | MappingNode


@dataclass
class _Open:
    """A collection whose end has not been met yet."""

    is_mapping: bool
    anchor: str | None
    line: int
    children: list[Node] = field(default_factory=list)


def read_tree(text: str) -> tuple[Node | None, list[tuple[int, str]]]:
    """Return the root node (None for an empty text) and what was left out: (line, message).

    Raises TreeError for text that is not YAML, is too large, too deep, or refers to itself.
    """
    if len(text) > MAX_CHARACTERS:
        raise TreeError(1, f"the file has {len(text)} characters; more than {MAX_CHARACTERS} are not read")
    text = _well_formed(text.removeprefix("\ufeff"))
    tree = _Composer(_BREAKS.split(text))
    n_documents = 0
    for event in _events(text):
        if isinstance(event, yaml_events.DocumentStartEvent):
            n_documents += 1
            if n_documents > 1:
                line = event.start_mark.line + 1
                tree.problems.append((line, "more than one document; only the first counts"))
                break
        else:
            tree.add(event)
    root = tree.root
    return (None if isinstance(root, ScalarNode) and root.value is None else root), tree.problems


@dataclass
class _Composer:
    """Builds the tree event by event, without recursion."""

    lines: list[str]
    problems: list[tuple[int, str]] = field(default_factory=list)
    root: Node | None = None
    anchors: dict[str, Node] = field(default_factory=dict)
    stack: list[_Open] = field(default_factory=list)

    def add(self, event: yaml_events.Event) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml_events.CollectionStartEvent):
            self.stack.append(_Open(isinstance(event, yaml_events.MappingStartEvent), event.anchor, line))
            if len(self.stack) > MAX_DEPTH:
                raise TreeError(line, f"nested deeper than {MAX_DEPTH} levels")
        elif isinstance(event, yaml_events.ScalarEvent):
            self.attach(_to_scalar(event, self.lines), event.anchor)
        elif isinstance(event, yaml_events.AliasEvent):
            if event.anchor not in self.anchors:
                raise TreeError(line, f"alias *{event.anchor} refers to no anchor that is complete")
            self.attach(replace(self.anchors[event.anchor], line=line, end_line=line), None)
        elif isinstance(event, yaml_events.CollectionEndEvent):
            closed = self.stack.pop()
            node = _close(closed, event.end_mark.line + 1, self.lines, self.problems)
            if node.height > MAX_DEPTH or node.n_nodes > MAX_NODES:
                raise TreeError(closed.line, f"more than {MAX_DEPTH} levels or {MAX_NODES} nodes")
            self.attach(node, closed.anchor)

    def attach(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = node
        if self.stack:
            self.stack[-1].children.append(node)
        else:
            self.root = node


def to_plain(node: Node | None) -> Any:
    """Return the tree as dicts, lists and scalars; an alias comes out as often as it is used."""
    if isinstance(node, MappingNode):
        return {entry.key: to_plain(entry.value) for entry in node.entries}
    if isinstance(node, SequenceNode):
        return [to_plain(item) for item in node.items]
    return None if node is None else node.value


def _events(text: str) -> Iterator[yaml_events.Event]:
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = [word for word in (error.context, error.problem) if word]
        raise TreeError(mark.line + 1 if mark else 1, "; ".join(words) or "not YAML") from error
    except ReaderError as error:
        raise TreeError(text.count("\n", 0, error.position) + 1, "a character that YAML does not allow") from error
    except (YAMLError, ValueError, OverflowError) as error:
        # ruamel lets plain Python errors through: a %YAML version or a \U escape that is too large, for one.
        raise TreeError(1, f"not YAML: {error}") from error


def _to_scalar(event: yaml_events.ScalarEvent, lines: list[str]) -> ScalarNode:
    line, end_line = event.start_mark.line + 1, event.end_mark.line + 1
    if event.style in {"|", ">"}:
        # The end mark stands at what comes next; where nothing does, at the end of a last line without a line end.
        is_last = end_line == len(lines) and 0 < event.end_mark.column == len(lines[-1])
        end_line = _last_filled(lines, line, end_line if is_last else end_line - 1)
    is_plain = event.implicit[0] if event.tag is None else not str(event.tag).endswith(("str", "!"))
    return ScalarNode(_well_formed(event.value), is_plain, line, max(line, end_line))


def _close(closed: _Open, end: int, lines: list[str], problems: list[tuple[int, str]]) -> Node:
    children = closed.children
    # The end mark of a block collection stands at the next token, so the last child tells the last line;
    # a flow collection ends at its bracket.
    last = max((child.end_line for child in children), default=closed.line)
    if end <= len(lines) and lines[end - 1].lstrip().startswith(("]", "}")):
        last = max(last, end)
    height = 1 + max((child.height for child in children), default=0)
    n_nodes = 1 + sum(child.n_nodes for child in children)
    if not closed.is_mapping:
        return SequenceNode(tuple(children), closed.line, last, height, n_nodes)
    entries: dict[str, Entry] = {}
    for key, value in zip(children[::2], children[1::2], strict=True):
        if not isinstance(key, ScalarNode):
            problems.append((key.line, "a key that is a list or a mapping"))
        elif key.is_plain and key.text == "<<":
            problems.append((key.line, "merge keys (<<) are not supported by GitHub"))
        elif key.text.casefold() in entries:
            problems.append((key.line, f"'{key.text}' is already defined"))
        else:
            entries[key.text.casefold()] = Entry(key.text, key.line, value)
    return MappingNode(tuple(entries.values()), closed.line, last, height, n_nodes)


def _last_filled(lines: list[str], first: int, last: int) -> int:
    last = min(last, len(lines))
    while last > first and not lines[last - 1].strip():
        last -= 1
    return last


def _well_formed(text: str) -> str:
    """Return the text with lone surrogates (which no file can hold) replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")
