"""What if: one change of a workflow, set with sliders, played over every recorded run."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets

from kotaci.analysis.timing import Effect, Faster, Network, Scenario, Split, replay
from kotaci.facts import History
from kotaci.lab.panels import LABEL, WIDE, Panel, button, column, html, row, saying
from kotaci.model import plural, short_workflow
from kotaci.pages.whatif import effect_figure, effect_note

FASTER, SPLIT = "takes less time", "runs in parts at once"
WHOLE_JOB = "the whole job"
MOST_KEPT = 6
"""Tries shown beside each other, the newest first."""


class WhatIf(Panel):
    """One change at a time: a job, or a step of it, that takes less time, or a job in several parts.

    `tries` are the changes tried, the newest first, by their title.
    """

    def __init__(self, network: Network, history: History, *, prices: Mapping[str, float]) -> None:
        super().__init__()
        self._network, self._steps, self._prices = network, history["steps"], prices
        self.tries: dict[str, Effect] = {}
        jobs = network.jobs
        counts = jobs.loc[jobs["has_run"] & ~jobs["is_called"], "workflow"].value_counts()
        self.workflow = ipywidgets.Dropdown(
            description="Workflow", options=[(short_workflow(flow), flow) for flow in counts.index], style=LABEL
        )
        self.job = ipywidgets.Dropdown(description="Job", style=LABEL)
        self.kind = ipywidgets.ToggleButtons(
            description="Change", options=[FASTER, SPLIT], style={**LABEL, "button_width": "auto"}
        )
        self.step = ipywidgets.Dropdown(description="Part", options=[WHOLE_JOB], style=LABEL)
        self.percent = _slider("Percent less", value=30, least=0, most=100, by=5)
        self.parts = _slider("Parts", value=2, least=2, most=12, by=1)
        self.overhead = _slider("Set-up, s", value=30, least=0, most=600, by=5)
        self.again = button(description="Forget the tries")
        self.figure = ipywidgets.HTML(layout=WIDE)
        self.on_change(self.workflow, lambda _: self._offer_jobs())
        self.on_change(self.job, lambda _: self._offer_steps())
        for widget in (self.kind, self.step, self.percent, self.parts, self.overhead):
            self.on_change(widget, lambda _: self._try())
        self.on_click(self.again, self._forget)
        self.of_step, self.of_parts = row(self.step, self.percent), row(self.parts, self.overhead)
        self.widget = column(
            row(self.workflow, self.job, self.again), self.kind, self.of_step, self.of_parts, self.said, self.figure
        )
        if counts.empty:
            self.said.value = saying("Nothing to try: no run of this window has needs that are known.")
            return
        with self.problems_told():
            self._offer_jobs()

    def _offer_jobs(self) -> None:
        jobs = self._network.jobs
        mine = jobs[(jobs["workflow"] == self.workflow.value) & jobs["has_run"] & ~jobs["is_called"]]
        longest = mine.groupby("job_key")["run_s"].sum().sort_values(ascending=False)
        with self.quiet():
            self.job.options = list(longest.index)
            self.job.value = longest.index[0]
        self._offer_steps()

    def _offer_steps(self) -> None:
        keys = ["run_id", "attempt", "job_id"]
        jobs = self._network.jobs
        mine = jobs.loc[(jobs["workflow"] == self.workflow.value) & (jobs["job_key"] == self.job.value), keys]
        steps = self._steps.merge(mine, on=keys)
        took = (steps["ended_at"] - steps["started_at"]).dt.total_seconds()
        longest = took.groupby(steps["step"]).sum().sort_values(ascending=False)
        with self.quiet():
            self.step.options = [WHOLE_JOB, *longest[longest > 0].index]
            self.step.value = WHOLE_JOB
        self._try()

    def scenario(self) -> Scenario:
        """Return the change that the widgets tell."""
        flow, job = self.workflow.value, self.job.value
        if self.kind.value == SPLIT:
            return Split(flow, job, self.parts.value, float(self.overhead.value))
        return Faster(flow, job, float(self.percent.value), "" if self.step.value == WHOLE_JOB else self.step.value)

    def title(self) -> str:
        """Return that change in words."""
        if self.kind.value == SPLIT:
            return f"{self.job.value} in {self.parts.value} parts, {self.overhead.value} s of set-up each"
        what = self.job.value if self.step.value == WHOLE_JOB else f"{self.step.value}, a step of {self.job.value},"
        return f"{what} takes {self.percent.value} % less time"

    def _try(self) -> None:
        is_split = self.kind.value == SPLIT
        self.of_step.layout.display = "none" if is_split else None
        self.of_parts.layout.display = None if is_split else "none"
        effect = replay(self._network, self.scenario(), steps=self._steps, prices=self._prices)
        name = f"{self.title()} ({short_workflow(self.workflow.value)})"
        self.tries = {name: effect, **{known: one for known, one in self.tries.items() if known != name}}
        for old in list(self.tries)[MOST_KEPT:]:
            del self.tries[old]
        self._draw()

    def _forget(self) -> None:
        self.tries.clear()
        self._try()

    def _draw(self) -> None:
        first, newest = next(iter(self.tries.items()))
        self.said.value = saying(f"{plural(len(self.tries), 'try', 'tries')} shown, the newest first.")
        told = effect_note(first, newest)
        if not newest.n:
            self.figure.value = html(told)
            return
        self.figure.value = html(told) + html(effect_figure(self.tries))


def _slider(name: str, *, value: int, least: int, most: int, by: int) -> ipywidgets.IntSlider:
    return ipywidgets.IntSlider(
        description=name, value=value, min=least, max=most, step=by, continuous_update=False, style=LABEL,
        layout={"width": "26rem"},
    )  # fmt: skip
