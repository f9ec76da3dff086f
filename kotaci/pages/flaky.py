"""What `flaky_tests` shows."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kotaci.analysis.changes import reruns_to_see
from kotaci.analysis.flakes import (
    CALLED_FLAKY,
    FIXED,
    FLAKY,
    MAYBE_FIXED,
    NO_LOG,
    OUTAGE,
    PASSED_AGAIN,
    SUSPECTED,
    Flake,
    Flakiness,
    RestlessJob,
    to_quarantine,
)
from kotaci.analysis.flakes.costs import Cost, Odds
from kotaci.facts import History
from kotaci.model import plural, rerun_command
from kotaci.pages.opening import no_runs
from kotaci.report import words
from kotaci.report.blocks import (
    Block,
    Col,
    GridRow,
    StripCell,
    Tile,
    answer,
    copyable,
    findings,
    grid,
    note,
    stack,
    table,
    tiles,
)
from kotaci.report.inline import Inline, badge, bold, code, join, link, sentence, stacked

TABLES = ("runs", "jobs", "tests", "rosters", "roster_names", "setups", "failures")
"""The tables that the notebook reads."""

_TONES = {FLAKY: "bad", MAYBE_FIXED: "info", FIXED: "good", SUSPECTED: "warn"}
_UNSEEN = "Cannot be told from this archive: it keeps one attempt of each run."
_JOB_TONES = {PASSED_AGAIN: "warn", OUTAGE: "calm", NO_LOG: "calm"}


def flaky_answer(history: History, flakiness: Flakiness) -> Block:
    """Return the answer in a paragraph: how many tests, what they cost, and with which to start."""
    if history["runs"].empty:
        return no_runs(history)
    flaky, maybe = flakiness.of(FLAKY), flakiness.of(MAYBE_FIXED)
    fixed, suspected = flakiness.of(FIXED), flakiness.of(SUSPECTED)
    rest = [
        f"{len(flakes)} {word}"
        for flakes, word in (
            (maybe, f"more {MAYBE_FIXED}" if flaky else MAYBE_FIXED),
            (fixed, FIXED),
            (suspected, "suspected without proof"),
        )
        if flakes
    ]
    if not flaky and not maybe:
        return _nothing_flaky(history, flakiness, rest)
    cost = flakiness.cost
    n, n_all, first = len(flaky), len([*flaky, *maybe, *fixed]), [*flaky, *maybe][0]
    lead = f"{plural(n, 'test')} {'is' if n == 1 else 'are'} proved flaky" if n else "No test is known to flake still"
    # What is said of the cost holds the maybe fixed and the fixed as well.
    it = "It" if n_all == 1 else "They" if n_all == n else "All together they"
    made = sentence(
        "{it} made no run red: the runner's retry hides {them}.",
        it=it,
        them="it" if n_all == 1 else "them",
    )
    if cost.n_red:
        made = sentence(
            "{it} made {red} of {all_red} red: {machine} of machine time ran again, and it took {waiting} until green.",
            it=it,
            red=len(flakiness.red_by_tests),
            all_red=plural(flakiness.n_red, "red run"),
            machine=words.duration(60 * round(cost.machine_minutes)),
            waiting=words.duration(60 * round(cost.waiting_minutes)),
        )
    text = sentence(
        "{lead}. {made} Start with {test}: {claim}.",
        lead=join([bold(lead), f"({', '.join(rest)})" if rest else ""], sep=" "),
        made=made,
        test=link(code(first.test), "#cell-id=ranking"),
        claim=_rate_words(first),
    )
    return answer(text, tone="bad" if any(flake.cost.n_red for flake in flaky) else "warn")


def _nothing_flaky(history: History, flakiness: Flakiness, rest: Sequence[str]) -> Block:
    if history["rosters"].empty and history["tests"].empty:
        told = sentence("**Cannot be told: no log in this window names a test.**")
        if flakiness.jobs:
            n = plural(len(flakiness.jobs), "job")
            told = sentence("{told} {n} failed and passed on the same commit when run again.", told=told, n=n)
        return answer(told, tone="info")
    if not flakiness.sees_reruns:
        more = f" {', '.join(rest)}." if rest else ""
        return answer(sentence("**{why}**{rest}", why=_UNSEEN, rest=more), tone="info")
    text = sentence(
        "**No test is proved flaky.** None failed and passed on one commit {since}{rest}.",
        since="since" if flakiness.of(FIXED) else f"in {plural(flakiness.n_runs, 'run')}",
        rest=f"; {', '.join(rest)}" if rest else "",
    )
    return answer(text, tone="warn" if flakiness.of(SUSPECTED) else "good")


def _rate_words(flake: Flake) -> Inline:
    judged = flake.judged
    return sentence(
        "it failed {x} of the {n} that it ran, {rate}",
        x=judged.n_failed,
        n=plural(judged.n, "time"),
        rate=words.interval(judged.rate, low=judged.low, high=judged.high),
    )


def flaky_tiles(flakiness: Flakiness) -> Block:
    """Return the figures that tell most; minutes of machines, of waiting and of people stand apart."""
    if flakiness.n_runs == 0:
        return note(sentence("No figures without runs."))
    cost, flaky, n_maybe = flakiness.cost, flakiness.of(FLAKY), len(flakiness.of(MAYBE_FIXED))
    hidden = sum(flake.is_hidden for flake in flaky)
    remarks = [f"{n_maybe} more {MAYBE_FIXED}" if n_maybe else "", f"{hidden} hidden by retries" if hidden else ""]
    # Of an archive without re-runs a zero would be a guess; what a runner's retry proved is still told.
    is_told = flakiness.sees_reruns or bool(flakiness.of(FLAKY, MAYBE_FIXED, FIXED))
    share = len(flakiness.red_by_tests) / flakiness.n_red if flakiness.n_red and is_told else None
    measured = "measured" if flakiness.sees_reruns else "no re-runs here"
    machine, waiting = cost.machine_minutes, cost.waiting_minutes
    return tiles(
        [
            Tile(
                len(flaky) if is_told else words.MISSING,
                "flaky test" if len(flaky) == 1 else "flaky tests",
                ", ".join(filter(None, remarks)),
                "warn" if hidden else "calm",
            ),
            Tile(
                words.percent(share),
                "of the red runs had one in it",
                f"{len(flakiness.red_by_tests)} of {flakiness.n_red}, first attempts" if is_told else "",
            ),
            Tile(words.duration(60 * machine if flakiness.sees_reruns else None), "of machines, run again", measured),
            Tile(
                words.duration(60 * waiting if flakiness.sees_reruns else None),
                "waiting until green",
                f"{measured}, nights included" if flakiness.sees_reruns else measured,
            ),
            Tile(
                words.duration(60 * cost.people_minutes if is_told else None),
                "of people, looking into it",
                f"estimated: {flakiness.options.investigation_minutes:g} min a red run",
            ),
        ]
    )


def ranking_table(flakiness: Flakiness) -> Block:
    """Return one row a test that is flaky, maybe fixed or fixed: how often, how proved, and how long not since."""
    shown = flakiness.of(FLAKY, MAYBE_FIXED, FIXED)
    return table(
        _frame(shown, few=flakiness.options.min_runs),
        [
            Col("name", "test"),
            Col("status", kind="stacked"),
            Col("rate", "failed [95 %]", kind="stacked"),
            Col("flips", "flips", kind="percent"),
            Col("hit", "hit, and proved by", kind="stacked"),
            Col("last_at", "last failed", kind="day", link="url"),
        ],
        limit=30,
        more="more tests",
        none="No test is proved flaky in this window." if flakiness.sees_reruns else _UNSEEN,
    )


def _frame(flakes: Sequence[Flake], *, few: int) -> pd.DataFrame:
    rows = []
    for flake in flakes:
        judged = flake.judged
        proofs = ((judged.n_proved - judged.n_retried, "run again"), (judged.n_retried, "retried"))
        rows.append(
            {
                "name": _named(flake),
                "status": stacked(badge(flake.status, _TONES[flake.status]), _passes(flake)),
                "rate": _rate(judged.n_failed, judged.n, judged.low, judged.high, few=few),
                "flips": judged.flip_rate if judged.n >= few else None,
                "hit": stacked(
                    f"{plural(judged.n_commits_hit, 'commit')}, {plural(judged.n_branches_hit, 'branch', 'branches')}",
                    ", ".join(f"{n} {word}" for n, word in proofs if n) or "no proof",
                ),
                "last_at": judged.last_at,
                "url": flake.evidence[0].url if flake.evidence else "",
            }
        )
    return pd.DataFrame(rows)


def _named(flake: Flake) -> Inline:
    return stacked(code(flake.test), join([flake.suite, flake.job]))


def _rate(x: int, n: int, low: float, high: float, *, few: int) -> Inline:
    """Return a rate with what it rests on below it."""
    rate = words.too_few(n) if n < few else words.interval(x / n, low=low, high=high)
    return stacked(rate, f"{x:,} of {n:,}")


def _passes(flake: Flake) -> str:
    since, needed = flake.judged.passes_since, flake.judged.passes_needed
    if flake.status == FIXED:
        return f"{plural(since, 'pass', 'passes')} since"
    return f"{since:,} of {needed:,} passes needed"


def grid_figure(flakiness: Flakiness) -> Block:
    """Return how each test ended on each of the newest commits."""
    first, last = flakiness.commit_days or (None, None)
    return grid(
        [
            GridRow(
                code(flake.test),
                join([flake.suite, flake.job, flake.status]),
                [StripCell(cell.outcome, cell.title, cell.url) for cell in flake.cells],
            )
            for flake in flakiness.of(FLAKY, MAYBE_FIXED, SUSPECTED, FIXED)
        ],
        first=words.day(first),
        last=words.day(last),
        none="No test is flaky or suspected in this window.",
    )


def cost_table(flakiness: Flakiness, *, person_hour: float | None = None) -> Block:
    """Return what each test cost over the window and how running again went; `person_hour` is in US dollars."""
    rows = [
        {"name": _named(flake), **_cost_row(flake.cost, flake.odds, person_hour=person_hour)}
        for flake in flakiness.of(FLAKY, MAYBE_FIXED, FIXED)
        if flake.cost.n_red
    ]
    return table(
        pd.DataFrame(rows),
        [Col("name", "test"), *_cost_columns(person_hour)],
        limit=30,
        more="more tests",
        none="No flaky test made a run red in this window." if flakiness.sees_reruns else _UNSEEN,
    )


def _cost_columns(person_hour: float | None) -> list[Col]:
    return [
        Col("n_red", "red", kind="number"),
        Col("machine", "machines", kind="duration"),
        Col("waiting", "waiting", kind="duration"),
        Col("people", "people (estimated)", kind="duration"),
        *([Col("money", "people, USD (estimated)", kind="number")] if person_hour is not None else []),
        Col("odds", "run again: green [95 %]", kind="stacked"),
    ]


def _cost_row(cost: Cost, odds: Odds, *, person_hour: float | None) -> dict[str, object]:
    return {
        "n_red": cost.n_red,
        "machine": 60 * round(cost.machine_minutes),
        "waiting": 60 * round(cost.waiting_minutes),
        "people": 60 * round(cost.people_minutes),
        "money": None if person_hour is None else cost.people_minutes / 60 * person_hour,
        "odds": _odds(odds),
    }


def _odds(odds: Odds) -> Inline:
    if odds.n == 0:
        return Inline.of("never run again")
    rate = f"{odds.n_green} of {odds.n} [{100 * odds.low:.0f}, {100 * odds.high:.0f}] %"
    return stacked(rate, f"in {words.duration(60 * odds.minutes)}, median") if odds.n_green else Inline.of(rate)


def rerun_commands(flakiness: Flakiness, *, repo: str) -> Block:
    """Return the command for the newest run that each flaky test or restless job still holds red."""
    lines: dict[int, list[str]] = {}
    held: list[Flake | RestlessJob] = [*flakiness.of(*CALLED_FLAKY), *flakiness.jobs]
    for one in held:
        if one.open_run is not None:
            lines.setdefault(one.open_run, []).append(_asked(one))
    if not lines:
        return note(sentence("No run of the last {days:g} days waits for it.", days=flakiness.options.rerun_days))
    said = (
        "\n".join([*(f"# {name}" for name in names), rerun_command(repo, run)]) for run, names in sorted(lines.items())
    )
    return copyable("\n".join(said), caption=sentence("To run again what a flaky test or job still holds red:"))


def _asked(one: Flake | RestlessJob) -> str:
    name = one.test if isinstance(one, Flake) else one.job
    return f"{words.one_line(name)}: {one.odds.n_green} of {one.odds.n} went green before"


def cluster_list(flakiness: Flakiness) -> Block:
    """Return which tests fail in the same runs."""
    names = {flake.id: flake for flake in flakiness.tests}
    rows = [
        {
            "tests": join([code(names[member].test) for member in cluster.members], sep=", "),
            "shared": f"{len(cluster.shared)} of {cluster.n_runs}",
            "distance": cluster.distance,
        }
        for cluster in flakiness.clusters
    ]
    return table(
        pd.DataFrame(rows),
        [
            Col("tests", "fail together"),
            Col("shared", "runs shared"),
            Col("distance", "Jaccard distance", kind="number"),
        ],
        none="No two of them fail in the same runs more often than by chance: look for a cause in each.",
    )


def job_table(flakiness: Flakiness) -> Block:
    """Return jobs that failed and passed on the same commit, and whose log names no test."""
    rows = [
        {
            "name": stacked(code(job.job), job.workflow),
            "status": stacked(
                badge(job.status, _JOB_TONES[job.status]), plural(job.n_branches_hit, "branch", "branches")
            ),
            "rate": _rate(job.n_failed, job.n, job.low, job.high, few=flakiness.options.min_runs),
            "last_at": job.last_at,
            "url": job.evidence[0].url if job.evidence else "",
            "said": stacked(code(words.one_line(job.headline, width=90)), job.cause) if job.headline else "",
            "odds": _odds(job.odds),
        }
        for job in flakiness.jobs
    ]
    return table(
        pd.DataFrame(rows),
        [
            Col("name", "job"),
            Col("status", kind="stacked"),
            Col("rate", "failed [95 %]", kind="stacked"),
            Col("last_at", "last failed", kind="day", link="url"),
            Col("odds", "run again: green [95 %]", kind="stacked"),
            *([Col("said", "the log says")] if any(job.headline for job in flakiness.jobs) else []),
        ],
        more="more jobs",
        none="No job failed and passed on one commit without naming a test." if flakiness.sees_reruns else _UNSEEN,
    )


def suspected_table(flakiness: Flakiness) -> Block:
    """Return tests that nothing proves flaky, but that failed on many commits and branches while others passed."""
    left, shown_tests = flakiness.n_unproved, flakiness.of(SUSPECTED)
    rates = [flake.judged.rate if flake.judged.n else 0.0 for flake in shown_tests]
    others = note(
        sentence(
            "{n} failed without proof or pattern; whether they broke is the question of `failure_triage`.",
            n=plural(left, "more test"),
        )
    )
    shown = table(
        _frame(shown_tests, few=flakiness.options.min_runs).assign(reruns=[reruns_to_see(rate) for rate in rates]),
        [
            Col("name", "test"),
            Col("rate", "failed [95 %]", kind="stacked"),
            Col("hit", "hit", kind="stacked"),
            Col("reruns", "re-runs to see it", kind="number"),
            Col("last_at", "last failed", kind="day", link="url"),
        ],
        more="more tests",
        none="No test is suspected.",
    )
    return stack(shown, others) if left else shown


def quarantine_lists(flakiness: Flakiness) -> Block:
    """Return the flaky tests as lists to copy, each with its end."""
    lists = to_quarantine(flakiness)
    left = [code(flake.test) for flake in flakiness.of(MAYBE_FIXED)]
    waits = [note(sentence("Left out, since maybe fixed: {names}.", names=join(left, sep=", ")))] if left else []
    if lists.until is None or not flakiness.of(FLAKY):
        return stack(note(sentence("Nothing to put into quarantine.")), *waits)
    until = words.day(pd.Timestamp(lists.until, tz="UTC"))
    blocks = [
        copyable(text, caption=sentence(caption, until=until))
        for text, caption in (
            (lists.nextest, "cargo-nextest, until {until}; it refuses a filter with a binary that is gone:"),
            (lists.ignores, "Or in the source, until {until}, before the function that holds the line:"),
            (lists.pytest, "pytest, until {until}:"),
        )
        if text
    ]
    if lists.others:
        names = join([code(flake.test) for flake in lists.others], sep=", ")
        blocks.append(note(sentence("No list can name {names}.", names=names)))
    return stack(*blocks, *waits)


def flaky_actions(flakiness: Flakiness) -> Block:
    """Return what to do, ranked."""
    return findings(flakiness.findings, none="Nothing to do: nothing is proved flaky.")
