"""Text of a configuration to a Config, or to all that is wrong with it at once.

Types, bounds and names are the schema's, which editors read too; what a schema cannot say is checked here.
"""

from __future__ import annotations

import difflib
import json
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from kotaci.analysis.alarms import HealthOptions
from kotaci.analysis.caching import CachingOptions
from kotaci.analysis.failures import TriageOptions
from kotaci.analysis.flakes import FlakeOptions
from kotaci.analysis.resources import ResourceOptions
from kotaci.analysis.timing.options import BuildTimeOptions
from kotaci.config.values import Config, Labels, Landmark, Owners, Prices, dotted, published_prices
from kotaci.logs.causes import UNDECIDED, OwnCause
from kotaci.logs.patterns import PatternSet, pattern_problem
from kotaci.model import BadInput

MOST_PROBLEMS = 5
"""So many are told; the rest is counted."""

Path = tuple[str | int, ...]
Options = TypeVar(
    "Options", HealthOptions, TriageOptions, FlakeOptions, CachingOptions, BuildTimeOptions, ResourceOptions
)


@dataclass(frozen=True)
class Problem:
    """What is wrong with one key: where, what, and what to write instead."""

    path: Path
    said: str
    hint: str

    def __str__(self) -> str:
        return f"{self.placed}; {self.hint}"

    @property
    def placed(self) -> str:
        """The place and what is wrong there."""
        place = dotted(*_counted(self.path))
        return f"{place}: {self.said}" if place else self.said


class BadConfig(BadInput):
    """A configuration that cannot be used: one line for one problem, else one more for each."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        super().__init__(source, problems[0].placed, problems[0].hint)
        if len(problems) > 1:
            rest = len(problems) - MOST_PROBLEMS
            lines = [f"{source}: has {len(problems)} problems", *map(str, problems[:MOST_PROBLEMS])]
            self.args = ("\n  ".join([*lines, f"and {rest} more"] if rest > 0 else lines),)


@cache
def read_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    schema: dict[str, Any] = json.loads(files("kotaci.config").joinpath("schema.json").read_text("utf-8"))
    return schema


def read_config(text: str, *, source: str) -> Config:
    """Return the configuration that the text tells. Raises BadConfig with everything that is wrong with it."""
    said = _parsed(text, source=source)
    problems = [*_not_finite(said), *_against_schema(said)]
    problems += _of_causes(said, problems)
    problems += _of_dates(said, problems)
    if problems:
        raise BadConfig(source, problems)
    return _to_config(said, source=source)


def _parsed(text: str, *, source: str) -> dict[str, Any]:
    """Return the file as JSON has it: dates and times are text."""
    try:
        plain: dict[str, Any] = _plain(tomllib.loads(text))
    except RecursionError:
        raise BadConfig(source, [Problem((), "is nested too deeply", "write it flat")]) from None
    except ValueError as error:
        # tomllib tells the place in its message only.
        words, _, place = str(error).rstrip(")").partition(" (at ")
        if place == "end of document":
            lines = text.split("\n")
            place = f"line {len(lines)}, column {len(lines[-1]) + 1}"
        told = f"{place}: {words}" if place else words
        raise BadConfig(source, [Problem((), told, "write TOML, see https://toml.io")]) from None
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return value.isoformat() if isinstance(value, date | datetime | time) else value


def _not_finite(value: Any, path: Path = ()) -> Iterator[Problem]:
    if _is_endless(value):
        yield Problem(path, f"is {value}", "write a finite number")
    pairs: Sequence[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    for key, entry in pairs:
        yield from _not_finite(entry, (*path, key))


def _is_endless(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _against_schema(said: Mapping[str, Any]) -> Iterator[Problem]:
    from jsonschema import Draft202012Validator

    found = Draft202012Validator(read_schema()).iter_errors(said)
    told = set[Path]()
    for error in sorted(found, key=_order):
        for problem in _explained(error):
            # `nan` and `inf` are told already, and one problem a key is enough.
            if problem.path not in told and not _is_endless(error.instance):
                told.add(problem.path)
                yield problem


def _order(error: Any) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in error.absolute_path]


def _explained(error: Any) -> Iterator[Problem]:
    path, schema = tuple(error.absolute_path), error.schema
    if error.validator == "additionalProperties":
        for key in error.instance:
            if key not in schema["properties"]:
                yield Problem((*path, key), "is not a key", _nearest(key, path, sorted(schema["properties"])))
    elif error.validator == "required":
        for key in schema["required"]:
            if key not in error.instance:
                yield Problem((*path, key), "is missing", f"write {_wanted(schema['properties'][key])}")
    elif error.validator == "uniqueItems":
        yield Problem(path, "says something twice", "say it once")
    elif error.validator in {"maxItems", "maxLength"}:
        what = "entries" if error.validator == "maxItems" else "letters"
        yield Problem(path, f"has {len(error.instance):,} {what}", f"write at most {error.validator_value}")
    elif "propertyNames" in error.absolute_schema_path:
        hint = f"write {schema['title']} of {schema['minLength']} to {schema['maxLength']} letters"
        yield Problem((*path, error.instance), "is not a key", hint)
    else:
        yield Problem(path, f"is {_shown(error.instance)}", f"write {_wanted(schema, path)}")


def _nearest(key: str, path: Path, here: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, here, n=1)
    if near:
        return f"did you mean {dotted(*_counted(path), near[0])}?"
    # Of keys with one name the first in the schema is meant.
    by_leaf = {known.rpartition(".")[2]: known for known in reversed([*_known_keys(read_schema())])}
    near = difflib.get_close_matches(key, by_leaf, n=1, cutoff=0.8)
    return f"did you mean {by_leaf[near[0]]}?" if near else f"the keys here are {', '.join(here)}"


def _counted(path: Path) -> Path:
    return tuple(part + 1 if isinstance(part, int) else part for part in path)


def _known_keys(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, below in schema.get("properties", {}).items():
        yield path + name
        yield from _known_keys(below, f"{path}{name}.")


def _wanted(schema: Mapping[str, Any], path: Path = ()) -> str:
    """Return what may stand there, in words, with an example where there is one."""
    kind = schema.get("type")
    words = {"boolean": "true or false", "integer": "a whole number", "number": "a number"}.get(str(kind), "text")
    if kind == "object":
        words = f"a table [{dotted(*_counted(path))}]"
    words = str(schema.get("title", words))
    if "maximum" in schema:
        words += f" from {schema['minimum']:g} to {schema['maximum']:,}".replace(",", "")
    example = next(iter(schema.get("examples", [])), schema.get("default"))
    has_example = kind not in {"object", "boolean"} and example not in (None, [], "")
    return words + (f", such as {_shown(example)}" if has_example else "")


def _shown(value: Any) -> str:
    """Return a value of the file in few words; repr writes out what a terminal might obey."""
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _whole_entries(said: Mapping[str, Any], name: str, problems: Sequence[Problem]) -> Iterator[tuple[int, Any]]:
    """Yield place and entry of those of a list in which the schema found nothing wrong."""
    broken = {problem.path[: 1 + (len(problem.path) > 1)] for problem in problems}
    if (name,) not in broken:
        yield from ((place, entry) for place, entry in enumerate(said.get(name, [])) if (name, place) not in broken)


def _of_dates(said: Mapping[str, Any], problems: Sequence[Problem]) -> Iterator[Problem]:
    for place, entry in _whole_entries(said, "date", problems):
        try:
            date.fromisoformat(entry["on"])
        except ValueError:
            told = f"is {_shown(entry['on'])}, which is not in the calendar"
            yield Problem(("date", place, "on"), told, "write a day that was")


def _of_causes(said: Mapping[str, Any], problems: Sequence[Problem]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for place, entry in _whole_entries(said, "cause", problems):
        known = first.setdefault(entry["id"], place)
        if known != place:
            told = f"is {_shown(entry['id'])}, as in {dotted('cause', known + 1)}"
            yield Problem(("cause", place, "id"), told, "give each cause a name of its own")
        if entry["id"] == UNDECIDED:
            yield Problem(("cause", place, "id"), f"is {_shown(UNDECIDED)}, the answer for no cause", "name the cause")
        bad = list(_of_patterns(entry["patterns"], ("cause", place, "patterns")))
        yield from bad
        if not bad:
            yield from _of_examples(entry, ("cause", place))


def _of_patterns(patterns: Sequence[str], path: Path) -> Iterator[Problem]:
    for place, pattern in enumerate(patterns):
        if problem := pattern_problem(pattern):
            told = f"is not a regular expression ({problem})"
            yield Problem((*path, place), told, "write it as RE2 reads it (no look-around), in 'single quotes'")


def _of_examples(entry: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    patterns = PatternSet(entry["patterns"])
    for place, line in enumerate(entry["examples"]):
        if not patterns.found_in(line):
            hint = "mend the pattern, or show another line"
            yield Problem((*path, "examples", place), "is found by none of the patterns", hint)
    for place, line in enumerate(entry.get("harmless", [])):
        if found := patterns.found_in(line):
            hint = "make the pattern stricter"
            told = f"is found by {_shown(patterns.patterns[found[0]])}"
            yield Problem((*path, "harmless", place), told, hint)


def _to_config(said: Mapping[str, Any], *, source: str) -> Config:
    thresholds, prices, owners = (said.get(name, {}) for name in ("thresholds", "prices", "owners"))
    hour = prices.get("person_hour")
    return Config(
        base_branch=said.get("base_branch", ""),
        labels=Labels(**{name: tuple(labels) for name, labels in said.get("labels", {}).items()}),
        health=_options(HealthOptions(), thresholds.get("ci_health", {})),
        triage=_options(TriageOptions(), thresholds.get("failure_triage", {})),
        flakes=_options(FlakeOptions(), thresholds.get("flaky_tests", {})),
        caching=_options(CachingOptions(), thresholds.get("cache_analysis", {})),
        build_time=_options(BuildTimeOptions(), thresholds.get("build_time", {})),
        resources=_options(ResourceOptions(), thresholds.get("resources", {})),
        causes=tuple(_to_cause(entry) for entry in said.get("cause", [])),
        prices=Prices(
            per_minute={
                **published_prices(),
                **{label: float(price) for label, price in prices.get("per_minute", {}).items()},
            },
            person_hour=None if hour is None else float(hour),
        ),
        dates=tuple(
            sorted(
                (Landmark(date.fromisoformat(entry["on"]), entry["text"]) for entry in said.get("date", [])),
                key=lambda mark: mark.on,
            )
        ),
        owners=Owners(**{name: tuple(pairs.items()) for name, pairs in owners.items()}),
        source=source,
        told=frozenset(_told(said)),
    )


def _to_cause(entry: Mapping[str, Any]) -> OwnCause:
    lists = ("patterns", "examples", "harmless")
    frozen: dict[str, Any] = {name: tuple(entry[name]) for name in lists if name in entry}
    first = (entry["remedy"],) if entry.get("remedy") else ()
    return OwnCause(
        id=entry["id"],
        title=entry["title"],
        group=entry.get("group", ""),
        remedies=(*first, *entry.get("remedies", ())),
        retry=entry.get("retry"),
        **frozen,
    )


def _options(options: Options, said: Mapping[str, float]) -> Options:
    """Return the thresholds with what the file says, as numbers of the type that they have: 5.0 is 5, 30 is 30.0."""
    return replace(options, **{key: type(getattr(options, key))(value) for key, value in said.items()})


def _told(said: Mapping[str, Any], path: Path = ()) -> Iterator[str]:
    for key, value in said.items():
        if isinstance(value, dict):
            yield from _told(value, (*path, key))
        else:
            yield dotted(*path, key)
