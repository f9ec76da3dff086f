"""Runs cargo for real on the workspace and its variants, and keeps every line with its time.

A take of a build and a take of a run are recorded apart (`cargo test --no-run`, then `cargo test`), because a build
takes seconds and a race needs many runs; `joined` puts them together at the `Finished` line that both have.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from .registry import serving

HERE = Path(__file__).parent
WORKSPACE = HERE / "workspace"
PATCHES = HERE / "patches"
RUNNER_WORKSPACE = "/home/runner/work/kvstore/kvstore"
RUNNER_CARGO = "/home/runner/.cargo"
RUNNER_RUSTUP = "/home/runner/.rustup"
MEMBERS = ("kvstore-log", "kvstore-core", "kvstore-server", "kvstore-cli", "kvstore-bench")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Line:
    """One line of output and the seconds since the command began."""

    at_s: float
    text: str

    @property
    def plain(self) -> str:
        return ANSI.sub("", self.text)


@dataclass(frozen=True)
class Recording:
    """What one command printed and how it ended; a command that was ended from outside has no exit code."""

    lines: tuple[Line, ...]
    exit_code: int | None

    @property
    def text(self) -> str:
        return "\n".join(line.plain for line in self.lines)


Recordings = dict[str, Recording]


@dataclass(frozen=True)
class Bench:
    """Where the recorder works: a copy of the workspace, a private cargo home, and the way back to runner paths."""

    root: Path
    port: int
    jobs: int = 2

    @property
    def tree(self) -> Path:
        return self.root / "kvstore"

    @property
    def cargo_home(self) -> Path:
        return self.root / "cargo-home"

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        tools = str(Path(sys.executable).parent)
        return {
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "HOME": os.environ["HOME"],
            "CARGO_HOME": str(self.cargo_home),
            "CARGO_TERM_COLOR": "always",
            "CARGO_INCREMENTAL": "0",
            "CARGO_BUILD_JOBS": str(self.jobs),
            "LLVM_PROFILE_FILE": "/dev/null",
            **extra,
        }

    def use_registry(self, port: int) -> None:
        """Points the private cargo home at a registry on loopback."""
        self.cargo_home.mkdir(parents=True, exist_ok=True)
        (self.cargo_home / "config.toml").write_text(
            '[source.crates-io]\nreplace-with = "mirror"\n'
            f'[source.mirror]\nregistry = "sparse+http://127.0.0.1:{port}/"\n'
        )

    def as_on_a_runner(self, text: str) -> str:
        """Rewrites this machine's paths and the loopback registry to what a runner would show."""
        rustup = os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup"))
        for here, there in (
            (str(self.tree), RUNNER_WORKSPACE),
            (str(self.cargo_home), RUNNER_CARGO),
            (rustup, RUNNER_RUSTUP),
        ):
            text = text.replace(here, there)
        text = re.sub(r"127\.0\.0\.1 port \d+", "index.crates.io port 443", text)
        text = text.replace("(127.0.0.1)", "(192.0.2.10)")
        text = re.sub(r"http://127\.0\.0\.1:\d+", "https://index.crates.io", text)
        text = re.sub(r"`?sparse\+https://index\.crates\.io/`? index", "crates.io index", text)
        return text.replace("`mirror` index", "crates.io index").replace(" (registry `mirror`)", "")


@dataclass
class Recorder:
    """Runs commands in the bench and keeps what they print."""

    bench: Bench
    recordings: Recordings = field(default_factory=dict)

    def reset(self, *patches: str) -> None:
        """Puts the workspace back to its base and applies the named patches; build outputs stay."""
        tree = self.bench.tree
        tree.mkdir(parents=True, exist_ok=True)
        for path in tree.iterdir():
            if path.name != "target":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(WORKSPACE, tree, dirs_exist_ok=True)
        for patch in patches:
            command = ["git", "apply", str(PATCHES / f"{patch}.patch")]
            subprocess.run(
                command,
                cwd=tree,
                check=True,
                env={**os.environ, "GIT_CEILING_DIRECTORIES": str(self.bench.root)},
            )

    def forget(self, *targets: str) -> None:
        """Drops what was downloaded and the named build outputs: the next build is a cold one."""
        shutil.rmtree(self.bench.cargo_home / "registry", ignore_errors=True)
        for target in targets:
            shutil.rmtree(self.bench.root / "targets" / target, ignore_errors=True)

    def touch(self) -> None:
        """Makes every source newer than its build, as a fresh checkout beside a restored cache does."""
        for path in self.bench.tree.glob("crates/**/*.rs"):
            path.touch()

    def run(
        self,
        command: Sequence[str],
        *,
        target: str = "dev",
        environment: Mapping[str, str] | None = None,
        limit_s: float | None = None,
    ) -> Recording:
        """Runs one command and returns its lines; after `limit_s` it is killed and has no exit code."""
        extra = {"CARGO_TARGET_DIR": str(self.bench.root / "targets" / target), **(environment or {})}
        if "--no-run" not in command:
            extra |= {"RUST_TEST_THREADS": "4", "NEXTEST_TEST_THREADS": "4"}
        start = time.monotonic()
        process = subprocess.Popen(
            list(command),
            cwd=self.bench.tree,
            env=self.bench.environment(extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            errors="replace",
        )
        ended_by_us = threading.Event()

        def end() -> None:
            ended_by_us.set()
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(limit_s, end) if limit_s is not None else None
        if timer:
            timer.start()
        assert process.stdout is not None
        target_dir = str(self.bench.root / "targets" / target)
        lines = []
        with process.stdout:
            for raw in process.stdout:
                text = raw.rstrip("\n").replace(target_dir, f"{RUNNER_WORKSPACE}/target")
                lines.append(Line(round(time.monotonic() - start, 4), self.bench.as_on_a_runner(text)))
        code = process.wait()
        if timer:
            timer.cancel()
        return Recording(tuple(lines), None if ended_by_us.is_set() else code)

    def take(
        self,
        key: str,
        command: Sequence[str],
        *,
        wanted: Callable[[Recording], bool] = lambda recording: recording.exit_code == 0,
        tries: int = 80,
        target: str = "dev",
        environment: Mapping[str, str] | None = None,
        limit_s: float | None = None,
    ) -> Recording:
        """Runs the command until `wanted` says yes and keeps that take; raises when it never does."""
        recording = Recording((), 0)
        for _ in range(tries):
            recording = self.run(command, target=target, environment=environment, limit_s=limit_s)
            if wanted(recording):
                self.recordings[key] = recording
                return recording
        raise RuntimeError(f"{key}: no wanted take in {tries} tries; the last one said:\n{recording.text[-4000:]}")


def joined(build: Recording, run: Recording) -> Recording:
    """One recording of build and run: everything of `build`, then `run` from behind its own `Finished` line."""
    built = build.lines[: _finished(build) + 1]
    rest = run.lines[_finished(run) + 1 :]
    offset = built[-1].at_s - rest[0].at_s + 0.05
    return Recording(built + tuple(Line(round(line.at_s + offset, 4), line.text) for line in rest), run.exit_code)


def _finished(recording: Recording) -> int:
    return next(index for index, line in enumerate(recording.lines) if line.plain.lstrip().startswith("Finished "))


def failed_tests(recording: Recording) -> set[str]:
    """Names of the libtest tests that failed."""
    return set(re.findall(r"^test (.+?) \.\.\. FAILED$", recording.text, re.MULTILINE))


NEXTEST = ("cargo", "nextest", "run", "--workspace", "--lib", "--bins", "--profile", "ci")
LIB_TESTS = ("cargo", "test", "--workspace", "--lib")
CLIPPY = ("cargo", "clippy", "--workspace", "--all-targets", "--", "-D", "warnings")
FULL = tuple(word for name in ("bloom", "protocol", "recovery", "segments") for word in ("--test", name))
SHORT = tuple(word for name in ("bloom", "recovery", "segments") for word in ("--test", name))
COVERAGE = {"RUSTFLAGS": "-C instrument-coverage"}
ENV_RACE = {"config::tests::flush_interval_comes_from_the_environment"}
PATH_RACE = {"reopening_continues_the_last_segment"}
FLAKY = re.compile(r"FLAKY 2/3 .*listener::tests::")
RARE = {"false_positives_stay_below_four_percent"}


def _green(recording: Recording) -> bool:
    return recording.exit_code == 0 and "FLAKY" not in recording.text


def _only(tests: set[str]) -> Callable[[Recording], bool]:
    return lambda recording: failed_tests(recording) == tests


def record_all(root: Path, *, jobs: int = 2) -> Recordings:
    """Records every variant below `root` (an empty folder); takes a few minutes, most of it compiling."""
    with ExitStack() as stack:
        port = stack.enter_context(serving())
        bench = Bench(root=root, port=port, jobs=jobs)
        recorder = Recorder(bench)
        bench.use_registry(port)
        _record_lints(recorder)
        # The hang needs a minute of waiting and no processor: it has a tree of its own beside the rest.
        beside = Recorder(Bench(root=root / "beside", port=port, jobs=1))
        beside.bench.use_registry(port)
        hang = stack.enter_context(ThreadPoolExecutor(max_workers=1)).submit(_record_hang, beside)
        _record_tests(recorder)
        _record_nightly(recorder)
        _record_outage(recorder, stack.enter_context(serving(available=False)))
        hang.result()
    return recorder.recordings | beside.recordings


def _record_lints(recorder: Recorder) -> None:
    recorder.reset()
    recorder.take("fmt/ok", ("cargo", "fmt", "--all", "--check"))
    recorder.take("clippy/ok", CLIPPY, target="lint")
    strict = ("cargo", "clippy", "--workspace", "--", "-D", "clippy::unwrap_used")
    recorder.forget()
    recorder.take("strict/failed", strict, wanted=lambda r: r.exit_code == 101, target="strict")
    for name in ("clippy", "type-error"):
        recorder.reset(name)
        recorder.forget("lint")
        recorder.take(f"clippy/{name}", CLIPPY, wanted=lambda r: r.exit_code == 101, target="lint")
    recorder.reset("fmt")
    recorder.take("fmt/diff", ("cargo", "fmt", "--all", "--check"), wanted=lambda r: r.exit_code == 1)


def _record_hang(recorder: Recorder) -> None:
    recorder.reset()
    soak = ("cargo", "test", "--release", "-p", "kvstore-server", "--test", "soak", "--", "--ignored")
    recorder.forget()
    recorder.take("soak/build-cold", (*soak[:7], "--no-run"), target="soak")
    one = {"KVSTORE_SOAK_ROUNDS": "0"}
    recorder.take("soak/ok", soak, target="soak", environment=one)
    many = {"KVSTORE_SOAK_ROUNDS": "5000"}
    hung = "has been running for over 60 seconds"
    recorder.take(
        "soak/hang",
        soak,
        wanted=lambda r: hung in r.text,
        target="soak",
        environment=many,
        limit_s=62,
        tries=2,
    )


def _record_tests(recorder: Recorder) -> None:
    take = recorder.take
    recorder.reset()
    recorder.forget()
    take("tests/base/build-cold", (*NEXTEST, "--no-run"), target="tests")
    for state, patches in STATES.items():
        recorder.reset(*patches)
        recorder.touch()
        take(f"tests/{state}/build-warm", (*NEXTEST, "--no-run"), target="tests")
        if state == "regression":
            take(
                f"tests/{state}/failed",
                NEXTEST,
                wanted=lambda r: "53 passed, 2 failed" in r.text,
                target="tests",
            )
            continue
        for number in range(3):
            take(f"tests/{state}/ok-{number}", NEXTEST, wanted=_green, target="tests")
        for number in range(2):
            take(
                f"tests/{state}/flaky-{number}",
                NEXTEST,
                wanted=lambda r: r.exit_code == 0 and bool(FLAKY.search(r.text)),
                target="tests",
            )
        take(f"doc/{state}", ("cargo", "test", "--workspace", "--doc"), target="tests")
    _record_coverage(recorder)
    _record_integration(recorder)


STATES: dict[str, tuple[str, ...]] = {
    "base": (),
    "regression": ("regression",),
    "env-fixed": ("env-fixed",),
    "feature-off": ("env-fixed", "feature-off"),
}


def _record_coverage(recorder: Recorder) -> None:
    def take(key: str, *more: str, wanted: Callable[[Recording], bool] = _green) -> None:
        recorder.take(key, (*LIB_TESTS, *more), wanted=wanted, target="coverage", environment=COVERAGE)

    recorder.forget()
    for state, patches in STATES.items():
        if state == "regression":
            continue
        recorder.reset(*patches)
        if state == "base":
            take("coverage/base/build-cold", "--no-run")
        shutil.rmtree(recorder.bench.root / "targets" / "coverage")  # the restored build is of no use here
        take(f"coverage/{state}/build-hit", "--no-run")
        for number in range(2):
            take(f"coverage/{state}/ok-{number}")
            if state == "base":
                take(f"coverage/{state}/race-{number}", wanted=_only(ENV_RACE))


def _record_integration(recorder: Recorder) -> None:
    recorder.reset()
    recorder.forget()
    for name, targets in (("full", FULL), ("short", SHORT)):
        command = ("cargo", "test", "--workspace", *targets)

        def take(key: str, *more: str, wanted: Callable[[Recording], bool] = _green) -> None:
            recorder.take(key, (*command, *more), wanted=wanted, target="integration")  # noqa: B023 - used in this turn

        if name == "full":
            take("integration/full/build-cold", "--no-run")
        recorder.touch()
        take(f"integration/{name}/build-warm", "--no-run")
        for number in range(2):
            take(f"integration/{name}/ok-{number}")
            take(f"integration/{name}/path-{number}", wanted=_only(PATH_RACE))
            take(f"integration/{name}/rare-{number}", wanted=_only(RARE))


def _record_nightly(recorder: Recorder) -> None:
    recorder.reset()
    stress = ("cargo", "test", "--release", "--workspace", "--lib")
    recorder.forget()
    recorder.take("stress/build-cold", (*stress, "--no-run"), target="stress")
    shutil.rmtree(recorder.bench.root / "targets" / "stress")
    recorder.take("stress/build-hit", (*stress, "--no-run"), target="stress")
    recorder.take("stress/ok", stress, target="stress", wanted=_green)
    wrapper = recorder.bench.root / "killed-rustc"
    wrapper.write_text('#!/bin/sh\ncase "$*" in *"crate-name kvstore_server"*) kill -9 $$;; esac\nexec "$@"\n')
    wrapper.chmod(0o755)
    recorder.take(
        "stress/oom",
        stress,
        wanted=lambda r: "signal: 9" in r.text,
        target="oom",
        environment={"RUSTC_WRAPPER": str(wrapper)},
    )
    kept = tuple(
        Line(line.at_s, line.text.replace(f"{wrapper} ", "").replace(f"`{wrapper}", "`"))
        for line in recorder.recordings["stress/oom"].lines
    )
    recorder.recordings["stress/oom"] = Recording(kept, 101)
    bench = ("cargo", "run", "--release", "-p", "kvstore-bench", "--", "--check")
    recorder.take("bench/over", bench, wanted=lambda r: r.exit_code == 1, target="bench")
    recorder.forget()
    recorder.take("release/build", ("cargo", "build", "--release", "--workspace", "--locked"), target="release")
    recorder.forget()
    recorder.take("docs/ok", ("cargo", "doc", "--workspace", "--no-deps"), target="docs")


def _record_outage(recorder: Recorder, refusing_port: int) -> None:
    recorder.reset()
    quick = {"CARGO_NET_RETRY": "3"}
    for name, port in (("503", refusing_port), ("refused", 9)):
        shutil.rmtree(recorder.bench.cargo_home, ignore_errors=True)
        recorder.bench.use_registry(port)
        failed: Callable[[Recording], bool] = lambda r: r.exit_code == 101  # noqa: E731
        recorder.take(f"outage/{name}", CLIPPY, wanted=failed, target="outage", environment=quick)
        shutil.rmtree(recorder.bench.root / "targets" / "outage", ignore_errors=True)


def read_recordings(path: Path) -> Recordings:
    """Reads recordings that `write_recordings` wrote."""
    stored = json.loads(path.read_text())
    return {
        key: Recording(tuple(Line(at_s, text) for at_s, text in item["lines"]), item["exit_code"])
        for key, item in stored.items()
    }


def write_recordings(recordings: Recordings, path: Path) -> None:
    """Writes recordings as JSON, so that composing can be repeated without compiling."""
    path.write_text(
        json.dumps(
            {
                key: {"exit_code": item.exit_code, "lines": [[line.at_s, line.text] for line in item.lines]}
                for key, item in sorted(recordings.items())
            }
        )
    )
