"""Store to Parquet: month by month, only what changed, flipped at once.

Within a month, attempts whose content and extractors are unchanged keep their rows; attempts whose logs were
pruned keep theirs whatever the extractors' version, since they could not be drawn again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from kotaci.facts.artifacts import Found, read_found
from kotaci.facts.files import (
    Manifest,
    Part,
    read_manifest,
    read_table,
    remove_strays,
    write_manifest,
    write_table,
)
from kotaci.facts.repository import REPOSITORY_TABLES, Workflows, to_table_rows
from kotaci.facts.rows import ATTEMPT_TABLES, Attempt, Rows, to_rows
from kotaci.logs.benchmarks import parse_benchmark_data
from kotaci.logs.cargo_timings import parse_cargo_timings
from kotaci.logs.results import TestReport, parse_junit
from kotaci.model import BadInput
from kotaci.store import LogState, Store, shown_twice
from kotaci.tables import TABLES, Column, Table
from kotaci.watch import parse_recording

T = TypeVar("T")

logger = logging.getLogger(__name__)

_SOURCES = Table(
    "_sources",
    "what each attempt's rows were drawn from",
    ("repo", "run_id", "attempt"),
    tuple(
        Column(name, kind, "")
        for name, kind in (("repo", "text"), ("run_id", "int"), ("attempt", "int"), ("digest", "text"))
    ),
)
"""Kept beside the tables: tells which attempts of a month are unchanged."""


@dataclass(frozen=True)
class Built:
    """What a build did: months and tables made anew, attempts read again, attempts whose rows were kept."""

    n_parts: int
    n_attempts_read: int
    n_attempts_kept: int


def facts_folder(store: Store) -> Path:
    """Return where the tables of this store lie."""
    return store.path / "facts"


def build_facts(store: Store, *, on_progress: Callable[[str, int, int], None] | None = None) -> Built:
    """Bring the tables up to date with the store. `on_progress` is told (repo, parts done, parts in all).

    Safe to kill at any moment and to run beside readers; a second builder waits for the first.
    """
    folder = facts_folder(store)
    n_parts = n_read = n_kept = 0
    with store.lock("facts"):
        old = read_manifest(folder)
        new = Manifest()
        for repo in store.repos():
            parts = new.repos.setdefault(repo, {})
            months = store.attempt_digests(repo)
            reader = _AttemptReader(store, repo, Workflows(store, repo))
            known = [old.repos.get(name, {}) for name in (repo, *reversed(store.former_names(repo)))]
            for place, (month, digests) in enumerate(months.items()):
                made_from = _month_digest(digests)
                before = known[0].get(month)
                if before is not None and before.made_from == made_from:
                    parts[month] = before
                else:
                    # After a renaming, rows that cannot be drawn again stand under the former name.
                    befores = [part[month] for part in known if month in part]
                    parts[month], n_new, n_same = _build_month(reader, folder, month, digests, befores)
                    n_parts, n_read, n_kept = n_parts + 1, n_read + n_new, n_kept + n_same
                    if on_progress is not None:
                        on_progress(repo, place + 1, len(months))
            parts[_NAMES], is_new = _build_names(reader, folder, parts, known)
            n_parts += is_new
            for table, (version, kinds) in REPOSITORY_TABLES.items():
                made_from = f"{version} {store.kind_digest(repo, kinds)}"
                before = old.repos.get(repo, {}).get(table)
                if before is not None and before.made_from == made_from:
                    parts[table] = before
                    continue
                contract = TABLES[table]
                frame = contract.check(contract.to_frame(to_table_rows(store, repo, table)))
                parts[table] = Part(made_from, {table: write_table(folder, contract, frame, repo=repo, part="all")})
                n_parts += 1
        if new != old:
            write_manifest(folder, new)
        remove_strays(folder, new)
    logger.info("facts built", extra={"parts": n_parts, "attempts_read": n_read, "attempts_kept": n_kept})
    return Built(n_parts, n_read, n_kept)


def _build_month(
    reader: _AttemptReader,
    folder: Path,
    month: str,
    digests: Mapping[tuple[int, int], tuple[str, bool]],
    befores: Sequence[Part],
) -> tuple[Part, int, int]:
    repo = reader.repo
    old = _as_known_now(_read_kept(folder, repo, digests, befores), reader, digests) if befores else {}
    if old:
        old = _with_late_logs(old, reader)
    kept = set(zip(old["_sources"]["run_id"], old["_sources"]["attempt"], strict=True)) if old else set()
    rows: Rows = {name: [] for name in ATTEMPT_TABLES}
    sources = [
        (repo, run_id, attempt, _with_versions(digest))
        for (run_id, attempt), (digest, _) in digests.items()
        if (run_id, attempt) not in kept
    ]
    for _, run_id, attempt, _ in sources:
        for name, new in reader.rows(run_id, attempt).items():
            rows[name].extend(new)
    files = {}
    for name, table in _part_tables().items():
        new = sources if name == "_sources" else rows[name]
        drawn = [_with_lengths(table.to_frame(new))] if new else []
        parts = [*([old[name]] if name in old and len(old[name]) else []), *drawn]
        frame = _sorted(pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]) if parts else _empty(name)
        files[name] = write_table(folder, table, table.check(frame), repo=repo, part=month)
    return Part(_month_digest(digests), files), len(sources), len(kept)


_NAMES = "roster_names"


def _build_names(
    reader: _AttemptReader, folder: Path, parts: Mapping[str, Part], known: Sequence[Mapping[str, Part]]
) -> tuple[Part, bool]:
    """Return the lists of names that rows of `rosters` point to, drawn just now or held before; and whether anew.

    Lists of attempts whose logs were pruned are held nowhere else, after a renaming under the former name.
    """
    repo, table, rosters = reader.repo, TABLES[_NAMES], TABLES["rosters"]
    paths = sorted(part.files["rosters"] for part in parts.values() if "rosters" in part.files)
    made_from = hashlib.blake2b("\n".join(paths).encode(), digest_size=16).hexdigest()
    before = known[0].get(_NAMES)
    if before is not None and before.made_from == made_from:
        return before, False
    ids = set(read_table(folder, rosters, paths, repo=repo, columns=["roster_id"])["roster_id"].dropna())
    held = read_table(folder, table, [part[_NAMES].files[_NAMES] for part in known if _NAMES in part], repo=repo)
    names = {**dict(zip(held["roster_id"], held["names"], strict=True)), **reader.names}
    frame = table.to_frame([(repo, roster_id, names[roster_id]) for roster_id in sorted(ids & set(names))])
    return Part(made_from, {_NAMES: write_table(folder, table, table.check(frame), repo=repo, part="all")}), True


def _part_tables() -> dict[str, Table]:
    return {"_sources": _SOURCES, **{name: TABLES[name] for name in ATTEMPT_TABLES}}


@cache
def _empty(name: str) -> pd.DataFrame:
    return _part_tables()[name].to_frame([])


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    order = [column for column in ("run_id", "attempt", "job_id", "step_number") if column in frame]
    return frame.sort_values(order, kind="stable", ignore_index=True)


def _read_kept(
    folder: Path, repo: str, digests: Mapping[tuple[int, int], tuple[str, bool]], befores: Sequence[Part]
) -> dict[str, pd.DataFrame]:
    """Return the month's present rows of attempts that need not, or can no longer, be drawn again.

    Where several parts have rows of one attempt, those of the first are taken.
    """
    tables = _part_tables()
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in tables}
    taken: set[tuple[int, int]] = set()
    for before in befores:
        frames = {
            name: read_table(folder, table, [before.files[name]] if name in before.files else [], repo=repo)
            for name, table in tables.items()
        }
        sources = frames["_sources"]
        held = zip(zip(sources["run_id"], sources["attempt"], strict=True), sources["digest"], strict=True)
        kept = {key for key, digest in held if key not in taken and _is_kept(digests.get(key), digest)}
        taken |= kept
        keys = pd.MultiIndex.from_tuples(sorted(kept), names=["run_id", "attempt"]) if kept else None
        for name, frame in frames.items():
            is_kept = pd.MultiIndex.from_frame(frame[["run_id", "attempt"]]).isin(keys) if keys is not None else []
            found[name].append(frame[is_kept] if keys is not None else frame.iloc[:0])
    return {
        name: (pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0].reset_index(drop=True))
        for name, parts in found.items()
    }


def _is_kept(now: tuple[str, bool] | None, digest: str) -> bool:
    """Tell whether rows that were drawn from that digest stay: nothing changed, or a log of theirs was pruned."""
    return now is not None and (now[1] or _with_versions(now[0]) == digest)


def _as_known_now(
    kept: dict[str, pd.DataFrame], reader: _AttemptReader, digests: Mapping[tuple[int, int], tuple[str, bool]]
) -> dict[str, pd.DataFrame]:
    """Return the rows with what changes around an attempt that is not drawn again: later attempts, pruned logs."""
    runs, jobs = kept["runs"], kept["jobs"]
    is_last = [reader.is_last(*key) for key in zip(runs["run_id"], runs["attempt"], strict=True)]
    held = {key: reader.log_rows(*key) for key, (_, is_pruned) in digests.items() if is_pruned}
    states = [
        held.get((run_id, attempt), {}).get(job_id, (state, 0))[0]
        for run_id, attempt, job_id, state in zip(
            jobs["run_id"], jobs["attempt"], jobs["job_id"], jobs["log_state"], strict=True
        )
    ]
    return {
        **kept,
        "runs": runs.assign(is_last_attempt=pd.Series(is_last, dtype=runs["is_last_attempt"].dtype)),
        "jobs": jobs.assign(log_state=pd.Series(states, dtype=jobs["log_state"].dtype)),
    }


def _with_late_logs(kept: dict[str, pd.DataFrame], reader: _AttemptReader) -> dict[str, pd.DataFrame]:
    """Return the rows with those of jobs drawn again whose log came after another log of their attempt was pruned.

    Only where the job's outcome stays what it was, so that what the rows of its run and of other jobs say stays
    true; when it could start, and whether it only followed another, is no longer known and kept as it was told.
    """
    jobs = kept["jobs"]
    late = jobs[(jobs["log_state"] == "present") & jobs["n_log_lines"].isna()]
    for (run_id, attempt), known in late.groupby(["run_id", "attempt"]):
        drawn = reader.rows(int(run_id), int(attempt))
        frames = {name: _with_lengths(TABLES[name].to_frame(rows)) for name, rows in drawn.items() if rows}
        again = frames["jobs"].merge(known[["job_id", "outcome"]], on=["job_id", "outcome"])["job_id"].tolist()
        for job_id in again:
            (told,) = known.loc[known["job_id"] == job_id, ["queue_s", "is_downstream"]].itertuples(index=False)
            is_it = frames["jobs"]["job_id"] == job_id
            frames["jobs"].loc[is_it, ["queue_s", "is_downstream"]] = [told.queue_s, told.is_downstream]
        kept = {name: _with_jobs(frame, frames.get(name), run_id, attempt, again) for name, frame in kept.items()}
    return kept


def _with_jobs(
    kept: pd.DataFrame, drawn: pd.DataFrame | None, run_id: int, attempt: int, job_ids: Sequence[int]
) -> pd.DataFrame:
    """Return the rows with those of these jobs replaced by what was drawn."""
    if "job_id" not in kept:
        return kept
    is_old = (kept["run_id"] == run_id) & (kept["attempt"] == attempt) & kept["job_id"].isin(job_ids)
    new = [] if drawn is None else [drawn[drawn["job_id"].isin(job_ids)]]
    parts = [part for part in (kept[~is_old], *new) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else kept.iloc[:0]


def _with_lengths(frame: pd.DataFrame) -> pd.DataFrame:
    """Fill `wall_s` where a table has a start and an end."""
    if {"started_at", "ended_at", "wall_s"} <= set(frame.columns):
        length = (frame["ended_at"] - frame["started_at"]).dt.total_seconds()
        frame = frame.assign(wall_s=length.where(length >= 0).astype("Float64"))
    return frame


@cache
def _rules() -> str:
    """Return a digest of the rules by which logs are read: rows of `failures` come out otherwise when one changes."""
    texts = (files("kotaci.logs").joinpath(name).read_bytes() for name in ("causes.toml", "signatures.toml"))
    return hashlib.blake2b(b"\0".join(texts), digest_size=8).hexdigest()


def _with_versions(digest: str) -> str:
    versions = " ".join(f"{name}={version}" for name, version in ATTEMPT_TABLES.items()) + f" rules={_rules()}"
    return hashlib.blake2b(f"{versions} {digest}".encode(), digest_size=16).hexdigest()


def _month_digest(digests: Mapping[tuple[int, int], tuple[str, bool]]) -> str:
    lines = (f"{run_id}/{attempt} {digest}" for (run_id, attempt), (digest, _) in sorted(digests.items()))
    return _with_versions("\n".join(lines))


_DRAWN_KINDS = frozenset({"run", "job", "annotations", "junit", "recording", "cargo_timings", "benchmark_data"})
"""What an attempt's rows are drawn from, beside its logs."""


def _shown_jobs(run_source: str, jobs: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    """Return the jobs but for imported ones that the API tells of too: where several share a name, nobody can tell
    which is which, and they would be counted twice."""
    told = {int(body["id"]): body.get("name") or "" for source, body in jobs if source == "api"}
    imported = {int(body["id"]): body.get("name") or "" for source, body in jobs if source != "api"}
    twice = shown_twice(imported, told) if run_source == "api" else set()
    return [body for _, body in jobs if int(body["id"]) not in twice]


def _reports(bodies: Mapping[str, str]) -> Iterator[TestReport]:
    for key, body in bodies.items():
        try:
            yield parse_junit(body)
        except BadInput as error:  # an earlier kotaci let it in
            logger.warning("a report is not read", extra={"report": key, "error": str(error)})


def _found(bodies: Mapping[str, Any], parse: Callable[[str], T]) -> Iterator[Found[T]]:
    for key, body in bodies.items():
        try:
            yield read_found(key, body, parse)
        except BadInput as error:  # another kotaci let it in
            logger.warning("a file of an artifact is not read", extra={"file": key, "error": str(error)})


class _AttemptReader:
    """Reads attempts of one repository out of the store.

    Made after the digests of what it reads: rows newer than their digest are drawn again, older ones never would be.
    """

    def __init__(self, store: Store, repo: str, workflows: Workflows) -> None:
        self.repo, self._store, self._workflows = repo, store, workflows
        self._last = store.last_attempts(repo)
        self.names: dict[str, str] = {}

    def is_last(self, run_id: int, attempt: int) -> bool:
        return self._last.get(run_id, attempt) == attempt

    def log_rows(self, run_id: int, attempt: int) -> dict[int, tuple[LogState, int]]:
        return self._store.log_rows(self.repo, run_id, attempt)

    def rows(self, run_id: int, attempt: int) -> Rows:
        """Return the attempt's rows of ATTEMPT_TABLES; the lists of names they point to are put by."""
        rows = to_rows(self.read(run_id, attempt))
        self.names.update((roster_id, names) for _, roster_id, names in rows.pop("roster_names"))
        return rows

    def read(self, run_id: int, attempt: int) -> Attempt:
        payloads = self._store.attempt_payloads(self.repo, run_id, attempt, kinds=_DRAWN_KINDS)
        source, run = next((source, body) for kind, _, source, body in payloads if kind == "run")
        workflow = (run.get("path") or "").partition("@")[0]

        def bodies(of: str) -> dict[str, Any]:
            return {key: body for kind, key, _, body in payloads if kind == of}

        return Attempt(
            repo=self.repo,
            run=run,
            source=source,
            jobs=_shown_jobs(source, [(where, body) for kind, _, where, body in payloads if kind == "job"]),
            annotations={int(key.rpartition("/")[2]): body for key, body in bodies("annotations").items()},
            logs=self.log_rows(run_id, attempt),
            log=lambda job_id: self._store.log(self.repo, run_id, attempt, job_id),
            is_last=self.is_last(run_id, attempt),
            declared=self._workflows.declared(head_sha=run.get("head_sha") or "", workflow=workflow),
            reports=list(_reports(bodies("junit"))),
            recordings=list(_found(bodies("recording"), parse_recording)),
            timings=list(_found(bodies("cargo_timings"), parse_cargo_timings)),
            benchmarks=list(_found(bodies("benchmark_data"), parse_benchmark_data)),
        )
