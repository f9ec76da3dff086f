"""What GitHub's quota for caches drops, and whether another quota would drop less: a replay of saves and restores.

As GitHub documents it: an entry belongs to the ref that saved it, and a run finds those of its own ref, of its base
branch and of the default branch; an entry that was not used for seven days goes; what exceeds the quota after a save
goes too, least recently used first.

Assumed, since no log tells it: a restore happens when its job starts and a save when it ends; sizes are those that logs
print; a ref follows from its run; what a restore found without a save before it was there already, in the default
branch; what a job can find by its very key it does not save again, and what it no longer finds it saves. Entries of
which the logs of the window say nothing take room that the replay does not see, so that it drops too little rather than
too much.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kotaci.analysis.statistics import wilson

GB = 2**30
QUOTA_BYTES = 10 * GB
"""GitHub's limit for a repository that did not buy more."""
UNUSED_DAYS = 7.0
QUOTAS = (5 * GB, 10 * GB, 20 * GB, 40 * GB)

EVENT_COLUMNS = ["at", "operation", "result", "key", "restored_key", "size_bytes", "ref", "base_ref", "default_ref"]
"""What a replay reads: restores (exact, partial, miss) and saves (saved) with their refs."""
HELD_COLUMNS = ["at", "held_bytes", "n_entries"]
DROPPED_COLUMNS = ["at", "ref", "key", "size_bytes", "unused_s", "why"]
RESTORE_COLUMNS = ["at", "ref", "key", "told", "result", "is_thrash"]
COMPARED_COLUMNS = [
    "quota_bytes", "n", "n_exact", "hit_rate", "low", "high", "n_evicted", "n_thrash", "most_held_bytes",
]  # fmt: skip

Place = tuple[str, str]
"""A ref and a key: one entry."""


@dataclass(frozen=True)
class Replay:
    """What would have happened under one quota.

    held: bytes and entries after each event. evictions: what was dropped, why (quota, unused), and how many seconds
    after its last use. restores: each with what the log told and what the replay found; is_thrash: it missed a key that
    the quota had dropped or refused. n_unsized saves are left out, since no log tells their size.
    """

    held: pd.DataFrame
    evictions: pd.DataFrame
    restores: pd.DataFrame
    n_unsized: int
    quota_bytes: int
    unused_days: float

    @property
    def n_agreeing(self) -> int:
        """Return how many restores ended in the replay as the log says: how far the replay is to be believed."""
        return int((self.restores["told"] == self.restores["result"]).sum())


@dataclass
class _Entry:
    size: int
    used_at: pd.Timestamp


class _Shelf:
    """The entries held, the longest unused first."""

    def __init__(self, quota_bytes: int, unused: pd.Timedelta) -> None:
        self.entries: OrderedDict[Place, _Entry] = OrderedDict()
        self.held = 0
        self.seen: set[Place] = set()
        self.why: dict[Place, str] = {}
        self.dropped: list[tuple[Any, ...]] = []
        self._quota = quota_bytes
        self._unused = unused

    def age(self, now: pd.Timestamp) -> None:
        while self.entries and now - next(iter(self.entries.values())).used_at > self._unused:
            self._drop(now, "unused")

    def use(self, place: Place, now: pd.Timestamp) -> None:
        self.entries[place].used_at = now
        self.entries.move_to_end(place)

    def put(self, place: Place, size: int, now: pd.Timestamp) -> None:
        """Save an entry; GitHub refuses one that is larger than the whole quota."""
        self.seen.add(place)
        if size > self._quota:
            self.why[place] = "quota"
            return
        self.entries[place] = _Entry(size, now)
        self.held += size
        while self.held > self._quota:
            self._drop(now, "quota")

    def find(self, refs: Iterable[str], key: str) -> Place | None:
        return next(((ref, key) for ref in refs if (ref, key) in self.entries), None)

    def _drop(self, now: pd.Timestamp, why: str) -> None:
        place, entry = self.entries.popitem(last=False)
        self.held -= entry.size
        self.why[place] = why
        self.dropped.append((now, *place, entry.size, (now - entry.used_at).total_seconds(), why))


def replay_quota(events: pd.DataFrame, *, quota_bytes: int = QUOTA_BYTES, unused_days: float = UNUSED_DAYS) -> Replay:
    """Return what would have been held, dropped and found; `events` has EVENT_COLUMNS, in any order."""
    shelf = _Shelf(quota_bytes, pd.Timedelta(days=unused_days))
    held: list[tuple[Any, ...]] = []
    restores: list[tuple[Any, ...]] = []
    n_unsized = 0
    for event in events.sort_values("at", kind="stable")[EVENT_COLUMNS].itertuples(index=False):
        shelf.age(event.at)
        refs = [ref for ref in dict.fromkeys((event.ref, event.base_ref, event.default_ref)) if ref]
        size = None if pd.isna(event.size_bytes) else int(event.size_bytes)
        if event.operation == "restore":
            restores.append((event.at, event.ref, event.key, event.result, *_restore(shelf, event, refs, size)))
        elif size is None:
            n_unsized += 1
        elif not shelf.find(refs, event.key):
            shelf.put((event.ref, event.key), size, event.at)
        held.append((event.at, shelf.held, len(shelf.entries)))
    return Replay(
        held=pd.DataFrame(held, columns=HELD_COLUMNS),
        evictions=pd.DataFrame(shelf.dropped, columns=DROPPED_COLUMNS),
        restores=pd.DataFrame(restores, columns=RESTORE_COLUMNS),
        n_unsized=n_unsized,
        quota_bytes=quota_bytes,
        unused_days=unused_days,
    )


def _restore(shelf: _Shelf, event: Any, refs: Sequence[str], size: int | None) -> tuple[str, bool]:
    """Return how a restore ends, and whether it missed what the quota had dropped."""
    asked, found = event.key, event.restored_key or ""
    for key, result in ((asked, "exact"), (found, "partial")):
        if key and (place := shelf.find(refs, key)):
            shelf.use(place, event.at)
            return result, False
    was_there, stored = event.result != "miss", found or asked
    if was_there and shelf.seen.isdisjoint((ref, stored) for ref in refs):
        if size is not None:
            shelf.put((refs[-1], stored), size, event.at)
        if size is None or shelf.find(refs, stored):
            return event.result, False
    elif event.result == "exact" and size is not None:
        shelf.put((event.ref, asked), size, event.at)
    return "miss", any(shelf.why.get((ref, key)) == "quota" for ref in refs for key in (asked, found) if key)


def compare_quotas(
    events: pd.DataFrame, *, quotas: Sequence[int] = QUOTAS, unused_days: float = UNUSED_DAYS
) -> pd.DataFrame:
    """Return one row a quota: n restores, n_exact, hit_rate with low and high, n_evicted for lack of room, n_thrash,
    and most_held_bytes. All by replay, also the quota in force: compare rows with each other, not with logs."""
    rows = []
    for quota in quotas:
        replay = replay_quota(events, quota_bytes=quota, unused_days=unused_days)
        n, n_exact = len(replay.restores), int((replay.restores["result"] == "exact").sum())
        n_evicted = int((replay.evictions["why"] == "quota").sum())
        most = int(replay.held["held_bytes"].max()) if len(replay.held) else 0
        rate = n_exact / n if n else float("nan")
        n_thrash = int(replay.restores["is_thrash"].sum())
        rows.append((quota, n, n_exact, rate, *wilson(n_exact, n), n_evicted, n_thrash, most))
    return pd.DataFrame(rows, columns=COMPARED_COLUMNS)
