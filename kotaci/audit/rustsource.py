"""Rust's test sources as tokens: comments are gone, texts are whole, and each test is known with its attributes.

A reader for rules that ask what a test does, not a parser: it knows words, texts, numbers and marks (reference:
doc.rust-lang.org/reference/tokens.html). What it cannot make sense of it passes over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

from kotaci.archives.checkout import Tree

MAX_CHARACTERS = 1 << 20
"""Longer sources are not read."""

Kind: TypeAlias = Literal["word", "text", "number", "mark"]

_TOKEN = re.compile(
    r"""(?P<gap>\s+|//[^\n]*)
    |(?P<block>/\*)
    |(?P<raw>(?:b|c)?r(?P<hashes>\#*)")
    |(?P<text>(?:b|c)?"(?:[^"\\]|\\.)*+")
    |(?P<char>b?'(?:[^'\\\n]|\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.))')
    |(?P<life>'[A-Za-z_]\w*)
    |(?P<word>(?:r\#)?[A-Za-z_]\w*)
    |(?P<number>\d(?:[\w]|\.(?=\d))*)
    |(?P<mark>::|->|=>|==|!=|<=|>=|&&|\|\||\.\.=?|.)""",
    re.VERBOSE | re.DOTALL,
)
_BLOCK = re.compile(r"/\*|\*/")
_PAIRS = {"(": ")", "[": "]", "{": "}"}


class Token(NamedTuple):
    """One token: a text without its quotes, everything else as written."""

    kind: Kind
    text: str
    line: int


@dataclass(frozen=True)
class Test:
    """One test function: its attributes as texts without blanks, and the tokens of its body."""

    name: str
    attributes: tuple[str, ...]
    body: tuple[Token, ...]
    line: int

    @property
    def is_ignored(self) -> bool:
        """Return whether it runs only when asked for."""
        return any(re.match(r"ignore\b", one) for one in self.attributes)


@dataclass(frozen=True)
class Source:
    """A file with tests. `tokens` are all of a file below tests/, else those from `#[cfg(test)]` on."""

    path: str
    tokens: tuple[Token, ...]
    tests: tuple[Test, ...]


@lru_cache(maxsize=512)
def parse_tokens(text: str, first_line: int = 1) -> tuple[Token, ...]:
    """Return the tokens of a source, without comments. Never raises; an open text or comment ends the reading."""
    found: list[Token] = []
    place, line = 0, first_line
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            break
        end, kind = match.end(), match.lastgroup
        if kind == "block":
            end = _end_of_block(text, end)
        elif kind in {"raw", "hashes"}:
            closing = f'"{match["hashes"]}'
            stop = text.find(closing, end)
            if stop < 0:
                break
            found.append(Token("text", text[end:stop], line))
            end = stop + len(closing)
        elif kind == "text":
            found.append(Token("text", match[0][match[0].index('"') + 1 : -1], line))
        elif kind in {"word", "number", "mark"}:
            found.append(Token(kind, match[0].removeprefix("r#"), line))  # type: ignore[arg-type]
        if end < 0:
            break
        line += text.count("\n", place, end)
        place = end
    return tuple(found)


def _end_of_block(text: str, place: int) -> int:
    depth = 1
    while depth:
        match = _BLOCK.search(text, place)
        if match is None:
            return -1
        depth += 1 if match[0] == "/*" else -1
        place = match.end()
    return place


def closing(tokens: Sequence[Token], at: int) -> int:
    """Return where the bracket at `at` closes; the last place where it does not."""
    depth = 0
    for place in range(at, len(tokens)):
        if tokens[place].kind == "mark":
            depth += (tokens[place].text in _PAIRS) - (tokens[place].text in _PAIRS.values())
            if depth <= 0:
                return place
    return len(tokens) - 1


def _is(token: Token, text: str) -> bool:
    return token.text == text and token.kind in {"mark", "word"}


def find_tests(tokens: Sequence[Token]) -> Iterator[Test]:
    """Yield the functions that an attribute makes a test: `test`, `tokio::test`, `rstest`, `test_case` …."""
    attributes: list[str] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        if _is(token, "#") and place + 1 < len(tokens) and _is(tokens[place + 1], "["):
            end = closing(tokens, place + 1)
            attributes.append("".join(one.text for one in tokens[place + 2 : end]))
            place = end + 1
        elif _is(token, "fn") and place + 1 < len(tokens):
            body = _body(tokens, place)
            if any(re.match(r"(?:\w+::)*(?:test|rstest|test_case)(?:\(|$)", one) for one in attributes):
                yield Test(
                    tokens[place + 1].text, tuple(attributes), tuple(tokens[body : closing(tokens, body)]), token.line
                )
            attributes = []
            place += 1
        else:
            if token.kind == "mark" and token.text in {";", "{", "}"}:
                attributes = []
            place += 1


def _body(tokens: Sequence[Token], place: int) -> int:
    for at in range(place, len(tokens)):
        if _is(tokens[at], "{") or _is(tokens[at], ";"):
            return at
    return len(tokens) - 1


_TESTED = re.compile(r"(?:^|/)(?:tests|src)/")
_UNIT = re.compile(r"^[ \t]*#\[cfg\((?:all\()?test\b", re.MULTILINE)


def read_sources(tree: Tree, needle: re.Pattern[str]) -> Iterator[Source]:
    """Yield the sources with tests in which the needle is found: below tests/, and unit tests below src/."""
    for path, text, start in _texts(tree):
        if needle.search(text, start) is None:
            continue
        tokens, tests = _parsed(text[start:], text.count("\n", 0, start) + 1)
        if tests or is_integration(path):
            yield Source(path, tokens, tests)


@lru_cache(maxsize=2048)
def _parsed(text: str, first_line: int) -> tuple[tuple[Token, ...], tuple[Test, ...]]:
    tokens = parse_tokens(text, first_line)
    return tokens, tuple(find_tests(tokens))


# Several rules read the same sources, one after the other.
@lru_cache(maxsize=2)
def _texts(tree: Tree) -> tuple[tuple[str, str, int], ...]:
    """Return path and text of each source with tests, and where these begin."""
    found = []
    for path in sorted(path for path in tree.paths if path.endswith(".rs") and _TESTED.search(path)):
        text = tree.text(path) or ""
        unit = None if is_integration(path) else _UNIT.search(text)
        if len(text) <= MAX_CHARACTERS and (is_integration(path) or (unit and _is_module(tree, path))):
            found.append((path, text, unit.start() if unit else 0))
    return tuple(found)


def _is_module(tree: Tree, path: str) -> bool:
    """Tell whether a source is compiled as far as the file beside or above it tells: that declares it by `mod`."""
    folder, _, name = path.rpartition("/")
    if name == "mod.rs":
        folder, _, name = folder.rpartition("/")
    name = name.removesuffix(".rs")
    if name in {"lib", "main", "build"} or folder.endswith("bin"):
        return True
    beside = [f"{folder}/{one}.rs" for one in ("lib", "main", "mod")] + [f"{folder}.rs"]
    parents = [text for one in beside if (text := tree.text(one)) is not None]
    declares = re.compile(rf"^[^/\n]*\bmod\s+(?:r#)?{re.escape(name)}\b|\bpath\s*=", re.MULTILINE)
    return not parents or any(declares.search(text) for text in parents)


def is_integration(path: str) -> bool:
    """Tell whether the file stands below a folder `tests` that is not within `src`."""
    folders = path.split("/")
    return "tests" in folders and "src" not in folders


def calls(tokens: Sequence[Token], path: str) -> Iterator[int]:
    """Yield the places where this path (`thread::sleep`, `set_var`) is followed by a bracket, right behind its end."""
    words = re.findall(r"\w+|::", path)
    for at, token in enumerate(tokens[: len(tokens) - len(words)]):
        if token.text != words[0] or token.kind != "word":
            continue
        if [one.text for one in tokens[at : at + len(words)]] == words and _is(tokens[at + len(words)], "("):
            yield at + len(words)
