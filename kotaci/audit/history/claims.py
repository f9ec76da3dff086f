"""What messages of commits claim about time, and which limits had to be raised soon after.

A claim is taken as written; whether it is true only measured runs tell. It is read where a line speaks of CI, a build
or tests and gives a number: "40 -> 14 min", "65 % less", "3x faster", "under 5 minutes".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from kotaci.archives.git import PastCommit
from kotaci.audit.history.bursts import touches_ci
from kotaci.audit.history.loosening import LimitChange

MAX_LINE = 300
"""Longer lines of a message are pasted output."""

_NUMBER = r"(\d{1,5}(?:\.\d{1,3})?)"
_SPREAD = rf"[~<>≈]?\s?{_NUMBER}(?:\s?[-–]\s?{_NUMBER})?\+?"
_UNIT = r"(ms|s|secs?|seconds?|m|mins?|minutes?|h|hours?)"
_FROM_TO = re.compile(
    rf"{_SPREAD}[\s-]?{_UNIT}?\+?(?:\s+\w+)?\s*(?:->|=>|→|⇒|\bdown to\b|\bto\b)\s*{_SPREAD}[\s-]?{_UNIT}\b",
    re.IGNORECASE,
)
_PERCENT = rf"(?<![\d.]){_NUMBER}(?:\s?[-–]\s?{_NUMBER})?\s?%"
_LESS = re.compile(
    rf"{_PERCENT}\s+(?:\w+\s+){{0,2}}?(?:less|fewer|shorter|reduction|reduced|saved|savings?|decrease)\b"
    rf"|\b(?:reduc\w+|cut\w*|decreas\w+|sav\w+|shorten\w*)\b[^.%]{{0,60}}?{_PERCENT}|(?<!\w)[-−]{_PERCENT}",
    re.IGNORECASE,
)
_FASTER = re.compile(
    rf"{_PERCENT}\s+(?:faster|quicker|speed-?up|improvement)|\b(?:faster|quicker|speed\w*|improv\w+)\b[^.%]{{0,40}}?by\s{_PERCENT}",
    re.IGNORECASE,
)
_TIMES = re.compile(
    rf"(?<![\d.]){_NUMBER}(?:\s?[-–]\s?{_NUMBER})?x\s+(?:\w+\s+)?(?:faster|quicker|speed-?up)", re.IGNORECASE
)
_TARGET = re.compile(
    rf"(?:\bsub-|\bunder\s|\bin\s|[<~≈]\s?){_NUMBER}(?:\s?[-–]\s?{_NUMBER})?[\s-]?{_UNIT}\b", re.IGNORECASE
)
_ABOUT_CI = re.compile(
    r"\b(?:ci(?:/cd)?|builds?|pipelines?|(?:re)?compil\w+|tests?|jobs?|workflows?|runners?|feedback|nextest|clippy)\b",
    re.IGNORECASE,
)
_ABOUT_ELSE = re.compile(
    r"time-?outs?\b|\bcoverage|\bmemory|\bsize|\bartifacts?\b|\bquer(?:y|ies)|\bsearch|\bindex|\btokens?\b|\bsymbols?\b|\blatency"
    r"|\bsav(?:e|es|ed|ing|ings)\b(?!.*%)|\bdisk|\bpyramid|\bthroughput|\bops\b|\bpass(?:ed|ing)?\b|\blines?\b|\bwas\s|\bingest|\bsleep|\bdelay|\bretr(?:y|ies)",
    re.IGNORECASE,
)
_IN_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class ClaimOptions:
    """How long after a claim a raised limit is shown beside it."""

    after: timedelta = timedelta(hours=48)


@dataclass(frozen=True)
class Claimed:
    """A claim: the line, the ratio of time after to before that it says, or the seconds that it says it takes now.

    Of a span ("3-5x") the weaker end is taken, so that nothing is held against the author that was not said; "80 %
    faster" is a ratio of 1/1.8. `raised` are time-outs and limits in files that the commit touched, loosened after it.
    """

    commit: PastCommit
    line: str
    ratio: float | None
    target_s: float | None
    workflows: tuple[str, ...]
    raised: tuple[LimitChange, ...] = ()


def find_claims(
    commits: Sequence[PastCommit], changes: Sequence[LimitChange], *, options: ClaimOptions | None = None
) -> tuple[Claimed, ...]:
    """Return the claims of the commits that touch `.github`, merges left out, the earliest first.

    A line that an earlier commit has too (a squashed branch, a release) is left out.
    """
    options = options or ClaimOptions()
    found, said = list[Claimed](), set[str]()
    for commit in sorted((one for one in commits if touches_ci(one) and not one.is_merge), key=lambda one: one.at):
        paths = {change.path for change in commit.changes}
        raised = tuple(
            change
            for change in changes
            if change.is_looser and change.is_timeout and change.path in paths and change.commit.sha != commit.sha
            if timedelta() <= change.commit.at - commit.at <= options.after
        )
        workflows = tuple(sorted(path for path in paths if path.startswith(".github/workflows/")))
        for line, ratio, target_s in read_claims(commit.message):
            if line in said:
                continue
            said.add(line)
            found.append(Claimed(commit, line, ratio, target_s, workflows, raised))
    return tuple(found)


def read_claims(message: str) -> Iterator[tuple[str, float | None, float | None]]:
    """Yield (line, claimed ratio, claimed seconds) for each line of a message that claims something about time."""
    seen = set()
    for raw in message.splitlines():
        line = re.sub(r"^[\s*#>-]+(?=\S)", "", raw).strip()
        if len(line) > MAX_LINE or line in seen or not _ABOUT_CI.search(line) or _ABOUT_ELSE.search(line):
            continue
        claim = _claim(line)
        if claim is not None:
            seen.add(line)
            yield line, *claim


def _claim(line: str) -> tuple[float | None, float | None] | None:
    pair = _FROM_TO.search(line)
    if pair is not None:
        low, _, unit, to_low, to_high, to_unit = pair.groups()
        before = float(low) * _seconds(unit or to_unit)
        after = float(to_high or to_low) * _seconds(to_unit)
        if 0 < after < before:
            return after / before, after
    for pattern, to_ratio in ((_LESS, _less), (_FASTER, _faster), (_TIMES, _times)):
        found = pattern.search(line)
        if found is not None:
            least = float(next(filter(None, found.groups())))
            ratio = to_ratio(least)
            if ratio is not None:
                return ratio, None
    target = _TARGET.search(line)
    if target is not None:
        return None, float(target[2] or target[1]) * _seconds(target[3])
    return None


def _less(percent: float) -> float | None:
    return 1 - percent / 100 if 0 < percent < 100 else None


def _faster(percent: float) -> float | None:
    return 1 / (1 + percent / 100) if percent > 0 else None


def _times(factor: float) -> float | None:
    return 1 / factor if factor > 1 else None


def _seconds(unit: str) -> float:
    word = unit.casefold()
    return _IN_SECONDS["ms" if word == "ms" else word[0]]
