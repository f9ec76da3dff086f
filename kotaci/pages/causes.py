"""The catalogue of causes as a page of documentation: one card a cause, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from kotaci.logs.causes import GROUPS, Catalogue, Cause
from kotaci.report.markdown import code_span, escape_text

_OPENING = """# The causes of failure

What kotaci tells apart: {n_causes} causes, {n_rules} rules, {n_patterns} patterns. A line of a log tells a cause, with
a confidence; where no line does, the answer is `undecided`. The causes are data, [causes.toml](causes.toml), and a
repository adds its own in `.github/kotaci.toml`. This page is made from them: `make causes`.

Group says who is at fault. A rule *sums up* where its line only reports a failure that is told elsewhere, and is *weak*
where green logs hold such lines too. The example lines are made up."""


def causes_page(catalogue: Catalogue) -> str:
    """Return the page, each cause by its id, with its tools, an example line of each, and its remedies."""
    rules = [rule for cause in catalogue.causes.values() for rule in cause.rules]
    opening = _OPENING.format(
        n_causes=len(catalogue.causes), n_rules=len(rules), n_patterns=sum(len(rule.patterns) for rule in rules)
    )
    blocks = [opening]
    for cause in catalogue.causes.values():
        blocks.append("\n".join(_card(cause)))
    return "\n\n".join(blocks) + "\n"


def _card(cause: Cause) -> Iterator[str]:
    yield f"## {cause.id}"
    yield ""
    facts = [f"**{escape_text(cause.title)}**", f"at fault: {at_fault(cause)}"]
    facts += [f"playbook: {cause.playbook}"] if cause.playbook else []
    facts += ["worth a re-run"] if cause.retry else []
    yield " · ".join(facts)
    yield ""
    yield escape_text(cause.definition)
    yield ""
    for rule in cause.rules:
        marks = [f"{rule.confidence:.0%}", *["sums up"] * rule.is_summary, *["weak"] * rule.is_weak]
        yield f"- {escape_text(rule.tool)} ({', '.join(marks)}): {code_span(rule.examples[0])}"
    yield ""
    for number, remedy in enumerate(cause.remedies, 1):
        yield f"{number}. {escape_text(remedy)}"


def at_fault(cause: Cause) -> str:
    """Return who is at fault, in words."""
    return f"{cause.group} ({GROUPS[cause.group]})" if cause.group else "nobody said"
