"""The logs of one run, from a zip of any generation, an unpacked folder or a single file, as one batch.

Layouts change without notice; what holds through 2021-2026 is: `N_JOB.txt` is a job's whole log, `JOB/K_STEP.txt`
one step of it with the same lines, `JOB/system.txt` its queueing. The ordinal N means nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import lzma
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from kotaci.logs.lines import decode, first_stamp, saved_error
from kotaci.logs.results import parse_junit
from kotaci.logs.setup import job_name, repo_name, workflow_path
from kotaci.model import BadInput, Repo, RunRef, parse_moment
from kotaci.store import Batch, Log, Payload, StoreFull

MAX_ENTRY_BYTES = 512 * 2**20
MAX_ZIP_BYTES = 2 * 2**30
MAX_ENTRIES = 100_000
"""Far above anything met (one job log of 8 MB, 40 jobs); a zip bomb declares or yields more."""

HELD_BYTES = 8 * 2**20
"""A log of a run's zip that has fewer is handed on as it is, a larger one as a file."""

ZIP_ERRORS = (
    zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, ValueError, struct.error, zlib.error,
    lzma.LZMAError,
)  # fmt: skip
"""What Python's reader raises for a zip that is cut, damaged, encrypted or packed in a way it does not know."""

_JOB_FILE = re.compile(r"-?\d+_(?P<job>.+)\.txt")
_STEP_FILE = re.compile(r"(?P<number>\d+)_(?P<step>.+)\.txt")
_PHANTOM = b"##[section]Starting: Prepare job"


@dataclass(frozen=True)
class JobLog:
    """One job's log as an archive holds it: whole text, its steps as (number, name, n_lines), its queueing."""

    name: str
    body: bytes
    steps: Sequence[tuple[int, str, int]] = ()
    system: str = ""
    is_partial: bool = False


@dataclass(frozen=True)
class RunFacts:
    """What an archive or a person tells of a run; what is not known stays empty."""

    repo: Repo
    ref: RunRef
    source: str
    workflow: str = ""
    workflow_name: str = ""
    run_number: int | None = None
    event: str = ""
    branch: str = ""
    head_sha: str = ""
    pr_number: int | None = None
    at: datetime | None = None


def source_id(*parts: str) -> int:
    """Return a stable negative id for what has none on GitHub, so that it never meets a real one."""
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=7).digest()
    return -int.from_bytes(digest) - 1


def to_batch(facts: RunFacts, jobs: Sequence[JobLog]) -> Batch:
    """Return the run as payloads of GitHub's shape (null where unknown) and logs; conclusions are left to facts."""
    stamps = sorted(filter(None, (first_stamp(job.system) or _first_stamp(job.body) for job in jobs)))
    at = facts.at or (parse_moment(stamps[0]) if stamps else None)
    ref = facts.ref
    run = {
        "id": ref.run_id,
        "run_attempt": ref.attempt,
        "run_number": facts.run_number,
        "name": facts.workflow_name or None,
        "path": facts.workflow or None,
        "event": facts.event or None,
        "status": "completed",
        "conclusion": None,
        "head_branch": facts.branch or None,
        "head_sha": facts.head_sha or None,
        "pull_requests": [] if facts.pr_number is None else [{"number": facts.pr_number}],
    }
    payloads, logs, seen = [Payload("run", f"{ref.run_id}/{ref.attempt}", run, at)], [], dict[str, int]()
    for job in jobs:
        seen[job.name] = seen.get(job.name, 0) + 1
        job_id = source_id(str(facts.repo), str(ref.run_id), str(ref.attempt), job.name, str(seen[job.name]))
        body: dict[str, Any] = {
            "id": job_id,
            "run_id": ref.run_id,
            "run_attempt": ref.attempt,
            "name": job.name,
            "status": "completed",
            "conclusion": None,
            "steps": [{"number": number, "name": name, "n_lines": n_lines} for number, name, n_lines in job.steps],
            "system": job.system,
            "is_partial": job.is_partial,
        }
        payloads.append(Payload("job", f"{ref.run_id}/{ref.attempt}/{job_id}", body, at))
        logs.append(Log(ref.run_id, ref.attempt, job_id, at, job.body, is_partial=job.is_partial))
    return Batch(str(facts.repo), facts.source, payloads, logs)


def to_jobs(files: Mapping[str, bytes]) -> list[JobLog]:
    """Return the jobs among the files of a run (`N_JOB.txt`, `JOB/K_STEP.txt`, `JOB/system.txt`), by name."""
    whole: dict[str, bytes] = {}
    folders: dict[str, dict[str, bytes]] = {}
    for name in sorted(files):
        folder, _, file = name.rpartition("/")
        if folder:
            folders.setdefault(folder, {})[file] = files[name]
        elif (match := _JOB_FILE.fullmatch(file)) and _PHANTOM not in files[name][:200]:
            # Two jobs may share a name, and then only the ordinal tells their files apart.
            whole[match["job"] if match["job"] not in whole else file.removesuffix(".txt")] = files[name]
    jobs = []
    for name in sorted({*whole, *folders}):
        parts = folders.get(name, {})
        steps = sorted(
            (int(match["number"]), match["step"], body)
            for file, body in parts.items()
            if (match := _STEP_FILE.fullmatch(file))
        )
        body, lines = _joined(whole.get(name, b""), steps)
        shown = job_name(body[:60_000].decode("utf-8", "replace")) or name
        if body or "system.txt" in parts:
            jobs.append(JobLog(shown, body, lines, parts.get("system.txt", b"").decode("utf-8", "replace")))
    return jobs


def _joined(whole: bytes, steps: Sequence[tuple[int, str, bytes]]) -> tuple[bytes, list[tuple[int, str, int]]]:
    """Return the log and how many of its lines each step has.

    The step files repeat the whole file with time stamps up to 0.2 ms apart, so only their borders are kept. Where
    the whole file is shorter (runners of May 2023 stopped after the queueing), the step files are the log.
    """
    if not steps:
        return whole, []
    told = b"".join(_ended(body) for _, _, body in steps)
    counts = [(number, name, _ended(body).count(b"\n")) for number, name, body in steps]
    if (b"\n" + _texts(whole)).endswith(b"\n" + _texts(told)):
        n_before = _ended(whole).count(b"\n") - told.count(b"\n")
        number, name, n_lines = counts[0]
        return whole, [(number, name, n_lines + n_before), *counts[1:]]
    if len(told) > len(whole):
        return told, counts
    return whole, []


def _ended(body: bytes) -> bytes:
    body = body.replace(b"\r\n", b"\n")
    return body if body.endswith(b"\n") or not body else body + b"\n"


def _texts(body: bytes) -> bytes:
    return re.sub(rb"(?m)^(?:\xef\xbb\xbf)?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z ?", b"", _ended(body))


def _first_stamp(body: bytes) -> str:
    return first_stamp(body[:20_000].decode("utf-8", "replace"))


# -- whole runs -----------------------------------------------------------------------------------------------


def read_zip(
    path: Path,
    *,
    said_repo: Repo | None,
    said_run: RunRef | None,
    said_workflow: str,
    max_entry_bytes: int = MAX_ENTRY_BYTES,
    max_bytes: int = MAX_ZIP_BYTES,
) -> Batch:
    """Return the run of a run-log zip. Raises BadInput for a damaged or hostile one, or one of something else."""
    files = {
        name: decode(b"".join(parts))
        for name, parts in _read_entries(path, max_entry_bytes=max_entry_bytes, max_bytes=max_bytes)
    }
    digest = hashlib.blake2b(
        "\0".join(f"{n} {hashlib.blake2b(b).hexdigest()}" for n, b in sorted(files.items())).encode()
    )
    return _to_run(path, files, digest.hexdigest(), "run-zip", said_repo, said_run, said_workflow)


def read_log_zip(path: Path, folder: Path) -> Iterator[tuple[str, bytes | Path]]:
    """Yield the whole job logs of a run-log zip, one at a time, each with the job's name as the zip writes it.

    A large one comes as a file in that folder, which the caller removes. Raises BadInput for a damaged or hostile
    zip, also after some logs were yielded, and StoreFull where there is no room for a file.
    """
    for name, parts in _read_entries(path):
        if not (job := _JOB_FILE.fullmatch(name)):
            continue
        head = next(parts, b"")
        if _PHANTOM not in head[:200]:
            yield job["job"], head if len(head) < HELD_BYTES else _write_parts(head, parts, folder)


def _write_parts(head: bytes, parts: Iterable[bytes], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = tempfile.NamedTemporaryFile(dir=folder, prefix="log-", suffix=".txt", delete=False)  # noqa: SIM115
    try:
        with file:
            for part in itertools.chain([head], parts):
                file.write(part)
    except OSError as error:
        Path(file.name).unlink()
        raise StoreFull(folder, f"cannot be written ({error.strerror})", "make room and run it again") from error
    except BadInput:
        Path(file.name).unlink()
        raise
    return Path(file.name)


def _read_entries(
    path: Path, *, max_entry_bytes: int = MAX_ENTRY_BYTES, max_bytes: int = MAX_ZIP_BYTES
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield name and content of a zip's files, the content in parts of HELD_BYTES, to be read before the next file.

    Raises BadInput for a damaged or hostile zip.
    """
    total = 0

    def read_parts(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        nonlocal total
        n_read = 0
        with _explained(path), archive.open(entry) as file:
            # The size in the header can lie: what is unpacked is counted.
            while part := file.read(min(HELD_BYTES, max_entry_bytes + 1)):
                total, n_read = total + len(part), n_read + len(part)
                if n_read > max_entry_bytes or total > max_bytes:
                    raise BadInput(
                        path, f"unpacks to too much ({entry.filename})", "it is no log zip of GitHub; do not trust it"
                    )
                yield part

    with _explained(path), zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if len(entries) > MAX_ENTRIES:
            raise BadInput(path, f"has {len(entries)} entries", "give the log zip of one run")
        for entry in entries:
            name = entry.filename
            if name.startswith(("/", "\\")) or ".." in Path(name).parts or re.match(r"[A-Za-z]:", name):
                raise BadInput(path, f"has an entry that leads out of it ({name})", "do not trust this file")
            yield name, read_parts(archive, entry)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except ZIP_ERRORS as error:
        raise BadInput(path, f"is not a whole zip ({error})", "download it again") from error


def is_run_folder(path: Path) -> bool:
    """Tell whether the folder is an unpacked run-log zip: it holds `N_JOB.txt` files."""
    return any(_JOB_FILE.fullmatch(file.name) for file in path.glob("*.txt"))


def read_folder(path: Path, *, said_repo: Repo | None, said_run: RunRef | None, said_workflow: str) -> Batch:
    """Return the run of an unpacked run-log zip. Raises BadInput where it holds no job's log."""
    files = read_files(path)
    digest = hashlib.blake2b(
        "\0".join(f"{n} {hashlib.blake2b(b).hexdigest()}" for n, b in sorted(files.items())).encode()
    )
    return _to_run(path, files, digest.hexdigest(), "run-zip", said_repo, said_run, said_workflow)


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the text files of a folder and of its folders, by relative name with `/`."""
    return {
        file.relative_to(folder).as_posix(): decode(file.read_bytes())
        for file in sorted(folder.rglob("*.txt"))
        if file.is_file()
    }


def _to_run(
    path: Path,
    files: Mapping[str, bytes],
    digest: str,
    source: str,
    said_repo: Repo | None,
    said_run: RunRef | None,
    said_workflow: str,
) -> Batch:
    for name, body in files.items():
        if problem := saved_error(body):
            raise BadInput(path, f"holds {problem} as {name}", "download it again")
    jobs = to_jobs(_without_top(files))
    if not any(job.body for job in jobs):
        raise BadInput(path, "holds no job's log", "give the log zip of one run, as GitHub makes it")
    heads = [job.body[:60_000].decode("utf-8", "replace") + job.system for job in jobs]
    repo = said_repo or _told_repo(heads, path)
    ref = said_run or RunRef(source_id(source, digest), 1)
    workflow = said_workflow or next(filter(None, map(workflow_path, heads)), "")
    return to_batch(RunFacts(repo, ref, source, workflow=workflow, workflow_name=workflow), jobs)


def _without_top(files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Return the files without the one folder that a person's own zip puts around those of GitHub's."""
    tops = {name.partition("/")[0] for name in files}
    (top,) = tops if len(tops) == 1 else ("",)
    inner = {name.removeprefix(f"{top}/"): body for name, body in files.items()}
    return inner if top and any(_JOB_FILE.fullmatch(name) for name in inner) and top not in inner else files


def _told_repo(heads: Sequence[str], path: Path) -> Repo:
    told = next(filter(None, map(repo_name, heads)), "")
    if not told:
        raise BadInput(path, "does not tell its repository", "say it with --repo owner/name")
    return Repo.parse(told)


# -- single files ---------------------------------------------------------------------------------------------


class NoGithubLog(BadInput):
    """Text without a time stamp or a marker of GitHub's: a log of another system, or no log."""


def read_job_log(
    path: Path, body: bytes, *, said_repo: Repo | None, said_run: RunRef | None, said_workflow: str
) -> Batch:
    """Return a run of the one job whose log this is. Raises BadInput where it is no job's log."""
    head = body[:60_000].decode("utf-8", "replace")
    if not first_stamp(head) and "##[" not in head:
        raise NoGithubLog(path, "does not look like a log of GitHub Actions", "give the log as GitHub or gh saves it")
    repo = said_repo or _told_repo([head], path)
    ref = said_run or RunRef(source_id("file", hashlib.blake2b(body).hexdigest()), 1)
    workflow = said_workflow or workflow_path(head)
    facts = RunFacts(repo, ref, "file", workflow=workflow, workflow_name=workflow)
    return to_batch(facts, [JobLog(job_name(head) or path.stem, body)])


def is_junit(body: bytes) -> bool:
    """Tell whether the text begins like JUnit XML."""
    return (
        re.match(
            rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<testsuites?[\s>]", body[:4096].lstrip(b"\xef\xbb\xbf"), re.S
        )
        is not None
    )


def read_junit(path: Path, body: bytes, *, said_repo: Repo | None, said_run: RunRef | None) -> Batch:
    """Return the JUnit XML as a payload of a run. Raises BadInput where it is broken or nobody says whose it is."""
    if said_repo is None:
        raise BadInput(path, "does not tell its repository", "say it with --repo owner/name, and the run with --run")
    try:
        parse_junit(body)
    except BadInput as error:
        raise BadInput(path, error.problem, error.hint) from error
    ref = said_run or RunRef(source_id("junit", hashlib.blake2b(body).hexdigest()), 1)
    # Two artifacts of a run often hold a file of the same name.
    key = f"{ref.run_id}/{ref.attempt}/{path.name}/{hashlib.blake2b(body, digest_size=6).hexdigest()}"
    return Batch(str(said_repo), "file", [Payload("junit", key, body.decode("utf-8", "replace"))])
