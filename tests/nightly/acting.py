"""The scheduled workflow run by the real act on this machine, against GitHub on loopback; see standins/README.md."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.github_server import Server
from tests.github_server.shapes import Body

ROOT = Path(__file__).parent.parent.parent
WORKFLOW = ROOT / ".github" / "workflows" / "ci-report.yml"
STANDINS = Path(__file__).parent / "standins"
ACT = Path(sys.executable).parent / "act"


def make_home(folder: Path) -> Path:
    """Return a wheel of this kotaci; beside it lies `home`, an environment with it and what it needs.

    The nights install the wheel as GitHub's would; that it is there already saves them seconds.
    """
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist"), str(ROOT)]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    home = folder / "home"
    venv.create(home, symlinks=True)
    (home / "share").symlink_to(Path(sys.prefix) / "share")
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "needed.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    # It comes with JupyterLab alone, and jsonschema spends seconds on its grammars wherever it is there.
    (packages / "rfc3987_syntax.py").write_text("raise ImportError('is not there without [lab]')\n")
    pip = [
        str(home / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--no-index",
        "--no-deps",
        "--force-reinstall",
        str(wheel),
    ]
    clean = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(pip, cwd=folder, env=clean, check=True, capture_output=True)
    return wheel


class Shelf(MutableMapping[int, Body]):
    """The caches that the server lists and deletes: those of the stand-ins, and some of the user's own."""

    def __init__(self, folder: Path, others: dict[int, Body]) -> None:
        self.folder, self.others, self._numbers = folder, others, dict[str, int]()

    def _ours(self) -> dict[int, str]:
        names = sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []
        return {self._numbers.setdefault(name, len(self._numbers) + 1): name for name in names}

    def __getitem__(self, number: int) -> Body:
        if number in self.others:
            return self.others[number]
        path = self.folder / self._ours()[number]
        at = "2026-11-20T03:00:00.0000000Z"
        told = {"id": number, "ref": "refs/heads/main", "key": path.name, "version": "0" * 64}
        return {**told, "last_accessed_at": at, "created_at": at, "size_in_bytes": size(path)}

    def __setitem__(self, number: int, told: Body) -> None:
        self.others[number] = told

    def __delitem__(self, number: int) -> None:
        if number in self.others:
            del self.others[number]
        else:
            shutil.rmtree(self.folder / self._ours()[number])

    def __iter__(self) -> Iterator[int]:
        return iter([*self.others, *self._ours()])

    def __len__(self) -> int:
        return len(self.others) + len(self._ours())

    def keys_of(self, beginning: str) -> list[str]:
        """Return the keys of the stand-ins' caches that begin so."""
        return [name for name in self._ours().values() if name.startswith(beginning)]


def size(folder: Path) -> int:
    """Return the bytes of all files in the folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@dataclass
class Night:
    """What a run of the workflow did: how each step of each job ended, what was said, what was asked of the server."""

    code: int
    steps: dict[tuple[str, str], str]
    said: str
    runs_asked: set[int]
    n_logs: int
    n_requests: int
    written: list[tuple[str, str]]


@dataclass
class Checkout:
    """A repository with the workflow in it, what is kept between its nights, and the server that it is of."""

    folder: Path
    kept: Path
    wheel: Path
    server: Server
    variables: dict[str, str] = field(default_factory=dict)
    _n: int = 0

    @classmethod
    def make(cls, folder: Path, wheel: Path, server: Server) -> Checkout:
        """Return a repository of one commit on main, whose origin is the server's repository."""
        checkout = folder / "checkout"
        (checkout / ".github" / "workflows").mkdir(parents=True)
        shutil.copy(WORKFLOW, checkout / ".github" / "workflows")
        (folder / "kept").mkdir()
        git = ["git", "-c", "user.name=octocat", "-c", "user.email=octocat@example.com"]
        for words in (
            ["init", "--quiet", "--initial-branch", "main"],
            ["remote", "add", "origin", f"https://github.com/{server.state.full_name}"],
            ["add", "."],
            ["commit", "--quiet", "--message", "Report on our CI"],
        ):
            subprocess.run([*git, *words], cwd=checkout, check=True)
        return cls(checkout, folder / "kept", wheel, server)

    def night(self, **inputs: str) -> Night:
        """Run the workflow once and return what it did."""
        self._n += 1
        self.server.forget()
        home = self.wheel.parent.parent / "home"
        path = os.pathsep.join([str(home / "bin"), "/usr/bin", "/bin"])
        told = {
            "GITHUB_API_URL": self.server.api_url, "GITHUB_RUN_ID": str(100 + self._n), "STANDINS": str(self.kept),
            "PATH": path, "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "HOME": str(self.kept),
        }  # fmt: skip
        words = [str(ACT), "workflow_dispatch", "--json", "-P", "ubuntu-latest=-self-hosted", "--no-cache-server"]
        words += ["-W", ".github/workflows/ci-report.yml", "-s", "GITHUB_TOKEN=token-one"]
        words += ["--action-offline-mode", "--action-cache-path", str(self.kept / "actions")]
        for action, pin in pins():
            words += ["--local-repository", f"{action}@{pin}={STANDINS / action.removeprefix('actions/')}"]
        for name, text in told.items():
            words += ["--env", f"{name}={text}"]
        for name, text in {"KOTACI_INSTALL": str(self.wheel), **self.variables}.items():
            words += ["--var", f"{name}={text}"]
        for name, text in inputs.items():
            words += ["--input", f"{name}={text}"]
        quiet = {"HOME": str(self.kept), "PATH": path}
        done = subprocess.run(words, cwd=self.folder, env=quiet, capture_output=True, text=True, check=False)
        events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        asked = list(self.server.asked)
        runs = {
            int(parts[i + 1])
            for parts in (one.path.split("/") for one in asked)
            for i, part in enumerate(parts[:-1])
            if part == "runs" and parts[i + 1].isdigit()
        }
        return Night(
            done.returncode, dict(_ends(events)),
            "".join(event.get("msg", "") + "\n" for event in events) + done.stderr, runs,
            sum(one.endpoint.endswith("/logs") and one.host == "api" for one in asked), len(asked),
            [(one.method, one.endpoint) for one in asked if one.method not in {"GET", "HEAD"}],
        )  # fmt: skip


def pins() -> list[tuple[str, str]]:
    """Return the actions that the workflow uses, but for the checkout, which act has in it; and their commits."""
    used = re.findall(r"uses: (actions/[a-z-]+)[a-z/]*@([0-9a-f]{40})", WORKFLOW.read_text("utf-8"))
    return sorted({(action, pin) for action, pin in used if action != "actions/checkout"})


def _ends(events: list[dict[str, Any]]) -> Iterator[tuple[tuple[str, str], str]]:
    for event in events:
        if "stepResult" in event and event.get("stage") == "Main":
            yield (event["jobID"], event["step"]), event["stepResult"]
