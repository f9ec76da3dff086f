"""The rules of the audit as a page of documentation: one card a rule, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kotaci.audit import CLASSES, Card
from kotaci.report.markdown import code_span, escape_text, fence

_OPENING = """# The rules of the audit

What `kotaci audit` looks for: {n_rules} rules in {n_classes} classes. *Severity* says how much it matters, *certainty*
how often the rule is right where it fires: *proved* rests on the text alone. Each rule has its examples, tested: where
it fires, what makes that harmless, where it is silent. The examples are made up. This page is made from the cards:
`make rules`.

A comment at the end of a line, or on a line above it, excuses what is found there:
`# kotaci: ignore[RULE] reason`. Without a reason it does not count."""


def rules_page(cards: Mapping[str, Card]) -> str:
    """Return the page, the rules by class."""
    used = [group for group in CLASSES if any(card.group == group for card in cards.values())]
    blocks = [_OPENING.format(n_rules=len(cards), n_classes=len(used))]
    for group in used:
        blocks.append(f"## {CLASSES[group]}")
        blocks += ["\n".join(_card(card)) for card in cards.values() if card.group == group]
    return "\n\n".join(blocks) + "\n"


def _card(card: Card) -> Iterator[str]:
    yield f"### {card.id}"
    yield ""
    yield f"**{escape_text(card.title)}** · severity {card.severity.name.lower()} · certainty {card.certainty}"
    yield ""
    yield f"{escape_text(card.what)} {escape_text(card.why)}"
    yield ""
    yield f"- How it is found: {escape_text(card.how)}"
    yield f"- When it is wrong: {escape_text(card.wrong)}"
    yield f"- What to do: {escape_text(card.remedy)}"
    if card.linters:
        yield f"- Left to a linter where it says the same: {', '.join(map(code_span, card.linters))}"
    path, text = next(iter(card.fires[0].files.items()))
    yield ""
    yield f"It fires on {code_span(path)}:" if len(card.fires[0].files) == 1 else f"It fires with {code_span(path)}:"
    yield ""
    yield fence(text.strip("\n"), info=_language(path))


def _language(path: str) -> str:
    ending = path.rpartition(".")[2]
    return {"yml": "yaml", "yaml": "yaml", "toml": "toml", "rs": "rust", "json": "json"}.get(ending, "text")
