"""The patches of many marks as one change a file, and what cannot be changed with the rest."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from kotaci.archives.checkout import Tree
from kotaci.audit.edits import apply_patches
from kotaci.audit.marks import Mark, Patch
from kotaci.audit.project import WORKFLOW
from kotaci.model import BadInput
from kotaci.workflows import parse_workflow


@dataclass(frozen=True)
class Fix:
    """One file before and after, and the marks whose patches are in it."""

    path: str
    before: str
    after: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Unfixed:
    """A mark whose patch is left out, and why."""

    mark: Mark
    reason: str


def plan_fixes(tree: Tree, marks: Iterable[Mark]) -> tuple[list[Fix], list[Unfixed]]:
    """Return a change for each file that patches name, by path, and the marks left for another time.

    Patches are taken in the order of the marks; one that touches the lines of another, or breaks the file, is left out.
    A file that is not UTF-8 is not changed at all.
    """
    by_path: dict[str, list[Mark]] = {}
    for mark in marks:
        if mark.patch is not None:
            by_path.setdefault(mark.patch.path, []).append(mark)
    fixes, unfixed = [], []
    for path, of_file in sorted(by_path.items()):
        before = tree.text(path)
        if before is None or tree.read(path) != before.encode():
            unfixed += [Unfixed(mark, f"{path} is not UTF-8, or cannot be read") for mark in of_file]
            continue
        taken: list[Mark] = []
        after = before
        for mark in of_file:
            try:
                changed = apply_patches(before, _patches([*taken, mark]))
            except BadInput as problem:
                unfixed.append(Unfixed(mark, f"{problem.value} {problem.problem}"))
                continue
            if WORKFLOW.fullmatch(path) and _n_problems(changed, path) > _n_problems(after, path):
                unfixed.append(Unfixed(mark, "its patch would break the file"))
                continue
            taken.append(mark)
            after = changed
        if after != before:
            fixes.append(Fix(path, before, after, tuple(taken)))
    return fixes, unfixed


def _patches(marks: Collection[Mark]) -> list[Patch]:
    return [mark.patch for mark in marks if mark.patch is not None]


def _n_problems(text: str, path: str) -> int:
    return len(parse_workflow(text, path=path).problems)


def to_diff(fix: Fix) -> str:
    """Return the change as a unified diff that `git apply` takes, line ends as they are."""
    lines = difflib.unified_diff(_lines(fix.before), _lines(fix.after), f"a/{fix.path}", f"b/{fix.path}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    """Return lines that end at a line feed alone, as git sees them."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def fixed_tree(tree: Tree, fixes: Collection[Fix]) -> Tree:
    """Return the tree as it is once these changes are made."""
    texts: Mapping[str, bytes] = {fix.path: fix.after.encode() for fix in fixes}
    return Tree(tree.paths, lambda path: texts[path] if path in texts else tree.read(path), tree.origin)
