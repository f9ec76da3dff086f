"""Rules of time-outs, concurrency, triggers and conditions; what each is for stands on its card."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from kotaci.audit.conditions import (
    Node,
    Possible,
    World,
    can_fail,
    can_hold,
    has_status,
    is_constant,
    of_leg,
    only,
    parse_condition,
    worlds_of,
)
from kotaci.audit.edits import insert_concurrency, insert_key
from kotaci.audit.globs import fits
from kotaci.audit.marks import Mark, mark_job
from kotaci.audit.project import Place, Project
from kotaci.model import Certainty, Severity
from kotaci.workflows import Concurrency, Trigger, WorkflowFile, WorkflowJob, WorkflowStep, legs_of, parse_workflow
from kotaci.workflows.expressions import fill, split_text

LIMIT_MIN = 30
"""What a time-out is set to where no run was measured: long enough for a cold build, far below GitHub's 360."""

HOSTED_LIMIT_MIN = 360.0
"""A job on GitHub's own machines ends then, whatever it asks for (docs: Actions limits)."""

SHOWN = 110
"""Characters of a condition that a claim shows."""

_AT_ONCE = {"echo", "printf", "exit", "test", "[", "true", "false", ":", "set", "export", "jq", "grep", "cat", "date"}
"""Commands that end by themselves."""

_WORK = {"cargo", "cross", "maturin", "docker", "npm", "pnpm", "yarn", "pytest", "tox", "make", "just", "go", "cmake"}
"""Programs that take minutes."""

_HOSTED = re.compile(r"(?:ubuntu|windows|macos)-(?:latest|slim|\d[\w.-]*)")


def job_without_timeout(project: Project) -> Iterator[Mark]:
    """Fire on jobs with steps whose time-out is GitHub's default; not where every step has one, or ends at once."""
    for file, job in project.jobs:
        if job.uses or job.timeout_text or not job.steps or all(step.timeout_text for step in job.steps):
            continue
        if all(_ends_at_once(place) for place in project.of_job(file, job)):
            continue
        text = project.tree.text(file.path) or ""
        found = mark_job(
            file,
            job,
            "has no timeout-minutes, so a hanging step runs for GitHub's 360 minutes",
            patch=insert_key(text, file, job, f"timeout-minutes: {LIMIT_MIN}", after="runs-on"),
        )
        # A job of actions alone, without a checkout, tends to be one request to some API.
        is_work = any(step.run or step.action == "actions/checkout" for step in job.steps)
        yield found if is_work else replace(found, certainty=Certainty.MEDIUM)


def _ends_at_once(place: Place) -> bool:
    script = place.script
    return (
        bool(place.step.run)
        and script.is_known
        and not script.is_broken
        and all(command.name in _AT_ONCE for command in script.commands)
    )


def timeout_without_effect(project: Project) -> Iterator[Mark]:
    """Fire on steps whose time-out is longer than their job's, and on jobs of GitHub's machines with more than 360."""
    for file, job in project.jobs:
        of_job = job.timeout_min or HOSTED_LIMIT_MIN
        if job.timeout_min and job.timeout_min > HOSTED_LIMIT_MIN and _is_hosted(job):
            asked = f"timeout-minutes: {job.timeout_min:g}"
            yield mark_job(
                file, job, f"asks for {asked}, but a job on GitHub's machines ends after 360", key="timeout-minutes"
            )
            of_job = HOSTED_LIMIT_MIN
        if job.timeout_text and job.timeout_min is None:
            continue
        for step in job.steps:
            if step.timeout_min and step.timeout_min > of_job and (job.timeout_min or _is_hosted(job)):
                claim = f"the step may take {step.timeout_min:g} minutes, but its job ends after {of_job:g}"
                yield _mark_step(file, job, step, claim, key="timeout-minutes")


def _is_hosted(job: WorkflowJob) -> bool:
    return len(job.runs_on) == 1 and all(
        _HOSTED.fullmatch(fill(job.runs_on[0], matrix=leg.values if leg else None) or "") for _, leg in legs_of(job)
    )


def superseded_runs_go_on(project: Project) -> Iterator[Mark]:
    """Fire on workflows of pull requests that check code out, where a newer push cancels nothing."""
    for file in project.workflows:
        trigger = file.trigger("pull_request")
        if trigger is None or (trigger.types and "synchronize" not in trigger.types):
            continue
        jobs = [job for job in file.jobs if not job.uses]
        world = next(world for world in worlds_of(file) if world.known.get("github.event_name") == only("pull_request"))
        asked = [one for one in (file.concurrency, *(job.concurrency for job in file.jobs)) if one is not None]
        if any(_cancels(one, world) for one in asked):
            continue
        if not any(step.action == "actions/checkout" for job in jobs for step in job.steps):
            continue
        patch = insert_concurrency(project.tree.text(file.path) or "", file) if not asked else None
        why = "its concurrency does not cancel" if file.concurrency else "there is no concurrency group"
        claim = f"a new push to a pull request leaves the run before it going: {why}"
        held = [job for job in jobs if can_hold(job.condition, world)]
        if any(_is_work(place) for job in held for place in project.of_job(file, job)):
            yield Mark(file.path, trigger.line, "workflow", claim, patch=patch)


def _is_work(place: Place) -> bool:
    names = {command.name for command in place.script.commands}
    return not names.isdisjoint(_WORK) or place.step.action == "docker/build-push-action"


def _cancels(concurrency: Concurrency, world: World) -> bool:
    text = concurrency.cancel_in_progress
    return text not in {"", "false"} and can_hold(text, world)


_UNIQUE = re.compile(r"github\.(?:run_id|run_number|sha)", re.IGNORECASE)
_SHARED = re.compile(
    r"github\.(?:workflow|repository|event_name|job|base_ref|repository_owner)|matrix\.[\w.-]+", re.IGNORECASE
)


def concurrency_never_cancels(project: Project) -> Iterator[Mark]:
    """Fire where runs are to be cancelled, but each has a group of its own."""
    for file, job, concurrency in _groups(project):
        if concurrency.cancel_in_progress in {"", "false"}:
            continue
        found = next((one for one in _expressions(concurrency.group) if _UNIQUE.fullmatch(one)), "")
        if found:
            claim = f"cancel-in-progress never cancels: `{found}` in `group: {concurrency.group}` differs in every run"
            yield _mark_group(file, job, concurrency, claim)


def concurrency_joins_branches(project: Project) -> Iterator[Mark]:
    """Fire where a run cancels runs of other pull requests or branches, because the group names none."""
    for file, job, concurrency in _groups(project):
        if concurrency.cancel_in_progress in {"", "false"}:
            continue
        worlds = {world.said.partition(" ")[0]: world for world in worlds_of(file)}
        expressions = _expressions(concurrency.group)
        if all(_SHARED.fullmatch(one) for one in expressions):
            asked = worlds.get("pull_request")
            if asked is not None and _cancels(concurrency, asked) and "workflow_call" not in worlds:
                claim = f"`group: {concurrency.group}` is the same for all pull requests, so they cancel each other"
                yield _mark_group(file, job, concurrency, claim)
        elif all(_SHARED.fullmatch(one) or one.casefold() == "github.head_ref" for one in expressions):
            pushed = file.trigger("push")
            if pushed is not None and _cancels(concurrency, worlds["push"]) and not _is_one_branch(pushed):
                claim = (
                    f"github.head_ref is empty on push, so pushes to all branches share `group: {concurrency.group}`"
                )
                yield _mark_group(file, job, concurrency, f"{claim} and cancel each other")


def _is_one_branch(trigger: Trigger) -> bool:
    return len(trigger.branches) == 1 and "*" not in trigger.branches[0] and not trigger.tags


def _groups(project: Project) -> Iterator[tuple[WorkflowFile, WorkflowJob | None, Concurrency]]:
    for file in project.workflows:
        if file.concurrency:
            yield file, None, file.concurrency
        for job in file.jobs:
            if job.concurrency:
                yield file, job, job.concurrency


def _expressions(text: str) -> list[str]:
    return [inside for _, inside in split_text(text) if inside is not None]


def concurrency_shared(project: Project) -> Iterator[Mark]:
    """Fire where two workflows of one event have one group, or where a called workflow has its caller's."""
    groups = [(file, file.concurrency) for file in project.workflows if file.concurrency]
    for file, concurrency in groups:
        for job in file.jobs:
            if job.concurrency and _group(job.concurrency, file) == _group(concurrency, file):
                claim = f"job {job.key} has the group of its own workflow, `{concurrency.group}`, and waits for itself"
                also = [(file.path, job.concurrency.line)]
                yield _mark_group(file, None, concurrency, claim, also=also)
        for other, its in groups:
            called = any(job.uses == f"./{other.path}" for job in file.jobs)
            if called and _group(concurrency, file) == _group(its, file):
                claim = (
                    f"`group: {its.group}` of {other.path} is the group of this workflow, which calls it and so waits"
                )
                yield _mark_group(file, None, concurrency, f"{claim} for itself", also=[(other.path, its.line)])
            both = file.events & other.events - {"workflow_call", "workflow_dispatch"}
            cancels = [one for one in (concurrency, its) if one.cancel_in_progress == "true"]
            if file.path < other.path and both and cancels and _group(concurrency, file) == _group(its, other):
                claim = (
                    f"`group: {concurrency.group}` is that of {other.path} too, so that on {', '.join(sorted(both))}"
                )
                yield _mark_group(
                    file, None, concurrency, f"{claim} one cancels the other", also=[(other.path, its.line)]
                )


def _group(concurrency: Concurrency, run_by: WorkflowFile) -> str:
    """Return the group as it reads in a run of that workflow, other expressions as written."""
    parts = []
    for literal, inside in split_text(concurrency.group):
        is_name = inside is not None and inside.casefold() == "github.workflow"
        parts += [
            literal,
            run_by.name if is_name else "" if inside is None else "${{" + re.sub(r"\s+", " ", inside) + "}}",
        ]
    return "".join(parts).casefold()


_PUBLISHING_ACTIONS = re.compile(
    r"actions/deploy-pages|softprops/action-gh-release|peaceiris/actions-gh-pages|pypa/gh-action-pypi-publish"
    r"|ncipollo/release-action|jamesives/github-pages-deploy-action|cloudflare/wrangler-action|actions/create-release"
)
_PUBLISHING_WORDS = re.compile(
    r"(?:cargo|npm|pnpm|yarn|poetry|uv) publish\b(?!.*--dry-run)|twine upload|docker push|fly(?:ctl)? deploy"
    r"|gh release (?:create|upload)|terraform apply|kubectl apply|helm upgrade|mkdocs gh-deploy|wrangler deploy"
)


def deployment_can_be_cut(project: Project) -> Iterator[Mark]:
    """Fire where a newer run cancels one that is publishing or deploying."""
    for file, job in project.jobs:
        concurrency = job.concurrency or file.concurrency
        if concurrency is None or concurrency.cancel_in_progress != "true":
            continue
        if any(re.search(_UNIQUE, one) for one in _expressions(concurrency.group)):
            continue
        worlds = [world for world in worlds_of(file) if can_hold(job.condition, world)]
        if all(world.said.startswith(("pull_request", "workflow_call")) for world in worlds):
            continue
        found = next((said for place in project.of_job(file, job) if (said := _published(place, worlds))), "")
        if found:
            yield mark_job(
                file,
                job,
                f"`{found}` can be cancelled half-way by the next run: cancel-in-progress is true in line"
                f" {concurrency.line}",
            )


def _published(place: Place, worlds: Sequence[World]) -> str:
    step = place.step
    real = [world for world in worlds if not world.said.startswith(("pull_request", "workflow_call"))]
    if not any(can_hold(step.condition, world) for world in real):
        return ""
    if _PUBLISHING_ACTIONS.fullmatch(step.action):
        return step.action
    if step.action == "docker/build-push-action" and step.input("push") not in {"", "false"}:
        return step.action if any(can_hold(step.input("push"), world) for world in real) else ""
    found = (_PUBLISHING_WORDS.match(command.text) for command in place.script.commands)
    return next((one[0] for one in found if one), "")


def schedule_on_the_hour(project: Project) -> Iterator[Mark]:
    """Fire on schedules at minute 0, when GitHub's queue is longest."""
    for file in project.workflows:
        trigger = file.trigger("schedule")
        crons = [cron for cron in trigger.crons if re.match(r"0+\s", cron)] if trigger else []
        if trigger and crons:
            line = project.line_of(file.path, rf"cron:\s*['\"]?{re.escape(crons[0])}")
            claim = f"`cron: {crons[0]}` starts at minute 0, when GitHub delays or drops scheduled runs"
            yield Mark(file.path, line, "schedule", claim)


def path_filter_fits_nothing(project: Project) -> Iterator[Mark]:
    """Fire on patterns under `paths` that no file of the repository fits."""
    if ".gitmodules" in project.tree.paths:
        return
    for file in project.workflows:
        told = set[tuple[str, ...]]()
        for trigger in file.triggers:
            wanted = [pattern for pattern in trigger.paths if not pattern.startswith("!")]
            dead = tuple(one for one in wanted if not any(fits(one, path) for path in project.tree.paths))
            if not dead or dead in told:
                continue
            told.add(dead)
            said = ", ".join(f"`{pattern}`" for pattern in dead)
            claim = f"no file fits {said} under paths"
            if dead[0].rstrip("/") in project.tree.folders:
                claim = f"{claim} ({dead[0]} is a folder, whose files need /** behind it)"
            if len(dead) == len(wanted):
                claim = f"{claim}, so that {trigger.event} never starts the workflow"
            line = project.line_of(file.path, rf"^\s*(?:-|paths:).*{re.escape(dead[0])}")
            yield Mark(file.path, line, f"trigger {trigger.event}", claim)


def workflow_run_of_nothing(project: Project) -> Iterator[Mark]:
    """Fire where `workflow_run` waits for a workflow whose name no file bears."""
    names = {file.name for file in project.workflows}
    for file in project.workflows:
        trigger = file.trigger("workflow_run")
        for name in trigger.workflows if trigger else ():
            if trigger and name not in names and not re.search(r"[*?+\[!]", name):
                line = project.line_of(file.path, rf"\b{re.escape(name)}\b")
                claim = f"waits for the workflow “{name}”, but the workflows here are called {_listed(sorted(names))}"
                yield Mark(file.path, line, "trigger workflow_run", claim)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(f"“{name}”" for name in names[:5]) + more


def label_starts_nothing(project: Project) -> Iterator[Mark]:
    """Fire where a condition asks for a label, but giving the label starts no run."""
    for file in project.workflows:
        trigger = file.trigger("pull_request")
        if trigger is None or "labeled" in trigger.types:
            continue
        found = [
            (job, step)
            for job in file.jobs
            for step in (None, *job.steps)
            if _asks_for_label(parse_condition((step or job).condition))
        ]
        if found:
            job, step = found[0]
            line = (step or job).lines.get("if", job.line)
            claim = "a label on a pull request is asked for, but `labeled` is not among the types that start a run"
            yield Mark(file.path, line, f"job {job.key}", claim, job=job.key)


def _asks_for_label(node: Node) -> bool:
    if node.kind == "not":
        return False
    if node.kind == "path":
        return str(node.value).startswith("github.event.pull_request.labels")
    return any(_asks_for_label(part) for part in node.parts)


def _starting(file: WorkflowFile) -> dict[str, tuple[list[World], list[World]]]:
    """Return, for each job, the worlds in which its own condition may hold, and those in which it may run."""
    worlds, found = worlds_of(file), dict[str, tuple[list[World], list[World]]]()
    jobs = {job.key: job for job in file.jobs}

    def of(job: WorkflowJob, above: frozenset[str]) -> tuple[list[World], list[World]]:
        if job.key not in found:
            alone: Mapping[str, Possible] = {} if job.needs else {"failure()": only(False)}
            own = [world for world in worlds if can_hold(job.condition, world.with_known(alone))]
            reached = own
            for need in job.needs if not has_status(job.condition) else ():
                if need in jobs and need not in above:
                    before = of(jobs[need], above | {job.key})[1]
                    reached = [world for world in reached if world in before]
            found[job.key] = own, reached
        return found[job.key]

    for job in file.jobs:
        of(job, frozenset())
    return found


def condition_never_holds(project: Project) -> Iterator[Mark]:
    """Fire on jobs and steps whose `if` no event that starts the workflow, and no leg, can fulfil."""
    for file in project.workflows:
        if not file.triggers:
            continue
        starting = _starting(file)
        for job in file.jobs:
            own, reached = starting[job.key]
            if not own:
                claim = f"{_if(job.condition)} {_never(job.condition, worlds_of(file))}"
                yield replace(mark_job(file, job, claim, key="if"), severity=_weight(job.condition))
                continue
            for step in job.steps:
                if step.condition and reached and not _step_can_run(job, step, reached):
                    claim = f"{_if(step.condition)} {_never(step.condition, reached)}"
                    if not is_constant(step.condition) and not _step_can_run(job, step, [World("")]):
                        where = f"in none of {len(job.legs)} legs" if job.legs else f"on {', '.join(job.runs_on)}"
                        claim = f"{_if(step.condition)} never holds {where}"
                    yield replace(_mark_step(file, job, step, claim, key="if"), severity=_weight(step.condition))


def _weight(condition: str) -> Severity | None:
    """Return what it weighs: what is switched off in so many words is meant to be."""
    return Severity.LOW if is_constant(condition) else None


def _step_can_run(job: WorkflowJob, step: WorkflowStep, worlds: Sequence[World]) -> bool:
    legs = [of_leg(job, leg) for _, leg in legs_of(job)]
    return any(can_hold(step.condition, world.with_known(leg)) for leg in legs for world in worlds)


def _if(condition: str) -> str:
    said = re.sub(r"\s+", " ", condition.strip())
    return f"`if: {said[:SHOWN]}{'…' if len(said) > SHOWN else ''}`"


def _never(condition: str, worlds: Sequence[World]) -> str:
    if is_constant(condition):
        return "never holds"
    return f"never holds: the job is started by {', '.join(world.said for world in worlds)} only"


def condition_always_holds(project: Project) -> Iterator[Mark]:
    """Fire on conditions that compare, but cannot fail: `a == 'x' || 'y'`, `a != 'x' || a != 'y'`."""
    for file, job in project.jobs:
        for step in (None, *job.steps):
            condition = (step or job).condition
            if not condition or is_constant(condition) or has_status(condition) or can_fail(condition, World("")):
                continue
            claim = f"{_if(condition)} holds whatever happens"
            if step is None:
                yield mark_job(file, job, claim, key="if")
            else:
                yield _mark_step(file, job, step, claim, key="if")


def trigger_starts_nothing(project: Project) -> Iterator[Mark]:
    """Fire on events on which every job of the workflow is skipped."""
    for file in project.workflows:
        reached = [world for _, worlds in _starting(file).values() for world in worlds]
        if not reached:
            continue
        for trigger, world in zip(file.triggers, worlds_of(file), strict=True):
            if world not in reached:
                claim = f"on {world.said} every job is skipped: no condition holds then"
                yield Mark(file.path, trigger.line, f"trigger {trigger.event}", claim)


def pull_request_once(project: Project) -> Iterator[Mark]:
    """Fire on workflows that build when a pull request is opened, but not when commits are added to it."""
    for file in project.workflows:
        trigger = file.trigger("pull_request")
        if trigger is None or not {"opened", "reopened"} & set(trigger.types) or "synchronize" in trigger.types:
            continue
        works = any(_is_work(place) for job in file.jobs for place in project.of_job(file, job))
        if works and "push" not in file.events:
            claim = (
                f"types [{', '.join(trigger.types)}] lack synchronize, so commits added to a pull request are not built"
            )
            yield Mark(file.path, trigger.line, "trigger pull_request", claim)


_BELOW = re.compile(r"\.github/workflows/.+/[^/]+\.ya?ml")


def workflow_in_a_folder(project: Project) -> Iterator[Mark]:
    """Fire on workflows in a folder below .github/workflows, where GitHub reads none."""
    for path in sorted(project.tree.paths):
        if _BELOW.fullmatch(path):
            file = parse_workflow(project.tree.text(path) or "", path=path)
            if file.triggers and file.jobs:
                claim = f"GitHub reads workflows of .github/workflows only, so its {len(file.jobs)} jobs never run"
                yield Mark(path, 1, "workflow", claim)


def needs_never_meet(project: Project) -> Iterator[Mark]:
    """Fire on jobs that need a job which never runs on the same event, and so are always skipped."""
    for file in project.workflows:
        starting = _starting(file)
        for job in file.jobs:
            own, reached = starting[job.key]
            needed = [need for need in job.needs if need in starting]
            if reached or not own or not all(starting[need][1] for need in needed):
                continue
            both = {need: [world for world in own if world in starting[need][1]] for need in needed}
            need = min(needed, key=lambda one: len(both[one]))
            claim = (
                f"needs {need}, which runs on {_events(starting[need][1])} only, and runs itself on {_events(own)} only"
            )
            yield mark_job(file, job, f"{claim}: it is always skipped", key="needs")


def _events(worlds: Sequence[World]) -> str:
    return ", ".join(world.said for world in worlds)


_TESTING = re.compile(r"(?:cargo|cross) (?:\S+ )?(?:test|nextest)\b|pytest|npm (?:run )?test")


def fail_fast_hides_legs(project: Project) -> Iterator[Mark]:
    """Fire once a file, on the matrices over several systems that run tests and leave fail-fast at its default."""
    for file in project.workflows:
        found = [(job, systems) for job in file.jobs if (systems := _systems(project, file, job))]
        if not found:
            continue
        job, systems = found[0]
        claim = f"one failing leg of {job.key} ({', '.join(systems)}) cancels the others, since fail-fast is on"
        if len(found) > 1:
            claim = f"{claim}; so in {', '.join(other.key for other, _ in found[1:])}"
        also = tuple((file.path, other.lines.get("strategy", other.line)) for other, _ in found[1:])
        yield replace(mark_job(file, job, claim, key="strategy"), also=also)


def _systems(project: Project, file: WorkflowFile, job: WorkflowJob) -> list[str]:
    """Return the systems of a matrix that stops at its first failing test; none where it is no such matrix."""
    if job.strategy is None or not job.strategy.fail_fast or job.continue_on_error_text or len(job.legs) < 2:
        return []
    labels = {fill(label, matrix=leg.values) or "" for leg in job.legs for label in job.runs_on[:1]}
    systems = sorted({label.partition("-")[0] for label in labels})
    if len(systems) < 2 or "" in systems:
        return []
    commands = (command for place in project.of_job(file, job) for command in place.script.commands)
    return systems if any(_TESTING.match(command.text) for command in commands) else []


def _mark_step(file: WorkflowFile, job: WorkflowJob, step: WorkflowStep, claim: str, *, key: str) -> Mark:
    line = step.lines.get(key, step.line)
    return Mark(file.path, line, f"job {job.key}, step “{step.title}”", claim, job=job.key)


def _mark_group(
    file: WorkflowFile,
    job: WorkflowJob | None,
    concurrency: Concurrency,
    claim: str,
    *,
    also: Sequence[tuple[str, int]] = (),
) -> Mark:
    subject = f"job {job.key}" if job else "workflow"
    return Mark(file.path, concurrency.line, subject, claim, job=job.key if job else "", also=tuple(also))


RULES: dict[str, Callable[[Project], Iterable[Mark]]] = {
    "job-without-timeout": job_without_timeout,
    "timeout-without-effect": timeout_without_effect,
    "superseded-runs-go-on": superseded_runs_go_on,
    "concurrency-never-cancels": concurrency_never_cancels,
    "concurrency-joins-branches": concurrency_joins_branches,
    "concurrency-shared": concurrency_shared,
    "deployment-can-be-cut": deployment_can_be_cut,
    "schedule-on-the-hour": schedule_on_the_hour,
    "path-filter-fits-nothing": path_filter_fits_nothing,
    "workflow-run-of-nothing": workflow_run_of_nothing,
    "label-starts-nothing": label_starts_nothing,
    "condition-never-holds": condition_never_holds,
    "condition-always-holds": condition_always_holds,
    "needs-never-meet": needs_never_meet,
    "trigger-starts-nothing": trigger_starts_nothing,
    "pull-request-once": pull_request_once,
    "workflow-in-a-folder": workflow_in_a_folder,
    "fail-fast-hides-legs": fail_fast_hides_legs,
}
