"""`kotaci apply` killed after each request it makes, or told to stop, and applied again: everything is there once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from kotaci.actions import Applied, Kind, write_plan
from tests.actions.conftest import TOKEN
from tests.actions.plans import CHECKS, plan_for
from tests.commands import start
from tests.github_server import Server
from tests.github_server.policy import Answer

Apply = Callable[..., list[Applied]]


class Killer:
    """Kills a process as soon as the server has done what the process asked for the `n_th` time, before it hears."""

    def __init__(self, server: Server) -> None:
        self.server, self.plain, self.n_th, self.n, self.pid = server, server.answer, 0, 0, 0

    def arm(self, n_th: int) -> None:
        """Kill after so many requests, counted from now."""
        self.n_th, self.n = n_th, 0

    def answer(self, request: Any) -> Answer | None:
        """Answer as the server does, then kill."""
        told = self.plain(request)
        self.n += 1
        if self.n == self.n_th and self.pid:
            os.kill(self.pid, signal.SIGKILL)
            return None
        return told


@pytest.mark.slow
@pytest.mark.parametrize("kind", Kind)
def test_killed_after_any_request_and_applied_again(
    kind: Kind, server: Server, apply: Apply, processes: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = plan_for(kind, server, tmp_path)
    write_plan(plan, tmp_path / "plan.json")
    killer = Killer(server)
    monkeypatch.setattr(server, "answer", killer.answer)
    names = ("issues", "comments", "commit_comments", "pulls", "refs")
    clean = {name: deepcopy(getattr(server.state, name)) for name in names}
    words = ["apply", str(tmp_path / "plan.json"), "--api-url", server.api_url, "--points", "0"]
    n_killed = 0
    # A branch and its pull request take many looks before the first write, which change nothing.
    n_th = 8 if kind == Kind.OPEN_PULL else 0
    while True:
        n_th += 1
        for name, things in clean.items():
            setattr(server.state, name, deepcopy(things))
        for run_id in server.state.runs:
            server.state.runs[run_id] = {1: server.state.runs[run_id][1]}
        process = processes.Process(target=start, args=(words, {"GITHUB_TOKEN": TOKEN}))
        killer.pid = 0
        killer.arm(n_th)
        process.start()
        killer.pid = process.pid or 0
        process.join()
        killer.pid = 0
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        n_killed += 1
        apply(plan)
        assert CHECKS[kind](server), f"killed after request {n_th}"
        assert [one.done for one in apply(plan)] == ["nothing to do"]
    assert CHECKS[kind](server)
    assert n_killed >= 4


@pytest.mark.parametrize("kind", Kind)
def test_two_processes_that_write_in_the_same_moment(
    kind: Kind, server: Server, processes: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_plan(plan_for(kind, server, tmp_path), tmp_path / "plan.json")
    words = ["apply", str(tmp_path / "plan.json"), "--api-url", server.api_url, "--points", "0"]
    plain, both = server.answer, threading.Barrier(2)

    def answer(request: Any) -> Answer | None:
        if request.method != "GET" and both.n_waiting < 2 and not both.broken:
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(30)
                both.abort()
        return plain(request)

    monkeypatch.setattr(server, "answer", answer)
    pair = [processes.Process(target=start, args=(words, {"GITHUB_TOKEN": TOKEN})) for _ in range(2)]
    for process in pair:
        process.start()
    for process in pair:
        process.join()
    assert [process.exitcode for process in pair] == [0, 0]
    assert sum(one.method in {"POST", "PATCH"} for one in server.asked) >= 2
    assert CHECKS[kind](server)
