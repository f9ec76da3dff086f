"""A run: its attempts, their jobs and steps in one request, and what is to be asked of them next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kotaci.github.place import SOURCE, Place, gone, started
from kotaci.model import Outcome
from kotaci.store import Answer, Batch, Log, Payload, Store, Want


def run_want(run: Mapping[str, Any]) -> Want:
    """Return the want of a listed run."""
    return Want("run", str(run["id"]), started(run), dict(run))


@dataclass(frozen=True)
class _Run:
    """What is held of a listed run: its attempts that had ended, and the list of its jobs while it had not."""

    attempts: frozenset[int]
    jobs: Answer | None


def held_of_run(store: Store, place: Place, want: Want) -> _Run:
    """Return what is held of a listed run."""
    last = int(want.body.get("run_attempt") or 1)
    attempts = (n for n in range(1, last + 1) if is_whole(store.payload(place.repo, "run", f"{want.key}/{n}")))
    return _Run(frozenset(attempts), store.answer(place.repo, _jobs_url(place, want)))


def _jobs_url(place: Place, want: Want) -> str:
    return f"{place.path}/actions/runs/{want.key}/jobs?filter=all&per_page=100"


def is_whole(run: Mapping[str, Any] | None) -> bool:
    """Tell whether a held run came from GitHub (imported ones have no conclusion) and had ended by then."""
    return run is not None and run.get("status") == "completed" and run.get("conclusion") is not None


def fetch_run(place: Place, want: Want, held: _Run) -> Batch:
    """Return the run with its attempts and jobs that are not held whole, and what is to be asked of them next."""
    listed, last = want.body, int(want.body.get("run_attempt") or 1)
    attempts, lost = {last: listed}, list[Payload]()
    # A list shows a re-run with the first attempt's `created_at`; the attempt itself has its own.
    for number in range(1, last + 1) if last > 1 else ():
        if number not in held.attempts:
            reply = place.client.get(f"{place.path}/actions/runs/{want.key}/attempts/{number}")
            if reply.status == 200:
                attempts[number] = reply.body
            elif number < last:
                lost.append(gone(want, reply, f"attempt {number}"))
    jobs: dict[int, Any] = {}
    first_url, answers = _jobs_url(place, want), list[Answer]()
    path, parameters = f"{place.path}/actions/runs/{want.key}/jobs", {"filter": "all"}
    for reply in place.client.pages(path, parameters=parameters, known={first_url: held.jobs}.get):
        if reply.status != 200:
            lost.append(gone(want, reply, "jobs"))
            break
        if reply.url == first_url and listed.get("status") != "completed":
            place.asked.add(first_url)
            answers = [reply.answer()]
        jobs |= {int(job["id"]): job for job in reply.body["jobs"]}
    payloads, wants, logs = lost, list[Want](), list[Log]()
    for number, run in sorted(attempts.items()):
        if number in held.attempts:
            continue
        at = started(run)
        payloads.append(Payload("run", f"{want.key}/{number}", run, at))
        mine = [job for job in jobs.values() if int(job.get("run_attempt") or last) == number]
        payloads += [Payload("job", f"{want.key}/{number}/{job['id']}", job, at) for job in mine]
        wants += _log_wants(want.key, number, at, mine)
        logs += _unwritten(int(want.key), number, at, mine)
        sha = run.get("head_sha") or ""
        if sha and sha not in place.commits:
            wants.append(Want("commit", sha, at))
    is_over = listed.get("status") == "completed"
    wants += [] if is_over else [Want("unfinished", want.key, want.at)]
    met = [("run", want.key), *([("unfinished", want.key)] if is_over else [])]
    return Batch(place.repo, SOURCE, payloads, logs, wants, met, answers)


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
            wants += [Want("log", key, at), Want("annotations", key, at)]
    return [*wants, Want("zip", f"{run_id}/{attempt}", at)] if has_green else wants


def _unwritten(run_id: int, attempt: int, at: datetime | None, jobs: Sequence[Mapping[str, Any]]) -> list[Log]:
    """Return what is known of skipped jobs' logs without asking: there never was one."""
    skipped = (job for job in jobs if Outcome.of(conclusion=job.get("conclusion")) == Outcome.SKIPPED)
    return [
        Log(run_id, attempt, int(job["id"]), at, state="never_written", reason="the job was skipped") for job in skipped
    ]
