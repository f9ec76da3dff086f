"""`kotaci watch` from outside: real commands, their streams, signals and exit codes, and what is recorded of them."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kotaci.watch import Recording, read_recording
from kotaci.watch.processes import watch

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals of this kind")
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the time and bytes of ended children")


def kotaci_watch(*words: str | Path) -> list[str | Path]:
    return [sys.executable, "-m", "kotaci", "watch", *words]


def run(
    folder: Path, script: str, *options: str, stdin: bytes = b""
) -> tuple[subprocess.CompletedProcess[bytes], Path]:
    """Run a script of Python under `kotaci watch`; return how that ended, and the path of the recording."""
    out = folder / "watch.json"
    words = kotaci_watch("--out", out, *options, "--", sys.executable, "-c", script)
    return subprocess.run(words, input=stdin, capture_output=True, check=False, cwd=folder), out


def record(folder: Path, script: str, *, every_s: float = 0.05) -> Recording:
    """Return the recording of a script of Python, run from this process."""
    out = folder / "watch.json"
    at = datetime(2026, 3, 2, tzinfo=UTC)
    recording, refused = watch([sys.executable, "-c", script], out=out, every_s=every_s, started_at=at)
    assert refused is None
    assert read_recording(out) == recording
    return recording


def test_streams_are_untouched_and_the_exit_code_is_the_commands(tmp_path: Path) -> None:
    script = (
        "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1]);"
        "sys.stderr.write('said --every 3'); sys.exit(77)"
    )
    done, out = run(tmp_path, script, stdin=b"\x00\xff\r\n!")
    assert (done.returncode, done.stdout, done.stderr) == (77, b"!\n\r\xff\x00", b"said --every 3")
    assert read_recording(out).exit_code == 77


@posix
def test_a_command_that_is_killed_is_recorded(tmp_path: Path) -> None:
    done, out = run(tmp_path, "import os; os.kill(os.getpid(), 9)")
    assert (done.returncode, done.stderr) == (128 + 9, b"")
    assert read_recording(out).exit_code == 128 + 9
    assert read_recording(out).summary().n_samples >= 1


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_passed_on(number: signal.Signals, tmp_path: Path) -> None:
    script = (
        "import signal, sys\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(40))\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    out = tmp_path / "watch.json"
    words = kotaci_watch("--out", out, "--", sys.executable, "-c", script)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        _, told = process.communicate()
    assert (process.returncode, told) == (40, b"")
    assert read_recording(out).exit_code == 40


@posix
def test_a_watcher_that_is_killed_leaves_what_it_had(tmp_path: Path) -> None:
    script = (
        "import os, pathlib\n"
        "while not pathlib.Path('watch.json').exists(): pass\n"
        "os.kill(os.getppid(), 9)\n"
    )  # fmt: skip
    done, out = run(tmp_path, script)
    assert done.returncode == -9
    left = read_recording(out)
    assert (left.exit_code, left.summary().n_samples) == (None, 1)


def test_a_command_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    words = kotaci_watch("--out", tmp_path / "watch.json", "--", "no-such-command-here")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("kotaci: no-such-command-here: no such command; ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--every", "nan"], "--every nan: is no such time"),
        (["--every", "0"], "--every 0: is no such time"),
        (["--out", "none/watch.json"], "none: is no folder"),
        (["--out", "."], ".: is a folder"),
    ],
)
def test_bad_options_run_nothing(options: list[str], told: str, tmp_path: Path) -> None:
    words = kotaci_watch(*options, "--", sys.executable, "-c", "open('ran', 'w')")
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"kotaci: {told}; ")
    assert list(tmp_path.iterdir()) == []


def test_a_recording_that_cannot_be_written_is_told_and_the_exit_code_stays(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    words = kotaci_watch("--out", folder / "watch.json", "--", sys.executable, "-c")
    script = f"import shutil, sys; shutil.rmtree({str(folder)!r}); sys.exit(9)"
    done = subprocess.run([*words, script], capture_output=True, text=True, check=False)
    assert done.returncode == 9
    assert "the recording could not be written (No such file or directory)" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_memory_of_a_grandchild_is_in_the_peak(tmp_path: Path) -> None:
    grandchild = "held = b'x' * 200_000_000\nfor _ in range(3_000_000): pass"
    summary = record(
        tmp_path, f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    ).summary()
    assert summary.peak_rss_bytes is not None
    assert 200_000_000 < summary.peak_rss_bytes < 400_000_000


@linux
def test_what_children_did_that_nobody_saw_is_in_the_totals(tmp_path: Path) -> None:
    child = (
        "import os, resource\n"
        "for _ in range(2_000_000): pass\n"
        "with open('made', 'wb') as file: file.write(b'x' * 5_000_000); file.flush(); os.fsync(file.fileno())\n"
        "print(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))\n"
    )
    script = f"import subprocess, sys\nfor _ in range(3): subprocess.run([sys.executable, '-c', {child!r}])"
    done, out = run(tmp_path, script, "--every", "100")
    summary = read_recording(out).summary()
    spent = sum(float(line) for line in done.stdout.split())
    assert summary.cpu_s >= spent - 0.05
    assert summary.cpu_s < 3 * spent + 1
    assert summary.written_bytes is not None
    assert 15_000_000 <= summary.written_bytes < 20_000_000


def test_cores_are_those_that_were_used(tmp_path: Path) -> None:
    recording = record(tmp_path, "for _ in range(10_000_000): pass")
    summary = recording.summary()
    assert summary.mean_cores is not None
    assert summary.peak_cores is not None
    assert 0 < summary.mean_cores <= summary.peak_cores < recording.n_cores + 0.5
    assert [one.at_s for one in recording.samples] == sorted(one.at_s for one in recording.samples)
    assert recording.memory_bytes > 0
    assert (summary.min_free_bytes or 0) > 0


def test_secrets_in_the_command_are_replaced(tmp_path: Path) -> None:
    secret = "ghp_" + "aB3dE6gH9j" * 3 + "kL2mN5"
    done, out = run(tmp_path, f"print('{secret}')")
    assert secret.encode() in done.stdout
    assert secret not in out.read_text()
    assert "[redacted:" in out.read_text()


@posix
def test_what_was_ignored_stays_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done, _ = run(tmp_path, "import signal; print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)")
    finally:
        signal.signal(signal.SIGINT, before)
    assert done.stdout == b"True\n"
