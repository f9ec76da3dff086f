"""A plan to GitHub, once. Whatever happens half-way, applied again it goes on and writes nothing twice.

Before anything is written, every action is looked at; where one cannot be done, none is. Before each write the marker
is looked for; a write that got no answer is looked up before it is sent again; after something was made it is looked
for once more, and of two that were made at once the older stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from kotaci.actions.comments import CommentWriter
from kotaci.actions.held import Held
from kotaci.actions.issues import IssueWriter
from kotaci.actions.model import COMMENT_KINDS, ISSUE_KINDS, Action, Plan
from kotaci.actions.place import Place
from kotaci.actions.pulls import PullWriter
from kotaci.actions.reruns import RerunWriter
from kotaci.actions.writer import Applied, Writer
from kotaci.github import Client
from kotaci.model import BadInput, Repo
from kotaci.report.folder import digest_of_findings


class CannotApply(BadInput):
    """Some actions cannot be done, so none was: `refusals` has a sentence for each."""

    def __init__(self, refusals: Sequence[BadInput]) -> None:
        self.refusals = tuple(refusals)
        first = refusals[0]
        super().__init__(first.value, first.problem, f"{first.hint}; nothing was written")


def fetch_held(client: Client, repo: Repo) -> Held:
    """Return what the repository holds: every issue with a section of ours, open or closed, and its labels."""
    return Place.open(client, repo).held()


def apply_plan(
    plan: Plan, *, client: Client, is_dry: bool = False, on_done: Callable[[Applied], None] | None = None
) -> list[Applied]:
    """Do what the plan says, in order, and return what became of each action; `is_dry` only looks.

    `on_done` is told of each as soon as it is done.

    Raises CannotApply before any write where one action cannot be done, BadInput where the findings are newer than
    the plan, Refused where the token may not, and Incomplete where GitHub did not answer: apply it again then.
    """
    now = digest_of_findings(Path(plan.report)) if plan.report else ""
    if now and now != plan.digest:
        raise BadInput(plan.report, "has other findings than those that the plan was made from", "make the plan again")
    place = Place.open(client, Repo.parse(plan.repo))
    writers = [_writer(place, action) for action in plan.actions]
    refusals = [refusal for writer in writers if (refusal := _refusal(writer)) is not None]
    if refusals:
        raise CannotApply(refusals)
    if is_dry:
        return [Applied(writer.action, writer.expected(), writer.url()) for writer in writers]
    done = []
    for writer in writers:
        done.append(writer.write())
        if on_done is not None:
            on_done(done[-1])
    return done


def _refusal(writer: Writer) -> BadInput | None:
    try:
        writer.check()
    except BadInput as refusal:
        return refusal
    return None


def _writer(place: Place, action: Action) -> Writer:
    if action.kind in ISSUE_KINDS:
        return IssueWriter(place, action)
    if action.change is not None:
        return PullWriter(place, action, action.change)
    return CommentWriter(place, action) if action.kind in COMMENT_KINDS else RerunWriter(place, action)
