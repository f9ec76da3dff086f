"""The card of a group of failures: what it is, the lines that say so, its proof, its commits, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from kotaci.analysis.failures import FAILING, OVER, Group, TriageOptions, is_sure, next_step, rerun_tells
from kotaci.config import CodeOwners, Owners
from kotaci.logs.causes import Catalogue
from kotaci.model import Verdict, commit_url, compare_url, plural, rerun_command
from kotaci.report import words
from kotaci.report.blocks import Block, Card, Col, ExcerptLine, Gap, StripCell, details, strip, table
from kotaci.report.inline import Inline, badge, code, join, link, sentence

FLAKY = frozenset({Verdict.FLAKY, Verdict.FLAKY_INSIDE})

TONES = {
    Verdict.REGRESSION: "bad",
    Verdict.TIMED_OUT: "bad",
    Verdict.FLAKY: "warn",
    Verdict.FLAKY_INSIDE: "warn",
    Verdict.INFRASTRUCTURE: "info",
    Verdict.ALREADY_FAILING: "info",
    Verdict.UNDECIDED: "info",
    Verdict.MASKED: "calm",
    Verdict.CONSEQUENCE: "calm",
    Verdict.SUPERSEDED: "calm",
    Verdict.CANCELLED: "calm",
}
"""The tone of each verdict's badge."""

_STATUS_TONES = {FAILING: "bad", OVER: "good"}

_FEW = 3
"""Commits and paths named on a card; more stand in a folded table."""


def verdict_badge(group: Group) -> Inline:
    """Return the verdict, with what it rests on: `regression, 99 %`, `flaky, proved 4 times`."""
    n = dict(group.mix).get(group.verdict, 0)
    more = ""
    if group.verdict == Verdict.REGRESSION:
        more = ", 99 %"
    elif group.verdict == Verdict.FLAKY:
        more = f", {group.certainty if group.certainty != 'proved' else 'proved'} {n}×"
    return badge(f"{group.verdict}{more}", TONES[group.verdict])


def to_title(group: Group, *, width: int = 160) -> str:
    """Return the headline, cut in the middle where it is long: a command's end tells what became of it."""
    text = " ".join(group.headline.split())
    tail = width // 3
    return text if len(text) <= width else f"{text[: width - tail - 1]}…{text[-tail:]}"


def to_card(
    group: Group,
    *,
    owners: Owners,
    code_owners: CodeOwners,
    catalogue: Catalogue,
    options: TriageOptions,
    legend: str = "",
) -> Card:
    """Return the card of a group, its owner on it; `legend` explains the strip, on the first of a page."""
    status = badge(group.status.word, _STATUS_TONES.get(group.status.word, "calm"))
    return Card(
        title=to_title(group),
        badge=join([verdict_badge(group), status], sep=" "),
        meta=_meta(group, _owner(group, owners, code_owners)),
        excerpt=with_gaps(group.excerpt, group.hits),
        strip=strip(
            [StripCell(cell.outcome, cell.title) for cell in group.history],
            caption=f"{plural(len(group.history), 'run')} of {group.history_of}, oldest left{legend}",
        ),
        facts=list(_facts(group, catalogue, options)),
        more=_commits(group),
        do=Inline.of(next_step(group, options=options)),
        anchor=group.id,
    )


def _meta(group: Group, owner: Inline | None) -> Inline:
    legs = f" ({'; '.join(group.legs)})" if group.legs else ""
    return join(
        [
            f"{group.workflow} / {group.job}{legs}",
            sentence("step {step}", step=code(group.step)) if group.step else None,
            f"exit code {group.exit_code}" if group.exit_code is not None else None,
            f"{group.n_runs} of {plural(group.n_job_runs, 'run')}, {plural(group.n_branches, 'branch', 'branches')}",
            " to ".join(dict.fromkeys((words.day(group.first_at), words.day(group.last_at)))),
            f"{group.minutes:,.0f} min",
            owner,
        ]
    )


def _owner(group: Group, owners: Owners, code_owners: CodeOwners) -> Inline | None:
    """Return whom to ask: whom the configuration names, else the owners of the failing or the changed path."""
    told = owners.of(group.workflow, job=group.job)
    if told:
        return sentence("owner {owner}", owner=told)
    paths = [group.location.partition(":")[0], *group.files]
    for path in paths:
        if path and (found := code_owners.of(path)):
            return sentence("owner {owner} of {path}", owner=" ".join(found), path=code(path))
    return None


def _facts(group: Group, catalogue: Catalogue, options: TriageOptions) -> Iterator[tuple[str, Inline]]:
    is_mixed = bool({verdict for verdict, _ in group.mix} - {group.verdict, Verdict.UNDECIDED})
    mix = ", ".join(f"{n} {verdict}" for verdict, n in group.mix) if is_mixed else ""
    proof = f"{group.proof[:1].upper()}{group.proof[1:]}."
    yield "why", join([proof, f"Its jobs: {mix}." if mix else None], sep=" ")
    stands = f"{group.status.why[:1].upper()}{group.status.why[1:]}"
    yield "now", sentence("{stands}{until}.", stands=stands, until=_until_fixed(group))
    if group.message:
        where = sentence(" at {place}", place=code(group.location)) if group.location else ""
        yield "says", sentence("{message}{where}", message=code(group.message), where=where)
    yield "ran on", _ran_on(group)
    cause = _cause(group, catalogue, options)
    if cause is not None:
        yield "cause", cause
    if group.culprits:
        yield ("culprits" if group.has_interval else "commits"), _culprits(group)
        if group.files:
            rest = len(group.files) - _FEW
            paths: list[Inline | str] = [code(path) for path in group.files[:_FEW]]
            yield "changed", join([*paths, f"and {plural(rest, 'more path')}" if rest > 0 else None], sep=" ")
    elif group.verdict == Verdict.REGRESSION and group.red_sha:
        yield "commits", _good_and_bad(group)
    if group.verdict == Verdict.UNDECIDED:
        is_worth_a_run = rerun_tells(group, options=options)
    else:
        is_worth_a_run = group.odds_of == "of these"
    if group.odds.n and is_worth_a_run:
        yield "run again", _odds(group)
    yield "evidence", join([link(one.text, one.url) for one in group.evidence], sep=", ")


def _until_fixed(group: Group) -> Inline | str:
    if group.verdict not in FLAKY or group.status.word != OVER:
        return ""
    return sentence("; {page} tells whether that is enough to call it fixed", page=code("flaky_tests"))


def _ran_on(group: Group) -> Inline:
    if group.differs is None:
        return Inline.of("Not known: no log of it, or of a green run before it, tells.")
    if group.differs == "":
        return Inline.of("Same image, system, tools, actions and labels as the green run before it.")
    return sentence("Differs from its last green run: {what}", what=group.differs)


def _cause(group: Group, catalogue: Catalogue, options: TriageOptions) -> Inline | None:
    """Return the cause that the log tells, and its remedy where the verdict does not know better.

    A log says of a time-out that it was cancelled, and of a flaky test that the code is to blame. What it tells less
    surely than verdicts ask for is a guess, and has no remedy.
    """
    if group.cause in {"", "undecided", "cancelled", "gate"}:
        return None
    if not is_sure(group, options=options):
        return Inline.of(f"Not told by the log; perhaps {group.cause}.")
    known = catalogue.causes.get(group.cause)
    sure = "" if group.cause_confidence is None else f"({words.percent(group.cause_confidence)} sure)"
    if known is None:
        return join([group.cause, sure], sep=" ")
    title = sentence("**{title}**", title=known.title)
    is_refuted = group.verdict in FLAKY and known.group == "code"
    remedy = "" if is_refuted or not known.remedies else known.remedies[0]
    return join([join([title, sure], sep=" "), remedy], sep=". ")


def _culprits(group: Group) -> Inline:
    newest = group.culprits[0]
    compared = link("what changed", compare_url(group.repo, group.green_sha, newest.sha)) if group.green_sha else None
    if len(group.culprits) > _FEW:
        which = "to blame with 99 %" if group.has_interval else "since the last green"
        return join([f"One of {len(group.culprits)} commits, {which}, listed below", compared])
    named = [
        sentence(
            "{sha} {subject}, {author}, {day}",
            sha=link(code(one.sha[:7]), one.url),
            subject=one.subject,
            author=one.author,
            day=words.day(one.authored_at),
        )
        for one in group.culprits
    ]
    return join([join(named, sep="; "), compared])


def _good_and_bad(group: Group) -> Inline:
    """Return the last green and the first red commit that the runs hold, where none in between is known by name."""
    bad = sentence("first bad {sha}", sha=_sha(group.repo, group.red_sha))
    if not group.green_sha:
        return sentence("{bad}; no good one before it is held", bad=bad)
    good = sentence("last good {sha}", sha=_sha(group.repo, group.green_sha))
    return join([good, bad, link("what changed", compare_url(group.repo, group.green_sha, group.red_sha))], sep=", ")


def _sha(repo: str, sha: str) -> Inline:
    return link(code(sha[:7]), commit_url(repo, sha))


def _odds(group: Group) -> Inline:
    odds = group.odds
    others = "" if group.odds_of == "of these" else " of other failures of this job"
    took = f", {words.number(odds.minutes)} minutes (median)" if not pd.isna(odds.minutes) else ""
    said = sentence(
        "{x} of {n} went green [{low:.0f}, {high:.0f} %]{took}",
        x=odds.n_green,
        n=plural(odds.n, "re-run") + others,
        low=100 * odds.low,
        high=100 * odds.high,
        took=took,
    )
    command = rerun_command(group.repo, group.open_run or 0)
    return join([said, code(command) if command else None])


def _commits(group: Group) -> Block | None:
    """Return the commits in a folded table, where they are too many for the card."""
    if len(group.culprits) <= _FEW:
        return None
    frame = pd.DataFrame(
        [
            {
                "sha": one.sha[:7],
                "url": one.url,
                "subject": one.subject,
                "author": one.author,
                "authored_at": one.authored_at,
                "files": ", ".join(one.files[:_FEW])
                + (f" and {len(one.files) - _FEW} more" if len(one.files) > _FEW else ""),
            }
            for one in group.culprits
        ]
    )
    shown = table(
        frame,
        [
            Col("sha", "commit", kind="code", link="url"),
            Col("subject"),
            Col("author"),
            Col("authored_at", "written", kind="day"),
            Col("files", "changes"),
        ],
        more="more commits",
    )
    return details(f"The {len(group.culprits)} commits, newest first", [shown])


def with_gaps(excerpt: Sequence[tuple[int, str]], hits: frozenset[int]) -> Sequence[ExcerptLine | Gap]:
    """Return numbered lines as a card shows them: what is left out between them is counted, `hits` are marked."""
    shown: list[ExcerptLine | Gap] = []
    before = None
    for number, text in excerpt:
        if before is not None and number > before + 1:
            shown.append(Gap(number - before - 1))
        shown.append(ExcerptLine(number, text, is_hit=number in hits))
        before = number
    return shown
