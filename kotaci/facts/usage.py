"""What `kotaci watch` recorded in an attempt, to rows of `usages` and `usage_samples`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from kotaci.facts.artifacts import Found, Uploaders
from kotaci.watch import Recording

Key = tuple[str, int, int]

MOST_SAMPLES = 240
"""Rows of `usage_samples` a recording: as many as a picture has room for; the store holds them all."""


def to_usage_rows(
    key: Key, recordings: Sequence[Found[Recording]], uploaders: Uploaders
) -> dict[str, list[tuple[Any, ...]]]:
    """Return rows of `usages` and `usage_samples` of one attempt, each under its job where that can be told."""
    return {
        "usages": [_usage_row(key, uploaders.job_of(one), one) for one in recordings],
        "usage_samples": [row for one in recordings for row in _sample_rows(key, one)],
    }


def _usage_row(key: Key, job_id: int | None, one: Found[Recording]) -> tuple[Any, ...]:
    told, whole = one.told, one.told.summary()
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


def _sample_rows(key: Key, one: Found[Recording]) -> list[tuple[Any, ...]]:
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
        for place, sample in enumerate(one.told.thinned(MOST_SAMPLES), start=1)
    ]
