"""The desk: what is looked at, in dropdowns, and what the notebook shows of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets

from kotaci.analysis.failures import Triage, assess_failures
from kotaci.analysis.health import assess_health
from kotaci.config import Config
from kotaci.facts import History
from kotaci.lab.fetching import FetchPanel
from kotaci.lab.panels import LABEL, WIDE, Panel, column, output_of, row, saying
from kotaci.model import BadInput, short_workflow
from kotaci.pages import health as health_page
from kotaci.pages import triage as triage_page
from kotaci.pages.jobs import narrowed, narrowed_triage
from kotaci.pages.opening import open_held, open_history, opening
from kotaci.places import ENVIRONMENT, default_repo
from kotaci.report.blocks import Block
from kotaci.store import Store

WINDOWS = ["7d", "30d", "90d", "180d", "all"]


@dataclass(frozen=True)
class Chosen:
    """What a desk looks at: the whole history with what was found in it, and the part that is chosen of it."""

    history: History
    settings: Config
    whole: Any
    workflow: str = ""
    branch: str = ""

    @property
    def part(self) -> History:
        """The history of the workflow and branch alone."""
        return narrowed(self.history, workflow=self.workflow, branch=self.branch)


@dataclass(frozen=True)
class Page:
    """What one notebook shows at a desk: the tables it reads, what it finds in them, and its blocks."""

    tables: Sequence[str]
    assess: Callable[[History, Config], Any]
    blocks: Callable[[Chosen], Sequence[Block]]


def _triage(history: History, settings: Config) -> Triage:
    base, as_of = history.default_branch, history.as_of
    found = assess_failures(triage_page.clustered(history), default_branch=base, as_of=as_of, options=settings.triage)
    return triage_page.explained(found, history, causes=settings.causes)


def _triage_blocks(chosen: Chosen) -> Sequence[Block]:
    part = chosen.part
    triage = narrowed_triage(chosen.whole, part, workflow=chosen.workflow)
    return [
        opening(part),
        triage_page.triage_answer(part, triage),
        triage_page.triage_tiles(triage, part["runs"]),
        triage_page.triage_actions(triage),
    ]


def _health_blocks(chosen: Chosen) -> Sequence[Block]:
    part, settings = chosen.part, chosen.settings
    base, as_of = chosen.history.default_branch, chosen.history.as_of
    starts = part.starts if not chosen.workflow else part.starts[part.starts["workflow"] == chosen.workflow]
    health = assess_health(
        part["runs"], part["jobs"], as_of=as_of, default_branch=base, starts=starts, options=settings.health
    )
    return [
        opening(part),
        health_page.health_answer(part, health),
        health_page.health_tiles(health),
        health_page.outcomes_figure(health, dates=settings.dates),
        health_page.workflow_table(health, owners=settings.owners),
        health_page.job_table(health, part["jobs"]),
        health_page.health_actions(health),
    ]


PAGES: Mapping[str, Page] = {
    "failure_triage": Page(triage_page.TABLES, _triage, _triage_blocks),
    "ci_health": Page(health_page.TABLES, lambda *_: None, _health_blocks),
}
"""By the name of the notebook."""


class Desk(Panel):
    """Repository, workflow, branch and window as dropdowns; each choice runs the notebook's functions again.

    `chosen` is what is looked at; None where it could not be read.
    """

    def __init__(self, *, store: str, repo: str, since: str, until: str, config: str, shows: str) -> None:
        super().__init__()
        if shows not in PAGES:
            raise BadInput(shows, "is no page for a desk", f"choose from {', '.join(PAGES)}")
        self._page, self._until, self._config, self._path = PAGES[shows], until, config, store
        self._told: list[Callable[[History, Any, Config], None]] = []
        self.chosen: Chosen | None = None
        self.store: Store = open_held(store)
        self.repo = ipywidgets.Dropdown(description="Repository", style=LABEL)
        self.workflow = ipywidgets.Dropdown(description="Workflow", options=[("all", "")], value="", style=LABEL)
        self.branch = ipywidgets.Dropdown(description="Branch", options=[("all", "")], value="", style=LABEL)
        self.since = ipywidgets.Dropdown(
            description="Window", options=list(dict.fromkeys([since, *WINDOWS])), value=since, style=LABEL
        )
        self.output = ipywidgets.Output(layout=WIDE)
        self.on_change(self.repo, lambda _: self.read())
        self.on_change(self.since, lambda _: self.read())
        self.on_change(self.workflow, lambda _: self._offer_branches())
        self.on_change(self.branch, lambda _: self._show())
        self.fetch = FetchPanel(self.store, repo=repo, on_done=self._fetched)
        self.widget = column(
            row(self.repo, self.workflow, self.branch, self.since), self.said, self.fetch.widget, self.output
        )
        with self.problems_told():
            self._offer(repo or default_repo(ENVIRONMENT))
            self.read()

    def tell(self, what: Callable[[History, Any, Config], None]) -> None:
        """Call `what` now, and again with each choice, with the history, what was found in it and the settings."""
        self._told.append(what)
        if self.chosen is not None:
            self._hand_to(what, self.chosen)

    def _offer(self, repo: str) -> None:
        """Offer the repositories of the store."""
        held = self.store.repos()
        with self.quiet():
            self.repo.options = held
            same = next((one for one in held if one.lower() == repo.lower()), None)
            self.repo.value = same or (held[0] if held else None)

    def _fetched(self, repo: str) -> None:
        self._offer(repo)
        self.read()

    def read(self) -> None:
        """Read the history of what is chosen, find what there is in it, and show it."""
        self.chosen = None
        self.said.value = saying("Reading …")
        if self.repo.value is None:
            raise BadInput(self.store.path, "holds no repository yet", "fetch one below")
        history, settings = open_history(
            store=self._path,
            repo=self.repo.value,
            since=self.since.value,
            until=self._until,
            config=self._config,
            tables=self._page.tables,
        )
        self.chosen = Chosen(history, settings, self._page.assess(history, settings))
        runs = history["runs"]
        flows = sorted(set(runs["workflow"]) - {""}, key=short_workflow)
        before = self.workflow.value
        with self.quiet():
            self.workflow.options = [("all", ""), *((short_workflow(flow), flow) for flow in flows)]
            self.workflow.value = before if before in flows else ""
        self._offer_branches()

    def _offer_branches(self) -> None:
        """Offer the branches of the workflow, the one with most runs first, and show what is chosen."""
        if self.chosen is None:
            return
        runs = narrowed(self.chosen.history, workflow=self.workflow.value)["runs"]
        counts = runs.loc[runs["branch"] != "", "branch"].value_counts()
        before = self.branch.value
        with self.quiet():
            told = [(f"{branch} ({n} runs)", branch) for branch, n in counts.items()]
            self.branch.options = [("all", ""), *told]
            self.branch.value = before if before in set(counts.index) else ""
        self._show()

    def _show(self) -> None:
        if self.chosen is None:
            return
        whole = self.chosen
        self.chosen = Chosen(
            whole.history, whole.settings, whole.whole, workflow=self.workflow.value, branch=self.branch.value
        )
        self.output.outputs = output_of(*self._page.blocks(self.chosen))
        for what in self._told:
            self._hand_to(what, self.chosen)
        self.said.value = ""

    def _hand_to(self, what: Callable[[History, Any, Config], None], chosen: Chosen) -> None:
        part = chosen.part
        found = chosen.whole
        if isinstance(found, Triage):
            found = narrowed_triage(found, part, workflow=chosen.workflow)
        what(part, found, chosen.settings)
