"""Small reports in artifacts: JUnit XML, figures (`kotaci.archives.measured`) and other text, zipped or a file."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kotaci.archives.measured import measured_kind, to_measured
from kotaci.archives.runlogs import ZIP_ERRORS, is_junit, read_junit
from kotaci.github.client import HELD_BYTES, Reply
from kotaci.github.place import SOURCE, Place, gone, started
from kotaci.model import BadInput, Repo, RunRef
from kotaci.store import Batch, Payload, Store, Want

REPORT_BYTES = 2 * 2**20
"""Artifacts up to this size are looked at for reports; binaries and coverage trees are larger."""

REPORT_NAMES = re.compile(
    r"junit|test|result|report|coverage|lcov|timing|bench|nextest|clippy|audit|deny|summary|sarif|kotaci-watch", re.I
)
"""Names of artifacts that may hold a report."""

REPORT_FILES = re.compile(
    r"\.(?:xml|json|sarif|lcov|info|csv|md|txt)$|(?:^|/)(?:cargo-timing[^/]*\.html|data\.js)$", re.I
)
"""Files that are kept of them, as text."""

MAX_BARREN = 3
"""Artifacts of one name that are downloaded in vain before the rest of that name is left alone."""

_TOO_LARGE = Reply("", 413, None, f"its reports are larger than {HELD_BYTES} bytes")


def may_hold_report(artifact: Mapping[str, Any]) -> bool:
    """Tell whether an artifact is small, still there, and named like one that holds a report."""
    return (
        not artifact.get("expired")
        and int(artifact.get("size_in_bytes") or 0) <= REPORT_BYTES
        and REPORT_NAMES.search(str(artifact.get("name", ""))) is not None
    )


def attempt_of(store: Store, place: Place, want: Want) -> int | None:
    """Return the attempt that made the artifact, the last that had started by then; None where it holds no report.

    That is told by others of its name: after MAX_BARREN of them without one no more are looked into.
    """
    if place.n_barren[want.body["name"]] >= MAX_BARREN:
        return None
    run_id = want.key.partition("/")[0]
    made_at = want.at
    attempt = 0
    while (run := store.payload(place.repo, "run", f"{run_id}/{attempt + 1}")) is not None:
        began = started(run)
        if attempt and made_at is not None and began is not None and began > made_at:
            break
        attempt += 1
    return attempt or 1


def fetch_report(place: Place, want: Want, attempt: int) -> Batch:
    """Return the text files of an artifact: JUnit XML and files of figures as such, others as they are."""
    run_id, _, artifact = want.key.partition("/")
    reply, body = place.client.download(f"{place.path}/actions/artifacts/{artifact}/zip", place.folder)
    met = [(want.kind, want.key)]
    if reply.status != 200:
        place.check_visible()
        return Batch(place.repo, SOURCE, [gone(want, reply, "artifact")], met=met)
    if isinstance(body, Path):
        body.unlink()
        return Batch(place.repo, SOURCE, [gone(want, _TOO_LARGE, "artifact")], met=met)
    payloads: list[Payload] = []
    n_bytes = 0
    try:
        for name, text in _report_files(str(want.body["name"]), body):
            n_bytes += len(text)
            if n_bytes > HELD_BYTES:
                payloads.append(gone(want, _TOO_LARGE, name))
                break
            payloads += _to_report(place.repo, RunRef(int(run_id), attempt), want.body, name, text)
    except ZIP_ERRORS as error:
        payloads.append(gone(want, Reply("", 200, None, f"not a whole zip ({error})"), "artifact"))
    if not payloads:
        place.n_barren[want.body["name"]] += 1
    return Batch(place.repo, SOURCE, payloads, met=met)


def _to_report(repo: str, ref: RunRef, artifact: Mapping[str, Any], name: str, text: bytes) -> Sequence[Payload]:
    if is_junit(text):
        try:
            return read_junit(Path(name), text, said_repo=Repo.parse(repo), said_run=ref).payloads
        except BadInput:
            pass  # not whole: kept as the text that it is
    number = int(artifact["id"])
    if kind := measured_kind(text):
        return [to_measured(kind, ref, artifact_id=number, artifact=artifact["name"], file=name, body=text)]
    return [Payload("report", f"{ref.run_id}/{ref.attempt}/{number}/{name}", text.decode("utf-8", "replace"))]


def _report_files(name: str, body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the text files of an artifact: of a zip, or the one file that was uploaded without one.

    Sizes in a zip can lie; of a file that is larger than HELD_BYTES just enough is unpacked to see it.
    """
    if not body.startswith(b"PK\x03\x04"):
        if REPORT_FILES.search(name) or is_junit(body):
            yield name, body
        return
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        for entry in archive.infolist():
            if REPORT_FILES.search(entry.filename):
                yield entry.filename, archive.open(entry).read(HELD_BYTES + 1)
