"""The hand-off as one comment on an issue, renewed in place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from kotaci.actions.fitting import CONTENT_BUDGET
from kotaci.actions.identity import Marker, to_section
from kotaci.actions.model import Action, Kind, Plan
from kotaci.model import BadInput, Repo
from kotaci.report import markdown as md
from kotaci.report import words

MOST_TAGS = 10
"""GitHub tells nobody where a comment names more than 50; this many can be meant."""

_NAME = re.compile(r"@[A-Za-z0-9][A-Za-z0-9-]{0,38}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,99})?")


def plan_handoff(
    page: str, *, repo: Repo, issue: int, as_of: datetime | None, note: str = "", tags: Sequence[str] = ()
) -> Plan:
    """Return the plan for the one comment on an issue that hands CI over; `note` is its line of history, plain text.

    `page` is Markdown of ours that notifies nobody. Only `tags` do, the names that a person gave: @user or @org/team.
    Raises BadInput for a name of another form, too many of them, or data of no moment.
    """
    if as_of is None:
        raise BadInput(repo, "has nothing stored to hand over", "fetch or import it first")
    check_tags(tags)
    marker = Marker("hand-off", f"hand-off:{issue}", exemplar=str(repo), as_of=words.moment(as_of))
    content = "\n\n".join(filter(None, [f"cc {' '.join(tags)}" if tags else "", md.cut(page, CONTENT_BUDGET)]))
    action = Action(
        id=f"{Kind.HAND_OFF}:{issue}",
        kind=Kind.HAND_OFF,
        repo=str(repo),
        number=issue,
        body=to_section(marker, content, note=note),
        marker=marker.line(),
        reason=f"asked for, notifies {', '.join(tags) or 'nobody'}",
    )
    return Plan(str(repo), marker.as_of, "", "", (action,))


def check_tags(tags: Sequence[str]) -> None:
    """Raise BadInput where one is no name on GitHub, or there are too many."""
    for tag in tags:
        if not _NAME.fullmatch(tag):
            raise BadInput(tag, "is no name on GitHub", "write @user or @org/team")
    if len(tags) > MOST_TAGS:
        raise BadInput(f"{len(tags)} names", f"are more than {MOST_TAGS}", "tag a team")
