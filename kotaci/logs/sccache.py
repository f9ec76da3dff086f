"""What `sccache --show-stats` counts, also as mozilla-actions/sccache-action prints it after a job.

Labels: from its source (`src/server.rs`, `ServerStats::print`) and from published prints of several versions; that
of the GitHub backend (`SCCACHE_GHA_ENABLED`) has the location `ghac` and no size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kotaci.logs.lines import MAX_LINE_CHARS, parse_lines

_FIRST = "Compile requests"
_MOST_LINES = 80
"""So many lines of one block: some thirty labels, and reasons why calls were not cacheable."""

_COUNTS = {
    "Cache hits": "n_hits",
    "Cache misses": "n_misses",
    "Cache timeouts": "n_errors",
    "Cache read errors": "n_errors",
    "Cache errors": "n_errors",
    "Cache write errors": "n_write_errors",
    "Non-cacheable compilations": "n_uncacheable",
    "Non-cacheable calls": "n_uncacheable",
}
"""Labels of totals; those of one language (`Cache hits (Rust)`) are parts of them."""

_COUNT = re.compile(r"\d{1,15}")
_SIZE = re.compile(r"(?P<number>\d{1,12}(?:\.\d{1,6})?) (?P<unit>bytes|B|KiB|MiB|GiB|TiB)")
_BYTES = {"bytes": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


@dataclass(frozen=True, slots=True)
class CompilerCache:
    """One block of statistics: counts since the server started or was zeroed, so a later block holds an earlier one.

    `n_requests` are calls of the wrapper; of these `n_hits` and `n_misses` could be cached, `n_uncacheable` could not
    (a link, an incremental build). `n_errors` are reads that failed or took too long, `n_write_errors` results that
    were compiled and not kept: with many of them the next job misses too. `size_bytes` is that of the whole cache, None
    where the backend does not tell. `line` is the block's first, `at` its time stamp.
    """

    location: str = ""
    n_requests: int = 0
    n_hits: int = 0
    n_misses: int = 0
    n_errors: int = 0
    n_write_errors: int = 0
    n_uncacheable: int = 0
    size_bytes: int | None = None
    line: int = 0
    at: str = ""


def parse_compiler_caches(text: str) -> list[CompilerCache]:
    """Return the blocks of statistics in a job's log, in its order; one without hits and misses is none."""
    return list(_blocks(text)) if f"{_FIRST} " in text else []


def _blocks(text: str) -> Iterator[CompilerCache]:
    block, seen = CompilerCache(), set[str]()
    for line in parse_lines(text):
        if line.is_echo:
            continue
        label, _, rest = line.text[:MAX_LINE_CHARS].partition("  ")
        told = rest.strip()
        if label == _FIRST and _COUNT.fullmatch(told):
            if {"Cache hits", "Cache misses"} <= seen:
                yield block
            block, seen = CompilerCache(n_requests=int(told), line=line.number, at=line.at), {label}
            continue
        is_open = bool(seen) and label not in seen and line.number < block.line + _MOST_LINES
        if is_open and (taken := _taken(block, label, told)):
            block = taken
            seen.add(label)
    if {"Cache hits", "Cache misses"} <= seen:
        yield block


def _taken(block: CompilerCache, label: str, told: str) -> CompilerCache | None:
    """Return the block with what the line tells; None for a line that is none of its own."""
    name = _COUNTS.get(label)
    if name and _COUNT.fullmatch(told):
        return replace(block, **{name: getattr(block, name) + int(told)})
    if label == "Cache location" and told:
        return replace(block, location=told)
    if label == "Cache size" and (size := _SIZE.fullmatch(told)):
        return replace(block, size_bytes=round(float(size["number"]) * _BYTES[size["unit"]]))
    return None
