"""The store's folder: batches in, payloads and logs out, a check, a pruning.

`index.sqlite` holds payloads and what is known of every log; `logs-YYYY-MM.sqlite` holds the logs of the attempts
that started in that month, so that a closed month never changes. Readers never block the writer (WAL). A batch is
written logs first, index last: a crash in between leaves a log that nobody refers to, never the reverse.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import zstandard

from kotaci.model import BadInput, KotaciError
from kotaci.redaction import may_hold_secret, read_rules, redact, redact_json
from kotaci.store.database import explained, open_database, snapshot, transaction
from kotaci.store.records import Batch, Log, LogState, Payload, Written

logger = logging.getLogger(__name__)

BATCH_BYTES = 16 * 2**20
"""Bytes gathered before a commit: one fsync for many small runs, yet little to redo after a crash."""

UNDATED = "undated"

_PRUNABLE = "state = 'present' AND month < :before AND (:repo IS NULL OR repo = :repo)"
"""Logs of months before that one; `undated` sorts after every month."""


@dataclass
class Store:
    """An open store. Use `open_store`; one object may be read from several threads."""

    path: Path
    _local: threading.local = field(default_factory=threading.local, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close this thread's connections."""
        for connection in self._connections().values():
            connection.close()
        self._connections().clear()

    # -- writing ------------------------------------------------------------------------------------------

    def write(self, batches: Iterable[Batch]) -> Iterator[Written]:
        """Write the batches and yield the running totals after each commit: what was yielded is safe.

        Writing the same again changes nothing. Payloads of GitHub's API are not replaced by other sources'.
        Raises StoreFull where the disk is full.
        """
        totals, waiting, n_waiting = Written(), list[Batch](), 0
        for batch in batches:
            waiting.append(batch)
            n_waiting += sum(len(log.body) for log in batch.logs)
            if n_waiting >= BATCH_BYTES or len(waiting) >= 256:
                totals = self._commit(waiting, totals)
                waiting, n_waiting = [], 0
                yield totals
        if waiting:
            yield self._commit(waiting, totals)

    def _commit(self, batches: Sequence[Batch], before: Written) -> Written:
        index, totals = self._connect("index.sqlite"), replace(before)
        try:
            with transaction(index):
                months: dict[str, list[tuple[Any, ...]]] = {}
                spellings = {repo.lower(): repo for repo in self.repos()}
                for batch in batches:
                    # GitHub's names are the same in any case; the first spelling stays.
                    batch = replace(batch, repo=spellings.setdefault(batch.repo.lower(), batch.repo))  # noqa: PLW2901
                    totals.n_batches += 1
                    for payload in batch.payloads:
                        self._put_payload(index, batch, payload, totals)
                    for log in batch.logs:
                        self._put_log(index, batch, log, totals, months)
                for month, rows in months.items():
                    with transaction(self._connect(_log_file(month))) as logs:
                        logs.executemany("INSERT OR REPLACE INTO logs VALUES (?,?,?,?,?)", rows)
                index.execute("INSERT OR IGNORE INTO redactions VALUES (?)", (read_rules().version,))
        except sqlite3.DatabaseError as error:
            raise explained(error, self.path) from error
        told = {"batches": len(batches), "changed": totals.n_changed - before.n_changed, "months": sorted(months)}
        logger.info("stored", extra=told)
        return totals

    def _put_payload(self, index: sqlite3.Connection, batch: Batch, payload: Payload, totals: Written) -> None:
        raw, n_redacted = _encoded(payload.body), 0
        if may_hold_secret(raw):
            body, n_redacted = redact_json(payload.body)
            raw = _encoded(body)
        digest = _digest(raw)
        known = index.execute(
            "SELECT digest, source FROM payloads WHERE (repo, kind, key) = (?,?,?)",
            (batch.repo, payload.kind, payload.key),
        ).fetchone()
        if known is not None and (known[0] == digest or (known[1] == "api" and batch.source != "api")):
            return
        belongs = re.match(r"(-?\d+)/(\d+)(?:/|$)", payload.key)
        run_id, attempt = (int(belongs[1]), int(belongs[2])) if belongs else (None, None)
        head_sha = payload.body.get("head_sha") if payload.kind == "run" else None
        index.execute(
            "INSERT OR REPLACE INTO payloads VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                batch.repo, payload.kind, payload.key, run_id, attempt, head_sha, _month(payload.at), batch.source,
                digest, len(raw), n_redacted, zstandard.compress(raw),
            ),
        )  # fmt: skip
        totals.n_changed += 1
        totals.n_redacted += n_redacted

    def _put_log(
        self,
        index: sqlite3.Connection,
        batch: Batch,
        log: Log,
        totals: Written,
        months: dict[str, list[tuple[Any, ...]]],
    ) -> None:
        key = (batch.repo, log.run_id, log.attempt, log.job_id)
        raw, n_redacted = redact(log.body)
        digest = _digest(raw) if log.state == "present" else None
        totals.n_log_bytes += len(raw)
        known = index.execute(
            "SELECT state, digest FROM logs WHERE (repo, run_id, attempt, job_id) = (?,?,?,?)", key
        ).fetchone()
        if known is not None and _is_settled(known, log, digest):
            return
        month = _month(log.at)
        body = zstandard.compress(raw) if log.state == "present" else b""
        if log.state == "present":
            months.setdefault(month, []).append((*key, body))
        index.execute(
            "INSERT OR REPLACE INTO logs VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (*key, log.state, log.reason, month, batch.source, digest, len(raw), len(body), n_redacted),
        )
        totals.n_changed += 1
        totals.n_redacted += n_redacted

    def prunable(self, *, before: datetime, repo: str | None = None) -> tuple[int, int]:
        """Return how many logs, and stored bytes, `prune` would drop."""
        counted = self._connect("index.sqlite").execute(
            f"SELECT count(*), coalesce(sum(n_stored), 0) FROM logs WHERE {_PRUNABLE}",
            {"before": _month(before), "repo": repo},
        )
        n_logs, n_bytes = counted.fetchone()
        return n_logs, n_bytes

    def prune(self, *, before: datetime, repo: str | None = None) -> tuple[int, int]:
        """Drop the logs of whole months that end before that moment; return how many logs and bytes went.

        Facts drawn from them stay as they are: their state becomes `pruned`.
        """
        index = self._connect("index.sqlite")
        bound = {"before": _month(before), "repo": repo}
        counts = self.prunable(before=before, repo=repo)
        # Also months pruned before: a prune that was killed may have left their bodies.
        months = [month for (month,) in index.execute("SELECT DISTINCT month FROM logs WHERE month < :before", bound)]
        try:
            with transaction(index):
                index.execute(f"UPDATE logs SET state = 'pruned', n_stored = 0 WHERE {_PRUNABLE}", bound)
            for month in months:
                if not (self.path / _log_file(month)).is_file():
                    continue
                logs = self._connect(_log_file(month))
                with transaction(logs):
                    dropped = logs.execute("DELETE FROM logs WHERE :repo IS NULL OR repo = :repo", bound)
                if dropped.rowcount:
                    logs.execute("VACUUM")
        except sqlite3.DatabaseError as error:
            raise explained(error, self.path) from error
        return counts

    # -- reading ------------------------------------------------------------------------------------------

    def repos(self) -> list[str]:
        """Return the repositories that have something in the store, sorted."""
        rows = self._connect("index.sqlite").execute("SELECT DISTINCT repo FROM payloads ORDER BY repo")
        return [repo for (repo,) in rows]

    def payload(self, repo: str, kind: str, key: str) -> Any:
        """Return one payload's body, or None."""
        row = (
            self._connect("index.sqlite")
            .execute("SELECT body FROM payloads WHERE (repo, kind, key) = (?,?,?)", (repo, kind, key))
            .fetchone()
        )
        return None if row is None else _decoded(row[0])

    def payloads(self, repo: str, kind: str, *, month: str | None = None) -> Iterator[tuple[str, str, Any]]:
        """Yield (key, source, body) of every payload of that kind, by key; only that month's where one is given."""
        rows = self._connect("index.sqlite").execute(
            "SELECT key, source, body FROM payloads"
            " WHERE repo = ? AND kind = ? AND (? IS NULL OR month = ?) ORDER BY key",
            (repo, kind, month, month),
        )
        for key, source, body in rows:
            yield key, source, _decoded(body)

    def log_rows(self, repo: str, run_id: int, attempt: int) -> dict[int, tuple[LogState, int]]:
        """Return (state, uncompressed bytes) of every log of the attempt, by job id."""
        rows = self._connect("index.sqlite").execute(
            "SELECT job_id, state, n_bytes FROM logs WHERE (repo, run_id, attempt) = (?,?,?)",
            (repo, run_id, attempt),
        )
        return {job_id: (state, n_bytes) for job_id, state, n_bytes in rows}

    def log(self, repo: str, run_id: int, attempt: int, job_id: int) -> str | None:
        """Return the text of a log, or None where it is not held; bytes that are not UTF-8 become U+FFFD."""
        key = (repo, run_id, attempt, job_id)
        found = (
            self._connect("index.sqlite")
            .execute(
                "SELECT month FROM logs WHERE (repo, run_id, attempt, job_id) = (?,?,?,?) AND state = 'present'",
                key,
            )
            .fetchone()
        )
        if found is None:
            return None
        try:
            body = self._held_log(found[0], key)
            if body is not None:
                return zstandard.decompress(body).decode("utf-8", "replace")
        except (sqlite3.DatabaseError, zstandard.ZstdError):
            pass
        raise BadInput(
            self.path,
            f"the log of job {job_id} of run {run_id}/{attempt} is lost from {_log_file(found[0])}, or damaged",
            "run `kotaci store check`, then import or fetch it again",
        )

    def _held_log(self, month: str, key: Sequence[Any]) -> bytes | None:
        if not (self.path / _log_file(month)).is_file():
            return None
        row = (
            self._connect(_log_file(month))
            .execute("SELECT body FROM logs WHERE (repo, run_id, attempt, job_id) = (?,?,?,?)", tuple(key))
            .fetchone()
        )
        return None if row is None else bytes(row[0])

    def attempt_payloads(self, repo: str, run_id: int, attempt: int) -> list[tuple[str, str, str, Any]]:
        """Return (kind, key, source, body) of everything that belongs to the attempt, by kind and key."""
        rows = self._connect("index.sqlite").execute(
            "SELECT kind, key, source, body FROM payloads WHERE (repo, run_id, attempt) = (?,?,?)"
            # The plus signs keep SQLite from walking the whole repository in key order.
            " ORDER BY +kind, +key",
            (repo, run_id, attempt),
        )
        return [(kind, key, source, _decoded(body)) for kind, key, source, body in rows]

    def attempt_digests(self, repo: str) -> dict[str, dict[tuple[int, int], tuple[str, bool]]]:
        """Return by month, for each attempt, a digest of all it consists of, and whether a log was pruned.

        The digest changes when a payload or log changes, appears or goes, when the commit it ran on becomes known,
        and when a later attempt appears. The month is that of the run's payload.
        """
        with snapshot(self._connect("index.sqlite")) as index:
            last = self.last_attempts(repo)
            months: dict[tuple[int, int], str] = {}
            parts: dict[tuple[int, int], list[str]] = {}
            for run_id, attempt, month, commit in index.execute(
                "SELECT r.run_id, r.attempt, r.month, c.digest FROM payloads r LEFT JOIN payloads c"
                " ON (c.repo, c.kind, c.key) = (r.repo, 'commit', r.head_sha) WHERE r.repo = ? AND r.kind = 'run'",
                (repo,),
            ):
                months[run_id, attempt] = month
                parts[run_id, attempt] = [f"last {last.get(run_id)}", f"commit {commit.hex() if commit else ''}"]
            for run_id, attempt, kind, key, digest in index.execute(
                "SELECT run_id, attempt, kind, key, digest FROM payloads WHERE repo = ? AND run_id IS NOT NULL", (repo,)
            ):
                if (run_id, attempt) in parts:
                    parts[run_id, attempt].append(f"{kind} {key} {digest.hex()}")
            pruned = set()
            for run_id, attempt, job_id, state, digest in index.execute(
                "SELECT run_id, attempt, job_id, state, digest FROM logs WHERE repo = ?", (repo,)
            ):
                if (run_id, attempt) in parts:
                    parts[run_id, attempt].append(f"log {job_id} {digest.hex() if state == 'present' else state}")
                    if state == "pruned":
                        pruned.add((run_id, attempt))
        found: dict[str, dict[tuple[int, int], tuple[str, bool]]] = {}
        for key in sorted(parts, key=lambda key: (months[key], key)):
            digest = _digest("\n".join(sorted(parts[key])).encode()).hex()
            found.setdefault(months[key], {})[key] = (digest, key in pruned)
        return found

    def last_attempts(self, repo: str) -> dict[int, int]:
        """Return the highest attempt stored of every run."""
        rows = self._connect("index.sqlite").execute(
            "SELECT run_id, max(attempt) FROM payloads WHERE repo = ? AND kind = 'run' GROUP BY run_id",
            (repo,),
        )
        return dict(rows.fetchall())

    def kind_digest(self, repo: str, kinds: Sequence[str]) -> str:
        """Return a digest of all payloads of these kinds: equal means unchanged."""
        marks = ",".join("?" * len(kinds))
        rows = self._connect("index.sqlite").execute(
            f"SELECT kind, key, digest FROM payloads WHERE repo = ? AND kind IN ({marks}) ORDER BY kind, key",
            (repo, *kinds),
        )
        return _digest("\n".join(f"{kind} {key} {digest.hex()}" for kind, key, digest in rows).encode()).hex()

    def summary(self) -> dict[str, Any]:
        """Return what is in the store: payloads and logs by state, bytes, secrets redacted."""
        index = self._connect("index.sqlite")
        states = dict(index.execute("SELECT state, count(*) FROM logs GROUP BY state").fetchall())
        raw, stored = index.execute("SELECT coalesce(sum(n_bytes), 0), coalesce(sum(n_stored), 0) FROM logs").fetchone()
        redacted = sum(
            index.execute(f"SELECT coalesce(sum(n_redacted), 0) FROM {table}").fetchone()[0]
            for table in ("payloads", "logs")
        )
        return {
            "payloads": dict(
                index.execute("SELECT kind, count(*) FROM payloads GROUP BY kind ORDER BY kind").fetchall()
            ),
            "logs": {
                state: states.get(state, 0)
                for state in ("present", "expired", "never_written", "not_fetched", "pruned")
            },
            "log_bytes": raw,
            "stored_log_bytes": stored,
            "redacted": redacted,
            "redaction_rules": [
                version for (version,) in index.execute("SELECT version FROM redactions ORDER BY version")
            ],
            "disk_bytes": sum(map(_size, self.path.rglob("*"))),
        }

    def check(self) -> list[str]:
        """Return what is wrong with the store, one sentence each; an empty list is a healthy store."""
        problems = list[str]()
        for name in ("index.sqlite", *sorted(file.name for file in self.path.glob("logs-*.sqlite"))):
            try:
                (verdict,) = self._connect(name).execute("PRAGMA integrity_check(1)").fetchone()
            except (sqlite3.DatabaseError, KotaciError) as error:
                verdict = str(error)
            if verdict != "ok":
                problems.append(f"{name}: {verdict}")
        if any(problem.startswith("index.sqlite") for problem in problems):
            return problems
        index = self._connect("index.sqlite")
        for repo, kind, key, digest, body in index.execute("SELECT repo, kind, key, digest, body FROM payloads"):
            if not _is_whole(body, digest):
                problems.append(f"index.sqlite: {kind} {key} of {repo} is damaged")
        for month, key, state in self._broken_logs():
            problems.append(f"{_log_file(month)}: log of job {key[3]} of run {key[1]}/{key[2]} is {state}")
        return problems

    def forget_broken_logs(self) -> int:
        """Note lost and damaged logs as not fetched, so that an import or fetch brings them back; return how many."""
        broken = [key for _, key, _ in self._broken_logs()]
        index = self._connect("index.sqlite")
        with transaction(index):
            index.executemany(
                "UPDATE logs SET state = 'not_fetched', reason = 'damaged in the store', digest = NULL, n_stored = 0"
                " WHERE (repo, run_id, attempt, job_id) = (?,?,?,?)",
                broken,
            )
        return len(broken)

    def _broken_logs(self) -> Iterator[tuple[str, tuple[str, int, int, int], str]]:
        expected = self._connect("index.sqlite").execute(
            "SELECT month, digest, repo, run_id, attempt, job_id FROM logs WHERE state = 'present' ORDER BY month"
        )
        for month, digest, *key in expected.fetchall():
            try:
                body = self._held_log(month, key)
            except (sqlite3.DatabaseError, KotaciError):
                body = b""
            if body is None or not _is_whole(body, digest):
                yield month, (key[0], key[1], key[2], key[3]), "lost" if body is None else "damaged"

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold a lock of this store while the block runs; it ends with the process, however that ends."""
        try:
            connection = sqlite3.connect(self.path / f"{name}.lock", timeout=600, isolation_level=None)
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            raise explained(error, self.path) from error
        try:
            yield
        finally:
            connection.close()

    # -- connections --------------------------------------------------------------------------------------

    def _connections(self) -> dict[str, sqlite3.Connection]:
        if not hasattr(self._local, "connections"):
            self._local.connections = {}
        connections: dict[str, sqlite3.Connection] = self._local.connections
        return connections

    def _connect(self, name: str) -> sqlite3.Connection:
        held = self._connections()
        if name not in held:
            held[name] = open_database(self.path / name, kind="index" if name == "index.sqlite" else "logs")
        return held[name]


def open_store(path: Path, *, create: bool = False) -> Store:
    """Open the store in that folder; `create` makes a new one where there is none.

    Raises BadInput for a folder that is no store, a foreign or damaged database, or a store of a newer kotaci.
    """
    index = path / "index.sqlite"
    if not index.is_file():
        if path.exists() and not path.is_dir():
            raise BadInput(path, "is a file, not a store", "give a folder with --store")
        if not create:
            raise BadInput(path, "holds no store", "fill one with `kotaci import`, or name another with --store")
        if path.is_dir() and any(file.name != "facts" for file in path.iterdir()):
            raise BadInput(path, "is a folder with other things in it", "name an empty or new folder with --store")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(path, f"cannot be made ({error.strerror})", "name another folder with --store") from error
    store = Store(path)
    store.repos()
    return store


def _encoded(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")


def _is_settled(known: tuple[str, bytes | None], log: Log, digest: bytes | None) -> bool:
    """Policy: a log that is held is never given up for word that it is gone; one that was pruned stays pruned."""
    state, held = known
    return state == "pruned" or (state, held) == (log.state, digest) or (state == "present" and log.state != "present")


def _month(moment: datetime | None) -> str:
    return UNDATED if moment is None else f"{moment.astimezone(UTC):%Y-%m}"


def _log_file(month: str) -> str:
    return f"logs-{month}.sqlite"


def _digest(raw: bytes) -> bytes:
    return hashlib.blake2b(raw, digest_size=16).digest()


def _size(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() else 0
    except FileNotFoundError:  # SQLite drops its -wal and -shm while others look
        return 0


def _is_whole(body: bytes, digest: bytes) -> bool:
    try:
        return _digest(zstandard.decompress(body)) == digest
    except zstandard.ZstdError:
        return False


def _decoded(body: bytes) -> Any:
    return json.loads(zstandard.decompress(body))
