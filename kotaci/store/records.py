"""What goes into the store and comes out of a write: payloads, logs, batches, totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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

    One that `is_partial` holds only some of its steps, and never replaces what is held.
    """

    run_id: int
    attempt: int
    job_id: int
    at: datetime | None
    body: bytes = b""
    state: LogState = "present"
    reason: str = ""
    is_partial: bool = False


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
