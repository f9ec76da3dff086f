"""What people already have, as batches for the store: run-log zips, `gh run view --log`, job logs, tinuous, git.

`read_archive` looks at the content, never at the name alone: people save a 404's body as `logs.zip`.
"""

from __future__ import annotations

import lzma
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kotaci.archives import gh, measured, runlogs, tinuous
from kotaci.logs.lines import decode, saved_error
from kotaci.model import BadInput, Repo, RunRef
from kotaci.store import Batch

MAX_UNPACKED_BYTES = 8 * 2**30
"""A year of a busy repository's logs is below 1 GiB unpacked; more than this is a bomb or wants to be split."""


@dataclass(frozen=True)
class Said:
    """What a person says of an archive that does not tell it itself."""

    repo: Repo | None = None
    run: RunRef | None = None
    workflow: str = ""


OnSkipped = Callable[[Path, BadInput], None]


def read_archive(path: Path, *, said: Said, on_skipped: OnSkipped | None = None) -> Iterator[Batch]:
    """Yield the batches of whatever lies at that path. Raises BadInput where it is nothing we can read.

    What cannot be read in a folder beside what can is skipped, and told to `on_skipped` with its problem.
    """
    if path.is_dir():
        yield from _read_folder(path, said=said, on_skipped=on_skipped)
        return
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise BadInput(path, f"cannot be read ({error.strerror})", "give a file or folder that exists") from error
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        yield runlogs.read_zip(path, said_repo=said.repo, said_run=said.run, said_workflow=said.workflow)
    elif _is_tar(path):
        yield from _read_tar(path, said=said, on_skipped=on_skipped)
    else:
        yield _read_text(path, said=said)


def read_log_texts(path: Path) -> Iterator[tuple[str, str]]:
    """Yield name (empty: not told) and text of each job's log in one file: a run's zip, saved gh output, or any text.

    Nothing of it is stored, so neither repository nor run need be told, and a log of another system is one too.
    Raises BadInput where it holds no log.
    """
    if path.is_dir():
        raise BadInput(path, "is a folder", "name one file of it, or `kotaci import` it and ask for a run")
    said = Said(repo=Repo("some", "repository"), run=RunRef(1, 1))
    try:
        yield from (pair for batch in read_archive(path, said=said) for pair in _log_texts(batch))
    except runlogs.NoGithubLog:
        yield "", decode(path.read_bytes()).decode("utf-8", "replace")


def _log_texts(batch: Batch) -> Iterator[tuple[str, str]]:
    names = {int(one.body["id"]): one.body.get("name") or "" for one in batch.payloads if one.kind == "job"}
    for log in batch.logs:
        body = log.body.read_bytes() if isinstance(log.body, Path) else log.body
        if body:
            yield names.get(log.job_id, ""), body.decode("utf-8", "replace")


def _read_folder(path: Path, *, said: Said, on_skipped: OnSkipped | None) -> Iterator[Batch]:
    if tinuous.is_tree(path):
        yield from tinuous.read_tree(path, said_repo=said.repo)
    elif runlogs.is_run_folder(path):
        yield runlogs.read_folder(path, said_repo=said.repo, said_run=said.run, said_workflow=said.workflow)
    else:
        yield from _read_files(path, said=said, on_skipped=on_skipped)


def _read_files(path: Path, *, said: Said, on_skipped: OnSkipped | None) -> Iterator[Batch]:
    if not _holds_files(path):
        raise BadInput(path, "is an empty folder", "give logs, a run's zip, or a tinuous tree")
    n_read, skipped = 0, list[tuple[Path, BadInput]]()
    for inner in sorted(path.iterdir()):
        if inner.is_file() or (_holds_files(inner) and not inner.is_symlink()):
            try:
                for batch in read_archive(inner, said=said, on_skipped=on_skipped):
                    n_read += 1
                    yield batch
            except BadInput as problem:
                skipped.append((inner, problem))
    if skipped and not n_read:
        raise skipped[0][1]
    if on_skipped is not None:
        for told in skipped:
            on_skipped(*told)


def _holds_files(folder: Path) -> bool:
    return any(file.is_file() for file in folder.rglob("*"))


_TAR_MAGIC = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")


def _is_tar(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(265)
        # Looked at first, since tarfile tries every compression on every log.
        may_be = head.startswith(_TAR_MAGIC) or head[257:262] == b"ustar" or not head.strip(b"\0")
        return may_be and tarfile.is_tarfile(path)
    except (EOFError, OSError):
        return False


def _read_tar(path: Path, *, said: Said, on_skipped: OnSkipped | None) -> Iterator[Batch]:
    with tempfile.TemporaryDirectory(prefix="kotaci-") as folder:
        total = 0
        try:
            with tarfile.open(path) as archive:
                for member in archive:
                    total += member.size
                    if total > MAX_UNPACKED_BYTES:
                        raise BadInput(
                            path, "unpacks to more than 8 GiB", "split it, or unpack it and import the folder"
                        )
                    archive.extract(member, folder, filter="data")
                _check_end(archive)
        except tarfile.FilterError as error:
            raise BadInput(path, f"has an entry that leads out of it ({error})", "do not trust this file") from error
        except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            raise BadInput(path, f"cannot be unpacked whole ({error})", "fetch it again, or make room") from error
        top = list(Path(folder).iterdir())
        inner = top[0] if len(top) == 1 and top[0].is_dir() else Path(folder)
        yield from _read_folder(inner, said=said, on_skipped=on_skipped)


def _check_end(archive: tarfile.TarFile) -> None:
    """Raise where the archive does not end as it should: to Python's reader a torn one is just a shorter one."""
    rest = archive.fileobj
    assert rest is not None  # noqa: S101  (it is being read)
    rest.seek(archive.offset)
    end = rest.read(tarfile.BLOCKSIZE)
    if len(end) < tarfile.BLOCKSIZE or end.strip(b"\0"):
        raise tarfile.ReadError("it ends too early")
    while rest.read(2**20):
        pass  # the sums of gzip, bzip2 and xz are only compared at the end


def _read_text(path: Path, *, said: Said) -> Batch:
    body = decode(path.read_bytes())
    if kind := measured.measured_kind(body):
        return measured.read_measured(path, kind, body, said_repo=said.repo, said_run=said.run)
    if problem := saved_error(body):
        raise BadInput(path, f"holds {problem}, not a log", "download it again; logs expire after 90 days by default")
    if not body.strip():
        raise BadInput(path, "is empty", "download it again")
    if runlogs.is_junit(body):
        return runlogs.read_junit(path, body, said_repo=said.repo, said_run=said.run)
    if b"\0" in body[:8192]:
        raise BadInput(
            path, "is a binary file, not a log", "give a log, a run's zip, a tinuous tree or a JUnit XML file"
        )
    if gh.is_gh_output(body):
        return gh.read_output(path, body, said_repo=said.repo, said_run=said.run, said_workflow=said.workflow)
    return runlogs.read_job_log(path, body, said_repo=said.repo, said_run=said.run, said_workflow=said.workflow)
