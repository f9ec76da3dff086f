"""What is said on GitHub, in fixed words; every value in it is a stranger's text and made harmless."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from kotaci.actions.fitting import CONTENT_BUDGET, by_urgency, counts, fit_findings, link
from kotaci.model import BadInput, Finding, Severity, plural
from kotaci.report import markdown as md
from kotaci.report.annotations import MAX_ANNOTATIONS, to_command
from kotaci.report.folder import Part, ReportFolder
from kotaci.report.words import one_line

MAX_TITLE = 200
"""GitHub takes 256 characters of a title."""

SUMMARY_BYTES = 1024 * 1024
"""What GitHub shows of a step's summary; more is dropped without a word."""

_TABLE_ROWS = (12, 6, 3)
MAX_NAMED = 5
"""Findings that a comment on work names; the report has them all."""

_MAX_ANSWER = 4_000
_ANCHOR = re.compile(r"\[((?:[^\[\]\\]|\\.)*)\]\(#[^)\s]*\)")
_ACTIVE = re.compile(r"[@#](?=\w)|\bgh-(?=\w)|:(?=//)|\bwww(?=\.)", re.IGNORECASE)


@dataclass(frozen=True)
class Measured:
    """A change as `kotaci claim --json` tells it: ratios of after to before, with their 95 % interval."""

    ratio: float
    low: float
    high: float
    n_before: int
    n_after: int
    metric: str

    @classmethod
    def parse(cls, text: str) -> Measured | None:
        """Read what `kotaci claim --json` printed; None where it could not be measured. Raises BadInput."""
        hint = "give what `kotaci claim --json` printed"
        try:
            told = json.loads(text)
            numbers = [told[name] for name in ("ratio", "low", "high")]
            if any(number is None for number in numbers):
                return None
            ratio, low, high = map(float, numbers)
            found = cls(ratio, low, high, int(told["n_before"]), int(told["n_after"]), str(told["metric"]))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BadInput(text[:60], f"is no claim ({type(error).__name__})", hint) from None
        if not all(map(math.isfinite, (ratio, low, high))) or not 0 <= low <= ratio <= high:
            raise BadInput(f"{ratio} [{low}, {high}]", "is no ratio with its interval", hint)
        return found

    def words(self) -> str:
        """Return `-30% [-35%, -24%], n = 40 and 38 runs`, or that it cannot be told."""
        percent = [f"{100 * (ratio - 1):+.0f}%" for ratio in (self.ratio, self.low, self.high)]
        runs = f"n = {self.n_before:,} and {self.n_after:,} runs"
        if self.low <= 1 <= self.high:
            return f"no change that can be told [{percent[1]}, {percent[2]}], {runs}"
        return f"{percent[0]} [{percent[1]}, {percent[2]}], {runs}"


def build_time(change: Measured | None) -> str:
    """Return the change of the build time; a percentage only where it was measured, with its interval."""
    return f"Build time: {change.words() if change else 'not measured'}"


def title(workflow: str, condition: str) -> str:
    """Return `CI: [workflow] failing on [condition]`, as plain text that names nobody."""
    told = f"CI: {one_line(workflow, width=80)} failing on {one_line(condition, width=400)}"
    return one_line(_ACTIVE.sub("\\g<0>\u200b", told), width=MAX_TITLE)


def issue(findings: Sequence[Finding], *, lead: str, report: ReportFolder) -> str:
    """Return the words of an issue about these findings; `lead` is Markdown of ours."""
    return fit_findings(findings, lambda told: _paragraphs(lead, told, source(report)))


def failing(workflow: str) -> str:
    """Return how an issue about a failing workflow begins."""
    return f"The workflow {md.code_span(one_line(workflow, width=200))} fails."


def flaky(finding: Finding) -> str:
    """Return how an issue about a flaky test begins."""
    where = f" in {md.code_span(one_line(finding.workflow, width=200))}" if finding.workflow else ""
    return f"The test {md.code_span(one_line(finding.subject, width=200))}{where} gives other results on one commit."


def green_again(what: str, *, report: ReportFolder) -> str:
    """Return what is said when an issue is closed; `what` is plain text."""
    told = md.escape_text(one_line(what, width=300))
    return f"Green again: the newest report no longer finds {told}.\n\n{source(report)}"


def started(number: int, findings: Sequence[Finding], *, report: ReportFolder) -> str:
    """Return the comment with which work on an issue starts: what the report finds broken."""
    broken = broken_first(findings)
    head = f"Investigating CI issue #{number}.\n\n{_diagnosis(broken)}"
    return _with_first(broken, head, report)


_BROKEN = ("red-now", "failure", "flaky-test", "failing-workflow", "restless-job", "silent-workflow", "lost-tests")
"""Kinds of findings that say that something is broken, the most telling first; others say what could be better."""


def broken_first(findings: Sequence[Finding]) -> list[Finding]:
    """Return what is broken, the most severe first and then by what its kind tells."""
    broken = [finding for finding in findings if finding.kind in _BROKEN]
    return sorted(broken, key=lambda finding: (-finding.severity, _BROKEN.index(finding.kind)))


def _with_first(findings: Sequence[Finding], head: str, report: ReportFolder) -> str:
    first, n_more = findings[:MAX_NAMED], len(findings) - MAX_NAMED
    rest = f"… and {plural(n_more, 'more finding')}" if n_more > 0 else ""
    return fit_findings(first, lambda told: _paragraphs(head, told, rest, source(report)))


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(filter(None, parts))


def _diagnosis(findings: Sequence[Finding]) -> str:
    first = next(iter(findings), None)
    told = "nothing stands out in the newest report."
    if first is not None:
        claim = md.escape_text(one_line(first.claim, width=600))
        told = f"{md.escape_text(one_line(first.subject, width=200))}: {md.escape_text(first.verdict)}; {claim}"
    return f"Investigating CI failure. Initial diagnosis: {told}"


def progress(fixed: Sequence[str], change: Measured | None) -> str:
    """Return the comment on a fix: what it resolved (plain text) and what it did to the build time."""
    told = "; ".join(md.escape_text(one_line(what, width=300)) for what in fixed) or "under way"
    return f"CI fix: {told}. {build_time(change)}"


def result(findings: Sequence[Finding], change: Measured | None, *, report: ReportFolder) -> str:
    """Return the comment with which work on an issue ends: what is still broken, and what changed."""
    broken = broken_first(findings)
    left = f"{plural(len(broken), 'finding')} left" if broken else "nothing left"
    return _with_first(broken, f"CI result: {left}. {build_time(change)}", report)


def impact(report: ReportFolder, change: Measured | None) -> str:
    """Return the comment on a commit: what the report measured."""
    figures = [figure for part in report.parts for figure in part.figures[:2]]
    told = [build_time(change), *figures[:6]]
    whole = "CI impact:\n" + "\n".join(f"- {one}" for one in told)
    return md.fit([f"{whole}\n\n{source(report)}", f"CI impact: {build_time(change)}"], CONTENT_BUDGET)


def source(report: ReportFolder) -> str:
    """Return where the words are from."""
    told = [one_line(word, width=200) for word in (report.repo, report.scope, report.window) if word]
    return f"<sub>kotaci · {md.escape_text(' · '.join(told))}</sub>"


def digest(report: ReportFolder, *, report_url: str = "", budget: int = CONTENT_BUDGET) -> str:
    """Return a report in short: answers, findings, the two most telling figures, links. Raises BadInput for an
    address that is none.
    """
    where = f"[The whole report]({checked_url(report_url)})" if report_url else ""
    figures = telling(report.parts)
    findings = by_urgency(report.findings)

    def whole(told: str) -> str:
        shown = "\n".join(f"- {figure}" for figure in figures)
        parts = ["## CI report", *map(_answer, report.parts), shown, told, where, source(report)]
        return _paragraphs(*parts)

    rungs = [whole(_table(findings, n)) for n in _TABLE_ROWS]
    bare = _paragraphs("## CI report", counts(findings), where, source(report))
    return md.fit([*rungs, whole(counts(findings)), bare], budget)


def _answer(part: Part) -> str:
    answer = _ANCHOR.sub(r"\1", part.answer)
    if len(answer) > _MAX_ANSWER or "\n" in answer:
        answer = md.escape_text(answer)
    question = md.escape_text(one_line(part.question, width=200))
    missing = "" if part.is_complete else " *This notebook did not run to its end.*"
    return f"**{question}** {answer or 'No answer.'}{missing}"


def _table(findings: Sequence[Finding], n: int) -> str:
    if not findings:
        return "No findings."
    rows = [
        (
            finding.severity.name.lower(),
            md.escape_text(one_line(finding.subject, width=120)),
            md.escape_text(one_line(finding.claim, width=240)),
            md.escape_text(one_line(finding.verdict, width=40)),
            " · ".join(map(link, finding.evidence[:2])),
        )
        for finding in findings[:n]
    ]
    headers = ("severity", "what", "claim", "verdict", "evidence")
    rest = f"\n\n… and {plural(len(findings) - n, 'more finding')}" if len(findings) > n else ""
    return md.table(headers, rows, right=[False] * len(headers)) + rest


def telling(parts: Sequence[Part], *, n: int = 2) -> list[str]:
    """Return the first figure of each of the parts that found most, by severity, then number."""

    def weight(part: Part) -> tuple[int, int]:
        return max((finding.severity for finding in part.findings), default=Severity.LOW), len(part.findings)

    ranked = sorted((part for part in parts if part.figures), key=weight, reverse=True)
    # Two notebooks may open with the same figure.
    return list(dict.fromkeys(part.figures[0] for part in ranked))[:n]


def checked_url(text: str) -> str:
    """Return an address that may stand in Markdown. Raises BadInput for anything else."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not re.fullmatch(r"[!-'*-;=?-Z_a-z~#]+", text):
        raise BadInput(text, "is no address of a report", "give one that begins with https://")
    return text


def to_annotations(findings: Sequence[Finding]) -> list[str]:
    """Return the findings as GitHub's workflow commands, the most severe first, as many as GitHub shows."""
    told: dict[str, list[str]] = {"warning": [], "notice": []}
    for finding in by_urgency(findings):
        level = "notice" if finding.severity == Severity.LOW else "warning"
        told[level].append(to_command(level, finding.claim, title=one_line(finding.subject, width=120)))
    return [one for lines in told.values() for one in lines[:MAX_ANNOTATIONS]]


def note(findings: Sequence[Finding]) -> str:
    """Return a line of history, plain text."""
    first = next(iter(by_urgency(findings)), None)
    return one_line(first.claim, width=180) if first else ""
