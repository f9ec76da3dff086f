"""Files of figures that a job leaves beside its log: recordings of `kotaci watch`, cargo's timings, benchmarks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kotaci.archives.runlogs import source_id
from kotaci.logs.benchmarks import is_benchmark_data, parse_benchmark_data
from kotaci.logs.cargo_timings import is_cargo_timings, parse_cargo_timings
from kotaci.model import BadInput, Repo, RunRef
from kotaci.store import Batch, Payload
from kotaci.watch import is_recording, parse_recording

_KINDS: Mapping[str, tuple[Callable[[str], bool], Callable[[str], Any]]] = {
    "recording": (is_recording, parse_recording),
    "cargo_timings": (is_cargo_timings, parse_cargo_timings),
    "benchmark_data": (is_benchmark_data, parse_benchmark_data),
}
"""For each kind of payload, what tells its file apart, and what reads it."""

_BEGINS = re.compile(rb"[\xef\xbb\xbf\s]*(?:[\[{<]|window\.)")
"""How such a file begins; most logs do not, and are not decoded for it."""


def measured_kind(body: bytes) -> str:
    """Return which kind of payload the file is; empty for any other file, and for one that is not whole."""
    if _BEGINS.match(body) is None:
        return ""
    text = body.decode("utf-8", "replace")
    for kind, (is_it, parse) in _KINDS.items():
        if is_it(text):
            try:
                parse(text)
            except BadInput:
                return ""
            return kind
    return ""


def to_measured(kind: str, ref: RunRef, *, artifact_id: int, artifact: str, file: str, body: bytes) -> Payload:
    """Return the file as a payload; the artifact's name may tell which job it is of."""
    told = {"artifact": artifact, "text": body.decode("utf-8", "replace")}
    return Payload(kind, f"{ref.run_id}/{ref.attempt}/{artifact_id}/{file}", told)


def read_measured(path: Path, kind: str, body: bytes, *, said_repo: Repo | None, said_run: RunRef | None) -> Batch:
    """Return the file as that of an artifact of its own name. Raises BadInput where nobody says whose it is."""
    if said_repo is None or said_run is None:
        raise BadInput(path, "does not tell its run", "say it with --repo owner/name and --run")
    number = source_id(kind, hashlib.blake2b(body).hexdigest())
    made = to_measured(kind, said_run, artifact_id=number, artifact=path.stem, file=path.name, body=body)
    return Batch(str(said_repo), "file", [made])
