"""Findings in as many words as fit: in full, one line each, the first of them, or only how many there are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from kotaci.model import Finding, Link, Severity, plural
from kotaci.report import markdown as md
from kotaci.report.words import MISSING, minutes, one_line

CONTENT_BUDGET = 56_000
"""Characters of what a section says; marker, history and GitHub's limit of 65,536 leave so much in any case."""

MAX_LINKS = 5
MIN_MINUTES = 0.05
"""A cost below this is none."""

_PLACES = re.compile(
    r"https://[A-Za-z0-9.:-]{1,200}/[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}/"
    r"(?:actions/(?:runs|workflows)/[A-Za-z0-9_./%-]{1,200}|(?:commit|compare)/[0-9a-f.]{7,90})"
)
"""Where evidence lies. A link to an issue would leave a mark on it, so none is made."""


def link(told: Link) -> str:
    """Return evidence as a link, or only its text where its address is none of a run, workflow or commit."""
    text = md.escape_text(one_line(told.text, width=120))
    return f"[{text}]({told.url})" if _PLACES.fullmatch(told.url) else text


def card(finding: Finding) -> str:
    """Return everything that is known of a finding."""
    rows = [
        f"- **To do:** {md.escape_text(finding.remedy)}" if finding.remedy else "",
        f"- **How sure:** {finding.certainty}, n = {finding.n:,}; {md.escape_text(finding.method)}",
        f"- **Cost:** {minutes(finding.price.minutes)}, {md.escape_text(finding.price.basis)}"
        if finding.price.basis != "none" and (finding.price.minutes or 0) >= MIN_MINUTES
        else "",
        f"- **Evidence:** {' · '.join(map(link, finding.evidence[:MAX_LINKS]))}" if finding.evidence else "",
    ]
    return "\n".join([_headline(finding), "", *filter(None, rows)])


def line(finding: Finding) -> str:
    """Return a finding in one line."""
    return f"- {_headline(finding)}" + (f" ({link(finding.evidence[0])})" if finding.evidence else "")


def _headline(finding: Finding) -> str:
    subject, claim = one_line(finding.subject, width=200) or MISSING, one_line(finding.claim, width=600)
    return f"**{md.escape_text(subject)}** {md.escape_text(claim)}"


def counts(findings: Sequence[Finding]) -> str:
    """Return how many findings there are, by severity and kind."""
    by = Counter((finding.severity, finding.kind) for finding in findings)
    told = [
        f"- {n:,} × {md.escape_text(one_line(kind, width=80))}, {severity.name.lower()}"
        for (severity, kind), n in sorted(by.items(), key=lambda pair: (-pair[0][0], pair[0][1]))
    ]
    return "\n".join([f"{plural(len(findings), 'finding')}, too many to name:", "", *told])


def by_urgency(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings, the most severe first, otherwise as they came."""
    return sorted(findings, key=lambda finding: -finding.severity)


def fit_findings(findings: Sequence[Finding], frame: Callable[[str], str], *, budget: int = CONTENT_BUDGET) -> str:
    """Return `frame` around the findings, in the longest form that fits the budget."""
    return md.fit(map(frame, _rungs(by_urgency(findings))), budget)


def _rungs(findings: Sequence[Finding]) -> Iterator[str]:
    yield "\n\n".join(map(card, findings))
    if not findings:
        return
    groups = [(severity, [one for one in findings if one.severity == severity]) for severity in reversed(Severity)]
    yield "\n\n".join(
        "\n".join([f"**{severity.name.capitalize()}**", "", *map(line, found)]) for severity, found in groups if found
    )
    n = len(findings) - 1
    while n > 0:
        rest = f"… and {plural(len(findings) - n, 'more finding')}"
        yield "\n".join([*map(line, findings[:n]), "", rest])
        n //= 2
    yield counts(findings)
