"""Failures to sort, filter and look into: a list, the card of the one that is chosen, and its log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import ipywidgets
import pandas as pd

from kotaci.analysis.failures import Group, Triage
from kotaci.config import Config
from kotaci.facts import History
from kotaci.facts.explanations import JobKey
from kotaci.lab.panels import LABEL, WIDE, Panel, column, html, row, saying
from kotaci.lab.reading import LogViewer
from kotaci.logs.failure import Explanation
from kotaci.model import job_url, plural, short_workflow
from kotaci.pages.failing import to_title
from kotaci.pages.jobs import explained_job, failed_jobs, job_card, job_words, jobs_of, to_key
from kotaci.pages.triage import ANY_PART, group_cards
from kotaci.report import words
from kotaci.report.blocks import Block, note
from kotaci.report.inline import Inline, code, join, link

MOST_LISTED = 300
"""Lines of the list; a filter finds the others."""

ALL = "all"

SORTS: Mapping[str, Callable[[Item], Any]] = {
    "most urgent": lambda item: item.rank,
    "newest": lambda item: -item.at.timestamp() if not pd.isna(item.at) else 0.0,
    "most runs": lambda item: -item.n_runs,
    "most minutes": lambda item: -item.minutes,
}


Explained = tuple[Explanation | None, frozenset[int]]
Explain = Callable[[JobKey], Explained]


@dataclass(frozen=True)
class Item:
    """One line of the list: a group of failures, or one failed job; `jobs` are its rows of `failed_jobs`."""

    label: str
    verdict: str
    rank: int
    at: pd.Timestamp
    n_runs: int
    minutes: float
    card: Callable[[], Block]
    jobs: Callable[[], pd.DataFrame]


class Explorer(Panel):
    """The failures of a history, as groups or job by job."""

    def __init__(self) -> None:
        super().__init__()
        self._history: History | None = None
        self._settings = Config()
        self._items: Mapping[str, Sequence[Item]] = {"groups": [], "jobs": []}
        self._jobs = pd.DataFrame()
        self._marked: dict[JobKey, frozenset[int]] = {}
        self._why: dict[JobKey, Explained] = {}
        self.kind = ipywidgets.ToggleButtons(
            description="Show", options=["groups", "jobs"], style={**LABEL, "button_width": "auto"}
        )
        self.sort = ipywidgets.Dropdown(description="Sorted by", options=list(SORTS), style=LABEL)
        self.filter = ipywidgets.Text(
            description="Filter", placeholder="words in name, job, branch", style=LABEL, layout={"width": "24rem"}
        )
        self.verdict = ipywidgets.ToggleButtons(
            description="Verdict", options=[(ALL, ALL)], style={**LABEL, "button_width": "auto"}
        )
        self.list = ipywidgets.Select(description="Failures", rows=10, style=LABEL, layout=WIDE)
        self.card = ipywidgets.HTML(layout=WIDE)
        self.job = ipywidgets.Dropdown(description="Log of", style=LABEL, layout=WIDE)
        self.log = LogViewer()
        self.on_change(self.kind, lambda _: self._count())
        for widget in (self.sort, self.filter, self.verdict):
            self.on_change(widget, lambda _: self._list())
        self.on_change(self.list, self._choose)
        self.on_change(self.job, self._read)
        self.widget = column(
            row(self.kind, self.sort, self.filter), self.verdict, self.list, self.said, self.card, self.job,
            self.log.widget,
        )  # fmt: skip

    def show(self, history: History, triage: Triage, settings: Config) -> None:
        """Show the failures of another history."""
        failed = failed_jobs(history, triage)
        self._history, self._settings = history, settings
        # The newest job of a group is explained already, for its card.
        self._marked = {group.newest: group.hits for group in triage.groups if group.hits}
        self._why = {}
        self._items = {
            "groups": [_of_group(group, rank, triage, history, settings, failed)
                       for rank, group in enumerate(triage.groups)],
            "jobs": [_of_job(failed.iloc[at : at + 1], at, history, self._explain) for at in range(len(failed))],
        }  # fmt: skip
        self._count()

    def _count(self) -> None:
        """Offer the verdicts of what is listed, then list it."""
        items = self._items[self.kind.value]
        counts = Counter(item.verdict for item in items)
        chosen = self.verdict.value
        with self.quiet():
            told = [(f"{verdict} ({n})", verdict) for verdict, n in counts.most_common()]
            self.verdict.options = [(f"all ({len(items)})", ALL), *told]
            self.verdict.value = chosen if chosen in counts else ALL
        self._list()

    def _list(self) -> None:
        items, wanted = self._items[self.kind.value], self.filter.value.lower().split()
        found = [
            (place, item)
            for place, item in enumerate(items)
            if self.verdict.value in {ALL, item.verdict} and all(word in item.label.lower() for word in wanted)
        ]
        found.sort(key=lambda pair: SORTS[self.sort.value](pair[1]))
        listed = [(item.label, place) for place, item in found[:MOST_LISTED]]
        rest = len(found) - len(listed)
        more = f", of which the first {MOST_LISTED} are listed" if rest else ""
        self.said.value = saying(f"{len(found):,} of {plural(len(items), self.kind.value[:-1])}{more}.")
        chosen = self.list.value
        with self.quiet():
            self.list.options = listed
            places = [place for _, place in listed]
            self.list.value = chosen if chosen in places else places[0] if places else None
        self._choose(self.list.value)

    def _choose(self, place: int | None) -> None:
        """Show the card of an item, and the log of its newest job."""
        if place is None:
            self._jobs = pd.DataFrame()
            self.card.value = html(note(Inline.of("No failure is chosen.")))
        else:
            item = self._items[self.kind.value][place]
            self._jobs = item.jobs().reset_index(drop=True)
            self.card.value = html(item.card())
        with self.quiet():
            self.job.options = [(job_words(one), at) for at, one in enumerate(self._jobs.to_dict("records"))]
            self.job.value = 0 if len(self._jobs) else None
        self.job.disabled = self._jobs.empty
        self._read(self.job.value)

    def _read(self, place: int | None) -> None:
        if place is None or self._history is None:
            self.log.show(None, title=note(Inline.of("No log is chosen.")))
            return
        one = self._jobs.iloc[place]
        key = to_key(one)
        text = self._history.log(*key)
        told = [code(f"{short_workflow(one['workflow'])} / {one['job']}")]
        address = job_url(self._history.repo, key[0], key[2])
        if address:
            told.append(link("on GitHub", address))
        if text is None:
            self.log.show(None, title=note(join([*told, "no log of it is held"], sep=", ")))
            return
        marked = self._marked.get(key) or self._explain(key)[1]
        self.log.show(text, title=note(join([*told, words.time(one["started_at"])], sep=", ")), hits=marked)

    def _explain(self, key: JobKey) -> Explained:
        if key not in self._why and self._history is not None:
            self._why[key] = explained_job(self._history, key, causes=self._settings.causes)
        return self._why[key]


def _of_group(
    group: Group, rank: int, triage: Triage, history: History, settings: Config, failed: pd.DataFrame
) -> Item:
    label = f"{group.verdict} · {group.status.word} · {to_title(group, width=90)} · {group.workflow} / {group.job}"
    branches = ", ".join(group.branches[:3]) + (" …" if len(group.branches) > 3 else "")
    return Item(
        label=words.one_line(f"{label} · {branches} · {plural(group.n_runs, 'run')}", width=220),
        verdict=str(group.verdict),
        rank=rank,
        at=group.last_at,
        n_runs=group.n_runs,
        minutes=group.minutes,
        card=partial(
            group_cards,
            triage,
            parts=ANY_PART,
            only=group.id,
            owners=settings.owners,
            code_owners=history.code_owners,
            causes=settings.causes,
        ),
        jobs=partial(jobs_of, group, failed),
    )


def _of_job(rows: pd.DataFrame, rank: int, history: History, explain: Explain) -> Item:
    one = rows.iloc[0]
    headline = one["failed_step"] if words.is_missing(one["headline"]) else one["headline"]
    flow = f"{short_workflow(one['workflow'])} / {one['job']}"
    label = f"{one['verdict']} · {words.one_line(headline, width=90)} · {flow} · {one['branch']}"

    def card() -> Block:
        why, marked = explain(to_key(one))
        return job_card(history, one.to_dict(), why=why, marked=marked)

    return Item(
        label=words.one_line(f"{label} · {words.time(one['started_at'])}", width=220),
        verdict=str(one["verdict"]),
        rank=rank,
        at=one["started_at"],
        n_runs=1,
        minutes=0.0 if words.is_missing(one["wall_s"]) else float(one["wall_s"]) / 60,
        card=card,
        jobs=lambda: rows,
    )
