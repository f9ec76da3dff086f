"""What a fetch will cost, told before it: from counts that a few requests give, and from what is held already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil
from typing import Any

from kotaci.github.client import Client
from kotaci.github.errands import ERRANDS
from kotaci.github.fetch import WhichLogs, first_day, wanted
from kotaci.github.lists import fetch_repository
from kotaci.github.pace import POINTS_PER_MINUTE
from kotaci.github.reports import may_hold_report
from kotaci.github.slices import LOOK_BACK, SEARCH_CAP
from kotaci.model import Repo
from kotaci.store import Store

RED_JOBS_PER_RUN = 1.5
"""Not-green jobs of a run that is not green, where the store holds none to tell: an assumption, and said to be one."""


@dataclass(frozen=True)
class Cost:
    """Requests of one kind, and where the number is from: counted by GitHub, held in the store, or estimated."""

    what: str
    n_requests: int
    basis: str


@dataclass(frozen=True)
class Plan:
    """What a fetch will ask for, and the hourly limit of this token."""

    repo: str
    costs: tuple[Cost, ...]
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


def plan_fetch(store: Store | None, repo: Repo, *, client: Client, since: str, logs: WhichLogs) -> Plan:
    """Return what a fetch with the same words would cost. Sends five or six requests; changes nothing.

    Raises what `fetch` raises for a repository, token or API that cannot be asked.
    """
    reply = fetch_repository(client, repo)
    name, now = str(reply.body["full_name"]), client.pace.server_now()
    first_on = max(first_day(since, now=now), date.fromisoformat(reply.body["created_at"][:10]))
    first = first_on.isoformat()
    n_runs = _count(client, name, {"created": f">={first}"})
    n_bad = sum(_count(client, name, {"created": f">={first}", "status": word}) for word in ("failure", "cancelled"))
    held = set() if store is None else _held_runs(store, name, since=first)
    n_new = max(0, n_runs - len(held))
    share = n_new / n_runs if n_runs else 0.0
    left = {} if store is None else wanted(store, name, logs=logs, since=first_on)
    recent = (now - LOOK_BACK).date().isoformat()
    n_listed = n_runs if not held else _count(client, name, {"created": f">={max(first, recent)}"})
    n_red = round(n_bad * share * RED_JOBS_PER_RUN)
    estimates = [
        Cost("lists", ceil(n_listed / 100) + ceil(n_listed / SEARCH_CAP) + 10, "counted by GitHub"),
        Cost("jobs of runs", n_new, "counted by GitHub"),
        Cost("annotations", n_red, "estimated"),
        Cost("commits and workflow files", round(n_new * 1.2), "estimated; none with --git"),
        Cost("reports in artifacts", _reports(client, name, share), "estimated from the newest 100 artifacts"),
        *([Cost("logs of red jobs", n_red, "estimated")] if logs != "none" else []),
        *([Cost("logs of green jobs", n_new, "estimated: one an attempt")] if logs == "all" else []),
    ]
    waiting = [Cost(f"{ERRANDS[kind].name}, begun", n, "in the store's to-do list") for kind, n in left.items()]
    costs = tuple(cost for cost in (*estimates, *waiting) if cost.n_requests)
    return Plan(name, costs, client.pace.limit, client.pace.remaining)


def _count(client: Client, repo: str, search: Mapping[str, object]) -> int:
    reply = client.get(f"/repos/{repo}/actions/runs", parameters={**search, "per_page": 1})
    return int(reply.body["total_count"]) if reply.status == 200 else 0


def _reports(client: Client, repo: str, share: float) -> int:
    reply = client.get(f"/repos/{repo}/actions/artifacts", parameters={"per_page": 100})
    newest = reply.body["artifacts"] if reply.status == 200 else []
    n_reports = sum(map(may_hold_report, newest))
    return round(n_reports / len(newest) * reply.body["total_count"] * share) if newest else 0


def _held_runs(store: Store, repo: str, *, since: str) -> set[str]:
    runs: Any = store.payloads(repo, "run")
    return {
        key.partition("/")[0] for key, source, run in runs if source == "api" and run.get("created_at", "") >= since
    }
