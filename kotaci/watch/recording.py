"""What was recorded while a command ran: samples, their summary, and the JSON file that holds them.

All is a pure record but for `read_recording` and `write_recording`, and nothing here needs psutil. Bytes are bytes,
`_s` are seconds.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

from kotaci.model import BadInput

VERSION = 1
"""The version of the file; it rises when a key changes its meaning or goes."""

MOST_SAMPLES = 3_600
"""How many samples a file holds at most: an hour at one a second; then pairs are merged, again and again."""

MOST_AMOUNT = 2**50
"""A petabyte, or more seconds than anybody waits: what claims more was not measured, and would not fit a table."""


@dataclass(frozen=True)
class Look:
    """What the machine's counters said at one moment; `cpu_s` to `sent_bytes` only grow."""

    at_s: float
    cpu_s: float
    machine_cpu_s: float
    read_bytes: int | None
    written_bytes: int | None
    received_bytes: int
    sent_bytes: int
    rss_bytes: int
    available_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class Sample:
    """What was seen in a span of time, of one look or of several merged ones.

    `cpu_s`, `read_bytes` and `written_bytes` are the command's and its children's, and so is `rss_bytes`, the largest
    sum of their resident memory at a look; what several processes share is counted for each, and a peak between two
    looks is not seen. Read bytes are those that came from the disk, not from the page cache; written ones are on their
    way to a disk, and count even where the file is gone before they arrive; those in a tmpfs do not; None where the
    system does not tell. The rest is the whole machine's, whoever caused it:
    busy CPU seconds, network but for loopback, the least memory available, the least space free on the file system of
    the working directory. `peak_cores` is the most CPU seconds a second between two looks.
    """

    at_s: float
    span_s: float
    n_looks: int
    cpu_s: float
    peak_cores: float
    machine_cpu_s: float
    rss_bytes: int
    available_bytes: int
    read_bytes: int | None
    written_bytes: int | None
    free_bytes: int
    received_bytes: int
    sent_bytes: int


@dataclass(frozen=True)
class Summary:
    """A recording in a few numbers, with the meanings of `Sample`; None where no sample tells."""

    wall_s: float
    cpu_s: float
    mean_cores: float | None
    peak_cores: float | None
    peak_rss_bytes: int | None
    min_available_bytes: int | None
    read_bytes: int | None
    written_bytes: int | None
    min_free_bytes: int | None
    received_bytes: int
    sent_bytes: int
    n_samples: int
    n_looks: int


@dataclass(frozen=True)
class Recording:
    """A command, the machine it ran on, and its samples in order.

    Known secrets in `command` are replaced. `exit_code` is what the command returned, 128 and the signal's number where
    a signal ended it; None says that the watcher itself was killed, and the samples end some time before that.
    """

    command: tuple[str, ...]
    started_at: datetime
    exit_code: int | None
    every_s: float
    n_cores: int
    memory_bytes: int
    samples: tuple[Sample, ...]

    def summary(self) -> Summary:
        """Return the totals and peaks of all samples."""
        samples = self.samples
        wall_s = math.fsum(sample.span_s for sample in samples)
        cpu_s = math.fsum(sample.cpu_s for sample in samples)
        mean_cores = cpu_s / wall_s if wall_s else None
        peaks = [sample.peak_cores for sample in samples]
        return Summary(
            wall_s=wall_s,
            cpu_s=cpu_s,
            mean_cores=mean_cores,
            peak_cores=max([*peaks, mean_cores or 0.0]) if peaks else None,
            peak_rss_bytes=max((sample.rss_bytes for sample in samples), default=None),
            min_available_bytes=min((sample.available_bytes for sample in samples), default=None),
            read_bytes=_sum([sample.read_bytes for sample in samples]),
            written_bytes=_sum([sample.written_bytes for sample in samples]),
            min_free_bytes=min((sample.free_bytes for sample in samples), default=None),
            received_bytes=sum(sample.received_bytes for sample in samples),
            sent_bytes=sum(sample.sent_bytes for sample in samples),
            n_samples=len(samples),
            n_looks=sum(sample.n_looks for sample in samples),
        )

    def thinned(self, most: int) -> tuple[Sample, ...]:
        """Return at most so many samples, neighbours merged: totals, peaks and lows stay."""
        size = -(-len(self.samples) // most) or 1
        return tuple(reduce(merge, self.samples[first : first + size]) for first in range(0, len(self.samples), size))

    def to_json(self) -> dict[str, Any]:
        """Return the recording as JSON values; the samples as columns, which is a third of the size."""
        return {
            "version": VERSION,
            "command": list(self.command),
            "started_at": self.started_at.astimezone(UTC).isoformat(),
            "exit_code": self.exit_code,
            "every_s": self.every_s,
            "n_cores": self.n_cores,
            "memory_bytes": self.memory_bytes,
            "summary": asdict(self.summary()),
            "samples": {name: [getattr(sample, name) for sample in self.samples] for name in _COLUMNS},
        }

    @classmethod
    def from_json(cls, value: Any, *, source: object = "recording") -> Recording:
        """Return the recording that `to_json` wrote. Raises BadInput, naming `source` and what is wrong in it.

        The summary is not read: it follows from the samples.
        """
        _check(isinstance(value, dict), source, "is no JSON object")
        _check("version" in value, source, "has no version")
        _check(value["version"] == VERSION, source, f"is of version {value['version']!r}, not {VERSION}")
        missing = sorted(_KEYS - value.keys())
        _check(not missing, source, f"lacks {', '.join(missing)}")
        command, code = value["command"], value["exit_code"]
        words = isinstance(command, list) and command and all(isinstance(word, str) for word in command)
        _check(words, source, "command is no list of words")
        _check(code is None or (_is_amount(code, whole=True) and code < 2**32), source, "exit_code is no number")
        for name in ("every_s", "n_cores", "memory_bytes"):
            is_right = _is_amount(value[name], whole=name != "every_s") and value[name] > 0
            _check(is_right, source, f"{name} is {_shown(value[name])}")
        return cls(
            command=tuple(command),
            started_at=_moment(value["started_at"], source),
            exit_code=code,
            every_s=value["every_s"],
            n_cores=value["n_cores"],
            memory_bytes=value["memory_bytes"],
            samples=_samples(value["samples"], source),
        )


_COLUMNS = tuple(column.name for column in fields(Sample))
_MAY_LACK = frozenset({"read_bytes", "written_bytes"})
_FRACTIONS = frozenset({"at_s", "span_s", "cpu_s", "peak_cores", "machine_cpu_s"})
_KEYS = frozenset(column.name for column in fields(Recording))


def between(before: Look, after: Look, *, least_s: float) -> Sample:
    """Return the sample of the span between two looks.

    CPU time is counted in hundredths of a second, so the cores of a span shorter than `least_s` are those of that long.
    """
    span_s, cpu_s = after.at_s - before.at_s, after.cpu_s - before.cpu_s
    return Sample(
        at_s=after.at_s,
        span_s=span_s,
        n_looks=1,
        cpu_s=cpu_s,
        peak_cores=cpu_s / max(span_s, least_s),
        machine_cpu_s=after.machine_cpu_s - before.machine_cpu_s,
        rss_bytes=after.rss_bytes,
        available_bytes=after.available_bytes,
        read_bytes=_difference(before.read_bytes, after.read_bytes),
        written_bytes=_difference(before.written_bytes, after.written_bytes),
        free_bytes=after.free_bytes,
        received_bytes=after.received_bytes - before.received_bytes,
        sent_bytes=after.sent_bytes - before.sent_bytes,
    )


def never_below(before: Look, after: Look) -> Look:
    """Return the later look with no counter below that of the earlier one.

    A sum over processes falls where one ends that nobody waited for, and is short for a moment where one ends just
    while they are read; counted on from the fall, its work would be there twice.
    """
    return replace(
        after,
        cpu_s=max(before.cpu_s, after.cpu_s),
        machine_cpu_s=max(before.machine_cpu_s, after.machine_cpu_s),
        read_bytes=None if after.read_bytes is None else max(before.read_bytes or 0, after.read_bytes),
        written_bytes=None if after.written_bytes is None else max(before.written_bytes or 0, after.written_bytes),
        received_bytes=max(before.received_bytes, after.received_bytes),
        sent_bytes=max(before.sent_bytes, after.sent_bytes),
    )


def merge(first: Sample, second: Sample) -> Sample:
    """Return the sample of two spans that follow each other: what was spent is added, peaks and lows are kept."""
    return Sample(
        at_s=second.at_s,
        span_s=first.span_s + second.span_s,
        n_looks=first.n_looks + second.n_looks,
        cpu_s=first.cpu_s + second.cpu_s,
        peak_cores=max(first.peak_cores, second.peak_cores),
        machine_cpu_s=first.machine_cpu_s + second.machine_cpu_s,
        rss_bytes=max(first.rss_bytes, second.rss_bytes),
        available_bytes=min(first.available_bytes, second.available_bytes),
        read_bytes=_sum([first.read_bytes, second.read_bytes]),
        written_bytes=_sum([first.written_bytes, second.written_bytes]),
        free_bytes=min(first.free_bytes, second.free_bytes),
        received_bytes=first.received_bytes + second.received_bytes,
        sent_bytes=first.sent_bytes + second.sent_bytes,
    )


def add(samples: Sequence[Sample], new: Sample, *, most: int = MOST_SAMPLES) -> tuple[Sample, ...]:
    """Return the samples with a new one; where they would be more than `most`, an even number, half as many.

    All samples have as many looks as the first, so that a long run is as fine at its end as at its beginning; the
    last one is filled up first.
    """
    if samples and samples[-1].n_looks < samples[0].n_looks:
        return (*samples[:-1], merge(samples[-1], new))
    if len(samples) < most:
        return (*samples, new)
    return (*(merge(*pair) for pair in zip(samples[::2], samples[1::2], strict=True)), new)


def read_recording(path: Path) -> Recording:
    """Return the recording in the file. Raises BadInput where it is not there, is no JSON, or is no recording."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise BadInput(path, f"cannot be read ({error.strerror})", _HINT) from None
    return parse_recording(body, source=path)


def parse_recording(body: str | bytes, *, source: object = "recording") -> Recording:
    """Return the recording that the text of a file tells. Raises BadInput, naming `source` and what is wrong in it."""
    try:
        value = json.loads(body if isinstance(body, str) else body.decode("utf-8"))
    except ValueError as error:
        raise BadInput(source, f"is no JSON ({error})", _HINT) from None
    except RecursionError:
        raise BadInput(source, "is no JSON that anybody wrote (nested too deeply)", _HINT) from None
    return Recording.from_json(value, source=source)


def is_recording(body: str | bytes) -> bool:
    """Tell whether the text begins like a recording, of whatever version."""
    return _BEGINS.match(body if isinstance(body, str) else body[:200].decode("utf-8", "replace")) is not None


def write_recording(recording: Recording, path: Path) -> None:
    """Write the file so that a reader sees the old one or the new one. Raises OSError where the disk refuses."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(json.dumps(recording.to_json()) + "\n", encoding="utf-8", newline="\n")
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


_BEGINS = re.compile(r'\s*\{\s*"version"\s*:\s*[0-9]+\s*,\s*"command"\s*:\s*\[')
_HINT = "name a file that `kotaci watch` wrote"


def _check(is_so: object, source: object, problem: str) -> None:
    if not is_so:
        raise BadInput(source, problem, _HINT)


def _samples(columns: Any, source: object) -> tuple[Sample, ...]:
    _check(isinstance(columns, dict), source, "samples is no object of columns")
    missing = sorted(set(_COLUMNS) - columns.keys())
    _check(not missing, source, f"samples lacks {', '.join(missing)}")
    for name in _COLUMNS:
        _check(isinstance(columns[name], list), source, f"samples.{name} is no list")
        _check(
            len(columns[name]) == len(columns[_COLUMNS[0]]),
            source,
            f"samples.{name} has {len(columns[name])} values where samples.{_COLUMNS[0]} has "
            f"{len(columns[_COLUMNS[0]])}",
        )
        for place, amount in enumerate(columns[name]):
            is_lacking = amount is None and name in _MAY_LACK
            is_right = is_lacking or _is_amount(amount, whole=name not in _FRACTIONS)
            _check(is_right, source, f"samples.{name}[{place}] is {_shown(amount)}")
    n_samples = len(columns[_COLUMNS[0]])
    _check(n_samples <= MOST_SAMPLES, source, f"has {n_samples:,} samples, more than {MOST_SAMPLES:,}")
    times = columns["at_s"]
    falls = next((place for place in range(1, n_samples) if times[place] < times[place - 1]), None)
    _check(falls is None, source, f"samples.at_s[{falls}] is before the one before it")
    rows: list[Mapping[str, Any]] = [
        dict(zip(_COLUMNS, row, strict=True)) for row in zip(*(columns[name] for name in _COLUMNS), strict=True)
    ]
    return tuple(Sample(**row) for row in rows)


def _is_amount(value: Any, *, whole: bool) -> bool:
    """Tell whether the value is a number from zero to MOST_AMOUNT; True and False are none."""
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        return False
    return 0 <= value <= MOST_AMOUNT


def _shown(value: Any) -> str:
    return f"{json.dumps(value)[:40]}, no amount"


def _moment(value: Any, source: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadInput(source, "started_at is no time with its zone", _HINT)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise BadInput(source, "started_at leaves the calendar", _HINT) from None


def _sum(amounts: Sequence[int | None]) -> int | None:
    told = [amount for amount in amounts if amount is not None]
    return sum(told) if told and len(told) == len(amounts) else None


def _difference(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before
