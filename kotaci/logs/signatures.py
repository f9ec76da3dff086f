"""The stable name of "the same failure": what measures something goes out of the text, what names the failure stays.

Which kind of number does which is data (`signatures.toml`), with a reason and tested examples for each. A plain mask of
all digits (as LUCI Analysis takes it) calls E0308 and E0277, exit codes 1 and 137, or test_3 and test_4 the same.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from kotaci.logs.lines import STAMP, without_colours

MAX_TEXT_CHARS = 16_000
"""What of a text is looked at: its beginning. An excerpt of 60 lines has about 6,000 characters."""

MAX_NORMAL_CHARS = 4_000
"""What of its normal form counts, cut behind the last whole word; the rest of a long text hardly names its failure."""

_MOST_LOOKS = 12
"""A look may uncover something for the next one; real texts need one or two."""

_SAID_BEFORE = re.compile(
    r"(?:\s{0,200}(?:##\[[a-z-]{1,20}\]|::(?:error|warning)[^:\n]{0,300}::|\[(?i:error)\]|(?i:error):(?!\s{0,20}\(?\d)))+"
)
"""What only says that an error follows; not before a number, which may be the error's own."""


@dataclass(frozen=True)
class Kind:
    """One kind of text: kept as it is (`replacement` is None), or always replaced by the same."""

    id: str
    pattern: re.Pattern[str]
    replacement: str | None
    why: str
    same: tuple[tuple[str, str], ...]
    different: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Kinds:
    """All kinds in order, the version of their file, and one pattern that finds any of them."""

    version: int
    kinds: tuple[Kind, ...]
    any_kind: re.Pattern[str]
    by_group: dict[str, Kind]


@cache
def read_kinds() -> Kinds:
    """Return the table of `signatures.toml`."""
    data = tomllib.loads(files("kotaci.logs").joinpath("signatures.toml").read_text(encoding="utf-8"))
    kinds = tuple(
        Kind(
            id=entry["id"],
            pattern=re.compile(entry["pattern"]),
            replacement=entry.get("replacement"),
            why=entry["why"],
            same=tuple((one, other) for one, other in entry["same"]),
            different=tuple((one, other) for one, other in entry["different"]),
        )
        for entry in data["kind"]
    )
    groups = {f"k{place}": kind for place, kind in enumerate(kinds)}
    parts = (f"(?P<{group}>{_inline(kind.pattern.pattern)})" for group, kind in groups.items())
    return Kinds(data["version"], kinds, re.compile("|".join(parts)), groups)


def _inline(pattern: str) -> str:
    """Return the pattern as a part of a longer one: flags for itself alone, its own groups without names."""
    pattern = re.sub(r"\(\?P<\w+>", "(?:", pattern)
    flags = re.match(r"\(\?([a-z]+)\)", pattern)
    # A line end before the bracket: in a verbose pattern it closes a comment.
    return f"(?{flags[1]}:{pattern[flags.end() :]}\n)" if flags and "x" in flags[1] else f"(?:{pattern})"


def signature(text: str) -> str:
    """Return the stable id of the failure that a text tells: `s1-` (the table's version) and 12 hex digits.

    The same across what measures (durations, sizes, ids, addresses, positions, times), places and operating systems;
    another for what names (error codes, exit codes, signals, HTTP statuses, versions, names with digits). Best given
    what names the failure: headline, failed test, error. 48 bits: among 10,000 failures the chance that two share an
    id by accident is 2 in 10 million. Ids of different versions must not be compared.
    """
    digest = hashlib.sha256(normal_form(text).encode("utf-8", "replace")).hexdigest()
    return f"s{read_kinds().version}-{digest[:12]}"


def normal_form(text: str) -> str:
    """Return the text with everything that measures replaced; texts with the same normal form are the same failure.

    Its own normal form is itself. Of a long text the beginning counts (`MAX_TEXT_CHARS`, `MAX_NORMAL_CHARS`); a line
    that repeats the one before, and an empty one, do not. Time is linear in the text up to that limit.
    """
    lines: list[str] = []
    for raw in text[:MAX_TEXT_CHARS].replace("\r", "\n").split("\n"):
        line = _steady(raw)
        if line and (not lines or lines[-1] != line):
            lines.append(line)
    form = "\n".join(lines)
    while len(form) > MAX_NORMAL_CHARS:
        before, _, last = _cut(form).rpartition("\n")
        # Half a line may read otherwise than a whole one.
        last = _steady(last)
        form = f"{before}\n{last}".strip() if last not in {"", before.rpartition("\n")[2]} else before
    return form


def _steady(line: str) -> str:
    for _ in range(_MOST_LOOKS):
        before, line = line, _look(line)
        if line == before:
            break
    return line


def _look(line: str) -> str:
    line = re.sub(r"\\+", "/", without_colours(line))
    stamp = STAMP.match(line)
    line = line[stamp.end() :] if stamp else line
    said = _SAID_BEFORE.match(line)
    line = " ".join((line[said.end() :] if said else line).split())
    return " ".join(read_kinds().any_kind.sub(_replaced, line).split())


def _replaced(found: re.Match[str]) -> str:
    kind = read_kinds().by_group[found.lastgroup or ""]
    if kind.replacement is None:
        return found[0]
    again = kind.pattern.match(found.string, found.start())
    return again.expand(kind.replacement) if again else found[0]


def _cut(form: str) -> str:
    end = max(form.rfind(" ", 0, MAX_NORMAL_CHARS), form.rfind("\n", 0, MAX_NORMAL_CHARS))
    return form[: end if end > 0 else MAX_NORMAL_CHARS].rstrip()
