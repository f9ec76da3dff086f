"""Benchmark results from logs and from the files that github-action-benchmark keeps.

Wordings: libtest's from its source (`library/test/src/bench.rs`, `formatters/pretty.rs`) and from a real `cargo bench`;
criterion's from its source (`src/report.rs`) and its book (Command-Line Output), and `--output-format bencher`, which
prints libtest's line; github-action-benchmark's from its source (`src/extract.ts`, `src/write.ts`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kotaci.logs.lines import MAX_LINE_CHARS, parse_lines
from kotaci.model import BadInput

NS = "ns"
"""The unit of every value that is a time."""

_CHEAP = ("/iter (+/- ", "time:   [")
"""Without one of these words no result stands in a log."""

_MAX_NAME_CHARS = 300

_LIBTEST = re.compile(
    r"\s{0,60}(?P<value>[\d,.]{1,30}) (?P<unit>\S{1,20}/iter) \(\+/- (?P<width>[\d,.]{1,30})\)(?: = \d{1,12} MB/s)?"
)
_CRITERION = re.compile(" ".join([r"([\d.]{1,30}) ([^\s\]%]{1,20})"] * 3) + r"\]")
"""Lower bound, estimate and upper bound, each with its unit."""
_CHARSET = "\x1b(B"
"""What terminfo's `sgr0` of xterm adds, and libtest prints with `--color always`."""
_NO_NAMES = ("Benchmarking ", "Warning: ", "Found ", "Gnuplot ")
"""How lines begin that criterion prints around a name on a line of its own."""

_RANGE = re.compile(r"\s*(?:±|\+/-|\+-)\s*(?P<width>[\d,.]{1,30}(?:[eE][+-]?\d{1,3})?)\s*(?P<percent>%?)\s*")
_SCRIPT = "window.BENCHMARK_DATA"

_TIMES = {
    "ps": 1e-3, "ns": 1.0, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9,
    "nsec": 1.0, "usec": 1e3, "msec": 1e6, "sec": 1e9,
}  # fmt: skip
_PER = ("/iter", "/op")
_RATES = ("/s", "/sec")

_IS_SMALLER_BETTER = {
    "cargo": True, "go": True, "benchmarkluau": True, "googlecpp": True, "catch2": True, "julia": True, "jmh": True,
    "benchmarkdotnet": True, "customSmallerIsBetter": True,
    "benchmarkjs": False, "pytest": False, "customBiggerIsBetter": False,
}  # fmt: skip
"""As github-action-benchmark takes its tools (`biggerIsBetter`)."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One result of one benchmark.

    `value` is a time in ns where `unit` is `ns` (also what was told per iteration or operation), else as told. `low`
    and `high` mean what the tool means: criterion's 95 % interval of the estimate; of libtest, which prints no
    interval but the width (largest less smallest sample), the value less and plus that; of criterion's `bencher` form
    and of a file's `± range`, mostly one standard deviation. Missing where none is told. `is_smaller_better` is None
    where neither the tool nor the unit tells. `line` is 0 for a result from a file.
    """

    tool: str
    name: str
    value: float
    unit: str
    low: float | None
    high: float | None
    is_smaller_better: bool | None
    line: int = 0


@dataclass(frozen=True, slots=True)
class BenchmarkEntry:
    """Results of one commit in a file of github-action-benchmark; `suite`, commit and `at` are empty in a bare list."""

    suite: str
    commit_sha: str
    at: datetime | None
    benchmarks: tuple[Benchmark, ...]


def parse_benchmarks(text: str) -> list[Benchmark]:
    """Return the results that a job's log prints, in its order; a name may occur more than once (in two binaries)."""
    if not any(word in text for word in _CHEAP):
        return []
    return list(_in_lines(text))


def _in_lines(text: str) -> Iterator[Benchmark]:
    before, running = "", ""
    for line in parse_lines(text):
        said = line.text[:MAX_LINE_CHARS].rstrip()
        if line.is_echo or not said:
            continue
        found = _of_libtest(said, line.number)
        if found is None and "time:   [" in said:
            head, _, tail = said.partition("time:   [")
            found = _of_criterion(head.strip() or before or running, tail, line.number)
        if found is not None:
            yield found
        if said.startswith("Benchmarking "):
            running = said.removeprefix("Benchmarking ").partition(": ")[0]
        elif not line.mark and not said.startswith(_NO_NAMES):
            before = "" if said[0].isspace() else said


def _of_libtest(said: str, number: int) -> Benchmark | None:
    if not said.startswith("test ") or "/iter (+/- " not in said:
        return None
    head, _, tail = said.replace(_CHARSET, "").rpartition(" ... bench:")
    told = _LIBTEST.fullmatch(tail)
    name = head.removeprefix("test ").strip()
    if told is None or not 0 < len(name) <= _MAX_NAME_CHARS:
        return None
    value, width = _number(told["value"]), _number(told["width"])
    return None if value is None else _benchmark("libtest", name, value, told["unit"], width, number)


def _of_criterion(name: str, tail: str, number: int) -> Benchmark | None:
    told = _CRITERION.fullmatch(tail)
    if told is None or not 0 < len(name) <= _MAX_NAME_CHARS:
        return None
    bounds = [
        _in_ns(amount, unit)
        for text, unit in zip(told.groups()[::2], told.groups()[1::2], strict=True)
        if (amount := _number(text)) is not None
    ]
    if len(bounds) < 3 or len({unit for _, unit in bounds}) > 1:
        return None
    (low, unit), (value, _), (high, _) = bounds
    return Benchmark("criterion", name, value, unit, low, high, _is_smaller_better("", unit), number)


def is_benchmark_data(text: str) -> bool:
    """Tell whether the text looks like a file that parse_benchmark_data reads, whole or not."""
    body = text.removeprefix("\ufeff").lstrip()
    keys = {"[": ('"name"', '"unit"', '"value"'), "{": ('"entries"', '"benches"')}.get(body[:1])
    return body.startswith(_SCRIPT) or (keys is not None and all(key in body for key in keys))


def parse_benchmark_data(text: str) -> list[BenchmarkEntry]:
    """Return the results in a file of github-action-benchmark, suite by suite in their order.

    That is its `data.js`, the same as JSON (`external-data-json-path`), or the bare list that its tools
    `customSmallerIsBetter` and `customBiggerIsBetter` read, which does not tell which of the two it is. What is no
    whole result is left out. Raises BadInput for a file of another kind.
    """
    body = text.removeprefix("\ufeff").strip()
    if body.startswith(_SCRIPT):
        body = body.removeprefix(_SCRIPT).lstrip().removeprefix("=").strip().removesuffix(";")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadInput("a file of benchmarks", "is not whole JSON", "export it again") from error
    if isinstance(data, list):
        results = tuple(_results("", data))
        if not results:
            raise BadInput("a file of benchmarks", "holds no name with a value", "give name, unit and value of each")
        return [BenchmarkEntry("", "", None, results)]
    suites = data.get("entries") if isinstance(data, dict) else None
    if not isinstance(suites, dict):
        raise BadInput("a file of benchmarks", "has no entries", "give what github-action-benchmark wrote")
    return [
        entry
        for suite, told in suites.items()
        for one in (told if isinstance(told, list) else [])
        if isinstance(one, dict) and (entry := _entry(suite, one)).benchmarks
    ]


def _entry(suite: str, told: Mapping[str, Any]) -> BenchmarkEntry:
    commit, tool, benches = told.get("commit"), told.get("tool"), told.get("benches")
    sha = commit.get("id") if isinstance(commit, dict) else ""
    results = _results(tool if isinstance(tool, str) else "", benches if isinstance(benches, list) else [])
    return BenchmarkEntry(suite, sha if isinstance(sha, str) else "", _moment(told.get("date")), tuple(results))


def _results(tool: str, told: list[Any]) -> Iterator[Benchmark]:
    for one in told:
        if not isinstance(one, dict):
            continue
        name, value, unit = one.get("name"), _number(one.get("value")), one.get("unit")
        if not isinstance(name, str) or not name or value is None:
            continue
        width = None
        if isinstance(one.get("range"), str) and (found := _RANGE.fullmatch(one["range"][:100])):
            width = _number(found["width"])
            if width is not None and found["percent"]:
                width = abs(value) * width / 100
        yield _benchmark(tool or "custom", name[:_MAX_NAME_CHARS], value, unit if isinstance(unit, str) else "", width)


def _benchmark(tool: str, name: str, value: float, unit: str, width: float | None, line: int = 0) -> Benchmark:
    low = high = None
    if width is not None:
        low = max(0.0, value - width) if value >= 0 else value - width
        high = value + width
    (value, shown), low, high = (
        _in_ns(value, unit),
        None if low is None else _in_ns(low, unit)[0],
        None if high is None else _in_ns(high, unit)[0],
    )
    return Benchmark(tool, name, value, shown, low, high, _is_smaller_better(tool, shown), line)


def _in_ns(value: float, unit: str) -> tuple[float, str]:
    """Return a time in ns, per iteration or not, and what is no time as it is."""
    bare = unit.strip()
    for per in _PER:
        bare = bare.removesuffix(per)
    return (value * _TIMES[bare], NS) if bare in _TIMES else (value, unit.strip())


def _is_smaller_better(tool: str, unit: str) -> bool | None:
    """Tell which way is better: as the tool has it, else less of a time and more of a rate."""
    if tool in _IS_SMALLER_BETTER:
        return _IS_SMALLER_BETTER[tool]
    return True if unit == NS else False if unit.endswith(_RATES) else None


def _number(told: Any) -> float | None:
    if isinstance(told, bool) or not isinstance(told, int | float | str):
        return None
    try:
        number = float(told.replace(",", "")) if isinstance(told, str) else float(told)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) < _MOST else None


_MOST = 1e100
"""No benchmark's value; beyond it changing the unit would overflow."""


def _moment(milliseconds: Any) -> datetime | None:
    number = _number(milliseconds)
    try:
        return None if number is None else datetime.fromtimestamp(number / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
