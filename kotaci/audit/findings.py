"""Marks as findings: the record that notebooks, the terminal, findings.json and the plan share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from kotaci.audit.cards import CLASSES, read_cards
from kotaci.audit.marks import Mark
from kotaci.audit.project import WORKFLOW
from kotaci.model import Certainty, Finding, Link, Price, Severity, file_url, short_workflow

_PAGES = {
    "zizmor": "https://docs.zizmor.sh/audits/#{}",
    "actionlint": "https://github.com/rhysd/actionlint/blob/main/docs/checks.md",
}


@dataclass(frozen=True)
class Described:
    """What is said of a rule, of ours from its card, or of a linter's; `url` is the page of a linter's rule.

    `severity` and `certainty` hold where a mark says no other.
    """

    rule: str
    group: str
    title: str
    why: str
    how: str
    remedy: str
    severity: Severity
    certainty: Certainty
    url: str = ""


@cache
def describe(rule: str) -> Described:
    """Return what is said of that rule, of a linter too."""
    card = read_cards().get(rule)
    if card is not None:
        why = f"{card.what} {card.why}"
        return Described(
            rule, CLASSES[card.group], card.title, why, card.how, card.remedy, card.severity, card.certainty
        )
    linter, _, name = rule.partition("/")
    url = _PAGES.get(linter, "").format(name)
    return Described(
        rule,
        f"Found by {linter}",
        f"{linter}: {name}",
        f"A rule of {linter}.",
        f"{linter} reads the file.",
        f"See {url}." if url else "",
        Severity.MEDIUM,
        Certainty.HIGH,
        url,
    )


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
    seen, found = dict[str, int](), list[Finding]()
    for mark in marks:
        card = describe(mark.rule)
        seen[mark.identity] = seen.get(mark.identity, 0) + 1
        more = f"-{seen[mark.identity]}" if seen[mark.identity] > 1 else ""
        price, n, method = (prices or {}).get(mark.identity, (Price(), 0, ""))
        places = [(mark.path, mark.line, mark.end_line), *((path, line, 0) for path, line in mark.also)]
        is_workflow = WORKFLOW.fullmatch(mark.path) is not None
        found.append(
            Finding(
                id=f"{mark.rule.replace('/', '-')}-{mark.identity}{more}",
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
                        f"{path}:{line}" if line else path,
                        file_url(repo, commit_sha, path, line=line, end_line=end_line) if repo else "",
                    )
                    for path, line, end_line in places
                ],
                workflow=short_workflow(mark.path) if is_workflow else "",
            )
        )
    return found


def group_marks(marks: Iterable[Mark]) -> dict[str, dict[str, list[list[Mark]]]]:
    """Return the marks by class, in the order of the classes, then by file, the most severe first; what is said in the
    same words of several places of a file is one list."""
    titles = list(CLASSES.values())

    def rank(mark: Mark) -> tuple[int, str, int, str, int]:
        said = describe(mark.rule)
        place = titles.index(said.group) if said.group in titles else len(titles)
        return place, said.group, -(mark.severity or said.severity), mark.path, mark.line

    groups: dict[str, dict[str, dict[tuple[object, ...], list[Mark]]]] = {}
    for mark in sorted(marks, key=rank):
        said = describe(mark.rule)
        same = groups.setdefault(said.group, {}).setdefault(mark.path, {})
        same.setdefault((mark.rule, mark.claim, mark.severity, mark.certainty), []).append(mark)
    return {group: {path: list(same.values()) for path, same in by_path.items()} for group, by_path in groups.items()}
