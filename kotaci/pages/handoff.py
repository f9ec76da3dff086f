"""The hand-off: what was changed in CI, what still flakes, how it performs, what is open, and whom to tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from kotaci import __version__
from kotaci.analysis.caching import assess_caching
from kotaci.analysis.failures import FAILING, NEWEST, Group, assess_failures
from kotaci.analysis.failures import TABLES as FAILURE_TABLES
from kotaci.analysis.flakes import CALLED_FLAKY, SUSPECTED, Flake, Flakiness, assess_flakes
from kotaci.analysis.handover import find_ci_changes, measure_jobs
from kotaci.analysis.health import Health, assess_health
from kotaci.analysis.metrics import TABLES as METRIC_TABLES
from kotaci.analysis.metrics import assess_metrics
from kotaci.config import Config, parse_codeowners
from kotaci.facts import History
from kotaci.model import Finding, Verdict, commit_url, plural, short_workflow
from kotaci.pages.caches import TABLES as CACHE_TABLES
from kotaci.pages.flaky import TABLES as FLAKE_TABLES
from kotaci.pages.opening import window_words
from kotaci.pages.workflows import WorkflowFacts, owner_of, owners_told
from kotaci.report import markdown as md
from kotaci.report import words
from kotaci.report.inline import link

TABLES = tuple(
    dict.fromkeys([*METRIC_TABLES, *FAILURE_TABLES, *FLAKE_TABLES, *CACHE_TABLES, "workflow_jobs", "commits"])
)
"""The tables that a hand-off reads."""
IMPORT = "Import a clone with `kotaci import --git`."
_RUNGS = (40, 20, 8, 3, 0)
"""Entries of each list that are shown, ever fewer until the page fits."""


@dataclass(frozen=True)
class Handoff:
    """All that is handed over; `since` bounds the changes, `history` the window of everything else."""

    history: History
    since: datetime | None
    changes: pd.DataFrame
    flakiness: Flakiness
    health: Health
    metrics: pd.DataFrame
    findings: Sequence[Finding]
    workflows: WorkflowFacts


def to_handoff(
    history: History, settings: Config, *, texts: Mapping[str, str], commit_sha: str, since: datetime | None
) -> Handoff:
    """Return the hand-off of a history that holds TABLES; `texts` are the workflow files at that commit.

    Findings are those of the notebooks ci_health, failure_triage and cache_analysis, the most severe first; flaky tests
    have a list of their own.
    """
    tables, as_of, base = history.tables, history.as_of, history.default_branch
    health = assess_health(
        history["runs"], history["jobs"], as_of=as_of, default_branch=base, starts=history.starts,
        options=settings.health,
    )  # fmt: skip
    flakiness = assess_flakes(**{name: tables[name] for name in FLAKE_TABLES}, as_of=as_of, options=settings.flakes)
    triage = assess_failures(tables, default_branch=base, as_of=as_of, options=settings.triage)
    caches = {name: tables[name] for name in CACHE_TABLES}
    caching = assess_caching(**caches, default_branch=base, options=settings.caching)
    over = {f"failure:{group.id}" for group in triage.groups if not _is_open(group)}
    told = (*health.findings, *(one for one in triage.findings if one.id not in over), *caching.findings)
    found = {one.id: one for one in told}
    return Handoff(
        history=history,
        since=since,
        changes=find_ci_changes(history["commits"], since=since),
        flakiness=flakiness,
        health=health,
        metrics=assess_metrics(
            tables, as_of=as_of, min_runs=settings.health.min_runs, flakiness=flakiness, n_workflows=len(texts) or 4
        ),
        findings=sorted(found.values(), key=lambda one: (-one.severity, -one.n, one.id)),
        workflows=WorkflowFacts(
            repo=history.repo,
            texts=texts,
            commit_sha=commit_sha,
            window=f"runs of {md.escape_text(window_words(history))}",
            flows=health.workflows,
            jobs=measure_jobs(history["jobs"]),
            restores=caching.events,
            owners=settings.owners,
            code_owners=parse_codeowners(history.code_owners),
            min_runs=settings.health.min_runs,
        ),
    )


def _is_open(group: Group) -> bool:
    """Tell whether a group of failures is still to be mended, and not a flaky test, which has a list of its own."""
    return group.status.word in {FAILING, NEWEST} and group.verdict not in {Verdict.FLAKY, Verdict.FLAKY_INSIDE}


def handoff_page(handoff: Handoff, *, budget: int = md.COMMENT_BUDGET) -> str:
    """Return the hand-off as Markdown that fits one comment on GitHub; every name in it is a stranger's, escaped.

    Where it does not fit the budget, a number of characters, its lists are shortened, and say by how much.
    """
    return md.fit((_page(handoff, most) for most in _RUNGS), budget)


def _page(handoff: Handoff, most: int) -> str:
    history = handoff.history
    since = f"since {words.day(handoff.since)}" if handoff.since else "of all that is held"
    parts = [
        f"# CI hand-off: {md.escape_text(history.repo)}",
        f"As of {words.time(history.as_of)}; figures of {md.escape_text(window_words(history))}; kotaci {__version__}.",
        f"## Changes to CI {since}",
        *_changes(handoff, most),
        "## Remaining flaky tests",
        *_flaky(handoff, most),
        "## Performance",
        *_performance(handoff, most),
        "## Open findings",
        *_findings(handoff, most),
        "## Whom to tag",
        *_owners(handoff, most),
    ]
    return "\n\n".join(parts) + "\n"


def _listed(shown: str, n: int, most: int, of: str) -> Iterator[str]:
    """Yield a list of which `most` entries are shown, and how many of all `n` are not."""
    if most:
        yield shown
    if n > most:
        yield f"… and {plural(n - most, f'more {of}')}." if most else f"{plural(n, of)}, too many to name."


def _changes(handoff: Handoff, most: int) -> Iterator[str]:
    rows = handoff.changes.to_dict("records")
    if not rows:
        is_known = len(handoff.history["commits"]) > 0
        yield "No workflow file was changed." if is_known else f"Cannot be told: no commit is held. {IMPORT}"
        return
    repo = handoff.history.repo
    shown = md.table(
        ["day", "commit", "author", "subject", "files"],
        [
            [
                words.day(row["committed_at"]),
                link(row["commit_sha"][:10], commit_url(repo, row["commit_sha"])).markdown,
                md.escape_text(row["author"]),
                md.escape_text(words.one_line(row["subject"], width=120)),
                ", ".join(map(md.code_span, row["files"])),
            ]
            for row in rows[:most]
        ],
        right=[False] * 5,
    )
    yield from _listed(shown, len(rows), most, "commit")


def _flaky(handoff: Handoff, most: int) -> Iterator[str]:
    flakes = handoff.flakiness.of(*CALLED_FLAKY, SUSPECTED)
    jobs = handoff.flakiness.jobs
    if not flakes:
        unseen = "" if handoff.flakiness.sees_reruns else " One attempt of each run is held, so no re-run can tell."
        yield f"No test is known to be flaky.{unseen}"
    else:
        shown = md.table(
            ["test", "job", "status", "failed", "rate [95 %]", "last", "people, estimated", "owner"],
            [_flake_row(flake, handoff) for flake in flakes[:most]],
            right=[False, False, False, True, True, False, True, False],
        )
        yield from _listed(shown, len(flakes), most, "test")
    if jobs:
        told = [
            f"{md.code_span(f'{job.workflow} / {job.job}')} ({job.status}, {job.n_failed} of {job.n})" for job in jobs
        ]
        shown = f"Jobs that failed and passed when run again, without a test's name: {', '.join(told[:most])}."
        yield from _listed(shown, len(jobs), most, "restless job")


def _flake_row(flake: Flake, handoff: Handoff) -> list[str]:
    judged, owner = flake.judged, _owner(flake, handoff)
    has_rate = judged.n >= handoff.flakiness.options.min_runs
    rate = words.interval(judged.rate, low=judged.low, high=judged.high) if has_rate else words.too_few(judged.n)
    newest = flake.evidence[0] if flake.evidence else None
    return [
        md.code_span(f"{flake.suite} {flake.test}".strip()),
        md.code_span(f"{flake.workflow} / {flake.job}"),
        flake.status,
        f"{judged.n_failed} of {judged.n}",
        rate,
        link(newest.text, newest.url).markdown if newest else words.MISSING,
        words.minutes(round(flake.cost.people_minutes)),
        md.code_span(owner) if owner else words.MISSING,
    ]


def _owner(flake: Flake, handoff: Handoff) -> str:
    """Return whom to ask about a test: whom the configuration names for its job, else the code owners of its file."""
    facts, path = handoff.workflows, flake.location.partition(":")[0]
    return facts.owners.of(flake.workflow, job=flake.job) or (" ".join(facts.code_owners.of(path)) if path else "")


def _performance(handoff: Handoff, most: int) -> Iterator[str]:
    flows = handoff.health.workflows
    if flows.empty:
        yield "No run is held in this window."
        return
    told = handoff.metrics[handoff.metrics["metric"] == "build time"]
    moves = {row["subject"]: row for row in told.to_dict("records")}
    rows = []
    for row in flows.to_dict("records"):
        has_rate = row["n"] >= handoff.health.options.min_runs
        rate = (
            words.interval(row["failure_rate"], low=row["low"], high=row["high"])
            if has_rate
            else words.too_few(row["n"])
        )
        rows.append(
            [
                link(row["workflow"], row["url"]).markdown,
                words.duration(row["wall_s"]) if row["n_wall"] else words.MISSING,
                words.duration(row["wall_p95_s"]) if row["n_wall"] else words.MISSING,
                f"{row['n_wall']:,}",
                _move(moves.get(row["workflow"])),
                rate,
                f"{row['n']:,}",
                row["trend"],
            ]
        )
    shown = md.table(
        ["workflow", "median", "p95", "n", "duration, trend", "failure rate [95 %]", "n", "failures, trend"],
        rows[:most],
        right=[False, True, True, True, False, True, True, False],
    )
    yield from _listed(shown, len(rows), most, "workflow")
    yield (
        "Durations are those of runs that passed. A trend sets the second half of the window against the first; one of "
        "durations is the ratio of Hodges and Lehmann with its 95 % interval, of first attempts."
    )


def _move(row: Mapping[str, Any] | None) -> str:
    """Return the trend of a duration; a percentage only where it was measured, with its interval."""
    if row is None or words.is_missing(row["change_low"]):
        return "too few runs"
    change, low, high = (
        f"{round(100 * row[name]):+}".replace("-", "−") for name in ("change", "change_low", "change_high")
    )
    return f"{row['trend']}, {change} % [{low}, {high}]"


def _findings(handoff: Handoff, most: int) -> Iterator[str]:
    found = handoff.findings
    if not found:
        yield "None of ci\\_health, failure\\_triage and cache\\_analysis."
        return
    yield from _listed("\n".join(map(_finding, found[:most])), len(found), most, "finding")


def _finding(one: Finding) -> str:
    links = ", ".join(link(each.text, each.url).markdown for each in one.evidence[:2])
    said = f"- **{one.severity.name.lower()}** {md.code_span(one.subject)} {md.escape_text(one.claim)}."
    return said + (f" {md.escape_text(one.remedy)}" if one.remedy else "") + (f" ({links})" if links else "")


def _owners(handoff: Handoff, most: int) -> Iterator[str]:
    """Yield the owners, as code: this page itself is to notify nobody."""
    whom: dict[str, list[str]] = {}
    for owner, workflow in owners_told(handoff.workflows):
        whom.setdefault(owner, []).append(workflow)
    for flake in handoff.flakiness.of(*CALLED_FLAKY):
        owner = _owner(flake, handoff)
        if owner:
            whom.setdefault(owner, []).append(flake.test)
    if not whom:
        yield "Nobody is named: neither `[owners]` in `.github/kotaci.toml` nor CODEOWNERS tells an owner."
        return
    told = [
        f"- {md.code_span(owner)}: {', '.join(map(md.code_span, things[:most]))}"
        for owner, things in sorted(whom.items())[:most]
    ]
    yield from _listed("\n".join(told), len(whom), most, "owner")


def to_json(handoff: Handoff) -> dict[str, Any]:
    """Return the hand-off as plain JSON values; unknown is null."""
    history, facts = handoff.history, handoff.workflows
    return {
        "repo": history.repo,
        "as_of": history.as_of.isoformat() if history.as_of else None,
        "changes_since": handoff.since.isoformat() if handoff.since else None,
        "window": window_words(history),
        "changes": [
            {
                "commit": row["commit_sha"],
                "url": commit_url(history.repo, row["commit_sha"]) or None,
                "author": row["author"],
                "committed_at": row["committed_at"].isoformat(),
                "subject": row["subject"],
                "files": list(row["files"]),
            }
            for row in handoff.changes.to_dict("records")
        ],
        "flaky_tests": [
            {
                "suite": flake.suite,
                "test": flake.test,
                "workflow": flake.workflow,
                "job": flake.job,
                "status": flake.status,
                "n": flake.judged.n,
                "n_failed": flake.judged.n_failed,
                "low": flake.judged.low,
                "high": flake.judged.high,
                "evidence": [asdict(one) for one in flake.evidence],
            }
            for flake in handoff.flakiness.of(*CALLED_FLAKY, SUSPECTED)
        ],
        "workflows": [
            {
                "workflow": row["workflow"],
                **{
                    name: _known(row[name])
                    for name in ("n_wall", "wall_s", "wall_p95_s", "n", "n_failed", "low", "high")
                },
                "owner": owner_of(row["path"], facts.owners, facts.code_owners) or None,
            }
            for row in handoff.health.workflows.to_dict("records")
        ],
        "findings": [one.to_json() for one in handoff.findings],
        "files": [short_workflow(path) for path in sorted(facts.texts)],
        "files_at": facts.commit_sha or None,
    }


def _known(value: Any) -> Any:
    return None if words.is_missing(value) else value


def said_of(handoff: Handoff) -> str:
    """Return what was written in a line."""
    flaky = handoff.flakiness.of(*CALLED_FLAKY)
    return ", ".join(
        [
            plural(len(handoff.changes), "change") + " to CI",
            plural(len(flaky), "flaky test"),
            plural(len(handoff.findings), "open finding"),
            plural(len(handoff.workflows.texts), "workflow"),
        ]
    )
