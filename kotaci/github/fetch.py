"""From GitHub to the store: first the lists, then the to-do list that they leave, errand by errand, within a budget.

What is still to be fetched is itself kept in the store, so a fetch that was stopped, killed or refused goes on where
it was. Threads only ask GitHub; this one alone reads and writes the store.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Literal, get_args

from kotaci.github.client import MAX_CLOCK_S, Client, Forbidden, Reply, Unreachable
from kotaci.github.errands import ERRANDS
from kotaci.github.lists import Reading, fetch_repository, read_lists
from kotaci.github.pace import BudgetSpent, LimitSpent, Stopped
from kotaci.github.place import Place
from kotaci.github.slices import FIRST_RUNS
from kotaci.model import BadInput, Incomplete, KotaciError, Repo, Window
from kotaci.store import Batch, Payload, Store, Want

logger = logging.getLogger(__name__)

WhichLogs = Literal["all", "failed", "none"]
WHICH_LOGS: tuple[WhichLogs, ...] = get_args(WhichLogs)

PHASES: tuple[tuple[tuple[str, ...], WhichLogs], ...] = (
    (("run",), "none"),
    (("log",), "failed"),
    (("annotations",), "none"),
    (("report",), "none"),
    (("commit",), "none"),
    (("tree",), "none"),
    (("zip",), "all"),
    (("log",), "all"),
)
"""What is fetched after what, and the least of `logs` for which it is: red before green, newest first in each."""

N_CONNECTIONS = 8
"""At 80 ms an answer, two fill the points that GitHub gives; the others wait for downloads, which cost none."""

MAX_FAILURES = 20
"""After so many errands in a row without an answer GitHub is down."""


@dataclass(frozen=True)
class Progress:
    """How far a fetch is: what it does, how many are done and left, of other kinds too, and requests that counted."""

    what: str
    n_done: int
    n_left: int
    n_others: int
    n_requests: int
    seconds: float


@dataclass
class Fetched:
    """What a fetch did: things that are new, requests that counted, what is left by kind, and why it ended early."""

    repo: str
    n_changed: int = 0
    n_requests: int = 0
    n_redacted: int = 0
    left: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    stopped: Incomplete | None = None

    @property
    def is_complete(self) -> bool:
        """Tell whether everything that was asked for is in the store."""
        return self.stopped is None and not self.notes and not sum(self.left.values())


OnProgress = Callable[[Progress], None]


def _open_repository(store: Store, client: Client, repo: Repo) -> tuple[str, Reply]:
    """Return the repository's name as it is now, and GitHub's answer for it; a rename moves what is held.

    Raises Refused, BadInput (no API, a clock that is off) and Unreachable; then nothing was changed.
    """
    began = client.clock.utc()
    reply = fetch_repository(client, repo, store=store)
    off_s = (client.pace.server_now() - began).total_seconds()
    if abs(off_s) > MAX_CLOCK_S:
        raise BadInput(
            f"{began:%Y-%m-%d %H:%M} UTC",
            f"the clock of this machine is {'behind' if off_s > 0 else 'ahead of'} GitHub's by {_length(abs(off_s))}",
            "set it right: links to logs live for a minute",
        )
    name = str(Repo.parse(reply.body["html_url"]))
    held = store.repo_of_id(int(reply.body["id"]))
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
    commits: Iterable[Payload] = (),
    on_progress: OnProgress = lambda _: None,
    n_connections: int = N_CONNECTIONS,
) -> Fetched:
    """Bring what GitHub has of the repository since then into the store; what is there is not asked for again.

    `commits` are payloads of a clone (`archives.git.read_clone`), which save the requests for commits and workflow
    files. Ends early, with everything so far kept, for a budget, a limit, a stop or a GitHub that does not answer:
    `stopped` says why. Raises Refused and BadInput where nothing can be fetched, StoreFull for a full disk.
    """
    folder = store.path / "downloads"
    with store.lock("fetch", wait_s=1):
        shutil.rmtree(folder, ignore_errors=True)
        name, reply = _open_repository(store, client, repo)
        fetching = _Fetching(store, Place(name, client, folder, asked={reply.url}), on_progress, n_connections)
        now = client.pace.server_now()
        first = max(first_day(since, now=now), date.fromisoformat(reply.body["created_at"][:10]), FIRST_RUNS)
        try:
            itself = Batch(name, "api", [Payload("repo", "repo", reply.body)], answers=[reply.answer()])
            fetching.fetch_lists(first, known=[itself, Batch(name, "git", list(commits))])
            fetching.place.commits = store.payload_keys(name, "commit") | _gone_commits(store, name)
            for kinds, least in PHASES:
                if WHICH_LOGS.index(logs) <= WHICH_LOGS.index(least):
                    fetching.fetch_wants(kinds, since=first)
                if kinds == ("run",):
                    fetching.settle(now)
                    store.keep_answers(name, fetching.place.asked)
        except (BudgetSpent, LimitSpent, Stopped, Unreachable) as stopped:
            fetching.done.stopped = stopped
        except KeyboardInterrupt:
            fetching.done.stopped = Stopped("fetch", "was stopped", "run it again to go on")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    fetching.done.n_requests = client.pace.n_counted
    fetching.done.left = wanted(store, name, logs=logs, since=first)
    return fetching.done


def _gone_commits(store: Store, repo: str) -> set[str]:
    """Return the commits of which GitHub said that it does not know them."""
    return {key.split("/")[1] for key in store.payload_keys(repo, "gone") if key.startswith("commit/")}


def first_day(since: str, *, now: datetime) -> date:
    """Return the day of a word like `90d`, `2026-11-01` or `all`. Raises BadInput."""
    window = Window.parse(since=since, as_of=now)
    return date.min if window.since is None else window.since.date()


def wanted(store: Store, repo: str, *, logs: WhichLogs, since: date) -> dict[str, int]:
    """Return how many errands of each kind are left since that day, of those that `logs` asks for."""
    counts = store.n_wants(repo, since=datetime.combine(since, time.min, UTC))
    kinds = {kind for kinds, least in PHASES if WHICH_LOGS.index(logs) <= WHICH_LOGS.index(least) for kind in kinds}
    return {kind: n for kind, n in counts.items() if kind in kinds and n}


@dataclass
class _Fetching:
    """One fetch under way."""

    store: Store
    place: Place
    on_progress: OnProgress
    n_connections: int
    done: Fetched = field(init=False)
    _began: float = field(init=False)
    _n_failed: int = 0

    def __post_init__(self) -> None:
        self.done = Fetched(self.place.repo)
        self._began = self.place.client.clock.monotonic()

    def write(self, batches: Iterable[Batch]) -> None:
        """Write the batches; when this returns they are safe."""
        before = (self.done.n_changed, self.done.n_redacted)
        for written in self.store.write(batches):
            self.done.n_changed = before[0] + written.n_changed
            self.done.n_redacted = before[1] + written.n_redacted

    def fetch_lists(self, since: date, *, known: Sequence[Batch]) -> None:
        """Write what is known and what lists tell; nothing where the first list is refused."""
        reading = Reading(self.store, self.place, since, notes=self.done.notes)
        for n_pages, batch in enumerate(read_lists(reading), start=1):
            self.write([*known, batch] if n_pages == 1 else [batch])
            self._tell("lists", n_pages, 0, 0)

    def settle(self, now: datetime) -> None:
        """Note until when the history is known, once every run that was listed is held."""
        if not self.store.n_wants(self.place.repo).get("run"):
            body = {"as_of": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}
            self.write([Batch(self.place.repo, "api", [Payload("fetched", "state", body)])])

    def fetch_wants(self, kinds: Sequence[str], *, since: date) -> None:
        """Fetch the wants of these kinds since that day, and write each when it is there."""
        counts = self.store.n_wants(self.place.repo)
        mine, others = (sum(n for kind, n in counts.items() if (kind in kinds) == is_mine) for is_mine in (True, False))
        if not mine:
            return
        errand, is_serial = ERRANDS[kinds[0]], kinds == ("tree",)
        wants = self._wants(kinds, since)
        if is_serial:
            # A commit's workflow files are those of its parent where it changed none: the oldest first, one by one.
            wants = reversed(list(wants))
        n_threads = 1 if is_serial else self.n_connections
        running: set[Future[Batch]] = set()
        n_done = self._n_failed = 0
        with ThreadPoolExecutor(n_threads, thread_name_prefix="kotaci") as pool:
            try:
                for want in wants:
                    prepared = errand.prepare(self.store, self.place, want)
                    if prepared is None:
                        self.write([Batch(self.place.repo, "api", met=[(want.kind, want.key)])])
                        n_done += 1
                        continue
                    running.add(pool.submit(errand.fetch, self.place, want, prepared))
                    if len(running) >= (1 if is_serial else 2 * n_threads):
                        n_done += self._take_some(running, n_threads)
                        self._tell(errand.name, n_done, mine - n_done, others)
                while running:
                    n_done += self._take_some(running, n_threads)
                    self._tell(errand.name, n_done, mine - n_done, others)
            except Forbidden as problem:
                self._abandon(running)
                self.done.notes.append(str(problem))
            except BaseException as problem:
                if isinstance(problem, KeyboardInterrupt):
                    self.place.client.clock.stop.set()
                self._abandon(running)
                raise

    def _take_some(self, running: set[Future[Batch]], least: int) -> int:
        """Write what was fetched once that many have ended, so that a commit is worth its wait for the disk."""
        ended = set[Future[Batch]]()
        while len(ended) < min(least, len(running)):
            ended |= wait(running - ended, return_when=FIRST_COMPLETED).done
        running -= ended
        return self._take(ended)

    def _take(self, ended: Iterable[Future[Batch]]) -> int:
        """Write what was fetched and return how many that were; then raise the first error that ends the fetch."""
        batches, errors = list[Batch](), list[BaseException]()
        for future in ended:
            error = future.exception()
            if error is None:
                batches.append(future.result())
                self._n_failed = 0
            elif isinstance(error, Unreachable) and self._n_failed < MAX_FAILURES:
                # Left in the to-do list: one that GitHub cannot answer must not hold up the others.
                self._n_failed += 1
                logger.warning("left for later", extra={"problem": str(error)})
            else:
                errors.append(error)
        self.write(batches)
        for batch in batches:
            for log in batch.logs:
                if isinstance(log.body, Path):
                    log.body.unlink(missing_ok=True)
        if errors:
            raise errors[0]
        return len(batches)

    def _abandon(self, running: set[Future[Batch]]) -> None:
        """Send nothing more, wait for what is under way, and keep it."""
        for future in running:
            future.cancel()
        ended = [future for future in wait(running).done if not future.cancelled()]
        with contextlib.suppress(KotaciError):
            self._take(ended)

    def _wants(self, kinds: Sequence[str], since: date) -> Iterator[Want]:
        last: Want | None = None
        while wants := self.store.wants(self.place.repo, kinds, limit=256, after=last):
            last = wants[-1]
            for want in wants:
                if want.at is not None and want.at.date() < since:
                    return
                yield want

    def _tell(self, what: str, n_done: int, n_left: int, n_others: int) -> None:
        client = self.place.client
        seconds = client.clock.monotonic() - self._began
        self.on_progress(Progress(what, n_done, max(0, n_left), n_others, client.pace.n_counted, seconds))


def _length(seconds: float) -> str:
    minutes = round(seconds / 60)
    return (
        f"{minutes} minutes"
        if minutes < 120
        else f"{minutes / 60:.0f} hours"
        if minutes < 2880
        else f"{minutes / 1440:.0f} days"
    )
