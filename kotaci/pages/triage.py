"""What `failure_triage` shows."""

from __future__ import annotations

import pandas as pd

from kotaci.analysis.failures import CONSEQUENCE, GONE, OVER, QUIET, REMEDIES, Group, Triage
from kotaci.analysis.statistics import wilson
from kotaci.config import Owners
from kotaci.facts import History
from kotaci.model import BAD_OUTCOMES, DECIDED_OUTCOMES, job_url, plural
from kotaci.pages.opening import no_runs
from kotaci.report import words
from kotaci.report.blocks import (
    Block,
    Card,
    Col,
    ExcerptLine,
    Gap,
    StripCell,
    Tile,
    answer,
    cards,
    details,
    findings,
    note,
    stack,
    strip,
    table,
    tiles,
)
from kotaci.report.inline import Inline, badge, code, join, link, sentence

TABLES = ("runs", "jobs", "failures", "annotations")
"""The tables that the notebook reads."""

_TONES = {
    "failing": "bad",
    "flaky": "warn",
    "undecided": "info",
    "masked": "calm",
    OVER: "good",
    CONSEQUENCE: "calm",
    GONE: "calm",
}

_BESIDES = {OVER: "over", CONSEQUENCE: "only a consequence", GONE: "of jobs that no longer run"}


def triage_answer(history: History, triage: Triage) -> Block:
    """Return the answer in a paragraph: what fails now, what flaked, what is over."""
    if history["runs"].empty:
        return no_runs(history)
    if not triage.groups:
        return answer(
            sentence("**Nothing is red.** No job failed in {n}.", n=plural(triage.n_runs, "run")), tone="good"
        )
    counts = {verdict: sum(group.verdict == verdict for group in triage.groups) for verdict in _TONES}
    first = triage.groups[0]
    n = counts[first.verdict]
    lead = {
        "failing": sentence("**{n} now.**", n=_are(n, "failing")),
        "flaky": sentence("**Nothing fails for good, but {n}.**", n=_are(n, "flaky")),
        "undecided": sentence("**{n}: broken or flaky cannot be told yet.**", n=_are(n, "undecided")),
    }.get(first.verdict, sentence("**Nothing is known to fail now.**"))
    text = sentence(
        "{lead} {verb} {job}: {headline}; {why}.",
        lead=lead,
        verb="Most often it was" if first.verdict in QUIET else "Start with",
        job=link(code(f"{first.workflow} / {first.job}"), f"#{first.id}"),
        headline=code(first.headline),
        why=first.why,
    )
    rest = [
        f"{counts[verdict]} {_BESIDES.get(verdict, verdict)}"
        for verdict in _TONES
        if counts[verdict] and verdict != first.verdict
    ]
    if rest:
        text = sentence("{text} Besides: {rest}.", text=text, rest=", ".join(rest))
    return answer(text, tone=_TONES[first.verdict])


def _are(n: int, verdict: str) -> str:
    return f"1 group of failures is {verdict}" if n == 1 else f"{n} groups of failures are {verdict}"


def triage_tiles(triage: Triage, runs: pd.DataFrame) -> Block:
    """Return the four figures that tell most; none without runs."""
    if runs.empty:
        return note(sentence("No figures without runs."))
    first = runs[(runs["attempt"] == 1) & runs["outcome"].isin(DECIDED_OUTCOMES)]
    n, x = len(first), int(first["outcome"].isin(BAD_OUTCOMES).sum())
    low, high = wilson(x, n)
    again = len(frozenset().union(*(group.passed_again for group in triage.groups)))
    masked = [group for group in triage.groups if group.is_masked]
    minutes = sum(group.minutes for group in triage.groups)
    return tiles(
        [
            Tile(
                words.percent(x / n) if n else "–",
                sentence("of {n} runs failed [{low:.0f}, {high:.0f}]", n=n, low=100 * low, high=100 * high),
            ),
            Tile(triage.n_failed_jobs, "failed jobs", f"in {plural(len(triage.groups), 'group')}"),
            Tile(again, "runs passed when run again", f"{minutes:,.0f} minutes went into failed jobs"),
            Tile(
                len(masked),
                "groups of jobs that may fail" if len(masked) != 1 else "group of jobs that may fail",
                "unseen where the run is green" if masked else "",
                "warn" if masked else "calm",
            ),
        ]
    )


NO_OWNERS = Owners()


def group_cards(triage: Triage, *, verdicts: tuple[str, ...], owners: Owners = NO_OWNERS, limit: int = 12) -> Block:
    """Return a card for each group with one of the verdicts, its owner on it; those past the limit stand folded."""
    shown = [group for group in triage.groups if group.verdict in verdicts]
    if not shown:
        return note(sentence("None in this window."))
    first = cards([_to_card(group, owners) for group in shown[:limit]])
    if len(shown) <= limit:
        return first
    rest = [_to_card(group, owners) for group in shown[limit:]]
    return stack(first, details(f"and {plural(len(rest), 'more group')}", [cards(rest)]))


def _to_card(group: Group, owners: Owners) -> Card:
    legs = f" ({'; '.join(group.legs)})" if group.legs else ""
    exit_code = sentence("exit code {code}", code=group.exit_code) if group.exit_code is not None else None
    owner = owners.of(group.workflow, job=group.job)
    meta = join(
        [
            f"{group.workflow} / {group.job}{legs}",
            sentence("owner {owner}", owner=owner) if owner else None,
            sentence("step {step}", step=code(group.step)) if group.step else None,
            exit_code,
            f"{plural(group.n_runs, 'run')} on {plural(group.n_branches, 'branch', 'branches')}",
            " to ".join(dict.fromkeys((words.day(group.first_at), words.day(group.last_at)))),
            join([link(one.text, one.url) for one in group.evidence], sep=", "),
        ]
    )
    return Card(
        title=group.headline,
        badge=badge(group.verdict, _TONES[group.verdict]),
        meta=meta,
        excerpt=_with_gaps(group),
        strip=strip(
            [StripCell(cell.outcome, cell.title) for cell in group.history],
            caption=f"last {len(group.history)} runs of {group.history_of}, oldest left",
        ),
        do=Inline.of(REMEDIES[group.verdict]),
        why=sentence("{verdict}: {why}.", verdict=group.verdict.capitalize(), why=group.why),
        anchor=group.id,
    )


def _with_gaps(group: Group) -> list[ExcerptLine | Gap]:
    shown: list[ExcerptLine | Gap] = []
    before = None
    for number, text in group.excerpt:
        if before is not None and number > before + 1:
            shown.append(Gap(number - before - 1))
        shown.append(ExcerptLine(number, text, is_hit=text.strip() == group.headline))
        before = number
    return shown


def over_table(triage: Triage) -> Block:
    """Return the groups that ask for nothing now, newest first."""
    over = sorted(
        (group for group in triage.groups if group.verdict in QUIET), key=lambda group: group.last_at, reverse=True
    )
    frame = pd.DataFrame(
        [
            {
                "headline": group.headline,
                "job": f"{group.workflow} / {group.job}",
                "verdict": group.verdict,
                "n_runs": group.n_runs,
                "last_at": group.last_at,
                "url": group.evidence[0].url if group.evidence else "",
                "history": [StripCell(cell.outcome, cell.title) for cell in group.history[-10:]],
            }
            for group in over
        ]
    )
    return table(
        frame,
        [
            Col("headline", "what the log said", kind="code"),
            Col("job"),
            Col("verdict", kind="badge", tones=_TONES),
            Col("n_runs", "runs", kind="number"),
            Col("last_at", "last failed", kind="time", link="url"),
            Col("history", "last runs, oldest left", kind="strip"),
        ],
        more="more groups",
        none="No failure is over in this window.",
    )


def cancelled_table(triage: Triage, annotations: pd.DataFrame) -> Block:
    """Return the cancelled jobs with what GitHub's annotation says of them, where it is held."""
    said = annotations.drop_duplicates(["run_id", "attempt", "job_id"]).set_index(["run_id", "attempt", "job_id"])
    keys = pd.MultiIndex.from_frame(triage.cancelled[["run_id", "attempt", "job_id"]])
    frame = triage.cancelled.assign(
        message=said["message"].reindex(keys).to_numpy(),
        url=[job_url(row["repo"], row["run_id"], row["job_id"]) for row in triage.cancelled.to_dict("records")],
    )
    return table(
        frame.sort_values("started_at", ascending=False),
        [
            Col("started_at", "started", kind="time"),
            Col("job", kind="code", link="url"),
            Col("failed_step", "in step"),
            Col("wall_s", "after", kind="duration"),
            Col("message", "annotation"),
        ],
        limit=15,
        more="more cancelled jobs",
        none="No job was cancelled.",
    )


def triage_actions(triage: Triage) -> Block:
    """Return what to do, ranked."""
    return findings(triage.findings, none="Nothing to do: no job failed.")
