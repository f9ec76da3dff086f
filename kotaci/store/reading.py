"""What a store holds, read back: payloads, logs, keys."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Collection, Iterator
from typing import Any

import zstandard

from kotaci.model import BadInput, Repo
from kotaci.store.bodies import unpacked
from kotaci.store.files import Files, log_file
from kotaci.store.records import LogState

LogKey = tuple[str, int, int, int]
"""Repository, run id, attempt, job id."""


class Reading(Files):
    """Reads payloads and logs."""

    def _decoded(self, repo: str, kind: str, key: str, body: bytes) -> Any:
        try:
            return json.loads(unpacked(body))
        except (zstandard.ZstdError, ValueError) as error:
            raise BadInput(self.path, f"{kind} {key} of {repo} is damaged", "run `kotaci store check`") from error

    def repos(self) -> list[str]:
        """Return the repositories that have something in the store, sorted."""
        return self._names_in("payloads")

    def _names_in(self, table: str) -> list[str]:
        # DISTINCT would walk through every row; this leaps from one name to the next.
        rows = self._rows(
            f"WITH RECURSIVE names (repo) AS (SELECT min(repo) FROM {table} UNION ALL"  # noqa: S608  (our own names)
            f" SELECT (SELECT min(repo) FROM {table} t WHERE t.repo > names.repo) FROM names WHERE repo IS NOT NULL)"
            " SELECT repo FROM names WHERE repo IS NOT NULL"
        )
        return [repo for (repo,) in rows]

    def spellings(self) -> dict[str, str]:
        """Return every repository that anything is held of, by its name in small letters: GitHub's names are the
        same in any case."""
        tables = ("answers", "wants", "logs", "payloads")
        return {repo.lower(): repo for table in tables for repo in self._names_in(table)}

    def repo_of_id(self, github_id: int, *, host: str = "github.com") -> str | None:
        """Return the repository of that host whose own payload has that id, also where its name is another by now."""
        names = (repo for repo in self.repos() if Repo.parse(repo).host == host)
        told = ((repo, self.payload(repo, "repo", "repo") or {}) for repo in names)
        return next((repo for repo, body in told if body.get("id") == int(github_id)), None)

    def former_names(self, repo: str) -> list[str]:
        """Return the names that the repository had before it was renamed, oldest first."""
        rows = self._rows("SELECT former FROM former_names WHERE repo = ? ORDER BY number", (repo,))
        return [former for (former,) in rows]

    def payload_keys(self, repo: str, kind: str) -> set[str]:
        """Return the keys of all payloads of that kind."""
        return {key for (key,) in self._rows("SELECT key FROM payloads WHERE (repo, kind) = (?,?)", (repo, kind))}

    def payload(self, repo: str, kind: str, key: str) -> Any:
        """Return one payload's body, or None. This and all that reads payloads raises BadInput for a damaged one."""
        rows = list(self._rows("SELECT body FROM payloads WHERE (repo, kind, key) = (?,?,?)", (repo, kind, key)))
        return self._decoded(repo, kind, key, rows[0][0]) if rows else None

    def last_payload(self, repo: str, kind: str) -> Any:
        """Return the body of that kind that was stored last, or None; of what is keyed by content, the newest."""
        query = "SELECT key, body FROM payloads WHERE (repo, kind) = (?,?) ORDER BY rowid DESC LIMIT 1"
        rows = list(self._rows(query, (repo, kind)))
        return self._decoded(repo, kind, *rows[0]) if rows else None

    def payloads(self, repo: str, kind: str, *, month: str | None = None) -> Iterator[tuple[str, str, Any]]:
        """Yield (key, source, body) of every payload of that kind, by key; only that month's where one is given."""
        rows = self._rows(
            "SELECT key, source, body FROM payloads"
            " WHERE repo = ? AND kind = ? AND (? IS NULL OR month = ?) ORDER BY key",
            (repo, kind, month, month),
        )
        for key, source, body in rows:
            yield key, source, self._decoded(repo, kind, key, body)

    def log_rows(self, repo: str, run_id: int, attempt: int) -> dict[int, tuple[LogState, int]]:
        """Return (state, uncompressed bytes) of every log of the attempt, by job id."""
        rows = self._rows(
            "SELECT job_id, state, n_bytes FROM logs WHERE (repo, run_id, attempt) = (?,?,?)", (repo, run_id, attempt)
        )
        return {job_id: (state, n_bytes) for job_id, state, n_bytes in rows}

    def has_log(self, repo: str, run_id: int, attempt: int, job_id: int) -> bool:
        """Tell whether the whole log of a job is held; a part of one is not enough, and a pruned one is gone."""
        rows = self._rows(
            "SELECT 1 FROM logs WHERE (repo, run_id, attempt, job_id, state, is_partial) = (?,?,?,?,'present',0)",
            (repo, run_id, attempt, job_id),
        )
        return any(rows)

    def partial_logs(self, repo: str) -> set[tuple[int, int, int]]:
        """Return run, attempt and job of every log of which only a part is held."""
        rows = self._rows(
            "SELECT run_id, attempt, job_id FROM logs WHERE repo = ? AND is_partial AND state = 'present'", (repo,)
        )
        return {(run_id, attempt, job_id) for run_id, attempt, job_id in rows}

    def log(self, repo: str, run_id: int, attempt: int, job_id: int) -> str | None:
        """Return the text of a log, or None where it is not held; bytes that are not UTF-8 become U+FFFD."""
        key, before = (repo, run_id, attempt, job_id), None
        # Looked up again where the body is gone: the log may have been replaced or pruned in between.
        while (held := self._told_log(key)) is not None and held != before:
            with contextlib.suppress(sqlite3.DatabaseError, zstandard.ZstdError):
                body = self._held_log(*held, key)
                if body is not None:
                    return unpacked(body).decode("utf-8", "replace")
            before = held
        if held is None:
            return None
        raise BadInput(
            self.path,
            f"the log of job {job_id} of run {run_id}/{attempt} is lost from {log_file(held[0])}, or damaged",
            "run `kotaci store check`, then import or fetch it again",
        )

    def _told_log(self, key: LogKey) -> tuple[str, bytes] | None:
        rows = list(
            self._rows(
                "SELECT month, digest FROM logs"
                " WHERE (repo, run_id, attempt, job_id) = (?,?,?,?) AND state = 'present'",
                key,
            )
        )
        return (rows[0][0], rows[0][1]) if rows else None

    def _held_log(self, month: str, digest: bytes, key: LogKey) -> bytes | None:
        if not (self.path / log_file(month)).is_file():
            return None
        row = (
            self._connect(log_file(month))
            .execute(
                "SELECT body FROM logs WHERE (repo, run_id, attempt, job_id, digest) = (?,?,?,?,?)", (*key, digest)
            )
            .fetchone()
        )
        return None if row is None else bytes(row[0])

    def attempt_payloads(
        self, repo: str, run_id: int, attempt: int, *, kinds: Collection[str] | None = None
    ) -> list[tuple[str, str, str, Any]]:
        """Return (kind, key, source, body) of everything that belongs to the attempt, by kind and key.

        With `kinds`, only of those; what is not asked for is not decoded.
        """
        rows = self._rows(
            "SELECT kind, key, source, body FROM payloads WHERE (repo, run_id, attempt) = (?,?,?)"
            # The plus signs keep SQLite from walking the whole repository in key order.
            " ORDER BY +kind, +key",
            (repo, run_id, attempt),
        )
        return [
            (kind, key, source, self._decoded(repo, kind, key, body))
            for kind, key, source, body in rows
            if kinds is None or kind in kinds
        ]
