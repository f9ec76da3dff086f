"""A package registry on loopback: serves the sample's invented crates, or refuses as a registry in an outage does.

Cargo speaks to it as to a sparse index, so `Updating`, `Downloading` and the errors of an outage are cargo's own words.
"""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import re
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CRATES = Path(__file__).parent / "registry"


@dataclass(frozen=True)
class Crate:
    """One published version: its index line and its archive."""

    name: str
    index_line: bytes
    archive: bytes

    @property
    def index_path(self) -> str:
        return f"/{self.name[:2]}/{self.name[2:4]}/{self.name}"


def read_crates(root: Path = CRATES) -> tuple[Crate, ...]:
    """Packs every `<name>-<version>/` folder below `root`; the same folders give the same bytes."""
    return tuple(_packed(folder) for folder in sorted(root.iterdir()) if folder.is_dir())


def _packed(folder: Path) -> Crate:
    name, version = folder.name.rsplit("-", 1)
    manifest = (folder / "Cargo.toml").read_text()
    packed = io.BytesIO()
    # Level 0 keeps the checksum in Cargo.lock the same for every version of zlib.
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=0, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                info = tarfile.TarInfo(f"{folder.name}/{path.relative_to(folder)}")
                info.size = path.stat().st_size
                tar.addfile(info, io.BytesIO(path.read_bytes()))
    archive = packed.getvalue()
    wanted = re.findall(r'^([a-z0-9-]+) = "([^"]+)"$', manifest.split("[dependencies]")[1], re.MULTILINE)
    line: dict[str, Any] = {
        "name": name,
        "vers": version,
        "deps": [
            {"name": dep, "req": f"^{req}", "features": [], "optional": False, "default_features": True}
            | {"target": None, "kind": "normal"}
            for dep, req in wanted
        ],
        "cksum": hashlib.sha256(archive).hexdigest(),
        "features": {},
        "yanked": False,
    }
    return Crate(name=name, index_line=json.dumps(line).encode(), archive=archive)


@contextmanager
def serving(*, available: bool = True, root: Path = CRATES) -> Iterator[int]:
    """Serves on loopback and yields the port; `available=False` answers 503 to everything."""
    crates = read_crates(root)
    files = {crate.index_path: crate.index_line for crate in crates}
    files |= {f"/crates/{crate.name}/download": crate.archive for crate in crates}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = self.headers["Host"]
            body = files.get(self.path, b"")
            if self.path == "/config.json":
                body = json.dumps({"dl": f"http://{host}/crates/{{crate}}/download"}).encode()
            status = 503 if not available else 200 if body else 404
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body if available else b"first byte timeout")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Says nothing: requests are no news here."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
