"""What every kind of write has in common: look, say what would be done, do it unless it is done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from kotaci.actions.identity import END, Marker, find_sections, parse_marker
from kotaci.actions.model import Action, Kind
from kotaci.actions.place import Place
from kotaci.model import BadInput, Repo, run_url
from kotaci.report import markdown as md

NOTHING = "nothing to do"


@dataclass(frozen=True)
class Applied:
    """What became of an action: `done` is a word (created, updated, closed, ... or nothing to do), `url` where it is.

    `besides` says what else was put in order, such as a double that another run had made at the same time.
    """

    action: Action
    done: str
    url: str = ""
    besides: str = ""


@dataclass
class Writer(ABC):
    place: Place
    action: Action

    @abstractmethod
    def check(self) -> None:
        """Raise BadInput where this cannot be done; nothing is written."""

    @abstractmethod
    def expected(self) -> str:
        """Return what would be done."""

    @abstractmethod
    def write(self) -> Applied:
        """Do it, unless it is done."""

    def url(self) -> str:
        """Return where it is or will be."""
        return web_address(self.place.repo, self.action)

    @property
    def marker(self) -> Marker:
        """Return the marker of the action."""
        marker = parse_marker(self.action.marker)
        if marker is None:
            raise BadInput(self.action.marker, "is no marker", "make the plan again")
        return marker


def check_body(body: str) -> None:
    """Raise BadInput for a body that GitHub would not take, or that is not one whole section."""
    if len(body) > md.COMMENT_BUDGET:
        told = f"is longer than the {md.COMMENT_BUDGET:,} that GitHub takes"
        raise BadInput(f"a body of {len(body):,} characters", told, "make the plan again")
    if len(find_sections(body)) != 1 or not body.endswith(END):
        raise BadInput(body[:60], "is not one whole section", "make the plan again")


def plain(value: object) -> object:
    """Return a text as GitHub keeps it: with its own line ends, and none at the end."""
    return value.replace("\r\n", "\n").strip() if isinstance(value, str) else value


def web_address(repo: Repo, action: Action) -> str:
    """Return where an action's target is in the browser; empty for what is not there yet."""
    if action.kind == Kind.RERUN_FAILED:
        return run_url(str(repo), action.run_id)
    if action.kind == Kind.COMMENT_COMMIT:
        return f"{_home(repo)}/commit/{action.sha}"
    return issue_url(repo, action.number) if action.number else ""


def issue_url(repo: Repo, number: int) -> str:
    """Return the address of an issue."""
    return f"{_home(repo)}/issues/{number}"


def _home(repo: Repo) -> str:
    return f"https://{repo.host}/{repo.owner}/{repo.name}"
