"""A git clone (or bundle) to payloads: commits, workflow trees and files, CODEOWNERS, HEAD.

The clone is a stranger's: its configuration may name programs, so everything that would start one, or reach a
network, is switched off; object ids go in by standard input, never as options; output is read NUL by NUL.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO, Any

from kotaci.model import BadInput, Repo
from kotaci.store import Payload

WORKFLOWS = ".github/workflows"
CODEOWNERS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks, first hit wins."""

MAX_BLOB = 4 << 20
"""Bytes kept of one workflow file or CODEOWNERS; the reader of workflows refuses a quarter of that."""

_OPTIONS = (
    "--no-pager",
    "--no-optional-locks",
    *("-c", "diff.ignoreSubmodules=none"),
    *("-c", "log.showSignature=false"),
)
_REFS = ("--exclude=refs/stash", "--exclude=refs/notes/*", "--all")
_INHERITED = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
)
_FORMAT = "%x00".join(("%H", "%P", "%an", "%at", "%cn", "%ct", "%B", ""))
_N_FIELDS = 8
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_STATUS = re.compile(rb"\n?([A-Z])[0-9]{0,3}")
_STATUSES = {b"A": "added", b"D": "removed", b"R": "renamed"}
_BUNDLE = re.compile(rb"# v[0-9]+ git bundle\n")


def read_clone(path: Path, *, since: datetime | None = None) -> Iterator[Payload]:
    """Yield what the clone at `path` holds: its `head`, then commits, workflow trees and files, code owners.

    `path` is a work tree, a bare clone, a `.git` folder, or a bundle file. Commits are those reachable from any
    ref but stash and notes, from `since` on (by committed date), the newest first, files against the first
    parent. Trees, files and code owners carry no date. Bodies follow the REST API where it has the thing.

    - `commit`: sha, parents, commit {author, committer, message}, files, workflows_tree ("" without workflows)
    - `workflow_tree`: path to blob id, of every distinct `.github/workflows` among these commits
    - `workflow_file`, `codeowners`: the text of a blob; code owners only as of HEAD
    - `head`: sha ("" in an empty repository), branch ("" when detached), default_branch, remote (owner/name)

    Raises BadInput where git is missing or refuses, where this is no repository, or where commits are missing.
    """
    if shutil.which("git") is None:
        raise BadInput("git", "is not installed", "install git 2.31 or later and put it on the PATH")
    if not path.exists():
        raise BadInput(path, "does not exist", "give the folder of a clone")
    if path.is_file() and not _is_bundle(path):
        raise BadInput(path, "is a file, and not a git bundle", "give the folder of a clone, or a bundle")
    if path.is_file():
        return _read_bundle(path, since=since)
    git = _open(path)
    return _read(git, since=since)


def commit_at(path: Path) -> str:
    """Return the id of the commit that the work tree at `path` has checked out; "" where git tells none."""
    if shutil.which("git") is None or not path.is_dir():
        return ""
    return _Git(path.resolve()).line("rev-parse", "--verify", "--quiet", "HEAD^{commit}")


def branch_of(path: Path) -> str:
    """Return the branch that HEAD of the clone at `path` stands on; "" where it stands on none."""
    return _Git(path.resolve()).line("symbolic-ref", "--quiet", "--short", "HEAD") if shutil.which("git") else ""


def list_worktree(path: Path) -> list[str] | None:
    """Return the files of the work tree at `path` that git knows, or would add; None where this is no work tree."""
    if shutil.which("git") is None:
        return None
    git = _Git(path.resolve())
    if git.line("rev-parse", "--is-inside-work-tree") != "true":
        return None
    with git.output("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate") as output:
        names = [_text(name) for name in _split(output)]
    return [name for name in names if (path / name).is_file()]


def list_commit(path: Path, commit: str) -> tuple[str, dict[str, str]]:
    """Return the id of that commit, and the blob id of each of its files by path. Raises BadInput where it is none."""
    if shutil.which("git") is None:
        raise BadInput("git", "is not installed", "install git 2.31 or later and put it on the PATH")
    git = _Git(path.resolve())
    (sha, kind) = _check(git, [f"{commit}^{{commit}}"])[0]
    if kind != "commit":
        raise BadInput(commit, f"is no commit of the clone {path}", "name a branch, a tag or a commit that it has")
    with git.output("ls-tree", "-r", "-z", "--full-tree", sha) as output:
        entries = [_text(entry).partition("\t") for entry in _split(output)]
    return sha, {name: said.rpartition(" ")[2] for said, _, name in entries if said.startswith("100")}


@dataclass(frozen=True)
class PastChange:
    """One file that a commit changed: its blob before and after, empty where there was or is none."""

    path: str
    before: str
    after: str


@dataclass(frozen=True)
class PastCommit:
    """A commit of a clone with what it changed against its first parent; `at` is when it was committed."""

    sha: str
    parents: tuple[str, ...]
    at: datetime
    authored_at: datetime
    author: str
    message: str
    changes: tuple[PastChange, ...]

    @property
    def subject(self) -> str:
        """Return the first line of its message."""
        return self.message.partition("\n")[0]

    @property
    def is_merge(self) -> bool:
        """Return whether it has several parents."""
        return len(self.parents) > 1


def list_past(path: Path, *, ref: str = "HEAD") -> list[PastCommit]:
    """Return the commits that lead to `ref`, on all lines, those that git logs last first: parents before children.

    A rename is a removal and an addition. Raises BadInput where `ref` is no commit, or where the clone is shallow.
    """
    if shutil.which("git") is None:
        raise BadInput("git", "is not installed", "install git 2.31 or later and put it on the PATH")
    git = _open(path)
    (sha, kind) = _check(git, [f"{ref}^{{commit}}"])[0]
    if kind != "commit":
        raise BadInput(ref, f"is no commit of the clone {path}", "name a branch, a tag or a commit that it has")
    shown = ("--raw", "-z", "--no-abbrev", "--no-renames", "--root", "--topo-order", "--diff-merges=first-parent")
    safety = ("--no-ext-diff", "--no-textconv", "--no-notes", "--no-color", "--encoding=UTF-8")
    fields = "%x00".join(("%H", "%P", "%an", "%at", "%ct", "%B", ""))
    with git.output("log", *shown, *safety, f"--format=tformat:%x01%x00{fields}", sha) as output:
        words = _split(output)
        found, said = [], next(words, b"")
        while said.endswith(b"\1"):
            one, parents, author, authored, committed, message, _ = map(_text, islice(words, 7))
            changes = []
            for said in words:
                if not said.lstrip(b"\n").startswith(b":"):
                    break
                changes.append(_to_change(said, _text(next(words, b""))))
            else:
                said = b""
            found.append(
                PastCommit(
                    one,
                    tuple(parents.split()),
                    _to_moment(committed) or _FIRST,
                    _to_moment(authored) or _FIRST,
                    author,
                    message.rstrip("\n"),
                    tuple(changes),
                )
            )
    return found[::-1]


def _to_change(said: bytes, name: str) -> PastChange:
    """Return a change from `:mode mode blob blob status`; what is no plain file (a link, a submodule) has no blob."""
    old_mode, new_mode, before, after, _ = said.decode("ascii", "replace").strip("\n:").split()
    return PastChange(name, before if old_mode.startswith("100") else "", after if new_mode.startswith("100") else "")


def read_blobs(path: Path, oids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (blob id, content) of the clone at `path`, in order, at most MAX_BLOB bytes of each."""
    return _read_objects(_Git(path.resolve()), oids)


@dataclass(frozen=True)
class _Git:
    """Runs git in one repository, without a shell, a prompt, a pager or a network."""

    path: Path
    is_bare: bool = False
    protocols: str = "none"
    """what git may fetch over; a missing object of a partial clone is not worth a program its settings name"""

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in _INHERITED}
        return {
            **kept,
            "GIT_ALLOW_PROTOCOL": self.protocols,
            "GIT_CEILING_DIRECTORIES": str(self.path.parent),
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }

    def line(self, *arguments: str) -> str:
        """Return the first line git prints; "" where it fails (a ref or setting that is not there)."""
        done = subprocess.run(
            ["git", *_OPTIONS, *arguments],
            cwd=self.path,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        return _text(done.stdout.partition(b"\n")[0]) if done.returncode == 0 else ""

    @contextmanager
    def output(self, *arguments: str, lines: Iterable[str] = ()) -> Iterator[IO[bytes]]:
        """Give git's output while it runs; `lines` are its input. Raises BadInput where git fails."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
            given.writelines(f"{line}\n".encode() for line in lines)
            given.seek(0)
            with subprocess.Popen(
                ["git", *_OPTIONS, *arguments],
                cwd=self.path,
                env=self.environment(),
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=errors,
            ) as process:
                assert process.stdout is not None  # noqa: S101  (asked for by PIPE)
                try:
                    yield process.stdout
                except BaseException:
                    process.kill()
                    raise
                process.stdout.close()
            if process.returncode != 0:
                errors.seek(0)
                raise _refusal(self.path, errors.read())


def _open(path: Path) -> _Git:
    git = _Git(path.resolve())
    with git.output("rev-parse", "--is-bare-repository", "--is-shallow-repository") as output:
        said = output.read()
    is_bare, is_shallow = said.split()
    if is_shallow == b"true":
        raise BadInput(path, "is a shallow clone, so commits are missing", "run: git fetch --unshallow")
    return _Git(git.path, is_bare=is_bare == b"true")


def _refusal(path: Path, errors: bytes) -> BadInput:
    said = _text(errors)
    if "dubious ownership" in said:
        return BadInput(
            path,
            "belongs to another user, and git refuses to read it",
            "if you trust it, run: git config --global --add safe.directory and the folder",
        )
    if "not a git repository" in said:
        return BadInput(path, "is not a git repository", "give the folder of a clone")
    fault = next((line for line in said.splitlines() if line.startswith(("fatal:", "error:"))), said)
    return BadInput(path, f"git says: {' '.join(fault.split())[:200]}", "check it with: git fsck")


def _is_bundle(path: Path) -> bool:
    with path.open("rb") as file:
        return _BUNDLE.match(file.read(32)) is not None


def _read_bundle(path: Path, *, since: datetime | None) -> Iterator[Payload]:
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder).resolve() / "clone"
        empty = _Git(clone.parent, protocols="file")
        options = ("--mirror", "--quiet", "--template=", "--")
        with empty.output("clone", *options, str(path.resolve()), str(clone)) as output:
            output.read()
        git = _open(clone)
        # A torn header is an empty bundle to git, and no complaint.
        if not git.line("rev-list", "--all", "--max-count=1"):
            raise BadInput(path, "is a bundle without commits", "make it again: git bundle create FILE --all")
        for payload in _read(git, since=since):
            if payload.kind == "head":
                yield Payload("head", payload.key, {**payload.body, "remote": ""})
            else:
                yield payload


def _read(git: _Git, *, since: datetime | None) -> Iterator[Payload]:
    shas = _list_commits(git, since=since)
    trees = _find_workflow_trees(git, shas)
    yield _read_head(git)
    yield from _read_commits(git, shas, trees)
    blobs: dict[str, None] = {}
    for tree, content in _read_objects(git, dict.fromkeys(filter(None, trees.values()))):
        files = dict(_parse_tree(content, id_bytes=len(tree) // 2))
        yield Payload("workflow_tree", tree, files)
        blobs.update(dict.fromkeys(files.values()))
    for blob, content in _read_objects(git, blobs):
        yield Payload("workflow_file", blob, _text(content))
    owners = [oid for oid, kind in _check(git, [f"HEAD:{place}" for place in CODEOWNERS]) if kind == "blob"]
    for blob, content in _read_objects(git, owners[:1]):
        yield Payload("codeowners", blob, _text(content))


def _list_commits(git: _Git, *, since: datetime | None) -> list[str]:
    earliest = since.timestamp() if since else None
    shas = []
    with git.output("log", *_REFS, "--format=%ct %H") as output:
        for line in output:
            seconds, _, sha = line.decode("ascii", "replace").strip().rpartition(" ")
            if earliest is None or (seconds.isdigit() and int(seconds) >= earliest):
                shas.append(sha)
    return shas


def _find_workflow_trees(git: _Git, shas: list[str]) -> dict[str, str]:
    found = _check(git, [f"{sha}:{WORKFLOWS}" for sha in shas])
    return {sha: oid if kind == "tree" else "" for sha, (oid, kind) in zip(shas, found, strict=True)}


def _check(git: _Git, names: Iterable[str]) -> list[tuple[str, str]]:
    """Return (object id, kind) for each name; the kind is `missing` where there is none."""
    with git.output("cat-file", "--batch-check=%(objectname) %(objecttype)", lines=names) as output:
        found = [line.decode("utf-8", "replace").strip().rpartition(" ") for line in output]
    return [(oid, kind) for oid, _, kind in found]


def _read_head(git: _Git) -> Payload:
    (oid, kind) = _check(git, ["HEAD^{commit}"])[0]
    branch = git.line("symbolic-ref", "--quiet", "--short", "HEAD")
    origin = git.line("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
    body = {
        "sha": oid if kind == "commit" else "",
        "branch": branch,
        "default_branch": origin.removeprefix("origin/") or (branch if git.is_bare else ""),
        "remote": _to_repo(git.line("config", "--get", "remote.origin.url")),
    }
    return Payload("head", "HEAD", body)


def _to_repo(url: str) -> str:
    """Return owner/name of a remote on a host, with the host where it is not github.com; "" for a folder or anything
    else. No credentials survive."""
    if not re.match(r"(?:https?|ssh|git)://|[^/@\s]+@[^/:\s]+:", url):
        return ""
    try:
        return str(Repo.parse(url))
    except BadInput:
        return ""


def _read_commits(git: _Git, shas: list[str], trees: Mapping[str, str]) -> Iterator[Payload]:
    if not shas:
        return  # git would log HEAD where its input is empty
    arguments = ("--no-walk=unsorted", "--stdin", "-z", "--name-status", "--find-renames=100%", "--root")
    safety = ("--no-ext-diff", "--no-textconv", "--no-notes", "--no-color", "--diff-merges=first-parent")
    with git.output(
        "log", *arguments, *safety, "--encoding=UTF-8", f"--format=tformat:{_FORMAT}", lines=shas
    ) as output:
        words = _split(output)
        fields = [word for _, word in zip(range(_N_FIELDS), words, strict=False)]
        while len(fields) == _N_FIELDS:
            files = []
            following: list[bytes] = []
            for word in words:
                status = _STATUS.fullmatch(word)
                if status is None:
                    following = [word]
                    break
                files.append(_to_file(status[1], words))
            yield _to_commit(fields, files, trees)
            fields = following + [word for _, word in zip(range(_N_FIELDS - 1), words, strict=False)]


def _to_file(status: bytes, words: Iterator[bytes]) -> dict[str, str]:
    first = _text(next(words, b""))
    if status in {b"R", b"C"}:
        return {
            "filename": _text(next(words, b"")),
            "status": "renamed" if status == b"R" else "added",
            "previous_filename": first,
        }
    return {"filename": first, "status": _STATUSES.get(status, "modified")}


def _to_commit(fields: list[bytes], files: list[dict[str, str]], trees: Mapping[str, str]) -> Payload:
    sha, parents, author, authored, committer, committed, message, _ = map(_text, fields)
    at = _to_moment(committed)
    body: dict[str, Any] = {
        "sha": sha,
        "parents": parents.split(),
        "commit": {
            "author": {"name": author, "date": _to_date(_to_moment(authored))},
            "committer": {"name": committer, "date": _to_date(at)},
            "message": message.rstrip("\n"),
        },
        "files": files,
        "workflows_tree": trees.get(sha, ""),
    }
    return Payload("commit", sha, body, at)


def _to_moment(seconds: str) -> datetime | None:
    """Return the moment; None for what is no number, or before year 1 or after year 9999."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))
    except (ValueError, OverflowError):
        return None


def _to_date(moment: datetime | None) -> str:
    return moment.isoformat().replace("+00:00", "Z") if moment else ""


def _split(output: IO[bytes]) -> Iterator[bytes]:
    """Yield the NUL-terminated words of a stream."""
    rest = b""
    while chunk := output.read(1 << 16):
        *words, rest = (rest + chunk).split(b"\0")
        yield from words
    if rest:
        yield rest


def _read_objects(git: _Git, oids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (object id, content) for each id, in order, at most MAX_BLOB bytes of each."""
    with git.output("cat-file", "--batch", lines=oids) as output:
        while header := output.readline():
            oid, kind, *size = header.decode("ascii", "replace").split()
            if not size:
                raise BadInput(git.path, f"object {oid} is {kind}", "fetch the whole clone, without filters")
            content, left = output.read(min(int(size[0]), MAX_BLOB)), int(size[0]) - MAX_BLOB
            while left > 0:
                left -= len(output.read(min(left, 1 << 16)))
            output.read(1)
            yield oid, content


def _parse_tree(content: bytes, *, id_bytes: int) -> Iterator[tuple[str, str]]:
    """Yield (path, blob id) of the workflow files in a tree object: `<mode> <name> NUL <id>`, again and again."""
    position = 0
    while (end := content.find(b"\0", position)) >= 0:
        mode, _, name = content[position:end].partition(b" ")
        position = end + 1 + id_bytes
        if mode.startswith(b"100") and name.lower().endswith((b".yml", b".yaml")):
            yield f"{WORKFLOWS}/{_text(name)}", content[end + 1 : position].hex()


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
