"""Asking GitHub: one PyGithub a thread, own pacing, retries of reads, conditional requests, downloads.

PyGithub sends and follows renames; its retries and throttle are off, since they repeat writes, wait for an hour
without a word, and know nothing of a budget. Logs and artifacts are downloaded without the token: GitHub leads to
another host, which must not see it.
"""

from __future__ import annotations

import json
import logging
import random
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import github
import requests

from kotaci.github.pace import Clock, Pace, Stopped
from kotaci.model import BadInput, ExitCode, Incomplete, KotaciError
from kotaci.store import Answer

logger = logging.getLogger(__name__)

_PREFIX = re.compile(r"^/repositories/\d+(?=/)")
"""What a path begins with, which tells a person nothing."""

API_URL = "https://api.github.com"
_VERSION = {"X-GitHub-Api-Version": "2022-11-28"}
MAX_TRIES = 6
"""A read is sent again after 0.5, 1, 2, 4 and 8 s: a restart of a server is over by then."""

SECONDARY_S = 60.0
"""GitHub asks for a minute's pause where it says no time."""

HELD_BYTES = 8 * 2**20
"""A download above this is a file on disk, below it bytes in memory."""

MAX_CLOCK_S = 600.0
"""A clock further off than ten minutes is wrong: signed links live for one minute, windows are dates."""

FACTS = frozenset({404, 410, 422, 451})
"""Answers that are facts about the thing asked for, not errors."""

_ANSWERS = frozenset({200, 301, 302, 304, 307, 308})

MAX_PAUSE_S = 300.0
"""The longest pause that is waited for unasked; GitHub asks for about a minute."""


class Refused(KotaciError):
    """GitHub said no: unknown, not allowed, not logged in."""

    exit_code = ExitCode.REFUSED


class Forbidden(Refused):
    """This token may not read this one kind of thing; others it may."""


class Unreachable(Incomplete):
    """No whole answer after MAX_TRIES."""


class Unanswered(Unreachable):
    """A write got no whole answer: whether it took effect must be looked up before it is sent again."""


class Undownloadable(Unreachable):
    """GitHub answers, but not the host of logs and artifacts that it leads to."""


@dataclass(frozen=True)
class Reply:
    """GitHub's answer: JSON where the status is 200, else None; `is_known` where it was a 304 to the held answer."""

    url: str
    status: int
    body: Any
    message: str = ""
    next_url: str = ""
    etag: str = ""
    link: str = ""
    is_known: bool = False

    def answer(self) -> Answer:
        """Return what to hold for the next conditional request."""
        return Answer(self.url, self.etag, self.link, self.body)


@dataclass
class Client:
    """An open way to GitHub; any number of threads. Use `open_github`."""

    api_url: str
    clock: Clock
    pace: Pace
    token: str = field(repr=False)
    _is_github: bool = False
    _local: threading.local = field(default_factory=threading.local, repr=False)

    def get(self, path: str, *, parameters: Mapping[str, object] | None = None, known: Answer | None = None) -> Reply:
        """Return the answer to one GET of `path` (below the API's address), a 404 and its like among them.

        Raises Refused, Forbidden, Unreachable, BudgetSpent, LimitSpent, Stopped.
        """
        url = f"{path}?{urlencode(sorted(parameters.items()))}" if parameters else path
        status, headers, text, body = self._send(url, {"If-None-Match": known.etag} if known else {})
        if status == 304 and known is not None:
            self.pace.refund()
            return Reply(url, 200, known.body, "", self._next(known.link), known.etag, known.link, is_known=True)
        if status != 200:
            return Reply(url, status, None, _message(text))
        link = headers.get("link", "")
        return Reply(url, 200, body, "", self._next(link), headers.get("etag", ""), link)

    def change(self, verb: str, path: str, body: Mapping[str, object] | None = None) -> Reply:
        """Return the answer to one write, which is sent once; only where a limit held it up it is sent again.

        404, 409, 410, 422 are answers. Raises Unanswered, Forbidden where this token may not, and what `get` raises.
        """
        while True:
            self.pace.take(is_write=True)
            began = self.clock.monotonic()
            try:
                status, headers, text = self._requester().requestJson(
                    verb, path, headers=_VERSION, input=None if body is None else dict(body)
                )
            except requests.RequestException as error:
                self._log(path, 0, began)
                raise _unanswered(path, _told(error)) from None
            except (AssertionError, RuntimeError) as error:
                raise BadInput(self.api_url, "leads elsewhere", "give the address that it leads to") from error
            self.pace.told(headers)
            self._log(path, status, began)
            self._check_host(status, headers)
            if status in {401, 403, 429}:
                self._check_limits(status, headers, text)
                if not _is_limit(status, headers, text):
                    self._refuse(path, status, headers, text, right="write")
                continue
            told, is_whole = _json(text) if status in {200, 201} else (None, True)
            if status >= 500 or not is_whole:
                raise _unanswered(path, f"HTTP {status}" if is_whole else "a cut answer")
            self.pace.went_well()
            return Reply(path, status, told, _message(text), headers.get("location", ""))

    def pages(
        self,
        path: str,
        *,
        parameters: Mapping[str, object] | None = None,
        known: Callable[[str], Answer | None] = lambda _: None,
    ) -> Iterator[Reply]:
        """Yield the pages of a list, 100 entries each; `known` gives the answer that is held for an address."""
        url, seen = f"{path}?{urlencode(sorted({**(parameters or {}), 'per_page': 100}.items()))}", set[str]()
        while url and url not in seen:
            seen.add(url)
            reply = self.get(url, known=known(url))
            yield reply
            url = reply.next_url

    def link(self, path: str) -> Reply:
        """Return a reply whose `next_url` is where GitHub leads for that download; empty where it does not."""
        status, headers, text, _ = self._send(path, {})
        return Reply(path, status, None, _message(text), headers.get("location", ""))

    def download(self, path: str, folder: Path) -> tuple[Reply, bytes | Path]:
        """Return what lies behind a path that redirects (logs, artifacts), as bytes, or as a file where it is large.

        The caller removes the file. The reply's status tells 404 and 410, also of the host that GitHub leads to.
        """
        for n_try in range(MAX_TRIES):
            reply = self.link(path)
            if reply.status not in {301, 302, 307, 308}:
                return reply, b""
            try:
                # The link lives for a minute and carries a signature: used at once, told to nobody.
                with self._session().get(reply.next_url, stream=True, timeout=(10, 30), auth=_nobody) as answer:
                    if answer.status_code == 200:
                        return Reply(path, 200, None), self._received(answer, folder)
                    if answer.status_code in FACTS:
                        return Reply(path, answer.status_code, None, _message(answer.text)), b""
                    problem = f"HTTP {answer.status_code} from the host of logs"
            except requests.RequestException as error:
                problem = f"{type(error).__name__} at the host of logs"
            self._back_off(path, problem, n_try)
        raise Undownloadable(path, f"cannot be downloaded ({problem})", "run it again later; what was fetched is kept")

    def _send(self, url: str, headers: dict[str, str]) -> tuple[int, Mapping[str, str], str, Any]:
        problem = ""
        for n_try in range(MAX_TRIES):
            self.pace.take()
            began = self.clock.monotonic()
            try:
                status, answered, text = self._requester().requestJson("GET", url, headers=_VERSION | headers)
            except requests.RequestException as error:
                self._log(url, 0, began)
                problem = _told(error)
                if not self._is_github and problem in _UNREACHED:
                    break
                self._back_off(url, problem, n_try)
                continue
            except (AssertionError, RuntimeError) as error:
                # PyGithub follows redirects, but not to another host or protocol.
                hint = "give the address that it leads to with --api-url"
                raise BadInput(self.api_url, "leads elsewhere", hint) from error
            self.pace.told(answered)
            self._log(url, status, began)
            self._check_host(status, answered)
            problem = self._problem(url, status, answered, text)
            body, is_whole = _json(text) if status == 200 else (None, True)
            if not is_whole:
                self._check_page(answered)
                problem = "a cut answer"
            if not problem:
                self.pace.went_well()
                return status, answered, text, body
            if problem != "limit":
                self._back_off(url, problem, n_try)
        if problem in _UNREACHED:
            raise Unreachable(self.api_url, f"cannot be reached ({problem})", "check the network and --api-url")
        if problem == "limit":
            problem = "GitHub's limit against too many requests at a time"
        raise Unreachable(
            f"{self.api_url}{url}", f"gives no whole answer ({problem})", "run it again later; what was fetched is kept"
        )

    def _problem(self, url: str, status: int, headers: Mapping[str, str], text: str) -> str:
        """Return why the same must be asked again; empty for an answer. Raises Refused where asking is no use."""
        if status in {403, 429}:
            self._check_limits(status, headers, text)
            return "limit" if _is_limit(status, headers, text) else self._refuse(url, status, headers, text)
        if status == 401:
            return self._refuse(url, status, headers, text)
        return "" if status in {*FACTS, *_ANSWERS} else f"HTTP {status}"

    def _check_host(self, status: int, headers: Mapping[str, str]) -> None:
        """Raise BadInput where the first answer is not GitHub's: what it says of a token counts for nothing."""
        if self._is_github or status >= 500:
            return
        if not any(name.startswith("x-github-") for name in headers):
            self._check_page(headers)
            hint = "check --api-url: https://api.github.com, or https://HOST/api/v3"
            raise BadInput(self.api_url, "does not answer like GitHub's API", hint)
        self._is_github = True

    def _check_page(self, headers: Mapping[str, str]) -> None:
        if "html" in headers.get("content-type", ""):
            raise BadInput(
                self.api_url,
                "answered with a web page, not with data: a proxy or a login page stands in between",
                "check HTTPS_PROXY, and --api-url",
            )

    def _check_limits(self, status: int, headers: Mapping[str, str], text: str) -> None:
        if not _is_limit(status, headers, text):
            return
        if headers.get("x-ratelimit-remaining") == "0" and "secondary" not in text.lower():
            self.pace.exhaust()
        else:
            asked = headers.get("retry-after", "")
            self.pace.pause(float(asked[:9]) if asked.isdigit() else SECONDARY_S, at_most=MAX_PAUSE_S)

    def _refuse(self, url: str, status: int, headers: Mapping[str, str], text: str, *, right: str = "read") -> str:
        what = f"{self.api_url} {_PREFIX.sub('', urlsplit(url).path)}"
        if status == 401:
            raise Refused(self.api_url, "does not know this token (401)", "set GITHUB_TOKEN to one that is valid")
        sso = headers.get("x-github-sso", "")
        if sso.startswith("required"):
            where = sso.partition("url=")[2].split("?")[0]
            raise Refused(
                what, "is behind single sign-on (403)", f"authorise the token at {where or 'its organisation'}"
            )
        needed = headers.get("x-accepted-github-permissions", "")
        hint = f"give it {needed.replace('=', ': ')}" if needed else f"give it the permission to {right} this"
        raise Forbidden(what, f"this token may not {right} it (403, {_message(text)})", hint)

    def _back_off(self, url: str, problem: str, n_try: int) -> None:
        logger.info("asks again", extra={"path": urlsplit(url).path, "problem": problem, "tries": n_try + 1})
        if n_try + 1 < MAX_TRIES:
            # Spread by path, so that many threads do not come back in the same moment.
            self.clock.wait(2**n_try * 0.5 * random.Random(f"{url}{n_try}").uniform(0.8, 1.2))  # noqa: S311

    def _requester(self) -> Any:
        # Shared by threads, one object can return another request's answer.
        if not hasattr(self._local, "requester"):
            self._local.requester = github.Github(
                auth=github.Auth.Token(self.token),
                base_url=self.api_url,
                retry=None,
                timeout=30,
                per_page=100,
                seconds_between_requests=None,
                seconds_between_writes=None,
                user_agent="kotaci",
            ).requester
        return self._local.requester

    def _received(self, answer: requests.Response, folder: Path) -> bytes | Path:
        """Return the whole body; requests raises where it is shorter than told."""
        answer.raw.decode_content = True
        held = bytearray()
        chunks = self._until_stopped(answer.iter_content(2**20))
        for chunk in chunks:
            held += chunk
            if len(held) > HELD_BYTES:
                break
        else:
            return bytes(held)
        folder.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            try:
                file.write(held)
                held.clear()
                for chunk in chunks:
                    file.write(chunk)
            except BaseException:
                Path(file.name).unlink()
                raise
        return Path(file.name)

    def _until_stopped(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if self.clock.stop.is_set():
                raise Stopped("fetch", "was stopped", "run it again to go on")
            yield chunk

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session: requests.Session = self._local.session
        return session

    def _next(self, link: str) -> str:
        """Return the path and query of the next page, below the API's address; empty at the end."""
        found = requests.utils.parse_header_links(link) if link else []
        url = next((one["url"] for one in found if one.get("rel") == "next"), "")
        if not url:
            return ""
        parts = urlsplit(url)
        return f"{parts.path.removeprefix(urlsplit(self.api_url).path.rstrip('/'))}?{parts.query}"

    def _log(self, url: str, status: int, began: float) -> None:
        logger.info(
            "asked GitHub",
            extra={
                "path": url,
                "status": status,
                "duration_s": round(self.clock.monotonic() - began, 3),
                "n_requests": self.pace.n_counted,
                "remaining": self.pace.remaining,
            },
        )


def open_github(
    *,
    token: str,
    clock: Clock,
    api_url: str = API_URL,
    max_requests: int | None = None,
    waits_for_reset: bool = False,
    points_per_minute: float | None = 900,
) -> Client:
    """Return a client for the API at that address; nothing is sent yet. Raises BadInput for an address that is none."""
    parts = urlsplit(api_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadInput(api_url, "is not an address of an API", "write https://HOST/api/v3, or https://api.github.com")
    if parts.scheme == "http" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise BadInput(api_url, "would be sent the token in the clear", "write it with https://")
    # PyGithub writes to stderr by itself, amid our JSON.
    logging.getLogger("github").setLevel(logging.ERROR)
    pace = Pace(clock, max_requests, waits_for_reset, points_per_minute)
    return Client(api_url.rstrip("/"), clock, pace, token)


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a download without credentials: requests would look into ~/.netrc."""
    return request


def _is_limit(status: int, headers: Mapping[str, str], text: str) -> bool:
    said = text.lower()
    return (
        status == 429
        or "retry-after" in headers
        or headers.get("x-ratelimit-remaining") == "0"
        or "rate limit" in said
        or "abuse" in said
    )


def _json(text: str) -> tuple[Any, bool]:
    try:
        return json.loads(text), True
    except ValueError:
        return None, False


def _message(text: str) -> str:
    """Return what an error's body says, as one short line without addresses."""
    try:
        told = json.loads(text)
        said = str(told.get("message", "")) if isinstance(told, dict) else ""
    except ValueError:
        said = "BlobNotFound" if "BlobNotFound" in text else ""
    return " ".join(word for word in said.split() if "://" not in word)[:200]


def _unanswered(path: str, problem: str) -> Unanswered:
    return Unanswered(path, f"was written to without a whole answer ({problem})", "run it again: it looks first")


_UNREACHED = {"unknown host", "connection refused"}
"""Before the first answer these are a misspelt address or no network, and waiting helps neither."""


def _told(error: requests.RequestException) -> str:
    """Return the kind of a connection error: its text can hold an address with a signature."""
    words = {
        "NameResolutionError": "unknown host",
        "Connection refused": "connection refused",
        "CERTIFICATE": "its certificate is not trusted; is a proxy in between?",
        "ProxyError": "the proxy does not let it through",
        "timed out": "no answer in time",
    }
    text = repr(error)
    return next((said for name, said in words.items() if name in text), "the connection broke")
