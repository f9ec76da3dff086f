"""What is known already: a file of identities, so that only what is new counts and the rest can go one by one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass

from kotaci.audit.marks import Mark
from kotaci.model import BadInput

VERSION = 1


@dataclass(frozen=True)
class Known:
    """Marks of one identity (see `Mark.identity`), as many as `n`; the other fields are there for a person."""

    rule: str
    path: str
    subject: str
    identity: str
    n: int = 1


def known_of(marks: Collection[Mark]) -> tuple[Known, ...]:
    """Return what a baseline of these marks holds, in the order of the file.

    A linter's mark that stands in the place of ours is held under both identities.
    """
    told = [(rule, identity, mark) for mark in marks for rule, identity in _identities(mark)]
    places = {identity: (rule, mark) for rule, identity, mark in told}
    counts = Counter(identity for _, identity, _ in told)
    return _sorted(
        Known(rule, mark.path, mark.subject, identity, counts[identity]) for identity, (rule, mark) in places.items()
    )


def _identities(mark: Mark) -> list[tuple[str, str]]:
    return [(mark.rule, mark.identity), *mark.instead_of]


def split_known(
    marks: Iterable[Mark], baseline: Collection[Known], *, is_judged: Callable[[str], bool]
) -> tuple[list[Mark], list[Mark], list[Known]]:
    """Return (what is new, what is known, what is known and found no more).

    `is_judged` tells whether a rule was looked for; what was not is not gone.
    """
    room = Counter({known.identity: known.n for known in baseline})
    new: list[Mark] = []
    held: list[Mark] = []
    for mark in marks:
        known = [identity for _, identity in _identities(mark) if room[identity] > 0]
        if known:
            room.subtract(known)
            held.append(mark)
        else:
            new.append(mark)
    gone = [
        Known(known.rule, known.path, known.subject, known.identity, room[known.identity])
        for known in baseline
        if room[known.identity] > 0 and is_judged(known.rule)
    ]
    return new, held, gone


def to_text(baseline: Iterable[Known]) -> str:
    """Return the baseline as JSON, one entry a line, sorted, so that a difference of two reads well."""
    lines = ",\n".join(f"  {json.dumps(asdict(known), ensure_ascii=False)}" for known in _sorted(baseline))
    return f'{{"version": {VERSION}, "known": [\n{lines}\n]}}\n'


def parse_baseline(text: str, *, path: object = "baseline") -> tuple[Known, ...]:
    """Read what `to_text` wrote. Raises BadInput for anything else."""
    hint = "write it anew with --write-baseline"
    try:
        data = json.loads(text)
        version, entries = data["version"], [Known(**entry) for entry in data["known"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadInput(path, f"is no baseline ({type(error).__name__})", hint) from None
    if version != VERSION:
        raise BadInput(path, f"is a baseline of version {version}, and this kotaci reads {VERSION}", hint)
    if not all(isinstance(one.n, int) and one.n > 0 and isinstance(one.identity, str) for one in entries):
        raise BadInput(path, "holds an entry without identity or count", hint)
    return tuple(entries)


def _sorted(entries: Iterable[Known]) -> tuple[Known, ...]:
    return tuple(sorted(entries, key=lambda one: (one.path, one.rule, one.subject, one.identity)))
