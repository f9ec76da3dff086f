"""What every notebook begins and ends with: its data, the line above its title, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from kotaci import __version__
from kotaci.analysis.coverage import assess_coverage
from kotaci.config import PLACE, Config, Landmark, config_in_force
from kotaci.facts import History, build_facts, read_history
from kotaci.model import BAD_OUTCOMES, plural
from kotaci.places import ENVIRONMENT, default_repo, default_store
from kotaci.report import words
from kotaci.report.blocks import Block, answer, details, note, page
from kotaci.report.charts import Mark
from kotaci.report.folder import SAMPLE_SCOPE
from kotaci.report.inline import code, join, sentence
from kotaci.sample import SAMPLE, is_sample, open_sample
from kotaci.store import Store, open_store


def open_history(
    *, store: str, repo: str, since: str, until: str, config: str = "", tables: Iterable[str]
) -> tuple[History, Config]:
    """Return the tables a notebook asks for, brought up to date with the store, and the configuration in force.

    `sample` names the bundled one; empty is the default store, as on the command line, or the sample where there is
    none yet. An empty `repo` is KOTACI_REPO, else the only one there. `config` is a path; empty is KOTACI_CONFIG, else
    what is stored with the repository. A base branch in it is the default branch from here on.
    """
    held = open_held(store)
    if not is_sample(held):
        build_facts(held)
    name = repo or default_repo(ENVIRONMENT)
    history = read_history(held, repo=name, since=since, until=until, tables=tables)
    settings = config_in_force(told=config, environment=ENVIRONMENT, store=held, repo=history.repo)
    if settings.base_branch:
        history = replace(history, default_branch=settings.base_branch, branch_is_told=True)
    return history, settings


def open_held(store: str) -> Store:
    """Return the store that a notebook's parameter `store` names."""
    path = Path(store) if store else default_store(ENVIRONMENT)
    is_none = store == SAMPLE or (not store and not (path / "index.sqlite").is_file())
    return open_sample() if is_none else open_store(path)


def to_marks(dates: Sequence[Landmark]) -> list[Mark]:
    """Return the dates of a configuration as charts draw them: at 00:00 UTC."""
    return [Mark(pd.Timestamp(date.on, tz="UTC"), date.text) for date in dates]


def opening(history: History) -> Block:
    """Return the line above the title and the footer: repository, scope, window, as of."""
    is_bundled = bool((history["runs"]["source"] == SAMPLE).any())
    scope = SAMPLE_SCOPE if is_bundled else "all branches and events"
    if history.wanted.get("run"):
        scope = f"incomplete: {plural(history.wanted['run'], 'listed run')} not fetched yet"
    return page(repo=history.repo, scope=scope, window=window_words(history), as_of=history.as_of, version=__version__)


def window_words(history: History) -> str:
    """Return the window in words, with its real ends where it is open."""
    runs = history["runs"]
    last = history.window.until or history.as_of
    if runs.empty or last is None:
        return "no runs in this window"
    since = history.window.since or runs["started_at"].min()
    days = (last - since).total_seconds() / 86400
    return f"{plural(round(days), 'day')} to {words.time(last)}"


def no_runs(history: History) -> Block:
    """Return the answer for an empty window: it is not an error, and says what there is."""
    held = f"The store holds runs of {history.repo} up to {words.time(history.as_of)}." if history.as_of else ""
    return answer(sentence("**No runs in this window.** {held}", held=held), tone="calm")


DEFAULT_CONFIG = Config()


def data_behind(history: History, *, options: Any, settings: Config = DEFAULT_CONFIG, is_open: bool = False) -> Block:
    """Return what the report rests on: counts, what is missing, thresholds, the configuration, dates in the window."""
    jobs, runs = history["jobs"], history["runs"]
    coverage = assess_coverage(
        runs,
        jobs,
        branch_is_told=history.branch_is_told,
        default_branch=history.default_branch,
        n_wanted_runs=history.wanted.get("run", 0),
    )
    bad_logs = jobs.loc[jobs["outcome"].isin(BAD_OUTCOMES), "log_state"]
    blocks = [
        note(
            sentence(
                "{runs} in {attempts}, {jobs}: {failed} failed, {cancelled} cancelled. Logs: {held} of {bad} failed "
                "jobs, {all_held} of {all} jobs in all.",
                runs=plural(coverage.n_runs, "run"),
                attempts=plural(coverage.n_attempts, "attempt"),
                jobs=plural(coverage.n_jobs, "job"),
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
        *_configured(settings),
        *_landmarks(history, settings.dates),
    ]
    n_missing = len(coverage.missing)
    summary = f"{plural(coverage.n_runs, 'run')}, {plural(coverage.n_jobs, 'job')}; " + (
        f"{plural(n_missing, 'thing')} missing" if n_missing else "nothing is missing"
    )
    return details(summary, blocks, is_open=is_open)


def _configured(settings: Config) -> list[Block]:
    """Return which configuration was in force, without this machine's folders; nothing for the defaults."""
    if settings == DEFAULT_CONFIG:
        return []
    path = settings.path
    name = PLACE if path is None or path.parent.name == ".github" else path.name
    return [
        note(
            sentence(
                "Configuration: {file}, {whence}; it sets {keys}.",
                file=code(name),
                whence="as stored with the repository" if path is None else "given with this report",
                keys=join([code(key) for key in sorted(settings.told)], sep=", ") if settings.told else "nothing",
            )
        )
    ]


def _landmarks(history: History, dates: Sequence[Landmark]) -> list[Block]:
    """Return the dates of the configuration that lie in the report's window, in words."""
    first = history.window.since or history["runs"]["started_at"].min()
    last = history.window.until or history.as_of
    if last is None or pd.isna(first):
        return []
    shown = [mark for mark in to_marks(dates) if pd.Timestamp(first).floor("D") <= mark.at <= pd.Timestamp(last)]
    if not shown:
        return []
    told = [sentence("{day}: {text}", day=words.day(mark.at), text=mark.text) for mark in shown]
    return [note(sentence("Dates: {told}.", told=join(told, sep="; ")))]
