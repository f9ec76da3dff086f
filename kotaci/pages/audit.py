"""What an audit found as Markdown, for an issue or a comment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from kotaci.audit import Audit, Mark, describe, group_marks
from kotaci.model import Severity, file_url, plural
from kotaci.report.markdown import COMMENT_BUDGET, code_span, escape_text, fit, table

_ROWS = (100, 30, 10, 3)
"""Findings shown of a class, ever fewer until the text fits."""
MOST_SUBJECTS = 4
"""Places named where the same is said of several."""


def audit_markdown(found: Audit, marks: Sequence[Mark], *, repo: str = "", budget: int = COMMENT_BUDGET) -> str:
    """Return the marks by class as tables that fit the budget, what came from files made harmless."""
    return fit(("\n\n".join(_blocks(found, marks, repo, n_rows)) for n_rows in _ROWS), budget)


def _blocks(found: Audit, marks: Sequence[Mark], repo: str, n_rows: int) -> Iterator[str]:
    counts = Counter(map(_severity, marks))
    told = ", ".join(f"{counts[one]} {one.name.lower()}" for one in reversed(Severity) if counts[one])
    n_workflows = plural(len(found.project.workflows), "workflow")
    origin = escape_text(found.project.tree.origin or "this folder")
    yield "### Audit of the workflows"
    yield f"{plural(len(marks), 'finding')}{f' ({told})' if told else ''} in {n_workflows} of {origin}."
    for group, by_path in group_marks(marks).items():
        ranked = sorted((place for places in by_path.values() for place in places), key=lambda one: -_severity(one[0]))
        yield f"#### {group}"
        yield table(
            ("where", "severity", "certainty", "finding", "remedy"),
            [_row(found, place, repo) for place in ranked[:n_rows]],
            right=(False,) * 5,
        )
        if len(ranked) > n_rows:
            yield f"… and {plural(len(ranked) - n_rows, 'more finding')} of this class"
    besides = [f"{len(found.excused)} excused by comments"] if found.excused else []
    besides += [f"{len(found.known)} known in the baseline"] if found.known else []
    besides += [escape_text(linter) for linter in found.linters]
    if besides:
        yield f"Besides: {', '.join(besides)}."


def _severity(mark: Mark) -> Severity:
    return mark.severity or describe(mark.rule).severity


def _row(found: Audit, place: Sequence[Mark], repo: str) -> list[str]:
    mark, said = place[0], describe(place[0].rule)
    url = file_url(repo, found.project.tree.commit_sha, mark.path, line=mark.line) if repo else ""
    where = code_span(mark.place)
    more = f" and {plural(len(place) - 1, 'more line')}" if len(place) > 1 else ""
    rule = code_span(mark.rule)
    subjects = list(dict.fromkeys(one.subject for one in place))
    shown = "; ".join(subjects[:MOST_SUBJECTS]) + (" and more" if len(subjects) > MOST_SUBJECTS else "")
    claim = mark.claim if said.url else f"{shown}: {mark.claim}"
    return [
        (f"[{where}]({url})" if url else where) + more,
        _severity(mark).name.lower(),
        str(mark.certainty or said.certainty),
        f"{f'[{rule}]({said.url})' if said.url else rule} {escape_text(claim)}",
        "" if said.url else escape_text(said.remedy),
    ]
