"""Runs a command and looks at its processes and the machine while it runs; the only user of psutil."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from time import perf_counter
from types import FrameType

import psutil

from kotaci.model import BadInput
from kotaci.redaction import redact_json
from kotaci.watch.recording import Look, Recording, add, between, never_below, write_recording

FIRST_LOOK_S = 0.1
"""When the first look is taken; each next one waits twice as long, up to the wanted distance, so that a command
that is done within a second is seen too."""

LOOKS_A_WRITE = 60
"""After how many looks the file is written again: a machine that dies, or runs out of memory, leaves that much less."""

LOOPBACK = ("lo", "Loopback")


def watch(
    command: Sequence[str], *, out: Path, every_s: float, started_at: datetime
) -> tuple[Recording, OSError | None]:
    """Run the command to its end, write the recording to `out`, and return it, with what kept it from being written.

    The streams are the command's own, SIGINT and SIGTERM are passed on to it, and a file that cannot be written never
    disturbs it. Raises BadInput, with nothing run, where there is no such command or no such folder.

    CPU time and disk bytes of children that ended between two looks are in the numbers from the moment that their
    parent waited for them, since the system adds them to the parent's; the look at the command's own end, before it is
    waited for, closes the account. The numbers mislead where a process leaves the tree: one that outlives its parent
    (a daemon, a compiler server) is not seen from then on, and what it did is missing; so is a child that nobody waited
    for (SIGCHLD ignored). Work handed to a server that ran before (dockerd, sccache) is never in the tree. macOS and
    Windows do not tell the time of children that ended: there it is that of the looks, too low for many short ones.
    """
    if not out.parent.is_dir():
        raise BadInput(out.parent, "is no folder", "name another file with --out")
    if out.is_dir():
        raise BadInput(out, "is a folder", "name a file with --out")
    words, _ = redact_json(list(command))
    recording = Recording(
        command=tuple(words),
        started_at=started_at,
        exit_code=None,
        every_s=every_s,
        n_cores=psutil.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        samples=(),
    )
    with _passing_on() as started:
        began = perf_counter()
        before = _look(None, began)
        process = _start(command)
        started(process)
        watcher = _Watcher(recording, psutil.Process(process.pid), began, before, out)
        thread = threading.Thread(target=watcher.keep_looking, daemon=True)
        thread.start()
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, and still to be looked at
        else:
            process.wait()
        watcher.ended.set()
        thread.join()
        watcher.look()
        code = process.wait()
    watcher.recording = replace(watcher.recording, exit_code=128 - code if code < 0 else code)
    watcher.write()
    return watcher.recording, watcher.refused


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command)
    except FileNotFoundError:
        raise BadInput(command[0], "no such command", "write it as you would without kotaci, behind --") from None
    except (OSError, ValueError) as error:
        raise BadInput(command[0], f"cannot be run ({error})", "see that it is a program and may be run") from None


@contextlib.contextmanager
def _passing_on() -> Iterator[_Started]:
    """Pass SIGINT and SIGTERM on while the block runs, those too that come before the command has started."""
    started = _Started([])
    # What was ignored when kotaci was started, as by nohup, stays so for the command.
    numbers = [each for each in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(each) != signal.SIG_IGN]
    before = {number: signal.signal(number, started.pass_on) for number in numbers}
    try:
        yield started
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class _Started:
    early: list[int]
    process: subprocess.Popen[bytes] | None = None

    def __call__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        for number in self.early:
            self.pass_on(number, None)

    def pass_on(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  (what a handler is given)
        if self.process is None:
            self.early.append(number)
        elif self.process.returncode is None:
            # Popen.send_signal would wait for a process that has ended, and the last look would find nothing.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)


@dataclass
class _Watcher:
    recording: Recording
    root: psutil.Process
    began: float
    before: Look
    out: Path

    def __post_init__(self) -> None:
        self.ended = threading.Event()
        self.refused: OSError | None = None

    def keep_looking(self) -> None:
        """Look until the command has ended."""
        wait_s, n_looks = min(FIRST_LOOK_S, self.recording.every_s), 0
        while not self.ended.wait(wait_s):
            self.look()
            if n_looks % LOOKS_A_WRITE == 0:
                self.write()
            n_looks, wait_s = n_looks + 1, min(2 * wait_s, self.recording.every_s)

    def look(self) -> None:
        """Add a sample; where the system does not answer, the next one covers this span too."""
        # RuntimeError is what psutil makes of a file below /proc that reads empty.
        with contextlib.suppress(psutil.Error, OSError, RuntimeError):
            after = never_below(self.before, _look(self.root, self.began))
            sample = between(self.before, after, least_s=self.recording.every_s / 2)
            self.recording = replace(self.recording, samples=add(self.recording.samples, sample))
            self.before = after

    def write(self) -> None:
        try:
            write_recording(self.recording, self.out)
        except OSError as error:
            self.refused = error
        else:
            self.refused = None


def _look(root: psutil.Process | None, began: float) -> Look:
    """Return what the counters say now; without a root, those of a command that is not yet there."""
    cpu, network = psutil.cpu_times(), psutil.net_io_counters(pernic=True)
    cards = [card for name, card in network.items() if not name.startswith(LOOPBACK)]
    cpu_s, rss_bytes, read_bytes, written_bytes = 0.0, 0, 0, 0
    # Parents come before their children: one that ends meanwhile is missed once, not counted twice.
    for process in [root, *root.children(recursive=True)] if root else []:
        with contextlib.suppress(psutil.Error), process.oneshot():
            times = process.cpu_times()
            cpu_s += times.user + times.system + times.children_user + times.children_system
            rss_bytes += process.memory_info().rss
            if _TELLS_BYTES:
                disk = process.io_counters()
                read_bytes, written_bytes = read_bytes + disk.read_bytes, written_bytes + disk.write_bytes
    return Look(
        at_s=perf_counter() - began,
        cpu_s=cpu_s,
        machine_cpu_s=sum(getattr(cpu, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq")),
        read_bytes=read_bytes if _TELLS_BYTES else None,
        written_bytes=written_bytes if _TELLS_BYTES else None,
        received_bytes=sum(card.bytes_recv for card in cards),
        sent_bytes=sum(card.bytes_sent for card in cards),
        rss_bytes=rss_bytes,
        available_bytes=psutil.virtual_memory().available,
        free_bytes=psutil.disk_usage(".").free,
    )


_TELLS_BYTES = hasattr(psutil.Process, "io_counters")
