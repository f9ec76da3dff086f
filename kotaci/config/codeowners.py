"""Who owns a path, by the repository's CODEOWNERS file.

The form is GitHub's: patterns as in .gitignore, without `!` and `[ ]`; the last that fits counts, also where it names
nobody. https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class CodeOwners:
    """Patterns, cut at their slashes, each with its owners, in the order of the file: strangers' text."""

    rules: Sequence[tuple[Sequence[str], Sequence[str]]] = ()

    def of(self, path: str) -> Sequence[str]:
        """Return the owners of a path in the repository; nothing where nobody owns it."""
        names = path.strip("/").split("/")
        return next((owners for pattern, owners in reversed(self.rules) if _fits(pattern, names)), ())


def parse_codeowners(text: str) -> CodeOwners:
    """Return the rules of the file; lines that GitHub would not read are left out, as GitHub does."""
    rules = []
    for line in text.splitlines():
        words = line.split("#", maxsplit=1)[0].split()
        if words and not set("![]") & set(words[0]):
            rules.append((_cut(words[0]), tuple(words[1:])))
    return CodeOwners(tuple(rules))


def _cut(pattern: str) -> tuple[str, ...]:
    """Return the pattern's names, anchored at the root: one without a slash, but at its end, fits at any depth."""
    names = [name for name in pattern.split("/") if name]
    if "/" not in pattern.rstrip("/"):
        names = ["**", *names]
    is_folder = pattern.endswith("/") or (names[-1:] not in (["*"], ["**"]) and "*" not in names[-1][-1:])
    return tuple(names if names[-1:] == ["**"] or not is_folder else [*names, "**"])


def _fits(pattern: Sequence[str], names: Sequence[str]) -> bool:
    """Tell whether the names fit, `**` standing for any number of them; the time is their product."""
    reached = {0}
    for piece in pattern:
        if piece == "**":
            reached = set(range(min(reached), len(names) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(names) and _fits_name(piece, names[at])}
        if not reached:
            return False
    return len(names) in reached


def _fits_name(piece: str, name: str) -> bool:
    """Tell whether one name fits a piece with `*` and `?`, without going back further than the last star."""
    at = place = 0
    star, after = -1, 0
    while place < len(name):
        if at < len(piece) and piece[at] != "*" and piece[at] in {"?", name[place]}:
            at, place = at + 1, place + 1
        elif at < len(piece) and piece[at] == "*":
            star, after = at, place
            at += 1
        elif star >= 0:
            after += 1
            at, place = star + 1, after
        else:
            return False
    return not piece[at:].strip("*")
