"""HTTP on loopback: requests in, answers out in one write, connections that stay open until the end."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from tests.github_server.asking import Refused
from tests.github_server.policy import Answer, Fault, problem
from tests.github_server.shapes import API, encoded
from tests.github_server.state import State


@dataclass
class Request:
    """One request; what the server finds out about it is noted here: route, fault, whether it counts."""

    method: str
    base: str
    path: str
    query_text: str
    headers: Message
    content: bytes
    host: str
    endpoint: str = "none"
    counted: bool = False
    fault: Fault | None = None

    def __post_init__(self) -> None:
        self.query = dict(parse_qsl(self.query_text, keep_blank_values=True))
        words = (self.headers.get("Authorization") or "").split()
        self.token = words[-1] if words else None

    def json(self) -> dict[str, Any]:
        """Return the body. Raises Refused where it is none."""
        try:
            told = json.loads(self.content) if self.content.strip() else {}
        except ValueError:
            raise Refused(problem(400, "Problems parsing JSON")) from None
        return told if isinstance(told, dict) else {}


class Site(Protocol):
    """What a listener serves."""

    state: State
    api_url: str
    prefix: str

    def now(self) -> datetime:
        """Return what time it is there."""

    def answer(self, request: Request) -> Answer | None:
        """Return the answer, or None where the connection is to be dropped."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Listener

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()

    def handle(self) -> None:
        # A client that goes away is no error of ours.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        ours, host = self.server.ours, self.server.host
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = urlsplit(self.path)
        # A client behind a proxy asks for a whole address, and is answered in its words.
        base = f"{target.scheme}://{target.netloc}{ours.prefix}" if target.netloc else ours.api_url
        request = Request(self.command, base, target.path, target.query, self.headers, content, host)
        answer = ours.answer(request)
        if answer is None:
            self.close_connection = True
            return
        self._send(request, answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _send(self, request: Request, answer: Answer) -> None:
        ours = self.server.ours
        raw = answer.raw
        if raw is None:
            raw = b"" if answer.status == 204 else encoded(answer.body, ours.state.repo)
        if answer.content_type.startswith("application/json"):
            raw = raw.replace(f'"{API}'.encode(), f'"{request.base}'.encode())
        sent, length = request.fault.cut(raw) if request.fault else (raw, len(raw))
        self.close_connection |= len(sent) != length
        headers = {
            "Date": format_datetime(ours.now(), usegmt=True),
            "Server": "github.com" if request.host == "api" else "Windows-Azure-Blob/1.0",
            "Content-Type": answer.content_type,
            "Content-Length": str(length),
            **answer.headers,
        }
        if request.host == "api":
            headers |= {
                "X-GitHub-Request-Id": f"C0DE:{secrets.token_hex(6).upper()}",
                "X-GitHub-Media-Type": "github.v3; format=json",
                "X-GitHub-Api-Version-Selected": "2022-11-28",
            }
        if answer.status in {204, 304}:
            del headers["Content-Length"]
        if request.method == "HEAD":
            sent = b""
        phrase = HTTPStatus(answer.status).phrase
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.wfile.write(f"HTTP/1.1 {answer.status} {phrase}\r\n{head}\r\n".encode("latin-1") + sent)


class Listener(ThreadingHTTPServer):
    """A port, with a thread for every connection; `host` is api or blob. `stop` closes what is open."""

    daemon_threads = False
    request_queue_size = 256

    def __init__(self, ours: Site, host: str, port: int = 0) -> None:
        self.ours, self.host, self.connections = ours, host, set[Any]()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def stop(self) -> None:
        """Answer nothing more, and wait for the threads."""
        self.shutdown()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
