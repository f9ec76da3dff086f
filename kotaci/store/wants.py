"""What a fetcher keeps beside the raw: its to-do list, and answers that can be asked for again on condition."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import zstandard

from kotaci.redaction import redact_json
from kotaci.store.bodies import digest_of, encode
from kotaci.store.database import explaining, transaction
from kotaci.store.files import INDEX
from kotaci.store.reading import Reading
from kotaci.store.records import Answer, Want

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_UNDATED = 2**62
"""Behind every date."""


class Wants(Reading):
    """Reads the to-do list and the answers kept."""

    def answer(self, repo: str, url: str) -> Answer | None:
        """Return the answer that was kept for that path and query, or None."""
        rows = self._rows("SELECT etag, link, body FROM answers WHERE (repo, url) = (?,?)", (repo, _clean(url)))
        for etag, link, body in rows:
            return Answer(url, etag, link, self._decoded(repo, "answer", url, body))
        return None

    def keep_answers(self, repo: str, urls: Collection[str]) -> None:
        """Drop the repository's answers but for these."""
        kept = {_clean(url) for url in urls}
        with explaining(self.path), transaction(self._connect(INDEX)) as index:
            held = [url for (url,) in index.execute("SELECT url FROM answers WHERE repo = ?", (repo,))]
            index.executemany(
                "DELETE FROM answers WHERE (repo, url) = (?,?)", ((repo, url) for url in held if url not in kept)
            )

    def want(self, repo: str, kind: str, key: str) -> Want | None:
        """Return that row of the to-do list, or None."""
        rows = self._rows("SELECT place, body FROM wants WHERE (repo, kind, key) = (?,?,?)", (repo, kind, key))
        for place, body in rows:
            return Want(kind, key, _moment(place), self._decoded(repo, f"want {kind}", key, body))
        return None

    def wants(self, repo: str, kinds: Sequence[str], *, limit: int, after: Want | None = None) -> list[Want]:
        """Return up to so many rows of the to-do list of these kinds: newest first, undated last, then by kind and key.

        `after` is the last row of the page before; it need not be there any more.
        """
        pages = [self._page(repo, kind, limit, after) for kind in sorted(set(kinds))]
        first = [row for row, _ in zip(heapq.merge(*pages), range(limit), strict=False)]
        return [
            Want(kind, key, _moment(place), self._decoded(repo, f"want {kind}", key, body))
            for place, kind, key, body in first
        ]

    def _page(self, repo: str, kind: str, limit: int, after: Want | None) -> Iterator[tuple[int, str, str, bytes]]:
        place, key = -_UNDATED, ""
        if after is not None:
            # Keys are never empty: ("", place) is before all that have that place.
            place, key = place_of(after.at), after.key if kind == after.kind else ""
            place += kind < after.kind
        rows = self._rows(
            "SELECT place, kind, key, body FROM wants WHERE repo = ? AND kind = ? AND (place, key) > (?,?)"
            " ORDER BY place, key LIMIT ?",
            (repo, kind, place, key, limit),
        )
        for found in rows:
            yield found[0], found[1], found[2], found[3]

    def n_wants(self, repo: str, *, since: datetime | None = None) -> dict[str, int]:
        """Return how long the to-do list is, by kind; where a moment is given, without what is older."""
        rows = self._rows(
            "SELECT kind, count(*) FROM wants WHERE repo = ? AND place <= ? GROUP BY kind ORDER BY kind",
            (repo, _UNDATED if since is None else place_of(since)),
        )
        return dict(rows)


def put_want(index: sqlite3.Connection, repo: str, want: Want) -> None:
    """Add the want, or put it in the place of the one of its kind and key."""
    raw, _ = encode(want.body)
    index.execute(
        "INSERT OR REPLACE INTO wants VALUES (?,?,?,?,?,?)",
        (repo, want.kind, want.key, place_of(want.at), digest_of(raw), zstandard.compress(raw)),
    )


def drop_want(index: sqlite3.Connection, repo: str, kind: str, key: str) -> None:
    """Take the want off the list, if it is on it."""
    index.execute("DELETE FROM wants WHERE (repo, kind, key) = (?,?,?)", (repo, kind, key))


def put_answer(index: sqlite3.Connection, repo: str, answer: Answer) -> None:
    """Keep the answer, in the place of the one for the same path and query."""
    raw, _ = encode(answer.body)
    texts = tuple(map(_clean, (answer.url, answer.etag, answer.link)))
    index.execute(
        "INSERT OR REPLACE INTO answers VALUES (?,?,?,?,?,?)", (repo, *texts, digest_of(raw), zstandard.compress(raw))
    )


def place_of(at: datetime | None) -> int:
    """Return a number that is smaller the newer the moment is, to the microsecond."""
    return _UNDATED if at is None else (_EPOCH - at.astimezone(UTC)) // _TICK


def _moment(place: int) -> datetime | None:
    return None if place == _UNDATED else _EPOCH - place * _TICK


def _clean(text: str) -> str:
    clean: str = redact_json(text)[0]
    return clean
