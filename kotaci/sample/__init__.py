"""The bundled sample: 90 days of an invented Rust repository, as a store that is unpacked on first use."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from kotaci.facts import build_facts
from kotaci.model import parse_moment
from kotaci.places import cache_folder, sample_folder
from kotaci.store import Batch, Log, Payload, Store, open_store

SAMPLE = "sample"
"""The word that stands for the bundled sample wherever a store is named."""


_UNPACKED = "sample.unpacked"


def is_sample(store: Store) -> bool:
    """Tell whether a store is the unpacked sample: it is made again at will, so that nothing is to be added to it."""
    return (store.path / _UNPACKED).is_file()


def open_sample(folder: Path | None = None) -> Store:
    """Return the sample as a store with its tables, made in `folder` (default: the user's cache) on first use."""
    archive = sample_folder() / "history.tar.xz"
    digest = hashlib.blake2b(archive.read_bytes(), digest_size=6).hexdigest()
    if folder is None:
        folder = cache_folder() / f"sample-{digest}"
    store = open_store(folder, create=True)
    unpacked = folder / _UNPACKED
    with store.lock("sample"):
        if not unpacked.is_file() or unpacked.read_text(encoding="utf-8") != digest:
            for _ in store.write(read_sample(archive)):
                pass
            unpacked.write_text(digest, encoding="utf-8")
        build_facts(store)
    return store


def read_sample(archive: Path) -> Iterator[Batch]:
    """Yield the batches of a recorded history: `payloads.jsonl` and `logs/RUN/ATTEMPT/JOB.txt` in a tar."""
    with tarfile.open(archive) as tar:
        bodies = {member.name: _body(tar, member) for member in tar if member.isfile()}
    entries = [json.loads(line) for line in bodies["payloads.jsonl"].decode().splitlines()]
    repo = next(entry["payload"]["full_name"] for entry in entries if entry["kind"] == "repo")
    by_kind: dict[str, dict[str, Any]] = {}
    for entry in entries:
        by_kind.setdefault(entry["kind"], {})[entry["key"]] = entry["payload"]
    states = by_kind.pop("log_state", {})
    annotations = by_kind.pop("annotations", {})
    jobs = by_kind.pop("jobs", {})
    for key, run in by_kind.pop("run", {}).items():
        at = parse_moment(run["run_started_at"])
        payloads, logs = [Payload("run", key, run, at)], []
        for job in jobs.get(key, {"jobs": []})["jobs"]:
            job_key = f"{key}/{job['id']}"
            payloads.append(Payload("job", job_key, job, at))
            if str(job["id"]) in annotations:
                payloads.append(Payload("annotations", job_key, annotations[str(job["id"])], at))
            log = _log(run, job, at, bodies.get(f"logs/{job_key}.txt"), states.get(job_key))
            if log is not None:
                logs.append(log)
        yield Batch(repo, SAMPLE, payloads, logs)
    for kind, held in by_kind.items():
        yield Batch(repo, SAMPLE, [Payload(kind, key, body, _commit_at(kind, body)) for key, body in held.items()])


def _commit_at(kind: str, body: Any) -> datetime | None:
    return parse_moment(body["commit"]["committer"]["date"]) if kind == "commit" else None


def _log(run: dict[str, Any], job: dict[str, Any], at: datetime, body: bytes | None, state: Any) -> Log | None:
    where = (run["id"], run["run_attempt"], job["id"], at)
    if body is not None:
        return Log(*where, body)
    return None if state is None else Log(*where, state=state["state"], reason=state["reason"])


def _body(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return b"" if file is None else file.read()
