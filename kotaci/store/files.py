"""The files of a store: their names, this thread's connections to them, what the index answers, locks."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from kotaci.store.database import explained, explaining, open_database

UNDATED = "undated"

INDEX = "index.sqlite"


@dataclass
class Files:
    """The folder of an open store; one object may be used from several threads."""

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

    def size(self) -> int:
        """Return the bytes of all files in the store's folder, tables included."""
        return sum(map(_size, self.path.rglob("*")))

    @contextlib.contextmanager
    def lock(self, name: str, *, wait_s: float = 600) -> Iterator[None]:
        """Hold a lock of this store while the block runs; it ends with the process, however that ends.

        Raises BadInput where another process holds it for longer than `wait_s`.
        """
        try:
            connection = sqlite3.connect(self.path / f"{name}.lock", timeout=wait_s, isolation_level=None)
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            raise explained(error, self.path) from error
        try:
            yield
        finally:
            connection.close()

    def _rows(self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield what the index answers. Raises BadInput where it is damaged."""
        with explaining(self.path):
            yield from self._connect(INDEX).execute(statement, values)

    def _connections(self) -> dict[str, sqlite3.Connection]:
        if not hasattr(self._local, "connections"):
            self._local.connections = {}
        connections: dict[str, sqlite3.Connection] = self._local.connections
        return connections

    def _connect(self, name: str) -> sqlite3.Connection:
        held = self._connections()
        if name not in held:
            held[name] = open_database(self.path / name, kind="index" if name == INDEX else "logs")
        return held[name]


def month_of(moment: datetime | None) -> str:
    """Return the month in which the moment lies, in UTC."""
    return UNDATED if moment is None else f"{moment.astimezone(UTC):%Y-%m}"


def log_file(month: str) -> str:
    """Return the name of the database that holds the logs of that month."""
    return f"logs-{month}.sqlite"


def _size(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() else 0
    except FileNotFoundError:  # SQLite drops its -wal and -shm while others look
        return 0
