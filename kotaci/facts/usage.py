"""What `kotaci watch` recorded in an attempt, to rows of `usages` and `usage_samples`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kotaci.watch import Recording, parse_recording

Key = tuple[str, int, int]

MOST_SAMPLES = 240
"""Rows of `usage_samples` a recording: as many as a picture has room for; the store holds them all."""

PREFIX = re.compile(r"^kotaci-watch-?")
"""What an artifact's name begins with before the name of its job."""


@dataclass(frozen=True)
class Recorded:
    """A recording and where it was found: `file` in the artifact of that id and name."""

    artifact_id: int
    artifact: str
    file: str
    recording: Recording


def to_recorded(key: str, body: Mapping[str, Any]) -> Recorded:
    """Return the recording of a payload that a fetch stored. Raises BadInput where its text is none."""
    _, _, artifact_id, file = key.split("/", 3)
    return Recorded(int(artifact_id), body["artifact"], file, parse_recording(body["text"], source=key))


def to_usage_rows(
    key: Key,
    recordings: Sequence[Recorded],
    names: Mapping[int, Sequence[str]],
    *,
    only_job: int | None = None,
) -> dict[str, list[tuple[Any, ...]]]:
    """Return rows of `usages` and `usage_samples` of one attempt.

    `names` are those of each job. A recording stands under `only_job`, the one job that ran, else under the one that
    its artifact is named after, `kotaci-watch-build-linux` for `build (linux)`; else under none: it is not guessed.
    """
    rows: dict[str, list[tuple[Any, ...]]] = {"usages": [], "usage_samples": []}
    for one in recordings:
        job_id = only_job if only_job is not None else _job_of(one.artifact, names)
        rows["usages"].append(_usage_row(key, job_id, one))
        rows["usage_samples"] += _sample_rows(key, one)
    return rows


def _job_of(artifact: str, names: Mapping[int, Sequence[str]]) -> int | None:
    wanted = _plain(PREFIX.sub("", artifact.removesuffix(".json")))
    found = [job_id for job_id, called in names.items() if wanted and wanted in map(_plain, called)]
    return found[0] if len(found) == 1 else None


def _plain(name: str) -> str:
    """Return a name with all that an artifact's name may not hold, or that people write otherwise, as `-`."""
    return re.sub(r"[^\w.]+", "-", name.lower()).strip("-")


def _usage_row(key: Key, job_id: int | None, one: Recorded) -> tuple[Any, ...]:
    told, whole = one.recording, one.recording.summary()
    return (
        *key,
        job_id,
        one.artifact_id,
        one.artifact,
        one.file,
        # An argument of bytes that are no text comes as surrogates, which no table takes.
        shlex.join(told.command).encode("utf-8", "replace").decode(),
        told.exit_code,
        told.started_at,
        whole.wall_s,
        told.n_cores,
        told.memory_bytes,
        whole.cpu_s,
        whole.mean_cores,
        whole.peak_cores,
        sum(sample.machine_cpu_s for sample in told.samples),
        whole.peak_rss_bytes,
        whole.min_available_bytes,
        whole.read_bytes,
        whole.written_bytes,
        whole.min_free_bytes,
        whole.received_bytes,
        whole.sent_bytes,
        whole.n_samples,
        whole.n_looks,
    )


def _sample_rows(key: Key, one: Recorded) -> list[tuple[Any, ...]]:
    return [
        (
            *key,
            one.artifact_id,
            one.file,
            place,
            sample.at_s,
            sample.span_s,
            sample.cpu_s,
            sample.peak_cores,
            sample.machine_cpu_s,
            sample.rss_bytes,
            sample.available_bytes,
            sample.read_bytes,
            sample.written_bytes,
            sample.free_bytes,
            sample.received_bytes,
            sample.sent_bytes,
        )
        for place, sample in enumerate(one.recording.thinned(MOST_SAMPLES), start=1)
    ]
