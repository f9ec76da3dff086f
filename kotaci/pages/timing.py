"""What `build_time` shows of runs, their jobs in time, and minutes."""

from __future__ import annotations

import pandas as pd

from kotaci.analysis.buildtime import BuildTime
from kotaci.facts import History
from kotaci.model import run_url, short_workflow
from kotaci.pages.opening import no_runs
from kotaci.report import charts, words
from kotaci.report.blocks import Block, Col, Tile, answer, note, table, tiles
from kotaci.report.inline import Inline, code, join, link, sentence

FEWEST_FOR_INTERVAL = 5
"""Below this many runs an interval would be the range of a few."""

MONTH_DAYS = 30.0


def time_tiles(built: BuildTime) -> Block:
    """Return the four figures that tell most; none without jobs that cost minutes."""
    bill = built.bill
    if not bill.n:
        return note(sentence("No figures: no job of this window cost a minute."))
    first = built.workflows[built.workflows["path"] == built.drawn].to_dict("records")
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
            Col("wall", "wall, median [95 %]"),
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


def _with_interval(median: float, low: float, high: float, n: int) -> str:
    bounds = f" [{words.duration(low)}, {words.duration(high)}]" if n >= FEWEST_FOR_INTERVAL else ""
    return words.duration(median) + bounds


def gantt_figure(built: BuildTime) -> Block:
    """Return the jobs of the median run in time, with its critical path."""
    if built.median_run.empty:
        return note(sentence("No run of this window passed: none is drawn."))
    run = built.median_run.iloc[0]
    path = list(built.gantt.loc[built.gantt["is_critical"], "job"])
    told = f"{', '.join(path)} decide it" if path else "what waited for what is not known"
    return charts.plot_gantt(
        built.gantt,
        title=f"The median run of {short_workflow(built.drawn)} takes {words.duration(run['wall_s'])}; {told}",
    )


def gantt_note(built: BuildTime) -> Block:
    """Return which run is drawn, and on how many runs the critical path rests."""
    if built.median_run.empty:
        return note(sentence("The critical path needs a run that passed."))
    run = built.median_run.iloc[0]
    which = link(f"run {run['run_number']}", run_url(run["repo"], run["run_id"], run["attempt"]))
    unknown = built.network.left_out()
    known = len(built.network.attempts) - sum(unknown.values())
    why: Inline | str = ""
    if unknown:
        why = sentence(
            " Not known for the others: {why}.", why=join([f"{n:,} × {reason}" for reason, n in unknown.items()])
        )
    return note(
        sentence(
            "Drawn: {which}, {event}. What each job waits for is known for {known} of {all} attempts.{why}",
            which=which,
            event=run["event"],
            known=known,
            all=len(built.network.attempts),
            why=why,
        )
    )


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


def no_time(history: History) -> Block | None:
    """Return the answer where there is nothing to measure, else None."""
    if history["runs"].empty:
        return no_runs(history)
    if history["jobs"].empty:
        return answer(sentence("**Cannot be told: no job of these runs is known.**"), tone="info")
    return None
