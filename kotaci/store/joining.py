"""Imported jobs of an attempt become one with those of GitHub's API, whichever came first."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kotaci.store.matching import match_jobs
from kotaci.store.reading import LogKey
from kotaci.store.wants import drop_want

_LOG = "SELECT state, is_partial, month, digest FROM logs WHERE (repo, run_id, attempt, job_id) = (?,?,?,?)"


@dataclass(frozen=True)
class Joined:
    """An imported job that went, and the job of the API that it is; its log is moved, or dropped for a better one."""

    imported: LogKey
    told: LogKey
    is_moved: bool = False
    month: str = ""
    digest: bytes | None = None
    superseded: tuple[tuple[Any, ...], ...] = ()
    """Month, key and digest of the bodies that the index refers to no longer"""


def join_attempt(
    index: sqlite3.Connection, repo: str, run_id: int, attempt: int, decode: Callable[[str, str, str, bytes], Any]
) -> Iterator[Joined]:
    """Join the attempt's imported jobs (negative ids) with the API's in the index; yield what became of each.

    Nothing happens before the API has told of the run and of a job. A job whose name is not clear stays as it is,
    and so does one whose log was pruned: rows that nothing could draw again rest on it.
    """
    key = (repo, run_id, attempt)
    # A quick look first: every log that a fetch brings comes by here. "." is the character behind "-".
    negative = index.execute(
        "SELECT 1 FROM payloads WHERE repo = ? AND kind = 'job' AND key >= ? AND key < ?",
        (repo, f"{run_id}/{attempt}/-", f"{run_id}/{attempt}/."),
    )
    if run_id < 0 or negative.fetchone() is None:
        return
    held = index.execute(
        "SELECT kind, key, source FROM payloads WHERE (repo, run_id, attempt) = (?,?,?)"
        " AND +kind IN ('run', 'job') ORDER BY +key",
        key,
    ).fetchall()
    jobs = {int(name.rpartition("/")[2]): source for kind, name, source in held if kind == "job"}
    imported = [job_id for job_id, source in jobs.items() if job_id < 0 and source != "api"]
    is_told = any(kind == "run" and source == "api" for kind, _, source in held)
    told = [job_id for job_id, source in jobs.items() if job_id > 0 and source == "api"]
    if not imported or not told or not is_told:
        return

    def names(job_ids: list[int]) -> dict[int, str]:
        rows = {
            job_id: index.execute(
                "SELECT body FROM payloads WHERE (repo, kind, key) = (?,'job',?)",
                (repo, f"{run_id}/{attempt}/{job_id}"),
            ).fetchone()
            for job_id in job_ids
        }
        return {
            job_id: decode(repo, "job", f"{run_id}/{attempt}/{job_id}", body).get("name") or ""
            for job_id, (body,) in rows.items()
        }

    for mine, theirs in match_jobs(names(imported), names(told)).items():
        found = _join(index, (*key, mine), (*key, theirs))
        if found is not None:
            index.execute(
                "DELETE FROM payloads WHERE (repo, kind, key) = (?,'job',?)", (repo, f"{run_id}/{attempt}/{mine}")
            )
            yield found


def _join(index: sqlite3.Connection, imported: LogKey, told: LogKey) -> Joined | None:
    mine = index.execute(_LOG, imported).fetchone() or ("not_fetched", 0, "", None)
    theirs = index.execute(_LOG, told).fetchone() or ("not_fetched", 0, "", None)
    if mine[0] == "pruned":
        return None
    is_moved = mine[0] == "present" and theirs[0] != "pruned" and _worth(mine) > _worth(theirs)
    superseded = [(mine[2], *imported, mine[3])] if mine[0] == "present" else []
    if is_moved:
        if theirs[0] == "present":
            superseded.append((theirs[2], *told, theirs[3]))
        index.execute("DELETE FROM logs WHERE (repo, run_id, attempt, job_id) = (?,?,?,?)", told)
        index.execute(
            "UPDATE logs SET job_id = ? WHERE (repo, run_id, attempt, job_id) = (?,?,?,?)", (told[3], *imported)
        )
        if not mine[1]:
            drop_want(index, told[0], "log", f"{told[1]}/{told[2]}/{told[3]}")
        return Joined(imported, told, True, mine[2], mine[3], tuple(superseded))
    index.execute("DELETE FROM logs WHERE (repo, run_id, attempt, job_id) = (?,?,?,?)", imported)
    return Joined(imported, told, superseded=tuple(superseded))


def _worth(log: tuple[str, int, str, bytes | None]) -> int:
    """A whole log is worth more than a part, and a part more than none."""
    state, is_partial, *_ = log
    return 0 if state != "present" else 1 if is_partial else 2
