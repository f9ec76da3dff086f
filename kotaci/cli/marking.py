"""What an audit found, for the terminal, for programs, and as annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.style import Style
from rich.table import Table as TextTable
from rich.text import Text

from kotaci.cli.terminal import complain, out
from kotaci.model import Severity, file_url, plural
from kotaci.report.words import one_line

if TYPE_CHECKING:
    from kotaci.audit import Audit, Card, Described, Mark

_COLOURS = {Severity.HIGH: "red", Severity.MEDIUM: "yellow", Severity.LOW: "cyan"}
_LEVELS = {Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "notice"}
MAX_LINES = 12
"""Places named of one finding that stands in many."""


def print_audit(found: Audit, marks: Sequence[Mark], *, repo: str) -> None:
    """Print the marks by class and file, the remedy of each rule once a class."""
    from kotaci.audit import describe, group_marks

    for group, by_path in group_marks(marks).items():
        out.print(f"\n{group}", style="bold")
        remedied = set()
        for path, places in by_path.items():
            out.print(f"  {one_line(path)}", style="bold dim")
            for place in places:
                said, mark = describe(place[0].rule), place[0]
                _print_place(found, place, said, repo=repo)
                subjects = [one_line(name) for name in dict.fromkeys(one.subject for one in place)]
                more = f" and {len(subjects) - MAX_LINES} more" if len(subjects) > MAX_LINES else ""
                where = "" if said.url else f"{'; '.join(subjects[:MAX_LINES])}{more}: "
                out.print(f"      {where}{one_line(mark.claim, width=1000)}")
                if mark.also:
                    more = f" and {len(mark.also) - MAX_LINES} more" if len(mark.also) > MAX_LINES else ""
                    others = (f"{one_line(where)}:{line}" for where, line in mark.also[:MAX_LINES])
                    out.print(f"      also {', '.join(others)}{more}", style="dim")
                if mark.rule not in remedied and said.remedy:
                    remedied.add(mark.rule)
                    out.print(f"      → {said.remedy}", style="dim")
    _print_sum(found, marks)


def _print_place(found: Audit, marks: Sequence[Mark], said: Described, *, repo: str) -> None:
    first = marks[0]
    severity = first.severity or said.severity
    url = file_url(repo, found.project.tree.commit_sha, first.path, line=first.line) if repo else ""
    more = ", ".join(str(mark.line) for mark in marks[1:MAX_LINES])
    n_more = len(marks) - MAX_LINES
    told = Text("    ")
    told.append(one_line(first.place), Style(link=url or None))
    told.append(f" and {more}" if more else "").append(f" and {n_more} more" if n_more > 0 else "")
    told.append(f"  {severity.name.lower()}", _COLOURS[severity])
    told.append(f" · {first.certainty or said.certainty} · {said.rule}")
    told.append(" · can be mended by --fix" if any(mark.patch for mark in marks) else "")
    out.print(told)


def _print_sum(found: Audit, marks: Sequence[Mark]) -> None:
    counts = Counter(map(_severity, marks))
    told = [f"{counts[one]} {one.name.lower()}" for one in reversed(Severity) if counts[one]]
    project = found.project
    files = plural(len(project.workflows), "workflow") + (
        f" and {plural(len(project.actions), 'action')}" if project.actions else ""
    )
    said = f"{plural(len(marks), 'finding')} ({', '.join(told)})" if marks else "Nothing found"
    parts = [f"{said} in {files} of {project.tree.origin or 'this folder'}"]
    if len(found.marks) > len(marks):
        parts.append(f"{len(found.marks) - len(marks)} below --severity or --certainty")
    if found.excused:
        parts.append(f"{len(found.excused)} excused by comments")
    if found.known:
        parts.append(f"{len(found.known)} known in the baseline")
    out.print(("\n" if marks else "") + "; ".join(parts))
    if found.linters:
        out.print("Linters: " + ", ".join(map(str, found.linters)))
    for known in found.gone:
        n = f" ({known.n} times)" if known.n > 1 else ""
        out.print(f"gone: {known.path}: {known.rule}: {one_line(known.subject)}{n}")
    if found.gone:
        out.print("What is gone can leave the baseline: --write-baseline")


def _severity(mark: Mark) -> Severity:
    from kotaci.audit import describe

    return mark.severity or describe(mark.rule).severity


def print_annotations(marks: Sequence[Mark]) -> None:
    """Print the marks as workflow commands, the most severe first, as many as GitHub shows; of the rest the number."""
    from kotaci.report.annotations import MAX_ANNOTATIONS, to_command

    n_told = Counter[str]()
    for mark in sorted(marks, key=_severity, reverse=True):
        level = _LEVELS[_severity(mark)]
        n_told[level] += 1
        if n_told[level] <= MAX_ANNOTATIONS:
            end = mark.end_line if mark.end_line > mark.line else 0
            place = {"file": mark.path, "line": mark.line, "endLine": end, "title": mark.rule}
            click.echo(to_command(level, f"{mark.subject}: {mark.claim}", **place))
    for level, n in n_told.items():
        if n > MAX_ANNOTATIONS:
            complain(f"{n - MAX_ANNOTATIONS} more of level {level}: GitHub shows {MAX_ANNOTATIONS} of a step")


def to_json(found: Audit, marks: Sequence[Mark], *, repo: str) -> dict[str, Any]:
    """Return all that was found as plain JSON values, a finding a mark with its place and patch."""
    from dataclasses import asdict

    from kotaci.audit import to_findings

    sha = found.project.tree.commit_sha
    findings = [
        {
            **finding.to_json(),
            "path": mark.path,
            "line": mark.line,
            "end_line": max(mark.line, mark.end_line),
            "job": mark.job,
            "identity": mark.identity,
            "patch": asdict(mark.patch) if mark.patch else None,
        }
        for mark, finding in zip(marks, to_findings(marks, repo=repo, commit_sha=sha), strict=True)
    ]
    return {
        "origin": found.project.tree.origin,
        "repo": repo,
        "commit": sha,
        "n_workflows": len(found.project.workflows),
        "findings": findings,
        "excused": [
            {"rule": one.mark.rule, "path": one.mark.path, "line": one.mark.line, "reason": one.excuse.reason}
            for one in found.excused
        ],
        "n_known": len(found.known),
        "gone": [asdict(known) for known in found.gone],
        "linters": [asdict(linter) for linter in found.linters],
    }


def print_rules(cards: Mapping[str, Card]) -> None:
    """Print the rules by class."""
    from kotaci.audit import CLASSES

    for group, title in CLASSES.items():
        of_group = [card for card in cards.values() if card.group == group]
        if not of_group:
            continue
        out.print(f"\n{title}", style="bold")
        table = TextTable(show_edge=False, pad_edge=False, show_header=False, box=None, padding=(0, 2, 0, 0))
        for name in ("rule", "severity", "certainty"):
            table.add_column(name, no_wrap=True)
        table.add_column("title", overflow="fold")
        for card in of_group:
            table.add_row(card.id, card.severity.name.lower(), str(card.certainty), card.title)
        out.print(table, soft_wrap=False)
    out.print("\n`kotaci audit --rules --format markdown` tells all about each.")
