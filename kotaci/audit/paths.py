"""Paths that a step names, as paths of the repository; and whether it is the repository that the step sees."""

from __future__ import annotations

import posixpath
import re

from kotaci.audit.checks import steps_text
from kotaci.audit.project import Place, Project

_CHECKOUT = "actions/checkout"
_BUILT = re.compile(
    r"(?:^|/)(?:target|dist|build|out|site|_site|public|coverage|node_modules|venv|\.venv|pkg|tmp|artifacts?)(?:/|$)"
)


def has_tree(place: Place) -> bool:
    """Tell whether the step sees this repository as it was pushed, and no other, at the root of its workspace."""
    if place.file is None or place.job is None:
        return False
    steps = [step for step in place.job.steps if step.number < place.step.number]
    checkouts = [step for step in steps if step.action == _CHECKOUT]
    if not checkouts or any(step.input("repository") or step.input("path") or step.input("ref") for step in checkouts):
        return False
    said = "\n".join(step.run for step in (*steps, place.step))
    return re.search(r"\bgit\s+(?:clone|checkout|switch|submodule|worktree|pull|merge|apply)\b", said) is None


def joined(folder: str, path: str) -> str:
    """Return the path from the root of the repository; empty where it is the root or leads out of it."""
    found = posixpath.normpath(posixpath.join(folder or ".", path))
    return "" if found == "." or found.startswith(("..", "/")) else found


def is_made(project: Project, place: Place, path: str) -> bool:
    """Tell whether the path may come from a build, a download or an earlier command, or is looked for first."""
    name = path.rstrip("/").rpartition("/")[2]
    if not path or _BUILT.search(path) or re.search(r"[$*?{}~`<>|\\]", path) or path.startswith("/"):
        return True
    if any(path == one or path.startswith(f"{one}/") for one in _submodules(project)):
        return True
    ignored = {line.strip("/") for line in (project.tree.text(".gitignore") or "").split()}
    if any(part in ignored for part in path.split("/")):
        return True
    steps = place.job.steps if place.job else place.action.steps if place.action else ()
    before = [step for step in steps if step.number < place.step.number and "cache" not in step.action]
    if any(name in steps_text([step]) or "artifact" in step.action for step in before):
        return True
    tested = re.search(rf"(?:-[efdxrs]|Test-Path|exists|mkdir|touch|>|ls)\s*[\"']?\S*{re.escape(name)}", place.step.run)
    return tested is not None


def _submodules(project: Project) -> list[str]:
    return re.findall(r"^\s*path\s*=\s*(\S+)", project.tree.text(".gitmodules") or "", re.MULTILINE)
