"""A panel that fetches from GitHub in a thread: what, since when, how far it is, and a button to stop it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import ipywidgets

from kotaci.facts import build_facts
from kotaci.lab.panels import LABEL, WIDE, Panel, button, column, row, saying
from kotaci.model import Repo
from kotaci.places import ENVIRONMENT
from kotaci.sample import is_sample
from kotaci.store import Store

if TYPE_CHECKING:  # PyGithub takes half a second to import
    from kotaci.github import Client, Fetched, Progress

SINCE = ["7d", "30d", "90d", "180d", "all"]


def ask_github(repo: Repo, stop: threading.Event) -> Client:
    """Return the client for a repository's host, with the token of the environment; it ends once `stop` is set."""
    from kotaci.github import Clock, open_client_of

    clock = Clock(time.monotonic, stop.wait, lambda: datetime.now(UTC), stop)
    return open_client_of(repo, environment=ENVIRONMENT, clock=clock)


class FetchPanel(Panel):
    """Brings a repository into the store; `on_done` is told its name when something new is there.

    The token is that of the environment, or of `gh auth login`; there is no field for one, since what is typed into a
    notebook is kept in it.
    """

    def __init__(
        self,
        store: Store,
        *,
        repo: str,
        on_done: Callable[[str], None],
        open_client: Callable[[Repo, threading.Event], Client] = ask_github,
    ) -> None:
        super().__init__()
        self._store, self._on_done, self._open_client = store, on_done, open_client
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.repo = ipywidgets.Text(description="Fetch", value=repo, placeholder="owner/name", style=LABEL)
        self.since = ipywidgets.Dropdown(description="Fetch since", options=SINCE, value="30d", style=LABEL)
        self.logs = ipywidgets.Dropdown(description="Logs of", options=["failed", "all", "none"], style=LABEL)
        self.start = button(description="Fetch from GitHub")
        self.cancel = button(description="Cancel", disabled=True)
        self.bar = ipywidgets.IntProgress(
            description="Fetched", min=0, max=1, style=LABEL, layout={**WIDE, "display": "none"}
        )
        self.on_click(self.start, self.fetch)
        self.on_click(self.cancel, self._cancel)
        if is_sample(store):
            self.start.disabled = True
            self.said.value = saying(
                "This is the bundled sample, into which nothing is fetched: start `kotaci lab --store FOLDER` for more."
            )
        self.widget = column(row(self.repo, self.since, self.logs, self.start, self.cancel), self.bar, self.said)

    def fetch(self) -> None:
        """Begin to fetch, in a thread. Raises BadInput for a word that is no repository."""
        repo = Repo.parse(self.repo.value)
        self._stop = threading.Event()
        self.start.disabled, self.cancel.disabled = True, False
        self.bar.value, self.bar.max, self.bar.layout.display = 0, 1, None
        self.said.value = saying(f"Asking for {repo} …")
        self._thread = threading.Thread(target=self._work, args=(repo, self._stop), name="kotaci-lab", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return when the fetch under way, if any, has ended."""
        if self._thread is not None:
            self._thread.join()

    def _cancel(self) -> None:
        self._stop.set()
        self.cancel.disabled = True
        self.said.value = saying("Stopping; what is under way is kept …")

    def _work(self, repo: Repo, stop: threading.Event) -> None:
        try:
            with self.problems_told():
                self._fetch(repo, stop)
        finally:
            self._store.close()  # this thread's connections
            self.start.disabled, self.cancel.disabled = False, True
            self.bar.layout.display = "none"

    def _fetch(self, repo: Repo, stop: threading.Event) -> None:
        from kotaci.github import fetch

        client = self._open_client(repo, stop)
        done = fetch(
            self._store, repo, client=client, since=self.since.value, logs=self.logs.value, on_progress=self._progress
        )
        if done.n_changed:
            self.said.value = saying("Building tables …")
            build_facts(self._store)
            self._on_done(done.repo)
        self.said.value = saying(_told(done), is_problem=bool(done.notes))

    def _progress(self, now: Progress) -> None:
        if not self._stop.is_set():
            left = f", {now.n_left:,} left" if now.n_left else ""
            self.said.value = saying(f"{now.what}: {now.n_done:,} done{left}; {now.n_requests:,} requests.")
        self.bar.max = max(1, now.n_done + now.n_left)
        self.bar.value = now.n_done


def _told(done: Fetched) -> str:
    what = f"{done.n_changed:,} new things" if done.n_changed else "nothing new"
    ends = [str(one) for one in (*done.notes, done.stopped) if one is not None]
    left = sum(done.left.values())
    rest = [f"{left:,} are still to fetch"] if left else []
    return "; ".join([f"{done.repo}: {what}, {done.n_requests:,} requests", *ends, *rest]) + "."
