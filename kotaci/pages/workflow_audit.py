"""What `workflow_audit` shows: findings in workflow files with their lines, prices, remedies and patches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pandas as pd

from kotaci.analysis.pricing import UNPRICED
from kotaci.audit import CLASSES, Mark, read_cards
from kotaci.audit.mending import diff_of, mend
from kotaci.facts import History
from kotaci.model import Certainty, Finding, Price, Severity, plural, short_workflow
from kotaci.pages.pricing import TABLES, Audited, Placed, audit_history
from kotaci.report import charts, words
from kotaci.report.blocks import (
    Block,
    Card,
    Col,
    ExcerptLine,
    Gap,
    Tile,
    answer,
    cards,
    copyable,
    details,
    findings,
    note,
    stack,
    table,
    tiles,
)
from kotaci.report.inline import Inline, badge, code, coded, join, link, sentence, stacked

__all__ = [
    "TABLES",
    "audit_actions",
    "audit_answer",
    "audit_history",
    "audit_tiles",
    "classes_figure",
    "gate_cards",
    "other_cards",
    "patches",
    "prices_note",
    "ranking_table",
    "unread_note",
]

MONTH_DAYS = 30.0
MOST_CARDS = 8
"""So many findings of a kind are shown with their lines; all stand in the table."""
AROUND = 2
"""Lines quoted before and after those of a finding."""
MOST_LINES = 12
MOST_REASONS = 4
MOST_SUBJECT = 36
"""Characters of a place in the table, where it does not wrap."""

_GATES, _LINTERS = "gates", ""
_TONES = {Severity.HIGH: "bad", Severity.MEDIUM: "warn", Severity.LOW: "calm"}
_NO_FILES = (
    "**Cannot be told: no workflow file is held.** Import a clone with `kotaci import --git`, or name the folder of a "
    "checkout with `workspace`."
)


def audit_answer(history: History, audited: Audited) -> Block:
    """Return the answer in a paragraph: how much was found, what weighs most, and whether it has a price."""
    workflows = audited.found.project.workflows
    if not workflows:
        return answer(sentence(_NO_FILES), tone="info")
    files = plural(len(workflows), "workflow file")
    if not audited.placed:
        asked = plural(audited.n_asked, "rule")
        return answer(sentence("**Nothing found** in {files} by {asked}.", files=files, asked=asked), tone="good")
    worst = max(finding.severity for finding in audited.findings)
    n_gates = sum(_group(one.mark) == _GATES for one in audited.placed)
    lead = "Not yet" if worst == Severity.HIGH or n_gates else "Largely"
    gates = f"; {plural(n_gates, 'gate does not gate', 'gates do not gate')}" if n_gates else ""
    text = sentence(
        "**{lead}: {found}** ({severities}) in {files}{gates}.",
        lead=lead,
        found=plural(len(audited.placed), "finding"),
        severities=_severities(audited.findings),
        files=files,
        gates=gates,
    )
    tone = {Severity.HIGH: "bad", Severity.MEDIUM: "warn", Severity.LOW: "info"}[worst]
    return answer(join([text, _dearest(history, audited)], sep=" "), tone=tone)


def _severities(found: Sequence[Finding]) -> str:
    counts = Counter(finding.severity for finding in found)
    return ", ".join(f"{counts[one]} {one.name.lower()}" for one in reversed(Severity) if counts[one])


def _dearest(history: History, audited: Audited) -> Inline:
    if not audited.n_runs:
        held = f"; the newest it holds is of {words.time(history.as_of)}" if history.as_of else ""
        return sentence("None has a price: the store holds no run of this window{held}.", held=held)
    costly = [finding for finding in audited.findings if _costs(finding.price)]
    if not costly:
        return sentence("None of them cost anything that these {n} tell.", n=plural(audited.n_runs, "run"))
    first = next((finding for finding in costly if finding.certainty != Certainty.LOW), costly[0])
    return sentence(
        "{which}, {subject}, {claim}: {price}.",
        which="The dearest" if first is costly[0] else "The dearest that is more than a guess",
        subject=code(first.subject),
        claim=coded(first.claim),
        price=_price(first.price, audited.days),
    )


def _costs(price: Price) -> bool:
    return bool(price.minutes or price.people_minutes)


def _price(price: Price, days: float) -> str:
    """Return minutes of machines and of people a month, or over a window too short to tell of one; a dash without."""
    scale, per = (MONTH_DAYS / days, "a month") if days >= 1 else (1.0, "in this window")
    if price.minutes is None:
        return words.MISSING
    shown = [words.minutes(round(scale * price.minutes, 1))] if price.minutes or not price.people_minutes else []
    shown += [f"{words.minutes(round(scale * price.people_minutes, 1))} of waiting"] if price.people_minutes else []
    return f"{' and '.join(shown)} {per} ({price.basis})"


def audit_tiles(audited: Audited) -> Block:
    """Return the four figures that tell most; none without files."""
    project = audited.found.project
    if not project.workflows:
        return note(sentence("No figures without workflow files."))
    found = audited.findings
    n_high = sum(finding.severity == Severity.HIGH for finding in found)
    n_gates = sum(_group(one.mark) == _GATES for one in audited.placed)
    n_priced = sum(finding.price.minutes is not None for finding in found)
    n_patches = sum(one.mark.patch is not None for one in audited.placed)
    return tiles(
        [
            Tile(
                f"{len(found):,}",
                Inline.of(f"{'finding' if len(found) == 1 else 'findings'} in workflow files"),
                f"{n_high} of high severity",
                "bad" if n_high else "calm",
            ),
            Tile(
                f"{n_gates:,}",
                Inline.of("gates that don't gate"),
                f"of {plural(len(project.jobs), 'job')}",
                "bad" if n_gates else "good",
            ),
            Tile(f"{n_priced:,}", Inline.of("have a price"), f"from {plural(audited.n_runs, 'run')}"),
            Tile(f"{n_patches:,}", Inline.of("come with a patch"), f"{plural(audited.n_asked, 'rule')} asked"),
        ]
    )


def ranking_table(audited: Audited) -> Block:
    """Return one row a finding: where, what, how sure, and what it costs a month; dearest and surest first."""
    rows = pd.DataFrame(
        [
            {
                "where": link(
                    stacked(
                        f"{short_workflow(one.mark.path)}:{one.mark.line}",
                        words.one_line(one.mark.subject, width=MOST_SUBJECT),
                    ),
                    one.finding.evidence[0].url,
                ),
                "claim": coded(one.finding.claim),
                "severity": one.finding.severity.name.lower(),
                "certainty": str(one.finding.certainty),
                "price": _price_cell(one.finding, audited.days),
            }
            for one in audited.placed
        ],
        columns=["where", "claim", "severity", "certainty", "price"],
    )
    title = "costs a month" if audited.days >= 1 else "cost in this window"
    return table(
        rows,
        [
            Col("where", kind="stacked"),
            Col("claim", "finding"),
            Col("severity", kind="badge", tones={one.name.lower(): tone for one, tone in _TONES.items()}),
            Col("certainty"),
            *([Col("price", title, kind="stacked")] if audited.n_runs else []),
        ],
        limit=25,
        more="more findings, in findings.json",
        none="Nothing was found.",
    )


def _price_cell(finding: Finding, days: float) -> Inline | str:
    price, scale = finding.price, MONTH_DAYS / days if days >= 1 else 1.0
    if price.minutes is None:
        return words.MISSING
    n = f"{price.basis}, n = {finding.n:,}"
    waiting = f"{words.minutes(round(scale * price.people_minutes, 1))} waiting" if price.people_minutes else ""
    shown = words.minutes(round(scale * price.minutes, 1))
    return (
        stacked(waiting, n) if waiting and not price.minutes else stacked(shown, ", ".join(filter(None, (waiting, n))))
    )


def prices_note(audited: Audited) -> Block:
    """Return how prices and ranks are to be read, and why findings have none."""
    if not audited.placed:
        return note(sentence("No finding, so no price."))
    if not audited.n_runs:
        return note(
            sentence(
                "No price: that takes runs, and there is none in this window; `kotaci fetch` gets them. Ranked by "
                "severity, then certainty."
            )
        )
    priced = [one for one in audited.findings if one.price.minutes is not None]
    without = Counter(_why(finding) for finding in audited.findings if finding.price.minutes is None)
    told = [
        sentence(
            "Priced over {days} days of runs, {scaled}, everything else as it was: an upper bound of what mending "
            "gives back, and two prices may hold the same minutes. Ranked by minutes times certainty; a minute of "
            "waiting counts {worth:g}; what has no price by severity.",
            days=words.number(round(audited.days)),
            scaled="told per 30" if audited.days >= 1 else "too few to tell of a month",
            worth=audited.options.minutes_worth,
        )
    ]
    if priced and without:
        told.append(sentence("{n} without a price:", n=plural(sum(without.values()), "finding")))
    if without:
        shown = without.most_common(MOST_REASONS)
        more = without.total() - sum(n for _, n in shown)
        rest = [f"{more:,} × for other reasons"] if more else []
        told.append(join([*(f"{n:,} × {why}" for why, n in shown), *rest], sep="; "))
    return note(join(told, sep=" "))


def _why(finding: Finding) -> str:
    if finding.method.startswith(UNPRICED):
        return finding.method.removeprefix(UNPRICED)
    return "no figure of runs belongs to it"


def classes_figure(audited: Audited) -> Block:
    """Return how many findings each class has, by severity; gates first."""
    order = [_GATES, *(group for group in CLASSES if group != _GATES), _LINTERS]
    counts = Counter((_group(one.mark), one.finding.severity) for one in audited.placed)
    rows = [
        {"name": CLASSES.get(group, "Found by a linter")}
        | {one.name.lower(): counts[group, one] for one in reversed(Severity)}
        for group in order
        if any(counts[group, one] for one in Severity)
    ]
    n_gates = sum(counts[_GATES, one] for one in Severity)
    return charts.plot_counts(
        pd.DataFrame(rows, columns=["name", *(one.name.lower() for one in reversed(Severity))]),
        title=f"{n_gates} of {plural(len(audited.placed), 'finding')} {'is' if n_gates == 1 else 'are'} about gates",
        x="findings",
        none="No class has a finding.",
    )


def _group(mark: Mark) -> str:
    card = read_cards().get(mark.rule)
    return _LINTERS if card is None else card.group


def gate_cards(audited: Audited) -> Block:
    """Return the gates that don't gate, with the lines that show it."""
    mine = [one for one in audited.placed if _group(one.mark) == _GATES]
    return _cards(audited, mine, none="No gate was found that lets a failure pass.")


def other_cards(audited: Audited) -> Block:
    """Return the other findings, with the lines that show them."""
    mine = [one for one in audited.placed if _group(one.mark) != _GATES]
    return _cards(audited, mine, none="Nothing else was found.")


def _cards(audited: Audited, placed: Sequence[Placed], *, none: str) -> Block:
    if not placed:
        return note(sentence(none))
    shown = cards([_card(audited, one) for one in placed[:MOST_CARDS]])
    if len(placed) <= MOST_CARDS:
        return shown
    rest = [_card(audited, one) for one in placed[MOST_CARDS:]]
    return stack(shown, details(plural(len(rest), "more finding"), [cards(rest)]))


def _card(audited: Audited, one: Placed) -> Card:
    finding, mark = one.finding, one.mark
    rule = read_cards().get(mark.rule)
    facts = [("found", sentence("{claim}.", claim=coded(finding.claim)))]
    if rule is not None:
        facts += [("why", coded(rule.why)), ("unless", coded(rule.wrong))]
    if finding.price.minutes is not None:
        shown = _price(finding.price, audited.days)
        facts.append(("price", sentence("{price}; {how}.", price=shown, how=finding.method)))
    elif audited.n_runs and finding.method.startswith(UNPRICED):
        facts.append(("price", sentence("{why}.", why=finding.method)))
    if len(finding.evidence) > 1:
        facts.append(("also", join([link(piece.text, piece.url) for piece in finding.evidence[1:]])))
    return Card(
        title=finding.subject,
        badge=badge(finding.severity.name.lower(), _TONES[finding.severity]),
        meta=join([finding.verdict, f"certainty {finding.certainty}", link(*_first(finding)), code(finding.kind)]),
        excerpt=list(_quoted(audited.found.project.tree.text(mark.path) or "", mark)),
        facts=facts,
        do=coded(finding.remedy) if finding.remedy else None,
        anchor=finding.id,
    )


def _first(finding: Finding) -> tuple[str, str]:
    return finding.evidence[0].text, finding.evidence[0].url


def _quoted(text: str, mark: Mark) -> Iterator[ExcerptLine | Gap]:
    """Yield the lines of a mark with a few around them; a gap where there are more than fit."""
    lines = text.splitlines()
    end = max(mark.line, mark.end_line)
    first, last = max(1, mark.line - AROUND), min(len(lines), end + AROUND)
    kept = min(last, first + MOST_LINES - 1)
    for number in range(first, kept + 1):
        yield ExcerptLine(number, lines[number - 1], mark.line <= number <= end)
    if last > kept:
        yield Gap(last - kept)


def audit_actions(audited: Audited) -> Block:
    """Return what to do, ranked."""
    return findings(audited.findings, none="Nothing to do: no rule found anything.")


def patches(audited: Audited) -> Block:
    """Return the remedies that are mechanical as one diff a file, to copy; folded."""
    tree, marks = audited.found.project.tree, [one.mark for one in audited.placed]
    mended = mend(tree, marks, found=marks)
    if not mended.texts:
        return note(sentence("No finding has a patch: what to change is for people to decide."))
    said: dict[str, dict[str, None]] = {}
    for mark in mended.done:
        if mark.patch is not None:
            said.setdefault(mark.patch.path, {})[mark.patch.said] = None
    shown = [
        copyable(
            "".join(diff_of(path, tree.text(path), text)),
            caption=sentence("{path}: {said}", path=code(path), said=coded("; ".join(said.get(path, {})))),
        )
        for path, text in sorted(mended.texts.items())
    ]
    more = f"; {len(mended.left)} more are left for later: apply these, then audit again" if mended.left else ""
    n = f"{plural(len(mended.done), 'patch', 'patches')} in {plural(len(shown), 'file')}"
    return details(f"{n}{more}", shown)


def unread_note(audited: Audited) -> Block:
    """Return what was read, and what this audit did not look at."""
    project = audited.found.project
    told = [
        sentence(
            "Read: {files} of {origin}, by {asked}.",
            files=plural(len(project.workflows), "workflow file"),
            origin=f"{project.tree.origin} at {sha}" if (sha := project.tree.commit_sha[:10]) else project.tree.origin,
            asked=plural(audited.n_asked, "rule"),
        )
    ]
    if audited.unasked:
        told.append(
            sentence(
                "Not asked: {n}, for they read other files too, and a store holds workflow files only; name a checkout "
                "with {workspace}: {rules}.",
                n=plural(len(audited.unasked), "rule"),
                workspace=code("workspace"),
                rules=join([code(rule) for rule in audited.unasked], sep=", "),
            )
        )
    broken = [file.path for file in project.workflows if file.problems]
    if broken:
        told.append(
            sentence(
                "Not read whole, since something is wrong in them: {files}.",
                files=join([code(short_workflow(path)) for path in broken], sep=", "),
            )
        )
    told.append(
        sentence(
            "Not read at all: settings of the repository (required checks, environments, secrets, runners), actions "
            "and workflows of other repositories, and what scripts do that these files only call."
        )
    )
    return note(join(told, sep=" "))
