"""What makes a notebook come alive in JupyterLab: pick, fetch, look into failures and logs, try changes.

The only room with ipywidgets. Everything that a widget shows stands in a report too, so that nothing needs this room
in batch; where ipywidgets is not installed a sentence says so in its place.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from kotaci.config import Config
from kotaci.facts import History
from kotaci.report.blocks import Block, note
from kotaci.report.inline import code, sentence

if TYPE_CHECKING:
    from kotaci.analysis.timing import Network

__all__ = ["actions", "desk", "explorer", "what_if"]


def desk(*, store: str, repo: str, since: str, until: str, config: str, shows: str = "failure_triage") -> Any:
    """Return dropdowns for repository, workflow, branch and window, and a panel to fetch; with what the notebook
    `shows` for that choice below them. The words are the parameters of a notebook."""
    if _is_missing():
        return _how_to_get_it()
    from kotaci.lab.picking import Desk

    return Desk(store=store, repo=repo, since=since, until=until, config=config, shows=shows)


def explorer(of: Any) -> Any:
    """Return the failures of what is chosen at a desk, to sort, filter and read, each with its log."""
    if _is_missing():
        return _how_to_get_it()
    from kotaci.lab.exploring import Explorer

    found = Explorer()
    of.tell(found.show)
    return found


def actions(of: Any) -> Any:
    """Return what writes to GitHub about what is chosen at a desk: a preview first, then a tick, then a button."""
    if _is_missing():
        return _how_to_get_it()
    from kotaci.lab.applying import Apply

    found = Apply()
    of.tell(found.show)
    return found


def what_if(network: Network, history: History, settings: Config) -> Any:
    """Return sliders for one change of a workflow, and what it would have made of every recorded run."""
    if _is_missing():
        return _how_to_get_it()
    from kotaci.lab.trying import WhatIf

    return WhatIf(network, history, prices=settings.prices.per_minute)


def _is_missing() -> bool:
    return find_spec("ipywidgets") is None


def _how_to_get_it() -> Block:
    return note(sentence("Widgets need ipywidgets: {command}.", command=code("pip install 'kotaci[lab]'")))
