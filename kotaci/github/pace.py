"""When the next request may go out: GitHub's limits, a person's budget, pauses that GitHub asks for; no I/O."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from kotaci.model import Incomplete

POINTS_PER_MINUTE = 900
"""GitHub's secondary limit for REST: a read is one point."""

BURST = 30
"""Requests that may go out at once; the rest is spread so that no minute holds more than POINTS_PER_MINUTE."""

RESERVE_RATE = 0.1
"""Share of the hourly limit that is left to others: a workflow's token is shared by all jobs of the repository."""


WRITE_POINTS = 5
WRITE_GAP_S = 1.0
"""What a write costs of POINTS_PER_MINUTE, and what GitHub asks to leave between two of them."""

MAX_PAUSES = 4
"""Pauses in a row that GitHub may ask for before the fetch ends."""


class BudgetSpent(Incomplete):
    """`--max-requests` is used up."""


class LimitSpent(Incomplete):
    """GitHub's hourly limit is used up, but for what is left to others."""


class Stopped(Incomplete):
    """Somebody asked to stop."""


@dataclass(frozen=True)
class Clock:
    """Where time comes from: seconds that only grow, a wait that ends early once `stop` is set, and this
    machine's date."""

    monotonic: Callable[[], float]
    wait: Callable[[float], object]
    utc: Callable[[], datetime]
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass
class Pace:
    """One for all threads: `take` before each request, `told` after each answer."""

    clock: Clock
    max_requests: int | None = None
    waits_for_reset: bool = False
    points_per_minute: float | None = POINTS_PER_MINUTE
    n_sent: int = 0
    n_counted: int = 0
    limit: int | None = None
    remaining: int | None = None
    reset_at: datetime | None = None
    server_at: datetime | None = None
    _server_mark: float = 0.0
    _next: float = float("-inf")
    _written: float = float("-inf")
    _paused_until: float = float("-inf")
    _n_pauses: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, *, is_write: bool = False) -> None:
        """Wait until a request may go out. Raises BudgetSpent, LimitSpent or Stopped where none may."""
        while (delay := self._reserve(is_write=is_write)) is not None:
            self.clock.wait(delay)
            if self.clock.stop.is_set():
                raise Stopped("fetch", "was stopped", "run it again to go on")

    def _reserve(self, *, is_write: bool) -> float | None:
        """Count one request in, or return the seconds after which to try again."""
        with self._lock:
            now = self.clock.monotonic()
            if self.clock.stop.is_set():
                raise Stopped("fetch", "was stopped", "run it again to go on")
            if self.max_requests is not None and self.n_counted >= self.max_requests:
                raise BudgetSpent(
                    f"--max-requests {self.max_requests}",
                    "is used up",
                    "what was fetched is kept; run it again to go on",
                )
            if self.remaining is not None and self.limit is not None and self.remaining <= self.limit * RESERVE_RATE:
                seconds = self._until_reset(now)
                if seconds > 0:
                    if not self.waits_for_reset:
                        raise self._limit_spent()
                    return seconds
                self.remaining = None
            if now < self._paused_until:
                return self._paused_until - now
            if self.points_per_minute is not None:
                gap = 60 / (self.points_per_minute - BURST - 1)
                due = max(self._next, now - BURST * gap)
                if is_write:
                    due = max(due, self._written + WRITE_GAP_S)
                if due > now:
                    return due - now
                self._next = due + gap * (WRITE_POINTS if is_write else 1)
                if is_write:
                    self._written = now
            self.n_sent += 1
            self.n_counted += 1
            if self.remaining is not None:
                self.remaining -= 1
            return None

    def refund(self) -> None:
        """A 304 does not count against the hourly limit."""
        with self._lock:
            self.n_counted -= 1
            if self.remaining is not None:
                self.remaining += 1

    def told(self, headers: Mapping[str, str]) -> None:
        """Take over what an answer's headers say of the limit and of the date."""
        with self._lock:
            if "date" in headers and (at := _http_date(headers["date"])) is not None:
                self.server_at, self._server_mark = at, self.clock.monotonic()
            if headers.get("x-ratelimit-resource", "core") != "core" or "x-ratelimit-remaining" not in headers:
                return
            reset_at = datetime.fromtimestamp(float(headers.get("x-ratelimit-reset", 0)), UTC)
            remaining = int(float(headers["x-ratelimit-remaining"]))
            # Answers arrive out of order: within one hour what is left only shrinks.
            is_same_hour = self.reset_at == reset_at and self.remaining is not None
            self.remaining = min(remaining, self.remaining or 0) if is_same_hour else remaining
            self.limit, self.reset_at = int(float(headers["x-ratelimit-limit"])), reset_at

    def pause(self, seconds: float, *, at_most: float = float("inf")) -> None:
        """Let nobody send for that long, longer at each pause that did not help.

        Raises LimitSpent after MAX_PAUSES of them, and for one that is longer than `at_most` unless one waits.
        """
        with self._lock:
            now = self.clock.monotonic()
            if now >= self._paused_until:
                self._n_pauses += 1
            seconds = max(1.0, seconds) * 2 ** max(0, self._n_pauses - 1)
            if self._n_pauses > MAX_PAUSES or (seconds > at_most and not self.waits_for_reset):
                raise LimitSpent(
                    "GitHub's limit against too many requests at a time",
                    f"holds on (the next pause would be {seconds:,.0f} s)",
                    "run it again later; what was fetched is kept",
                )
            self._paused_until = max(self._paused_until, now + seconds)

    def went_well(self) -> None:
        """An answer came: earlier pauses have helped."""
        with self._lock:
            self._n_pauses = 0

    def exhaust(self) -> None:
        """GitHub refused for the hourly limit, whatever was counted here. Raises LimitSpent unless one waits."""
        with self._lock:
            self.remaining, self.limit = 0, self.limit or 0
            if self._until_reset(self.clock.monotonic()) <= 0:
                self._paused_until = max(self._paused_until, self.clock.monotonic() + 1)
            elif not self.waits_for_reset:
                raise self._limit_spent()

    def server_now(self) -> datetime:
        """Return GitHub's date now, as far as it is known; windows and limits are reckoned by it."""
        with self._lock:
            return self._server_now(self.clock.monotonic())

    def _server_now(self, mark: float) -> datetime:
        if self.server_at is None:
            return self.clock.utc()
        return datetime.fromtimestamp(self.server_at.timestamp() + mark - self._server_mark, UTC)

    def _until_reset(self, mark: float) -> float:
        if self.reset_at is None:
            return 0.0
        return (self.reset_at - self._server_now(mark)).total_seconds() + 1

    def _limit_spent(self) -> LimitSpent:
        reset = f"{self.reset_at:%H:%M} UTC" if self.reset_at else "the next hour"
        return LimitSpent(
            f"GitHub's limit of {self.limit:,} requests an hour",
            "is used up, but for what is left to others",
            f"run it again after {reset}, or with --wait; what was fetched is kept",
        )


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
