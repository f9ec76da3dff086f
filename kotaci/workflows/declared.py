"""What one workflow file declares: frozen records with the lines they stand on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kotaci.workflows.matrix import Leg
from kotaci.workflows.nodes import MappingNode

Texts = tuple[tuple[str, str], ...]
"""A mapping of texts (`with:`, `env:`, `permissions:`) in declared order; expressions as they are written."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file, and the line (from 1) that says so."""

    line: int
    message: str


@dataclass(frozen=True)
class Trigger:
    """One event under `on:` with its filters; `line` is where the event is named."""

    event: str
    branches: tuple[str, ...] = ()
    branches_ignore: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    paths_ignore: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    tags_ignore: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    workflows: tuple[str, ...] = ()
    crons: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    """names of the inputs that a call or a dispatch may give"""
    outputs: tuple[str, ...] = ()
    line: int = 1


@dataclass(frozen=True)
class Concurrency:
    """A concurrency group; `cancel_in_progress` as written: empty, true, false or an expression."""

    group: str
    cancel_in_progress: str
    line: int


@dataclass(frozen=True)
class Strategy:
    """`strategy:` of a job. `is_dynamic` means that its legs are only known at run time; then there are none here."""

    legs: tuple[Leg, ...]
    is_dynamic: bool
    fail_fast: bool
    max_parallel: int | None
    line: int


@dataclass(frozen=True)
class WorkflowStep:
    """One step; `number` counts declared steps from 1 (GitHub's own count starts with "Set up job")."""

    number: int
    id: str
    name: str | None
    uses: str
    run: str
    condition: str
    continue_on_error: bool
    """true is written; an expression is in `continue_on_error_text` only"""
    continue_on_error_text: str
    timeout_min: float | None
    timeout_text: str
    shell: str
    inputs: Texts
    env: Texts
    working_directory: str
    lines: Mapping[str, int]
    """the line of each key of the step"""
    run_line: int
    """the line of the script's first line, which a block scalar has below its `|`"""
    line: int
    end_line: int

    @property
    def title(self) -> str:
        """Return the step's name as GitHub shows it."""
        return self.name or f"Run {self.uses or (self.run.strip().splitlines() or [''])[0]}"

    @property
    def action(self) -> str:
        """Return what the step uses without its version, in small letters; empty for a script."""
        return self.uses.partition("@")[0].casefold()

    def input(self, name: str) -> str:
        """Return the value given under `with:`; empty where none is."""
        return next((value for key, value in self.inputs if key.casefold() == name), "")


@dataclass(frozen=True)
class WorkflowJob:
    """One job. Texts are as written, "" where absent; lines count from 1, `line` is that of the key."""

    key: str
    name: str | None
    needs: tuple[str, ...]
    runs_on: tuple[str, ...]
    """labels; the name of the runner group where no label is given"""
    timeout_min: float | None
    """None where absent or an expression: `timeout_text` tells which"""
    timeout_text: str
    condition: str
    continue_on_error: bool
    continue_on_error_text: str
    uses: str
    environment: str
    concurrency: Concurrency | None
    permissions: Texts | None
    env: Texts
    strategy: Strategy | None
    steps: tuple[WorkflowStep, ...]
    shell: str
    working_directory: str
    """these two are the job's defaults for its scripts"""
    outputs: Texts
    container: str
    services: Texts
    """images by the name of the service"""
    inputs: Texts
    """what is given to a called workflow"""
    lines: Mapping[str, int]
    """the line of each key of the job"""
    line: int
    end_line: int

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Return the legs of the matrix; none without one, or where it is dynamic."""
        return self.strategy.legs if self.strategy else ()

    @property
    def is_dynamic(self) -> bool:
        """Return whether the matrix is only known at run time."""
        return self.strategy is not None and self.strategy.is_dynamic


@dataclass(frozen=True)
class WorkflowFile:
    """One workflow file. `name` is its own or, as GitHub shows it, the path; `problems` says what is wrong."""

    path: str
    name: str
    triggers: tuple[Trigger, ...]
    concurrency: Concurrency | None
    permissions: Texts | None
    env: Texts
    jobs: tuple[WorkflowJob, ...]
    problems: tuple[Problem, ...]
    shell: str = ""
    working_directory: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)
    """the line of each key of the file"""
    root: MappingNode | None = field(default=None, repr=False, compare=False)

    @property
    def events(self) -> frozenset[str]:
        """Return the names of the events that start it."""
        return frozenset(trigger.event for trigger in self.triggers)

    def trigger(self, event: str) -> Trigger | None:
        """Return what it says of that event; None where the event does not start it."""
        return next((trigger for trigger in self.triggers if trigger.event == event), None)


@dataclass(frozen=True)
class ActionFile:
    """The `action.yml` of an action in the repository; `steps` only of a composite one."""

    path: str
    using: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    steps: tuple[WorkflowStep, ...]
    problems: tuple[Problem, ...]
