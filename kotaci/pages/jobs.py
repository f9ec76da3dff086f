"""What the lab shows of single failed jobs and of a part of a history; reports show the same, grouped and whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from kotaci.analysis.failures import Group, Triage, hits
from kotaci.facts import History
from kotaci.facts.explanations import JobKey, explain_job
from kotaci.logs.causes import OwnCause, read_catalogue
from kotaci.logs.failure import Explanation
from kotaci.model import BAD_OUTCOMES, Verdict, job_url, plural, short_workflow
from kotaci.pages.failing import TONES, with_gaps
from kotaci.report import words
from kotaci.report.blocks import Block, Card, StripCell, cards, strip
from kotaci.report.inline import Inline, badge, code, join, link, sentence

KEY = ["run_id", "attempt", "job_id"]

FAILED_JOB_COLUMNS = ["workflow", "job", "job_base", "leg", "outcome", "failed_step", "exit_code", "started_at",
                      "wall_s", "branch", "verdict", "proof", "headline"]  # fmt: skip
"""Columns of `failed_jobs` after KEY."""

N_IN_STRIP = 20


def failed_jobs(history: History, triage: Triage) -> pd.DataFrame:
    """Return every job that failed or whose time ran out, the newest first, with its verdict and headline."""
    told = history["jobs"].merge(triage.judged[[*KEY, "verdict", "proof"]], on=KEY)
    bad = told[told["outcome"].isin(BAD_OUTCOMES) | (told["verdict"] == Verdict.TIMED_OUT)]
    bad = bad.merge(history["failures"][[*KEY, "headline"]], on=KEY, how="left")
    bad = bad.merge(history["runs"][["run_id", "attempt", "branch"]], on=["run_id", "attempt"], how="left")
    bad = bad.sort_values("started_at", ascending=False, kind="stable", ignore_index=True)
    return bad[[*KEY, *FAILED_JOB_COLUMNS]]


def jobs_of(group: Group, failed: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `failed_jobs` that are jobs of the group's runs, the group's newest first.

    A job that failed in two ways in one run stands for both.
    """
    is_same = (failed["job_base"] == group.job) & failed["run_id"].isin(group.runs)
    is_same &= failed["workflow"].map(short_workflow) == group.workflow
    if group.legs:
        is_same &= failed["leg"].isin([*group.legs, ""])
    rows = failed[is_same]
    is_newest = (rows[KEY] == list(group.newest)).all(axis=1)
    return pd.concat([rows[is_newest], rows[~is_newest]], ignore_index=True)


def to_key(row: pd.Series) -> JobKey:
    """Return run id, attempt and job id of a row."""
    return int(row["run_id"]), int(row["attempt"]), int(row["job_id"])


def job_words(row: Mapping[str, object]) -> str:
    """Return the job of a row of `failed_jobs` in a line: when, run, attempt, leg, branch."""
    attempt = f", attempt {row['attempt']}" if row["attempt"] != 1 else ""
    return words.one_line(
        f"{words.time(row['started_at'])} · run {row['run_id']}{attempt} · {row['job']} · {row['branch']}", width=160
    )


def explained_job(
    history: History, key: JobKey, *, causes: Sequence[OwnCause] = ()
) -> tuple[Explanation | None, frozenset[int]]:
    """Return why a job failed and the line that says so; no more than None where its log is not held."""
    why = explain_job(history, key=key, catalogue=read_catalogue(causes))
    if why is None:
        return None, frozenset()
    lines = [(line.number, line.text) for line in why.excerpt]
    message = why.tests[0].message if why.tests else ""
    return why, hits(lines, headline=why.headline, message=message) or frozenset(why.lines[-1:])


def job_card(history: History, row: Mapping[str, object], *, why: Explanation | None, marked: frozenset[int]) -> Block:
    """Return the card of one failed job, for a row of `failed_jobs` and what `explained_job` tells of it."""
    headline = (why.headline if why else "") or ("" if words.is_missing(row["headline"]) else str(row["headline"]))
    verdict = Verdict(str(row["verdict"]))
    facts = [("why", Inline.of(f"{str(row['proof'])[:1].upper()}{str(row['proof'])[1:]}."))]
    if why is None:
        facts.append(("log", Inline.of("No log of this job is held.")))
    elif why.cause not in {"undecided", "cancelled", "gate"}:
        facts.append(("cause", join([code(why.cause), f"({words.percent(why.confidence)} sure)"], sep=" ")))
    address = job_url(history.repo, int(str(row["run_id"])), int(str(row["job_id"])))
    if address:
        facts.append(("evidence", link("the job on GitHub", address)))
    lines = [] if why is None else [(line.number, line.text) for line in why.excerpt]
    step = row["failed_step"]
    card = Card(
        title=" ".join(headline.split()) or "The log does not tell what failed",
        badge=badge(str(verdict), TONES.get(verdict, "calm")),
        meta=join(
            [
                f"{short_workflow(str(row['workflow']))} / {row['job']}",
                sentence("step {step}", step=code(step)) if step and not words.is_missing(step) else None,
                str(row["branch"]),
                words.time(row["started_at"]),
                words.duration(row["wall_s"]),
            ]
        ),
        excerpt=with_gaps(lines, marked),
        strip=_strip(history, row),
        facts=facts,
    )
    return cards([card])


def _strip(history: History, row: Mapping[str, object]) -> Block:
    """Return the last runs of the same job up to this one and some after it."""
    jobs = history["jobs"]
    same = jobs[(jobs["workflow"] == row["workflow"]) & (jobs["job"] == row["job"])].sort_values("started_at")
    runs = same["run_id"].drop_duplicates().to_list()
    end = min(len(runs), runs.index(row["run_id"]) + 6) if row["run_id"] in runs else len(runs)
    cells = []
    for run_id in runs[max(0, end - N_IN_STRIP) : end]:
        tries = same[same["run_id"] == run_id].sort_values("attempt")
        outcomes = tries["outcome"].to_list()
        is_bad = [outcome in BAD_OUTCOMES for outcome in outcomes]
        word = "failed" if is_bad[-1] else "rerun" if any(is_bad) else "ok"
        if outcomes[-1] not in BAD_OUTCOMES and outcomes[-1] != "success":
            word = "cancelled" if outcomes[-1] == "cancelled" else "none"
        mine = "this one, " if run_id == row["run_id"] else ""
        cells.append(StripCell(word, f"{mine}{words.time(tries['started_at'].iloc[0])}: {', then '.join(outcomes)}"))
    return strip(cells, caption=f"{plural(len(cells), 'run')} of {row['job']}, oldest left")


def narrowed(history: History, *, workflow: str = "", branch: str = "") -> History:
    """Return the history with only the attempts of that workflow (its path) and branch; empty stands for all."""
    runs = history["runs"]
    kept = runs[((runs["workflow"] == workflow) | (workflow == "")) & ((runs["branch"] == branch) | (branch == ""))]
    keys = pd.MultiIndex.from_frame(kept[["run_id", "attempt"]])
    tables = {}
    for name, frame in history.tables.items():
        if name == "runs":
            tables[name] = kept.reset_index(drop=True)
        elif {"run_id", "attempt"} <= set(frame.columns):
            is_kept = pd.MultiIndex.from_frame(frame[["run_id", "attempt"]]).isin(keys)
            tables[name] = frame[is_kept].reset_index(drop=True)
        else:
            tables[name] = frame
    return replace(history, tables=tables)


def narrowed_triage(triage: Triage, part: History, *, workflow: str = "") -> Triage:
    """Return the groups that failed in a part of the history, and what green runs of that workflow hide.

    Verdicts, and the counts on a group's card, stay those of the whole history: a branch is judged by what others did.
    """
    runs, jobs = part["runs"], part["jobs"]
    here = set(runs["run_id"])
    groups = [group for group in triage.groups if not group.runs.isdisjoint(here)]
    groups = [group for group in groups if not workflow or group.workflow == short_workflow(workflow)]
    gone = {f"failure:{group.id}" for group in triage.groups} - {f"failure:{group.id}" for group in groups}
    keys = pd.MultiIndex.from_frame(jobs[KEY])

    def of_part(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[pd.MultiIndex.from_frame(frame[KEY]).isin(keys)].reset_index(drop=True)

    cancelled = of_part(triage.cancelled)
    n_overtime = int((cancelled["verdict"] == Verdict.TIMED_OUT).sum())
    return replace(
        triage,
        groups=groups,
        findings=[finding for finding in triage.findings if finding.id not in gone],
        judged=of_part(triage.judged),
        cancelled=cancelled,
        retried=triage.retried[(triage.retried["workflow"] == workflow) | (workflow == "")],
        lost=[one for one in triage.lost if not workflow or one.workflow == short_workflow(workflow)],
        empty_steps=[one for one in triage.empty_steps if workflow in {"", one.workflow}],
        n_failed_jobs=int(jobs["outcome"].isin(BAD_OUTCOMES).sum()) + n_overtime,
        n_overtime=n_overtime,
        n_red_runs=int(runs["outcome"].isin(BAD_OUTCOMES).sum()),
        n_runs=len(runs),
    )
