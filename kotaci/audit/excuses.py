"""Comments by which a repository excuses a finding, with the reason: `# kotaci: ignore[rule, other] reason`.

One at the end of a line excuses what is found on it; one on a line of its own also what is found on the next line that
is no comment, and so a whole file in its first line. In Rust the comment begins with `//`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from kotaci.audit.marks import Mark
from kotaci.audit.project import Project

IDLE = "idle-excuse"
"""The rule about excuses themselves; nothing excuses what it finds."""

_EXCUSE = re.compile(r"(?:^|\s)(?:#|//)[ \t]*kotaci:[ \t]*ignore\b(?:\[([^\]]*)\])?[ \t:]*(.*)$")
_COMMENT = re.compile(r"\s*(?:#|//)")
_HOLDING = re.compile(
    r"\.github/.*\.ya?ml|(?:.*/)?(?:action\.ya?ml|Cargo\.toml|Dockerfile[^/]*|justfile|Makefile)|[^/]+\.toml"
    r"|\.(?:cargo|config)/[^/]+\.toml|(?:.*/)?tests/[^/]+\.rs"
)
"""Files in which an excuse is looked for, found or not."""


@dataclass(frozen=True)
class Excuse:
    """One comment: where it stands, the line that it excuses beside its own, the rules that it names, and why."""

    path: str
    line: int
    excused_line: int
    rules: tuple[str, ...]
    reason: str

    def rules_for(self, mark: Mark) -> set[str]:
        """Return the rules that it names for that mark; none where it does not excuse it, for want of a reason too."""
        is_there = mark.path == self.path and mark.line <= self.excused_line
        if not self.reason or not is_there or self.line > max(mark.line, mark.end_line) or mark.rule == IDLE:
            return set()
        return {mark.rule, *(rule for rule, _ in mark.instead_of)} & set(self.rules)

    def mark(self, claim: str) -> Mark:
        """Return a mark on the comment itself."""
        return Mark(self.path, self.line, f"kotaci: ignore[{', '.join(self.rules)}]", claim, rule=IDLE)


@dataclass(frozen=True)
class Excused:
    """A mark that the repository excuses, and by which comment."""

    mark: Mark
    excuse: Excuse


def read_excuses(project: Project, *, also: Iterable[str] = ()) -> tuple[Excuse, ...]:
    """Return the excuses in workflow files, actions, manifests and tests, and in the files `also`, by path and line."""
    paths = {path for path in project.tree.paths if _HOLDING.fullmatch(path)} | set(also)
    return tuple(excuse for path in sorted(paths) for excuse in _of_text(project.tree.text(path) or "", path))


def _of_text(text: str, path: str) -> Iterator[Excuse]:
    if "kotaci:" not in text:
        return
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        found = _EXCUSE.search(line)
        if found is None:
            continue
        target = number
        if _COMMENT.match(line):
            target += 1
            while target <= len(lines) and _COMMENT.match(lines[target - 1]):
                target += 1
        rules = tuple(filter(None, (one.strip() for one in (found[1] or "").split(","))))
        yield Excuse(path, number, target, rules, found[2].strip())


def judge_excuses(
    marks: Iterable[Mark], excuses: Collection[Excuse], *, known: Collection[str], judged: Collection[str]
) -> tuple[list[Mark], list[Excused], list[Mark]]:
    """Return (what no excuse covers, what one does, marks on excuses that excuse nothing).

    `known` are all rules that there are, `judged` those that were looked for: of others nobody can say that an excuse
    excuses nothing. Rules of linters are known by their linter's name before the slash.
    """
    left: list[Mark] = []
    excused: list[Excused] = []
    used: set[tuple[Excuse, str]] = set()
    for mark in marks:
        covering = [excuse for excuse in excuses if excuse.rules_for(mark)]
        used |= {(excuse, rule) for excuse in covering for rule in excuse.rules_for(mark)}
        if covering:
            excused.append(Excused(mark, covering[0]))
        else:
            left.append(mark)
    idle = []
    for excuse in excuses:
        if not excuse.rules:
            idle.append(excuse.mark("names no rule"))
        for rule in excuse.rules:
            name = rule if rule in known else rule.partition("/")[0]
            if name not in known or rule == IDLE:
                idle.append(excuse.mark(f"names `{rule}`, which is no rule that can be excused"))
            elif name in judged and excuse.reason and (excuse, rule) not in used:
                idle.append(excuse.mark(f"excuses nothing: `{rule}` finds nothing on line {excuse.excused_line}"))
    return left, excused, idle
