"""What two jobs ran on, one against the other: image, system, runner, tools, actions, labels, event."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import pandas as pd

from kotaci.analysis.verdicts.past import Job, Key

Setup = Mapping[str, Mapping[str, str]]
"""For each kind of item, its names and their versions."""

COMPARED = ("image", "os", "runner", "tool", "action")
"""Kinds of items whose difference is a difference in what a job ran on; a merge commit is code, and told apart."""

_ONE_OF_A_KIND = frozenset({"image", "os", "runner"})


def read_setups(setups: pd.DataFrame, keys: Iterable[Key]) -> dict[Key, Setup]:
    """Return what the jobs ran on, by key; nothing for a job whose log is not held."""
    wanted = pd.MultiIndex.from_tuples(sorted(set(keys)), names=["run_id", "attempt", "job_id"])
    columns = ["run_id", "attempt", "job_id", "item", "name", "version"]
    rows = setups.loc[setups["item"].isin(COMPARED), columns]
    rows = rows[pd.MultiIndex.from_frame(rows[columns[:3]]).isin(wanted)]
    found: dict[Key, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for run_id, attempt, job_id, item, name, version in rows.itertuples(index=False, name=None):
        found[run_id, attempt, job_id][item][str(name)] = str(version)
    return dict(found)


def name_differences(green: Job, red: Job, setups: Mapping[Key, Setup]) -> str | None:
    """Return what differs, `image ubuntu-24.04 1 → 2; event push → schedule`; empty for nothing, None for unknown.

    A tool or action that only one of the two names is left out: a job that failed early has not come to it. Where
    one of the logs is not held but event and labels are the same, what they ran on is not known.
    """
    told = [
        f"{word} {before or 'none'} → {after or 'none'}"
        for word, before, after in (("event", green.event, red.event), ("labels", green.labels, red.labels))
        if before != after
    ]
    before, after = setups.get(green.key), setups.get(red.key)
    if before is None or after is None:
        return "; ".join(told) or None
    for kind in COMPARED:
        told.extend(_compared(kind, before.get(kind, {}), after.get(kind, {})))
    return "; ".join(told)


def _compared(kind: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[str]:
    both = before.keys() & after.keys()
    for name in sorted(both):
        if before[name] != after[name]:
            shown = name if kind in {"tool", "runner"} else f"{kind} {name}"
            yield f"{shown} {_short(before[name])} → {_short(after[name])}"
    if not both and before and after and kind in _ONE_OF_A_KIND:
        yield f"{kind} {', '.join(sorted(before))} → {', '.join(sorted(after))}"
    if kind == "action":
        olds, news = _by_action(before.keys() - both), _by_action(after.keys() - both)
        for action in sorted(olds.keys() & news.keys()):
            yield f"action {action} {olds[action]} → {news[action]}"


def _by_action(names: Iterable[str]) -> dict[str, str]:
    return {name.partition("@")[0]: name.partition("@")[2] for name in names}


def _short(version: str) -> str:
    """Return the version, a commit's id cut to what people read."""
    is_commit = len(version) == 40 and all(sign in "0123456789abcdef" for sign in version)
    return version[:7] if is_commit else version
