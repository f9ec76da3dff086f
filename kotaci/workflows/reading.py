"""Workflow text to records; whatever is wrong with a file becomes a problem with its line, never an exception."""

from __future__ import annotations

from dataclasses import dataclass, field

from kotaci.workflows.declared import (
    ActionFile,
    Concurrency,
    Problem,
    Strategy,
    Texts,
    Trigger,
    WorkflowFile,
    WorkflowJob,
    WorkflowStep,
)
from kotaci.workflows.expressions import to_text
from kotaci.workflows.matrix import expand_matrix
from kotaci.workflows.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode, TreeError, read_tree


def parse_workflow(text: str, *, path: str) -> WorkflowFile:
    """Return what the file declares. Never raises: a broken file has no jobs and says why in `problems`.

    Read is what GitHub reads (YAML 1.2, no merge keys); of a key given twice the first counts. An expression is
    kept as written, except in a matrix, where literals and `fromJSON('...')` are evaluated.
    """
    try:
        root, left_out = read_tree(text)
    except TreeError as error:
        return WorkflowFile(path, path, (), None, None, (), (), (Problem(error.line, error.message),))
    reader = _Reader([Problem(line, message) for line, message in left_out])
    if root is None:
        reader.complain(1, "the file is empty")
    top = reader.mapping(root, "a workflow")
    triggers = reader.triggers(top.get("on")) if top else ()
    jobs_node = top.get("jobs") if top else None
    jobs = tuple(reader.job(entry) for entry in reader.entries(jobs_node, "jobs"))
    if top and not triggers:
        reader.complain(top.line, "no trigger: `on` is missing or empty")
    if top and not jobs:
        reader.complain(jobs_node.line if jobs_node else top.line, "no jobs")
    keys = {job.key.casefold() for job in jobs}
    for job in jobs:
        for needed in job.needs:
            if needed.casefold() not in keys:
                reader.complain(job.line, f"job '{job.key}' needs '{needed}', which is not a job of this file")
    return WorkflowFile(
        path=path,
        name=(top and reader.text(top.get("name"), "name")) or path,
        triggers=triggers,
        concurrency=reader.concurrency(top.get("concurrency")) if top else None,
        permissions=reader.permissions(top.get("permissions")) if top else None,
        env=reader.texts(top.get("env"), "env") if top else (),
        jobs=jobs,
        problems=reader.told(),
        shell=reader.default(top, "shell"),
        working_directory=reader.default(top, "working-directory"),
        lines=_lines(top),
        root=top,
    )


def parse_action(text: str, *, path: str) -> ActionFile:
    """Return what the file of an action declares. Never raises: what is wrong is in `problems`."""
    try:
        root, left_out = read_tree(text)
    except TreeError as error:
        return ActionFile(path, "", (), (), (), (Problem(error.line, error.message),))
    reader = _Reader([Problem(line, message) for line, message in left_out])
    top = reader.mapping(root, "an action") or MappingNode((), 1, 1, 1, 1)
    runs = reader.mapping(top.get("runs"), "runs") or MappingNode((), 1, 1, 1, 1)
    return ActionFile(
        path=path,
        using=reader.text(runs.get("using"), "using"),
        inputs=tuple(entry.key for entry in reader.entries(top.get("inputs"), "inputs")),
        outputs=tuple(entry.key for entry in reader.entries(top.get("outputs"), "outputs")),
        steps=reader.steps(runs.get("steps")),
        problems=reader.told(),
    )


def _lines(node: MappingNode | None) -> dict[str, int]:
    return {entry.key: entry.line for entry in node.entries} if node else {}


@dataclass
class _Reader:
    """Reads nodes as the kinds they should be, and collects complaints about the others."""

    problems: list[Problem] = field(default_factory=list)

    def complain(self, line: int, message: str) -> None:
        self.problems.append(Problem(line, message))

    def told(self) -> tuple[Problem, ...]:
        return tuple(sorted(set(self.problems), key=lambda problem: (problem.line, problem.message)))

    def default(self, node: MappingNode | None, name: str) -> str:
        """Return what `defaults: run:` of a file or job says of that name."""
        defaults = self.mapping(node.get("defaults") if node else None, "defaults")
        run = self.mapping(defaults.get("run") if defaults else None, "run")
        return self.text(run.get(name), name) if run else ""

    def mapping(self, node: Node | None, what: str) -> MappingNode | None:
        if isinstance(node, MappingNode):
            return node
        if node is not None and not _is_null(node):
            self.complain(node.line, f"{what} is not a mapping")
        return None

    def entries(self, node: Node | None, what: str) -> tuple[Entry, ...]:
        found = self.mapping(node, what)
        return found.entries if found else ()

    def text(self, node: Node | None, what: str) -> str:
        """Return a scalar as GitHub's expressions would write it; "" for none and null."""
        if isinstance(node, ScalarNode):
            return to_text(node.value)
        if node is not None:
            self.complain(node.line, f"{what} is not a text")
        return ""

    def list_of_texts(self, node: Node | None, what: str) -> tuple[str, ...]:
        """Return a list of texts; one text alone is a list of one."""
        if isinstance(node, SequenceNode):
            return tuple(text for item in node.items if (text := self.text(item, f"an item of {what}")))
        return tuple(filter(None, [self.text(node, what)]))

    def texts(self, node: Node | None, what: str) -> Texts:
        if isinstance(node, ScalarNode) and "${{" in node.text:
            return ()
        return tuple((entry.key, self.text(entry.value, entry.key)) for entry in self.entries(node, what))

    def truth(self, node: Node | None, what: str) -> tuple[bool, str]:
        """Return whether the node is `true`, and its text, which may be an expression."""
        text = self.text(node, what)
        if text not in {"", "true", "false"} and "${{" not in text:
            self.complain(node.line if node else 1, f"{what} is neither true nor false")
        return text == "true", text

    def number(self, node: Node | None, what: str) -> tuple[float | None, str]:
        """Return the number (None for an expression), and its text."""
        text = self.text(node, what)
        if isinstance(node, ScalarNode) and isinstance(node.value, float) and not isinstance(node.value, bool):
            return node.value, text
        if text and "${{" not in text:
            self.complain(node.line if node else 1, f"{what} is not a number")
        return None, text

    def triggers(self, node: Node | None) -> tuple[Trigger, ...]:
        if isinstance(node, SequenceNode):
            named = [(self.text(item, "an event"), item.line) for item in node.items]
            return tuple(Trigger(event=event, line=line) for event, line in named if event)
        if isinstance(node, ScalarNode):
            return (Trigger(event=to_text(node.value), line=node.line),) if to_text(node.value) else ()
        return tuple(self.trigger(entry) for entry in self.entries(node, "on"))

    def trigger(self, entry: Entry) -> Trigger:
        if entry.key == "schedule":
            return Trigger(event=entry.key, crons=self.crons(entry.value), line=entry.line)
        filters = self.mapping(entry.value, entry.key)
        names = ("branches", "paths", "tags", "types", "workflows", "branches-ignore", "paths-ignore", "tags-ignore")
        found = {
            name.replace("-", "_"): self.list_of_texts(filters.get(name), name) if filters else () for name in names
        }
        given = {
            name: tuple(one.key for one in self.entries(filters.get(name), name)) if filters else ()
            for name in ("inputs", "outputs")
        }
        return Trigger(event=entry.key, line=entry.line, **found, **given)

    def crons(self, node: Node) -> tuple[str, ...]:
        if not isinstance(node, SequenceNode):
            self.complain(node.line, "schedule is not a list")
            return ()
        items = [self.mapping(item, "an item of schedule") for item in node.items]
        return tuple(cron for item in items if item and (cron := self.text(item.get("cron"), "cron")))

    def concurrency(self, node: Node | None) -> Concurrency | None:
        if node is None or _is_null(node):
            return None
        if isinstance(node, ScalarNode):
            return Concurrency(group=to_text(node.value), cancel_in_progress="", line=node.line)
        found = self.mapping(node, "concurrency")
        if found is None:
            return None
        return Concurrency(
            group=self.text(found.get("group"), "group"),
            cancel_in_progress=self.truth(found.get("cancel-in-progress"), "cancel-in-progress")[1],
            line=found.line,
        )

    def permissions(self, node: Node | None) -> Texts | None:
        """Return access by scope; `read-all` and `write-all` become the scope `all`. None where not given."""
        if node is None:
            return None
        if isinstance(node, ScalarNode):
            return (("all", to_text(node.value).removesuffix("-all")),) if to_text(node.value) else ()
        return self.texts(node, "permissions")

    def job(self, entry: Entry) -> WorkflowJob:
        what = f"job '{entry.key}'"
        found = self.mapping(entry.value, what)
        if found is None:
            if _is_null(entry.value):
                self.complain(entry.line, f"{what} is empty")
            found = MappingNode((), entry.line, entry.value.end_line, 1, 1)
        uses = self.text(found.get("uses"), "uses")
        if found.entries and not uses and found.get("runs-on") is None:
            self.complain(entry.line, f"{what} has neither `runs-on` nor `uses`")
        timeout_min, timeout_text = self.number(found.get("timeout-minutes"), "timeout-minutes")
        may_fail, may_fail_text = self.truth(found.get("continue-on-error"), "continue-on-error")
        return WorkflowJob(
            key=entry.key,
            name=self.text(found.get("name"), "name") or None,
            needs=self.list_of_texts(found.get("needs"), "needs"),
            runs_on=self.labels(found.get("runs-on")),
            timeout_min=timeout_min,
            timeout_text=timeout_text,
            condition=self.text(found.get("if"), "if"),
            continue_on_error=may_fail,
            continue_on_error_text=may_fail_text,
            uses=uses,
            environment=self.environment(found.get("environment")),
            concurrency=self.concurrency(found.get("concurrency")),
            permissions=self.permissions(found.get("permissions")),
            env=self.texts(found.get("env"), "env"),
            strategy=self.strategy(found.get("strategy")),
            steps=self.steps(found.get("steps")),
            shell=self.default(found, "shell"),
            working_directory=self.default(found, "working-directory"),
            outputs=self.texts(found.get("outputs"), "outputs"),
            container=self.image(found.get("container")),
            services=tuple((one.key, self.image(one.value)) for one in self.entries(found.get("services"), "services")),
            inputs=self.texts(found.get("with"), "with"),
            lines=_lines(found),
            line=entry.line,
            end_line=max(entry.line, found.end_line),
        )

    def labels(self, node: Node | None) -> tuple[str, ...]:
        if isinstance(node, MappingNode):
            labels = self.list_of_texts(node.get("labels"), "labels")
            return labels or self.list_of_texts(node.get("group"), "group")
        return self.list_of_texts(node, "runs-on")

    def image(self, node: Node | None) -> str:
        return self.text(node.get("image") if isinstance(node, MappingNode) else node, "image")

    def environment(self, node: Node | None) -> str:
        return self.text(node.get("name") if isinstance(node, MappingNode) else node, "environment")

    def strategy(self, node: Node | None) -> Strategy | None:
        if isinstance(node, ScalarNode) and "${{" in node.text:
            return Strategy(legs=(), is_dynamic=True, fail_fast=True, max_parallel=None, line=node.line)
        found = self.mapping(node, "strategy")
        if found is None:
            return None
        for entry in found.entries:
            if entry.key not in {"matrix", "fail-fast", "max-parallel"}:
                self.complain(entry.line, f"strategy has no key '{entry.key}'")
        matrix = found.get("matrix")
        expansion = expand_matrix(matrix) if matrix is not None else None
        for line, message in expansion.problems if expansion else ():
            self.complain(line, message)
        at_once, _ = self.number(found.get("max-parallel"), "max-parallel")
        return Strategy(
            legs=expansion.legs if expansion else (),
            is_dynamic=expansion.is_dynamic if expansion else False,
            fail_fast=self.truth(found.get("fail-fast"), "fail-fast")[1] != "false",
            max_parallel=int(at_once) if at_once is not None and abs(at_once) < 1e9 else None,
            line=found.line,
        )

    def steps(self, node: Node | None) -> tuple[WorkflowStep, ...]:
        if node is None or _is_null(node):
            return ()
        if not isinstance(node, SequenceNode):
            self.complain(node.line, "steps is not a list")
            return ()
        found = [(self.mapping(item, "a step"), item) for item in node.items]
        return tuple(
            self.step(step or MappingNode((), item.line, item.end_line, 1, 1), number=number)
            for number, (step, item) in enumerate(found, start=1)
        )

    def step(self, node: MappingNode, *, number: int) -> WorkflowStep:
        script = node.get("run")
        lines = _lines(node)
        is_block = script is not None and script.end_line > script.line
        timeout_min, timeout_text = self.number(node.get("timeout-minutes"), "timeout-minutes")
        may_fail, may_fail_text = self.truth(node.get("continue-on-error"), "continue-on-error")
        return WorkflowStep(
            number=number,
            id=self.text(node.get("id"), "id"),
            name=self.text(node.get("name"), "name") or None,
            uses=self.text(node.get("uses"), "uses"),
            run=self.text(node.get("run"), "run"),
            condition=self.text(node.get("if"), "if"),
            continue_on_error=may_fail,
            continue_on_error_text=may_fail_text,
            timeout_min=timeout_min,
            timeout_text=timeout_text,
            shell=self.text(node.get("shell"), "shell"),
            inputs=self.texts(node.get("with"), "with"),
            env=self.texts(node.get("env"), "env"),
            working_directory=self.text(node.get("working-directory"), "working-directory"),
            lines=lines,
            run_line=(script.line + is_block) if script else node.line,
            line=node.line,
            end_line=node.end_line,
        )


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value is None
