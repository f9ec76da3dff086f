"""`kotaci claim`: did it get as much faster, or as much more reliable, as somebody says?"""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kotaci.cli.configuring import config_here, config_option
from kotaci.cli.terminal import out, progress, store_option
from kotaci.model import BadInput, ExitCode, Window, commit_url, plural
from kotaci.places import ENVIRONMENT, default_repo

if TYPE_CHECKING:
    from kotaci.analysis.claims import Claim
    from kotaci.analysis.sides import Scope, Sides
    from kotaci.facts import History

DURATION, FAILURE_RATE = "duration", "failure-rate"
_CHANGE = re.compile(r"([+-])(\d{1,4}(?:\.\d+)?)\s*%?")


@click.command("claim", context_settings={"ignore_unknown_options": True})
@click.argument("change")
@click.option("--at", required=True, metavar="COMMIT", help="The commit that is said to have done it.")
@click.option("--workflow", required=True, help="Its file (ci.yml), path or name.")
@click.option("--job", default="", help="A job, with all its legs, or one leg; without it whole runs.")
@click.option("--step", default="", help="A step, by its name.")
@click.option(
    "--metric", type=click.Choice([DURATION, FAILURE_RATE]), default=DURATION, show_default=True, help="Of what."
)
@click.option("--days", default=14, show_default=True, type=click.IntRange(1, 400), help="Looked at on each side.")
@click.option("--since", default="", help="Begin of the side before: a date, or a length.  [default: --days]")
@click.option("--until", default="", help="End of the side after: a date, included.  [default: --days]")
@click.option("--repo", default="", help="owner/name; without it the only one in the store.")
@click.option("--sample", "is_sample", is_flag=True, help="The bundled sample instead of the store.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@config_option
@store_option
def claim_command(
    *,
    change: str,
    at: str,
    workflow: str,
    job: str,
    step: str,
    metric: str,
    days: int,
    since: str,
    until: str,
    repo: str,
    is_sample: bool,
    as_json: bool,
    config_path: str,
    store_path: Path,
) -> None:
    """Judge a claim such as "-30%": confirmed, contradicted, or cannot be told.

    CHANGE is what is said to have become of the duration or the failure rate at COMMIT. First attempts of the base
    branch, and of pull requests to it, are compared: those before the commit with those since, one value a run. Of
    durations only what passed counts. The exit code is 1 where the claim is contradicted.
    """
    from kotaci.analysis.claims import Answer, judge_claim, judge_rate_claim
    from kotaci.analysis.sides import AFTER, BEFORE, Scope, find_sides

    claimed_ratio = _claimed_ratio(change)
    scope = Scope(workflow, job, step)
    history = held_history(store_path, repo or default_repo(ENVIRONMENT), config_path, is_sample=is_sample)
    window = Window.parse(since=since, until=until, as_of=history.as_of)
    sides = find_sides(
        history.tables, at=at, scope=scope, default_branch=history.default_branch, days=days, window=window
    )
    if metric == DURATION:
        claim = judge_claim(sides.durations(BEFORE), sides.durations(AFTER), claimed_ratio=claimed_ratio)
    else:
        claim = judge_rate_claim(*sides.counts(BEFORE), *sides.counts(AFTER), claimed_ratio=claimed_ratio)
    if as_json:
        click.echo(json.dumps(_to_json(claim, sides, scope, metric, history.repo), indent=1))
    else:
        _print(claim, sides, scope, metric, history.default_branch)
    if claim.answer == Answer.CONTRADICTED:
        raise SystemExit(ExitCode.BAD_FINDING)


def _claimed_ratio(change: str) -> float:
    words = _CHANGE.fullmatch(change.strip())
    ratio = 1 + float(f"{words[1]}{words[2]}") / 100 if words else math.nan
    if not ratio > 0 or ratio == 1:
        raise BadInput(change, "is not a change", "write it as -30% or +10%, with its sign, above -100%")
    return ratio


def held_history(store_path: Path, repo: str, config_path: str, *, is_sample: bool) -> History:
    """Return all that is held of the repository, with the base branch that the configuration tells."""
    from kotaci.analysis.sides import TABLES
    from kotaci.config import Config
    from kotaci.facts import build_facts, read_history
    from kotaci.sample import SAMPLE, open_sample
    from kotaci.store import open_store

    is_sample = is_sample or str(store_path) == SAMPLE
    config = Config() if is_sample else config_here(store_path=store_path, repo=repo, config_path=config_path)
    with open_sample() if is_sample else open_store(store_path) as store:
        with progress("tables") as tell:
            build_facts(store, on_progress=tell)
        history = read_history(store, repo="" if is_sample else repo, since="all", tables=TABLES)
    return replace(history, default_branch=config.base_branch) if config.base_branch else history


def _print(claim: Claim, sides: Sides, scope: Scope, metric: str, base: str) -> None:
    from kotaci.analysis.sides import AFTER, BEFORE

    what = "duration" if metric == DURATION else "failure rate"
    out.print(f"Claim: {_percent(claim.claimed_ratio)} {what} of {scope} at {sides.commit_sha[:10]} ({sides.subject})")
    out.print(f"Answer: {_answer(claim)}")
    for side, n, value in ((BEFORE, claim.n_before, claim.before), (AFTER, claim.n_after, claim.after)):
        events = sides.runs.loc[sides.runs["side"] == side, "event"].value_counts()
        told = ", ".join(f"{count} of {event}" for event, count in sorted(events.items()))
        out.print(
            f"{side.capitalize()}: {plural(n, 'run')}, {_value(value, metric)}" + (f" (held: {told})" if told else "")
        )
    out.print(
        f"Compared: first attempts of {base} and of pull requests to it, {_day(sides.window.since)} to "
        f"{_day(sides.window.until)}, the commit first ran {_day(sides.moment)}; one value a run"
        + (", the median of its legs that passed" if metric == DURATION else ", failed where any leg did")
    )
    if sides.differs is None:
        out.print("Differs besides: what they ran on is not known on both sides")
    else:
        out.print(f"Differs besides: {'; '.join(sides.differs) or 'no image, tool or action that is known'}")


def _answer(claim: Claim) -> str:
    """Return the answer in a sentence."""
    from kotaci.analysis.claims import Answer

    if math.isnan(claim.low):
        if claim.n_before and claim.n_after and claim.runs_needed is None and claim.before == 0:
            return "cannot be told: nothing failed before"
        needed = f"; {plural(claim.runs_needed, 'run')} after it could" if claim.runs_needed else ""
        return f"cannot be told: too few runs for an interval of 95 %{needed}"
    measured = f"measured {_percent(claim.ratio)}, 95 % interval {_percent(claim.low)} to {_percent(claim.high)}"
    if claim.answer != Answer.UNTOLD:
        return f"{claim.answer}: {measured}"
    if claim.detectable is None:
        return f"cannot be told, whatever the change: {measured}"
    return f"cannot be told below {claim.detectable:.0%}: {measured}"


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.0f} %"


def _value(value: float, metric: str) -> str:
    if math.isnan(value):
        return "nothing measured"
    return f"median {value:.0f} s" if metric == DURATION else f"{value:.0%} failed"


def _day(moment: Any) -> str:
    return f"{moment:%Y-%m-%d}"


def _to_json(claim: Claim, sides: Sides, scope: Scope, metric: str, repo: str) -> dict[str, Any]:
    numbers = ("claimed_ratio", "ratio", "low", "high", "before", "after", "detectable")
    told = {name: getattr(claim, name) for name in numbers}
    return {
        "answer": str(claim.answer),
        "said": _answer(claim),
        "metric": metric,
        "unit": "s" if metric == DURATION else "rate",
        **{name: None if value is None or math.isnan(value) else value for name, value in told.items()},
        "n_before": claim.n_before,
        "n_after": claim.n_after,
        "runs_needed": claim.runs_needed,
        "workflow": scope.workflow,
        "job": scope.job,
        "step": scope.step,
        "commit": sides.commit_sha,
        "commit_url": commit_url(repo, sides.commit_sha),
        "moment": sides.moment.isoformat(),
        "since": sides.window.since.isoformat() if sides.window.since else None,
        "until": sides.window.until.isoformat() if sides.window.until else None,
        "run_ids": {side: [int(one) for one in mine["run_id"]] for side, mine in sides.runs.groupby("side")},
        "differs": None if sides.differs is None else list(sides.differs),
    }
