"""Batches into the store: payloads, logs, wants and answers, all of a batch or nothing.

A batch is written logs first, index last: a crash in between leaves a body that nobody refers to, never the reverse.
A body is keyed by its digest too, so a log that replaces another lies beside it until the index has the new digest;
bodies are deleted under the lock of the index, which every writer holds.
"""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import zstandard

from kotaci.redaction import read_rules
from kotaci.store.bodies import Packed, digest_of, encode, pack_log, to_bytes
from kotaci.store.database import explaining, transaction
from kotaci.store.files import INDEX, UNDATED, log_file, month_of
from kotaci.store.joining import Joined, join_attempt
from kotaci.store.reading import LogKey, Reading
from kotaci.store.records import Batch, Log, Payload, Written
from kotaci.store.wants import drop_want, put_answer, put_want

logger = logging.getLogger(__name__)

BATCH_BYTES = 16 * 2**20
"""Bytes gathered before a commit: one fsync for many small runs, yet little to redo after a crash."""

_EMPTY: tuple[Any, ...] = (None, "", "unknown", [], {})
"""How a source says that it does not know."""


@dataclass
class Commit:
    """What one transaction has written so far."""

    index: sqlite3.Connection
    totals: Written = field(default_factory=Written)
    packed: dict[int, Packed] = field(default_factory=dict)
    """Logs as they are kept, by `id` of what was given"""
    changed: dict[tuple[Any, ...], int] = field(default_factory=dict)
    """What is new or differs, with the secrets in it: ("job", repo, key) and the like, ("log", repo, run ...)"""
    months: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    """Bodies of logs for the databases of their months"""
    superseded: list[tuple[Any, ...]] = field(default_factory=list)
    """Month, key and digest of bodies that the index refers to no longer"""
    attempts: dict[tuple[str, int, int], None] = field(default_factory=dict)
    """Attempts of which something was given, in that order"""


class Writing(Reading):
    """Writes batches."""

    def write(self, batches: Iterable[Batch]) -> Iterator[Written]:
        """Write the batches and yield the running totals after each commit: what was yielded is safe.

        Writing the same again changes nothing. Payloads of GitHub's API are not replaced by other sources', what
        other sources tell of a run is merged, and a part of a log does not replace what is held. An imported job
        becomes one with the job of the API that has its name. Raises StoreFull where the disk is full.
        """
        totals, waiting, n_waiting = Written(), list[Batch](), 0
        for batch in batches:
            waiting.append(batch)
            n_waiting += sum(map(_size_of, batch.logs))
            if n_waiting >= BATCH_BYTES or len(waiting) >= 256:
                totals = self._commit(waiting, totals)
                waiting, n_waiting = [], 0
                yield totals
        if waiting:
            yield self._commit(waiting, totals)

    def _commit(self, batches: Sequence[Batch], before: Written) -> Written:
        with explaining(self.path):
            # Before the lock is taken: others need not wait while a large log is packed.
            packed = {id(log): pack_log(log.body) for batch in batches for log in batch.logs}
            commit = Commit(self._connect(INDEX), replace(before), packed)
            with transaction(commit.index):
                spellings = self.spellings()
                for batch in batches:
                    # The first spelling stays.
                    self._put(commit, replace(batch, repo=spellings.setdefault(batch.repo.lower(), batch.repo)))
                for month, rows in commit.months.items():
                    with transaction(self._connect(log_file(month))) as logs:
                        logs.executemany("INSERT OR REPLACE INTO logs VALUES (?,?,?,?,?,?)", rows)
                for attempt in commit.attempts:
                    self._join(commit, *attempt)
                commit.index.execute("INSERT OR IGNORE INTO redactions VALUES (?)", (read_rules().version,))
            if commit.superseded:
                self._drop_superseded(commit.index, commit.superseded)
        commit.totals.n_changed += len(commit.changed)
        commit.totals.n_redacted += sum(commit.changed.values())
        logger.info(
            "stored",
            extra={"batches": len(batches), "changed": len(commit.changed), "months": sorted(commit.months)},
        )
        return commit.totals

    def _put(self, commit: Commit, batch: Batch) -> None:
        commit.totals.n_batches += 1
        for payload in batch.payloads:
            self._put_payload(commit, batch, payload)
        for log in batch.logs:
            self._put_log(commit, batch, log)
        for kind, key in batch.met:
            drop_want(commit.index, batch.repo, kind, key)
        for want in batch.wants:
            put_want(commit.index, batch.repo, want)
        for answer in batch.answers:
            put_answer(commit.index, batch.repo, answer)

    def _put_payload(self, commit: Commit, batch: Batch, payload: Payload) -> None:
        raw, n_redacted = encode(payload.body)
        source, month = batch.source, month_of(payload.at)
        belongs = re.match(r"(-?\d+)/(\d+)(?:/|$)", payload.key)
        run_id, attempt = (int(belongs[1]), int(belongs[2])) if belongs else (None, None)
        if run_id is not None and attempt is not None and payload.kind in {"run", "job"}:
            commit.attempts[batch.repo, run_id, attempt] = None
        known = commit.index.execute(
            "SELECT digest, source, month, body FROM payloads WHERE (repo, kind, key) = (?,?,?)",
            (batch.repo, payload.kind, payload.key),
        ).fetchone()
        if known is not None and known[0] != digest_of(raw):
            held = (batch.repo, payload.kind, payload.key, known[3])
            is_told = known[1] == "api" and source != "api"
            if payload.kind == "commit":
                raw = _with_workflows(self._decoded(*held), json.loads(raw), is_told)
                source, month = (known[1], known[2]) if is_told else (source, month)
            elif is_told or (source != "api" and payload.kind == "job" and payload.body.get("is_partial")):
                return
            elif payload.kind == "run" and source != "api":
                raw = to_bytes(_merged(self._decoded(*held), json.loads(raw)))
                month = known[2] if known[2] != UNDATED else month
        digest = digest_of(raw)
        if known is not None and known[0] == digest:
            return
        head_sha = json.loads(raw).get("head_sha") if payload.kind == "run" else None
        commit.index.execute(
            "INSERT OR REPLACE INTO payloads VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                batch.repo, payload.kind, payload.key, run_id, attempt, head_sha, month, source, digest, len(raw),
                n_redacted, zstandard.compress(raw),
            ),
        )  # fmt: skip
        commit.changed[payload.kind, batch.repo, payload.key] = n_redacted

    def _put_log(self, commit: Commit, batch: Batch, log: Log) -> None:
        """Note the log in the index, and its body for its month."""
        key: LogKey = (batch.repo, log.run_id, log.attempt, log.job_id)
        commit.attempts[key[:3]] = None
        packed = commit.packed[id(log)]
        digest = packed.digest if log.state == "present" else None
        commit.totals.n_log_bytes += packed.n_bytes
        known = commit.index.execute(
            "SELECT state, digest, is_partial, month FROM logs WHERE (repo, run_id, attempt, job_id) = (?,?,?,?)", key
        ).fetchone()
        if known is not None and _is_settled(known[:3], log, digest):
            return
        month = month_of(log.at)
        body = packed.stored if log.state == "present" else b""
        if log.state == "present":
            commit.months.setdefault(month, []).append((*key, digest, body))
        commit.index.execute(
            "INSERT OR REPLACE INTO logs VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                *key, log.state, log.reason, month, batch.source, digest, packed.n_bytes, len(body), packed.n_redacted,
                log.is_partial and log.state == "present",
            ),
        )  # fmt: skip
        commit.changed["log", *key] = packed.n_redacted
        if known is not None and known[0] == "present":
            commit.superseded.append((known[3], *key, known[1]))

    def _join(self, commit: Commit, repo: str, run_id: int, attempt: int) -> None:
        """Make imported jobs of the attempt one with those that the API tells of."""
        for joined in join_attempt(commit.index, repo, run_id, attempt, self._decoded):
            self._move(commit, joined)
            # An import that only repeats what was known changes nothing.
            commit.changed.pop(("job", repo, f"{run_id}/{attempt}/{joined.imported[3]}"), None)
            n_redacted = commit.changed.pop(("log", *joined.imported), 0)
            if joined.is_moved:
                commit.changed["log", *joined.told] = n_redacted

    def _move(self, commit: Commit, joined: Joined) -> None:
        if joined.is_moved:
            with transaction(self._connect(log_file(joined.month))) as logs:
                logs.execute(
                    "INSERT OR REPLACE INTO logs SELECT repo, run_id, attempt, ?, digest, body FROM logs"
                    " WHERE (repo, run_id, attempt, job_id, digest) = (?,?,?,?,?)",
                    (joined.told[3], *joined.imported, joined.digest),
                )
        commit.superseded += joined.superseded

    def _drop_superseded(self, index: sqlite3.Connection, bodies: Sequence[tuple[Any, ...]]) -> None:
        """Delete the bodies, each given as its month, key and digest, that the index still does not refer to."""
        with transaction(index):
            unheld: dict[str, list[list[Any]]] = {}
            for month, *body in bodies:
                held = index.execute(
                    "SELECT 1 FROM logs WHERE (month, repo, run_id, attempt, job_id, digest) = (?,?,?,?,?,?)",
                    (month, *body),
                )
                if held.fetchone() is None and (self.path / log_file(month)).is_file():
                    unheld.setdefault(month, []).append(body)
            for month, rows in unheld.items():
                with transaction(self._connect(log_file(month))) as logs:
                    logs.executemany(
                        "DELETE FROM logs WHERE (repo, run_id, attempt, job_id, digest) = (?,?,?,?,?)", rows
                    )


def _size_of(log: Log) -> int:
    if isinstance(log.body, Path):
        return log.body.stat().st_size if log.body.is_file() else 0
    return len(log.body)


def _is_settled(known: tuple[str, bytes | None, int], log: Log, digest: bytes | None) -> bool:
    """Policy: a log that is held is never given up for a part or word that it is gone; a pruned one stays pruned."""
    state, held, is_partial = known
    is_less = log.state != "present" or log.is_partial
    is_same = (state, held) == (log.state, digest) and (is_less or not is_partial)
    return state == "pruned" or is_same or (state == "present" and is_less)


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return what two sources tell of one run: the newer word, where it is not empty."""
    return {**old, **{key: value for key, value in new.items() if value not in _EMPTY or key not in old}}


def _with_workflows(old: dict[str, Any], new: dict[str, Any], is_old_kept: bool) -> bytes:
    """Return what is told of a commit, with the id of its workflow files, which the API's word for it lacks."""
    kept, other = (old, new) if is_old_kept else (new, old)
    return to_bytes({"workflows_tree": other["workflows_tree"], **kept} if "workflows_tree" in other else kept)
