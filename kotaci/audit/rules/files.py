"""Rules of the class `files`: what cannot be read, and comments that excuse nothing."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from kotaci.audit.excuses import read_excuses
from kotaci.audit.marks import Mark
from kotaci.audit.project import Project
from kotaci.workflows import ActionFile, WorkflowFile

MAX_PROBLEMS = 20
"""Problems told of one file: a file of another kind has thousands."""

TOML_FILES = ("Cargo.toml", "rust-toolchain.toml", ".cargo/config.toml", ".config/nextest.toml")
"""At the root, where every build reads them; elsewhere they may be test data."""

SHELLS = frozenset({"bash", "sh", "pwsh", "powershell", "cmd", "python"})
"""GitHub's own; any other shell is a command with `{0}` for the script."""


def broken_file(project: Project) -> Iterator[Mark]:
    """Fire on every problem of a workflow or action, and on TOML files at the root that are none."""
    files: tuple[WorkflowFile | ActionFile, ...] = (*project.workflows, *project.actions)
    for file in files:
        content = project.tree.read(file.path)
        if content is None:
            yield _mark(file.path, 1, "cannot be read: larger than 2 MiB, no plain file, or not allowed")
            continue
        try:
            content.decode()
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            yield _mark(file.path, line, f"is not UTF-8: the byte {content[error.start]:#04x}")
        problems = [(one.line, one.message) for one in file.problems]
        problems += _shells(file) if isinstance(file, WorkflowFile) else []
        for line, message in islice(problems, MAX_PROBLEMS):
            yield _mark(file.path, line, message)
        if len(problems) > MAX_PROBLEMS:
            yield _mark(file.path, 1, f"has {len(problems) - MAX_PROBLEMS} more problems")
    for path in TOML_FILES:
        try:
            tomllib.loads(project.tree.text(path) or "")
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            yield _mark(path, _line_of(str(error)), f"is not TOML: {str(error).partition(' (at')[0] or 'too deep'}")


def _shells(file: WorkflowFile) -> list[tuple[int, str]]:
    said = [(file.shell, file.lines.get("defaults", 1))]
    for job in file.jobs:
        said.append((job.shell, job.lines.get("defaults", job.line)))
        said += [(step.shell, step.lines.get("shell", step.line)) for step in job.steps]
    return [
        (line, f"the shell `{shell}` is none of GitHub's, and has no {{0}} for the script")
        for shell, line in said
        if shell and shell not in SHELLS and "{0}" not in shell and "${{" not in shell
    ]


def _line_of(message: str) -> int:
    """Return the line that tomllib names; 1 where it names none, as at the end of the file."""
    number = message.partition("(at line ")[2].partition(",")[0]
    return int(number) if number.isdigit() else 1


def _mark(path: str, line: int, claim: str) -> Mark:
    return Mark(path, line, "the file", claim)


def idle_excuse(project: Project) -> Iterator[Mark]:
    """Fire on comments without a reason; those of unknown rules, or that excuse nothing, only the whole audit knows."""
    for excuse in read_excuses(project):
        if not excuse.reason:
            yield excuse.mark("gives no reason, so it is not followed")


RULES: dict[str, Callable[[Project], Iterable[Mark]]] = {"broken-file": broken_file, "idle-excuse": idle_excuse}
