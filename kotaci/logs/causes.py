"""The catalogue of causes: what went wrong, who is at fault, how a line of a log tells it, and what to do.

The causes are data, causes.toml. A line tells causes, never a verdict: whether a failure is flaky is not written in
one log.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from kotaci.logs.lines import MAX_LINE_CHARS
from kotaci.logs.patterns import PatternSet, pattern_problem
from kotaci.model import BadInput

UNDECIDED = "undecided"
"""The answer where no cause is supported by the log; no entry of the catalogue."""

GROUPS = {
    "code": "the change itself",
    "reliability": "the run, which was unlucky or ran out of something",
    "environment": "what surrounds the code",
}
"""Who is at fault, by group."""

OWN = "this repository"
"""The tool of a rule that the repository's own configuration brings."""

OWN_CONFIDENCE = 1.0
"""Of the repository's own rules: people who know it wrote them, so that they go before all others."""

_LEAD = re.compile(r"(?:##\[[a-z-]{1,20}[^\]\n]{0,200}\])?")


@dataclass(frozen=True)
class Rule:
    """Patterns (RE2) of one tool that tell a cause; any of them found in a line is enough.

    `confidence` is how likely the cause is right where such a line stands in the step that failed: judged, not
    measured. `is_summary`: the line only reports a failure that is told elsewhere. `is_weak`: passing logs hold such
    lines too, so that it counts only near the failure.
    """

    cause: str
    tool: str
    patterns: Sequence[str]
    confidence: float
    is_summary: bool = False
    is_weak: bool = False
    examples: Sequence[str] = ()
    harmless: Sequence[str] = ()


@dataclass(frozen=True)
class Cause:
    """One cause: `group` tells who is at fault (empty: nobody said), `playbook` its name in the playbook of the five
    common issues (empty: none of them), `remedies` what to do, the first first, `retry` whether it is worth running
    the job again (None: nobody said), `is_own` whether the repository's configuration brought or changed it.
    """

    id: str
    title: str
    group: str
    playbook: str
    definition: str
    remedies: Sequence[str]
    rules: Sequence[Rule]
    retry: bool | None = False
    is_own: bool = False


@dataclass(frozen=True)
class OwnCause:
    """What a repository's configuration says of a cause: more patterns for one of the catalogue, or a new one.

    What is empty (None for `retry`) leaves the catalogue's as it is.
    """

    id: str
    title: str
    patterns: Sequence[str]
    examples: Sequence[str]
    harmless: Sequence[str] = ()
    group: str = ""
    remedies: Sequence[str] = ()
    retry: bool | None = None


@dataclass(frozen=True)
class Passing:
    """Patterns of lines that report a success, or details only: no bundled rule is tried on them."""

    patterns: Sequence[str] = ()
    examples: Sequence[str] = ()
    harmless: Sequence[str] = ()


@dataclass(frozen=True)
class Catalogue:
    """Causes by id, in their order, and what no bundled rule is tried on."""

    causes: Mapping[str, Cause]
    passing: Passing = Passing()

    @cached_property
    def _searched(self) -> tuple[PatternSet, Sequence[int], Sequence[Rule]]:
        rules = [rule for cause in self.causes.values() for rule in cause.rules]
        owner = [place for place, rule in enumerate(rules) for _ in rule.patterns]
        return PatternSet([pattern for rule in rules for pattern in rule.patterns]), owner, rules

    @cached_property
    def _passing(self) -> PatternSet:
        return PatternSet(self.passing.patterns)

    def find(self, text: str) -> list[Rule]:
        """Return the rules that a line matches, best first: by confidence, then by their order in the file.

        The line is one without time stamp and colours; a leading marker such as `##[error]` is passed over, and what
        is beyond MAX_LINE_CHARS is not looked at. The time is linear in the line.
        """
        patterns, owner, rules = self._searched
        marked = _LEAD.match(text)
        start = marked.end() if marked else 0
        shown = text[start : start + MAX_LINE_CHARS]
        found = {owner[place] for place in patterns.found_in(shown)}
        if found and self._passing.found_in(shown):
            found = {place for place in found if rules[place].tool == OWN}
        return [rules[place] for place in sorted(found, key=lambda place: (-rules[place].confidence, place))]


def read_catalogue(own: Sequence[OwnCause] = ()) -> Catalogue:
    """Return the bundled catalogue, with what the repository's own configuration adds or overrides."""
    bundled = _bundled()
    if not own:
        return bundled
    causes = dict(bundled.causes)
    for said in own:
        causes[said.id] = _joined(causes.get(said.id), said)
    return replace(bundled, causes=causes)


@cache
def _bundled() -> Catalogue:
    text = files("kotaci.logs").joinpath("causes.toml").read_text("utf-8")
    return parse_catalogue(text, source="causes.toml")


def _joined(known: Cause | None, said: OwnCause) -> Cause:
    rule = Rule(said.id, OWN, said.patterns, OWN_CONFIDENCE, examples=said.examples, harmless=said.harmless)
    if known is None:
        known = Cause(said.id, said.title, "", "", said.title, (), (), retry=None)
    return replace(
        known,
        title=said.title or known.title,
        group=said.group or known.group,
        remedies=said.remedies or known.remedies,
        retry=known.retry if said.retry is None else said.retry,
        rules=(rule, *known.rules),
        is_own=True,
    )


def parse_catalogue(text: str, *, source: str) -> Catalogue:
    """Return the catalogue that a TOML text tells. Raises BadInput that names the entry, what is wrong and what to try.

    Examples are not tried here: that is what tests are for.
    """
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(source, f"is not TOML ({error})", "see https://toml.io") from None
    _check(said, {"cause": list}, {"passing": dict}, place=source)
    causes: dict[str, Cause] = {}
    for number, entry in enumerate(said["cause"], 1):
        cause = _to_cause(entry, place=f"{source}: cause {number}")
        if cause.id in causes:
            raise BadInput(f"{source}: cause {number}", f"has the id {cause.id} of another", "give it its own")
        causes[cause.id] = cause
    return Catalogue(
        causes, _to_passing(said["passing"], place=f"{source}: passing") if "passing" in said else Passing()
    )


_CAUSE = {"id": str, "title": str, "group": str, "definition": str, "remedies": list, "rule": list}
_CAUSE_MAY = {"playbook": str, "retry": bool}
_RULE = {"tool": str, "confidence": float, "patterns": list, "examples": list}
_RULE_MAY = {"is_summary": bool, "is_weak": bool, "harmless": list}


def _to_cause(entry: Any, *, place: str) -> Cause:
    _check(entry, _CAUSE, _CAUSE_MAY, place=place)
    place = f"{place} ({entry['id']})"
    if not re.fullmatch(r"[a-z]+(?:-[a-z]+)*", entry["id"]) or entry["id"] == UNDECIDED:
        raise BadInput(place, "has an id that is none", "write small letters and hyphens")
    if entry["group"] not in GROUPS:
        raise BadInput(place, f"has the group {entry['group']!r}", f"write one of {', '.join(GROUPS)}")
    rules = tuple(
        _to_rule(rule, cause=entry["id"], place=f"{place}, rule {number}")
        for number, rule in enumerate(entry["rule"], 1)
    )
    return Cause(
        id=entry["id"],
        title=entry["title"],
        group=entry["group"],
        playbook=entry.get("playbook", ""),
        definition=entry["definition"],
        remedies=_texts(entry, "remedies", place=place),
        rules=rules,
        retry=entry.get("retry", False),
    )


def _to_rule(entry: Any, *, cause: str, place: str) -> Rule:
    _check(entry, _RULE, _RULE_MAY, place=place)
    if not 0 < entry["confidence"] <= 1:
        raise BadInput(place, f"has the confidence {entry['confidence']}", "write a number above 0 and up to 1")
    return Rule(
        cause=cause,
        tool=entry["tool"],
        patterns=_patterns(entry, place=place),
        confidence=entry["confidence"],
        is_summary=entry.get("is_summary", False),
        is_weak=entry.get("is_weak", False),
        examples=_texts(entry, "examples", place=place),
        harmless=_texts(entry, "harmless", place=place) if "harmless" in entry else (),
    )


def _to_passing(entry: Any, *, place: str) -> Passing:
    _check(entry, {"patterns": list, "examples": list, "harmless": list}, {}, place=place)
    return Passing(
        patterns=_patterns(entry, place=place),
        examples=_texts(entry, "examples", place=place),
        harmless=_texts(entry, "harmless", place=place),
    )


def _patterns(entry: Mapping[str, Any], *, place: str) -> tuple[str, ...]:
    patterns = _texts(entry, "patterns", place=place)
    for pattern in patterns:
        if problem := pattern_problem(pattern):
            raise BadInput(place, f"has {pattern!r}, which is no regular expression ({problem})", "write it for RE2")
    return patterns


def _check(entry: Any, must: Mapping[str, type], may: Mapping[str, type], *, place: str) -> None:
    for problem, hint in _problems(entry, must, {**must, **may}):
        raise BadInput(place, problem, hint)


def _problems(entry: Any, must: Mapping[str, type], known: Mapping[str, type]) -> Iterator[tuple[str, str]]:
    if not isinstance(entry, dict):
        yield "is not a table", "write [[cause]] and [[cause.rule]]"
        return
    for key, value in entry.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            yield f"has the key {key}", f"did you mean {near[0]}?" if near else f"the keys are {', '.join(known)}"
        elif type(value) is not known[key]:
            yield f"has {key} = {value!r}", f"write a {_WORDS[known[key]]}"
        elif value in ("", []):
            yield f"has an empty {key}", "fill it, or leave it out"
    for key in must:
        if key not in entry:
            yield f"lacks {key}", f"write a {_WORDS[must[key]]}"


_WORDS = {str: "text", list: "list", float: "number with a point", bool: "true or false", dict: "table"}


def _texts(entry: Mapping[str, Any], name: str, *, place: str) -> tuple[str, ...]:
    """Return a list of texts of an entry, each said once."""
    values = entry[name]
    if not all(isinstance(value, str) and value for value in values) or len(set(values)) < len(values):
        raise BadInput(place, f"has {name} that are not texts, each once", "mend the list")
    return tuple(values)
