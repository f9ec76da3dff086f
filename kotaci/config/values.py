"""What a configuration holds, frozen; the defaults are those of no file at all."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from kotaci.analysis.alarms import DEFAULTS as HEALTH
from kotaci.analysis.alarms import HealthOptions
from kotaci.analysis.caching import DEFAULTS as CACHING
from kotaci.analysis.caching import CachingOptions
from kotaci.analysis.failures import DEFAULTS as TRIAGE
from kotaci.analysis.failures import TriageOptions
from kotaci.analysis.flakes import DEFAULTS as FLAKES
from kotaci.analysis.flakes import FlakeOptions
from kotaci.analysis.resources import DEFAULTS as RESOURCES
from kotaci.analysis.resources import ResourceOptions
from kotaci.analysis.timing.options import BUILD_TIME, BuildTimeOptions
from kotaci.logs.causes import OwnCause
from kotaci.model import short_workflow

DEFAULT = "default"
"""The origin of what no file says."""


@dataclass(frozen=True)
class Labels:
    """Names of labels for issues: on every one, and by the severity of its finding."""

    every: Sequence[str] = ()
    high: Sequence[str] = ()
    medium: Sequence[str] = ()
    low: Sequence[str] = ()


@cache
def published_prices() -> Mapping[str, float]:
    """Return GitHub's prices in US dollars a minute by runner label."""
    text = files("kotaci.config").joinpath("prices.toml").read_text("utf-8")
    return {label: float(price) for label, price in tomllib.loads(text).items()}


@dataclass(frozen=True)
class Prices:
    """US dollars: of a minute by runner label, and of a person's hour, None where nobody said."""

    per_minute: Mapping[str, float] = field(default_factory=published_prices)
    person_hour: float | None = None


@dataclass(frozen=True)
class Landmark:
    """What happened on a day, UTC, in the words of whoever wrote the file."""

    on: date
    text: str


@dataclass(frozen=True)
class Owners:
    """Whom to ask, as (pattern, owner) in the order of the file: strangers' text, to be escaped like any other."""

    workflows: Sequence[tuple[str, str]] = ()
    jobs: Sequence[tuple[str, str]] = ()

    def __bool__(self) -> bool:
        return bool(self.workflows or self.jobs)

    def of(self, workflow: str, *, job: str = "") -> str:
        """Return the owner of a job, else of its workflow (a path, with or without its folder); empty for none."""
        short = short_workflow(workflow)
        by_job = (owner for pattern, owner in self.jobs if job and fnmatchcase(job, pattern))
        by_workflow = (owner for pattern, owner in self.workflows if fnmatchcase(short, short_workflow(pattern)))
        return next(by_job, next(by_workflow, ""))


@dataclass(frozen=True)
class Setting:
    """One key as TOML spells it, its value, and where that is from."""

    key: str
    value: Any
    origin: str


@dataclass(frozen=True)
class Config:
    """What is in force for one repository.

    `source` is where the file is from (its path, `the store`, or `default`), `path` the file where it is one on this
    disk, `told` the keys that it sets.
    """

    base_branch: str = ""
    """empty: the default branch that the data tells"""
    labels: Labels = Labels()
    health: HealthOptions = HEALTH
    triage: TriageOptions = TRIAGE
    flakes: FlakeOptions = FLAKES
    caching: CachingOptions = CACHING
    build_time: BuildTimeOptions = BUILD_TIME
    resources: ResourceOptions = RESOURCES
    causes: Sequence[OwnCause] = ()
    prices: Prices = field(default_factory=Prices)
    dates: Sequence[Landmark] = ()
    owners: Owners = Owners()
    source: str = DEFAULT
    path: Path | None = None
    told: frozenset[str] = frozenset()

    def settings(self) -> list[Setting]:
        """Return every key with its value and origin, in the order of the schema."""
        values: dict[str, Any] = {"base_branch": self.base_branch}
        values |= _members("labels", self.labels)
        values |= _members("thresholds.ci_health", self.health)
        values |= _members("thresholds.failure_triage", self.triage)
        values |= _members("thresholds.flaky_tests", self.flakes)
        values |= _members("thresholds.cache_analysis", self.caching)
        values |= _members("thresholds.build_time", self.build_time)
        values |= _members("thresholds.resources", self.resources)
        values["cause"] = [asdict(cause) for cause in self.causes]
        values |= {dotted("prices", "per_minute", label): price for label, price in self.prices.per_minute.items()}
        values["prices.person_hour"] = self.prices.person_hour
        values["date"] = [{"on": mark.on.isoformat(), "text": mark.text} for mark in self.dates]
        for name in ("workflows", "jobs"):
            pairs = getattr(self.owners, name)
            values |= {dotted("owners", name, pattern): owner for pattern, owner in pairs} or {f"owners.{name}": None}
        return [Setting(key, value, self.source if key in self.told else DEFAULT) for key, value in values.items()]


def _members(path: str, of: Any) -> dict[str, Any]:
    return {f"{path}.{member.name}": getattr(of, member.name) for member in fields(of)}


def dotted(*parts: str | int) -> str:
    """Return a dotted key as TOML spells it; the place in a list is a number, the first being 1."""
    return ".".join(
        str(part) if isinstance(part, int) or re.fullmatch(r"[A-Za-z0-9_-]+", part) else quoted(part) for part in parts
    )


def quoted(text: str) -> str:
    """Return the text in double quotes, with whatever a terminal might obey or hide written out."""
    return json.dumps(text) if not text.isprintable() else f'"{text}"'
