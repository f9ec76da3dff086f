"""Tables back from Parquet, for one repository and one window: what every analysis and notebook starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pandas as pd

from kotaci.facts.build import facts_folder
from kotaci.facts.files import REMEDY, Manifest, read_manifest, read_table
from kotaci.facts.rows import ATTEMPT_TABLES, to_moment
from kotaci.model import BadInput, Repo, Window
from kotaci.store import Store, open_store
from kotaci.tables import TABLES

STARTS = ["repo", "run_id", "attempt", "workflow", "event", "created_at", "started_at"]


@dataclass(frozen=True)
class History:
    """A repository's tables over a window.

    `as_of` is the moment for which they speak, never the clock: the end of what was stored or, if that is later, of
    the last fetch; or of the window where runs in it end earlier; None where nothing is stored.
    """

    repo: str
    window: Window
    as_of: datetime | None
    tables: Mapping[str, pd.DataFrame]
    starts: pd.DataFrame
    """STARTS of all runs up to the window's end, also before it: what shows that something fell silent"""
    default_branch: str
    branch_is_told: bool
    code_owners: str = ""
    """The text of the repository's CODEOWNERS file; empty where none is held"""
    wanted: Mapping[str, int] = field(default_factory=dict)
    """What a fetch has listed in this window and not fetched yet, by kind: runs, logs ..."""
    log: Callable[[int, int, int], str | None] = lambda *_: None
    """Reads the log of a job, by run id, attempt and job id, out of the store; None where it holds none"""

    def __getitem__(self, table: str) -> pd.DataFrame:
        return self.tables[table]


def read_history(
    store: Store | Path,
    *,
    repo: str = "",
    since: str = "",
    until: str = "",
    tables: Iterable[str] = ("runs", "jobs"),
) -> History:
    """Return the asked tables for one repository and window.

    `repo` empty means the only one in the store. `since` is a date, a moment or a length back (`30d`) from `until`,
    or from the end of what was stored. Rows of attempts that started in the window are kept; commits, workflow
    jobs, caches and artifacts come whole. Raises BadInput for an unknown repository or a malformed window.
    """
    held = store if isinstance(store, Store) else open_store(store)
    folder = facts_folder(held)
    while True:
        manifest = read_manifest(folder)
        name = _chosen(repo, sorted(manifest.repos), held)
        try:
            return _read(held, manifest, name, since, until, set(tables) | {"runs"})
        except FileNotFoundError as error:
            # A builder removes the files of the manifest before; the manifest that replaced it names those that stand.
            if read_manifest(folder) == manifest:
                raise BadInput(folder, "has lost a file of its tables", REMEDY) from error


def _chosen(repo: str, known: list[str], store: Store) -> str:
    if repo:
        wanted = str(Repo.parse(repo))
        names = ((name, {name.lower(), *map(str.lower, store.former_names(name))}) for name in known)
        found = next((name for name, spellings in names if wanted.lower() in spellings), None)
        if found is None:
            raise BadInput(
                repo, f"is not in the store {store.path}", f"choose one of: {', '.join(known) or 'none yet'}"
            )
        return found
    if len(known) != 1:
        hint = f"choose one with --repo: {', '.join(known)}" if known else "fill it with `kotaci import`"
        raise BadInput(store.path, f"holds {len(known)} repositories", hint)
    return known[0]


def _read(store: Store, manifest: Manifest, repo: str, since: str, until: str, tables: set[str]) -> History:
    folder = facts_folder(store)
    whole = _table(folder, manifest, repo, "runs", columns=[*STARTS, "branch", "ended_at"])
    newest = whole[["started_at", "ended_at"]].max().max() if len(whole) else pd.NaT
    as_of = max(
        filter(None, (None if pd.isna(newest) else newest.to_pydatetime(), _fetched_at(store, repo))), default=None
    )
    window = Window.parse(since=since, until=until, as_of=as_of)
    frames = {}
    keys = None
    for name in sorted(tables, key=lambda name: name != "runs"):
        frame = _table(folder, manifest, repo, name, window=window)
        if name == "runs":
            frame = _within(frame, window)
            keys = pd.MultiIndex.from_frame(frame[["run_id", "attempt"]])
        elif name in ATTEMPT_TABLES and not (window.since is None and window.until is None):
            frame = frame[pd.MultiIndex.from_frame(frame[["run_id", "attempt"]]).isin(keys)].reset_index(drop=True)
        frames[name] = frame
    told = store.payload(repo, "repo", "repo") or {}
    branch = told.get("default_branch") or (store.payload(repo, "head", "HEAD") or {}).get("default_branch") or ""
    if as_of is not None and window.until is not None and len(frames["runs"]):
        as_of = min(as_of, window.until)
    starts = whole if window.until is None else whole[(whole["started_at"] < window.until).fillna(False)]
    wanted = store.n_wants(repo, since=window.since)
    base = branch or _busiest_branch(whole)
    owners = str(store.last_payload(repo, "codeowners") or "")
    log = partial(store.log, repo)
    return History(repo, window, as_of, frames, starts[STARTS], base, bool(branch), owners, wanted, log)


def _fetched_at(store: Store, repo: str) -> datetime | None:
    """Return up to when a fetch knows all runs: what shows that something fell silent since the last of them."""
    told = store.payload(repo, "fetched", "state") or {}
    return to_moment(told.get("as_of"))


def _within(runs: pd.DataFrame, window: Window) -> pd.DataFrame:
    keep = pd.Series(True, index=runs.index)
    if window.since is not None:
        keep &= (runs["started_at"] >= window.since).fillna(False)
    if window.until is not None:
        keep &= (runs["started_at"] < window.until).fillna(False)
    return runs[keep].reset_index(drop=True)


def _table(
    folder: Path,
    manifest: Manifest,
    repo: str,
    name: str,
    *,
    window: Window | None = None,
    columns: list[str] | None = None,
) -> pd.DataFrame:
    parts = manifest.repos.get(repo, {})
    wanted = [part for key, part in sorted(parts.items()) if name in part.files and _may_hold(key, window)]
    return read_table(folder, TABLES[name], [part.files[name] for part in wanted], repo=repo, columns=columns)


def _may_hold(month: str, window: Window | None) -> bool:
    """Tell whether a month's files can hold rows of the window; a run's month may be off by a day at its border."""
    if window is None or not month[:1].isdigit():
        return True
    day = timedelta(days=1)
    too_early = window.since is not None and month < f"{window.since - day:%Y-%m}"
    too_late = window.until is not None and month > f"{window.until + day:%Y-%m}"
    return not (too_early or too_late)


def _busiest_branch(runs: pd.DataFrame) -> str:
    pushes = runs.loc[runs["event"] == "push", "branch"]
    counts = pushes[pushes != ""].value_counts()
    return str(counts.index[0]) if len(counts) else ""
