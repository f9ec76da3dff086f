"""What `failure_triage` shows: the answer, its figures, tables of what is hidden, over or cancelled, and actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from kotaci.analysis.clusters import ClusterOptions, cluster_signatures
from kotaci.analysis.failures import (
    FAILING,
    TABLES,
    Group,
    HistoryCell,
    LostTests,
    Triage,
    TriageOptions,
    hits,
    next_step,
)
from kotaci.analysis.statistics import wilson
from kotaci.config import CodeOwners, Owners, parse_codeowners
from kotaci.facts import History
from kotaci.facts.explanations import explain_job
from kotaci.logs.causes import Catalogue, OwnCause, read_catalogue
from kotaci.logs.signatures import normal_form
from kotaci.model import BAD_OUTCOMES, DECIDED_OUTCOMES, Outcome, Verdict, job_url, plural, short_workflow
from kotaci.pages.failing import FLAKY, TONES, to_card, to_title
from kotaci.pages.opening import no_runs
from kotaci.report import words
from kotaci.report.blocks import (
    Block,
    Col,
    StripCell,
    Tile,
    answer,
    cards,
    details,
    findings,
    note,
    stack,
    table,
    tiles,
)
from kotaci.report.inline import Inline, code, join, link, sentence

__all__ = ["ANY_PART", "TABLES", "cancelled_table", "clustered", "explained", "group_cards", "hidden", "over",
           "triage_actions", "triage_answer", "triage_tiles"]  # fmt: skip

NO_OWNERS = Owners()
MAX_EXPLAINED = 40
"""Groups whose logs are read for the page."""
CARD_LINES = 24
"""Lines on a card; the log itself is a link away."""
LEGEND = " (half red: failed, then passed when run again)"
"""Said under the first strip of a section."""
WHOLE_WINDOW_DAYS = 36_500
"""The window of the report is that of its clusters too."""

ANY_PART = ("now", "flaky", "open", "hidden", "over")
"""The parts of the page, each group in one of them."""

_WORDS = {str(verdict): tone for verdict, tone in TONES.items()}


def clustered(history: History) -> Mapping[str, pd.DataFrame]:
    """Return the tables with one signature for failures that say nearly the same, that of the first of them."""
    failures = history["failures"].merge(history["jobs"][["run_id", "attempt", "job_id", "started_at"]], how="left")
    texts = [None if pd.isna(text) else normal_form(text) for text in failures["headline"]]
    told = failures[["signature"]].assign(text=texts, at=failures["started_at"])
    clusters = cluster_signatures(told, options=ClusterOptions(window_days=WHOLE_WINDOW_DAYS))
    names = clusters.set_index("signature")["cluster"]
    known = failures["signature"].map(names).fillna(failures["signature"])
    return {**history.tables, "failures": history["failures"].assign(signature=known.astype("str"))}


def explained(triage: Triage, history: History, *, causes: Sequence[OwnCause] = ()) -> Triage:
    """Return the groups as the newest log of each explains them beside the last green log of the same job.

    Those past MAX_EXPLAINED stay as their log alone explains them.
    """
    catalogue = read_catalogue(causes)
    first, rest = triage.groups[:MAX_EXPLAINED], triage.groups[MAX_EXPLAINED:]
    groups = [*(_explained(group, history, catalogue) for group in first), *rest]
    steps = {f"failure:{group.id}": next_step(group, options=triage.options) for group in groups}
    found = [replace(finding, remedy=steps.get(finding.id, finding.remedy)) for finding in triage.findings]
    return replace(triage, groups=groups, findings=found)


def _explained(group: Group, history: History, catalogue: Catalogue) -> Group:
    why = explain_job(history, key=group.newest, catalogue=catalogue, max_lines=CARD_LINES)
    if why is None or not why.excerpt:
        return group
    excerpt = [(line.number, line.text) for line in why.excerpt]
    found = hits(excerpt, headline=why.headline, message=group.message)
    return replace(group, excerpt=excerpt, hits=found, cause=why.cause, cause_confidence=why.confidence)


def triage_answer(history: History, triage: Triage) -> Block:
    """Return the answer in a paragraph: what is red and why, since when, and what to do first."""
    if history["runs"].empty:
        return no_runs(history)
    if not triage.groups:
        calm = sentence("**Nothing is red.** No job failed in {n}.", n=plural(triage.n_runs, "run"))
        lost = _lost_words(triage)
        return answer(join([calm, f"But {lost}." if lost else None], sep=" "), tone="warn" if lost else "good")
    now = [group for group in triage.groups if _part(group) == "now"]
    flaky = [group for group in triage.groups if _part(group) == "flaky"]
    open_ones = [group for group in triage.groups if _part(group) == "open"]
    first = triage.groups[0]
    start = _name(first)
    if now:
        lead = sentence("**{n} now.** Start with {start}: ", n=_counted(now, "fails", "fail"), start=start)
        text = sentence("{lead}{what}.", lead=lead, what=_what(first))
    elif flaky:
        red = frozenset().union(*(group.runs for group in flaky)) & _red_runs(history["runs"])
        text = sentence(
            "**Nothing {fails} for good, but {what} {makes} {share} of the red runs.** Start with {start}: {how}.",
            fails="that must pass fails" if _never_passed(triage) else "fails",
            what=plural(len(flaky), "flaky failure"),
            makes="makes" if len(flaky) == 1 else "make",
            share=words.percent(len(red) / max(1, len(_red_runs(history["runs"])))),
            start=start,
            how=_what(first),
        )
    elif open_ones:
        lead = sentence("**{n} decided by nothing yet.**", n=_counted(open_ones, "is", "are"))
        text = sentence("{lead} Start with {start}: {what}.", lead=lead, start=start, what=_what(first))
    else:
        lead = sentence("**Nothing is known to fail now.** Most often it was {start}: ", start=start)
        text = sentence("{lead}{what}.", lead=lead, what=_what(first))
    besides = _besides(triage, first, shown=now or flaky or open_ones)
    if besides:
        text = sentence("{text} {besides}", text=text, besides=besides)
    never = _never_passed(triage)
    if never:
        named, may = join([code(name) for name in never], sep=", "), "is" if len(never) == 1 else "are"
        text = sentence("{text} {named} {may} allowed to fail, and never passed.", text=text, named=named, may=may)
    return answer(text, tone="bad" if now else TONES[first.verdict] if not first.is_quiet else "good")


def _never_passed(triage: Triage) -> list[str]:
    """Return the jobs that are allowed to fail and failed in every run."""
    return [f"{jobs[0].workflow} / {jobs[0].job}" for jobs in _by_masked_job(triage) if _n_runs(jobs) == _n_of(jobs)]


def _by_masked_job(triage: Triage) -> list[list[Group]]:
    """Return the groups that green runs hide, in one list for each job."""
    jobs: dict[tuple[str, str], list[Group]] = {}
    for group in triage.groups:
        if _part(group) == "hidden":
            jobs.setdefault((group.workflow, group.job), []).append(group)
    return list(jobs.values())


def _n_runs(groups: Sequence[Group]) -> int:
    return len(frozenset().union(*(group.runs for group in groups)))


def _n_of(groups: Sequence[Group]) -> int:
    return max(group.n_job_runs for group in groups)


def _name(group: Group) -> Inline:
    return link(code(to_title(group, width=120)), f"#{group.id}")


def _counted(groups: Sequence[Group], one: str, many: str) -> str:
    return f"{plural(len(groups), 'failure')} {one if len(groups) == 1 else many}"


def _what(group: Group) -> Inline:
    """Return what a group is, in a clause: its verdict, how often, since when or where."""
    flaked = group.verdict in FLAKY
    how = {
        Verdict.REGRESSION: sentence("a regression{among}", among=_among(group)),
        Verdict.UNDECIDED: Inline.of(_undecided(group)),
        Verdict.FLAKY: Inline.of("flaky"),
    }.get(group.verdict, Inline.of(str(group.verdict)))
    rate = f"it failed in {group.n_runs} of {plural(group.n_job_runs, 'run')} of {group.job}"
    since = group.status.why if group.status.word == FAILING else ""
    passed = ""
    if flaked and group.odds.n and group.odds_of == "of these":
        passed = f"{group.odds.n_green} of {plural(group.odds.n, 're-run')} went green"
    return join([how, rate, passed, since], sep=", ")


def _undecided(group: Group) -> str:
    if group.n_commits_alike > 1:
        return f"{plural(group.n_commits_alike, 'commit')} in a row failed alike without a pass"
    return "whether it is broken or flaky cannot be told yet"


def _among(group: Group) -> Inline | str:
    if not group.culprits:
        return ""
    shown = join([link(code(one.sha[:7]), one.url) for one in group.culprits[:3]], sep=" ")
    if len(group.culprits) == 1:
        return sentence(" of {shown}", shown=shown)
    return sentence(" among {n}: {shown}", n=plural(len(group.culprits), "commit"), shown=shown)


def _besides(triage: Triage, first: Group, *, shown: Sequence[Group]) -> str:
    """Return how many other groups there are of each kind, in a sentence; empty for none."""
    rest = [group for group in triage.groups if group is not first and group not in shown]
    kinds = {
        "failing now": [group for group in rest if _part(group) == "now"],
        "flaky": [group for group in rest if _part(group) == "flaky"],
        "not decided": [group for group in rest if _part(group) == "open"],
    }
    hidden = {(group.workflow, group.job) for group in rest if _part(group) == "hidden"}
    over = [group for group in rest if _part(group) == "over" and group.verdict != Verdict.CONSEQUENCE]
    told = [f"{len(found)} {kind}" for kind, found in kinds.items() if found]
    told += [f"{plural(len(hidden), 'job')} failing unseen"] if hidden else []
    told += [lost] if (lost := _lost_words(triage)) else []
    if over:
        known = [group.verdict for group in over if group.verdict != Verdict.UNDECIDED]
        named = ", ".join(_count(known.count(verdict), verdict) for verdict in dict.fromkeys(known))
        told.append(f"{len(over)} {'is' if len(over) == 1 else 'are'} over" + (f" ({named})" if named else ""))
    return f"Besides: {', '.join(told)}." if told else ""


def _count(n: int, verdict: Verdict) -> str:
    """Return `2 regressions`, `2 timed out`: of the verdicts only these two are things that can be counted."""
    return plural(n, str(verdict)) if verdict in {Verdict.REGRESSION, Verdict.CONSEQUENCE} else f"{n} {verdict}"


def _lost_words(triage: Triage) -> str:
    n = sum(lost.n_lost for lost in triage.lost)
    return f"{plural(n, 'test')} no longer {'runs' if n == 1 else 'run'}" if n else ""


def _red_runs(runs: pd.DataFrame) -> frozenset[int]:
    return frozenset(runs.loc[runs["outcome"].isin(BAD_OUTCOMES), "run_id"])


def _part(group: Group) -> str:
    """Return the part of the page a group belongs to: now, flaky, open, hidden or over."""
    if group.is_quiet:
        return "over"
    if group.verdict == Verdict.MASKED:
        return "hidden"
    if group.status.word == FAILING:
        return "now"
    return "flaky" if group.verdict in FLAKY else "open"


def triage_tiles(triage: Triage, runs: pd.DataFrame) -> Block:
    """Return the four figures that tell most; none without runs."""
    if runs.empty:
        return note(sentence("No figures without runs."))
    first = runs[(runs["attempt"] == 1) & runs["outcome"].isin(DECIDED_OUTCOMES)]
    n, x = len(first), int(first["outcome"].isin(BAD_OUTCOMES).sum())
    low, high = wilson(x, n)
    again = runs[runs["attempt"] > 1]
    n_green = int(again.loc[again["outcome"] == Outcome.SUCCESS, "run_id"].nunique())
    masked = {(group.workflow, group.job) for group in triage.groups if group.verdict == Verdict.MASKED}
    n_retried = int(triage.retried["n_green"].sum())
    n_lost = sum(lost.n_lost for lost in triage.lost)
    kinds = pd.Series([group.verdict for group in triage.groups], dtype=object).value_counts()
    named = [_count(count, Verdict(kind)) for kind, count in kinds.head(3).items()]
    named += [f"{kinds.iloc[3:].sum()} more"] if len(kinds) > 3 else []
    late = f" and {plural(triage.n_overtime, 'time-out')}" if triage.n_overtime else ""
    cannot_tell_masked = not triage.sees_masked and not masked
    n_hidden = len(masked) + len(triage.retried) + len(triage.lost)
    return tiles(
        [
            Tile(
                words.percent(x / n) if n else "–",
                sentence("of {n} runs failed [{low:.0f}, {high:.0f}]", n=n, low=100 * low, high=100 * high),
                "first attempts",
            ),
            Tile(
                triage.n_failed_jobs - triage.n_overtime,
                f"failed jobs{late}, {plural(len(triage.groups), 'way')}",
                ", ".join(named),
            ),
            Tile(
                plural(again["run_id"].nunique(), "run") if triage.sees_reruns else words.MISSING,
                "started again by hand",
                (f"{n_green} went green" if len(again) else "") if triage.sees_reruns else "cannot be told",
                "warn" if n_green else "calm",
            ),
            Tile(
                words.MISSING if cannot_tell_masked and not n_hidden else n_hidden,
                "things hidden in green runs",
                (
                    "which jobs may fail cannot be told"
                    if cannot_tell_masked
                    else f"{plural(len(masked), 'job')} may fail"
                )
                + f", {n_retried} green jobs retried, {plural(n_lost, 'test')} lost",
                "warn" if masked or n_retried or n_lost else "calm",
            ),
        ]
    )


def group_cards(
    triage: Triage,
    *,
    parts: Sequence[str],
    owners: Owners = NO_OWNERS,
    code_owners: str = "",
    causes: Sequence[OwnCause] = (),
    limit: int = 12,
    only: str = "",
) -> Block:
    """Return a card for each group of these parts (of ANY_PART); those past the limit stand folded.

    `only` is the id of a group: its card alone.
    """
    shown = [group for group in triage.groups if _part(group) in parts and only in {"", group.id}]
    return _cards(shown, owners=owners, code_owners=code_owners, causes=causes, limit=limit, options=triage.options)


def _cards(
    shown: Sequence[Group],
    *,
    owners: Owners,
    code_owners: str,
    causes: Sequence[OwnCause],
    limit: int,
    options: TriageOptions,
) -> Block:
    if not shown:
        return note(sentence("None in this window."))
    of_paths: CodeOwners = parse_codeowners(code_owners)
    catalogue = read_catalogue(causes)
    made = [
        to_card(group, owners=owners, code_owners=of_paths, catalogue=catalogue, options=options,
                legend="" if place else LEGEND)
        for place, group in enumerate(shown)
    ]  # fmt: skip
    if len(made) <= limit:
        return cards(made)
    return stack(cards(made[:limit]), details(f"and {plural(len(made) - limit, 'more group')}", [cards(made[limit:])]))


def hidden(triage: Triage, history: History) -> Block:
    """Return what green runs hide: jobs that may fail, tests that were tried again, tests that no longer run."""
    return stack(
        note(sentence("Jobs that are allowed to fail, and did:")),
        _masked_table(triage),
        note(sentence("Tests that passed only when their runner tried them again:")),
        _retried_table(triage),
        note(sentence("Tests that green runs of {branch} no longer select:", branch=history.default_branch)),
        _lost_table(triage, has_lists=len(history["rosters"]) > 0),
        *_empty_steps(triage, history),
    )


def _empty_steps(triage: Triage, history: History) -> list[Block]:
    """Return what ran no test and was green all the same; nothing where nothing did."""
    if not triage.empty_steps:
        return []
    rows = [
        {
            "job": f"{short_workflow(step.workflow)} / {step.job}" + (f" ({step.leg})" if step.leg else ""),
            "suite": step.suite,
            "n_runs": step.n_runs,
            "since": step.since.at,
            "url": job_url(history.repo, step.last.run_id, step.last.job_id),
        }
        for step in triage.empty_steps
    ]
    columns = [
        Col("job", link="url"),
        Col("suite", "ran no test in", kind="code"),
        Col("n_runs", "green runs in a row", kind="number"),
        Col("since", kind="day"),
    ]
    lead = note(sentence("Steps that ran no test, and were green all the same:"))
    return [lead, table(pd.DataFrame(rows), columns, more="more steps")]


def _masked_table(triage: Triage) -> Block:
    """Return one row a job."""
    frame = pd.DataFrame([_hidden_row(groups) for groups in _by_masked_job(triage)])
    none = "No job that is allowed to fail did." if triage.sees_masked else "Cannot be told: logs do not tell it."
    return table(
        frame,
        [
            Col("job", link="url"),
            Col("verdict", kind="badge", tones=_WORDS),
            Col("headline", "most often", kind="code"),
            Col("failed", "runs failed"),
            Col("minutes", kind="minutes"),
            Col("since", kind="day"),
            Col("why"),
        ],
        more="more jobs",
        none=none,
    )


def _hidden_row(groups: Sequence[Group]) -> dict[str, object]:
    most = max(groups, key=lambda group: group.n_runs)
    n, of = _n_runs(groups), _n_of(groups)
    others = f", and {plural(len(groups) - 1, 'other way')}" if len(groups) > 1 else ""
    return {
        "job": f"{most.workflow} / {most.job}",
        "headline": sentence("{what}{others}", what=code(to_title(most, width=120)), others=others),
        "verdict": str(most.verdict),
        "failed": f"{n} of {of}",
        "minutes": sum(group.minutes for group in groups),
        "since": min(group.first_at for group in groups),
        "why": "it never passed" if n == of else most.proof,
        "url": most.evidence[0].url if most.evidence else "",
    }


def _retried_table(triage: Triage) -> Block:
    rows = triage.retried.to_dict("records")
    frame = triage.retried.assign(
        verdict=str(Verdict.FLAKY_INSIDE),
        job=[f"{short_workflow(row['workflow'])} / {row['job_base']}" for row in rows],
        url=[job_url(row["repo"], row["run_id"], row["job_id"]) for row in rows],
    )
    return table(
        frame,
        [
            Col("test", kind="code"),
            Col("job"),
            Col("verdict", kind="badge", tones=_WORDS),
            Col("n_jobs", "jobs", kind="number"),
            Col("n_green", "of these green", kind="number"),
            Col("first_at", "first", kind="day"),
            Col("last_at", "last", kind="day", link="url"),
        ],
        more="more tests",
        none="No test was tried again by its runner, as far as the logs tell.",
    )


def _lost_table(triage: Triage, *, has_lists: bool) -> Block:
    """Return one row for each green run after which tests were gone."""
    frame = pd.DataFrame(
        [
            {
                "what": sentence("{n}: {names}", n=plural(lost.n_lost, "test"), names=_named(lost.names)),
                "job": f"{lost.workflow} / {', '.join(lost.jobs)}",
                "count": f"{lost.n_before} → {lost.n_after}",
                "since_at": lost.since_at,
                "url": lost.url,
                "by": _blamed(lost),
            }
            for lost in triage.lost
        ]
    )
    none = "No test stopped running unseen." if has_lists else "Cannot be told: no list of tests that ran is held."
    return table(
        frame,
        [
            Col("what", "no longer run"),
            Col("job"),
            Col("count", kind="badge", tones={f"{lost.n_before} → {lost.n_after}": "bad" for lost in triage.lost}),
            Col("since_at", "since", kind="day", link="url"),
            Col("by", "commits in between"),
        ],
        more="more losses",
        none=none,
    )


def _named(names: Sequence[str]) -> Inline:
    rest = [f"and {len(names) - 2} more"] if len(names) > 2 else []
    return join([*(code(name) for name in names[:2]), *rest], sep=" ") if names else Inline.of("no names are printed")


def _blamed(lost: LostTests) -> Inline:
    shown = [
        sentence("{sha} {subject}", sha=link(code(one.sha[:7]), one.url), subject=one.subject)
        for one in lost.culprits[:2]
    ]
    rest = len(lost.culprits) - len(shown)
    return join([*shown, f"{rest} more" if rest else None], sep="; ") if shown else Inline.of(words.MISSING)


def over(
    triage: Triage,
    *,
    owners: Owners = NO_OWNERS,
    code_owners: str = "",
    causes: Sequence[OwnCause] = (),
    limit: int = 4,
) -> Block:
    """Return what asks for nothing now: cards for what has a proof, a table for the rest, newest first."""
    quiet = sorted((group for group in triage.groups if _part(group) == "over"), key=lambda group: group.last_at)
    proved = [group for group in reversed(quiet) if group.verdict not in {Verdict.UNDECIDED, Verdict.CONSEQUENCE}]
    rest = [group for group in reversed(quiet) if group not in proved]
    blocks = [_over_table(rest)]
    if proved:
        shown = _cards(
            proved, owners=owners, code_owners=code_owners, causes=causes, limit=limit, options=triage.options
        )
        blocks.insert(0, shown)
    return stack(*blocks)


def _over_table(groups: Sequence[Group]) -> Block:
    frame = pd.DataFrame(
        [
            {
                "headline": to_title(group, width=120),
                "job": f"{group.workflow} / {group.job}",
                "verdict": str(group.verdict),
                "status": group.status.word,
                "n_runs": group.n_runs,
                "last_at": group.last_at,
                "url": group.evidence[0].url if group.evidence else "",
                "history": [StripCell(cell.outcome, cell.title) for cell in _around_the_last(group.history)],
            }
            for group in groups
        ]
    )
    return table(
        frame,
        [
            Col("headline", "what the log said", kind="code"),
            Col("job"),
            Col("verdict", kind="badge", tones=_WORDS),
            Col("status", "now"),
            Col("n_runs", "runs", kind="number"),
            Col("last_at", "last failed", kind="day", link="url"),
            Col("history", "runs, oldest left", kind="strip"),
        ],
        more="more groups",
        none="No failure is over in this window.",
    )


def _around_the_last(history: Sequence[HistoryCell]) -> Sequence[HistoryCell]:
    """Return ten runs, the last failure of them among these where there is one."""
    red = [place for place, cell in enumerate(history) if cell.outcome in {"failed", "rerun"}]
    end = min(len(history), max(red[-1] + 4, 10)) if red else len(history)
    return history[max(0, end - 10) : end]


def cancelled_table(triage: Triage) -> Block:
    """Return the runs with cancelled jobs, with their verdict and what proves it."""
    rows = triage.cancelled.sort_values("started_at", ascending=False)
    frame = pd.DataFrame(
        [_cancelled_row(jobs) for _, jobs in rows.groupby(["run_id", "attempt", "verdict", "proof"], sort=False)]
    )
    return table(
        frame,
        [
            Col("started_at", "started", kind="day", link="url"),
            Col("verdict", kind="badge", tones=_WORDS),
            Col("jobs", "jobs"),
            Col("wall_s", "longest", kind="duration"),
            Col("proof"),
        ],
        limit=15,
        more="more runs with cancelled jobs",
        none="No job was cancelled.",
    )


def _cancelled_row(jobs: pd.DataFrame) -> dict[str, object]:
    first = jobs.iloc[0]
    names = jobs["job_base"].value_counts(sort=False)
    told = ", ".join(f"{name} ({n} legs)" if n > 1 else str(name) for name, n in names.items())
    return {
        "started_at": jobs["started_at"].min(),
        "verdict": first["verdict"],
        "jobs": f"{short_workflow(first['workflow'])} / {told}",
        "wall_s": jobs["wall_s"].max(),
        "proof": first["proof"],
        "url": job_url(first["repo"], first["run_id"], first["job_id"]),
    }


def triage_actions(triage: Triage) -> Block:
    """Return what to do, ranked."""
    return findings(triage.findings, none="Nothing to do: no job failed, or what failed is over.")
