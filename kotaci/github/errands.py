"""The errands: each kind of want with what looks for it in the store and what asks GitHub for it.

`prepare` runs in the thread that writes the store and says what is lacking (None: nothing); `fetch` runs in any
thread and returns what to write, the want being met in the same batch. An error leaves the want as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kotaci.github import commits, joblogs, reports, runs
from kotaci.github.place import Place
from kotaci.store import Batch, Store, Want


@dataclass(frozen=True)
class Errand:
    """How one kind of want is fetched, and what a person calls it."""

    name: str
    prepare: Callable[[Store, Place, Want], Any]
    fetch: Callable[[Place, Want, Any], Batch]


ERRANDS = {
    "run": Errand("runs", runs.held_of_run, runs.fetch_run),
    "log": Errand("logs", joblogs.lacks_log, joblogs.fetch_log),
    "late log": Errand("logs", joblogs.lacks_log, joblogs.fetch_log),
    "annotations": Errand("annotations", joblogs.lacks_annotations, joblogs.fetch_annotations),
    "report": Errand("reports", reports.attempt_of, reports.fetch_report),
    "commit": Errand("commits", commits.lacks_commit, commits.fetch_commit),
    "tree": Errand("workflow files", commits.lacks_tree, commits.fetch_tree),
    "zip": Errand("logs of green jobs", joblogs.jobs_without_log, joblogs.fetch_zip),
}
"""Each kind of want, by the word under which it stands in the to-do list."""
