"""What to write, from the findings of a report and what GitHub holds; nothing is read or written here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from kotaci.actions import texts
from kotaci.actions.held import Held, HeldIssue
from kotaci.actions.identity import Marker, find_section, find_sections, to_section
from kotaci.actions.model import Action, Kind, Plan
from kotaci.config import Labels
from kotaci.model import BadInput, Finding, Link, Repo, Severity, plural, run_url
from kotaci.report import words
from kotaci.report.folder import ReportFolder
from kotaci.report.words import one_line

FAILING, FLAKY = "failing-workflow", "flaky-test"
"""Topics of the issues that the kit opens."""

MAX_ID = 100

_RED = {"red-now": Severity.HIGH, "failure": Severity.HIGH}
"""Kinds of findings that say that a workflow fails now, from this severity; they make its issue."""

_BESIDES = frozenset({"failing-workflow"})
"""Kinds that stand in that issue too, but make none: a rate over a window falls long after all is green."""

_LABELS = {
    FAILING: ("ci", "ci-cd", "ci/cd", "cicd", "continuous-integration", "github-actions", "area-ci"),
    FLAKY: ("flaky", "flaky-test", "flaky-tests", "flake", "kind-flake", "test-flake", "ci", "ci-cd", "ci/cd"),
}
"""Names of labels that mean this topic, looked for where the configuration names none."""


@dataclass(frozen=True)
class PlanOptions:
    """How much is planned."""

    max_new: int = 5
    """New issues in one plan; what is over it is said, and comes with the next one."""
    min_severity: Severity = Severity.MEDIUM
    """What is less severe gets no new issue; one that is there is brought up to date."""


PLAN = PlanOptions()
NO_LABELS = Labels()
"""A configuration that names none."""


class Stage(StrEnum):
    """Which comment on work is meant."""

    START = "start"
    PROGRESS = "progress"
    RESULT = "result"


@dataclass(frozen=True)
class _Subject:
    """One thing that an issue is about."""

    marker: Marker
    title: str
    lead: str
    findings: Sequence[Finding]
    severity: Severity


def short_id(text: str) -> str:
    """Return an id of bounded length, still another for another text."""
    if len(text) <= MAX_ID:
        return text
    return f"{text[: MAX_ID - 13]}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]}"


def plan_findings(
    report: ReportFolder, held: Held, *, repo: Repo, labels: Labels = NO_LABELS, options: PlanOptions = PLAN
) -> Plan:
    """Return the plan for the issues of a report: opened, brought up to date, closed, opened again.

    There is one issue for each workflow that fails and for each flaky test. One is closed only where every notebook
    that found it ran to its end in this report and finds it no more; one that was closed opens again only for a
    failure in a run that it did not name. Raises BadInput for a report of the sample, of another repository, or
    without a date.
    """
    check_report(report, repo)
    builder = _Builder(report, held, str(repo), labels)
    subjects = sorted(_subjects(report), key=lambda one: -one.severity)
    for subject in subjects:
        builder.add(subject, options)
    builder.close_green([subject.marker for subject in subjects])
    if builder.n_over:
        told = f"{plural(builder.n_over, 'new issue')} over the limit of {options.max_new} a run"
        builder.left_out.append(f"{told}: {', '.join(builder.over[:10])}")
    return builder.plan()


def check_report(report: ReportFolder, repo: Repo) -> None:
    """Raise BadInput where nothing of this report may be written to that repository."""
    if report.is_sample:
        raise BadInput(report.path, "is a report of the bundled sample, an invented repository", "report on your own")
    if report.as_of is None:
        raise BadInput(report.path, "does not tell of when its data is", "give a folder that `kotaci report` wrote")
    if not report.repo or Repo.parse(report.repo) != repo:
        raise BadInput(report.path, f"is a report of {report.repo or 'no repository'}, not of {repo}", "check --repo")


def moment(report: ReportFolder) -> str:
    """Return the end of the report's data, as markers and plans tell it."""
    return words.moment(report.as_of) if report.as_of else ""


def _subjects(report: ReportFolder) -> Iterator[_Subject]:
    red: dict[str, list[Finding]] = {}
    for finding in report.findings:
        if finding.workflow and finding.severity >= _RED.get(finding.kind, 99):
            red.setdefault(finding.workflow, []).append(finding)
        if finding.kind == FLAKY:
            marker = _marker(report, FLAKY, finding.id, finding.subject, [finding])
            title = texts.title(finding.workflow or "tests", f"flaky test {finding.subject}")
            yield _Subject(marker, title, texts.flaky(finding), [finding], finding.severity)
    for workflow, found in red.items():
        besides = [one for one in report.findings if one.kind in _BESIDES and one.workflow == workflow]
        marker = _marker(report, FAILING, f"{FAILING}:{workflow}", workflow, found)
        title = texts.title(workflow, _condition(found))
        yield _Subject(marker, title, texts.failing(workflow), [*found, *besides], Severity.HIGH)


def _condition(findings: Sequence[Finding]) -> str:
    """Return what a workflow fails on: a branch, one failure, or how many."""
    red = next((finding for finding in findings if finding.kind == "red-now"), None)
    branch = re.search(r"red on (\S+) since", red.claim) if red else None
    if branch:
        return branch[1]
    failures = [finding for finding in findings if finding.kind == "failure"]
    if len(failures) == 1:
        return failures[0].subject.partition(" / ")[2] or failures[0].subject
    return plural(len(failures), "failure")


def _marker(report: ReportFolder, topic: str, name: str, exemplar: str, found: Sequence[Finding]) -> Marker:
    ids = {finding.id for finding in found}
    parts = tuple(part.name for part in report.parts if any(finding.id in ids for finding in part.findings))
    return Marker(topic, short_id(name), exemplar=exemplar, as_of=moment(report), seen=newest_run(found), parts=parts)


def newest_run(findings: Sequence[Finding]) -> int:
    """Return the highest run id of the evidence, 0 without one: GitHub's only grow."""
    urls = (link.url for finding in findings for link in finding.evidence)
    return max((int(found[1]) for url in urls if (found := re.search(r"/actions/runs/([0-9]{1,18})", url))), default=0)


@dataclass
class _Builder:
    report: ReportFolder
    held: Held
    repo: str
    labels: Labels
    actions: list[Action] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    over: list[str] = field(default_factory=list)
    used: set[int] = field(default_factory=set)
    n_new: int = 0
    n_over: int = 0

    def plan(self) -> Plan:
        return Plan(
            self.repo,
            moment(self.report),
            self.report.digest,
            str(self.report.path),
            tuple(self.actions),
            tuple(dict.fromkeys(self.left_out)),
        )

    def add(self, subject: _Subject, options: PlanOptions) -> None:
        known = self.held.find(subject.marker, besides=self.used)
        if known is None:
            if subject.severity >= options.min_severity:
                self._create(subject, options.max_new)
            return
        self.used.add(known.number)
        before = find_section(known.body, subject.marker)
        marker = before.marker if before else subject.marker
        reason = self._hindrance(known, subject, marker)
        if reason:
            self.left_out.append(f"issue #{known.number}, {one_line(subject.title, width=120)}: {reason}")
            return
        kind, why = Kind.UPDATE_ISSUE, "still found"
        if not known.is_open:
            kind, why = Kind.REOPEN_ISSUE, f"failed again in run {subject.marker.seen}, after it was closed"
        self._append(kind, subject.marker, self._body(subject), subject.findings, number=known.number, reason=why)

    def _create(self, subject: _Subject, max_new: int) -> None:
        if self.n_new >= max_new:
            self.n_over += 1
            self.over.append(one_line(subject.title, width=80))
            return
        self.n_new += 1
        self._append(
            Kind.CREATE_ISSUE,
            subject.marker,
            self._body(subject),
            subject.findings,
            title=subject.title,
            labels=self._labels(subject),
            reason="found, and no issue, open or closed, is about it",
        )

    @staticmethod
    def _hindrance(known: HeldIssue, subject: _Subject, marker: Marker) -> str:
        """Return why an issue that is there stays as it is; empty where it is to be written."""
        if known.is_locked:
            return "is locked"
        if marker.as_of > subject.marker.as_of:
            return f"tells of newer data already, as of {marker.as_of}"
        if known.is_open:
            return ""
        if known.state_reason in {"not_planned", "duplicate"}:
            return f"was closed as {known.state_reason.replace('_', ' ')}, and stays so"
        return (
            "" if subject.marker.seen > marker.seen else "is closed, and nothing has failed since that it does not name"
        )

    def _body(self, subject: _Subject) -> str:
        content = texts.issue(subject.findings, lead=subject.lead, report=self.report)
        return to_section(subject.marker, content, note=texts.note(subject.findings))

    def _labels(self, subject: _Subject) -> tuple[str, ...]:
        """Return those of the repository's labels that fit, spelt as it spells them; others are left out, and said."""
        by_name = {name.casefold(): name for name in self.held.labels}
        by_severity = getattr(self.labels, subject.severity.name.lower())
        asked = [*self.labels.every, *by_severity]
        if not asked:
            plain = {re.sub(r"[\s_:]+", "-", name): name for name in by_name}
            found = next((plain[name] for name in _LABELS[subject.marker.topic] if name in plain), None)
            return (by_name[found],) if found else ()
        for name in asked:
            if name.casefold() not in by_name:
                self.left_out.append(f"label {one_line(name, width=60)}: {self.repo} has none of that name")
        return tuple(dict.fromkeys(by_name[name.casefold()] for name in asked if name.casefold() in by_name))

    def close_green(self, found: Sequence[Marker]) -> None:
        """Close the kit's open issues that this report finds no more."""
        whole = {part.name for part in self.report.parts if part.is_complete}
        silent = {finding.workflow for finding in self.report.findings if finding.kind == "silent-workflow"}
        for known in self.held.issues:
            for section in find_sections(known.body):
                marker = section.marker
                if marker.topic not in _LABELS or not known.is_open or any(one.is_same(marker) for one in found):
                    continue
                reason = _why_open(marker, known, moment(self.report), whole, silent)
                if reason:
                    self.left_out.append(f"issue #{known.number}, {one_line(known.title, width=120)}: {reason}")
                    continue
                what = f"{'the flaky test' if marker.topic == FLAKY else 'failures of'} {marker.exemplar}"
                renewed = Marker(
                    marker.topic, marker.id, marker.exemplar, "", moment(self.report), marker.seen, marker.parts
                )
                body = to_section(renewed, texts.green_again(what, report=self.report), note="green again")
                self._append(Kind.CLOSE_ISSUE, renewed, body, (), number=known.number, reason="no longer found")

    def _append(
        self,
        kind: Kind,
        marker: Marker,
        body: str,
        findings: Sequence[Finding],
        *,
        number: int = 0,
        title: str = "",
        labels: Sequence[str] = (),
        reason: str = "",
    ) -> None:
        evidence = tuple(dict.fromkeys(link for finding in findings for link in finding.evidence[:3]))[:10]
        self.actions.append(
            Action(
                id=f"{kind}:{marker.id}",
                kind=kind,
                repo=self.repo,
                number=number,
                title=title,
                labels=tuple(labels),
                body=body,
                marker=marker.line(),
                reason=reason,
                evidence=evidence,
            )
        )


def _why_open(marker: Marker, known: HeldIssue, now: str, whole: set[str], silent: set[str]) -> str:
    """Return why an issue that the report does not find stays open; empty where it may be closed."""
    missing = [name for name in marker.parts if name not in whole]
    if not marker.parts:
        return "does not say which notebook found it"
    if missing:
        return f"not looked for: {', '.join(missing)} is not in this report, or did not run to its end"
    if marker.as_of >= now:
        return f"tells of the same or newer data, as of {marker.as_of}"
    if marker.topic == FAILING and marker.exemplar in silent:
        return "the workflow has fallen silent, which is not green"
    return "is locked" if known.is_locked else ""


def plan_publish(report: ReportFolder, *, repo: Repo, issue: int, report_url: str = "") -> Plan:
    """Return the plan for the one comment on an issue that holds the report in short. Raises BadInput."""
    check_report(report, repo)
    marker = Marker("publish", f"publish:{issue}", exemplar=str(repo), as_of=moment(report))
    content = texts.digest(report, report_url=report_url)
    noted = f"{plural(len(report.findings), 'finding')}, data to {moment(report)}"
    return _of_one(report, repo, Kind.COMMENT_ISSUE, marker, to_section(marker, content, note=noted), number=issue)


_TARGET = re.compile(
    r"(issue|pull):#?([1-9][0-9]{0,8})|(commit):([0-9a-f]{40})|(run):([1-9][0-9]{0,17})(?:/([1-9][0-9]{0,3}))?"
)


def plan_comment(
    report: ReportFolder,
    *,
    repo: Repo,
    target: str,
    stage: Stage = Stage.START,
    fixed: Sequence[str] = (),
    change: texts.Measured | None = None,
) -> Plan:
    """Return the plan for one comment on work, or for one re-run.

    `target` is `issue:12`, `pull:34`, `commit:SHA` (its impact) or `run:ID/ATTEMPT` (its failed jobs again); `fixed`
    says what was resolved. The comment of a stage is one: said again, it is brought up to date. Raises BadInput.
    """
    check_report(report, repo)
    words = _TARGET.fullmatch(target.strip())
    if words is None:
        raise BadInput(target, "is nothing to write to", "write issue:12, pull:34, commit:SHA or run:ID/ATTEMPT")
    if words[5]:
        action = Action(
            id=f"rerun:{words[6]}:{words[7] or 1}",
            kind=Kind.RERUN_FAILED,
            repo=str(repo),
            run_id=int(words[6]),
            attempt=int(words[7] or 1),
            reason="its failed jobs again",
            evidence=(Link(f"run {words[6]}", run_url(str(repo), int(words[6]), int(words[7] or 1))),),
        )
        return Plan(str(repo), moment(report), report.digest, str(report.path), (action,))
    if words[3]:
        marker = Marker("impact", f"impact:{words[4]}", as_of=moment(report))
        body = to_section(marker, texts.impact(report, change))
        return _of_one(report, repo, Kind.COMMENT_COMMIT, marker, body, sha=words[4])
    number = int(words[2])
    says: dict[Stage, Callable[[], str]] = {
        Stage.START: lambda: texts.started(number, report.findings, report=report),
        Stage.PROGRESS: lambda: texts.progress(fixed, change),
        Stage.RESULT: lambda: texts.result(report.findings, change, report=report),
    }
    marker = Marker(stage, f"{stage}:{number}", as_of=moment(report))
    kind = Kind.COMMENT_ISSUE if words[1] == "issue" else Kind.COMMENT_PULL
    return _of_one(report, repo, kind, marker, to_section(marker, says[stage]()), number=number)


def _of_one(
    report: ReportFolder, repo: Repo, kind: Kind, marker: Marker, body: str, *, number: int = 0, sha: str = ""
) -> Plan:
    evidence = tuple(dict.fromkeys(link for finding in report.findings for link in finding.evidence[:1]))[:10]
    action = Action(
        id=f"{kind}:{marker.id}",
        kind=kind,
        repo=str(repo),
        number=number,
        sha=sha,
        body=body,
        marker=marker.line(),
        reason="asked for",
        evidence=evidence,
    )
    return Plan(str(repo), moment(report), report.digest, str(report.path), (action,))
