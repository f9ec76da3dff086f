"""Numbers that decide whether CI is green: time-outs, allowed times, coverage, retries; read from one file's text.

A number is a limit where its name, or the comparison it stands in, tells which way is looser; others are left out.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kotaci.audit.project import WORKFLOW, workflow_of
from kotaci.workflows import WorkflowFile, WorkflowJob, WorkflowStep

GITHUB_TIMEOUT_MIN = 360.0
"""A job's time-out where it sets none."""

LIMITED = re.compile(
    r"\.github/workflows/[^/]+\.ya?ml|(?:.*/)?(?:tests|benches)/.+\.rs|\.config/nextest\.toml"
    r"|(?:.*/)?(?:\.?codecov\.ya?ml|pyproject\.toml|setup\.cfg|justfile|Makefile|[^/]+\.sh)"
)
"""Files that may hold limits."""

_LARGER = re.compile(
    r"timeouts?|retries|attempts|deadline|budget|latency|tolerance|outlier|outliers|overhead|growth|degradation"
    r"|alert|threshold|stddev|p50|p95|p99|elapsed"
)
_UNITS = re.compile(r"ns|us|ms|millis|micros|nanos|s|sec|secs|seconds|minutes|mins|duration|time")
_SMALLER = re.compile(r"coverage|cov|min|minimum|least|efficiency|throughput")
_NOT_A_LIMIT = re.compile(r"sleep|delay|interval|backoff|poll|period|warmup|wait|tick|step|schedule|port|seed|version")
_NUMBER = r"[0-9][0-9_]*(?:\.[0-9_]+)?"
_FROM = r"(?:[\w:]*::)?Duration::from_"
_UNIT = "secs|millis|micros|nanos"
_OF_FLOAT = "(?:_f64|_f32)?"
_DURATION = re.compile(rf"{_FROM}({_UNIT}){_OF_FLOAT}\(\s*({_NUMBER})\s*\)")
_LITERAL = rf"{_NUMBER}(?:_?[iuf](?:8|16|32|64|128|size))?"
_VALUE = rf"(?:{_LITERAL}|{_FROM}(?:{_UNIT}){_OF_FLOAT}\(\s*{_NUMBER}\s*\))"
_IN_SECONDS = {"secs": 1.0, "millis": 1e-3, "micros": 1e-6, "nanos": 1e-9}
_FUNCTION = re.compile(r"\bfn\s+(\w+)")
_CONSTANT = re.compile(rf"\bconst\s+(\w+)\s*:[^=;]{{1,60}}=\s*({_VALUE})\s*;")
_FIELD = re.compile(rf"^\s*(\w+):\s*({_VALUE})\s*,", re.MULTILINE)
_CHOICE = re.compile(
    rf"\blet\s+(\w+)[^=;\n]{{0,30}}=\s*if\s+[^{{}};]{{1,120}}\{{\s*({_VALUE})\s*\}}\s*else\s*\{{\s*({_VALUE})\s*\}}"
)
_ASSERTED = re.compile(rf"\bassert!\(\s*([^;\"<>=,]{{1,120}}?)\s*(<=?|>=?)\s*({_VALUE})\s*[,)]")
_FAIL_UNDER = re.compile(r"(--(?:cov-)?fail-under(?:-[a-z]+)?|\bfail_under)\s*[= ]\s*[\"']?([0-9]+(?:\.[0-9]+)?)")
_TARGET = re.compile(r"^\s*target:\s*[\"']?([0-9]+(?:\.[0-9]+)?)%", re.MULTILINE)
_RETRIES = re.compile(r"\s(--retries)[= ]([0-9]+)\b")
_TIMED = re.compile(
    r"(?:^|[\s;&|(])timeout\s+(?:-\S+\s+(?:[0-9]\S*\s+)?)*([0-9]+(?:\.[0-9]+)?)([smhd]?)\s+([\w./-]+(?: [\w-]+)?)"
)
_OF_UNIT = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NAMED = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%?")


@dataclass(frozen=True)
class Limit:
    """One limit: which `place` it stands at in its file, and its value; `is_larger_looser` tells the direction.

    Where a place has several (one for CI, one for a laptop) the loosest counts.
    """

    place: str
    value: float
    is_larger_looser: bool
    is_timeout: bool = False
    is_default: bool = False
    """GitHub's, since the file says none"""

    def is_looser_than(self, other: float) -> bool:
        """Return whether it lets more pass than that value."""
        return self.value > other if self.is_larger_looser else self.value < other


def limits_of(path: str, text: str) -> Mapping[str, Limit]:
    """Return the limits of a file by their place; none for a file that holds none, or that cannot be read."""
    return _limits(path, text) if LIMITED.fullmatch(path) else {}


_MAY_TELL = re.compile(
    r"time|out|fail|retr|attempt|max|min|limit|cov|alert|thresh|laten|budget|deadline|toler|overhead|growth|degrad|stddev"
    r"|p50|p9|avg|mean|average|allowed|least|effic|throughput|per_sec|target|elapsed|secs",
    re.IGNORECASE,
)


def may_differ(path: str, before: str, after: str) -> bool:
    """Return False where no limit can have changed between two texts of a file, without parsing them: in most commits
    none has."""
    return _telling_lines(path, before) != _telling_lines(path, after)


@lru_cache(maxsize=4096)
def _telling_lines(path: str, text: str) -> tuple[str, ...]:
    lines = (line.strip() for line in text.splitlines() if re.search(r"[0-9]", line))
    return tuple(line for line in lines if path.endswith(".rs") or _MAY_TELL.search(line))


@lru_cache(maxsize=4096)
def _limits(path: str, text: str) -> Mapping[str, Limit]:
    if WORKFLOW.fullmatch(path):
        found = _of_workflow(workflow_of(text, path))
    elif path.endswith(".rs"):
        found = _of_rust(text)
    elif path.endswith("nextest.toml"):
        found = _of_nextest(text)
    else:
        found = _of_text(text)
    limits: dict[str, Limit] = {}
    for limit in found:
        held = limits.get(limit.place)
        if held is None or limit.is_looser_than(held.value):
            limits[limit.place] = limit
    return limits


def direction(name: str) -> bool | None:
    """Return whether a larger number under this name lets more pass; None where the name does not tell."""
    words = [word for word in re.split(r"[^a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).casefold()) if word]
    if any(_NOT_A_LIMIT.fullmatch(word) for word in words):
        return None
    if any(_SMALLER.fullmatch(word) for word in words) or name.casefold().endswith("per_sec") or "under" in words:
        return False
    if any(_LARGER.fullmatch(word) for word in words):
        return True
    is_bound = any(word in {"max", "maximum", "limit", "avg", "average", "mean", "allowed"} for word in words)
    return True if is_bound and any(_UNITS.fullmatch(word) for word in words) else None


def _named(name: str, text: str, *, place: str) -> Iterator[Limit]:
    is_larger, number = direction(name), _NAMED.fullmatch(text.strip())
    if is_larger is not None and number is not None:
        yield Limit(place, float(number[1]), is_larger, "timeout" in name.casefold())


def _of_workflow(file: WorkflowFile) -> Iterator[Limit]:
    for name, text in file.env:
        yield from _named(name, text, place=f"env {name}")
    for job in file.jobs:
        where = f"job {job.key}"
        if job.steps and (job.timeout_min is not None or not job.timeout_text):
            minutes = GITHUB_TIMEOUT_MIN if job.timeout_min is None else job.timeout_min
            yield Limit(f"{where}, timeout-minutes", minutes, True, is_timeout=True, is_default=not job.timeout_text)
        for name, text in job.env:
            yield from _named(name, text, place=f"{where}, env {name}")
        for step in job.steps:
            yield from _of_step(step, job)


def _of_step(step: WorkflowStep, job: WorkflowJob) -> Iterator[Limit]:
    where = f"job {job.key}, step “{step.title}”"
    if step.timeout_min is not None:
        yield Limit(f"{where}, timeout-minutes", step.timeout_min, is_larger_looser=True, is_timeout=True)
    for kind, texts in (("env", step.env), ("with", step.inputs)):
        for name, text in texts:
            yield from _named(name, text, place=f"{where}, {kind} {name}")
    for limit in _of_text(step.run):
        yield Limit(f"{where}, {limit.place}", limit.value, limit.is_larger_looser, limit.is_timeout)


def _of_text(text: str) -> Iterator[Limit]:
    for found in _FAIL_UNDER.finditer(text):
        yield Limit(found[1], float(found[2]), is_larger_looser=False)
    for found in _TARGET.finditer(text):
        yield Limit("target", float(found[1]), is_larger_looser=False)
    for found in _RETRIES.finditer(text):
        yield Limit(found[1], float(found[2]), is_larger_looser=True)
    for found in _TIMED.finditer(text):
        seconds = float(found[1]) * _OF_UNIT[found[2]]
        yield Limit(f"timeout of “{found[3]}”, s", seconds, is_larger_looser=True, is_timeout=True)


def _of_nextest(text: str) -> Iterator[Limit]:
    try:
        profiles = tomllib.loads(text).get("profile", {})
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    for name, profile in profiles.items() if isinstance(profiles, dict) else ():
        if isinstance(profile, dict):
            parts = profile.get("overrides")
            rows = [("", profile), *((f", override {number}", one) for number, one in enumerate(_tables(parts), 1))]
            for more, row in rows:
                yield from _of_profile(f"profile {name}{more}", row)


def _tables(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _of_profile(where: str, row: Mapping[str, Any]) -> Iterator[Limit]:
    retries = row.get("retries")
    count = retries.get("count") if isinstance(retries, dict) else retries
    if isinstance(count, int):
        yield Limit(f"{where}, retries", float(count), is_larger_looser=True)
    slow = row.get("slow-timeout")
    period = re.fullmatch(r"([0-9]+)\s*(ms|s|m|h)", str(slow.get("period"))) if isinstance(slow, dict) else None
    if isinstance(slow, dict) and period and isinstance(times := slow.get("terminate-after"), int):
        seconds = float(period[1]) * {"ms": 1e-3, **_OF_UNIT}[period[2]] * times
        yield Limit(f"{where}, slow-timeout, s", seconds, is_larger_looser=True, is_timeout=True)


def _of_rust(text: str) -> Iterator[Limit]:
    functions = [(found.start(), found[1]) for found in _FUNCTION.finditer(text)]

    def around(position: int) -> str:
        return next((name for start, name in reversed(functions) if start < position), "")

    for found in _CONSTANT.finditer(text):
        yield from _valued(found[1], found[2], place=f"const {found[1]}")
    for found in _FIELD.finditer(text):
        yield from _valued(found[1], found[2], place=f"fn {around(found.start())}, {found[1]}")
    for found in _CHOICE.finditer(text):
        inside = around(found.start())
        name = found[1] if direction(found[1]) is not None else inside
        for value in (found[2], found[3]):
            yield from _valued(name, value, place=f"fn {inside}, {found[1]}")
    for found in _ASSERTED.finditer(text):
        measured = " ".join(found[1].split())
        if _is_measured(measured, found[3]):
            place = f"fn {around(found.start())}, assert {measured} {found[2][0]}"
            yield Limit(place, _value(found[3]), is_larger_looser=found[2].startswith("<"))


def _valued(name: str, text: str, *, place: str) -> Iterator[Limit]:
    is_larger = direction(name)
    if is_larger is not None:
        yield Limit(place, _value(text), is_larger)


def _value(text: str) -> float:
    """Return a literal of Rust as a number; a duration in seconds."""
    duration = _DURATION.match(text)
    if duration is not None:
        return float(duration[2].replace("_", "")) * _IN_SECONDS[duration[1]]
    return float(re.match(_NUMBER, text)[0].replace("_", "").rstrip("."))  # type: ignore[index]


_MEASURED = re.compile(
    r"elapsed|duration|latency|as_(?:secs|millis|micros|nanos)|per_sec|throughput|ratio|overhead|growth|speedup|rate|efficiency"
    r"|(?:^|_|\.)time(?:$|_|\b)|_(?:ms|us|ns|secs)\b|p9[59]|percent"
)


def _is_measured(expression: str, value: str) -> bool:
    """Tell whether what is asserted was measured: only then does loosening it let a slower run pass."""
    return "Duration::" in value or _MEASURED.search(expression) is not None
