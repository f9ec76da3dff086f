"""What every notebook begins and ends with: its data, the line above its title, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from kotaci import __version__
from kotaci.analysis.coverage import assess_coverage
from kotaci.facts import History, build_facts, read_history
from kotaci.model import BAD_OUTCOMES
from kotaci.places import ENVIRONMENT, default_store
from kotaci.report import words
from kotaci.report.blocks import Block, answer, details, note, page
from kotaci.report.inline import code, join, sentence
from kotaci.sample import SAMPLE, open_sample
from kotaci.store import open_store


def open_history(*, store: str, repo: str, since: str, until: str, tables: Iterable[str]) -> History:
    """Return the tables a notebook asks for, brought up to date with the store.

    `sample` names the bundled one; empty is the default store, as on the command line, or the sample where there is
    none yet.
    """
    path = Path(store) if store else default_store(ENVIRONMENT)
    is_sample = store == SAMPLE or (not store and not (path / "index.sqlite").is_file())
    held = open_sample() if is_sample else open_store(path)
    if not is_sample:
        build_facts(held)
    return read_history(held, repo=repo, since=since, until=until, tables=tables)


def opening(history: History) -> Block:
    """Return the line above the title and the footer: repository, scope, window, as of."""
    is_sample = bool((history["runs"]["source"] == SAMPLE).any())
    scope = "the bundled sample" if is_sample else "all branches and events"
    return page(repo=history.repo, scope=scope, window=window_words(history), as_of=history.as_of, version=__version__)


def window_words(history: History) -> str:
    """Return the window in words, with its real ends where it is open."""
    runs = history["runs"]
    last = history.window.until or history.as_of
    if runs.empty or last is None:
        return "no runs in this window"
    since = history.window.since or runs["started_at"].min()
    days = (last - since).total_seconds() / 86400
    return f"{words.plural(round(days), 'day')} to {words.time(last)}"


def no_runs(history: History) -> Block:
    """Return the answer for an empty window: it is not an error, and says what there is."""
    held = f"The store holds runs of {history.repo} up to {words.time(history.as_of)}." if history.as_of else ""
    return answer(sentence("**No runs in this window.** {held}", held=held), tone="calm")


def data_behind(history: History, *, options: Any, is_open: bool = False) -> Block:
    """Return what the report rests on: counts, what is missing, thresholds."""
    jobs, runs = history["jobs"], history["runs"]
    coverage = assess_coverage(runs, jobs, branch_is_told=history.branch_is_told, default_branch=history.default_branch)
    bad_logs = jobs.loc[jobs["outcome"].isin(BAD_OUTCOMES), "log_state"]
    blocks = [
        note(
            sentence(
                "{runs} in {attempts}, {jobs}: {failed} failed, {cancelled} cancelled. Logs: {held} of {bad} failed "
                "jobs, {all_held} of {all} jobs in all.",
                runs=words.plural(coverage.n_runs, "run"),
                attempts=words.plural(coverage.n_attempts, "attempt"),
                jobs=words.plural(coverage.n_jobs, "job"),
                failed=coverage.n_failed_jobs,
                cancelled=coverage.n_cancelled_jobs,
                held=int((bad_logs == "present").sum()),
                bad=len(bad_logs),
                all_held=int((jobs["log_state"] == "present").sum()),
                all=len(jobs),
            )
        ),
        *(note(sentence("Missing: {what}", what=what)) for what in coverage.missing),
        note(
            sentence(
                "Thresholds: {options}.",
                options=join(
                    [
                        sentence("{name} {value}", name=code(field.name), value=f"{getattr(options, field.name):g}")
                        for field in fields(options)
                    ],
                    sep=", ",
                ),
            )
        ),
    ]
    n_missing = len(coverage.missing)
    summary = f"{words.plural(coverage.n_runs, 'run')}, {words.plural(coverage.n_jobs, 'job')}; " + (
        f"{words.plural(n_missing, 'thing')} missing" if n_missing else "nothing is missing"
    )
    return details(summary, blocks, is_open=is_open)
