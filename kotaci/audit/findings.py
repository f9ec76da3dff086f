"""Marks as findings: the record that notebooks, the terminal, findings.json and the plan share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kotaci.audit.cards import read_cards
from kotaci.audit.marks import Mark
from kotaci.audit.project import WORKFLOW
from kotaci.model import Finding, Link, Price, file_url, short_workflow


def to_findings(
    marks: Iterable[Mark],
    *,
    repo: str = "",
    commit_sha: str = "",
    prices: Mapping[str, tuple[Price, int, str]] | None = None,
) -> list[Finding]:
    """Return a finding for each mark, in their order; `kind` is the id of the rule, `n` the runs behind the price.

    `repo` and `commit_sha` make the links; without them a link is only a text. `prices` hold, by the identity of a
    mark, what it costs, from how many runs, and by which method. The same identity twice keeps the id of the first and
    counts on.
    """
    cards, seen, found = read_cards(), dict[str, int](), list[Finding]()
    for mark in marks:
        card = cards[mark.rule]
        seen[mark.identity] = seen.get(mark.identity, 0) + 1
        more = f"-{seen[mark.identity]}" if seen[mark.identity] > 1 else ""
        price, n, method = (prices or {}).get(mark.identity, (Price(), 0, ""))
        places = [(mark.path, mark.line, mark.end_line), *((path, line, 0) for path, line in mark.also)]
        is_workflow = WORKFLOW.fullmatch(mark.path) is not None
        found.append(
            Finding(
                id=f"{mark.rule}-{mark.identity}{more}",
                kind=mark.rule,
                subject=f"{short_workflow(mark.path)}: {mark.subject}",
                claim=mark.claim,
                verdict=card.title,
                certainty=mark.certainty or card.certainty,
                severity=mark.severity or card.severity,
                n=n,
                method=method or card.how,
                remedy=card.remedy,
                price=price,
                evidence=[
                    Link(
                        f"{path}:{line}", file_url(repo, commit_sha, path, line=line, end_line=end_line) if repo else ""
                    )
                    for path, line, end_line in places
                ],
                workflow=short_workflow(mark.path) if is_workflow else "",
            )
        )
    return found
