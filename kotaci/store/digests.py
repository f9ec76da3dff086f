"""Digests by which the builder of tables tells what changed."""

from __future__ import annotations

from collections.abc import Sequence

from kotaci.store.bodies import digest_of
from kotaci.store.database import snapshot
from kotaci.store.files import INDEX
from kotaci.store.reading import Reading

_NOT_DRAWN = frozenset({"gone"})
"""Kinds that may belong to an attempt and never become rows."""


class Digests(Reading):
    """Tells what the tables would be made from."""

    def attempt_digests(self, repo: str) -> dict[str, dict[tuple[int, int], tuple[str, bool]]]:
        """Return by month, for each attempt, a digest of all it consists of, and whether a log was pruned.

        The digest changes when a payload or log changes, appears or goes, when the commit it ran on becomes known,
        and when a later attempt appears. The month is that of the run's payload.
        """
        with snapshot(self._connect(INDEX)):
            last = self.last_attempts(repo)
            months: dict[tuple[int, int], str] = {}
            parts: dict[tuple[int, int], list[str]] = {}
            for run_id, attempt, month, commit in self._rows(
                "SELECT r.run_id, r.attempt, r.month, c.digest FROM payloads r LEFT JOIN payloads c"
                " ON (c.repo, c.kind, c.key) = (r.repo, 'commit', r.head_sha) WHERE r.repo = ? AND r.kind = 'run'",
                (repo,),
            ):
                months[run_id, attempt] = month
                parts[run_id, attempt] = [f"last {last.get(run_id)}", f"commit {commit.hex() if commit else ''}"]
            for run_id, attempt, kind, key, digest in self._rows(
                "SELECT run_id, attempt, kind, key, digest FROM payloads WHERE repo = ? AND run_id IS NOT NULL", (repo,)
            ):
                if (run_id, attempt) in parts and kind not in _NOT_DRAWN:
                    parts[run_id, attempt].append(f"{kind} {key} {digest.hex()}")
            pruned = set()
            for run_id, attempt, job_id, state, digest in self._rows(
                "SELECT run_id, attempt, job_id, state, digest FROM logs WHERE repo = ?", (repo,)
            ):
                if (run_id, attempt) in parts:
                    parts[run_id, attempt].append(f"log {job_id} {digest.hex() if state == 'present' else state}")
                    if state == "pruned":
                        pruned.add((run_id, attempt))
        found: dict[str, dict[tuple[int, int], tuple[str, bool]]] = {}
        for key in sorted(parts, key=lambda key: (months[key], key)):
            digest = digest_of("\n".join(sorted(parts[key])).encode()).hex()
            found.setdefault(months[key], {})[key] = (digest, key in pruned)
        return found

    def last_attempts(self, repo: str) -> dict[int, int]:
        """Return the highest attempt stored of every run."""
        rows = self._rows(
            "SELECT run_id, max(attempt) FROM payloads WHERE repo = ? AND kind = 'run' GROUP BY run_id",
            (repo,),
        )
        return dict(rows)

    def kind_digest(self, repo: str, kinds: Sequence[str]) -> str:
        """Return a digest of all payloads of these kinds: equal means unchanged."""
        marks = ",".join("?" * len(kinds))
        rows = self._rows(
            f"SELECT kind, key, digest FROM payloads WHERE repo = ? AND kind IN ({marks}) ORDER BY kind, key",  # noqa: S608
            (repo, *kinds),
        )
        return digest_of("\n".join(f"{kind} {key} {digest.hex()}" for kind, key, digest in rows).encode()).hex()
