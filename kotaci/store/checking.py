"""What is in a store, whether it reads back as it was stored, and what to do where it does not."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from kotaci.model import KotaciError
from kotaci.store.bodies import is_whole
from kotaci.store.database import explaining, transaction
from kotaci.store.files import INDEX, UNDATED, log_file
from kotaci.store.reading import LogKey, Reading
from kotaci.store.records import Want
from kotaci.store.wants import put_want

_ROWS = (("want", "wants", "kind || ' ' || key"), ("answer", "answers", "url"))
"""What a fetcher keeps: a word for it, its table, and what names it there."""


class Checking(Reading):
    """Counts, checks, and forgets what is damaged."""

    def summary(self) -> dict[str, Any]:
        """Return what is in the store: payloads, logs by state, bytes of those present, secrets redacted, size."""
        states = dict(self._rows("SELECT state, count(*) FROM logs GROUP BY state"))
        ((raw, stored),) = self._rows(
            "SELECT coalesce(sum(n_bytes), 0), coalesce(sum(n_stored), 0) FROM logs WHERE state = 'present'"
        )
        ((redacted,),) = self._rows(
            "SELECT (SELECT coalesce(sum(n_redacted), 0) FROM payloads)"
            " + (SELECT coalesce(sum(n_redacted), 0) FROM logs)"
        )
        return {
            "payloads": dict(self._rows("SELECT kind, count(*) FROM payloads GROUP BY kind ORDER BY kind")),
            "logs": {
                state: states.get(state, 0)
                for state in ("present", "expired", "never_written", "not_fetched", "pruned")
            },
            "log_bytes": raw,
            "stored_log_bytes": stored,
            "redacted": redacted,
            "redaction_rules": [
                version for (version,) in self._rows("SELECT version FROM redactions ORDER BY version")
            ],
            "size": self.size(),
        }

    def check(self) -> list[str]:
        """Return what is wrong with the store, one sentence each; an empty list is a healthy store."""
        problems = list[str]()
        for name in (INDEX, *sorted(file.name for file in self.path.glob("logs-*.sqlite"))):
            try:
                (verdict,) = self._connect(name).execute("PRAGMA integrity_check(1)").fetchone()
            except (sqlite3.DatabaseError, KotaciError) as error:
                verdict = str(error)
            if verdict != "ok":
                problems.append(f"{name}: {verdict}")
        if any(problem.startswith(INDEX) for problem in problems):
            return problems
        for repo, kind, key, *_ in self._broken_payloads():
            problems.append(f"{INDEX}: {kind} {key} of {repo} is damaged")
        for kind, table, column in _ROWS:
            for repo, name in self._broken_errands(table, column):
                problems.append(f"{INDEX}: {kind} {name} of {repo} is damaged")
        for month, (_, run_id, attempt, job_id), state in self._broken_logs():
            problems.append(f"{log_file(month)}: log of job {job_id} of run {run_id}/{attempt} is {state}")
        return problems

    def forget_broken(self) -> int:
        """Drop what is damaged and note lost and damaged logs as not fetched; return how many things were damaged.

        An import then brings them back, and so does a fetch, for what came from the API: a log is wanted again, a
        run of which something was damaged is unknown, and the run list is read again.
        """
        payloads, logs = list(self._broken_payloads()), [(month, key) for month, key, _ in self._broken_logs()]
        errands = [(table, column, list(self._broken_errands(table, column))) for _, table, column in _ROWS]
        with explaining(self.path), transaction(self._connect(INDEX)) as index:
            for repo, kind, key, source in payloads:
                index.execute("DELETE FROM payloads WHERE (repo, kind, key) = (?,?,?)", (repo, kind, key))
                if source == "api":
                    _ask_again(index, repo, kind, key)
            for month, log in logs:
                if _is_of_api(index, log):
                    repo, run_id, attempt, job_id = log
                    put_want(index, repo, Want("log", f"{run_id}/{attempt}/{job_id}", _start_of(month)))
                index.execute(
                    "UPDATE logs SET state = 'not_fetched', reason = 'damaged in the store', digest = NULL,"
                    " n_stored = 0, is_partial = 0 WHERE (repo, run_id, attempt, job_id) = (?,?,?,?)",
                    log,
                )
            for table, column, broken in errands:
                index.executemany(f"DELETE FROM {table} WHERE (repo, {column}) = (?,?)", broken)  # noqa: S608
                if table == "wants":
                    for repo in {repo for repo, _ in broken}:
                        _drop_kind(index, repo, "listed")
        return len(payloads) + len(logs) + sum(len(broken) for *_, broken in errands)

    def _broken_payloads(self) -> Iterator[tuple[str, str, str, str]]:
        rows = self._rows("SELECT repo, kind, key, source, digest, body FROM payloads")
        for repo, kind, key, source, digest, body in rows:
            if not is_whole(body, digest):
                yield repo, kind, key, source

    def _broken_errands(self, table: str, column: str) -> Iterator[tuple[str, str]]:
        for repo, name, digest, body in self._rows(f"SELECT repo, {column}, digest, body FROM {table}"):  # noqa: S608
            if not is_whole(body, digest):
                yield repo, name

    def _broken_logs(self) -> Iterator[tuple[str, LogKey, str]]:
        expected = self._rows(
            "SELECT month, digest, repo, run_id, attempt, job_id FROM logs WHERE state = 'present' ORDER BY month"
        )
        for month, digest, repo, run_id, attempt, job_id in list(expected):
            key = (repo, run_id, attempt, job_id)
            try:
                body = self._held_log(month, digest, key)
            except (sqlite3.DatabaseError, KotaciError):
                body = b""
            if body is None or not is_whole(body, digest):
                yield month, key, "lost" if body is None else "damaged"


def _ask_again(index: sqlite3.Connection, repo: str, kind: str, key: str) -> None:
    """Make the next fetch ask again for what a damaged payload told."""
    run = re.match(r"(\d+)(?:/|$)", key)
    if run is None:
        if kind == "commit":
            put_want(index, repo, Want("commit", key))
        return
    # A run whose logs were pruned stays known: its rows in the tables rest on it and cannot be drawn again.
    index.execute(
        "DELETE FROM payloads WHERE (repo, kind, run_id, source) = (?,'run',?,'api') AND NOT EXISTS"
        " (SELECT 1 FROM logs l WHERE (l.repo, l.run_id, l.attempt, l.state) ="
        " (payloads.repo, payloads.run_id, payloads.attempt, 'pruned'))",
        (repo, int(run[1])),
    )
    _drop_kind(index, repo, "listed")


def _drop_kind(index: sqlite3.Connection, repo: str, kind: str) -> None:
    index.execute("DELETE FROM payloads WHERE (repo, kind) = (?,?)", (repo, kind))


def _is_of_api(index: sqlite3.Connection, log: LogKey) -> bool:
    """An imported log that became that of a job of the API can be had there too."""
    repo, run_id, attempt, job_id = log
    told = index.execute(
        "SELECT 1 FROM logs WHERE (repo, run_id, attempt, job_id, source) = (?,?,?,?,'api') UNION ALL"
        " SELECT 1 FROM payloads WHERE (repo, kind, key, source) = (?,'job',?,'api')",
        (*log, repo, f"{run_id}/{attempt}/{job_id}"),
    )
    return told.fetchone() is not None


def _start_of(month: str) -> datetime | None:
    return None if month == UNDATED else datetime.fromisoformat(f"{month}-01").replace(tzinfo=UTC)
