"""Dropping the logs of old months, with what is known of them kept."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from kotaci.store.database import explaining, transaction
from kotaci.store.files import INDEX, Files, log_file, month_of

_PRUNABLE = "state = 'present' AND month < :before AND (:repo IS NULL OR repo = :repo)"
"""Logs of months before that one; `undated` sorts after every month."""


class Pruning(Files):
    """Drops logs."""

    def prunable(self, *, before: datetime, repo: str | None = None) -> tuple[int, int]:
        """Return how many logs, and stored bytes, `prune` would drop."""
        ((n_logs, n_bytes),) = self._rows(
            f"SELECT count(*), coalesce(sum(n_stored), 0) FROM logs WHERE {_PRUNABLE}",  # noqa: S608  (our own words)
            {"before": month_of(before), "repo": repo},
        )
        return n_logs, n_bytes

    def prune(self, *, before: datetime, repo: str | None = None) -> tuple[int, int]:
        """Drop the logs of whole months that end before that moment; return how many logs and bytes went.

        Facts drawn from them stay as they are: their state becomes `pruned`.
        """
        bound = {"before": month_of(before), "repo": repo}
        counts = self.prunable(before=before, repo=repo)
        with explaining(self.path):
            index = self._connect(INDEX)
            with transaction(index):
                index.execute(f"UPDATE logs SET state = 'pruned', n_stored = 0 WHERE {_PRUNABLE}", bound)  # noqa: S608
            # Also months pruned before: a prune that was killed may have left their bodies.
            for (month,) in list(self._rows("SELECT DISTINCT month FROM logs WHERE month < :before", bound)):
                if (self.path / log_file(month)).is_file():
                    self._drop_pruned(index, month)
        return counts

    def _drop_pruned(self, index: sqlite3.Connection, month: str) -> None:
        """Delete the bodies of a month's pruned logs."""
        logs = self._connect(log_file(month))
        # A writer holds the index from its first look to its end, so none can be halfway here.
        with transaction(index), transaction(logs):
            dropped = logs.executemany(
                "DELETE FROM logs WHERE (repo, run_id, attempt, job_id) = (?,?,?,?)",
                index.execute(
                    "SELECT repo, run_id, attempt, job_id FROM logs WHERE month = ? AND state = 'pruned'", (month,)
                ),
            )
        if dropped.rowcount:
            logs.execute("VACUUM")
