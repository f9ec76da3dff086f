"""The repository as the rules see it: its workflows, the commands of their scripts, and the files CI depends on."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from kotaci.archives.checkout import Tree
from kotaci.audit.shell import Command, Script, parse_script
from kotaci.workflows import ActionFile, WorkflowFile, WorkflowJob, WorkflowStep, parse_action, parse_workflow

WORKFLOW = re.compile(r"\.github/workflows/[^/]+\.ya?ml")
_SHELLS_OF_WINDOWS = re.compile(r"windows", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """One step with what is around it; `file` is the workflow, or `action` the composite action that holds it."""

    file: WorkflowFile | None
    job: WorkflowJob | None
    step: WorkflowStep
    script: Script
    action: ActionFile | None = None

    @property
    def path(self) -> str:
        """Return the path of the file that it stands in."""
        held = self.file or self.action
        assert held is not None  # noqa: S101
        return held.path

    @property
    def job_key(self) -> str:
        """Return the key of the job that it stands in; empty in an action."""
        return self.job.key if self.job else ""

    @property
    def subject(self) -> str:
        """Return where it is, in words that stay when lines move."""
        where = f"job {self.job.key}" if self.job else "action"
        return f"{where}, step “{self.step.title}”"

    @property
    def folder(self) -> str:
        """Return the folder its script runs in, as written."""
        defaults = (self.job.working_directory if self.job else "", self.file.working_directory if self.file else "")
        return self.step.working_directory or next(filter(None, defaults), "")

    @property
    def env(self) -> dict[str, str]:
        """Return the variables its script sees: of the file, the job and the step."""
        around = (self.file.env if self.file else (), self.job.env if self.job else (), self.step.env)
        return {name: value for texts in around for name, value in texts}


class Project:
    """All that the rules look at, each part read when it is first asked for. A file that cannot be read is empty."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    @cached_property
    def workflows(self) -> tuple[WorkflowFile, ...]:
        """The workflow files, by path."""
        paths = sorted(path for path in self.tree.paths if WORKFLOW.fullmatch(path))
        return tuple(workflow_of(self.tree.text(path) or "", path) for path in paths)

    @cached_property
    def actions(self) -> tuple[ActionFile, ...]:
        """The actions that the repository holds."""
        paths = sorted(path for path in self.tree.paths if path.rpartition("/")[2] in {"action.yml", "action.yaml"})
        return tuple(_action(self.tree.text(path) or "", path) for path in paths)

    @cached_property
    def jobs(self) -> tuple[tuple[WorkflowFile, WorkflowJob], ...]:
        """Every job of every workflow, with its file; none of a file that GitHub refuses, where nothing runs."""
        return tuple((file, job) for file in self.workflows if not file.problems for job in file.jobs)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Every step of every workflow, then those of composite actions."""
        of_jobs = (Place(file, job, step, script_of(step, job, file)) for file, job in self.jobs for step in job.steps)
        of_actions = (
            Place(None, None, step, parse_script(step.run, shell=step.shell, line=step.run_line), action)
            for action in self.actions
            for step in action.steps
        )
        return (*of_jobs, *of_actions)

    def of_job(self, file: WorkflowFile, job: WorkflowJob) -> tuple[Place, ...]:
        """Return the steps of that job."""
        return self._by_job.get((id(file), id(job)), ())

    @cached_property
    def _by_job(self) -> Mapping[tuple[int, int], tuple[Place, ...]]:
        found: dict[tuple[int, int], tuple[Place, ...]] = {}
        for place in self.places:
            if place.file is not None and place.job is not None:
                key = (id(place.file), id(place.job))
                found[key] = (*found.get(key, ()), place)
        return found

    def commands(self, *names: str) -> Iterator[tuple[Place, Command]]:
        """Yield the commands of all scripts whose program has one of these names; all without a name."""
        for place in self.places:
            for command in place.script.commands:
                if not names or command.name in names:
                    yield place, command

    def toml(self, path: str) -> Mapping[str, Any]:
        """Return a TOML file as data; empty where there is none, or where it is broken."""
        text = self.tree.text(path)
        return _toml(text) if text is not None else {}

    @cached_property
    def manifests(self) -> Mapping[str, Mapping[str, Any]]:
        """The Cargo manifests by path, as data."""
        return {path: self.toml(path) for path in self.tree.matching("Cargo.toml", "*/Cargo.toml")}

    @cached_property
    def is_rust(self) -> bool:
        """Whether there is a Cargo manifest."""
        return bool(self.manifests)

    @cached_property
    def toolchain_file(self) -> str:
        """The path of rustup's toolchain file at the root; empty without one."""
        return next((name for name in ("rust-toolchain.toml", "rust-toolchain") if name in self.tree.paths), "")

    def line_of(self, path: str, pattern: str) -> int:
        """Return the first line (from 1) of a file where the pattern is found; 1 where it is not."""
        for number, line in enumerate((self.tree.text(path) or "").splitlines(), start=1):
            if re.search(pattern, line):
                return number
        return 1


def script_of(step: WorkflowStep, job: WorkflowJob, file: WorkflowFile) -> Script:
    """Return the step's script, read by the shell that GitHub would take."""
    shell = step.shell or job.shell or file.shell
    if not shell and job.runs_on and all(_SHELLS_OF_WINDOWS.search(label) for label in job.runs_on):
        shell = "pwsh"
    return parse_script(step.run, shell=shell, line=step.run_line) if step.run else Script()


# Rules ask again and again, and a history holds each version of a file in many commits.
workflow_of = lru_cache(maxsize=2048)(lambda text, path: parse_workflow(text, path=path))
_action = lru_cache(maxsize=512)(lambda text, path: parse_action(text, path=path))


@lru_cache(maxsize=512)
def _toml(text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}
