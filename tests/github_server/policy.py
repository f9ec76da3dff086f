"""What GitHub lets pass: rights of tokens, limits and how they are counted, and faults that a test orders."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.github_server.shapes import Body

Level = Literal["none", "read", "write"]

DOCS = "https://docs.github.com/rest"
SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."


@dataclass
class Answer:
    """What goes out: `body` is JSON; `raw`, where there is one, is sent instead of it, with that content type."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    content_type: str = "application/json; charset=utf-8"


def problem(status: int, message: str, *, headers: Mapping[str, str] | None = None, **told: Any) -> Answer:
    """Return an error as GitHub words it."""
    return Answer(
        status, {"message": message, **told, "documentation_url": DOCS, "status": str(status)}, {**(headers or {})}
    )


@dataclass(frozen=True)
class Rights:
    """What a token may do; `sso` means that the organisation still wants it authorised."""

    actions: Level = "write"
    contents: Level = "write"
    checks: Level = "write"
    issues: Level = "write"
    pull_requests: Level = "write"
    workflows: Level = "write"
    sso: bool = False
    private_visible: bool = True

    def refusal(self, need: str) -> Answer | None:
        """Return why the token may not, where it may not; `need` is like `actions=read`, or `none`."""
        name, _, level = need.partition("=")
        if need == "none" or getattr(self, name) in {level, "write"}:
            return None
        headers = {"X-Accepted-GitHub-Permissions": need}
        return problem(403, "Resource not accessible by personal access token", headers=headers)


WORKFLOWS = problem(
    403, "refusing to allow a GitHub App to create or update workflow `ci.yml` without `workflows` permission"
)
"""What a token without that right hears that would write below .github/workflows."""

SSO = problem(
    403,
    "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this "
    "organization.",
    headers={"X-GitHub-SSO": "required; url=https://github.com/orgs/example/sso?authorization_request=AbC123"},
)


@dataclass
class Limits:
    """How much passes: requests an hour and token, points a minute (None: any), at once, results of a search."""

    per_hour: int = 5000
    points_per_minute: int | None = 900
    concurrent: int = 100
    search_cap: int = 1000
    without_token: int = 60


@dataclass
class Meter:
    """The count of one token; the hour is the server's clock, the minute of points the real one."""

    limit: int
    used: int = 0
    reset: float = 0.0
    points: deque[tuple[float, int]] = field(default_factory=deque)

    def refresh(self, now: float) -> None:
        """Begin another hour where the last is over."""
        if now >= self.reset:
            self.used, self.reset = 0, math.floor(now) + 3600.0

    def headers(self) -> dict[str, str]:
        """Return the headers that every answer has."""
        told = {"limit": self.limit, "remaining": self.remaining, "used": self.used, "reset": int(self.reset)}
        return {**{f"X-RateLimit-{name.title()}": str(value) for name, value in told.items()},
                "X-RateLimit-Resource": "core"}  # fmt: skip

    @property
    def remaining(self) -> int:
        """Return how many requests are left in this hour."""
        return max(0, self.limit - self.used)

    def body(self) -> Body:
        """Return what `/rate_limit` says."""
        core = {"limit": self.limit, "used": self.used, "remaining": self.remaining, "reset": int(self.reset)}
        search = {"limit": 30, "used": 0, "remaining": 30, "reset": int(self.reset)}
        return {"resources": {"core": core, "search": search, "graphql": {**core, "used": 0}}, "rate": core}

    def spend(self, points: int, allowed: int | None) -> int | None:
        """Note the points, or return in how many seconds there is room for them."""
        if allowed is None:
            return None
        now = time.monotonic()
        while self.points and self.points[0][0] <= now - 60:
            self.points.popleft()
        if sum(worth for _, worth in self.points) + points > allowed:
            return max(1, math.ceil(self.points[0][0] + 60 - now)) if self.points else 60
        self.points.append((now, points))
        return None


def exceeded(meter: Meter) -> Answer:
    """Return the primary limit's answer."""
    return problem(
        403, "API rate limit exceeded for user ID 1.", headers={**meter.headers(), "X-RateLimit-Remaining": "0"}
    )


def secondary(seconds: float | None, status: int = 403) -> Answer:
    """Return the secondary limit's answer, which does not always say for how long."""
    return problem(status, SECONDARY, headers={} if seconds is None else {"Retry-After": str(math.ceil(seconds))})


UNICORN = b"<!DOCTYPE html><html><head><title>Unicorn! &middot; GitHub</title></head><body>502</body></html>"


@dataclass
class Fault:
    """Something that goes wrong: at each `every`-th matching request, `times` in all.

    `kind`: drop, truncate, short_json, short_zip, a status number, secondary, primary, gone, missing, slow,
    wrong_total, html, shift, vanish, unheard (it takes effect and is answered 502). `endpoint` is a route's template,
    or `*`, `method` one of HTTP's, or `*`. `seconds`: how long (for `wrong_total`, by how much); a `secondary` without
    them has no Retry-After.
    """

    kind: str
    endpoint: str = "*"
    times: int = 1
    every: int = 1
    host: str = "api"
    seconds: float | None = None
    status: int | None = None
    method: str = "*"
    n_seen: int = 0
    n_struck: int = 0

    def strikes(self, host: str, endpoint: str, method: str) -> bool:
        """Return whether this request is hit, and count it."""
        if self.host != host or self.endpoint not in {"*", endpoint} or self.method not in {"*", method}:
            return False
        if self.n_struck >= self.times:
            return False
        self.n_seen += 1
        if self.n_seen % self.every:
            return False
        self.n_struck += 1
        return True

    def instead(self, now: float, meter: Meter) -> Answer | None:
        """Return the answer that is given without asking the handler, or None."""
        seconds = self.seconds or 1
        if self.kind.isdigit():
            status = int(self.kind)
            unicorn = (
                f"<!DOCTYPE html><html><head><title>Unicorn! &middot; GitHub</title></head><body>{status}</body></html>"
            )
            if status >= 500:
                return Answer(status, raw=unicorn.encode(), content_type="text/html; charset=utf-8")
            return problem(status, "Ordered by a test")
        if self.kind == "primary":
            stop = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(math.ceil(now + seconds))}
            answer = exceeded(meter)
            return Answer(self.status or 403, answer.body, {**answer.headers, **stop})
        if self.kind == "secondary":
            return secondary(self.seconds, self.status or 403)
        if self.kind == "html":
            page = b"<html><body><h1>Sign in to the network</h1></body></html>"
            return Answer(200, raw=page, content_type="text/html")
        told = {"gone": (410, "Server Error"), "missing": (404, "Not Found")}.get(self.kind)
        return problem(*told) if told else None

    def after(self, answer: Answer) -> None:
        """Change an answer that was already made."""
        body = answer.body
        if self.kind == "unheard":
            answer.status, answer.raw, answer.content_type = 502, UNICORN, "text/html; charset=utf-8"
        if self.kind == "wrong_total" and isinstance(body, dict) and "total_count" in body:
            answer.body = {**body, "total_count": max(0, body["total_count"] + int(self.seconds or 1))}

    def cut(self, raw: bytes) -> tuple[bytes, int]:
        """Return what is sent of a body, and the length that is promised."""
        if self.kind == "truncate":
            return raw[: len(raw) // 2], len(raw)
        if self.kind in {"short_json", "short_zip"}:
            raw = raw[: len(raw) * 2 // 3]
        return raw, len(raw)
