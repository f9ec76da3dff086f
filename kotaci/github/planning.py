"""What a fetch will cost, told before it: from counts that a few requests give, and from what is held already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil
from typing import Any

from kotaci.github.client import Client
from kotaci.github.fetch import WhichLogs, first_day, wanted
from kotaci.github.lists import fetch_repository
from kotaci.github.pace import POINTS_PER_MINUTE
from kotaci.github.reports import may_hold_report
from kotaci.github.slices import LOOK_BACK, SEARCH_CAP
from kotaci.model import Repo
from kotaci.store import Store

N_SAMPLED = 4
"""Newest runs whose jobs are looked at, to tell how many are red."""


@dataclass(frozen=True)
class Cost:
    """Requests for one kind of thing."""

    what: str
    n_requests: int


@dataclass(frozen=True)
class Plan:
    """What a fetch will ask for, about; what the plan itself asked for, and the hourly limit of this token."""

    repo: str
    costs: tuple[Cost, ...]
    n_asked: int
    limit: int | None
    remaining: int | None

    @property
    def n_requests(self) -> int:
        """All requests."""
        return sum(cost.n_requests for cost in self.costs)

    @property
    def least(self) -> timedelta:
        """The least time that it takes: by the points of a minute, and by the hours that the limit asks for."""
        by_points = timedelta(minutes=self.n_requests / POINTS_PER_MINUTE)
        by_limit = timedelta(hours=max(0, ceil(self.n_requests / self.limit) - 1) if self.limit else 0)
        return max(by_points, by_limit)


def plan_fetch(
    store: Store | None, repo: Repo, *, client: Client, since: str, logs: WhichLogs, has_clone: bool = False
) -> Plan:
    """Return what a fetch with the same words would cost. Sends up to nine requests; changes nothing.

    Raises what `fetch` raises for a repository, token or API that cannot be asked.
    """
    reply = fetch_repository(client, repo)
    name, now = str(reply.body["full_name"]), client.pace.server_now()
    first_on = max(first_day(since, now=now), date.fromisoformat(reply.body["created_at"][:10]))
    first = first_on.isoformat()
    page = client.get(f"/repos/{name}/actions/runs", parameters={"created": f">={first}", "per_page": 100})
    newest, n_runs = (page.body["workflow_runs"], page.body["total_count"]) if page.status == 200 else ([], 0)
    left = {} if store is None else wanted(store, name, logs=logs, since=first_on)
    held = set() if store is None else _held_runs(store, name, since=first)
    n_new = max(0, n_runs - len(held) - left.get("run", 0))
    n_runs_left = n_new + left.pop("run", 0)
    attempts = sum(int(run.get("run_attempt") or 1) for run in newest) / max(1, len(newest))
    n_red = round(n_runs_left * _red_jobs(client, name, newest))
    recent = (now - LOOK_BACK).date().isoformat()
    n_listed = n_runs if not held else sum(run["created_at"] >= max(first, recent) for run in newest)
    estimates = {
        "lists (nothing for those that are unchanged)": ceil(n_listed / 100) + ceil(n_listed / SEARCH_CAP) + 10,
        "runs with their jobs": n_runs_left,
        "attempts before the last": round(n_runs_left * (attempts - 1) * 2),
        "red jobs' annotations": n_red + left.pop("annotations", 0),
        "red jobs' logs": (n_red if logs != "none" else 0) + left.pop("log", 0),
        "reports in artifacts": _reports(client, name, first, n_new) + left.pop("report", 0),
        "commits and workflow files": (0 if has_clone else round(n_runs_left * 1.2) + left.pop("commit", 0))
        + left.pop("tree", 0),
        "green jobs' logs": (round(n_runs_left * attempts) if logs == "all" else 0) + left.pop("zip", 0),
    }
    costs = tuple(Cost(what, n) for what, n in estimates.items() if n)
    return Plan(name, costs, client.pace.n_counted, client.pace.limit, client.pace.remaining)


def _red_jobs(client: Client, repo: str, newest: Sequence[Mapping[str, Any]]) -> float:
    """Return how many jobs a run has that are neither green nor skipped, in the newest runs that have ended."""
    ended = [run for run in newest if run.get("status") == "completed"][:N_SAMPLED]
    replies = [
        client.get(f"/repos/{repo}/actions/runs/{run['id']}/jobs", parameters={"per_page": 100}) for run in ended
    ]
    jobs = [job for reply in replies if reply.status == 200 for job in reply.body["jobs"]]
    return sum(job["conclusion"] not in {None, "success", "skipped"} for job in jobs) / max(1, len(ended))


def _reports(client: Client, repo: str, since: str, n_runs: int) -> int:
    """Return how many artifacts of so many runs may hold a report, as the newest hundred tell."""
    reply = client.get(f"/repos/{repo}/actions/artifacts", parameters={"per_page": 100})
    artifacts = reply.body["artifacts"] if reply.status == 200 else []
    newest = [one for one in artifacts if one["created_at"] >= since and one.get("workflow_run")]
    n_of_runs = len({one["workflow_run"]["id"] for one in newest})
    return round(sum(map(may_hold_report, newest)) / n_of_runs * n_runs) if n_of_runs else 0


def _held_runs(store: Store, repo: str, *, since: str) -> set[str]:
    runs: Any = store.payloads(repo, "run")
    return {
        key.partition("/")[0] for key, source, run in runs if source == "api" and run.get("created_at", "") >= since
    }
