"""zizmor and actionlint, where they are installed, and what they find as marks beside ours.

They are given copies of the workflow files and actions in a folder of their own, so that a commit or a tree from
GitHub is linted as a checkout is; and no network, no token and no time without end. What a linter says of a file is
believed; that it failed is told, and never taken for "nothing found".
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kotaci.archives.checkout import Tree
from kotaci.audit.cards import Card, read_cards
from kotaci.audit.marks import Mark
from kotaci.audit.project import WORKFLOW, Project
from kotaci.model import Certainty, Severity
from kotaci.workflows import WorkflowStep

MAX_S = 120
"""How long a linter may run; both end within two seconds on twenty workflows."""

_KEPT = ("HOME", "LANG", "LC_ALL", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "USERPROFILE")
"""What a linter sees of the environment, beside PATH: no token, and no settings of the machine's."""

_CONFIGURATION = re.compile(r"(?:\.github/)?(?:zizmor|actionlint)\.ya?ml")
_ACTION = re.compile(r"(?:[^/]+/)*action\.ya?ml")

_REFUSED_BY_GITHUB = frozenset(
    {"syntax-check", "events", "expression", "glob", "id", "job-needs", "matrix", "shell-name", "workflow-call"}
)
"""Kinds of actionlint for what GitHub does not run at all."""

_OF_SHELLCHECK = re.compile(r"shellcheck reported issue in this script: (SC\d+):(\w+):\d+:\d+: (.*)", re.DOTALL)


@dataclass(frozen=True)
class Linter:
    """What became of one linter: its version (empty where it is not installed), its findings, why it failed."""

    name: str
    version: str = ""
    n_marks: int = 0
    failure: str = ""

    @property
    def has_run(self) -> bool:
        """Return whether what it does not name is not there."""
        return bool(self.version) and not self.failure

    def __str__(self) -> str:
        if not self.version and not self.failure:
            return f"{self.name}: not installed"
        if self.failure:
            return f"{self.name} {self.version}".strip() + f" failed: {self.failure}"
        return f"{self.name} {self.version}: {self.n_marks}"


@dataclass(frozen=True)
class Linted:
    """What all linters found, and what became of each."""

    marks: tuple[Mark, ...] = ()
    linters: tuple[Linter, ...] = ()


def run_linters(tree: Tree, *, environment: Mapping[str, str], beside: Path = Path(sys.executable).parent) -> Linted:
    """Return what zizmor and actionlint find in the workflows and actions of a tree, each as `zizmor/RULE`.

    They are looked for in the folder `beside`, that of this Python, then on the PATH of `environment`.
    """
    project = Project(tree)
    path = os.pathsep.join(filter(None, [str(beside), environment.get("PATH", "")]))
    with tempfile.TemporaryDirectory(prefix="kotaci-audit-") as name:
        folder = Path(name)
        files = _write(project, folder)
        seen = {**{key: environment[key] for key in _KEPT if key in environment}, "PATH": path}
        marks: list[Mark] = []
        linters: list[Linter] = []
        for linter, of_linter in (("zizmor", _of_zizmor), ("actionlint", _of_actionlint)):
            program = shutil.which(linter, path=path)
            if program is None or not files:
                linters.append(Linter(linter))
                continue
            told = _run(program, linter, files, folder, seen)
            found, n_unknown = _read(told.items, of_linter, project)
            marks += found
            failure = told.failure or (f"{n_unknown} of its findings are of an unknown form" if n_unknown else "")
            linters.append(Linter(linter, told.version, len(found), failure))
    return Linted(tuple(marks), tuple(linters))


@dataclass(frozen=True)
class _Told:
    version: str
    items: Sequence[Any] = ()
    failure: str = ""


def _write(project: Project, folder: Path) -> dict[str, str]:
    """Write what linters read below the folder; return the paths to lint, by linter's name for them."""
    files = {}
    (folder / ".git").mkdir()  # actionlint looks for the root of a repository, and zizmor not above it
    sound = {file.path for file in project.workflows if file.jobs or not file.problems}
    sound |= {file.path for file in project.actions if file.steps or not file.problems}
    for path in sorted(project.tree.paths):
        is_linted = path in sound and (WORKFLOW.fullmatch(path) or _ACTION.fullmatch(path))
        if not (is_linted or _CONFIGURATION.fullmatch(path)) or not _is_inside(path):
            continue
        content = project.tree.read(path)
        if content is not None:
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            if is_linted:
                files[f"./{path}"] = path
    return files


def _is_inside(path: str) -> bool:
    return not path.startswith("/") and "\\" not in path and not {"..", ".git", ""} & set(path.split("/"))


def _run(program: str, linter: str, files: Mapping[str, str], folder: Path, environment: Mapping[str, str]) -> _Told:
    workflows = [name for name, path in files.items() if WORKFLOW.fullmatch(path)]
    words = {
        "zizmor": ["--offline", "--no-progress", "--quiet", "--format", "json", *files],
        "actionlint": ["-no-color", "-pyflakes=", "-format", "{{json .}}", *workflows],
    }[linter]
    try:
        version = _call([program, "--version"], folder, environment).stdout.split("\n", 1)[0].removeprefix(linter)
        version = next(iter(re.findall(r"\d+(?:\.\d+)+", version)), "of an unknown version")
        if linter == "actionlint" and not workflows:
            return _Told(version)
        done = _call([program, *words], folder, environment)
    except subprocess.TimeoutExpired:
        return _Told("", failure=f"no answer within {MAX_S} s")
    except OSError as error:
        return _Told("", failure=f"cannot be started ({error.strerror or type(error).__name__})")
    try:
        items = json.loads(done.stdout)
        if isinstance(items, list):
            return _Told(version, items)
    except (ValueError, RecursionError):
        pass
    said = " ".join((done.stderr or done.stdout).split())[:200]
    return _Told(version, failure=f"exit code {done.returncode}, {said or 'and nothing said'}")


def _call(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(words),
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=MAX_S,
    )


def _read(
    items: Iterable[Any], of_linter: Callable[[Any, Project], Mark | None], project: Project
) -> tuple[list[Mark], int]:
    """Return the marks of a linter's findings, the same once, and how many are of a form that is not known."""
    marks, n_unknown = [], 0
    for item in items:
        try:
            mark = of_linter(item, project)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError):
            n_unknown += 1
            continue
        if mark is not None:
            marks.append(mark)
    return list(dict.fromkeys(marks)), n_unknown


def _of_zizmor(item: Any, project: Project) -> Mark | None:
    """Return the mark of one finding of zizmor; None where a comment of zizmor's own ignores it."""
    if item["ignored"]:
        return None
    places = [one for one in item["locations"] if one["symbolic"]["kind"] == "Primary"] or item["locations"]
    symbolic, spot = places[0]["symbolic"], places[0]["concrete"]["location"]
    path = symbolic["key"]["Local"]["verbatim_path"].replace("\\", "/").removeprefix("./")
    line = spot["start_point"]["row"] + 1
    rated = item["determinations"]
    severity = {"High": Severity.HIGH, "Medium": Severity.MEDIUM}.get(rated["severity"], Severity.LOW)
    certainty = {"High": Certainty.HIGH, "Medium": Certainty.MEDIUM}.get(rated["confidence"], Certainty.LOW)
    claim = _sentence(f"{item['desc']}: {symbolic['annotation']}")
    return _mark(project, path, f"zizmor/{item['ident']}", claim, line, severity, certainty)


def _of_actionlint(item: Any, project: Project) -> Mark:
    """Return the mark of one finding of actionlint."""
    path = item["filepath"].replace("\\", "/").removeprefix("./")
    message, kind, line = item["message"], item["kind"], int(item["line"])
    severity = Severity.HIGH if kind in _REFUSED_BY_GITHUB else Severity.MEDIUM
    if found := _OF_SHELLCHECK.match(message):
        message = f"{found[1]}: {found[3]}"
        severity = {"error": Severity.HIGH, "warning": Severity.MEDIUM}.get(found[2], Severity.LOW)
    rule = f"actionlint/{kind}"
    return _mark(project, path, rule, _sentence(message), max(line, 1), severity, Certainty.HIGH)


def _sentence(text: str) -> str:
    return " ".join(text.split()).removesuffix(".")


def _mark(
    project: Project, path: str, rule: str, claim: str, line: int, severity: Severity, certainty: Certainty
) -> Mark:
    job, subject = _subject(project, path, line)
    return Mark(path, line, subject, claim, job=job, rule=rule, severity=severity, certainty=certainty)


def _subject(project: Project, path: str, line: int) -> tuple[str, str]:
    """Return the job around that line (empty for none), and the place in words that stay when lines move."""

    def step_at(steps: Iterable[WorkflowStep]) -> str:
        around = next((step for step in steps if step.line <= line <= step.end_line), None)
        return f", step “{around.title}”" if around else ""

    for file in project.workflows:
        for job in file.jobs if file.path == path else ():
            if job.line <= line <= job.end_line:
                return job.key, f"job {job.key}{step_at(job.steps)}"
    for action in project.actions:
        if action.path == path:
            return "", f"action{step_at(action.steps)}"
    return "", "the file"


def join_linters(ours: Iterable[Mark], theirs: Iterable[Mark]) -> list[Mark]:
    """Return both, what both say of one line once.

    Where a card names the linter's rule, the linter's mark is kept, with the patch of ours; what excuses ours, or knows
    it, goes for it too, so that a checkout is judged alike where a linter is missing.
    """
    cards: Mapping[str, Card] = read_cards()
    kept = list(dict.fromkeys(theirs))
    left = []
    for mark in ours:
        named = frozenset(cards[mark.rule].linters)
        twins = [place for place, one in enumerate(kept) if one.rule in named and _is_on(one, mark)]
        if not twins:
            left.append(mark)
            continue
        twin = kept[twins[0]]
        instead_of = (*twin.instead_of, (mark.rule, mark.identity))
        kept[twins[0]] = replace(twin, patch=mark.patch or twin.patch, instead_of=instead_of)
    return [*left, *kept]


def _is_on(theirs: Mark, ours: Mark) -> bool:
    return theirs.path == ours.path and ours.line <= theirs.line <= max(ours.line, ours.end_line)
