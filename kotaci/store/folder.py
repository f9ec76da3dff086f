"""The store's folder: batches in, payloads and logs out, a check, a pruning.

`index.sqlite` holds payloads and what is known of every log; `logs-YYYY-MM.sqlite` holds the logs of the attempts
that started in that month, so that a closed month never changes. Readers never block the writer (WAL). A batch is
written logs first, index last: a crash in between leaves a body that nobody refers to, never the reverse. A body is
keyed by its digest too, so a log that replaces another lies beside it until the index has the new digest; bodies are
deleted under the lock of the index, which every writer holds.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import zstandard

from kotaci.model import BadInput, KotaciError
from kotaci.redaction import may_hold_secret, read_rules, redact, redact_json
from kotaci.store.database import explained, explaining, open_database, snapshot, transaction
from kotaci.store.records import Batch, Log, LogState, Payload, Written

logger = logging.getLogger(__name__)

BATCH_BYTES = 16 * 2**20
"""Bytes gathered before a commit: one fsync for many small runs, yet little to redo after a crash."""

UNDATED = "undated"

_OURS = ("facts", "index.sqlite")
"""How names begin that may be in a folder before its index is seen: tables, and what another process just makes."""

_EMPTY: tuple[Any, ...] = (None, "", "unknown", [], {})
"""How a source says that it does not know."""

LogKey = tuple[str, int, int, int]
"""Repository, run id, attempt, job id."""

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

        Writing the same again changes nothing. Payloads of GitHub's API are not replaced by other sources', what
        other sources tell of a run is merged, and a part of a log does not replace what is held.
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
        totals, months, superseded = replace(before), dict[str, list[tuple[Any, ...]]](), list[tuple[Any, ...]]()
        with explaining(self.path):
            index = self._connect("index.sqlite")
            with transaction(index):
                spellings = {repo.lower(): repo for repo in self.repos()}
                for batch in batches:
                    # GitHub's names are the same in any case; the first spelling stays.
                    batch = replace(batch, repo=spellings.setdefault(batch.repo.lower(), batch.repo))  # noqa: PLW2901
                    totals.n_batches += 1
                    for payload in batch.payloads:
                        self._put_payload(index, batch, payload, totals)
                    for log in batch.logs:
                        superseded += self._put_log(index, batch, log, totals, months)
                for month, rows in months.items():
                    with transaction(self._connect(_log_file(month))) as logs:
                        logs.executemany("INSERT OR REPLACE INTO logs VALUES (?,?,?,?,?,?)", rows)
                index.execute("INSERT OR IGNORE INTO redactions VALUES (?)", (read_rules().version,))
            if superseded:
                self._drop_superseded(index, superseded)
        told = {"batches": len(batches), "changed": totals.n_changed - before.n_changed, "months": sorted(months)}
        logger.info("stored", extra=told)
        return totals

    def _drop_superseded(self, index: sqlite3.Connection, bodies: Sequence[tuple[Any, ...]]) -> None:
        """Delete the bodies, each given as its month, key and digest, that the index still does not refer to."""
        with transaction(index):
            unheld: dict[str, list[list[Any]]] = {}
            for month, *body in bodies:
                held = index.execute(
                    "SELECT 1 FROM logs WHERE (month, repo, run_id, attempt, job_id, digest) = (?,?,?,?,?,?)",
                    (month, *body),
                )
                if held.fetchone() is None and (self.path / _log_file(month)).is_file():
                    unheld.setdefault(month, []).append(body)
            for month, rows in unheld.items():
                with transaction(self._connect(_log_file(month))) as logs:
                    logs.executemany(
                        "DELETE FROM logs WHERE (repo, run_id, attempt, job_id, digest) = (?,?,?,?,?)", rows
                    )

    def _put_payload(self, index: sqlite3.Connection, batch: Batch, payload: Payload, totals: Written) -> None:
        body, n_redacted, month = payload.body, 0, _month(payload.at)
        raw = _encoded(body)
        if may_hold_secret(raw):
            body, n_redacted = redact_json(body)
            raw = _encoded(body)
        known = index.execute(
            "SELECT digest, source, month, body FROM payloads WHERE (repo, kind, key) = (?,?,?)",
            (batch.repo, payload.kind, payload.key),
        ).fetchone()
        if known is not None and batch.source != "api":
            if known[1] == "api" or (payload.kind == "job" and body.get("is_partial")):
                return
            if payload.kind == "run":
                body = _merged(self._decoded(batch.repo, payload.kind, payload.key, known[3]), body)
                raw = _encoded(body)
                month = known[2] if known[2] != UNDATED else month
        digest = _digest(raw)
        if known is not None and known[0] == digest:
            return
        belongs = re.match(r"(-?\d+)/(\d+)(?:/|$)", payload.key)
        run_id, attempt = (int(belongs[1]), int(belongs[2])) if belongs else (None, None)
        head_sha = body.get("head_sha") if payload.kind == "run" else None
        index.execute(
            "INSERT OR REPLACE INTO payloads VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                batch.repo, payload.kind, payload.key, run_id, attempt, head_sha, month, batch.source,
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
    ) -> Iterator[tuple[Any, ...]]:
        """Note the log in the index, and its body for its month; yield month, key and digest of the one it replaces."""
        key = (batch.repo, log.run_id, log.attempt, log.job_id)
        raw, n_redacted = redact(log.body)
        digest = _digest(raw) if log.state == "present" else None
        totals.n_log_bytes += len(raw)
        known = index.execute(
            "SELECT state, digest, month FROM logs WHERE (repo, run_id, attempt, job_id) = (?,?,?,?)", key
        ).fetchone()
        if known is not None and _is_settled(known[:2], log, digest):
            return
        month = _month(log.at)
        body = zstandard.compress(raw) if log.state == "present" else b""
        if log.state == "present":
            months.setdefault(month, []).append((*key, digest, body))
        index.execute(
            "INSERT OR REPLACE INTO logs VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (*key, log.state, log.reason, month, batch.source, digest, len(raw), len(body), n_redacted),
        )
        totals.n_changed += 1
        totals.n_redacted += n_redacted
        if known is not None and known[0] == "present":
            yield (known[2], *key, known[1])

    def prunable(self, *, before: datetime, repo: str | None = None) -> tuple[int, int]:
        """Return how many logs, and stored bytes, `prune` would drop."""
        ((n_logs, n_bytes),) = self._rows(
            f"SELECT count(*), coalesce(sum(n_stored), 0) FROM logs WHERE {_PRUNABLE}",
            {"before": _month(before), "repo": repo},
        )
        return n_logs, n_bytes

    def prune(self, *, before: datetime, repo: str | None = None) -> tuple[int, int]:
        """Drop the logs of whole months that end before that moment; return how many logs and bytes went.

        Facts drawn from them stay as they are: their state becomes `pruned`.
        """
        bound = {"before": _month(before), "repo": repo}
        counts = self.prunable(before=before, repo=repo)
        with explaining(self.path):
            index = self._connect("index.sqlite")
            with transaction(index):
                index.execute(f"UPDATE logs SET state = 'pruned', n_stored = 0 WHERE {_PRUNABLE}", bound)
            # Also months pruned before: a prune that was killed may have left their bodies.
            for (month,) in list(self._rows("SELECT DISTINCT month FROM logs WHERE month < :before", bound)):
                if (self.path / _log_file(month)).is_file():
                    self._drop_pruned(index, month)
        return counts

    def _drop_pruned(self, index: sqlite3.Connection, month: str) -> None:
        """Delete the bodies of a month's pruned logs."""
        logs = self._connect(_log_file(month))
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

    # -- reading ------------------------------------------------------------------------------------------

    def _rows(self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield what the index answers. Raises BadInput where it is damaged."""
        with explaining(self.path):
            yield from self._connect("index.sqlite").execute(statement, values)

    def _decoded(self, repo: str, kind: str, key: str, body: bytes) -> Any:
        try:
            return json.loads(zstandard.decompress(body))
        except (zstandard.ZstdError, ValueError) as error:
            raise BadInput(self.path, f"{kind} {key} of {repo} is damaged", "run `kotaci store check`") from error

    def repos(self) -> list[str]:
        """Return the repositories that have something in the store, sorted."""
        rows = self._rows("SELECT DISTINCT repo FROM payloads ORDER BY repo")
        return [repo for (repo,) in rows]

    def payload(self, repo: str, kind: str, key: str) -> Any:
        """Return one payload's body, or None. This and all that reads payloads raises BadInput for a damaged one."""
        rows = list(self._rows("SELECT body FROM payloads WHERE (repo, kind, key) = (?,?,?)", (repo, kind, key)))
        return self._decoded(repo, kind, key, rows[0][0]) if rows else None

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

    def log(self, repo: str, run_id: int, attempt: int, job_id: int) -> str | None:
        """Return the text of a log, or None where it is not held; bytes that are not UTF-8 become U+FFFD."""
        key, before = (repo, run_id, attempt, job_id), None
        # Looked up again where the body is gone: the log may have been replaced or pruned in between.
        while (held := self._told_log(key)) is not None and held != before:
            with contextlib.suppress(sqlite3.DatabaseError, zstandard.ZstdError):
                body = self._held_log(*held, key)
                if body is not None:
                    return zstandard.decompress(body).decode("utf-8", "replace")
            before = held
        if held is None:
            return None
        raise BadInput(
            self.path,
            f"the log of job {job_id} of run {run_id}/{attempt} is lost from {_log_file(held[0])}, or damaged",
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
        if not (self.path / _log_file(month)).is_file():
            return None
        row = (
            self._connect(_log_file(month))
            .execute(
                "SELECT body FROM logs WHERE (repo, run_id, attempt, job_id, digest) = (?,?,?,?,?)", (*key, digest)
            )
            .fetchone()
        )
        return None if row is None else bytes(row[0])

    def attempt_payloads(self, repo: str, run_id: int, attempt: int) -> list[tuple[str, str, str, Any]]:
        """Return (kind, key, source, body) of everything that belongs to the attempt, by kind and key."""
        rows = self._rows(
            "SELECT kind, key, source, body FROM payloads WHERE (repo, run_id, attempt) = (?,?,?)"
            # The plus signs keep SQLite from walking the whole repository in key order.
            " ORDER BY +kind, +key",
            (repo, run_id, attempt),
        )
        return [(kind, key, source, self._decoded(repo, kind, key, body)) for kind, key, source, body in rows]

    def attempt_digests(self, repo: str) -> dict[str, dict[tuple[int, int], tuple[str, bool]]]:
        """Return by month, for each attempt, a digest of all it consists of, and whether a log was pruned.

        The digest changes when a payload or log changes, appears or goes, when the commit it ran on becomes known,
        and when a later attempt appears. The month is that of the run's payload.
        """
        with snapshot(self._connect("index.sqlite")):
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
                if (run_id, attempt) in parts:
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
            digest = _digest("\n".join(sorted(parts[key])).encode()).hex()
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
            f"SELECT kind, key, digest FROM payloads WHERE repo = ? AND kind IN ({marks}) ORDER BY kind, key",
            (repo, *kinds),
        )
        return _digest("\n".join(f"{kind} {key} {digest.hex()}" for kind, key, digest in rows).encode()).hex()

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
            "size": sum(map(_size, self.path.rglob("*"))),
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
        for repo, kind, key in self._broken_payloads():
            problems.append(f"index.sqlite: {kind} {key} of {repo} is damaged")
        for month, (_, run_id, attempt, job_id), state in self._broken_logs():
            problems.append(f"{_log_file(month)}: log of job {job_id} of run {run_id}/{attempt} is {state}")
        return problems

    def forget_broken(self) -> int:
        """Drop damaged payloads and note lost and damaged logs as not fetched; return how many of both.

        An import or fetch then brings them back.
        """
        payloads = list(self._broken_payloads())
        logs = [key for _, key, _ in self._broken_logs()]
        with explaining(self.path), transaction(self._connect("index.sqlite")) as index:
            index.executemany("DELETE FROM payloads WHERE (repo, kind, key) = (?,?,?)", payloads)
            index.executemany(
                "UPDATE logs SET state = 'not_fetched', reason = 'damaged in the store', digest = NULL, n_stored = 0"
                " WHERE (repo, run_id, attempt, job_id) = (?,?,?,?)",
                logs,
            )
        return len(payloads) + len(logs)

    def _broken_payloads(self) -> Iterator[tuple[str, str, str]]:
        for repo, kind, key, digest, body in self._rows("SELECT repo, kind, key, digest, body FROM payloads"):
            if not _is_whole(body, digest):
                yield repo, kind, key

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
            if body is None or not _is_whole(body, digest):
                yield month, key, "lost" if body is None else "damaged"

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
            raise BadInput(path, "holds no store", "fill one with `kotaci import`, or try `kotaci report --sample`")
        if path.is_dir() and any(not file.name.startswith(_OURS) for file in path.iterdir()):
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
    """Policy: a log that is held is never given up for a part or word that it is gone; a pruned one stays pruned."""
    state, held = known
    is_less = log.state != "present" or log.is_partial
    return state == "pruned" or (state, held) == (log.state, digest) or (state == "present" and is_less)


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return what two sources tell of one run: the newer word, where it is not empty."""
    return {**old, **{key: value for key, value in new.items() if value not in _EMPTY or key not in old}}


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
