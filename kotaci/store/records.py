"""What goes into the store and comes out of it: payloads, logs, batches, answers, wants, totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

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
    """One job's log as received, or the reason why there is none; `at` is the start of its attempt.

    One that `is_partial` holds only some of its steps, and never replaces what is held. A body that is a path is a
    file that is read in parts while it is written: it must stay until the write has yielded, then its sender
    removes it.
    """

    run_id: int
    attempt: int
    job_id: int
    at: datetime | None
    body: bytes | Path = b""
    state: LogState = "present"
    reason: str = ""
    is_partial: bool = False


@dataclass(frozen=True)
class Answer:
    """An answer of the API that can be asked for again on condition: `url` is path and query as they were asked.

    `link` is the header Link, empty where there was none; `body` is JSON.
    """

    url: str
    etag: str
    link: str
    body: Any


@dataclass(frozen=True)
class Want:
    """What is still to be fetched: a row of the to-do list, named by `kind` ("run", "log" ...) and `key`.

    `at` decides its place, newest first; `body` is JSON that the one who fetches needs, such as a run as listed.
    """

    kind: str
    key: str
    at: datetime | None = None
    body: Any = None


@dataclass(frozen=True)
class Batch:
    """What is written together or not at all: usually one attempt of one run.

    `met` are kind and key of wants that are done with; they go before `wants` are added or replaced.
    """

    repo: str
    source: str
    payloads: Sequence[Payload] = ()
    logs: Sequence[Log] = ()
    wants: Sequence[Want] = ()
    met: Sequence[tuple[str, str]] = ()
    answers: Sequence[Answer] = ()


@dataclass
class Written:
    """What a write changed: batches seen, things that are new or differ, raw bytes of logs, secrets redacted.

    Wants and answers are not among them.
    """

    n_batches: int = 0
    n_changed: int = 0
    n_log_bytes: int = 0
    n_redacted: int = 0
