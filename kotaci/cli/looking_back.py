"""`kotaci audit --history`: what became of the files that CI depends on, for the terminal and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from kotaci.cli.terminal import out, progress
from kotaci.model import BadInput, Severity, Window, plural, short_workflow
from kotaci.report.words import one_line

if TYPE_CHECKING:
    from kotaci.archives.git import PastCommit
    from kotaci.audit import Mark
    from kotaci.audit.history import AuditHistory, Claimed, Fault, LimitChange, LimitSeries, Version
    from kotaci.cli.measuring import Measured

    AllMeasured: TypeAlias = Mapping[Claimed, Sequence[Measured]]

MOST_ROWS = 15
"""Rows of a table on the terminal; JSON has all."""
_EVENTS = ("pull_request", "push", "schedule")


def look_back(
    path: Path,
    *,
    ref: str,
    since: str,
    base: str,
    most: int,
    rules: Sequence[str],
    is_shown: Callable[[Mark], bool],
    as_json: bool,
    store_path: Path | None,
) -> None:
    """Audit the versions of the clone and print what became of them. Raises BadInput where it is none.

    Claims are measured by the runs of the store, where one is named.
    """
    from kotaci.archives.git import branch_of
    from kotaci.archives.past import read_past
    from kotaci.audit.history import HistoryOptions, audit_history

    if not path.is_dir():
        raise BadInput(path, "is no folder", "--history reads the commits of a clone: give its folder")
    past = read_past(path, ref=ref)
    window = Window.parse(since=since, as_of=past.commits[-1].at if past.commits else None)
    with progress("versions", every_s=5) as tell:
        found = audit_history(
            past,
            base=base or branch_of(path) or "main",
            rules=rules,
            options=HistoryOptions(since=window.since, most_versions=most),
            on_version=lambda done, n: tell("", done, n),
        )
    if not found.versions:
        raise BadInput(path, "has no version of anything that an audit reads", "widen --since")
    faults = [fault for fault in found.faults if is_shown(fault.mark)]
    measured = {} if store_path is None else _measure(found.claims, store_path)
    if as_json:
        click.echo(json.dumps(history_json(found, faults, measured), indent=1, ensure_ascii=False))
    else:
        print_history(found, faults, measured, origin=path.resolve().name)


def _measure(claims: Sequence[Claimed], store_path: Path) -> AllMeasured:
    from kotaci.cli.claiming import held_history
    from kotaci.cli.measuring import measure_claim
    from kotaci.places import ENVIRONMENT, default_repo

    history = held_history(store_path, default_repo(ENVIRONMENT), "", is_sample=False)
    return {claim: list(measure_claim(claim, history)) for claim in claims}


# -- for people -------------------------------------------------------------------------------------------------------


def print_history(found: AuditHistory, faults: Sequence[Fault], measured: AllMeasured, *, origin: str) -> None:
    """Print versions, faults, limits, bursts and claims, each with what it was counted from."""
    first, last = found.versions[0].commit, found.versions[-1].commit
    older = f"; {plural(found.n_left_out, 'older one')} left out (--versions)" if found.n_left_out else ""
    out.print(f"{plural(len(found.versions), 'version')} of {origin}, {_day(first.at)} to {_day(last.at)}{older}")
    _print_versions(found)
    _print_faults(faults)
    _print_limits(found.limits)
    _print_bursts(found)
    _print_claims(found.claims, measured)


def _heading(text: str) -> None:
    out.print(f"\n{text}", style="bold")


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, n_more: int = 0) -> None:
    """Print rows below their columns; no cell is folded, so that a line stays one whatever the width."""
    shown = [[one_line(cell, width=200) for cell in row] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(columns, *shown, strict=True)]
    for place, row in enumerate([columns, *shown]):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        out.print("  ".join(cells).rstrip(), style="dim" if place == 0 else None)
    if n_more > 0:
        out.print(f"… and {n_more} more; --format json has all", style="dim")


def _print_versions(found: AuditHistory) -> None:
    _heading(f"Job legs by event, and tests (base branch: {found.base})")
    steps = _steps(found.versions)
    rows = [
        (
            _day(one.commit.at),
            one.commit.sha[:8],
            str(one.n_jobs),
            *(_legs(one, event) for event in _EVENTS),
            _tests(one),
            "/".join(str(one.n_marks[severity]) for severity in reversed(Severity)),
            one.commit.subject[:50],
        )
        for one in _thinned(steps)
    ]
    columns = ("date", "commit", "jobs", "PR legs", "push", "schedule", "test files run", "high/medium/low", "")
    _table(columns, rows, n_more=len(steps) - len(rows))
    out.print(
        "Legs: at most, filters of paths and conditions aside; + stands for matrices known only at run time. Tests:"
        " files that a pull request runs, of all; in brackets those that only coverage, other events or none run",
        style="dim",
    )


def _steps(versions: Sequence[Version]) -> list[Version]:
    """Return the versions at which legs or tests changed, with the first and the last."""

    def shape(one: Version) -> tuple[Any, ...]:
        return tuple(one.legs.get(event) for event in _EVENTS), len(one.selection.on_pull_request)

    changed = [now for before, now in pairwise(versions) if shape(before) != shape(now)]
    kept = [versions[0], *changed, versions[-1]]
    return [one for place, one in enumerate(kept) if one is not kept[place - 1] or place == 0]


def _thinned(versions: Sequence[Version]) -> list[Version]:
    """Return at most MOST_ROWS: the first, the last, and those at which the legs of a pull request changed most."""
    if len(versions) <= MOST_ROWS:
        return list(versions)

    def jump(place: int) -> int:
        return abs(_n_legs(versions[place]) - _n_legs(versions[place - 1]))

    inner = sorted(range(1, len(versions) - 1), key=jump, reverse=True)[: MOST_ROWS - 2]
    return [versions[place] for place in sorted({0, *inner, len(versions) - 1})]


def _n_legs(one: Version) -> int:
    legs = one.legs.get("pull_request")
    return legs.n if legs else 0


def _legs(one: Version, event: str) -> str:
    legs = one.legs.get(event)
    return "-" if legs is None else f"{legs.n}{'+' if legs.n_unknown else ''}"


def _tests(one: Version) -> str:
    found = one.selection
    more = [
        f"{len(paths)} {word}"
        for paths, word in (
            (found.under_coverage, "coverage"),
            (found.elsewhere, "elsewhere"),
            (found.left_out, "none"),
        )
        if paths
    ]
    return f"{len(found.on_pull_request)} of {len(found.targets)}" + (f" ({', '.join(more)})" if more else "")


def _print_faults(faults: Sequence[Fault]) -> None:
    standing = [fault for fault in faults if fault.is_standing]
    back = [fault for fault in faults if fault.n_returns]
    _heading(
        f"{plural(len(faults), 'finding')} over time: {len(standing)} still there, {len(faults) - len(standing)} gone,"
        f" {len(back)} came back"
    )
    chosen = list({id(one): one for one in [*back[:5], *faults]}.values())[:MOST_ROWS]
    rows = [
        (
            _lasted(fault.lasted),
            "; ".join(_spans(fault)),
            fault.mark.rule,
            f"{short_workflow(fault.mark.path)}: {fault.mark.subject}",
        )
        for fault in chosen
    ]
    _table(("stood", "came – went", "rule", "where"), rows, n_more=len(faults) - len(rows))
    out.print("A renamed file, job or step counts as one that went and one that came", style="dim")


def _spans(fault: Fault) -> Iterator[str]:
    for span in fault.spans:
        came = f"{'before ' if span.is_open else ''}{_day(span.came.at)} {span.came.sha[:8]}"
        yield f"{came} – {f'{_day(span.went.at)} {span.went.sha[:8]}' if span.went else ''}".rstrip()


def _print_limits(limits: Sequence[LimitSeries]) -> None:
    changes = [change for series in limits for change in series.changes]
    n_looser = sum(change.is_looser for change in changes)
    loosened = [series for series in limits if series.is_only_loosened]
    often = sum(len(series.changes) > 1 for series in loosened)
    _heading(
        f"{plural(len(changes), 'change')} of {plural(len(limits), 'limit')}: {n_looser} looser,"
        f" {len(changes) - n_looser} stricter; {len(loosened)} only ever loosened, {often} of them more than once"
    )
    rows = [
        (
            "; ".join(" → ".join(f"{value:g}" for value in chain) for chain in series.chains),
            f"{short_workflow(series.path)}: {series.place}",
            f"{_day(series.changes[0].commit.at)} {series.changes[0].commit.sha[:8]}"
            + (f", last {_day(series.changes[-1].commit.at)}" if len(series.changes) > 1 else ""),
        )
        for series in loosened[:MOST_ROWS]
    ]
    if rows:
        _table(("looser each time", "limit", "since"), rows, n_more=len(loosened) - len(rows))


def _print_bursts(found: AuditHistory) -> None:
    bursts = found.bursts
    share = f" ({100 * bursts.n_within / bursts.n:.0f} %)" if bursts.n else ""
    options = bursts.options
    _heading(
        f"{bursts.n_within} of {plural(bursts.n, 'commit')} on .github{share} stand in"
        f" {plural(len(bursts.bursts), 'burst')} of {options.least} or more, each within {_length(options.gap)} of the"
        " one before"
    )
    for burst in bursts.bursts[:3]:
        took = burst[-1].authored_at - burst[0].authored_at
        out.print(f"  {len(burst)} in {_length(took)} on {_day(burst[0].authored_at)}: {one_line(burst[0].subject)}")


def _print_claims(claims: Sequence[Claimed], measured: AllMeasured) -> None:
    n_raised = sum(bool(claim.raised) for claim in claims)
    how = "measured by the runs held" if measured else "not measured here"
    _heading(
        f"{plural(len(claims), 'claim')} about the time CI takes, {how}; after {n_raised} a time-out of"
        " the same files was raised within two days"
    )
    ordered = sorted(claims, key=lambda claim: (not claim.raised, claim.commit.at))
    for claim in ordered[:MOST_ROWS]:
        out.print(f"  {_day(claim.commit.at)} {claim.commit.sha[:8]}  {one_line(claim.line, width=120)}")
        if claim.raised:
            first = min(claim.raised, key=lambda change: change.commit.at)
            more = f", and {len(claim.raised) - 1} more" if len(claim.raised) > 1 else ""
            after = _length(first.commit.at - claim.commit.at)
            raised = f"{one_line(first.place)} {first.before:g} → {first.after:g}"
            out.print(f"      {after} later: {short_workflow(first.path)}: {raised}{more}")
        for one in measured.get(claim, ()):
            out.print(f"      measured: {one_line(one.said)}")
    if len(claims) > MOST_ROWS:
        out.print(f"… and {len(claims) - MOST_ROWS} more; --format json has all", style="dim")
    ratio = next((claim for claim in ordered if claim.ratio is not None and claim.workflows), None)
    if not measured and ratio is not None and ratio.ratio is not None:
        percent = f"{100 * (ratio.ratio - 1):+.0f}%"
        workflow = short_workflow(ratio.workflows[0])
        out.print(
            f'With runs in a store: kotaci claim --workflow {workflow} --at {ratio.commit.sha[:8]} "{percent}"',
            style="dim",
        )


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def _lasted(length: timedelta) -> str:
    return f"{length.days} d" if length.days else _length(length)


def _length(length: timedelta) -> str:
    minutes = round(length.total_seconds() / 60)
    return f"{minutes} min" if minutes < 180 else f"{minutes / 60:.0f} h"


# -- for programs -----------------------------------------------------------------------------------------------------


def history_json(found: AuditHistory, faults: Sequence[Fault], measured: AllMeasured) -> dict[str, Any]:
    """Return all of it as plain JSON values."""
    return {
        "base": found.base,
        "n_commits": found.n_commits,
        "n_left_out": found.n_left_out,
        "versions": [_version_json(one) for one in found.versions],
        "faults": [
            {
                "identity": fault.mark.identity,
                "rule": fault.mark.rule,
                "path": fault.mark.path,
                "subject": fault.mark.subject,
                "claim": fault.mark.claim,
                "is_standing": fault.is_standing,
                "n_returns": fault.n_returns,
                "lasted_s": fault.lasted.total_seconds(),
                "spans": [
                    {
                        "came": _commit_json(span.came),
                        "went": _commit_json(span.went) if span.went else None,
                        "is_open": span.is_open,
                    }
                    for span in fault.spans
                ],
            }
            for fault in faults
        ],
        "limits": [
            {
                "path": series.path,
                "place": series.place,
                "chains": series.chains,
                "is_only_loosened": series.is_only_loosened,
                "changes": [_change_json(change) for change in series.changes],
            }
            for series in found.limits
        ],
        "bursts": {
            "n_commits": found.bursts.n,
            "n_within": found.bursts.n_within,
            "gap_s": found.bursts.options.gap.total_seconds(),
            "least": found.bursts.options.least,
            "bursts": [[_commit_json(commit) for commit in burst] for burst in found.bursts.bursts],
        },
        "claims": [
            {
                "commit": _commit_json(claim.commit),
                "line": claim.line,
                "ratio": claim.ratio,
                "target_s": claim.target_s,
                "workflows": claim.workflows,
                "raised": [_change_json(change) for change in claim.raised],
                "measured": [one.to_json() for one in measured[claim]] if measured else None,
            }
            for claim in found.claims
        ],
    }


def _version_json(one: Version) -> dict[str, Any]:
    return {
        **_commit_json(one.commit),
        "is_by_bot": one.is_by_bot,
        "n_jobs": one.n_jobs,
        "legs": {event: {"n": legs.n, "n_unknown": legs.n_unknown} for event, legs in one.legs.items()},
        "findings": {severity.name.lower(): n for severity, n in one.n_marks.items()},
        "tests": {
            "n": len(one.selection.targets),
            "n_on_pull_request": len(one.selection.on_pull_request),
            "n_under_coverage": len(one.selection.under_coverage),
            "n_elsewhere": len(one.selection.elsewhere),
            "left_out": one.selection.left_out,
        },
    }


def _commit_json(commit: PastCommit) -> dict[str, str]:
    return {"sha": commit.sha, "at": commit.at.isoformat(), "subject": commit.subject}


def _change_json(change: LimitChange) -> dict[str, Any]:
    return {
        "commit": _commit_json(change.commit),
        "path": change.path,
        "place": change.place,
        "before": change.before,
        "after": change.after,
        "is_looser": change.is_looser,
    }
