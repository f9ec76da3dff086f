"""A clock that a test moves: waiting takes no time, but it is counted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kotaci.github import Clock


@dataclass
class Hands:
    """What the clock shows, and every wait in seconds."""

    at_s: float = 0.0
    waits: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, seconds: float) -> None:
        with self.lock:
            self.waits.append(seconds)
            self.at_s += seconds


def still_clock(hands: Hands | None = None, *, utc: Callable[[], datetime] | None = None) -> Clock:
    """Return a clock that stands still but where somebody waits; its date is the real one if none is given."""
    hands = hands or Hands()
    return Clock(lambda: hands.at_s, hands.wait, utc or (lambda: datetime.now(UTC)))
