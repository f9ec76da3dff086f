"""What `build_time` shows of runs, their jobs in time, and minutes."""

from __future__ import annotations

import pandas as pd

from kotaci.analysis.buildtime import TABLES, BuildTime
from kotaci.facts import History
from kotaci.model import Severity, plural, run_url, short_workflow
from kotaci.pages.opening import no_runs
from kotaci.report import charts, words
from kotaci.report.blocks import Block, Col, Tile, answer, findings, note, table, tiles
from kotaci.report.inline import Inline, code, join, link, sentence, stacked

__all__ = [
    "TABLES",
    "gantt_figure",
    "gantt_note",
    "lost_table",
    "time_actions",
    "time_answer",
    "time_table",
    "time_tiles",
]

FEWEST_FOR_INTERVAL = 5
"""Below this many runs an interval would be the range of a few."""

MONTH_DAYS = 30.0


def time_tiles(built: BuildTime) -> Block:
    """Return the four figures that tell most; none without jobs that cost minutes."""
    bill = built.bill
    if not bill.n:
        return note(sentence("No figures: no job of this window cost a minute."))
    first = built.workflows[built.workflows["path"] == built.usual.workflow].to_dict("records")
    lost = sum(part.minutes for part in built.lost.values())
    return tiles(
        [
            Tile(
                words.duration(first[0]["wall_s"]) if first else "–",
                sentence("median run of {flow}", flow=code(first[0]["workflow"])) if first else "no run passed",
                f"n = {first[0]['n_wall']:,}" if first else "",
            ),
            Tile(
                words.duration(first[0]["queue_s"]) if first else "–",
                "a job waits for its runner",
                f"n = {first[0]['n_queue']:,}; 95 % below {words.duration(first[0]['queue_p95_s'])}" if first else "",
            ),
            Tile(words.number(bill.minutes), "minutes of machines", _a_month(built)),
            Tile(
                words.percent(lost / bill.minutes),
                "of them run again, superseded or duplicate",
                words.minutes(lost),
                "warn" if lost > bill.minutes / 10 else "calm",
            ),
        ]
    )


def _a_month(built: BuildTime) -> str:
    """Return minutes and list price a month, as far as the window is long enough to tell."""
    if built.days < 1:
        return "window too short for a month"
    scale = MONTH_DAYS / built.days
    money = "" if built.bill.dollars is None else f", {scale * built.bill.dollars:,.2f} USD by list"
    return f"{words.number(round(scale * built.bill.minutes))} a month{money}"


def time_table(built: BuildTime) -> Block:
    """Return one row a workflow: how long its runs last, its jobs wait, and the minutes that it costs."""
    flows = built.workflows
    return table(
        flows.assign(
            wall=[_with_interval(row.wall_s, row.wall_low_s, row.wall_high_s, row.n_wall) for row in flows.itertuples()]
        ),
        [
            Col("workflow", kind="code", link="url"),
            Col("n_wall", "n", kind="number"),
            Col("wall", "wall, median [95 %]", kind="stacked"),
            Col("wall_p95_s", "p95", kind="duration"),
            Col("queue_s", "queue, median", kind="duration"),
            Col("queue_p95_s", "p95", kind="duration"),
            Col("n_jobs", "jobs", kind="number"),
            Col("minutes", kind="minutes"),
            Col("share", kind="percent"),
            Col("dollars", "USD", kind="number"),
        ],
        more="more workflows",
    )


def _with_interval(median: float, low: float, high: float, n: int) -> Inline:
    bounds = (
        f"[{words.duration(low)}, {words.duration(high)}]" if n >= FEWEST_FOR_INTERVAL else "too few for an interval"
    )
    return stacked(words.duration(median), bounds)


def gantt_figure(built: BuildTime) -> Block:
    """Return the jobs of the median run in time, with its critical path."""
    if built.usual.run.empty:
        return note(sentence("No run of this window passed: none is drawn."))
    run = built.usual.run.iloc[0]
    told = f"{', '.join(built.usual.keys)} decide it" if built.usual.keys else "what waited for what is not known"
    return charts.plot_gantt(
        built.gantt,
        title=f"The median run of {short_workflow(built.usual.workflow)} takes {words.duration(run['wall_s'])}; {told}",
    )


def gantt_note(built: BuildTime) -> Block:
    """Return which run is drawn, and on how many runs the critical path rests."""
    if built.usual.run.empty:
        return note(sentence("The critical path needs a run that passed."))
    run = built.usual.run.iloc[0]
    which = link(f"run {run['run_number']}", run_url(run["repo"], run["run_id"], run["attempt"]))
    unknown = built.network.left_out()
    told = [sentence("Drawn: {which}, {event}.", which=which, event=run["event"])]
    if built.usual.n:
        alike, all_of = f"{built.usual.n_alike:,}", plural(built.usual.n, "run")
        told.append(sentence("Its critical path is that of {alike} of {all_of}.", alike=alike, all_of=all_of))
    known, attempts = len(built.network.attempts) - sum(unknown.values()), len(built.network.attempts)
    told.append(sentence("What waits for what is known of {n} of {m} attempts.", n=known, m=attempts))
    if unknown:
        why = join([f"{n:,} × {reason}" for reason, n in unknown.items()], sep="; ")
        told.append(sentence("Not of the others: {why}.", why=why))
    return note(join(told, sep=" "))


LOST_WORDS = {
    "run again": "second and later attempts",
    "superseded": "a newer run of the same place was there before it ended",
    "duplicate on one commit": "the workflow had run on that commit",
}


def lost_table(built: BuildTime) -> Block:
    """Return the minutes that bought nothing new, by reason: an upper bound of what could be saved."""
    rows = [
        (reason, LOST_WORDS[reason], bill.n, bill.minutes, bill.dollars)
        for reason, bill in built.lost.items()
        if bill.minutes
    ]
    return table(
        pd.DataFrame(rows, columns=["reason", "meaning", "n", "minutes", "dollars"]),
        [
            Col("reason"),
            Col("meaning"),
            Col("n", "jobs", kind="number"),
            Col("minutes", kind="minutes"),
            Col("dollars", "USD", kind="number"),
        ],
        none="No run was run again, superseded or a duplicate.",
    )


def time_answer(history: History, built: BuildTime) -> Block:
    """Return the answer in a paragraph: how long a run takes, what decides it, and what would give most back."""
    if history["runs"].empty:
        return no_runs(history)
    if not built.bill.n:
        return answer(sentence("**Cannot be told: no job of these runs cost a minute.**"), tone="info")
    flows = built.workflows[built.workflows["path"] == built.usual.workflow].to_dict("records")
    if not flows:
        return answer(sentence("**No run passed in this window**, so none tells how long one takes."), tone="warn")
    first = flows[0]
    text = sentence(
        "**A run of {flow} takes {wall}**, and the window {minutes} of machines{by}.",
        flow=code(first["workflow"]),
        wall=words.duration(first["wall_s"]),
        minutes=words.minutes(built.bill.minutes),
        by=sentence("; {path} decide how long", path=join([code(key) for key in built.usual.keys], sep=", "))
        if built.usual.keys
        else "",
    )
    urgent = [finding for finding in built.findings if finding.severity >= Severity.MEDIUM]
    if not urgent:
        return answer(sentence("{text} Nothing that can be told would give much back.", text=text), tone="good")
    text = sentence("{text} {subject}: {claim}.", text=text, subject=code(urgent[0].subject), claim=urgent[0].claim)
    if len(urgent) > 1:
        text = sentence("{text} {more} below.", text=text, more=plural(len(urgent) - 1, "more finding"))
    return answer(text, tone="bad" if urgent[0].severity >= Severity.HIGH else "warn")


def time_actions(built: BuildTime) -> Block:
    """Return what to do, ranked."""
    return findings(built.findings, none="Nothing to do: no threshold was passed.")
