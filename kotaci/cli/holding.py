"""`kotaci store`: what is held, whether it is whole, and what may go."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table as TextTable

from kotaci.cli.terminal import err, out, store_option
from kotaci.model import BAD_OUTCOMES, BadInput, Outcome, Repo, Window, plural


@click.group("store", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@store_option
@click.pass_context
def store_group(context: click.Context, *, as_json: bool, store_path: Path) -> None:
    """Tell what is in the store; check it, prune it."""
    context.default_map = {name: {"store_path": store_path} for name in ("check", "prune")}
    if context.invoked_subcommand is None:
        told = _describe(store_path)
        if as_json:
            click.echo(json.dumps(told, indent=1, default=str))
        else:
            _print_store(told)


@store_group.command("check")
@click.option("--forget", is_flag=True, help="Forget what is lost or damaged, so that it can come back.")
@store_option
def check_command(*, forget: bool, store_path: Path) -> None:
    """Read everything back and say what is wrong."""
    from kotaci.store import open_store

    with open_store(store_path) as store:
        problems = store.check()
        for problem in problems:
            err.print(problem)
        if problems and forget:
            out.print(f"Forgot {store.forget_broken():,} damaged things; import or fetch them again.")
            problems = store.check()
    if problems:
        hint = "import anew what is named above" if forget else "run it with --forget, then import again"
        raise BadInput(store_path, f"is damaged in {len(problems)} places", hint)
    out.print(f"{store_path}: every payload and log reads back as it was stored.")


@store_group.command("prune")
@click.option("--before", help="A date, or a length such as 180d back from the newest run.")
@click.option("--max-size", help="500MB or 2GB: drop the oldest months until the store is no larger.")
@click.option("--repo", help="Only this repository.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@store_option
def prune_command(
    *, before: str | None, max_size: str | None, repo: str | None, dry_run: bool, store_path: Path
) -> None:
    """Drop the logs of whole months that end before a date, or to a size; the tables drawn from them stay."""
    from kotaci.facts import build_facts
    from kotaci.store import open_store

    if (before is None) == (max_size is None):
        raise click.UsageError("Give one of --before and --max-size")
    limit = None if max_size is None else n_bytes_of(max_size)
    name = str(Repo.parse(repo)) if repo else None
    with open_store(store_path) as store:
        build_facts(store)
        end = None if before is None else _moment(before, store_path)
        if limit is not None and dry_run:
            end = store.pruned_to(store.size() - limit, repo=name)
        if limit is not None and not dry_run:
            n_logs, n_bytes = store.prune_to(limit, repo=name)
        elif end is None:
            n_logs, n_bytes = 0, 0
        else:
            n_logs, n_bytes = (store.prunable if dry_run else store.prune)(before=end, repo=name)
        left = store.size()
    verb = "Would drop" if dry_run else "Dropped"
    months = f" of months before {end:%Y-%m}" if end else ""
    out.print(f"{verb} {n_logs:,} logs ({n_bytes / 1e6:,.1f} MB){months}.")
    if limit is not None and not dry_run and left > limit:
        raise BadInput(max_size, f"is less than the {size(left)} that are no logs of a month", "allow more")


def _moment(before: str, store_path: Path) -> datetime:
    until = _describe(store_path)["window"]["until"]
    window = Window.parse(since=before, as_of=until and datetime.fromisoformat(until))
    if window.since is None:
        raise BadInput(before, "is not a date", "write 2026-01-01, or 180d")
    return window.since


def n_bytes_of(text: str) -> int:
    """Return how many bytes a size as `500MB` or `1.5 GB` is."""
    told = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kMG])B", text.strip())
    if told is None:
        raise BadInput(text, "is not a size", "write it as 500MB or 2GB")
    return int(float(told[1]) * {"k": 1e3, "M": 1e6, "G": 1e9}[told[2]])


def _describe(store_path: Path) -> dict[str, Any]:
    from kotaci.facts import build_facts, read_history
    from kotaci.store import open_store

    with open_store(store_path) as store:
        build_facts(store)
        summary = store.summary()
        repos: dict[str, dict[str, Any]] = {}
        states = dict.fromkeys(summary["logs"], 0)
        for repo in store.repos():
            history = read_history(store, repo=repo)
            runs, jobs = history["runs"], history["jobs"]
            repos[repo] = {
                "since": None if runs.empty else runs["started_at"].min().isoformat(),
                "until": history.as_of.isoformat() if history.as_of else None,
                "runs": int(runs["run_id"].nunique()),
                "attempts": len(runs),
                "jobs": len(jobs),
                "failed_jobs": int(jobs["outcome"].isin(BAD_OUTCOMES).sum()),
                "cancelled_jobs": int((jobs["outcome"] == Outcome.CANCELLED).sum()),
                "wanted": {kind: n for kind, n in history.wanted.items() if kind in _TO_FETCH},
            }
            for state, n in jobs["log_state"].value_counts().items():
                states[state] = states.get(state, 0) + int(n)
    counts = ("runs", "attempts", "jobs", "failed_jobs", "cancelled_jobs")
    ends = [repo["until"] for repo in repos.values() if repo["until"]]
    starts = [repo["since"] for repo in repos.values() if repo["since"]]
    return {
        "store": str(store_path),
        "window": {"since": min(starts, default=None), "until": max(ends, default=None)},
        **{name: sum(int(repo[name] or 0) for repo in repos.values()) for name in counts},
        **summary,
        "logs": states,
        "repos": repos,
    }


def _print_store(told: dict[str, Any]) -> None:
    out.print(f"Store {told['store']}, {size(told['size'])} on disk")
    window = told["window"]
    if window["since"]:
        out.print(f"From {window['since'][:16]} to {window['until'][:16]} UTC")
    table = TextTable(show_edge=False, pad_edge=False, header_style="bold", box=None, padding=(0, 2))
    table.add_column("repository")
    for name in ("runs", "attempts", "jobs", "failed jobs", "cancelled jobs"):
        table.add_column(name, justify="right")
    for repo, held in told["repos"].items():
        numbers = (held[key] for key in ("runs", "attempts", "jobs", "failed_jobs", "cancelled_jobs"))
        table.add_row(repo, *(f"{number:,}" for number in numbers))
    out.print(table)
    for repo, held in told["repos"].items():
        if held["wanted"]:
            out.print(f"{repo} is incomplete. Still to fetch: {to_fetch(held['wanted'])}.")
    say_held(told)
    others = [plural(told["payloads"][kind], *named) for kind, named in _BESIDES.items() if kind in told["payloads"]]
    if others:
        out.print(f"Besides: {', '.join(others)}.")


_BESIDES = {
    "commit": ("commit",),
    "workflow_file": ("workflow file",),
    "annotations": ("job with annotations", "jobs with annotations"),
    "junit": ("JUnit file",),
    "recording": ("recording of kotaci watch", "recordings of kotaci watch"),
    "cargo_timings": ("report of cargo's timings", "reports of cargo's timings"),
    "benchmark_data": ("file of benchmarks", "files of benchmarks"),
    "report": ("other report",),
    "caches": ("snapshot of caches", "snapshots of caches"),
}
"""What a person may want to know of beside runs, jobs and logs, in words."""

_TO_FETCH = {
    "run": ("run",),
    "log": ("log",),
    "annotations": ("job's annotations", "jobs' annotations"),
    "report": ("report",),
    "commit": ("commit",),
    "tree": ("commit's workflow files", "commits' workflow files"),
    "zip": ("attempt's green logs", "attempts' green logs"),
}


def to_fetch(wanted: Mapping[str, int]) -> str:
    """Return what is still to be fetched in words."""
    return ", ".join(plural(n, *_TO_FETCH[kind]) for kind, n in wanted.items())


def size(n_bytes: float) -> str:
    """Return bytes in words: `120 kB`, `3.4 MB`."""
    return f"{n_bytes / 1e3:,.0f} kB" if n_bytes < 1e6 else f"{n_bytes / 1e6:,.1f} MB"


def say_held(summary: dict[str, Any]) -> None:
    logs = ", ".join(f"{n:,} {state.replace('_', ' ')}" for state, n in summary["logs"].items() if n) or "none"
    out.print(
        f"Logs held: {logs}; {size(summary['log_bytes'])} in {size(summary['stored_log_bytes'])}. "
        f"Secrets replaced: {summary['redacted']}."
    )
