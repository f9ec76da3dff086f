"""Logs: of red jobs one by one, of green ones by the zip of their attempt; annotations of red ones.

A 404 or 410 is a fact, stored as such.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from kotaci.archives.runlogs import read_log_zip
from kotaci.github.client import HELD_BYTES, Reply, Unreachable
from kotaci.github.place import SOURCE, Place, gone, reason_of
from kotaci.logs.setup import job_name
from kotaci.model import BadInput, Outcome, parse_moment
from kotaci.store import Batch, Log, Payload, Store, Want, plain_name


def lacks_log(store: Store, place: Place, want: Want) -> bool | None:
    """Return True where the whole log is not held."""
    run_id, attempt, job_id = map(int, want.key.split("/"))
    return None if store.has_log(place.repo, run_id, attempt, job_id) else True


def fetch_log(place: Place, want: Want, _: object) -> Batch:
    """Return one job's log, or why there is none."""
    run_id, attempt, job_id = map(int, want.key.split("/"))
    if place.has_expired(want.at):
        log = Log(run_id, attempt, job_id, want.at, state="expired", reason=_EXPIRED_TOO)
        return Batch(place.repo, SOURCE, logs=[log], met=[(want.kind, want.key)])
    reply, body = place.client.download(f"{place.path}/actions/jobs/{job_id}/logs", place.folder)
    wants: list[Want] = []
    if reply.status == 200:
        place.learn_expiry(want.at, is_expired=False)
        log = Log(run_id, attempt, job_id, want.at, body)
    elif reply.status == 410:
        place.learn_expiry(want.at, is_expired=True)
        log = Log(run_id, attempt, job_id, want.at, state="expired", reason=reason_of(reply))
    else:
        place.check_visible()
        log = Log(run_id, attempt, job_id, want.at, state="never_written", reason=reason_of(reply))
        if want.body and place.client.pace.server_now() - parse_moment(want.body) < UPLOAD_TIME:
            wants = [Want("late log", want.key, want.at, want.body)]
    return Batch(place.repo, SOURCE, logs=[log], wants=wants, met=[(want.kind, want.key)])


UPLOAD_TIME = timedelta(hours=1)
"""A log that is missing so soon after its job may still be on its way: the next fetch asks again."""

_EXPIRED_TOO = "older than a log of which GitHub said that it has expired"


@dataclass(frozen=True)
class _Lacking:
    """Green jobs whose logs are not held, by id: plain names, "" for one that others have, and ends of jobs."""

    names: Mapping[int, str]
    ends: Mapping[int, str]


def jobs_without_log(store: Store, place: Place, want: Want) -> _Lacking | None:
    """Return the attempt's green jobs whose logs are not held; None where all are."""
    run_id, attempt = map(int, want.key.split("/"))
    held = store.log_rows(place.repo, run_id, attempt)
    jobs = [body for kind, _, _, body in store.attempt_payloads(place.repo, run_id, attempt) if kind == "job"]
    plain = Counter(plain_name(job["name"]) for job in jobs if int(job["id"]) > 0)
    names = {
        int(job["id"]): plain_name(job["name"]) if plain[plain_name(job["name"])] == 1 else ""
        for job in jobs
        if int(job["id"]) > 0
        and Outcome.of(conclusion=job.get("conclusion"), status=job.get("status")) == Outcome.SUCCESS
        and _is_lacking(held.get(int(job["id"])), store, place, (run_id, attempt, int(job["id"])))
    }
    ends = {int(job["id"]): job.get("completed_at") or "" for job in jobs}
    return _Lacking(names, ends) if names else None


def _is_lacking(held: tuple[str, int] | None, store: Store, place: Place, key: tuple[int, int, int]) -> bool:
    if held is None or held[0] == "not_fetched":
        return True
    return held[0] == "present" and not store.has_log(place.repo, *key)


def fetch_zip(place: Place, want: Want, lacking: _Lacking) -> Batch:
    """Return those logs out of the attempt's zip; what it does not hold is to be asked for by job."""
    run_id, attempt = map(int, want.key.split("/"))
    met = [(want.kind, want.key)]
    if len(lacking.names) == 1:
        (job_id,) = lacking.names
        one = fetch_log(place, Want("log", f"{want.key}/{job_id}", want.at, lacking.ends[job_id]), None)
        return replace(one, met=met)
    reply = Reply("", 410, None)
    body: bytes | Path = b""
    if not place.has_expired(want.at):
        reply, body = _download_zip(place, f"{place.path}/actions/runs/{run_id}/attempts/{attempt}/logs")
    if reply.status == 410 and reply.url:
        place.learn_expiry(want.at, is_expired=True)
    if reply.status == 410 and not (reply.url and place.is_recent(want.at) and _holds_last(place, want, lacking)):
        reason = reason_of(reply) if reply.url else _EXPIRED_TOO
        logs = [Log(run_id, attempt, job_id, want.at, state="expired", reason=reason) for job_id in lacking.names]
        return Batch(place.repo, SOURCE, logs=logs, met=met)
    found = _read_zip(place, want, body, set(lacking.names.values())) if reply.status == 200 else {}
    logs, left = [], []
    for job_id, name in lacking.names.items():
        # Two jobs of one name can't be told apart in a zip; each is asked for by its id.
        body_of = found.get(name) if name else None
        if body_of is None:
            left.append(Want("log", f"{want.key}/{job_id}", want.at, lacking.ends[job_id]))
        else:
            logs.append(Log(run_id, attempt, job_id, want.at, body_of))
    return Batch(place.repo, SOURCE, logs=logs, wants=left, met=met)


def _holds_last(place: Place, want: Want, lacking: _Lacking) -> bool:
    """Tell whether the last of the logs is there although GitHub gives no zip: one was deleted, not all expired."""
    one = Want("log", f"{want.key}/{max(lacking.names)}", want.at)
    (log,) = fetch_log(place, one, None).logs
    return log.state != "expired"


def _download_zip(place: Place, path: str) -> tuple[Reply, bytes | Path]:
    try:
        return place.client.download(path, place.folder)
    except Unreachable:
        # A zip that GitHub cannot make must not hide the logs that it can give one by one.
        return Reply(path, 404, None), b""


def _read_zip(place: Place, want: Want, body: bytes | Path, names: Collection[str]) -> dict[str, bytes | Path]:
    """Return the logs of these plain names in a zip; nothing where it is damaged or a name comes twice."""
    place.folder.mkdir(exist_ok=True)
    path = body if isinstance(body, Path) else place.folder / f"{want.key.replace('/', '-')}.zip"
    if isinstance(body, bytes):
        path.write_bytes(body)
    try:
        found: dict[str, bytes | Path] = {}
        n_held = 0
        for place_in_zip, (name, log) in enumerate(read_log_zip(path, place.folder)):
            shown = plain_name(job_name(_head(log)) or name)
            if shown in found:
                return _dropped(found)
            n_held += len(log) if isinstance(log, bytes) else 0
            if shown not in names:
                _dropped({shown: log})
            elif isinstance(log, bytes) and n_held > HELD_BYTES:
                spilled = path.with_suffix(f".{place_in_zip}.txt")
                spilled.write_bytes(log)
                found[shown] = spilled
            else:
                found[shown] = log
    except BadInput:
        return _dropped(found)
    finally:
        path.unlink(missing_ok=True)
    return found


def _dropped(logs: Mapping[str, bytes | Path]) -> dict[str, bytes | Path]:
    for log in logs.values():
        if isinstance(log, Path):
            log.unlink(missing_ok=True)
    return {}


def _head(log: bytes | Path) -> str:
    if isinstance(log, bytes):
        return log[:60_000].decode("utf-8", "replace")
    with log.open("rb") as file:
        return file.read(60_000).decode("utf-8", "replace")


def lacks_annotations(store: Store, place: Place, want: Want) -> bool | None:
    """Return True where they are not held."""
    return True if store.payload(place.repo, "annotations", want.key) is None else None


def fetch_annotations(place: Place, want: Want, _: object) -> Batch:
    """Return a job's annotations: what GitHub says of it beside the log, such as that it ran too long."""
    found: list[Any] = []
    for reply in place.client.pages(f"{place.path}/check-runs/{want.key.rpartition('/')[2]}/annotations"):
        if reply.status != 200:
            place.check_visible()
            return Batch(place.repo, SOURCE, [gone(want, reply, "annotations")], met=[(want.kind, want.key)])
        found += reply.body
    return Batch(place.repo, SOURCE, [Payload("annotations", want.key, found, want.at)], met=[(want.kind, want.key)])
