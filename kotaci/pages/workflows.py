"""The page about all workflows, `.github/workflows/README.md`: what the files declare beside what their runs did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kotaci.config import CodeOwners, Owners
from kotaci.model import plural, short_workflow, workflow_url
from kotaci.report import markdown as md
from kotaci.report import words
from kotaci.report.inline import link
from kotaci.workflows import Trigger, WorkflowFile, WorkflowJob, parse_workflow, shown_jobs
from kotaci.workflows.expressions import fill

NAME = "workflows"
"""The section's name in its markers."""
DEFAULT_LIMIT = "360 min, GitHub's default"
MOST_NODES = 60
"""A larger graph is not drawn: nobody reads it."""
MOST_FAMILIES = 3
_IN_A_LABEL = frozenset(" _.,/()×:+-")
_KEY_INPUTS = ("key", "shared-key", "prefix-key", "cache")


@dataclass(frozen=True)
class WorkflowFacts:
    """What the page is made of.

    `texts` are the files at one commit by path; `flows` is Health.workflows, `jobs` of measure_jobs, `restores`
    Caching.events; `window` says in words what they rest on.
    """

    repo: str
    texts: Mapping[str, str]
    commit_sha: str
    window: str
    flows: pd.DataFrame
    jobs: pd.DataFrame
    restores: pd.DataFrame
    owners: Owners
    code_owners: CodeOwners
    min_runs: int


def owner_of(path: str, owners: Owners, code_owners: CodeOwners, *, job: str = "") -> str:
    """Return whom to ask about a workflow or job: whom the configuration names, else the code owners of its file."""
    return owners.of(path, job=job) or " ".join(code_owners.of(path))


def workflows_page(facts: WorkflowFacts) -> str:
    """Return the section: an overview, then for each workflow its triggers, graph and jobs; of the same facts the same.

    Every name is a stranger's, also in the graphs: there all but letters, digits and a few signs becomes a number.
    """
    files = {path: parse_workflow(text, path=path) for path, text in sorted(facts.texts.items())}
    if not files:
        return "No workflow file is held: fetch, or import a clone with `kotaci import --git`."
    by_flow = {row["path"]: row for row in facts.flows.to_dict("records")}
    opening = (
        f"Made by `kotaci handoff` from the files at {md.code_span(facts.commit_sha[:10])} and {facts.window}. "
        "Times are those of runs and jobs that passed; rates count first attempts that passed or failed, "
        "with their 95 % interval."
    )
    parts = [opening, _overview(files, by_flow, facts)]
    for path, file in files.items():
        parts += _chapter(file, files, by_flow.get(path), facts)
    return "\n\n".join(parts)


def _overview(files: Mapping[str, WorkflowFile], by_flow: Mapping[str, Any], facts: WorkflowFacts) -> str:
    rows = []
    for path, file in files.items():
        flow = by_flow.get(path)
        named = link(short_workflow(path), workflow_url(facts.repo, path)).markdown
        events = ", ".join(md.code_span(one.event) for one in file.triggers) or words.MISSING
        owner = owner_of(path, facts.owners, facts.code_owners)
        shown = [named, events, str(len(file.jobs)), *_times(flow), *_failures(flow, facts.min_runs)]
        rows.append([*shown, md.code_span(owner) if owner else words.MISSING])
    heads = ["workflow", "starts on", "jobs", "median", "p95", "n", "failure rate", "n", "owner"]
    return md.table(heads, rows, right=[False, False, True, True, True, True, True, True, False])


def _times(row: Mapping[str, Any] | None) -> list[str]:
    if row is None or not row["n_wall"]:
        return [words.MISSING, words.MISSING, "0"]
    return [words.duration(row["wall_s"]), words.duration(row["wall_p95_s"]), f"{row['n_wall']:,}"]


def _failures(row: Mapping[str, Any] | None, min_runs: int) -> list[str]:
    if row is None or not row["n"]:
        return [words.MISSING, "0"]
    told = words.interval(row["n_failed"] / row["n"], low=row["low"], high=row["high"])
    return [told if row["n"] >= min_runs else "too few", f"{row['n']:,}"]


def _chapter(
    file: WorkflowFile, files: Mapping[str, WorkflowFile], flow: Mapping[str, Any] | None, facts: WorkflowFacts
) -> Iterator[str]:
    short = short_workflow(file.path)
    name = "" if file.name == file.path else f": {md.escape_text(file.name)}"
    yield f"### {md.escape_text(short)}{name}"
    if file.problems:
        told = [f"line {one.line}: {md.escape_text(one.message)}" for one in file.problems[:3]]
        yield f"**The file has {plural(len(file.problems), 'problem')}:** {'; '.join(told)}"
    facts_of = [f"- starts on {_trigger(one)}" for one in file.triggers]
    if file.concurrency:
        cancels = file.concurrency.cancel_in_progress
        more = f", an older run is cancelled: {md.code_span(cancels)}" if cancels not in {"", "false"} else ""
        facts_of.append(f"- one run at a time in {md.code_span(file.concurrency.group)}{more}")
    if flow is None:
        facts_of.append("- no run is held in this window")
    if facts_of:
        yield "\n".join(facts_of)
    if not file.jobs:
        return
    graph = needs_graph(file)
    yield graph or f"{plural(len(file.jobs), 'job')}, too many to be drawn."
    bases = {shown.job_key: shown.base for shown in shown_jobs(file.path, files=files)}
    measured = {(row["workflow"], row["job_base"]): row for row in facts.jobs.to_dict("records")}
    rows = [_row(job, measured.get((file.path, bases.get(job.key, job.key))), file, facts) for job in file.jobs]
    heads = ["job", "needs", "runs on", "time-out", "caches", "median", "p95", "n", "failure rate", "n"]
    yield md.table(heads, rows, right=[False] * 5 + [True] * 5)


def _trigger(trigger: Trigger) -> str:
    told = [md.code_span(trigger.event)]
    for word, values in (
        ("of", trigger.types), ("on", trigger.branches), ("not on", trigger.branches_ignore), ("tags", trigger.tags),
        ("not tags", trigger.tags_ignore), ("where changed", trigger.paths), ("but not only", trigger.paths_ignore),
        ("after", trigger.workflows), ("at", trigger.crons),
    ):  # fmt: skip
        if values:
            told.append(f"{word} {', '.join(map(md.code_span, values))}")
    return " ".join(told)


def _row(job: WorkflowJob, measured: Mapping[str, Any] | None, file: WorkflowFile, facts: WorkflowFacts) -> list[str]:
    named = [md.code_span(job.key)]
    if job.is_dynamic:
        named.append("legs made by another job")
    elif len(job.legs) > 1:
        named.append(plural(len(job.legs), "leg"))
    if job.condition:
        named.append(f"only if {md.code_span(job.condition)}")
    if job.continue_on_error:
        named.append("may fail")
    if job.environment:
        named.append(f"environment {md.code_span(job.environment)}")
    owner = facts.owners.of(file.path, job=job.key) if facts.owners.jobs else ""
    if owner and owner != facts.owners.of(file.path):
        named.append(f"owner {md.code_span(owner)}")
    caches = [*declared_caches(job), *_seen_caches(file.path, measured, facts)]
    return [
        ", ".join(named),
        ", ".join(map(md.code_span, job.needs)) or words.MISSING,
        f"calls {md.code_span(job.uses)}" if job.uses else _labels(job),
        _limit(job),
        "; ".join(caches) or words.MISSING,
        *_times(measured),
        *_failures(measured, facts.min_runs),
    ]


def _labels(job: WorkflowJob) -> str:
    """Return the labels of all legs, each once; as they are written where an expression stays open."""
    legs: Sequence[Mapping[str, Any] | None] = [leg.values for leg in job.legs] or [None]
    filled = (fill(label, matrix=values) or label for values in legs for label in job.runs_on)
    return ", ".join(md.code_span(label) for label in dict.fromkeys(filled)) or words.MISSING


def _limit(job: WorkflowJob) -> str:
    if job.uses:
        return words.MISSING
    if job.timeout_min is not None:
        return words.minutes(job.timeout_min)
    return md.code_span(job.timeout_text) if job.timeout_text else DEFAULT_LIMIT


def declared_caches(job: WorkflowJob) -> list[str]:
    """Return what the job's steps keep in caches, as Markdown: the action, and the key that the file tells."""
    told = []
    for step in job.steps:
        action = step.uses.partition("@")[0]
        inputs = dict(step.inputs)
        key = next((inputs[name] for name in _KEY_INPUTS if inputs.get(name, "") not in {"", "false"}), "")
        is_cache = "cache" in action.lower()
        if is_cache or (key and "/setup-" in action and inputs.get("cache", "") not in {"", "false"}):
            told.append(md.code_span(action) + (f" {md.code_span(key)}" if key else ""))
    return told


def _seen_caches(path: str, measured: Mapping[str, Any] | None, facts: WorkflowFacts) -> Iterator[str]:
    """Yield each key family that the logs of this job tell, with how often it hit exactly."""
    if measured is None or facts.restores.empty:
        return
    events = facts.restores
    mine = events[
        (events["workflow"] == short_workflow(path))
        & (events["job_base"] == measured["job_base"])
        & (events["attempt"] == 1)
    ]
    families = sorted(mine.groupby("family"), key=lambda pair: (-len(pair[1]), pair[0]))
    for family, part in families[:MOST_FAMILIES]:
        exact = int((part["result"] == "exact").sum())
        yield f"seen {md.code_span(family)}, {exact} of {plural(len(part), 'restore')} exact"
    if len(families) > MOST_FAMILIES:
        yield f"and {len(families) - MOST_FAMILIES} more keys"


def needs_graph(file: WorkflowFile) -> str:
    """Return the jobs and what they need as a diagram of Mermaid, which GitHub draws; empty where it is too large."""
    if len(file.jobs) > MOST_NODES:
        return ""
    places = {job.key.casefold(): place for place, job in enumerate(file.jobs)}
    lines = ["graph LR"]
    for place, job in enumerate(file.jobs):
        legs = " × ?" if job.is_dynamic else f" × {len(job.legs)}" if len(job.legs) > 1 else ""
        lines.append(f'  j{place}["{_label(job.key)}{legs}"]')
    for place, job in enumerate(file.jobs):
        needed = sorted({places[key.casefold()] for key in job.needs if key.casefold() in places})
        lines += [f"  j{one} --> j{place}" for one in needed]
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def _label(text: str) -> str:
    """Return text for a quoted label of Mermaid: what could end or format it becomes `#35;`, its own form of a sign."""
    line = words.one_line(text, width=80)
    return "".join(sign if sign.isalnum() or sign in _IN_A_LABEL else f"#{ord(sign)};" for sign in line)


def owners_told(facts: WorkflowFacts) -> Sequence[tuple[str, str]]:
    """Return (owner, workflow) of every file that has one."""
    pairs = ((owner_of(path, facts.owners, facts.code_owners), short_workflow(path)) for path in sorted(facts.texts))
    return [(owner, short) for owner, short in pairs if owner]
