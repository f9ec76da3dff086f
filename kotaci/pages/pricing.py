"""The audit of a repository's workflow files, each finding with what it cost in the runs of a history."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from kotaci.analysis.pricing import PRICING, TABLES, Fault, Priced, PricingOptions, price_faults, worth_of
from kotaci.archives.checkout import Tree, read_checkout, tree_of
from kotaci.audit import Audit, Mark, Project, audit, read_cards, to_findings
from kotaci.audit.project import WORKFLOW
from kotaci.audit.reach import rules_for_workflows
from kotaci.config import Config
from kotaci.facts import History, read_history
from kotaci.model import Finding
from kotaci.pages.files import newest_files
from kotaci.pages.opening import open_held
from kotaci.workflows import WorkflowJob

__all__ = ["TABLES", "Audited", "Placed", "audit_history", "price_marks", "to_audited"]


@dataclass(frozen=True)
class Placed:
    """A finding and the mark that it is made of."""

    finding: Finding
    mark: Mark


@dataclass(frozen=True)
class Audited:
    """What was found, dearest and surest first; what has no price by severity.

    `unasked` are rules that read files which are not at hand; `n_asked` counts the others. `days` is the length of the
    window that prices are over; 0 without runs.
    """

    found: Audit
    placed: Sequence[Placed]
    unasked: Sequence[str]
    n_asked: int
    days: float
    n_runs: int
    options: PricingOptions

    @property
    def findings(self) -> list[Finding]:
        """Return the findings in their order."""
        return [one.finding for one in self.placed]


def audit_history(history: History, settings: Config, *, store: str = "", workspace: str = "") -> Audited:
    """Return the audit of a checkout, or without one of the workflow files that the notebook's store holds at the
    newest commit of the default branch; priced by the history. Raises BadInput for a workspace that is no folder."""
    rules, beyond = rules_for_workflows()
    if workspace:
        rules, beyond = (*rules, *beyond), ()
        tree = read_checkout(Path(workspace).expanduser())
    else:
        tree = _held_tree(history, store)
    return to_audited(tree, history, settings, rules=rules, unasked=beyond)


def _held_tree(history: History, store: str) -> Tree:
    with open_held(store) as held:
        everything = read_history(held, repo=history.repo, since="all", tables=["runs", "commits"])
        runs, until = everything["runs"], history.window.until
        if until is not None:
            runs = runs[(runs["started_at"] < until).fillna(False)]
        tables = {**everything.tables, "runs": runs}
        sha, texts = newest_files(held, replace(everything, tables=tables, default_branch=history.default_branch))
    return replace(tree_of(texts, origin="the store"), commit_sha=sha)


def to_audited(
    tree: Tree,
    history: History,
    settings: Config,
    *,
    rules: Sequence[str],
    unasked: Sequence[str] = (),
    options: PricingOptions = PRICING,
) -> Audited:
    """Return what these rules find in the tree, priced and in order."""
    found = audit(tree, rules=rules)
    prices = price_marks(
        found.project, found.marks, history.tables, per_minute=settings.prices.per_minute, options=options
    )
    findings = to_findings(found.marks, repo=history.repo, commit_sha=tree.commit_sha, prices=prices)
    placed = [Placed(finding, mark) for finding, mark in zip(findings, found.marks, strict=True)]
    starts = history["runs"]["started_at"].dropna()
    return Audited(
        found=found,
        placed=sorted(placed, key=lambda one: _rank(one.finding, options)),
        unasked=unasked,
        n_asked=len(rules),
        days=float((starts.max() - starts.min()).total_seconds()) / 86400 if len(starts) else 0.0,
        n_runs=len(history["runs"]),
        options=options,
    )


_SURENESS = {"proved": 0, "high": 1, "medium": 2, "low": 3}


def _rank(finding: Finding, options: PricingOptions) -> tuple[float, int, int]:
    return -round(worth_of(finding, options=options), 1), -finding.severity, _SURENESS[str(finding.certainty)]


def price_marks(
    project: Project,
    marks: Iterable[Mark],
    tables: Mapping[str, pd.DataFrame],
    *,
    per_minute: Mapping[str, float],
    options: PricingOptions = PRICING,
) -> dict[str, Priced]:
    """Return what each mark cost over the window of the tables, by its identity, as `to_findings` takes it.

    Left out are marks whose card names no method, or that are in no workflow file. `per_minute` are dollars by label.
    """
    faults = [fault for mark in marks if (fault := _to_fault(project, mark)) is not None]
    return price_faults(faults, tables, prices=per_minute, options=options) if faults else {}


def _to_fault(project: Project, mark: Mark) -> Fault | None:
    card = read_cards().get(mark.rule)
    if card is None or not card.price or not WORKFLOW.fullmatch(mark.path):
        return None
    of_file = [job for file, job in project.jobs if file.path == mark.path]
    lines = [(mark.line, mark.job), *((line, "") for path, line in mark.also if path == mark.path)]
    places = [place for line, key in lines for place in _places_at(of_file, line, key)]
    if card.price == "needs":
        said = set(re.findall(r"[\w-]+", f"{mark.subject} {mark.claim}"))
        edges = [(job.key, need) for job, _ in places for need in job.needs]
        told = [(key, "", need) for key, need in edges if need in said] or [(key, "", need) for key, need in edges]
    else:
        told = [(job.key, step, "") for job, step in places]
    first = told[0] if told else (mark.job, "", "")
    return Fault(mark.identity, card.price, mark.path, *first, tuple(told[1:]))


def _places_at(jobs: Sequence[WorkflowJob], line: int, key: str) -> Iterator[tuple[WorkflowJob, str]]:
    """Yield the job of that key, without a key the one on that line, with the step there as GitHub shows it."""
    for job in jobs:
        if job.key == key or (not key and job.line <= line <= job.end_line):
            yield job, next((step.title for step in job.steps if step.line <= line <= step.end_line), "")
