"""GitHub's cache service, as far as a history needs it: scopes, exact and prefix matches, first save wins, eviction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from .render import Restored

UNUSED_FOR = timedelta(days=7)


@dataclass(frozen=True)
class Entry:
    """One stored cache."""

    id: int
    ref: str
    key: str
    size: int
    created_at: datetime
    last_accessed_at: datetime

    @property
    def version(self) -> str:
        return sha256(self.key.split("-")[0].encode()).hexdigest()


@dataclass
class CacheService:
    """All caches of the repository; a branch sees its own and those of the default branch."""

    default_ref: str
    entries: list[Entry] = field(default_factory=list)
    next_id: int = 4_100_200_300

    def restore(self, *, ref: str, key: str, prefix: str, at: datetime) -> Restored | None:
        """The exact key, else the newest key with the prefix (if one is given)."""
        seen = [e for e in self._alive(at) if e.ref in (ref, self.default_ref) and e.created_at <= at]
        exact = [e for e in seen if e.key == key]
        similar = [e for e in seen if prefix and e.key.startswith(prefix)]
        found = max(exact or similar, key=lambda e: e.created_at, default=None)
        if found is None:
            return None
        self.entries[self.entries.index(found)] = replace(found, last_accessed_at=max(at, found.last_accessed_at))
        return Restored(found.key, found.size, found.key == key)

    def save(self, *, ref: str, key: str, size: int, at: datetime) -> bool:
        """Saves unless the key is taken in this scope; says whether it did."""
        if any(e.key == key and e.ref == ref for e in self._alive(at)):
            return False
        self.entries.append(Entry(self.next_id, ref, key, size, at, at))
        self.next_id += 7
        return True

    def listed(self, at: datetime) -> list[Entry]:
        """What the API lists at a moment, latest access first."""
        return sorted((e for e in self._alive(at) if e.created_at <= at), key=lambda e: (e.last_accessed_at, e.id))[
            ::-1
        ]

    def _alive(self, at: datetime) -> list[Entry]:
        return [e for e in self.entries if at - e.last_accessed_at <= UNUSED_FOR]
