"""The git side of the sample: a real repository with commits, branches and merges at simulated dates.

Every commit knows its `Code`: which variant of the sources and of the workflow files it holds. That is how the
calendar knows which recording and which jobs belong to a run of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from .record import PATCHES, WORKSPACE


@dataclass(frozen=True)
class Code:
    """What a commit holds, as far as a run can show it."""

    state: str = "base"
    lint: str = "ok"
    version: str = "0.7.0"
    has_rust_cache: bool = False
    has_build_jobs: bool = False
    has_run_id_key: bool = False
    has_short_integration: bool = False
    has_codegen_units: bool = False
    checkout: str = "v6"

    def after(self, patch: str) -> Code:
        """The code after one of the files in `patches/`."""
        return replace(self, **_EFFECTS[patch])  # type: ignore[arg-type]


_EFFECTS: dict[str, dict[str, object]] = {
    "regression": {"state": "regression"},
    "-regression": {"state": "base"},
    "env-fixed": {"state": "env-fixed"},
    "feature-off": {"state": "feature-off"},
    "fmt": {"lint": "fmt"},
    "-fmt": {"lint": "ok"},
    "clippy": {"lint": "clippy"},
    "-clippy": {"lint": "ok"},
    "type-error": {"lint": "type-error"},
    "-type-error": {"lint": "ok"},
    "ci-rust-cache": {"has_rust_cache": True},
    "ci-build-jobs": {"has_build_jobs": True},
    "ci-short-integration": {"has_short_integration": True},
    "ci-run-id-key": {"has_run_id_key": True},
    "ci-stable-key": {"has_run_id_key": False},
    "nightly-codegen-units": {"has_codegen_units": True},
    "checkout-v7": {"checkout": "v7"},
}


@dataclass(frozen=True)
class Edit:
    """One change: a patch (a leading `-` takes it back), new words at the head of a file, a new page, a version."""

    patches: tuple[str, ...] = ()
    reword: tuple[tuple[str, str], ...] = ()
    page: tuple[tuple[str, str], ...] = ()
    version: str = ""


class Repository:
    """A work tree and its history; every commit is made with the dates it is given."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.codes: dict[str, Code] = {}
        path.mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch=main")

    def start(self, *, at: datetime, author: str) -> str:
        """Makes the first commit from the workspace as it stands, on `main`, and `develop` beside it."""
        shutil.copytree(WORKSPACE, self.path, dirs_exist_ok=True)
        sha = self._commit("kvstore 0.7.0", at, author)
        self.codes[sha] = Code()
        self._git("branch", "develop")
        return sha

    def branch(self, name: str, *, base: str) -> None:
        self._git("branch", name, base)

    def commit(self, branch: str, message: str, edit: Edit, *, at: datetime, author: str) -> str:
        """Commits one edit on a branch and returns its SHA."""
        self._git("checkout", "--quiet", branch)
        code = self.codes[self.tip(branch)]
        for patch in edit.patches:
            name, reverse = (patch[1:], ("--reverse",)) if patch.startswith("-") else (patch, ())
            self._git("apply", *reverse, str(PATCHES / f"{name}.patch"))
            code = code.after(patch)
        for path, words in edit.reword:
            file = self.path / path
            _, rest = file.read_text().split("\n", 1)
            file.write_text(f"//! {words}\n{rest}")
        for path, text in edit.page:
            (self.path / path).parent.mkdir(parents=True, exist_ok=True)
            (self.path / path).write_text(text)
        if edit.version:
            for file in (self.path / "Cargo.toml", self.path / "Cargo.lock"):
                file.write_text(file.read_text().replace(f'"{code.version}"', f'"{edit.version}"'))
            code = replace(code, version=edit.version)
        sha = self._commit(message, at, author)
        self.codes[sha] = code
        return sha

    def merge(self, branch: str, *, into: str, message: str, at: datetime, author: str) -> str:
        """Merges with a merge commit; the result has what either side changed since the common base."""
        base = self._git("merge-base", into, branch).strip()
        ours, theirs, common = self.codes[self.tip(into)], self.codes[self.tip(branch)], self.codes[base]
        changed = {name: value for name, value in vars(theirs).items() if value != getattr(common, name)}
        self._git("checkout", "--quiet", into)
        self._git("merge", "--quiet", "--no-ff", "-m", message, branch, environment=_identity(author, at))
        sha = self.tip(into)
        self.codes[sha] = replace(ours, **changed)
        return sha

    def tag(self, name: str, *, at: datetime, author: str) -> None:
        self._git("tag", "-a", name, "-m", name, "main", environment=_identity(author, at))

    def tip(self, branch: str) -> str:
        return self._git("rev-parse", branch).strip()

    def subject(self, sha: str) -> str:
        return self._git("show", "--no-patch", "--format=%s", sha).strip()

    def bundle(self, path: Path) -> bytes:
        """Everything as a git bundle; one thread, so that the same history gives the same bytes."""
        self._git("checkout", "--quiet", "develop")
        self._git("-c", "pack.threads=1", "bundle", "create", "--quiet", str(path), "--all")
        return path.read_bytes()

    def _commit(self, message: str, at: datetime, author: str) -> str:
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", message, environment=_identity(author, at))
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *words: str, environment: Mapping[str, str] | None = None) -> str:
        quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PATH": os.environ["PATH"]}
        command = ["git", "-c", "core.autocrlf=false", *words]
        done = subprocess.run(
            command, cwd=self.path, env={**quiet, **(environment or {})}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout


def _identity(login: str, at: datetime) -> dict[str, str]:
    date, mail = at.isoformat(), f"{login.replace('[bot]', '')}@example.com"
    return {
        f"GIT_{role}_{word}": value
        for role in ("AUTHOR", "COMMITTER")
        for word, value in (("NAME", login), ("EMAIL", mail), ("DATE", date))
    }
