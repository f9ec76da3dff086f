"""The scripts of `run:` as commands: which words, on which line, and whether anybody hears of it when one fails.

Parsed by tree-sitter's grammar of bash, which reads sh too; scripts of other shells have no commands here. GitHub runs
a script without `shell:` as `bash -e`, and with `shell: bash` as `bash -eo pipefail` (docs: Workflow syntax, `shell`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_bash.language()))
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)
_QUOTED = {"string", "raw_string", "ansi_c_string"}
_WORD_KINDS = {"word", "number", "concatenation", "simple_expansion", "expansion", "arithmetic_expansion"} | _QUOTED
_WORDS = _WORD_KINDS | {"command_substitution", "process_substitution", "brace_expression"}
_LOOPS = {"if_statement", "elif_clause", "while_statement"}
_KEPT = re.compile(r"GITHUB_(?:OUTPUT|ENV|STATE)\b")
_BASH = re.compile(r"(?:\S*/)?(?:ba)?sh(?:\.exe)?\b")
SHOWN = 60
"""So many characters of a command a sentence quotes."""
MAX_BYTES = 200_000
"""Longer scripts are not read; the largest real ones have some 20 kB."""


class Unheard(StrEnum):
    """Why the failure of a command does not fail its step; empty where it does."""

    NO = ""
    OR = "or"
    """`|| true`: what stands behind it cannot fail"""
    PIPE = "pipe"
    """not the last of a pipeline, without pipefail"""
    TESTED = "tested"
    """a condition of `if`, `while`, `!`, or followed by `&&` or an `||` that may fail: the script looks at it"""
    BACKGROUND = "background"
    SUBSTITUTED = "substituted"
    """within `$(…)`"""
    NOT_STOPPED = "not stopped"
    """without `-e`, and not the last command"""


@dataclass(frozen=True)
class Command:
    """One command: its words without quotes, expressions and variables as written; lines are those of the file."""

    words: tuple[str, ...]
    line: int
    end_line: int
    unheard: Unheard
    env: tuple[tuple[str, str], ...] = ()
    """what is set before it, for it alone"""
    piped_to: tuple[str, ...] = ()
    """the words of the next command of its pipeline"""
    redirects: tuple[str, ...] = ()
    under: tuple[str, ...] = ()
    """the conditions it stands under, the nearest first: of `if`, `elif`, `case`, and before `&&` and `||`"""

    @property
    def name(self) -> str:
        """Return the program, without folder."""
        return self.words[0].rpartition("/")[2] if self.words else ""

    @property
    def text(self) -> str:
        """Return the words in one line."""
        return " ".join(self.words)

    @property
    def shown(self) -> str:
        """Return the words in one line, cut where they are many."""
        text = re.sub(r"\s+", " ", self.text)
        return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"

    def has(self, *flags: str) -> bool:
        """Return whether one of these words stands in it, alone or before `=`."""
        return any(word == flag or word.startswith(f"{flag}=") for word in self.words[1:] for flag in flags)

    def value(self, *flags: str) -> str:
        """Return what follows the first of these flags, as the next word or behind `=`; empty where none does."""
        for place, word in enumerate(self.words):
            for flag in flags:
                if word.startswith(f"{flag}="):
                    return word[len(flag) + 1 :]
                if word == flag and place + 1 < len(self.words):
                    return self.words[place + 1]
        return ""


@dataclass(frozen=True)
class Script:
    """What a script does. `is_known`: of a shell that is read; `is_broken`: bash could not read it."""

    commands: tuple[Command, ...] = ()
    assigned: tuple[tuple[str, str, int], ...] = ()
    """variables set for the rest of the script: name, value, line"""
    has_pipefail: bool = False
    stops: bool = True
    """on the first failure (`-e`)"""
    is_known: bool = True
    is_broken: bool = False


@lru_cache(maxsize=4096)
def parse_script(text: str, *, shell: str = "", line: int = 1) -> Script:
    """Return the commands of a script whose first line is that line of its file.

    `shell` is what the step, its job or file says, or empty. Never raises.
    """
    if (shell and not _BASH.match(shell)) or len(text.encode()) > MAX_BYTES:
        return Script(is_known=False)
    has_pipefail = shell == "bash" or "pipefail" in shell
    stops = shell in {"", "bash", "sh"} or bool(re.search(r"\s-\w*e", shell))
    source, held = _without_expressions(text)
    tree = _PARSER.parse(source.encode())
    reader = _Reader(source.encode(), held, line, has_pipefail=has_pipefail, stops=stops)
    reader.read(tree.root_node)
    return Script(
        commands=tuple(reader.commands),
        assigned=tuple(reader.assigned),
        has_pipefail=reader.has_pipefail,
        stops=reader.stops,
        is_broken=tree.root_node.has_error,
    )


def _without_expressions(text: str) -> tuple[str, dict[str, str]]:
    """Return the text with each `${{ }}` as one word of letters, with as many line ends, and what each stands for."""
    held: dict[str, str] = {}

    def word_of(found: re.Match[str]) -> str:
        word = f"EXPRESSION{len(held)}X"
        held[word] = found[0]
        return word + "\n" * found[0].count("\n")

    return _EXPRESSION.sub(word_of, text.replace("\r\n", "\n")), held


class _Reader:
    def __init__(self, source: bytes, held: dict[str, str], line: int, *, has_pipefail: bool, stops: bool) -> None:
        self.source, self.held, self.line = source, held, line
        self.has_pipefail, self.stops = has_pipefail, stops
        self.commands: list[Command] = []
        self.assigned: list[tuple[str, str, int]] = []

    def read(self, root: Node) -> None:
        """Visit every command in the order of the text; without recursion, so that depth is no limit."""
        stack = [root]
        while stack:
            node = stack.pop()
            if node.type == "command":
                self.command(node)
            elif node.type == "variable_assignment" and (node.parent is None or node.parent.type != "command"):
                name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
                if name is not None:
                    said = self.word(value) if value is not None else ""
                    self.assigned.append((self.text(name), said, self.line + node.start_point.row))
            stack.extend(reversed(node.children))

    def command(self, node: Node) -> None:
        words = self.words(node)
        env = [
            (self.text(name), self.word(value) if (value := child.child_by_field_name("value")) is not None else "")
            for child in node.children
            if child.type == "variable_assignment" and (name := child.child_by_field_name("name")) is not None
        ]
        pipe = _ancestor(node, "pipeline")
        after = _next_in(pipe, node) if pipe is not None else None
        around = node.parent if node.parent is not None and node.parent.type == "redirected_statement" else None
        self.commands.append(
            Command(
                words=tuple(words),
                line=self.line + node.start_point.row,
                end_line=self.line + node.end_point.row,
                unheard=self.unheard(node),
                env=tuple(env),
                piped_to=tuple(self.words_of(after)) if after is not None else (),
                redirects=tuple(self.text(one) for one in around.children[1:]) if around is not None else (),
                under=tuple(self.conditions(node)),
            )
        )
        if words and words[0] == "set":
            self.set(words[1:])

    def set(self, options: list[str]) -> None:
        for place, option in enumerate(options):
            if option[:1] in {"-", "+"} and "o" in option and "pipefail" in options[place + 1 : place + 2]:
                self.has_pipefail = option[0] == "-"
            if re.fullmatch(r"[-+][a-z]*e[a-z]*", option) or "errexit" in options[place + 1 : place + 2]:
                self.stops = option[0] == "-"

    def unheard(self, node: Node) -> Unheard:
        """Walk up from the command: the first thing around it that hides its exit code decides."""
        child = node
        while (parent := child.parent) is not None:
            if parent.type in {"command_substitution", "process_substitution"} and not _is_assigned(parent):
                return Unheard.SUBSTITUTED
            if parent.type == "pipeline" and _last(parent) != child and not self.has_pipefail:
                return Unheard.PIPE
            if parent.type == "negated_command":
                return Unheard.TESTED
            if parent.type == "function_definition":
                # Who calls it hears of it, or not.
                return Unheard.NO
            if parent.type in _LOOPS and _is_condition(parent, child):
                return Unheard.TESTED
            if parent.type == "list" and parent.named_children[0] == child:
                operator = parent.children[1].type
                if operator == "||":
                    return Unheard.OR if self.cannot_fail(parent.named_children[-1]) else Unheard.TESTED
                if operator == "&&":
                    return Unheard.TESTED
            following = child.next_sibling
            if following is not None and following.type == "&":
                return Unheard.BACKGROUND
            if parent.type == "program" and not self.stops and _last(parent) != child:
                return Unheard.NOT_STOPPED
            child = parent
        return Unheard.NO

    def conditions(self, node: Node) -> Iterator[str]:
        """Yield what decides whether the command is reached, as written."""
        child = node
        while (parent := child.parent) is not None:
            if parent.type in {"if_statement", "elif_clause"} and not _is_condition(parent, child):
                then = next((one for one in parent.children if one.type == "then"), parent)
                yield " ".join(self.text(one) for one in parent.children[1:] if one.end_byte <= then.start_byte)
            elif parent.type == "case_statement" and (value := parent.child_by_field_name("value")) not in {
                None,
                child,
            }:
                yield self.text(value) if value is not None else ""
            elif parent.type == "list" and parent.named_children[0] != child:
                yield self.text(parent.named_children[0])
            child = parent

    def cannot_fail(self, node: Node) -> bool:
        """Tell whether what stands behind `||` ends well whatever happened: nothing exits, the last cannot fail, and
        nothing is kept for a later look (a variable, an output)."""
        around = _ancestor(node, "redirected_statement") or (
            node.parent and _ancestor(node.parent, "redirected_statement")
        )
        if any(one.type == "variable_assignment" for one in _walk(node)) or _KEPT.search(self.text(around or node)):
            return False
        all_words = [self.words(one) for one in _walk(node) if one.type == "command"]
        if any(words[:1] in (["exit"], ["return"], ["false"]) and words[1:2] != ["0"] for words in all_words):
            return False
        last = all_words[-1] if all_words else []
        return bool(last) and (last[0] in {"true", ":", "echo", "printf"} or last[:2] == ["exit", "0"])

    def words_of(self, node: Node) -> list[str]:
        first = next((one for one in _walk(node) if one.type == "command"), None)
        return self.words(first) if first is not None else []

    def words(self, command: Node) -> list[str]:
        return [self.word(child) for child in command.children if child.type == "command_name" or child.type in _WORDS]

    def word(self, node: Node) -> str:
        if node.type == "command_name" and node.named_children:
            return self.word(node.named_children[0])
        if node.type == "concatenation":
            return "".join(self.word(child) for child in node.children)
        text = self.text(node)
        if node.type in {"string", "raw_string"} and len(text) > 1:
            return text[1:-1]
        return text

    def text(self, node: Node) -> str:
        text = self.source[node.start_byte : node.end_byte].decode("utf-8", "replace")
        return re.sub(r"EXPRESSION\d+X\n*", lambda found: self.held.get(found[0].rstrip("\n"), found[0]), text)


def _walk(node: Node) -> Iterator[Node]:
    stack = [node]
    while stack:
        one = stack.pop()
        yield one
        stack.extend(reversed(one.children))


def _ancestor(node: Node, kind: str) -> Node | None:
    """Return the nearest such node around it, within one statement."""
    around = node.parent
    while around is not None and around.type in {kind, "redirected_statement"}:
        if around.type == kind:
            return around
        around = around.parent
    return None


def _last(node: Node) -> Node | None:
    return next((one for one in reversed(node.named_children) if one.type != "comment"), None)


def _next_in(pipe: Node, node: Node) -> Node | None:
    parts = pipe.named_children
    place = next((at for at, part in enumerate(parts) if part.start_byte <= node.start_byte < part.end_byte), None)
    return parts[place + 1] if place is not None and place + 1 < len(parts) else None


def _is_assigned(substitution: Node) -> bool:
    """Tell whether it is the value of a plain assignment, which fails as its command does."""
    around = substitution.parent
    while around is not None and around.type in {"string", "concatenation"}:
        around = around.parent
    if around is None or around.type != "variable_assignment" or around.parent is None:
        return False
    return around.parent.type not in {"command", "declaration_command"}


def _is_condition(parent: Node, child: Node) -> bool:
    """Tell whether the child stands before `then` or `do`."""
    body = next((one for one in parent.children if one.type in {"then", "do_group"}), None)
    return body is None or child.start_byte < body.start_byte
