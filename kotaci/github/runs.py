"""A run: its attempts, their jobs and steps in one request, and what is to be asked of them next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kotaci.github.client import Unreachable
from kotaci.github.place import SOURCE, Place, gone, started
from kotaci.model import Outcome, parse_moment
from kotaci.store import Answer, Batch, Log, Payload, Store, Want


def run_want(run: Mapping[str, Any]) -> Want:
    """Return the want of a listed run."""
    return Want("run", str(run["id"]), started(run), dict(run))


@dataclass(frozen=True)
class _Run:
    """What is held of a listed run: its attempts before the last, and the list of its jobs while it had not ended."""

    attempts: frozenset[int]
    jobs: Answer | None


def held_of_run(store: Store, place: Place, want: Want) -> _Run:
    """Return what is held of a listed run."""
    last = int(want.body.get("run_attempt") or 1)
    attempts = (n for n in range(1, last) if is_whole(store.payload(place.repo, "run", f"{want.key}/{n}")))
    return _Run(frozenset(attempts), store.answer(place.repo, _jobs_url(place, want)))


def _jobs_url(place: Place, want: Want) -> str:
    return f"{place.path}/actions/runs/{want.key}/jobs?filter=all&per_page=100"


def is_whole(run: Mapping[str, Any] | None, *, listed: Mapping[str, Any] | None = None) -> bool:
    """Tell whether a held run came from GitHub (imported ones have no conclusion) and had ended by then.

    And whether it is as it is `listed` now: one that waited for an approval goes on under the same number.
    """
    if run is None or run.get("status") != "completed" or run.get("conclusion") is None:
        return False
    # A re-run is held as its attempt tells it, which may have another moment of change than the list.
    names = ("status", "conclusion", "updated_at")[: 3 if run.get("run_attempt") == 1 else 2]
    return listed is None or all(run.get(name) == listed.get(name) for name in names)


def fetch_run(place: Place, want: Want, held: _Run) -> Batch:
    """Return the run with its attempts and jobs that are not held whole, and what is to be asked of them next."""
    listed, last = want.body, int(want.body.get("run_attempt") or 1)
    attempts, lost = {last: listed}, list[Payload]()
    # A list shows a re-run with the first attempt's `created_at`; the attempt itself has its own.
    is_running = listed.get("status") != "completed"
    for number in range(1, last + (not is_running)) if last > 1 else ():
        if number not in held.attempts:
            reply = place.client.get(f"{place.path}/actions/runs/{want.key}/attempts/{number}")
            if reply.status == 200:
                attempts[number] = reply.body
            elif number < last:
                place.check_visible()
                lost.append(gone(want, reply, f"attempt {number}"))
    jobs, answers = _fetch_jobs(place, want, held, lost)
    payloads, wants, logs = lost, list[Want](), list[Log]()
    for number, run in sorted(attempts.items()):
        at = started(run)
        payloads.append(Payload("run", f"{want.key}/{number}", run, at))
        mine = [job for job in jobs.values() if int(job.get("run_attempt") or last) == number]
        payloads += [Payload("job", f"{want.key}/{number}/{job['id']}", job, at) for job in mine]
        wants += _log_wants(want.key, number, at, mine)
        logs += _unwritten(int(want.key), number, at, mine)
        sha = run.get("head_sha") or ""
        if sha and sha not in place.commits:
            wants.append(Want("commit", sha, at))
    is_over = _is_over(place, listed, jobs)
    wants += [] if is_over else [Want("unfinished", want.key, want.at)]
    met = [("run", want.key), *([("unfinished", want.key)] if is_over else [])]
    return Batch(place.repo, SOURCE, payloads, logs, wants, met, answers)


def _fetch_jobs(
    place: Place, want: Want, held: _Run, lost: list[Payload]
) -> tuple[dict[int, Mapping[str, Any]], list[Answer]]:
    """Return the jobs of all attempts by id, and the first page for the next conditional request while it runs.

    Raises Unreachable where pages are missing: a run without some of its jobs would pass for whole.
    """
    first_url, answers = _jobs_url(place, want), list[Answer]()
    path, parameters = f"{place.path}/actions/runs/{want.key}/jobs", {"filter": "all"}
    jobs: dict[int, Mapping[str, Any]] = {}
    n_told = 0
    for reply in place.client.pages(path, parameters=parameters, known={first_url: held.jobs}.get):
        if reply.status != 200:
            place.check_visible()
            lost.append(gone(want, reply, "jobs"))
            return {}, []
        if reply.url == first_url and want.body.get("status") != "completed":
            place.asked.add(first_url)
            answers = [reply.answer()]
        n_told = int(reply.body["total_count"])
        jobs |= {int(job["id"]): job for job in reply.body["jobs"]}
    if len(jobs) < n_told:
        raise Unreachable(path, f"lists {len(jobs)} of {n_told} jobs", "run it again later; what was fetched is kept")
    return jobs, answers


SETTLING_TIME = timedelta(days=2)
"""How long a run that has ended is asked for again while one of its jobs has not."""


def _is_over(place: Place, run: Mapping[str, Any], jobs: Mapping[int, Mapping[str, Any]]) -> bool:
    if run.get("status") != "completed":
        return False
    if all(job.get("status") == "completed" for job in jobs.values()):
        return True
    told = run.get("updated_at")
    return not told or place.client.pace.server_now() - parse_moment(told) > SETTLING_TIME


def _log_wants(run_id: str, attempt: int, at: datetime | None, jobs: Sequence[Mapping[str, Any]]) -> list[Want]:
    """Return what is to be asked of an attempt's jobs: logs one by one where they are not green, the rest by zip."""
    wants, has_green = list[Want](), False
    for job in jobs:
        if job.get("status") != "completed":
            continue
        outcome = Outcome.of(conclusion=job.get("conclusion"))
        if outcome == Outcome.SUCCESS:
            has_green = True
        elif outcome != Outcome.SKIPPED:
            key = f"{run_id}/{attempt}/{job['id']}"
            wants += [Want("log", key, at, job.get("completed_at") or ""), Want("annotations", key, at)]
    return [*wants, Want("zip", f"{run_id}/{attempt}", at)] if has_green else wants


def _unwritten(run_id: int, attempt: int, at: datetime | None, jobs: Sequence[Mapping[str, Any]]) -> list[Log]:
    """Return what is known of skipped jobs' logs without asking: there never was one."""
    skipped = (job for job in jobs if Outcome.of(conclusion=job.get("conclusion")) == Outcome.SKIPPED)
    return [
        Log(run_id, attempt, int(job["id"]), at, state="never_written", reason="the job was skipped") for job in skipped
    ]
