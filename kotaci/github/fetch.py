"""From GitHub to the store: first the lists, then the to-do list that they leave, errand by errand, within a budget.

What is still to be fetched is itself kept in the store, so a fetch that was stopped, killed or refused goes on where
it was. Threads only ask GitHub; this one alone reads and writes the store.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from itertools import islice
from typing import Literal, get_args

from kotaci.github.client import MAX_CLOCK_S, Client, Reply, Unreachable
from kotaci.github.fetching import N_CONNECTIONS, Fetched, Fetching, OnProgress, left_over, midnight
from kotaci.github.lists import Reading, fetch_repository, read_artifacts, read_runs, read_settings
from kotaci.github.pace import BudgetSpent, LimitSpent, Stopped
from kotaci.github.place import Place, started
from kotaci.github.runs import run_want
from kotaci.github.slices import FIRST_RUNS
from kotaci.model import BadInput, Repo, RunRef, Window
from kotaci.store import Batch, Payload, Store

WhichLogs = Literal["all", "failed", "none"]
WHICH_LOGS: tuple[WhichLogs, ...] = get_args(WhichLogs)

PHASES: tuple[tuple[str, WhichLogs], ...] = (
    ("log", "failed"),
    ("annotations", "none"),
    ("commit", "none"),
    ("tree", "none"),
    ("report", "none"),
    ("zip", "all"),
    ("log", "all"),
)
"""What is fetched after the runs, and the least of `logs` for which it is: red before green, newest first in each."""

RUNS_AT_A_TIME = 100
"""After so many runs their red logs are fetched, so that a small budget is worth something."""


def _open_repository(store: Store, client: Client, repo: Repo) -> tuple[str, Reply]:
    """Return the repository's name as it is now, and GitHub's answer for it; a rename moves what is held.

    Raises Refused, BadInput (no API, a clock that is off) and Unreachable; then nothing was changed.
    """
    reply = fetch_repository(client, repo, store=store)
    here = client.clock.utc()
    off_s = (client.pace.server_now() - here).total_seconds()
    if abs(off_s) > MAX_CLOCK_S:
        raise BadInput(
            f"{here:%Y-%m-%d %H:%M} UTC",
            f"the clock of this machine is {'behind' if off_s > 0 else 'ahead of'} GitHub's by {_length(abs(off_s))}",
            "set it right: links to logs live for a minute",
        )
    name = str(Repo.parse(reply.body["html_url"]))
    github_id = int(reply.body["id"])
    known = store.payload(name, "repo", "repo")
    if known is not None and known.get("id", github_id) != github_id:
        problem = "is another repository than the one that the store holds under that name"
        raise BadInput(name, problem, "name another folder with --store")
    held = store.repo_of_id(github_id, host=Repo.parse(name).host)
    if held is not None and held.lower() != name.lower():
        store.rename(held, name)
    return name, reply


def fetch(
    store: Store,
    repo: Repo,
    *,
    client: Client,
    since: str = "90d",
    logs: WhichLogs = "all",
    commits: Sequence[Payload] = (),
    on_progress: OnProgress = lambda _: None,
    n_connections: int = N_CONNECTIONS,
) -> Fetched:
    """Bring what GitHub has of the repository since then into the store; what is there is not asked for again.

    `commits` are payloads of a clone (`archives.git.read_clone`), which save the requests for commits and workflow
    files. Ends early, with everything so far kept, for a budget, a limit, a stop or a GitHub that does not answer:
    `stopped` says why. Raises Refused and BadInput where nothing can be fetched, StoreFull for a full disk.
    """
    with _opened(store, repo, client, on_progress, n_connections) as (fetching, reply):
        name = fetching.place.repo
        now = client.pace.server_now()
        first = max(first_day(since, now=now), date.fromisoformat(reply.body["created_at"][:10]), FIRST_RUNS)
        itself = Batch(name, "api", [Payload("repo", "repo", reply.body)], answers=[reply.answer()])
        reading = Reading(store, fetching.place, first, notes=fetching.done.notes)
        with _until_stopped(fetching):
            fetching.fetch_lists(read_runs(reading), known=[itself, Batch(name, "git", commits)])
            is_listed = not reading.notes
            fetching.place.commits = store.payload_keys(name, "commit") | _gone_commits(store, name)
            kinds = _kinds(logs)
            if "log" in kinds:
                fetching.fetch_wants("late log", fetching.wants("late log", since=first))
            runs = fetching.wants("run", since=first)
            while newest := list(islice(runs, RUNS_AT_A_TIME)):
                fetching.fetch_wants("run", newest)
                for kind in ("log", "annotations"):
                    if kind in kinds:
                        fetching.fetch_wants(kind, fetching.wants(kind, since=first))
            fetching.fetch_wants("run", fetching.long_waited(before=first))
            if is_listed:
                fetching.settle(now, since=first)
            fetching.fetch_lists(read_settings(reading))
            for kind in kinds:
                if kind == "report":
                    fetching.fetch_lists(read_artifacts(reading))
                    store.keep_answers(name, fetching.place.asked)
                fetching.fetch_wants(kind, fetching.wants(kind, since=first))
    fetching.done.left = wanted(store, name, logs=logs, since=first)
    return fetching.done


def fetch_run_with_green(
    store: Store, repo: Repo, run: RunRef, *, client: Client, on_progress: OnProgress = lambda _: None
) -> Fetched:
    """Bring one run with its red logs into the store, and the last green run of its workflow before it.

    That is the one to compare with: of the same branch, else of the default branch. Raises Refused and BadInput, also
    for a run that GitHub does not know.
    """
    with _opened(store, repo, client, on_progress, N_CONNECTIONS) as (fetching, reply), _until_stopped(fetching):
        path = fetching.place.path
        told = client.get(f"{path}/actions/runs/{run.run_id}")
        if told.status != 200:
            problem = f"is no run of {fetching.place.repo} that this token sees ({told.status})"
            raise BadInput(run.run_id, problem, "check its address, and the token's rights")
        fetching.write([Batch(fetching.place.repo, "api", [Payload("repo", "repo", reply.body)])])
        fetching.place.commits = store.payload_keys(fetching.place.repo, "commit")
        _fetch_whole(fetching, told.body, kinds=("log", "annotations", "commit", "tree"))
        for branch in dict.fromkeys((told.body.get("head_branch") or "", reply.body["default_branch"])):
            green = client.get(
                f"{path}/actions/workflows/{told.body['workflow_id']}/runs",
                parameters={
                    "branch": branch,
                    "status": "success",
                    "created": f"<{told.body['created_at']}",
                    "per_page": 1,
                },
            )
            if branch and green.status == 200 and green.body["workflow_runs"]:
                _fetch_whole(fetching, green.body["workflow_runs"][0], kinds=("zip", "log", "commit"))
                break
    return fetching.done


def _fetch_whole(fetching: Fetching, listed: dict[str, object], *, kinds: Sequence[str]) -> None:
    """Fetch a run that GitHub told of, and what it leads to of these kinds."""
    want = run_want(listed)
    fetching.write([Batch(fetching.place.repo, "api", wants=[want])])
    fetching.fetch_wants("run", [want])
    began = started(listed)
    since = began.date() if began else date.min
    for kind in kinds:
        mine = {want.key, str(listed.get("head_sha"))}
        of_run = [one for one in fetching.wants(kind, since=since) if one.key.partition("/")[0] in mine]
        fetching.fetch_wants(kind, of_run)


@contextmanager
def _opened(
    store: Store, repo: Repo, client: Client, on_progress: OnProgress, n_connections: int
) -> Iterator[tuple[Fetching, Reply]]:
    """Lock the store and yield a fetch of the repository with GitHub's answer for it; tell at the end what it left."""
    folder = store.path / "downloads"
    with store.lock("fetch", wait_s=1):
        shutil.rmtree(folder, ignore_errors=True)
        name, reply = _open_repository(store, client, repo)
        place = Place(name, client, folder, int(reply.body["id"]), asked={reply.url})
        fetching = Fetching(store, place, on_progress, n_connections)
        try:
            yield fetching, reply
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    fetching.done.notes += [left_over(kind, problem) for kind, problem in fetching.problems.items()]
    fetching.done.n_requests = client.pace.n_counted


@contextmanager
def _until_stopped(fetching: Fetching) -> Iterator[None]:
    """Note what ends a fetch early; everything so far is kept."""
    try:
        yield
    except (BudgetSpent, LimitSpent, Stopped, Unreachable) as stopped:
        fetching.done.stopped = stopped
    except KeyboardInterrupt:
        fetching.done.stopped = Stopped("fetch", "was stopped", "run it again to go on")


def _gone_commits(store: Store, repo: str) -> set[str]:
    """Return the commits of which GitHub said that it does not know them."""
    return {key.split("/")[1] for key in store.payload_keys(repo, "gone") if key.startswith("commit/")}


def first_day(since: str, *, now: datetime) -> date:
    """Return the day of a word like `90d`, `2026-11-01` or `all`. Raises BadInput, also for one that lies ahead."""
    window = Window.parse(since=since, as_of=now)
    if window.since is not None and window.since > now:
        raise BadInput(since, "lies in the future", "name a day that has been, or a length back such as 30d")
    return date.min if window.since is None else window.since.date()


def wanted(store: Store, repo: str, *, logs: WhichLogs, since: date) -> dict[str, int]:
    """Return how many errands of each kind are left since that day, of those that `logs` asks for."""
    counts = store.n_wants(repo, since=midnight(since))
    return {kind: n for kind, n in counts.items() if kind in {"run", *_kinds(logs)} and n}


def _kinds(logs: WhichLogs) -> list[str]:
    return [kind for kind, least in PHASES if WHICH_LOGS.index(logs) <= WHICH_LOGS.index(least)]


def _length(seconds: float) -> str:
    minutes = round(seconds / 60)
    return (
        f"{minutes} minutes"
        if minutes < 120
        else f"{minutes / 60:.0f} hours"
        if minutes < 2880
        else f"{minutes / 1440:.0f} days"
    )
