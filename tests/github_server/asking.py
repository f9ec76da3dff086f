"""One request on its way to an answer: what was asked, how an answer is paged, how it is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from tests.github_server.policy import Answer, Limits, Meter
from tests.github_server.shapes import API, Body
from tests.github_server.state import State


class Missing(Exception):
    """There is no such thing: 404."""


class Refused(Exception):
    """The request is answered with this error."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass
class Ask:
    """One request: what stood in its path, query and body, and when by the server's clock it came."""

    state: State
    path: str
    names: dict[str, str]
    query: dict[str, str]
    now: datetime
    limits: Limits
    meter: Meter
    body: dict[str, Any] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """Return a number of the path. Raises Missing."""
        if not re.fullmatch("[0-9]{1,18}", self.names[name]):
            raise Missing
        return int(self.names[name])

    @property
    def repo(self) -> Body:
        """Return the repository."""
        return self.state.repo


Handler = Callable[[Ask], Answer]


def page(
    ask: Ask, items: Sequence[Any], shape: Callable[[Any], Body], key: str | None = None, *, cap: int | None = None
) -> Answer:
    """Return one page of the items, with `Link`; `cap` is how many can be reached at all."""
    per_page = min(max(_positive(ask.query.get("per_page"), 30), 1), 100)
    number = max(_positive(ask.query.get("page"), 1), 1)
    reachable = min(len(items), cap) if cap else len(items)
    last = max(1, -(-reachable // per_page))
    rows = [shape(item) for item in items[(number - 1) * per_page : min(number * per_page, reachable)]]
    pages = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
    shown = [name for name in pages if (number > 1 if name in {"prev", "first"} else number < last)]
    links = [f'<{API}{ask.path}?{urlencode({**ask.query, "page": pages[name]})}>; rel="{name}"' for name in shown]
    return Answer(
        body={"total_count": len(items), key: rows} if key else rows,
        headers={"Link": ", ".join(links)} if links else {},
    )


def _positive(text: str | None, default: int) -> int:
    return int(text) if text and text.isdigit() else default
