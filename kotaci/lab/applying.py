"""One write to GitHub from the desk: planned, read, confirmed, and only then applied."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

from kotaci.analysis.failures import Triage
from kotaci.config import Config
from kotaci.facts import History
from kotaci.lab.fetching import ask_github
from kotaci.lab.panels import LABEL, WIDE, Panel, button, column, html, row, saying
from kotaci.model import BadInput, Repo, plural
from kotaci.pages.opening import opening, window_words
from kotaci.pages.triage import triage_answer, triage_tiles
from kotaci.report.blocks import PAGE_MIME, Block, copyable, note, stack
from kotaci.report.folder import Part, ReportFolder
from kotaci.report.inline import code, join, link, sentence

if TYPE_CHECKING:  # PyGithub takes half a second to import
    from kotaci.actions import Applied, Plan
    from kotaci.github import Client

ISSUES, START, RESULT, AGAIN = (
    "issues for what fails", "comment: work begins", "comment: the result", "failed jobs again",
)  # fmt: skip


class Apply(Panel):
    """A choice, a preview of every word that would be written, a tick that it was read, and a button.

    Nothing is written before the tick, and what is written is the plan that was shown. An issue is never closed from
    here: a part of the history that lacks a failure does not prove that it is gone.
    """

    def __init__(self, *, open_client: Callable[[Repo, threading.Event], Client] = ask_github) -> None:
        super().__init__()
        self._open_client = open_client
        self._of: tuple[History, Triage, Config] | None = None
        self.plan: Plan | None = None
        self.what = ipywidgets.Dropdown(description="Write", options=[ISSUES, START, RESULT, AGAIN], style=LABEL)
        self.target = ipywidgets.Text(
            description="Where", placeholder="issue:12, pull:34 or run:ID", style=LABEL, layout={"width": "20rem"}
        )
        self.preview = button(description="Preview")
        self.shown = ipywidgets.HTML(layout=WIDE)
        self.is_read = ipywidgets.Checkbox(
            description="I have read it, and it may be written to GitHub", indent=False, disabled=True,
            layout={"width": "auto"},
        )  # fmt: skip
        self.apply = button(description="Apply", button_style="warning", disabled=True)
        self.on_change(self.what, lambda _: self._forget())
        self.on_change(self.target, lambda _: self._forget())
        self.on_click(self.preview, self._preview)
        self.on_change(self.is_read, self._confirm)
        self.on_click(self.apply, self._apply)
        self.widget = column(
            row(self.what, self.target, self.preview), self.shown, row(self.is_read, self.apply), self.said
        )
        self._forget()

    def show(self, history: History, triage: Triage, settings: Config) -> None:
        """Plan from another history from now on."""
        self._of = (history, triage, settings)
        self._forget()

    def _forget(self) -> None:
        """Take back the preview: it is of what was chosen before."""
        self.plan = None
        self.shown.value = self.said.value = ""
        self.target.disabled = self.what.value == ISSUES
        with self.quiet():
            self.is_read.value = False
        self.is_read.disabled = self.apply.disabled = True

    def _preview(self) -> None:
        from kotaci.actions import apply_plan

        self._forget()
        if self._of is None:
            raise BadInput("the desk", "has nothing to write about", "choose a repository that is held")
        history, triage, settings = self._of
        repo = Repo.parse(history.repo)
        report = to_report(history, triage)
        plan = replace(self._planned(report, repo, history, settings), report="")
        if not plan.actions:
            self.said.value = saying("; ".join(["Nothing is to be written", *plan.left_out]) + ".")
            return
        expected = apply_plan(plan, client=self._client(repo), is_dry=True)
        self.plan = plan
        self.shown.value = html(plan_preview(plan, expected))
        self.is_read.disabled = False
        self.said.value = saying(f"{plural(len(plan.actions), 'action')} planned; nothing is written yet.")

    def _planned(self, report: ReportFolder, repo: Repo, history: History, settings: Config) -> Plan:
        from kotaci.actions import Stage, check_report, fetch_held, plan_comment, plan_findings

        if self.what.value == ISSUES:
            check_report(report, repo)
            return plan_findings(report, fetch_held(self._client(repo), repo), repo=repo, labels=settings.labels)
        target = self.target.value.strip()
        is_run = target.startswith("run:")
        if is_run != (self.what.value == AGAIN):
            raise BadInput(target, "is nothing for that", "write run:ID to run it again, else issue:12 or pull:34")
        if is_run and "/" not in target:
            runs = history["runs"]
            tries = runs.loc[runs["run_id"].astype("str") == target.removeprefix("run:"), "attempt"]
            target = f"{target}/{tries.max()}" if len(tries) else target
        stage = Stage.RESULT if self.what.value == RESULT else Stage.START
        return plan_comment(report, repo=repo, target=target, stage=stage)

    def _client(self, repo: Repo) -> Client:
        return self._open_client(repo, threading.Event())

    def _confirm(self, is_read: bool) -> None:
        self.apply.disabled = not (is_read and self.plan is not None)

    def _apply(self) -> None:
        from kotaci.actions import apply_plan

        plan = self.plan
        if plan is None or not self.is_read.value:
            raise BadInput("the plan", "was not read", "look at the preview and tick that it may be written")
        done = apply_plan(plan, client=self._client(Repo.parse(plan.repo)))
        self._forget()
        self.shown.value = html(stack(*(_done(one) for one in done)))
        self.said.value = saying("Written; applied again, it would write nothing.")


def to_report(history: History, triage: Triage) -> ReportFolder:
    """Return what a desk shows as a report that plans are made from; not complete, so that it closes no issue."""
    about: Any = opening(history).data[PAGE_MIME]
    part = Part(
        name="failure_triage",
        question="Why is CI red, and what first?",
        answer=triage_answer(history, triage).markdown,
        figures=triage_tiles(triage, history["runs"]).markdown.splitlines(),
        findings=triage.findings,
        is_complete=False,
    )
    return ReportFolder(
        path=Path(), repo=history.repo, scope=about["scope"], window=window_words(history), as_of=history.as_of,
        digest="", parts=[part],
    )  # fmt: skip


def plan_preview(plan: Plan, expected: Sequence[Applied]) -> Block:
    """Return every action of a plan: what becomes of it, where, and each word of its text as it would be sent."""
    shown: list[Block] = []
    for action, would in zip(plan.actions, expected, strict=True):
        named = [sentence("**{kind}** on {target}: {done}", kind=action.kind, target=action.target, done=would.done)]
        named += [sentence("title {title}", title=code(action.title))] if action.title else []
        named += [sentence("labels {labels}", labels=", ".join(action.labels))] if action.labels else []
        caption = join([*named, action.reason or None], sep=", ")
        shown.append(copyable(action.body, caption=caption) if action.body else note(caption))
    shown += [note(sentence("Left out: {what}.", what=what)) for what in plan.left_out]
    return stack(*shown)


def _done(one: Applied) -> Block:
    what = sentence("**{done}**: {kind} on {target}", done=one.done, kind=one.action.kind, target=one.action.target)
    return note(join([what, link("on GitHub", one.url) if one.url else None, one.besides or None], sep=", "))
