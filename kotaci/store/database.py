"""One SQLite file of the store: opened, told from foreign ones, migrated; its errors in words."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from kotaci.model import BadInput, Incomplete, KotaciError

APPLICATION_ID = 0x6B6F7461
"""`kota`: tells our SQLite files from foreign ones."""


_MIGRATIONS: dict[str, tuple[str, ...]] = {
    "index": (
        """
        CREATE TABLE payloads (
          repo TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, run_id INTEGER, attempt INTEGER, head_sha TEXT,
          month TEXT NOT NULL, source TEXT NOT NULL, digest BLOB NOT NULL, n_bytes INTEGER NOT NULL,
          n_redacted INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (repo, kind, key));
        CREATE INDEX payloads_by_attempt ON payloads (repo, run_id, attempt, kind);
        CREATE INDEX payloads_by_month ON payloads (repo, kind, month, run_id, attempt, head_sha);
        CREATE TABLE logs (
          repo TEXT NOT NULL, run_id INTEGER NOT NULL, attempt INTEGER NOT NULL, job_id INTEGER NOT NULL,
          state TEXT NOT NULL, reason TEXT NOT NULL, month TEXT NOT NULL, source TEXT NOT NULL, digest BLOB,
          n_bytes INTEGER NOT NULL, n_stored INTEGER NOT NULL, n_redacted INTEGER NOT NULL,
          PRIMARY KEY (repo, run_id, attempt, job_id)) WITHOUT ROWID;
        CREATE TABLE redactions (version INTEGER PRIMARY KEY);
        """,
        """
        ALTER TABLE logs ADD COLUMN is_partial INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX logs_in_part ON logs (repo, run_id, attempt, job_id) WHERE is_partial AND state = 'present';
        CREATE TABLE wants (
          repo TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, place INTEGER NOT NULL, digest BLOB NOT NULL,
          body BLOB NOT NULL, PRIMARY KEY (repo, kind, key));
        CREATE INDEX wants_by_place ON wants (repo, kind, place, key);
        CREATE TABLE answers (
          repo TEXT NOT NULL, url TEXT NOT NULL, etag TEXT NOT NULL, link TEXT NOT NULL,
          digest BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY (repo, url));
        CREATE TABLE former_names (
          number INTEGER PRIMARY KEY, repo TEXT NOT NULL, former TEXT NOT NULL, UNIQUE (repo, former));
        """,
    ),
    "logs": (
        """
        CREATE TABLE logs (
          repo TEXT NOT NULL, run_id INTEGER NOT NULL, attempt INTEGER NOT NULL, job_id INTEGER NOT NULL,
          digest BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY (repo, run_id, attempt, job_id, digest));
        """,
    ),
}
"""For each kind of database, the script that leads from one version of its schema to the next."""


class StoreFull(Incomplete):
    """The disk or quota is full; what was reported stored is kept."""


def open_database(file: Path, *, kind: str) -> sqlite3.Connection:
    """Return a connection to a database of that kind (`index` or `logs`), made or migrated where that is needed.

    Raises BadInput for a foreign or damaged file, or one that a newer kotaci wrote.
    """
    try:
        connection = sqlite3.connect(file, timeout=60, isolation_level=None)
    except sqlite3.DatabaseError as error:
        raise explained(error, file) from error
    try:
        _migrate(connection, file, _MIGRATIONS[kind])
    except sqlite3.DatabaseError as error:
        connection.close()
        raise explained(error, file) from error
    except BadInput:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, file: Path, migrations: Sequence[str]) -> None:
    with snapshot(connection):
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
            _switch_to_wal(connection)
        with transaction(connection):
            # Another process may have migrated it between the look above and this lock.
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            for script in migrations[version:]:
                for statement in filter(str.strip, script.split(";")):
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(migrations)}")
    connection.execute("PRAGMA synchronous = FULL")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # Of two that switch at once SQLite refuses one at once; it waits for the other here, and looks again.
    for _ in range(100):
        with contextlib.suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL")
            return
        with transaction(connection):
            pass


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Several writes, all or none."""
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
def snapshot(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Several reads of one moment, whatever is written meanwhile."""
    connection.execute("BEGIN")
    try:
        yield connection
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextlib.contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Raise SQLite's errors as those that a person can act on."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise explained(error, path) from error


def explained(error: sqlite3.DatabaseError, path: Path) -> KotaciError:
    """Return SQLite's error as one that a person can act on."""
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
