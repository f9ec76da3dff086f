"""Writes the history as one archive: payloads as JSON lines, logs as text, the repository as a git bundle.

The same history gives the same bytes: names are sorted, and nothing tells who packed it or when.
"""

from __future__ import annotations

import io
import json
import lzma
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kotaci.archives.git import read_clone

from .history import History
from .payloads import is_expired, to_job_ids, to_records

# Text with many digits: more literal context and no alignment save a tenth against the plain preset.
_FILTERS = [
    {
        "id": lzma.FILTER_LZMA2,
        "preset": 9 | lzma.PRESET_EXTREME,
        "lc": 4,
        "lp": 0,
        "pb": 0,
        "dict_size": 1 << 25,
    }
]


def to_files(history: History) -> Iterator[tuple[str, bytes]]:
    """Every file of the archive with its bytes, in the order of the names."""
    ids = to_job_ids(history)
    files = {"repository.bundle": history.bundle}
    records = [*to_records(history), *_repository_records(history.bundle)]
    lines = (json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records)
    files["payloads.jsonl"] = ("\n".join(lines) + "\n").encode()
    for attempt in history.attempts:
        for place, job in enumerate(attempt.jobs):
            if job.log is not None and not is_expired(attempt):
                number = ids[(attempt.run_id, attempt.attempt, place)]
                files[f"logs/{attempt.run_id}/{attempt.attempt}/{number}.txt"] = job.log.encode()
    yield from sorted(files.items())


def _repository_records(bundle: bytes) -> list[dict[str, Any]]:
    """Commits, workflow files and CODEOWNERS as payloads, so that the sample can be opened without git."""
    with tempfile.TemporaryDirectory(prefix="kvstore-bundle-") as folder:
        path = Path(folder) / "repository.bundle"
        path.write_bytes(bundle)
        found = sorted(
            (payload for payload in read_clone(path) if payload.kind != "head"),
            key=lambda payload: (payload.kind, payload.key),
        )
    return [{"kind": payload.kind, "key": payload.key, "payload": payload.body} for payload in found]


def packed(history: History) -> bytes:
    """The tar archive, not yet compressed."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in to_files(history):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o644
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def write_bundle(history: History, path: Path) -> None:
    """Writes `history.tar.xz`."""
    path.write_bytes(lzma.compress(packed(history), format=lzma.FORMAT_XZ, filters=_FILTERS))
