"""What is answered to whom: the API, and the host of logs and artifacts that it leads to."""

from __future__ import annotations

import collections
import contextlib
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from kotaci.model import BadInput
from tests.github_server import routes, runs
from tests.github_server.asking import Ask, Missing, Refused
from tests.github_server.policy import (
    SSO,
    WORKFLOWS,
    Answer,
    Fault,
    Limits,
    Meter,
    Rights,
    exceeded,
    problem,
    secondary,
)
from tests.github_server.shapes import API, encoded
from tests.github_server.state import State
from tests.github_server.wire import Listener, Request

LINK_LIFE_S = 60.0
"""How long a link to a log or artifact works, by the server's clock."""


@dataclass(frozen=True)
class Asked:
    """One request as it was answered; `endpoint` is the route's template, status 0 a connection that was dropped."""

    method: str
    path: str
    query: dict[str, str]
    token: str | None
    status: int
    counted: bool
    endpoint: str
    host: str
    conditional: bool
    content: bytes = b""


@dataclass
class Server:
    """A running server. `state`, `limits`, `tokens` and `faults` may be changed between requests."""

    state: State
    tokens: dict[str, Rights]
    limits: Limits
    latency_s: float
    prefix: str
    link_life_s: float
    fixed: datetime | None
    has_tally: bool = False
    asked: list[Asked] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    api_url: str = ""
    blob_url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _shift: timedelta = timedelta()
    _meters: dict[str | None, Meter] = field(default_factory=dict, repr=False)
    _links: dict[str, tuple[str, datetime]] = field(default_factory=dict, repr=False)
    _n_open: int = 0

    def now(self) -> datetime:
        """Return what time it is for the server."""
        return (self.fixed or datetime.now(UTC)) + self._shift

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self.lock:
            self._shift += timedelta(seconds=seconds)

    def counted(self) -> int:
        """Return how many requests counted against the primary limit."""
        return sum(asked.counted for asked in self.asked)

    def forget(self) -> None:
        """Forget what was asked; what was counted against limits stays counted."""
        with self.lock:
            self.asked.clear()

    def tally(self) -> dict[str, Any]:
        """Return how often each endpoint was asked, and with which status."""
        with self.lock:
            asked = list(self.asked)
        by = {
            "by_endpoint": collections.Counter(f"{one.method} {one.endpoint}" for one in asked),
            "by_status": collections.Counter(f"{one.host} {one.status}" for one in asked),
        }
        return {"requests": len(asked), "counted": sum(one.counted for one in asked), **by}

    # -- the API ------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer | None:
        """Return the answer to a request, or None where the connection is to be dropped."""
        return self._answer_api(request) if request.host == "api" else self._answer_blob(request)

    def _note(self, request: Request, answer: Answer | None) -> None:
        self.asked.append(Asked(
            request.method, request.path, request.query, request.token, answer.status if answer else 0, request.counted,
            request.endpoint, request.host, "If-None-Match" in request.headers, request.content,
        ))  # fmt: skip

    def _answer_api(self, request: Request) -> Answer | None:
        path = request.path.removeprefix(self.prefix) if request.path.startswith(self.prefix) else "/outside"
        if self.has_tally and path in {"/_asked", "/_forget"}:
            if request.method == "POST":
                self.forget()
            return Answer(body=self.tally())
        with self.lock:
            full, is_moved = self._canonical(path)
            found = routes.find("GET" if request.method == "HEAD" else request.method, full.rstrip("/"))
            request.endpoint = found[0].template if found else "none"
            meter = self._meter(request.token)
            fault = request.fault = self._fault("api", request.endpoint, request.method)
            self._n_open += 1
        try:
            self._wait(fault)
            with self.lock:
                answer = self._decide(request, found, full, is_moved, meter)
                if request.endpoint != "/rate_limit" and request.counted:
                    meter.used += 1
                self._note(request, answer)
                if answer is not None:
                    answer.headers = {**meter.headers(), **answer.headers}
                return answer
        finally:
            with self.lock:
                self._n_open -= 1

    def _canonical(self, path: str) -> tuple[str, bool]:
        """Return the path below /repos with today's name, and whether it was asked by an old one."""
        parts = path.split("/", 4)
        full = f"/repos/{self.state.full_name}"
        if parts[1:2] == ["repositories"] and parts[2:3] == [str(self.state.repo["id"])]:
            return "/".join([full, *path.split("/", 3)[3:]]), False
        if parts[1:2] == ["repos"] and len(parts) >= 4:
            name = "/".join(parts[2:4]).lower()
            if name == self.state.full_name.lower() or name in self.state.old_names:
                return "/".join([full, *parts[4:]]), name != self.state.full_name.lower()
            return f"/unknown{path}", False
        return path, False

    def _meter(self, token: str | None) -> Meter:
        limit = self.limits.per_hour if token in self.tokens else self.limits.without_token
        meter = self._meters.setdefault(token, Meter(limit))
        meter.limit = limit
        meter.refresh(self.now().timestamp())
        return meter

    def _fault(self, host: str, endpoint: str, method: str) -> Fault | None:
        return next((fault for fault in self.faults if fault.strikes(host, endpoint, method)), None)

    def _wait(self, fault: Fault | None) -> None:
        seconds = self.latency_s + (fault.seconds or 0 if fault and fault.kind == "slow" else 0)
        if seconds:
            time.sleep(seconds)

    def _decide(self, request: Request, found: routes.Found, full: str, is_moved: bool, meter: Meter) -> Answer | None:
        if request.token is not None and request.token not in self.tokens:
            return problem(401, "Bad credentials")
        is_free, fault = request.endpoint == "/rate_limit", request.fault
        wait = meter.spend(1 if request.method in {"GET", "HEAD"} else 5, self.limits.points_per_minute)
        if wait is not None or self._n_open > self.limits.concurrent:
            return secondary(wait or 60)
        if meter.remaining == 0 and not is_free:
            return exceeded(meter)
        request.counted = not is_free
        if fault is not None:
            if fault.kind == "drop":
                return None
            instead = fault.instead(self.now().timestamp(), meter)
            if instead is not None:
                request.counted &= fault.kind not in {"primary", "secondary", "html"}
                return instead
            self._change(fault)
        refusal = self._refusal(request, found[0] if found else None)
        if refusal is not None or found is None:
            return refusal or problem(404, "Not Found")
        home, below = f"/repos/{self.state.full_name}", full
        if full.startswith(home):
            below = f"/repositories/{self.state.repo['id']}{full.removeprefix(home)}"
        return self._finished(
            request, self._moved(request, below) if is_moved else self._told(request, found, below, meter)
        )

    def _moved(self, request: Request, below: str) -> Answer:
        url = f"{API}{below}" + (f"?{request.query_text}" if request.query_text else "")
        status = 301 if request.method in {"GET", "HEAD"} else 307
        message = "Moved Permanently" if status == 301 else "Temporary Redirect"
        return problem(status, message, headers={"Location": url}, url=url)

    def _told(self, request: Request, found: tuple[routes.Route, dict[str, str]], below: str, meter: Meter) -> Answer:
        ask = Ask(self.state, below, found[1], request.query, self.now(), self.limits, meter)
        try:
            ask.body = request.json()
            return found[0].handler(ask)
        except (Missing, KeyError):
            return problem(404, "Not Found")
        except BadInput as error:
            return problem(422, "Validation Failed", errors=[{"message": str(error), "code": "invalid"}])
        except Refused as refused:
            return refused.answer

    def _change(self, fault: Fault) -> None:
        if fault.kind == "shift":
            self.state.add_run()
        elif fault.kind == "vanish":
            self.state.delete_run(self.state.newest_first()[0])

    def _refusal(self, request: Request, route: routes.Route | None) -> Answer | None:
        """Return why whoever asks may not have this, where that is so."""
        rights = self.tokens.get(request.token or "")
        is_of_repo = route is not None and route.template.startswith(routes.REPO)
        if self.state.repo["private"] and is_of_repo and (rights is None or not rights.private_visible):
            return problem(404, "Not Found")
        if route is None:
            return None
        if rights is None:
            if not route.needs_token:
                return None
            is_log = route.method == "GET" and route.template.endswith("/logs")
            told = (403, "Must have admin rights to Repository.") if is_log else (401, "Requires authentication")
            return problem(*told)
        if rights.sso and is_of_repo:
            return SSO
        is_of_files = (
            route.need == "contents=write" and b".github/workflows/" in request.content + request.path.encode()
        )
        if rights.workflows != "write" and is_of_files:
            return WORKFLOWS
        return rights.refusal(route.need)

    def _finished(self, request: Request, answer: Answer) -> Answer:
        """Return the answer with its bytes, addresses and ETag; a 304 where the asker has it already."""
        answer = Answer(answer.status, answer.body, {**answer.headers}, answer.raw, answer.content_type)
        if request.fault is not None:
            request.fault.after(answer)
        for name in ("Location", "Link"):
            if name in answer.headers:
                answer.headers[name] = self._addressed(answer.headers[name], request.base)
        if answer.status >= 300 or request.method not in {"GET", "HEAD"} or answer.raw is not None:
            return answer
        answer.raw = encoded(answer.body, self.state.repo)
        if request.endpoint == "/rate_limit":
            return answer
        told = hashlib.sha256(f"{request.token}\0".encode() + answer.raw).hexdigest()
        answer.headers |= {"ETag": f'W/"{told}"', "Cache-Control": "private, max-age=60, s-maxage=60"}
        asked = {tag.strip().removeprefix("W/") for tag in (request.headers.get("If-None-Match") or "").split(",")}
        if f'"{told}"' in asked:
            # Free only for who is known: an anonymous 304 counts.
            request.counted = request.token is None
            return Answer(304, raw=b"", headers=answer.headers)
        return answer

    def _addressed(self, text: str, base: str) -> str:
        if not text.startswith(runs.DOWNLOAD):
            return text.replace(API, base)
        path, sig = text.removeprefix(runs.DOWNLOAD), quote(secrets.token_urlsafe(32))
        ends = self.now() + timedelta(seconds=self.link_life_s)
        self._links[sig] = (path, ends)
        return f"{self.blob_url}{path}?sv=2025-11-05&sr=b&sp=r&se={quote(f'{ends:%Y-%m-%dT%H:%M:%SZ}')}&sig={sig}"

    # -- the blob host ------------------------------------------------------------------------------------

    def _answer_blob(self, request: Request) -> Answer | None:
        kind = request.path.split("/")[1] if "/" in request.path else ""
        templates = [template for template in routes.BLOBS if template.split("/")[1] == kind]
        request.endpoint = templates[0] if templates else "none"
        with self.lock:
            fault = request.fault = self._fault("blob", request.endpoint, request.method)
        self._wait(fault)
        with self.lock:
            answer = None
            if fault is None or fault.kind != "drop":
                answer = fault.instead(self.now().timestamp(), Meter(0)) if fault else None
                answer = answer or self._blob(request, kind)
            self._note(request, answer)
            return answer

    def _blob(self, request: Request, kind: str) -> Answer:
        if "Authorization" in request.headers:
            return _storage_problem(401, "InvalidAuthenticationInfo", "Authentication information is not given right.")
        path, ends = self._links.get(quote(request.query.get("sig", "")), ("", self.now()))
        if path != request.path or ends <= self.now():
            return _storage_problem(403, "AuthenticationFailed", "Signature not valid in the specified time frame.")
        try:
            return runs.blob(self.state, kind, path.split("/", 2)[2])
        except KeyError:
            return _storage_problem(404, "BlobNotFound", "The specified blob does not exist.")


def _storage_problem(status: int, code: str, message: str) -> Answer:
    text = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Answer(status, raw=text.encode(), headers={"x-ms-error-code": code}, content_type="application/xml")


@contextlib.contextmanager
def serve(
    state: State,
    tokens: Mapping[str, Rights] | None = None,
    limits: Limits | None = None,
    latency_s: float = 0.0,
    now: datetime | None = None,
    *,
    prefix: str = "",
    port: int = 0,
    link_life_s: float = LINK_LIFE_S,
    has_tally: bool = False,
) -> Iterator[Server]:
    """Serve the state until the block ends; without `tokens` there is one, `token-one`, that may everything."""
    known = {"token-one": Rights()} if tokens is None else dict(tokens)
    server = Server(state, known, limits or Limits(), latency_s, prefix, link_life_s, now, has_tally)
    listeners = [Listener(server, "api", port), Listener(server, "blob")]
    server.api_url = f"http://127.0.0.1:{listeners[0].server_port}{prefix}"
    # Another name as well as another port: clients drop their token for the one and not for the other.
    server.blob_url = f"http://localhost:{listeners[1].server_port}"
    threads = [threading.Thread(target=listener.serve_forever, args=(0.02,)) for listener in listeners]
    for thread in threads:
        thread.start()
    try:
        yield server
    finally:
        for listener, thread in zip(listeners, threads, strict=True):
            listener.stop()
            thread.join()
