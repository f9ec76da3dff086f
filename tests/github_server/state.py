"""What the server serves: one repository's runs, logs, artifacts, caches, commits, issues; tests may change it."""

from __future__ import annotations

import hashlib
import io
import random
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar

from kotaci.model import parse_moment
from tests.builders import BOM, system_text
from tests.github_server.objects import Objects
from tests.github_server.shapes import Body, moment, user

K = TypeVar("K")
V = TypeVar("V")

NO_LOG = ("expired", "never_written", "lost")
"""Why a job has no log: 410; 404; a link to a blob that is not there."""


class Made(MutableMapping[K, V], Generic[K, V]):
    """A mapping whose values are made when asked for, unless one was set; it lists only those that were set.

    The last `n_kept` values made are kept: a log is looked at for the link to it, and again behind the link.
    """

    def __init__(self, make: Callable[[K], V | None], *, n_kept: int = 0) -> None:
        self._make, self._set, self._kept, self._n_kept = make, dict[K, V](), dict[K, V](), n_kept

    def __getitem__(self, key: K) -> V:
        for known in (self._set, self._kept):
            if key in known:
                return known[key]
        value = self._make(key)
        if value is None:
            raise KeyError(key)
        if self._n_kept:
            self._kept[key] = value
            if len(self._kept) > self._n_kept:
                del self._kept[next(iter(self._kept))]
        return value

    def __setitem__(self, key: K, value: V) -> None:
        self._set[key] = value

    def __delitem__(self, key: K) -> None:
        del self._set[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._set)

    def __len__(self) -> int:
        return len(self._set)


@dataclass(frozen=True)
class File:
    """The bytes behind an artifact: a zip, or one file as upload-artifact keeps it with `archive: false`."""

    name: str
    content_type: str
    body: bytes


@dataclass
class State:
    """One repository. Runs, jobs and the rest are as a source told them: `shapes` fills in what is missing; `web` in
    `repo` is the host of pages where that is not github.com.

    `runs` holds attempts by number; `logs` the bytes of a job's log or one of `NO_LOG`; `places` the run and attempt
    of a job; `commits` have their parents as ids and a `root_tree`; `refs` are named without `refs/`.
    """

    repo: Body
    runs: dict[int, dict[int, Body]] = field(default_factory=dict)
    jobs: MutableMapping[tuple[int, int], list[Body]] = field(default_factory=dict)
    places: MutableMapping[int, tuple[int, int]] = field(default_factory=dict)
    logs: MutableMapping[int, bytes | str] = field(default_factory=dict)
    annotations: MutableMapping[int, list[Body]] = field(default_factory=dict)
    workflows: dict[int, Body] = field(default_factory=dict)
    artifacts: dict[int, Body] = field(default_factory=dict)
    files: MutableMapping[int, File] = field(default_factory=lambda: Made(lambda _: None))
    caches: dict[int, Body] = field(default_factory=dict)
    commits: dict[str, Body] = field(default_factory=dict)
    objects: Objects = field(default_factory=Objects)
    refs: dict[str, str] = field(default_factory=dict)
    issues: dict[int, Body] = field(default_factory=dict)
    comments: dict[int, Body] = field(default_factory=dict)
    commit_comments: dict[int, Body] = field(default_factory=dict)
    labels: dict[str, Body] = field(default_factory=dict)
    pulls: dict[int, Body] = field(default_factory=dict)
    old_names: set[str] = field(default_factory=set)
    me: str = "octocat"
    zips_have_steps: bool = False
    """Whether zips of runs hold a file for every step, as GitHub's do only sometimes."""
    _order: list[int] = field(default_factory=list, repr=False)
    _zips: dict[tuple[int, int], bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def of_sample(cls) -> State:
        """Return the bundled sample whole: every attempt, job, log, commit; artifacts of the told size and name."""
        from tests.github_server.stored import of_sample

        return of_sample()

    @classmethod
    def of_store(cls, path: Path, *, repo: str | None = None) -> State:
        """Return what a store holds of one repository (by default its first)."""
        from tests.github_server.stored import of_store

        return of_store(path, repo=repo)

    @classmethod
    def generated(
        cls,
        n_runs: int = 1200,
        n_jobs: int = 8,
        n_reruns: int = 60,
        seed: int = 1,
        *,
        ends_at: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC),
        days: int = 80,
        n_log_lines: int = 40,
    ) -> State:
        """Return an invented history whose jobs and logs are made when asked for; the same seed, the same history."""
        from tests.github_server.generated import generated

        return generated(n_runs, n_jobs, n_reruns, seed, ends_at=ends_at, days=days, n_log_lines=n_log_lines)

    # -- reading ------------------------------------------------------------------------------------------

    @property
    def full_name(self) -> str:
        """Return `owner/name` as it is now."""
        return str(self.repo["full_name"])

    def newest_first(self) -> Sequence[int]:
        """Return the ids of all runs, newest first."""
        if len(self._order) != len(self.runs):
            told = {run_id: attempts[min(attempts)]["created_at"] for run_id, attempts in self.runs.items()}
            self._order = sorted(told, key=lambda run_id: (told[run_id], run_id), reverse=True)
        return self._order

    def latest(self, run_id: int) -> Body:
        """Return the latest attempt of the run, with the first attempt's `created_at`. Raises KeyError."""
        attempts = self.runs[run_id]
        return {**attempts[max(attempts)], "created_at": attempts[min(attempts)]["created_at"]}

    def attempt(self, run_id: int, number: int) -> Body:
        """Return that attempt; a re-run has its own `created_at` here, which lists do not show. Raises KeyError."""
        told = self.runs[run_id][number]
        return told if number == min(self.runs[run_id]) else {**told, "created_at": told["run_started_at"]}

    def find_job(self, job_id: int) -> tuple[Body, Body]:
        """Return the attempt and the job. Raises KeyError."""
        run_id, attempt = self.places[job_id]
        job = next((job for job in self.jobs[run_id, attempt] if job["id"] == job_id), None)
        if job is None:
            raise KeyError(job_id)
        return self.runs[run_id][attempt], job

    def log_state(self, job: Body) -> str:
        """Return `present`, or why the job has no log; one that is not finished has none yet."""
        is_over = job.get("conclusion") or job.get("status", "completed") == "completed"
        held = self.logs.get(job["id"], "never_written") if is_over else "never_written"
        return held if isinstance(held, str) else "present"

    def zip_of_logs(self, run_id: int, attempt: int) -> bytes | str:
        """Return the zip of an attempt's logs, or `expired`, or `never_written`."""
        jobs = self.jobs.get((run_id, attempt), [])
        states = {job["id"]: self.log_state(job) for job in jobs}
        if "expired" in states.values():
            return "expired"
        present = [job for job in jobs if states[job["id"]] == "present"]
        if not present or self.runs[run_id][attempt]["status"] != "completed":
            return "never_written"
        if (run_id, attempt) not in self._zips:
            self._zips[run_id, attempt] = zipped(self._files_of_logs(present))
            for old in list(self._zips)[:-16]:
                del self._zips[old]
        return self._zips[run_id, attempt]

    def _files_of_logs(self, jobs: Sequence[Body]) -> Iterator[tuple[str, bytes]]:
        for place, job in enumerate(jobs):
            name, text = _plain(job["name"]), self.logs[job["id"]]
            assert isinstance(text, bytes)
            yield f"{place}_{name}.txt", text
            queued, taken = (parse_moment(job[when]) for when in ("created_at", "started_at"))
            yield f"{name}/system.txt", system_text(queued=queued, taken=taken).encode()
            if self.zips_have_steps:
                yield from _files_of_steps(name, job["steps"], text.decode())

    def n_comments(self, number: int) -> int:
        """Return how many comments an issue has."""
        return sum(comment["issue"] == number for comment in self.comments.values())

    def commit_of(self, ref: str) -> Body | None:
        """Return the commit that an id, a beginning of it, a branch or a full reference names."""
        short = ref.removeprefix("refs/")
        sha = next((self.refs[name] for name in (short, f"heads/{ref}", f"tags/{ref}") if name in self.refs), ref)
        if sha in self.commits or not re.fullmatch("[0-9a-f]{7,39}", sha):
            return self.commits.get(sha)
        return next((commit for known, commit in self.commits.items() if known.startswith(sha)), None)

    def history(self, sha: str) -> list[Body]:
        """Return the commit and everything before it, newest first."""
        seen, waiting = set[str](), [sha]
        while waiting:
            known = self.commits.get(waiting.pop())
            if known is not None and known["sha"] not in seen:
                seen.add(known["sha"])
                waiting += known["parents"]
        return sorted((self.commits[sha] for sha in seen), key=_committed, reverse=True)

    def described(self, artifact_id: int) -> Body:
        """Return an artifact with the size and digest of its file, which is made for that once."""
        told = self.artifacts[artifact_id]
        if "digest_of" not in told:
            body = self.files[artifact_id].body
            digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
            told |= {"digest_of": len(body), "digest": digest, "size_in_bytes": len(body)}
        return {name: value for name, value in told.items() if name not in {"digest_of", "run_id"}}

    # -- changing -----------------------------------------------------------------------------------------

    def rename(self, full_name: str) -> None:
        """Give the repository another name or owner; the old one leads to it from now on."""
        self.old_names.add(self.full_name.lower())
        owner, _, name = full_name.partition("/")
        self.repo |= {"name": name, "full_name": full_name, "owner": {**self.repo["owner"], "login": owner}}

    def add_run(self, **told: Any) -> Body:
        """Add a run a minute after the newest one, with jobs and logs like the newest that is over; return it."""
        first = {run_id: attempts[min(attempts)] for run_id, attempts in self.runs.items()}
        newest, *_ = order = self.newest_first()
        model = first[next((run_id for run_id in order if first[run_id]["status"] == "completed"), newest)]
        at = moment(parse_moment(first[newest]["created_at"]) + timedelta(minutes=1))
        times = dict.fromkeys(("created_at", "run_started_at", "updated_at"), at)
        number = max(told["run_number"] for told in first.values()) + 1
        run = {**model, **times, "id": max(self.runs) + 1, "run_number": number, **told}
        self.runs[run["id"]] = {1: run}
        self.copy_jobs((model["id"], model["run_attempt"]), run)
        return run

    def copy_jobs(self, source: tuple[int, int], run: Body, *, again: Callable[[Body], bool] | None = None) -> None:
        """Give an attempt the jobs of another, with ids of their own; those to do `again` are queued without a log."""
        fresh = max([*self.places, *(job["id"] for job in self.jobs.get(source, ())), 10**11]) + 1
        copies = []
        for job_id, job in enumerate(self.jobs.get(source, ()), start=fresh):
            copy = {**job, "id": job_id}
            if again is not None and again(job):
                at = run["run_started_at"]
                copy |= {"status": "queued", "conclusion": None, "completed_at": None, "steps": []}
                copy |= {"created_at": at, "started_at": at}
            elif job["id"] in self.logs:
                self.logs[job_id] = self.logs[job["id"]]
            self.places[job_id] = (run["id"], run["run_attempt"])
            copies.append(copy)
        self.jobs[run["id"], run["run_attempt"]] = copies

    def rerun(self, run_id: int, *, at: datetime, again: Callable[[Body], bool] = lambda _: True) -> Body:
        """Start another attempt of a run, doing `again` those of its jobs; return it, queued."""
        last = max(self.runs[run_id])
        run = {**self.runs[run_id][last], "run_attempt": last + 1, "status": "queued", "conclusion": None}
        run |= {"run_started_at": moment(at), "updated_at": moment(at)}
        self.runs[run_id][last + 1] = run
        self.copy_jobs((run_id, last), run, again=again)
        return run

    def finish(self, run_id: int, *, at: datetime, conclusion: str = "success", log: bytes = b"") -> None:
        """End the latest attempt of a run: its jobs that were waiting or running get that conclusion and log."""
        number = max(self.runs[run_id])
        end = {"status": "completed", "conclusion": conclusion}
        self.runs[run_id][number] |= {**end, "updated_at": moment(at)}
        jobs = self.jobs.get((run_id, number), [])
        for job in jobs:
            if not job.get("conclusion"):
                job |= {**end, "completed_at": moment(at)}
                self.logs[job["id"]] = log
        self.jobs[run_id, number] = jobs

    def delete_run(self, run_id: int) -> None:
        """Delete a run as GitHub does: with its jobs, logs and artifacts."""
        for number in self.runs.pop(run_id):
            self.jobs[run_id, number] = []
        for artifact_id in [key for key, told in self.artifacts.items() if told["run_id"] == run_id]:
            del self.artifacts[artifact_id]

    def account(self) -> Body:
        """Return who every token belongs to."""
        told = user(self.me) or {}
        numbers = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 1)
        empty = dict.fromkeys(("name", "company", "blog", "location", "email", "hireable", "bio"))
        return {**told, **numbers, **empty, "created_at": "2015-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}


def zipped(files: Iterable[tuple[str, bytes]], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of these files; equal files make equal bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, body in files:
            archive.writestr(zipfile.ZipInfo(name), body, method)
    return made.getvalue()


def artifact_file(name: str, artifact_id: int, size: int | None = None) -> File:
    """Return a made-up file for an artifact: a zip of exactly that size where that can be, else a small one."""
    inner = f"{name}.bin"
    overhead = len(zipped([(inner, b"")], method=zipfile.ZIP_STORED))
    n_bytes = size - overhead if size and size > overhead else 64
    noise = random.Random(artifact_id).randbytes(n_bytes)  # noqa: S311  (repeatable on purpose)
    return File(f"{name}.zip", "application/zip", zipped([(inner, noise)], method=zipfile.ZIP_STORED))


def matching(names: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Return whether everything that was asked for (None: not asked) is as told."""
    return all(value is None or told.get(name) == value for name, value in names.items())


def _files_of_steps(job: str, steps: Sequence[Body], text: str) -> Iterator[tuple[str, bytes]]:
    parts: dict[int, list[str]] = {}
    place, starts = 0, [(step["started_at"] or "", step["number"], step["name"]) for step in steps]
    for line in text.removeprefix(BOM).splitlines(keepends=True):
        while place + 1 < len(starts) and line[:19] >= starts[place + 1][0][:19]:
            place += 1
        parts.setdefault(place, []).append(line)
    for place, lines in parts.items():
        if starts:
            yield f"{job}/{starts[place][1]}_{_plain(starts[place][2])}.txt", (BOM + "".join(lines)).encode()


def _plain(name: str) -> str:
    return re.sub("[/:]", "", name)


def _committed(told: Body) -> tuple[str, str]:
    return told["commit"]["committer"]["date"], told["sha"]
