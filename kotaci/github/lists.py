"""The lists of a repository: itself, workflows, runs, artifacts, caches, and what `.github` holds; page by page.

Each page that may be asked for again is asked for conditionally, so that it costs nothing where nothing changed and
the token is the same. Batches are yielded as pages come, so memory does not grow with the history.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Any

from kotaci.github.client import Client, Forbidden, Refused, Reply, Unreachable
from kotaci.github.commits import fetch_text
from kotaci.github.place import Place, gone
from kotaci.github.reports import may_hold_report
from kotaci.github.runs import is_whole, run_want
from kotaci.github.slices import SEARCH_CAP, Slice, recent_slices, settled_slices
from kotaci.model import BadInput, Incomplete, KotaciError, Repo, parse_moment
from kotaci.store import Batch, Payload, Store, Want

logger = logging.getLogger(__name__)

LIST_TRIES = 3
"""Times that a list is read again where runs came or went while it was paged."""


@dataclass
class Reading:
    """One pass over the lists: the store that is read, and what could not be listed."""

    store: Store
    place: Place
    since: date
    notes: list[KotaciError] = field(default_factory=list)

    def get(self, path: str, parameters: Mapping[str, object] | None = None) -> Reply:
        """Return the first page, asked for conditionally."""
        return next(self.pages(path, parameters))

    def pages(self, path: str, parameters: Mapping[str, object] | None = None) -> Iterator[Reply]:
        """Yield the pages of a list; those that are not known already bring an answer to keep."""
        place = self.place
        known = partial(self.store.answer, place.repo)
        for reply in place.client.pages(path, parameters=parameters, known=known):
            place.asked.add(reply.url)
            yield reply

    def batch(self, reply: Reply, *payloads: Payload, wants: tuple[Want, ...] = ()) -> Batch:
        """Return a batch of what a page brought, with the page itself for the next conditional request."""
        answers = [] if reply.is_known or not reply.etag else [reply.answer()]
        return Batch(self.place.repo, "api", payloads, wants=wants, answers=answers)


def fetch_repository(client: Client, repo: Repo, *, store: Store | None = None) -> Reply:
    """Return GitHub's answer for the repository, a rename followed. Raises Refused or BadInput for none."""
    path = f"/repos/{repo.owner}/{repo.name}"
    held = () if store is None else (store.answer(name, path) for name in store.repos())
    reply = client.get(path, known=next(filter(None, held), None))
    if reply.status == 404:
        raise Refused(repo, "is unknown to GitHub, or hidden from this token (404)", "check the spelling and the token")
    if reply.status == 451:
        raise Refused(repo, "is blocked for legal reasons (451)", "GitHub gives nothing of it")
    if reply.status != 200 or not isinstance(reply.body, dict) or "full_name" not in reply.body:
        hint = "check --api-url: https://api.github.com, or https://HOST/api/v3"
        raise BadInput(client.api_url, "does not speak GitHub's API", hint)
    # For those who may push to a private repository it holds a token.
    return replace(reply, body={key: value for key, value in reply.body.items() if key != "temp_clone_token"})


def read_runs(reading: Reading) -> Iterator[Batch]:
    """Yield workflows, and runs since `reading.since` as wants; runs that are held whole are passed over.

    Raises what `Client.get` raises.
    """
    yield from _workflows(reading)
    yield from _runs(reading)


def read_settings(reading: Reading) -> Iterator[Batch]:
    """Yield owners, settings and caches."""
    yield from _noting(reading, _settings)
    yield from _noting(reading, _caches)


def read_artifacts(reading: Reading) -> Iterator[Batch]:
    """Yield artifacts by their run, and the wants of those that may hold a report."""
    yield from _noting(reading, _artifacts)


def _noting(reading: Reading, part: Callable[[Reading], Iterator[Batch]]) -> Iterator[Batch]:
    """Yield what that part tells; what it lacks is noted, and does not hold up the others."""
    try:
        yield from part(reading)
    except (Forbidden, Unreachable) as problem:
        reading.notes.append(problem)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        logger.warning("not understood", extra={"part": part.__name__}, exc_info=error)
        told = f"answered with what was not understood ({type(error).__name__}, which `kotaci --verbose` explains)"
        reading.notes.append(Incomplete(part.__name__.strip("_"), told, "run it again later"))


def _workflows(reading: Reading) -> Iterator[Batch]:
    for reply in reading.pages(f"{reading.place.path}/actions/workflows"):
        _check(reply, reading.place)
        yield reading.batch(reply, *(Payload("workflow", str(one["id"]), one) for one in reply.body["workflows"]))


# -- runs ------------------------------------------------------------------------------------------------------


def _runs(reading: Reading) -> Iterator[Batch]:
    now = reading.place.client.pace.server_now()
    for span in recent_slices(since=reading.since, now=now):
        yield from _slice(reading, span, settles=False)
    listed = reading.store.payload_keys(reading.place.repo, "listed") - {ARTIFACTS_LISTED}
    for span in settled_slices(since=reading.since, now=now, listed=listed):
        yield from _slice(reading, span, settles=True)
    yield from _unfinished(reading)


def _slice(reading: Reading, span: Slice, *, settles: bool) -> Generator[Batch, None, bool]:
    """Yield the wants of the runs created in that span, and return whether it was listed whole.

    One that `settles` is then noted as listed, and never read again; so is each of its halves of whole days.
    """
    path = f"{reading.place.path}/actions/runs"
    for _ in range(LIST_TRIES):
        seen, told, has_shrunk = set[int](), 0, False
        for reply in reading.pages(path, {"created": span.created}):
            _check(reply, reading.place)
            has_shrunk |= int(reply.body["total_count"]) < told
            told = int(reply.body["total_count"])
            if told >= SEARCH_CAP and (halves := span.halves()):
                is_whole_there = True
                for half in halves:
                    is_whole_there &= yield from _slice(reading, half, settles=settles and half.is_of_days)
                if settles and is_whole_there:
                    yield _settled(reading, span, told)
                return is_whole_there
            runs = reply.body["workflow_runs"]
            seen |= {int(run["id"]) for run in runs}
            yield reading.batch(reply, wants=tuple(run_want(run) for run in runs if not _is_held(reading, run)))
        # One that goes while pages are read draws another from the next page to the one that was read.
        if len(seen) >= told and not has_shrunk:
            if settles:
                yield _settled(reading, span, told)
            return True
        logger.info("lists again", extra={"span": span.created, "told": told, "seen": len(seen)})
    if len(seen) >= told:
        return True
    problem = f"GitHub counts {told:,} runs here and lists {len(seen):,}"
    reading.notes.append(Incomplete(span.created, problem, "run it again later"))
    return False


def _settled(reading: Reading, span: Slice, n_runs: int) -> Batch:
    return Batch(reading.place.repo, "api", [Payload("listed", span.created, {"runs": n_runs})])


def _is_held(reading: Reading, run: Mapping[str, Any]) -> bool:
    attempt = int(run.get("run_attempt") or 1)
    return is_whole(reading.store.payload(reading.place.repo, "run", f"{run['id']}/{attempt}"), listed=run)


def _unfinished(reading: Reading) -> Iterator[Batch]:
    """Yield the wants of runs that had not ended when they were fetched and that no list named this time."""
    place, last = reading.place, None
    while wants := reading.store.wants(place.repo, ["unfinished"], limit=100, after=last):
        last = wants[-1]
        for want in wants:
            if reading.store.want(place.repo, "run", want.key) is not None:
                continue
            reply = place.client.get(f"{place.path}/actions/runs/{want.key}")
            if reply.status == 200:
                yield Batch(place.repo, "api", wants=[run_want(reply.body)])
            else:
                place.check_visible()
                yield Batch(place.repo, "api", [gone(want, reply, "run")], met=[("unfinished", want.key)])


# -- artifacts, caches, settings -------------------------------------------------------------------------------

ARTIFACTS_LISTED = "artifacts"
"""Key under which `listed` says down to which day artifacts are listed, and whether the walk down came to its end."""


def _artifacts(reading: Reading) -> Iterator[Batch]:
    """Yield artifacts by their run, newest first, down to those that are known or too old."""
    place, store, since = reading.place, reading.store, reading.since
    done = store.payload(place.repo, "listed", ARTIFACTS_LISTED)
    is_covered = done is not None and done["is_whole"] and date.fromisoformat(done["since"]) <= since
    down_to = done["since"] if is_covered else f"{since}"
    is_begun = False
    for reply in reading.pages(f"{place.path}/actions/artifacts"):
        if reply.status != 200:
            yield _nothing(place, reply, ARTIFACTS_LISTED)
            return
        entries = [one for one in reply.body["artifacts"] if one.get("workflow_run")]
        fresh = [one for one in entries if _made_at(one).date() >= since]
        payloads, wants, n_known = [], list[Want](), 0
        for run_id in dict.fromkeys(str(one["workflow_run"]["id"]) for one in fresh):
            held = (store.payload(place.repo, "artifacts", run_id) or {"artifacts": []})["artifacts"]
            known = {int(one["id"]): one for one in held}
            mine = {int(one["id"]): one for one in fresh if str(one["workflow_run"]["id"]) == run_id}
            n_known += len(known.keys() & mine.keys())
            both = sorted((known | mine).values(), key=lambda one: int(one["id"]))
            payloads.append(Payload("artifacts", run_id, {"total_count": len(both), "artifacts": both}))
            wants += [
                Want("report", f"{run_id}/{number}", _made_at(one), one)
                for number, one in mine.items()
                if number not in known and may_hold_report(one)
            ]
        is_last = len(fresh) < len(entries) or (is_covered and n_known == len(entries))
        if not is_begun and not is_last and reply.next_url:
            # Stopped before its end, the walk begins anew: what is known by then says nothing of what is below.
            payloads.append(Payload("listed", ARTIFACTS_LISTED, {"since": down_to, "is_whole": False}))
            is_begun = True
        yield reading.batch(reply, *payloads, wants=tuple(wants))
        if is_last:
            break
    if is_begun or not is_covered:
        yield Batch(place.repo, "api", [Payload("listed", ARTIFACTS_LISTED, {"since": down_to, "is_whole": True})])


def _made_at(artifact: Mapping[str, Any]) -> datetime:
    return parse_moment(artifact["created_at"])


def _caches(reading: Reading) -> Iterator[Batch]:
    """Yield a new snapshot of the caches and their usage, where they differ from the last one."""
    place, entries, replies = reading.place, list[Any](), list[Reply]()
    for reply in reading.pages(f"{place.path}/actions/caches", {"sort": "created_at", "direction": "desc"}):
        if reply.status != 200:
            yield _nothing(place, reply, "caches")
            return
        entries += reply.body["actions_caches"]
        replies.append(reply)
    as_of = f"{place.client.pace.server_now():%Y-%m-%dT%H:%M:%SZ}"
    # The pages last: one that is kept has its snapshot, also after a kill.
    body = {"total_count": len(entries), "actions_caches": entries}
    yield Batch(place.repo, "api", _snapshot(reading, "caches", as_of, body))
    usage = reading.get(f"{place.path}/actions/cache/usage")
    if usage.status == 200:
        yield reading.batch(usage, *_snapshot(reading, "cache_usage", as_of, usage.body))
    for reply in replies:
        yield reading.batch(reply)


def _snapshot(reading: Reading, kind: str, as_of: str, body: Any) -> list[Payload]:
    """Return what was seen at that moment, unless it was the same the last time."""
    last = max(reading.store.payload_keys(reading.place.repo, kind), default=None)
    is_same = last is not None and reading.store.payload(reading.place.repo, kind, last) == body
    return [] if is_same else [Payload(kind, as_of, body)]


def _settings(reading: Reading) -> Iterator[Batch]:
    """Yield the repository's kotaci.toml and its owners, where `.github` holds them."""
    place, store = reading.place, reading.store
    reply = reading.get(f"{place.path}/contents/.github")
    if reply.is_known:
        return
    if reply.status != 200:
        place.check_visible()
    entries = reply.body if isinstance(reply.body, list) else []
    # Of a private repository each entry has an address with a token in it.
    entries = [{name: one[name] for name in ("name", "type", "sha")} for one in entries]
    reply = replace(reply, body=entries)
    files = {one["name"]: one["sha"] for one in entries if one["type"] == "file"}
    payloads = []
    owners = files.get("CODEOWNERS")
    if owners and store.payload(place.repo, "codeowners", owners) is None:
        payloads += [Payload("codeowners", owners, text)] if (text := fetch_text(place, owners)) is not None else []
    held = store.payload(place.repo, "config", "config")
    if "kotaci.toml" in files or held is not None:
        sha = files.get("kotaci.toml", "")
        told = fetch_text(place, sha) if sha else ""
        if told is not None:
            payloads.append(Payload("config", "config", {"path": ".github/kotaci.toml", "text": told}))
    yield reading.batch(reply, *payloads)


def _nothing(place: Place, reply: Reply, what: str) -> Batch:
    """Return the fact that there is no such list: an Enterprise server may be too old to know it."""
    place.check_visible()
    return Batch(place.repo, "api", [gone(Want("list", what), reply, "list")])


def _check(reply: Reply, place: Place) -> None:
    if reply.status != 200:
        raise Refused(
            f"{place.client.api_url}{reply.url.partition('?')[0]}",
            f"cannot be read ({reply.status}{f', {reply.message}' if reply.message else ''})",
            "check that Actions are in use there, and what the token may read",
        )
