"""Dropping the logs of old months, with what is known of them kept."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

from kotaci.store.database import explaining, transaction
from kotaci.store.files import INDEX, UNDATED, Files, log_file, month_of

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

    def prune_to(self, n_bytes: int, *, repo: str | None = None) -> tuple[int, int]:
        """Drop logs, the oldest whole months first, until the folder is no larger; return how many logs and bytes went.

        The newest month goes too where that is what it takes. What remains above the limit is no logs.
        """
        n_dropped, n_freed = 0, 0
        while True:
            # What SQLite has yet to write back would be counted twice.
            self.close()
            before = self.pruned_to(self.size() - n_bytes, repo=repo)
            if before is None:
                return n_dropped, n_freed
            n_logs, n_stored = self.prune(before=before, repo=repo)
            n_dropped, n_freed = n_dropped + n_logs, n_freed + n_stored

    def pruned_to(self, n_bytes: int, *, repo: str | None = None) -> datetime | None:
        """Return before which moment `prune` would free so many stored bytes, or all that it can; None: nothing."""
        n_freed, last = 0, ""
        for month, n_stored in self._rows(
            "SELECT month, sum(n_stored) FROM logs WHERE state = 'present' AND month <> :undated"
            " AND (:repo IS NULL OR repo = :repo) GROUP BY month ORDER BY month",
            {"undated": UNDATED, "repo": repo},
        ):
            if n_freed >= n_bytes:
                break
            n_freed, last = n_freed + n_stored, month
        return _end_of(last) if last else None

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


def _end_of(month: str) -> datetime:
    """Return the moment at which the month is over."""
    return (datetime.fromisoformat(f"{month}-01").replace(tzinfo=UTC) + timedelta(days=31)).replace(day=1)
