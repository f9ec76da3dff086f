"""Patches of many marks put into their files, each only where the file stays sound and the mark is gone afterwards."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff

from kotaci.archives.checkout import Tree
from kotaci.audit.auditing import audit
from kotaci.audit.edits import apply_patches
from kotaci.audit.marks import Mark, Patch
from kotaci.audit.project import Project
from kotaci.model import BadInput


@dataclass(frozen=True)
class Mended:
    """Files with their patches: the new text by path; `done` are the marks that are gone with them, `left` those whose
    patch was not taken, and why."""

    texts: Mapping[str, str]
    done: tuple[Mark, ...]
    left: tuple[tuple[Mark, str], ...]


def mend(tree: Tree, marks: Iterable[Mark], *, found: Collection[Mark] | None = None) -> Mended:
    """Return the files with the patches of these marks; those without one are neither done nor left.

    `found` are all marks of the tree, where somebody has them: without, it is audited again. All patches are tried
    together; where that does not do, one after another, as they come.
    """
    wanted = [mark for mark in marks if mark.patch]
    if not wanted:
        return Mended({}, (), ())
    before = _counted(tree, wanted) if found is None else Counter(mark.identity for mark in found)
    texts, problem = _tried(tree, wanted, before)
    if not problem:
        return Mended(texts, tuple(wanted), ())
    done, left = list[Mark](), list[tuple[Mark, str]]()
    texts = {}
    for mark in wanted:
        more, problem = _tried(tree, [*done, mark], before)
        if problem:
            left.append((mark, problem))
        else:
            done.append(mark)
            texts = more
    return Mended(texts, tuple(done), tuple(left))


def overlaid(tree: Tree, texts: Mapping[str, str]) -> Tree:
    """Return the tree with these texts in the place of its own, or besides."""
    return Tree(
        tree.paths.union(texts), lambda path: texts[path].encode() if path in texts else tree.read(path), tree.origin
    )


def to_diff(tree: Tree, texts: Mapping[str, str]) -> str:
    """Return what these texts change, as `git apply` reads it."""
    return "".join(line for path, text in sorted(texts.items()) for line in diff_of(path, tree.text(path), text))


def diff_of(path: str, before: str | None, after: str) -> Iterator[str]:
    """Yield the lines of one file's difference, ends among them; `before` is None where there is no such file."""
    old, new = _kept(before or ""), _kept(after)
    old_name = f"a/{path}" if before is not None else "/dev/null"
    for line in unified_diff(old, new, old_name, f"b/{path}"):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _kept(text: str) -> list[str]:
    """Return lines that end at \\n alone."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + [line for line in lines[-1:] if line]


def _tried(tree: Tree, marks: Sequence[Mark], before: Counter[str]) -> tuple[dict[str, str], str]:
    """Return the new texts, and why they are none to take; empty where they are."""
    by_path = dict[str, list[Patch]]()
    for patch in (one for mark in marks if mark.patch for one in (mark.patch, *mark.patch.besides)):
        by_path.setdefault(patch.path, []).append(patch)
    texts = dict[str, str]()
    for path, patches in by_path.items():
        text = tree.text(path) or ""
        if path in tree.paths and tree.read(path) != text.encode():
            return {}, f"{path} is not written in UTF-8, or cannot be read"
        try:
            texts[path] = apply_patches(text, patches)
        except BadInput as problem:
            return {}, f"{problem.value} {problem.problem}: {problem.hint}"
        if texts[path] == text or not _is_sound(path, texts[path]):
            return {}, f"{path} would not be sound with it"
    after = audit(overlaid(tree, texts), rules={mark.rule for mark in marks})
    # Each version of a file is parsed once, whoever asks.
    problems = [_problems(project, texts) for project in (Project(tree), after.project)]
    worse = problems[1] - problems[0]
    if worse:
        return {}, f"{next(iter(worse))[0]} would not be sound with it"
    n_after = Counter(mark.identity for mark in after.marks)
    for identity, n in Counter(mark.identity for mark in marks).items():
        if n_after[identity] > before[identity] - n:
            return {}, "would still be found with it"
    return texts, ""


def _counted(tree: Tree, marks: Iterable[Mark]) -> Counter[str]:
    return Counter(mark.identity for mark in audit(tree, rules={mark.rule for mark in marks}).marks)


def _problems(project: Project, paths: Collection[str]) -> Counter[tuple[str, str]]:
    """Return what is wrong with these files of workflows and actions, by path and message."""
    told = [(file.path, file.problems) for file in project.workflows]
    told += [(file.path, file.problems) for file in project.actions]
    return Counter((path, one.message) for path, problems in told if path in paths for one in problems)


def _is_sound(path: str, text: str) -> bool:
    if not path.endswith(".toml"):
        return True
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True
