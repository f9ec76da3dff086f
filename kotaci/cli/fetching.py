"""`kotaci fetch`: the store from GitHub."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table as TextTable

from kotaci.cli.asking import POINTS, open_client
from kotaci.cli.holding import say_held, to_fetch
from kotaci.cli.terminal import complain, out, progress, store_option
from kotaci.model import BadInput, ExitCode, Repo

if TYPE_CHECKING:  # PyGithub takes half a second to import
    from kotaci.github import Client, Fetched, Plan, Progress, WhichLogs


@click.command("fetch")
@click.argument("repo")
@click.option("--since", default="90d", show_default=True, help="A date, a length back, or `all`: no older runs.")
@click.option(
    "--logs", type=click.Choice(["all", "failed", "none"]), default="all", show_default=True, help="Whose logs."
)
@click.option("--git", "clone", type=click.Path(path_type=Path), help="A clone: commits cost no request then.")
@click.option("--max-requests", type=click.IntRange(1), help="Stop after so many requests; run again to go on.")
@click.option("--wait", "waits", is_flag=True, help="Wait for GitHub's hourly limit to reset rather than stop.")
@click.option(
    "--api-url",
    show_default="that of REPO's host, else GITHUB_API_URL, else https://api.github.com",
    help="GitHub Enterprise: https://HOST/api/v3",
)
@click.option(
    "--points",
    default=POINTS,
    show_default=True,
    type=click.IntRange(0),
    help="Requests a minute that the server allows; 0 for an Enterprise server without that limit.",
)
@click.option("--plan", "only_plans", is_flag=True, help="Only say what it would cost.")
@store_option
def fetch_command(
    *,
    repo: str,
    since: str,
    logs: WhichLogs,
    clone: Path | None,
    max_requests: int | None,
    waits: bool,
    api_url: str | None,
    points: int,
    only_plans: bool,
    store_path: Path,
) -> None:
    """Fill the store from GitHub: runs, attempts, jobs, logs, artifacts, caches.

    REPO is owner/name, or HOST/owner/name on GitHub Enterprise. The token comes from GITHUB_TOKEN, GH_TOKEN or
    `gh auth login`. What is held is not asked for again; a fetch that was stopped goes on where it was.
    """
    from kotaci.archives.git import read_clone
    from kotaci.github import fetch, fetch_repository, first_day, plan_fetch
    from kotaci.store import open_store

    name = Repo.parse(repo)
    first_day(since, now=datetime.now(UTC))
    client = open_client(
        name, api_url=api_url, max_requests=max_requests, waits_for_reset=waits, points_per_minute=points or None
    )
    commits = list(read_clone(clone)) if clone else []
    remote = next((payload.body["remote"] for payload in commits if payload.kind == "head"), "")
    if remote and Repo.parse(remote).name.lower() != name.name.lower():
        raise BadInput(clone, f"is a clone of {remote}", f"name a clone of {name}")
    if only_plans:
        held = open_store(store_path) if (store_path / "index.sqlite").is_file() else None
        _print_plan(plan_fetch(held, name, client=client, since=since, logs=logs, has_clone=bool(clone)))
        return
    if not (store_path / "index.sqlite").is_file():
        # A wrong word leaves no empty store behind.
        fetch_repository(client, name)
    with open_store(store_path, create=True) as store, progress("fetching", every_s=5.0) as tell:

        def on_progress(now: Progress) -> None:
            minutes = now.n_left / max(1.0, min(15.0, now.n_requests / max(1.0, now.seconds))) / 60
            left = f", about {minutes:.0f} min left" if minutes >= 1 else ""
            tell(f"{now.what}, {now.n_requests:,} requests{left}", now.n_done, now.n_done + now.n_left or None)

        done = fetch(
            store,
            name,
            client=client,
            since=since,
            logs=logs,
            commits=commits,
            on_progress=on_progress,
        )
        summary = store.summary()
    say_held(summary)
    _print_done(done, client, store_path)
    if done.is_refused:
        raise SystemExit(ExitCode.REFUSED)
    if not done.is_complete:
        raise SystemExit(ExitCode.INCOMPLETE)


def _print_done(done: Fetched, client: Client, store_path: Path) -> None:
    what = f"stored {done.n_changed:,} new things in {store_path}" if done.n_changed else "nothing new"
    pace = client.pace
    limit = f", {pace.remaining:,} of {pace.limit:,} are left this hour" if pace.remaining is not None else ""
    out.print(f"{done.repo}: {what}; {done.n_requests:,} requests{limit}.")
    if done.n_redacted:
        out.print(f"Replaced {done.n_redacted} secrets on the way in.")
    for told in (*done.notes, done.stopped):
        if told is not None:
            complain(told)
    if done.left:
        out.print(f"Still to fetch: {to_fetch(done.left)}.")


def _print_plan(plan: Plan) -> None:
    table = TextTable(show_edge=False, pad_edge=False, header_style="bold", box=None, padding=(0, 2))
    table.add_column("what")
    table.add_column("requests, about", justify="right")
    for cost in plan.costs:
        table.add_row(cost.what, f"{cost.n_requests:,}")
    out.print(table)
    minutes = plan.least.total_seconds() / 60
    least = f"{max(1, minutes):,.0f} min" if minutes < 120 else f"{minutes / 60:,.0f} h"
    told = f" This token has {plan.remaining:,} of {plan.limit:,} left this hour." if plan.limit else ""
    out.print(f"About {plan.n_requests:,} requests for {plan.repo}, {least} or more.{told}")
    out.print(f"Estimated from the newest runs, with {plan.n_asked} requests; --max-requests sets a budget.")
