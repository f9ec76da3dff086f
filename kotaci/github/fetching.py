"""One fetch under way: errands in threads that only ask GitHub, written by the one thread that reads the store."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path

from kotaci.github.client import Forbidden, Refused, Undownloadable, Unreachable
from kotaci.github.errands import ERRANDS
from kotaci.github.place import Place
from kotaci.model import Incomplete, KotaciError
from kotaci.store import Batch, Payload, Store, Want

logger = logging.getLogger(__name__)

N_CONNECTIONS = 8
"""At 80 ms an answer, two fill the points that GitHub gives; the others wait for downloads, which cost none."""

MAX_FAILURES = 20
"""After so many errands in a row without an answer GitHub is down."""

MAX_FORBIDDEN = 3
"""After so many refusals in a row the token may not read that kind of thing; one alone may be refused for itself."""


_DOWNLOADS = {"log", "late log", "zip", "report"}
"""Kinds that come from the host of logs and artifacts."""

_ODD = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What an answer that nobody expected leads to."""


class _Denied(Exception):
    """A kind of thing that is not to be had; its cause says why, and is told."""


@dataclass(frozen=True)
class Progress:
    """How far a fetch is: what it does now, errands done and left as far as they are known, requests that counted."""

    what: str
    n_done: int
    n_left: int
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
    notes: list[KotaciError] = field(default_factory=list)
    stopped: Incomplete | None = None

    @property
    def is_complete(self) -> bool:
        """Tell whether everything that was asked for is in the store."""
        return self.stopped is None and not self.notes and not sum(self.left.values())

    @property
    def is_refused(self) -> bool:
        """Tell whether this token may not read a part of what was asked for: running it again does not help."""
        return any(isinstance(note, Refused) for note in self.notes)


OnProgress = Callable[[Progress], None]


@dataclass
class Fetching:
    """One fetch under way."""

    store: Store
    place: Place
    on_progress: OnProgress
    n_connections: int
    done: Fetched = field(init=False)
    _began: float = field(init=False)
    _n_done: int = 0
    _n_failed: Counter[type[BaseException]] = field(default_factory=Counter)
    _has_worked: set[str] = field(default_factory=set)
    _failed: set[tuple[str, str]] = field(default_factory=set)
    _denied: set[str] = field(default_factory=set)
    problems: dict[str, BaseException] = field(default_factory=dict)
    """What was left for later last, by kind"""

    def __post_init__(self) -> None:
        self.done = Fetched(self.place.repo)
        self._began = self.place.client.clock.monotonic()

    def write(self, batches: Iterable[Batch]) -> None:
        """Write the batches; when this returns they are safe."""
        before = (self.done.n_changed, self.done.n_redacted)
        for written in self.store.write(batches):
            self.done.n_changed = before[0] + written.n_changed
            self.done.n_redacted = before[1] + written.n_redacted

    def fetch_lists(self, batches: Iterable[Batch], *, known: Sequence[Batch] = ()) -> None:
        """Write what is known and what lists tell; nothing where the first list is refused."""
        for n_pages, batch in enumerate(batches, start=1):
            self.write([*known, batch] if n_pages == 1 else [batch])
            self._tell(f"{n_pages} pages of lists", 0)

    def long_waited(self, *, before: date) -> list[Want]:
        """Return the runs that had not ended when they were fetched, and are older than what is asked for."""
        store, repo, last = self.store, self.place.repo, None
        found = list[Want | None]()
        while wants := store.wants(repo, ["unfinished"], limit=256, after=last):
            last = wants[-1]
            found += [store.want(repo, "run", want.key) for want in wants if want.at and want.at.date() < before]
        return [want for want in found if want is not None]

    def settle(self, now: datetime, *, since: date) -> None:
        """Note until when the history is known, once every run that was listed since that day is held.

        Not where days before that were never listed: silence there would mean nothing.
        """
        told = self.store.payload(self.place.repo, "fetched", "state")
        if told is not None and told["as_of"][:10] < f"{since}":
            return
        if not self.store.n_wants(self.place.repo, since=midnight(since)).get("run"):
            n_changed = self.done.n_changed
            body = {"as_of": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}
            self.write([Batch(self.place.repo, "api", [Payload("fetched", "state", body)])])
            self.done.n_changed = n_changed  # our own mark, nothing of GitHub's

    def wants(self, kind: str, *, since: date) -> Iterator[Want]:
        """Yield the to-do list's rows of that kind since that day, newest first, but for those that failed before.

        The workflow files of a commit are its parent's where it changed none: there the oldest come first.
        """
        wants = self._newest_first(kind, since)
        return reversed(list(wants)) if kind == "tree" else wants

    def _newest_first(self, kind: str, since: date) -> Iterator[Want]:
        last: Want | None = None
        while wants := self.store.wants(self.place.repo, [kind], limit=256, after=last):
            last = wants[-1]
            for want in wants:
                if want.at is not None and want.at.date() < since:
                    return
                if (want.kind, want.key) not in self._failed:
                    yield want

    def fetch_wants(self, kind: str, wants: Iterable[Want]) -> None:
        """Fetch these wants, all of one kind, and write each when it is there."""
        if kind in self._denied:
            return
        errand = ERRANDS[kind]
        n_threads = 1 if kind == "tree" else self.n_connections
        running: dict[Future[Batch], Want] = {}
        n_before, n_left = self._n_done, sum(self.store.n_wants(self.place.repo).values())
        with ThreadPoolExecutor(n_threads, thread_name_prefix="kotaci") as pool:
            try:
                for want in wants:
                    try:
                        prepared = errand.prepare(self.store, self.place, want)
                    except _ODD as error:
                        self._leave(want, error)
                        continue
                    if prepared is None:
                        self.write([Batch(self.place.repo, "api", met=[(want.kind, want.key)])])
                        self._n_done += 1
                        continue
                    running[pool.submit(errand.fetch, self.place, want, prepared)] = want
                    if len(running) >= (1 if n_threads == 1 else 2 * n_threads):
                        self._take_some(running, n_threads)
                        self._tell(errand.name, n_left + n_before - self._n_done)
                while running:
                    self._take_some(running, n_threads)
                    self._tell(errand.name, n_left + n_before - self._n_done)
            except _Denied as problem:
                self._abandon(running)
                self._denied |= _DOWNLOADS if isinstance(problem.__cause__, Undownloadable) else {kind}
            except BaseException as problem:
                if isinstance(problem, KeyboardInterrupt):
                    self.place.client.clock.stop.set()
                self._abandon(running)
                raise

    def _take_some(self, running: dict[Future[Batch], Want], least: int) -> None:
        """Write what was fetched once that many have ended, so that a commit is worth its wait for the disk."""
        ended = set[Future[Batch]]()
        while len(ended) < min(least, len(running)):
            ended |= wait(running.keys() - ended, return_when=FIRST_COMPLETED).done
        self._take({future: running.pop(future) for future in ended})

    def _take(self, ended: Mapping[Future[Batch], Want]) -> None:
        """Write what was fetched; then raise the first error that ends the fetch."""
        batches, errors = list[Batch](), list[BaseException]()
        for future, want in ended.items():
            error = future.exception()
            if error is None:
                batches.append(future.result())
                self._n_failed.clear()
                self._has_worked.add(want.kind)
            elif isinstance(error, (Unreachable, Forbidden, *_ODD)):
                # Left in the to-do list: one that GitHub cannot answer must not hold up the others.
                self._leave(want, error)
                if (ends := self._end_of_patience(want.kind, error)) is not None:
                    errors.append(ends)
            else:
                errors.append(error)
        self.write(batches)
        self._n_done += len(batches)
        for batch in batches:
            for log in batch.logs:
                if isinstance(log.body, Path):
                    log.body.unlink(missing_ok=True)
        if errors:
            raise errors[0]

    def _leave(self, want: Want, error: BaseException) -> None:
        self._failed.add((want.kind, want.key))
        self.problems[want.kind] = error
        self._n_failed[type(error)] += 1
        logger.warning("left for later", extra={"problem": str(error)}, exc_info=error)

    def _end_of_patience(self, kind: str, error: BaseException) -> BaseException | None:
        """Return what ends all of that kind, or the fetch, after so many in a row that ended so."""
        n_failed = self._n_failed[type(error)]
        if isinstance(error, Forbidden):
            # One alone may be refused for itself; where any was read, the token may read that kind.
            is_enough = n_failed >= MAX_FORBIDDEN and kind not in self._has_worked
        else:
            is_enough = n_failed >= MAX_FAILURES
        if not is_enough or (isinstance(error, Unreachable) and not isinstance(error, Undownloadable)):
            return error if is_enough else None
        denied = _Denied()
        denied.__cause__ = error
        return denied

    def _abandon(self, running: dict[Future[Batch], Want]) -> None:
        """Send nothing more, wait for what is under way, and keep it."""
        for future in running:
            future.cancel()
        wait(running)
        with contextlib.suppress(KotaciError, _Denied):
            self._take({future: want for future, want in running.items() if not future.cancelled()})

    def _tell(self, what: str, n_left: int) -> None:
        client = self.place.client
        seconds = client.clock.monotonic() - self._began
        self.on_progress(Progress(what, self._n_done, max(0, n_left), client.pace.n_counted, seconds))


def left_over(kind: str, problem: BaseException) -> KotaciError:
    """Return what is told of errands of that kind that were left for later."""
    if isinstance(problem, Forbidden):
        return problem
    told: object = f"{type(problem).__name__}, which `kotaci --verbose` explains"
    if isinstance(problem, KotaciError):
        told = f"{problem.value}: {problem.problem}"
    return Incomplete(f"some {ERRANDS[kind].name}", f"were left for later ({told})", "run it again")


def midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
