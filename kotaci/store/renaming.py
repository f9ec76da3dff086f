"""A repository's new name: everything held under the old one goes over to it, whatever moment it is killed at.

The bodies of logs are copied first, then the index flips in one transaction, then what nobody refers to goes. A
crash in between leaves bodies that nobody refers to; renaming again finishes.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from kotaci.store.bodies import unpacked
from kotaci.store.database import explaining, transaction
from kotaci.store.files import INDEX, log_file
from kotaci.store.writing import Commit, Writing


class Renaming(Writing):
    """Renames repositories."""

    def rename(self, old: str, new: str) -> None:
        """Put everything that is held under the old name under the new one.

        Where both hold something: what the API told wins over other sources, the newer of two answers of the API,
        else what the new name has; of two logs the more complete one.
        """
        spellings = self.spellings()
        old = spellings.get(old.lower(), old)
        new = spellings.get(new.lower(), new)
        if old.lower() == new.lower():
            return
        with explaining(self.path):
            index = self._connect(INDEX)
            # The lion's share without the lock of the index, for which others wait no longer than a minute.
            self._copy_bodies(old, new)
            commit = Commit(index)
            with transaction(index):
                self._copy_bodies(old, new)
                self._flip(index, old, new)
                attempts = index.execute(
                    "SELECT DISTINCT run_id, attempt FROM payloads WHERE (repo, kind) = (?,'job') AND run_id > 0"
                    " AND key LIKE '%/-%'",
                    (new,),
                ).fetchall()
                for run_id, attempt in attempts:
                    self._join(commit, new, run_id, attempt)
            for month in self._months():
                self._drop_unheld(index, month, (old, new))

    def _months(self) -> list[str]:
        return sorted(
            file.name.removeprefix("logs-").removesuffix(".sqlite") for file in self.path.glob("logs-*.sqlite")
        )

    def _copy_bodies(self, old: str, new: str) -> None:
        for month in self._months():
            with transaction(self._connect(log_file(month))) as logs:
                logs.execute(
                    "INSERT INTO logs SELECT ?, run_id, attempt, job_id, digest, body FROM logs o WHERE repo = ?"
                    " AND NOT EXISTS (SELECT 1 FROM logs n WHERE (n.repo, n.run_id, n.attempt, n.job_id, n.digest)"
                    " = (?, o.run_id, o.attempt, o.job_id, o.digest))",
                    (new, old, new),
                )

    def _flip(self, index: sqlite3.Connection, old: str, new: str) -> None:
        names = {"old": old, "new": new}
        for kind, key in self._worse_payloads(index, old, new):
            index.execute("DELETE FROM payloads WHERE (repo, kind, key) = (?,?,?)", (new, kind, key))
        index.execute(
            f"DELETE FROM logs AS n WHERE repo = :new AND EXISTS (SELECT 1 FROM logs o WHERE o.repo = :old AND"  # noqa: S608
            " (o.run_id, o.attempt, o.job_id) = (n.run_id, n.attempt, n.job_id)"
            f" AND {_worth('o')} > {_worth('n')})",
            names,
        )
        for table in ("payloads", "logs", "wants", "answers"):
            # What the new name has stays, what could not go over for it goes.
            index.execute(f"UPDATE OR IGNORE {table} SET repo = :new WHERE repo = :old", names)  # noqa: S608
            index.execute(f"DELETE FROM {table} WHERE repo = :old", names)  # noqa: S608
        index.execute(
            "DELETE FROM wants AS w WHERE repo = :new AND kind = 'log' AND EXISTS (SELECT 1 FROM logs l WHERE"
            " l.repo = w.repo AND l.state = 'present' AND NOT l.is_partial"
            " AND w.key = l.run_id || '/' || l.attempt || '/' || l.job_id)",
            names,
        )
        index.execute("UPDATE OR IGNORE former_names SET repo = :new WHERE repo = :old", names)
        index.execute("INSERT OR IGNORE INTO former_names (repo, former) VALUES (:new, :old)", names)
        index.execute("DELETE FROM former_names WHERE repo = :old OR former = repo", names)

    def _worse_payloads(self, index: sqlite3.Connection, old: str, new: str) -> list[tuple[str, str]]:
        """Return kind and key of what the new name has and the old one knows better."""
        both = index.execute(
            "SELECT n.kind, n.key, o.source, n.source, o.body, n.body FROM payloads n JOIN payloads o"
            " ON (o.repo, o.kind, o.key) = (:old, n.kind, n.key) WHERE n.repo = :new",
            {"old": old, "new": new},
        )
        return [
            (kind, key)
            for kind, key, theirs, ours, their_body, our_body in both
            if theirs == "api" and (ours != "api" or _updated_at(their_body) > _updated_at(our_body))
        ]

    def _drop_unheld(self, index: sqlite3.Connection, month: str, repos: tuple[str, ...]) -> None:
        """Delete the bodies of these repositories' logs that the index does not refer to."""
        bodies = self._connect(log_file(month))
        # Under the lock of the index no writer can be halfway.
        with transaction(index), transaction(bodies):
            for repo in repos:
                held = set(
                    index.execute(
                        "SELECT run_id, attempt, job_id, digest FROM logs WHERE (repo, month) = (?,?)"
                        " AND state = 'present'",
                        (repo, month),
                    )
                )
                there = bodies.execute("SELECT run_id, attempt, job_id, digest FROM logs WHERE repo = ?", (repo,))
                bodies.executemany(
                    "DELETE FROM logs WHERE (repo, run_id, attempt, job_id, digest) = (?,?,?,?,?)",
                    [(repo, *key) for key in there if key not in held],
                )


def _worth(log: str) -> str:
    """Whole, a part, pruned (its rows stand in the tables), gone, not fetched."""
    return (
        f"(CASE {log}.state WHEN 'present' THEN 5 - {log}.is_partial WHEN 'pruned' THEN 3 WHEN 'not_fetched' THEN 1"
        " ELSE 2 END)"
    )


def _updated_at(body: bytes) -> str:
    told: Any = json.loads(unpacked(body))
    return str(told.get("updated_at") or "") if isinstance(told, dict) else ""
