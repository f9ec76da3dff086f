"""The audit of earlier versions: each version audited, then what came of faults, legs, tests, limits and claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kotaci.archives.checkout import READ_TOGETHER
from kotaci.archives.git import PastCommit
from kotaci.archives.past import Past
from kotaci.audit.auditing import audit
from kotaci.audit.findings import describe
from kotaci.audit.history.bursts import BurstOptions, Bursts, find_bursts
from kotaci.audit.history.claims import Claimed, ClaimOptions, find_claims
from kotaci.audit.history.faults import Fault, follow_faults
from kotaci.audit.history.legs import Legs, legs_by_event
from kotaci.audit.history.loosening import LimitSeries, blobs_with_limits, follow_limits
from kotaci.audit.history.selection import Selection, select_tests
from kotaci.audit.marks import Mark
from kotaci.model import Severity


@dataclass(frozen=True)
class HistoryOptions:
    """What is read: commits from `since` on, of these the newest `most_versions` are audited.

    Versions are those of the branch itself (first parents); with `is_every_commit` also those of what was merged into
    it, by time: then lines of work interleave, and a fault of one of them comes and goes with each commit.
    """

    since: datetime | None = None
    most_versions: int = 200
    is_every_commit: bool = False
    bursts: BurstOptions = field(default_factory=BurstOptions)
    claims: ClaimOptions = field(default_factory=ClaimOptions)


@dataclass(frozen=True)
class Version:
    """What one commit declares: jobs, legs by event, findings by severity, and its tests beside those that run."""

    commit: PastCommit
    n_jobs: int
    legs: Mapping[str, Legs]
    n_marks: Mapping[Severity, int]
    selection: Selection

    @property
    def is_by_bot(self) -> bool:
        """Return whether the author's name ends as those of GitHub's apps do; many people commit through one."""
        return self.commit.author.endswith("[bot]")


@dataclass(frozen=True)
class AuditHistory:
    """What the audit of earlier versions found; `n_left_out` versions were older than the newest that were asked for.

    `limits`, `bursts` and `claims` are of all commits since then, on all lines, merges left out.
    """

    versions: tuple[Version, ...]
    faults: tuple[Fault, ...]
    limits: tuple[LimitSeries, ...]
    bursts: Bursts
    claims: tuple[Claimed, ...]
    n_commits: int
    n_left_out: int
    base: str
    options: HistoryOptions


def audit_history(
    past: Past,
    *,
    base: str = "main",
    rules: Collection[str] = (),
    options: HistoryOptions | None = None,
    on_version: Callable[[int, int], None] | None = None,
) -> AuditHistory:
    """Return what became of the files that an audit asks for, version by version; `base` is the branch that pull
    requests go to. `on_version` hears how many of how many versions are done."""
    options = options or HistoryOptions()
    commits = [one for one in past.commits if options.since is None or one.at >= options.since]
    line = sorted(commits, key=lambda one: one.at) if options.is_every_commit else _since(past.line(), options.since)
    asked = [one for one in line if any(READ_TOGETHER.fullmatch(change.path) for change in one.changes)]
    chosen = asked[-options.most_versions :]
    versions, marks = [], []
    for done, commit in enumerate(chosen, start=1):
        version, found = _audit(past, commit, base=base, rules=rules)
        versions.append(version)
        marks.append((commit, found))
        if on_version is not None:
            on_version(done, len(chosen))
    limits = follow_limits(commits, past.texts(blobs_with_limits(commits)))
    changes = [change for series in limits for change in series.changes]
    return AuditHistory(
        versions=tuple(versions),
        faults=follow_faults(marks),
        limits=limits,
        bursts=find_bursts(commits, options=options.bursts),
        claims=find_claims(commits, changes, options=options.claims),
        n_commits=len(commits),
        n_left_out=len(asked) - len(chosen),
        base=base,
        options=options,
    )


def _since(line: tuple[PastCommit, ...], since: datetime | None) -> list[PastCommit]:
    return [one for one in line if since is None or one.at >= since]


def _audit(past: Past, commit: PastCommit, *, base: str, rules: Collection[str]) -> tuple[Version, tuple[Mark, ...]]:
    found = audit(past.tree(commit.sha), rules=rules)
    severities = Counter(mark.severity or describe(mark.rule).severity for mark in found.marks)
    version = Version(
        commit=commit,
        n_jobs=len(found.project.jobs),
        legs=legs_by_event(found.project.workflows, base=base),
        n_marks={severity: severities[severity] for severity in Severity},
        selection=select_tests(found.project, base=base),
    )
    return version, found.marks
