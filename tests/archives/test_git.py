"""Small real repositories, made with git, and what is read from them."""

import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kotaci.archives.git import read_clone
from kotaci.model import BadInput
from kotaci.store import Payload

WORKFLOW = "on: push\njobs: {a: {runs-on: x}}\n"


class Repository:
    """A repository that commits at fixed moments: the n-th commit on 2026-01-n."""

    def __init__(self, path: Path) -> None:
        self.path, self.n_commits = path, 0
        path.mkdir()
        self.git("init", "-q", "-b", "main", ".")

    def git(self, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> str:
        who = {"GIT_AUTHOR_NAME": "Übung", "GIT_COMMITTER_NAME": "c", "GIT_CONFIG_NOSYSTEM": "1"}
        who |= {"GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_EMAIL": "c@example.org"}
        when = f"2026-01-{self.n_commits or 1:02}T12:00:00+02:00"
        dates = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when, "GIT_CONFIG_GLOBAL": os.devnull}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env={**os.environ, **who, **dates, **(env or {})},
            input=stdin,
            capture_output=True,
            check=True,
        )
        return done.stdout.decode().strip()

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def commit(self, message: str = "m", *arguments: str) -> str:
        self.n_commits += 1
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-F", "-", *arguments, stdin=message.encode())
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "clone")


def read(path: Path, kind: str, **options: Any) -> dict[str, Any]:
    return {payload.key: payload.body for payload in read_clone(path, **options) if payload.kind == kind}


def test_a_commit_is_read_as_the_api_gives_it(repository: Repository) -> None:
    repository.write(**{"a b.txt": "1", ".github/workflows/ci.yml": WORKFLOW})
    sha = repository.commit("fix(ci): ü\n\nbody\n\nA\tnot-a-file\n")
    (payload,) = [payload for payload in read_clone(repository.path) if payload.kind == "commit"]
    assert payload == Payload(
        "commit",
        sha,
        {
            "sha": sha,
            "parents": [],
            "commit": {
                "author": {"name": "Übung", "date": "2026-01-01T10:00:00Z"},
                "committer": {"name": "c", "date": "2026-01-01T10:00:00Z"},
                "message": "fix(ci): ü\n\nbody\n\nA\tnot-a-file",
            },
            "files": [
                {"filename": ".github/workflows/ci.yml", "status": "added"},
                {"filename": "a b.txt", "status": "added"},
            ],
            "workflows_tree": repository.git("rev-parse", "HEAD:.github/workflows"),
        },
        datetime(2026, 1, 1, 10, tzinfo=UTC),
    )


def test_changes_renames_and_removals_are_told_apart(repository: Repository) -> None:
    repository.write(a="1\n", b="2\n", c="3\n")
    repository.commit()
    repository.git("mv", "b", "sub-ü.txt")
    repository.git("rm", "-q", "c")
    repository.write(a="changed\n")
    sha = repository.commit()
    empty = repository.commit("nothing")
    commits = read(repository.path, "commit")
    assert commits[empty]["files"] == []
    assert commits[sha]["files"] == [
        {"filename": "a", "status": "modified"},
        {"filename": "c", "status": "removed"},
        {"filename": "sub-ü.txt", "status": "renamed", "previous_filename": "b"},
    ]


def test_a_merge_is_compared_with_its_first_parent_and_every_branch_is_read(repository: Repository) -> None:
    base = repository.commit("base")
    repository.git("checkout", "-q", "-b", "topic")
    repository.write(topic="1")
    topic = repository.commit("topic")
    repository.git("checkout", "-q", "main")
    repository.write(main="1")
    main = repository.commit("main")
    repository.n_commits += 1
    repository.git("merge", "-q", "--no-ff", "-m", "merge", "topic")
    merge = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "-q", "-b", "other")
    other = repository.commit("other")
    repository.git("checkout", "-q", "main")
    commits = read(repository.path, "commit")
    assert set(commits) == {base, topic, main, merge, other}
    assert commits[merge]["parents"] == [main, topic]
    assert commits[merge]["files"] == [{"filename": "topic", "status": "added"}]


def test_workflows_are_read_once_per_distinct_tree(repository: Repository) -> None:
    none = repository.commit("no workflows")
    repository.write(
        **{".github/workflows/a.yml": WORKFLOW, ".github/workflows/b.yaml": "b", ".github/workflows/c.md": "c"}
    )
    two = repository.commit()
    repository.write(other="1")
    same = repository.commit()
    repository.git("rm", "-q", ".github/workflows/b.yaml")
    one = repository.commit()
    commits, trees = read(repository.path, "commit"), read(repository.path, "workflow_tree")
    assert len([payload for payload in read_clone(repository.path) if payload.kind == "workflow_tree"]) == 2
    tree = {sha: commit["workflows_tree"] for sha, commit in commits.items()}
    assert (tree[none], tree[two]) == ("", tree[same])
    assert list(trees) == [tree[one], tree[two]]
    blob = repository.git("rev-parse", "HEAD:.github/workflows/a.yml")
    assert trees[tree[one]] == {".github/workflows/a.yml": blob}
    assert set(trees[tree[two]]) == {".github/workflows/a.yml", ".github/workflows/b.yaml"}
    assert sorted(read(repository.path, "workflow_file").values()) == ["b", WORKFLOW]


def test_a_file_in_place_of_the_folder_is_no_tree(repository: Repository) -> None:
    repository.write(**{".github/workflows": "a file"})
    sha = repository.commit()
    assert read(repository.path, "commit")[sha]["workflows_tree"] == ""


def test_since_is_exact_and_takes_its_trees_along(repository: Repository) -> None:
    repository.write(**{".github/workflows/a.yml": "old"})
    repository.commit()
    repository.write(**{".github/workflows/a.yml": "new"})
    second = repository.commit()
    since = datetime(2026, 1, 2, 10, tzinfo=UTC)
    assert list(read(repository.path, "commit", since=since)) == [second]
    assert list(read(repository.path, "workflow_file", since=since).values()) == ["new"]
    assert read(repository.path, "commit", since=datetime(2027, 1, 1, tzinfo=UTC)) == {}


def test_strange_bytes_and_hostile_names_survive(repository: Repository) -> None:
    blob = repository.git("hash-object", "-w", "--stdin", stdin=b"on: \xff push\n")
    inner = repository.git("mktree", "-z", stdin=f"100644 blob {blob}\t".encode() + b"\xff.yml\0")
    github = repository.git("mktree", stdin=f"040000 tree {inner}\tworkflows\n".encode())
    names = b"".join(
        f"100644 blob {blob}\t".encode() + name + b"\0"
        for name in (b"--output=x", b"new\nline", b"tab\there", b"A", b"f" * 40, b"\xe9")
    )
    root = repository.git("mktree", "-z", stdin=f"040000 tree {github}\t.github\0".encode() + names)
    raw = f"tree {root}\nauthor \xe9 <e> 1767261600 +0000\ncommitter c <e> 99999999999999999 +0000\n\nm\xe9\n"
    sha = repository.git("hash-object", "-w", "-t", "commit", "--literally", "--stdin", stdin=raw.encode("latin-1"))
    repository.git("update-ref", "refs/heads/main", sha)
    commit = read(repository.path, "commit")[sha]
    assert [file["filename"] for file in commit["files"]] == [
        "--output=x", ".github/workflows/\ufffd.yml", "A", "f" * 40, "new\nline", "tab\there", "\ufffd",
    ]  # fmt: skip
    assert (commit["commit"]["message"], commit["commit"]["author"]["name"]) == ("m\ufffd", "\ufffd")
    assert read(repository.path, "workflow_tree") == {inner: {".github/workflows/\ufffd.yml": blob}}
    assert read(repository.path, "workflow_file") == {blob: "on: \ufffd push\n"}


def test_the_head_says_where_the_clone_is_from(repository: Repository, tmp_path: Path) -> None:
    assert read(repository.path, "head") == {"HEAD": {"sha": "", "branch": "main", "default_branch": "", "remote": ""}}
    sha = repository.commit()
    repository.git("clone", "-q", str(repository.path), str(tmp_path / "second"))
    second = tmp_path / "second"
    repository.git("-C", str(second), "checkout", "-q", "--detach")
    expected = {"sha": sha, "branch": "", "default_branch": "main", "remote": ""}
    assert read(second, "head") == {"HEAD": expected}
    for url in ("https://user:secret@github.com/o/n.git", "git@github.com:o/n.git", "ssh://git@github.com:22/o/n"):
        repository.git("-C", str(second), "remote", "set-url", "origin", url)
        assert read(second, "head") == {"HEAD": {**expected, "remote": "o/n"}}
    for url in ("https://user:secret@ghe.example/o/n.git", "git@ghe.example:o/n.git", "ssh://git@ghe.example:22/o/n"):
        repository.git("-C", str(second), "remote", "set-url", "origin", url)
        assert read(second, "head") == {"HEAD": {**expected, "remote": "ghe.example/o/n"}}


def test_code_owners_are_those_github_would_use_at_head(repository: Repository) -> None:
    repository.write(CODEOWNERS="* @a", **{"docs/CODEOWNERS": "* @b"})
    repository.commit()
    assert list(read(repository.path, "codeowners").values()) == ["* @a"]


def test_a_bare_clone_a_git_folder_and_a_bundle_hold_the_same(repository: Repository, tmp_path: Path) -> None:
    repository.write(**{".github/workflows/a.yml": WORKFLOW})
    repository.commit()
    repository.git("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    repository.git("bundle", "create", "-q", str(tmp_path / "all.bundle"), "--all", "HEAD")
    whole = [payload for payload in read_clone(repository.path) if payload.kind != "head"]
    assert len(whole) == 3
    for path in (repository.path / ".git", tmp_path / "bare", tmp_path / "all.bundle"):
        head, *others = read_clone(path)
        assert (head.kind, others) == ("head", whole)


def test_what_cannot_be_read_is_said(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        repository.commit()
    shallow = tmp_path / "shallow"
    repository.git("clone", "-q", "--depth=1", f"file://{repository.path}", str(shallow))
    with pytest.raises(BadInput, match=r"shallow clone.*--unshallow"):
        read_clone(shallow)
    folder = repository.path / "folder"
    folder.mkdir()
    with pytest.raises(BadInput, match="not a git repository"):
        read_clone(folder)
    with pytest.raises(BadInput, match="does not exist"):
        read_clone(tmp_path / "none")
    (tmp_path / "file").write_text("text")
    with pytest.raises(BadInput, match="not a git bundle"):
        read_clone(tmp_path / "file")
    (tmp_path / "torn").write_bytes(b"# v2 git bundle\nrubbish")
    with pytest.raises(BadInput, match="without commits"):
        list(read_clone(tmp_path / "torn"))
    repository.git("bundle", "create", "-q", str(tmp_path / "part"), "main~1..main")
    with pytest.raises(BadInput, match="git says"):
        list(read_clone(tmp_path / "part"))
    with monkeypatch.context() as context:
        context.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        context.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        context.setenv("GIT_CONFIG_NOSYSTEM", "1")
        with pytest.raises(BadInput, match=r"another user.*safe\.directory"):
            read_clone(repository.path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="not installed"):
        read_clone(repository.path)


def test_settings_of_the_clone_start_nothing_and_change_nothing(repository: Repository, tmp_path: Path) -> None:
    repository.write(a="1", **{".gitattributes": "* diff=evil"})
    plain = repository.commit()
    unsigned = repository.git("cat-file", "commit", plain)
    head, _, message = unsigned.partition("\n\n")
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
    signed = f"{head}\n{signature}\n\n{message}\n".encode()
    sha = repository.git("hash-object", "-w", "-t", "commit", "--stdin", stdin=signed)
    repository.git("update-ref", "refs/heads/signed", sha)
    before = list(read_clone(repository.path))
    trap, mark = tmp_path / "trap.sh", tmp_path / "mark"
    trap.write_text(f"#!/bin/sh\necho hit >> {mark}\n")
    trap.chmod(0o755)
    for name in ("core.fsmonitor", "core.pager", "diff.external", "diff.evil.textconv", "diff.evil.command",
                 "gpg.program", "core.sshCommand"):  # fmt: skip
        repository.git("config", name, str(trap))
    settings = {"log.showSignature": "true", "log.showRoot": "false", "diff.renames": "false", "color.ui": "always"}
    for name, value in settings.items():
        repository.git("config", name, value)
    assert list(read_clone(repository.path)) == before
    assert not mark.exists()


def test_a_partial_clone_is_refused_and_fetches_nothing(repository: Repository, tmp_path: Path) -> None:
    repository.write(**{".github/workflows/a.yml": WORKFLOW})
    repository.commit()
    blob = repository.git("rev-parse", "HEAD:.github/workflows/a.yml")
    (repository.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    trap, mark = tmp_path / "trap.sh", tmp_path / "mark"
    trap.write_text(f"#!/bin/sh\necho hit >> {mark}\n")
    trap.chmod(0o755)
    settings = {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": str(repository.path),
        "remote.origin.uploadpack": str(trap),
    }
    for name, value in settings.items():
        repository.git("config", name, value)
    with pytest.raises(BadInput, match=r"git says|without filters"):
        list(read_clone(repository.path))
    assert not mark.exists()


def test_an_iterator_left_early_leaves_nothing_behind(repository: Repository) -> None:
    for _ in range(3):
        repository.commit()
    payloads = read_clone(repository.path)
    assert [next(payloads).kind, next(payloads).kind] == ["head", "commit"]
    payloads.close()  # type: ignore[attr-defined]
