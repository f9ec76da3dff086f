"""The store: a folder with an index of payloads and one log database a month; the only user of sqlite3.

Raw is sacred: what comes in stays as received, but for redacted secrets, and everything else is rebuilt from it.
`index.sqlite` holds payloads and what is known of every log; `logs-YYYY-MM.sqlite` holds the logs of the attempts
that started in that month, so that a closed month never changes. Readers never block the writer (WAL). A batch is
written logs first, index last: a crash in between leaves a log that nobody refers to, never the reverse.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

import zstandard

from kotaci.model import BadInput, KotaciError
from kotaci.redaction import read_rules, redact, redact_json

APPLICATION_ID = 0x6B6F7461
"""`kota`: tells our SQLite files from foreign ones."""

BATCH_BYTES = 16 * 2**20
"""Bytes gathered before a commit: one fsync for many small runs, yet little to redo after a crash."""

UNDATED = "undated"

_MIGRATIONS: dict[str, tuple[str, ...]] = {
    "index": (
        """
        CREATE TABLE payloads (
          repo TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, run_id INTEGER, attempt INTEGER, head_sha TEXT,
          month TEXT NOT NULL, source TEXT NOT NULL, digest BLOB NOT NULL, n_bytes INTEGER NOT NULL,
          n_redacted INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (repo, kind, key));
        CREATE INDEX payloads_by_attempt ON payloads (repo, run_id, attempt);
        CREATE TABLE logs (
          repo TEXT NOT NULL, run_id INTEGER NOT NULL, attempt INTEGER NOT NULL, job_id INTEGER NOT NULL,
          state TEXT NOT NULL, reason TEXT NOT NULL, month TEXT NOT NULL, source TEXT NOT NULL, digest BLOB,
          n_bytes INTEGER NOT NULL, n_stored INTEGER NOT NULL, n_redacted INTEGER NOT NULL,
          PRIMARY KEY (repo, run_id, attempt, job_id)) WITHOUT ROWID;
        CREATE TABLE redactions (version INTEGER PRIMARY KEY);
        """,
    ),
    "logs": (
        """
        CREATE TABLE logs (
          repo TEXT NOT NULL, run_id INTEGER NOT NULL, attempt INTEGER NOT NULL, job_id INTEGER NOT NULL,
          body BLOB NOT NULL, PRIMARY KEY (repo, run_id, attempt, job_id));
        """,
    ),
}
"""For each kind of database, the script that leads from one version of its schema to the next."""

_PRUNABLE = "state = 'present' AND month < :before AND (:repo IS NULL OR repo = :repo)"
"""Logs of months before that one; `undated` sorts after every month."""

LogState = Literal["present", "expired", "never_written", "not_fetched", "pruned"]


@dataclass(frozen=True)
class Payload:
    """One thing as a source gave it: `kind` and `key` name it, `body` is JSON, `at` decides its month.

    Keys of what belongs to an attempt begin with `RUN_ID/ATTEMPT`.
    """

    kind: str
    key: str
    body: Any
    at: datetime | None = None


@dataclass(frozen=True)
class Log:
    """One job's log as received, or the reason why there is none; `at` is the start of its attempt."""

    run_id: int
    attempt: int
    job_id: int
    at: datetime | None
    body: bytes = b""
    state: LogState = "present"
    reason: str = ""


@dataclass(frozen=True)
class Batch:
    """What is written together or not at all: usually one attempt of one run."""

    repo: str
    source: str
    payloads: Sequence[Payload] = ()
    logs: Sequence[Log] = ()


@dataclass
class Written:
    """What a write changed: batches seen, things that are new or differ, raw bytes of logs, secrets redacted."""

    n_batches: int = 0
    n_changed: int = 0
    n_log_bytes: int = 0
    n_redacted: int = 0


class StoreFull(KotaciError):
    """The disk or quota is full; what was reported stored is kept."""


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
            with _transaction(index):
                months: dict[str, list[tuple[Any, ...]]] = {}
                for batch in batches:
                    totals.n_batches += 1
                    for payload in batch.payloads:
                        self._put_payload(index, batch, payload, totals)
                    for log in batch.logs:
                        self._put_log(index, batch, log, totals, months)
                for month, rows in months.items():
                    with _transaction(self._connect(_log_file(month))) as logs:
                        logs.executemany("INSERT OR REPLACE INTO logs VALUES (?,?,?,?,?)", rows)
                index.execute("INSERT OR IGNORE INTO redactions VALUES (?)", (read_rules().version,))
        except sqlite3.DatabaseError as error:
            raise _explained(error, self.path) from error
        return totals

    def _put_payload(self, index: sqlite3.Connection, batch: Batch, payload: Payload, totals: Written) -> None:
        body, n_redacted = redact_json(payload.body)
        raw = json.dumps(body, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")
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
        months = [month for (month,) in index.execute(f"SELECT DISTINCT month FROM logs WHERE {_PRUNABLE}", bound)]
        try:
            with _transaction(index):
                index.execute(f"UPDATE logs SET state = 'pruned', n_stored = 0 WHERE {_PRUNABLE}", bound)
            for month in months:
                logs = self._connect(_log_file(month))
                with _transaction(logs):
                    logs.execute("DELETE FROM logs WHERE :repo IS NULL OR repo = :repo", bound)
                logs.execute("VACUUM")
        except sqlite3.DatabaseError as error:
            raise _explained(error, self.path) from error
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

    def months(self, repo: str, kinds: Sequence[str]) -> list[str]:
        """Return the months (`2026-11`, or `undated`) that hold payloads of these kinds, sorted."""
        marks = ",".join("?" * len(kinds))
        rows = self._connect("index.sqlite").execute(
            f"SELECT DISTINCT month FROM payloads WHERE repo = ? AND kind IN ({marks}) ORDER BY month",
            (repo, *kinds),
        )
        return [month for (month,) in rows]

    def attempt_payloads(self, repo: str, run_id: int, attempt: int) -> list[tuple[str, str, str, Any]]:
        """Return (kind, key, source, body) of everything that belongs to the attempt, by kind and key."""
        rows = self._connect("index.sqlite").execute(
            "SELECT kind, key, source, body FROM payloads WHERE (repo, run_id, attempt) = (?,?,?) ORDER BY kind, key",
            (repo, run_id, attempt),
        )
        return [(kind, key, source, _decoded(body)) for kind, key, source, body in rows]

    def attempt_digests(self, repo: str, month: str) -> dict[tuple[int, int], tuple[str, bool]]:
        """Return for each attempt of the month a digest of all it consists of, and whether a log was pruned.

        The digest changes when a payload or log changes, appears or goes, when the commit it ran on becomes known,
        and when a later attempt appears.
        """
        with _snapshot(self._connect("index.sqlite")) as index:
            return self._attempt_digests(index, repo, month)

    def _attempt_digests(
        self, index: sqlite3.Connection, repo: str, month: str
    ) -> dict[tuple[int, int], tuple[str, bool]]:
        last = self.last_attempts(repo)
        parts: dict[tuple[int, int], list[str]] = {}
        for run_id, attempt, commit in index.execute(
            "SELECT r.run_id, r.attempt, c.digest FROM payloads r LEFT JOIN payloads c"
            " ON (c.repo, c.kind, c.key) = (r.repo, 'commit', r.head_sha)"
            " WHERE r.repo = ? AND r.kind = 'run' AND r.month = ?",
            (repo, month),
        ):
            parts[run_id, attempt] = [f"last {last.get(run_id)}", f"commit {commit.hex() if commit else ''}"]
        of_month = "(SELECT run_id, attempt FROM payloads WHERE repo = ?1 AND kind = 'run' AND month = ?2)"
        for run_id, attempt, kind, key, digest in index.execute(
            "SELECT run_id, attempt, kind, key, digest FROM payloads"
            f" WHERE repo = ?1 AND (run_id, attempt) IN {of_month} ORDER BY kind, key",
            (repo, month),
        ):
            parts[run_id, attempt].append(f"{kind} {key} {digest.hex()}")
        pruned = set()
        for run_id, attempt, job_id, state, digest in index.execute(
            "SELECT run_id, attempt, job_id, state, digest FROM logs"
            f" WHERE repo = ?1 AND (run_id, attempt) IN {of_month} ORDER BY job_id",
            (repo, month),
        ):
            parts[run_id, attempt].append(f"log {job_id} {digest.hex() if state == 'present' else state}")
            if state == "pruned":
                pruned.add((run_id, attempt))
        return {key: (_digest("\n".join(lines).encode()).hex(), key in pruned) for key, lines in parts.items()}

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
        expected = index.execute(
            "SELECT month, repo, run_id, attempt, job_id, digest FROM logs WHERE state = 'present' ORDER BY month"
        ).fetchall()
        for month, *log_key, digest in expected:
            try:
                body = self._held_log(month, log_key)
            except (sqlite3.DatabaseError, KotaciError):
                body = b""
            if body is None or not _is_whole(body, digest):
                state = "lost" if body is None else "damaged"
                problems.append(
                    f"{_log_file(month)}: log of job {log_key[3]} of run {log_key[1]}/{log_key[2]} is {state}"
                )
        return problems

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold a lock of this store while the block runs; it ends with the process, however that ends."""
        try:
            connection = sqlite3.connect(self.path / f"{name}.lock", timeout=600, isolation_level=None)
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            raise _explained(error, self.path) from error
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
            held[name] = _open_database(self.path / name, kind="index" if name == "index.sqlite" else "logs")
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


def _open_database(file: Path, *, kind: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(file, timeout=60, isolation_level=None)
    except sqlite3.DatabaseError as error:
        raise _explained(error, file) from error
    try:
        _migrate(connection, file, _MIGRATIONS[kind])
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _explained(error, file) from error
    except BadInput:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, file: Path, migrations: Sequence[str]) -> None:
    with _snapshot(connection):
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (n_tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id != APPLICATION_ID and n_tables:
        raise BadInput(file, "is not a database of kotaci", "name another folder with --store")
    if version > len(migrations):
        raise BadInput(
            file,
            f"was written by a newer kotaci (schema {version}, known here up to {len(migrations)})",
            "upgrade kotaci, or name another folder with --store",
        )
    if version < len(migrations):
        if not n_tables:
            connection.execute("PRAGMA journal_mode = WAL")
        with _transaction(connection):
            # Another process may have migrated it between the look above and this lock.
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            for script in migrations[version:]:
                for statement in filter(str.strip, script.split(";")):
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(migrations)}")
    connection.execute("PRAGMA synchronous = FULL")


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself where the disk was full.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Several reads of one moment, whatever is written meanwhile."""
    connection.execute("BEGIN")
    try:
        yield connection
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _explained(error: sqlite3.DatabaseError, path: Path) -> KotaciError:
    text = str(error)
    if "full" in text or "disk I/O" in text:
        return StoreFull(
            path,
            f"cannot be written further ({text})",
            "free some space and run the same again; what was stored is kept",
        )
    if "readonly" in text or "unable to open" in text:
        return BadInput(path, f"cannot be opened ({text})", "check the folder's permissions")
    if "locked" in text:
        return BadInput(path, "is being written by another kotaci", "wait for it to finish")
    return BadInput(
        path,
        f"is damaged or not a database of kotaci ({text})",
        "name another folder with --store, or import anew",
    )


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
