"""What `ci_health` shows."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kotaci.analysis.health import GREEN_COLUMNS, Health, rate_jobs
from kotaci.analysis.metrics import TABLES as METRIC_TABLES
from kotaci.analysis.statistics import FEWEST_FOR_INTERVAL, wilson
from kotaci.config import Landmark, Owners
from kotaci.facts import History
from kotaci.model import BAD_OUTCOMES, Severity, job_url, plural, short_workflow
from kotaci.pages.opening import no_runs, to_marks
from kotaci.report import charts, words
from kotaci.report.blocks import Block, Col, Tile, answer, findings, note, table, tiles
from kotaci.report.inline import code, sentence

TABLES = METRIC_TABLES
"""The tables that the notebook reads."""


def health_answer(history: History, health: Health) -> Block:
    """Return the answer in a paragraph: how many runs failed, and what weighs most."""
    if history["runs"].empty:
        return no_runs(history)
    urgent = [finding for finding in health.findings if finding.severity >= Severity.MEDIUM]
    rate = (
        sentence("**{x} of {n} runs failed**", x=health.n_failed, n=health.n_decided)
        if health.n_decided
        else sentence("**No run passed or failed**")
    )
    if not urgent:
        if health.n_decided < health.options.min_runs:
            return answer(sentence("{rate}; too few to tell more.", rate=rate), tone="info")
        calm = "nothing else stands out" if health.n_failed else "nothing stands out"
        return answer(sentence("{rate}, and {calm}.", rate=rate, calm=calm), tone="warn" if health.n_failed else "good")
    first, rest = urgent[0], urgent[1:]
    text = sentence("{rate}. {subject} {claim}.", rate=rate, subject=code(first.subject), claim=first.claim)
    if rest:
        text = sentence(
            "{text} {more} below{example}.",
            text=text,
            more=plural(len(rest), "more finding"),
            example=sentence(", next {subject}: {verdict}", subject=code(rest[0].subject), verdict=rest[0].verdict),
        )
    return answer(text, tone="bad" if first.severity >= Severity.HIGH else "warn")


def health_tiles(health: Health) -> Block:
    """Return the four figures that tell most; none without runs."""
    if health.n_runs == 0:
        return note(sentence("No figures without runs."))
    flows, runs = health.workflows, health.n_decided
    green = health.greens["to_green_s"].dropna()
    slowest = flows.loc[flows["n_wall"] > 0].sort_values("wall_s", ascending=False).head(1).to_dict("records")
    still_red = int(flows["n_still_red"].sum())
    low, high = wilson(health.n_failed, health.n_decided)
    return tiles(
        [
            Tile(
                words.percent(health.n_failed / runs) if runs else "–",
                sentence("of {n} runs failed [{low:.0f}, {high:.0f}]", n=runs, low=100 * low, high=100 * high),
                "first attempts",
                "bad" if low > health.options.high_failure_rate else "calm",
            ),
            Tile(
                words.duration(green.median()) if len(green) else "–",
                f"median time to green, n = {len(green)}",
                f"{plural(still_red, 'workflow')} red now" if still_red else "none red now",
                "bad" if still_red else "good",
            ),
            Tile(
                words.duration(slowest[0]["wall_s"]) if slowest else "–",
                sentence("median of {flow}, the longest", flow=slowest[0]["workflow"]) if slowest else "no run passed",
                f"n = {slowest[0]['n_wall']}" if slowest else "",
            ),
            Tile(health.n_reruns, "re-runs", f"{health.rerun_minutes:,.0f} minutes of wall time"),
        ]
    )


def outcomes_figure(health: Health, *, dates: Sequence[Landmark] = ()) -> Block:
    """Return runs by period and outcome; `dates` are marked in it, as in all charts over time."""
    return charts.plot_outcomes(
        health.outcomes,
        period=health.period,
        marks=to_marks(dates),
        title=f"{health.n_failed} of {health.n_decided} runs failed",
    )


def rates_figure(health: Health, *, dates: Sequence[Landmark] = ()) -> Block:
    """Return the failure rate of the busiest workflows by period."""
    shown = list(dict.fromkeys(health.rates["series"]))
    trends = dict(zip(health.workflows["workflow"], health.workflows["trend"], strict=True))
    verbs = {"worse": "got worse", "better": "got better"}
    said = [f"{name} {verbs.get(trends[name], 'shows no change that can be told')}" for name in shown]
    return charts.plot_rate(health.rates, period=health.period, marks=to_marks(dates), title="; ".join(said))


def durations_figure(health: Health, *, dates: Sequence[Landmark] = ()) -> Block:
    """Return wall and queue time by period, over all workflows."""
    return charts.plot_durations(
        health.durations, period=health.period, marks=to_marks(dates), title="How long runs last and jobs wait"
    )


NO_OWNERS = Owners()


def workflow_table(health: Health, *, owners: Owners = NO_OWNERS) -> Block:
    """Return one row a workflow: failures, trend, time to green, and its owner where any is told."""
    flows = health.workflows
    return table(
        flows.assign(
            green=_medians(flows, *GREEN_COLUMNS, n="n_green"),
            owner=[owners.of(path) or words.MISSING for path in flows["path"]],
        ),
        [
            Col("workflow", kind="code", link="url"),
            *([Col("owner")] if owners.workflows else []),
            Col("n", "runs", kind="number"),
            Col("n_failed", "failed", kind="number"),
            Col("failure_rate", "rate [95 %]", kind="interval", n="n", few=health.options.min_runs),
            Col("trend", kind="badge", tones={"worse": "bad", "better": "good"}),
            Col("green", "time to green [95 %]"),
            Col("n_green", "n", kind="number"),
            Col("n_still_red", "red now", kind="number"),
        ],
        more="more workflows",
    )


def duration_table(health: Health) -> Block:
    """Return one row a workflow: how long its runs last and its jobs wait."""
    flows = health.workflows
    return table(
        flows.assign(wall=_medians(flows, "wall_s", "wall_low_s", "wall_high_s", n="n_wall")),
        [
            Col("workflow", kind="code", link="url"),
            Col("wall", "wall, median [95 %]"),
            Col("wall_p95_s", "p95", kind="duration"),
            Col("n_wall", "n", kind="number"),
            Col("queue_s", "queue, median", kind="duration"),
            Col("queue_p95_s", "p95", kind="duration"),
            Col("n_queue", "n", kind="number"),
        ],
        more="more workflows",
    )


def _medians(flows: pd.DataFrame, *names: str, n: str) -> list[str]:
    """Return `9 m 22 s [9 m, 10 m]` for each row; without an interval where it would be the range of a few."""
    rows = zip(flows[n], *(flows[name] for name in names), strict=True)
    return [
        words.duration(median)
        + (f" [{words.duration(low)}, {words.duration(high)}]" if count >= FEWEST_FOR_INTERVAL else "")
        for count, median, low, high in rows
    ]


def job_table(health: Health, jobs: pd.DataFrame) -> Block:
    """Return the jobs with the highest failure rate, each linked to its newest failure."""
    shown = health.jobs[health.jobs["n_failed"] > 0]
    bad = jobs[jobs["outcome"].isin(BAD_OUTCOMES)].sort_values("started_at")
    urls = {
        (short_workflow(row["workflow"]), row["job"]): job_url(row["repo"], row["run_id"], row["job_id"])
        for row in bad.to_dict("records")
    }
    keys = zip(shown["workflow"], shown["job"], strict=True)
    return table(
        shown.assign(url=[urls.get(key, "") for key in keys]),
        [
            Col("job", kind="code", link="url"),
            Col("workflow"),
            Col("n", "runs", kind="number"),
            Col("n_failed", "failed", kind="number"),
            Col("failure_rate", "rate [95 %]", kind="interval", n="n", few=health.options.min_runs),
            Col("n_masked", "unseen", kind="number"),
            Col("wall_s", "wall", kind="duration"),
            Col("wall_p95_s", "p95", kind="duration"),
            Col("minutes", kind="minutes"),
        ],
        limit=15,
        more="more jobs",
        none="No job failed in this window.",
    )


def rerun_table(health: Health) -> Block:
    """Return re-runs and cancelled runs of each workflow."""
    flows = health.workflows
    return table(
        flows[(flows["n_reruns"] > 0) | (flows["n_cancelled"] > 0)],
        [
            Col("workflow", kind="code", link="url"),
            Col("n_runs", "runs", kind="number"),
            Col("n_reruns", "run again", kind="number"),
            Col("n_cancelled", "cancelled", kind="number"),
            Col("n_superseded", "superseded", kind="number"),
        ],
        none="Nothing was run again and nothing was cancelled.",
    )


def cancelled_table(health: Health) -> Block:
    """Return what cancelled runs cost, by reason."""
    return table(
        health.cancelled,
        [
            Col("workflow", kind="code"),
            Col("why", "why"),
            Col("n", "runs", kind="number"),
            Col("minutes", kind="minutes"),
        ],
        none="No run was cancelled.",
    )


def silence_table(health: Health) -> Block:
    """Return when each workflow last ran, over all that is stored, the longest silent first."""
    tones = {"silent": "bad", "as usual": "good"}
    return table(
        health.silence,
        [
            Col("workflow", kind="code", link="url"),
            Col("state", kind="badge", tones=tones),
            Col("last_at", "last run", kind="time", link="run_url"),
            Col("silent_s", "since then", kind="duration"),
            Col("longest_gap_s", "longest gap before", kind="duration"),
            Col("n_runs", "runs", kind="number"),
            Col("events"),
        ],
        more="more workflows",
    )


def heat_figure(health: Health, jobs: pd.DataFrame, *, dates: Sequence[Landmark] = (), n_jobs: int = 12) -> Block:
    """Return the failure rate of the jobs that failed most, by period."""
    worst = health.jobs[health.jobs["n_failed"] > 0].head(n_jobs)
    cells = rate_jobs(jobs, worst, period=health.period)
    return charts.plot_heat(
        cells,
        period=health.period,
        marks=to_marks(dates),
        title="When each job failed",
        none="No job failed in this window.",
    )


def health_actions(health: Health) -> Block:
    """Return what to do, ranked."""
    return findings(health.findings, none="Nothing to do: no threshold was passed.")
