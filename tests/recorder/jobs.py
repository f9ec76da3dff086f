"""One job from first to last line: its steps in order, what was recorded for each, and how long they took."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from . import render
from .caches import CacheService
from .record import Line, Recording, Recordings, joined
from .render import RUSTC, Checkout, JobLog, Machine, RustCacheKey, Step
from .repository import Code
from .story import IMAGE_CHANGES, STABLE_CHANGES

READ_ONLY = ("Contents: read", "Metadata: read")
WRITES = ("Contents: write", "Metadata: read")
_CACHED_PATH = "~/.cargo/registry\ntarget\n"

# Seconds that the recorded builds are stretched to: those of a project of a usual size on a runner with four cores.
BUILD_S = {
    "clippy": 95.0,
    "strict": 48.0,
    "tests-cold": 335.0,
    "tests-warm": 112.0,
    "coverage": 236.0,
    "coverage-cold": 249.0,
    "integration-cold": 204.0,
    "integration-warm": 66.0,
    "stress": 540.0,
    "soak": 150.0,
    "bench": 170.0,
    "docs": 62.0,
    "release": 410.0,
}


@dataclass(frozen=True)
class Situation:
    """What a job needs to know about its run."""

    run_id: int
    attempt: int
    ref: str
    code: Code
    checkout: Checkout
    created_at: datetime


@dataclass(frozen=True)
class Done:
    """A finished job; `log` is None when there never was one."""

    name: str
    conclusion: str
    created_at: datetime
    started_at: datetime
    completed_at: datetime
    label: str
    steps: tuple[Step, ...]
    log: str | None
    missing: str = ""
    annotations: tuple[tuple[str, str], ...] = ()
    artifacts: tuple[tuple[int, str, int, datetime], ...] = ()


Action = Callable[[], None]


@dataclass
class Worker:
    """Runs jobs: has the recordings, the cache service and the dice."""

    recordings: Recordings
    caches: CacheService
    rng: random.Random
    _artifact_id: int = 6_300_100_200
    _artifacts: list[tuple[int, str, int, datetime]] = field(default_factory=list)

    def run(
        self,
        name: str,
        situation: Situation,
        *,
        created_at: datetime,
        incident: str = "",
        label: str = "ubuntu-latest",
        toolchain: str = "stable",
        limit_min: int | None = None,
        cancelled_at: datetime | None = None,
    ) -> Done:
        """Runs one job of a workflow; `incident` picks the recording that goes wrong."""
        base = name.split(" ", maxsplit=1)[0]
        started_at = created_at.replace(microsecond=0) + self._queue(label)
        if cancelled_at and started_at >= cancelled_at:
            return unstarted(name, "cancelled", created_at, cancelled_at, label)
        if incident == "lost":
            return self._lost(name, situation, created_at, started_at, label)
        machine = _machine(started_at, label, toolchain)
        log = JobLog(started_at, self.rng)
        self._artifacts = []
        job = _Job(self, log, situation, machine, base, toolchain, incident)
        posts = job.write(name)
        limit_at = started_at + timedelta(minutes=limit_min) if limit_min else None
        stop = min((at for at in (cancelled_at, limit_at) if at and at < log.now), default=None)
        notes: tuple[tuple[str, str], ...] = ()
        if stop:
            _cut(log, stop, job.names)
            conclusion = "cancelled"
            if stop == limit_at:
                sentence = (
                    f"The job running on runner {runner_name(started_at)} has exceeded the maximum execution time "
                    f"of {limit_min} minutes."
                )
                notes = (("failure", sentence), ("failure", "The operation was canceled."))
            else:
                notes = (("failure", "The operation was canceled."),)
        else:
            conclusion = "failure" if log.is_failed else "success"
            self._finish(log, posts)
            if log.is_failed:
                notes = tuple(("failure", text.split("##[error]")[1]) for text in log.lines if "##[error]" in text)
        steps = _numbered(log.steps)
        artifacts = tuple(self._artifacts) if not stop else ()
        return Done(
            name,
            conclusion,
            created_at,
            started_at,
            log.now + timedelta(seconds=1),
            label,
            steps,
            log.text(),
            "",
            notes,
            artifacts,
        )

    def _finish(self, log: JobLog, posts: Mapping[str, Action]) -> None:
        for name in reversed(log.posts):
            started = log.now
            is_cache = name in posts
            if is_cache and log.is_failed:
                log.done(f"Post {name}", started, "skipped")
                continue
            if is_cache:
                posts[name]()
            else:
                render.clean_up_checkout(log)
            log.done(f"Post {name}", started)
        render.finish(log)

    def _queue(self, label: str) -> timedelta:
        seconds = 2 + self.rng.random() * 5
        if self.rng.random() < (0.16 if label.endswith("-arm") else 0.04):
            seconds += 45 + self.rng.random() * 240
        return timedelta(seconds=round(seconds))

    def _lost(self, name: str, situation: Situation, created_at: datetime, started_at: datetime, label: str) -> Done:
        ends = started_at + timedelta(minutes=14, seconds=37)
        first = started_at + timedelta(seconds=2)
        steps = (
            Step("Set up job", 1, "success", started_at, first),
            Step(
                f"Run actions/checkout@{situation.code.checkout}",
                2,
                "success",
                first,
                first + timedelta(seconds=1),
            ),
            Step("Install Rust", 3, "success", first + timedelta(seconds=1), first + timedelta(seconds=9)),
            Step("Rust cache", 4, "success", first + timedelta(seconds=9), first + timedelta(seconds=14)),
            Step("Install nextest", 5, "success", first + timedelta(seconds=14), first + timedelta(seconds=15)),
            Step("Unit tests", 6, None, first + timedelta(seconds=15), None),
        )
        sentence = (
            "The hosted runner lost communication with the server. Anything in your workflow that terminates the "
            "runner process, starves it for CPU/Memory, or blocks its network access can cause this error."
        )
        why = "the runner was lost: no log was ever uploaded"
        return Done(name, "failure", created_at, started_at, ends, label, steps, None, why, (("failure", sentence),))

    def noisy(self, seconds: float) -> float:
        """A duration with the noise of shared machines: log-normal, coefficient of variation about 12 %."""
        return seconds * self.rng.lognormvariate(0, 0.12)

    def take_of(self, prefix: str) -> Recording:
        """One of the takes of a recorded run."""
        return self.recordings[self.rng.choice(sorted(key for key in self.recordings if key.startswith(prefix)))]

    def keep_artifact(self, name: str, size: int, at: datetime) -> int:
        self._artifact_id += self.rng.randrange(100, 900)
        self._artifacts.append((self._artifact_id, name, size, at))
        return self._artifact_id


def runner_name(at: datetime) -> str:
    return f"GitHub Actions {1_000_010_000 + int(at.timestamp()) % 97_000}"


def unstarted(name: str, conclusion: str, created_at: datetime, at: datetime, label: str) -> Done:
    """A job that was skipped, or cancelled before it had a runner."""
    why = "the job was skipped" if conclusion == "skipped" else "the job was cancelled before it had a runner"
    return Done(name, conclusion, created_at, at, at, label, (), None, why)


@dataclass
class _Job:
    """One job while its log is written."""

    worker: Worker
    log: JobLog
    situation: Situation
    machine: Machine
    base: str
    toolchain: str
    incident: str
    names: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    posts: dict[str, Action] = field(default_factory=dict)

    def write(self, name: str) -> dict[str, Action]:
        code = self.situation.code
        self.environment = {"CARGO_TERM_COLOR": "always"}
        if self.base in (
            "lint",
            "strict-lints",
            "tests",
            "coverage",
            "integration",
            "release-dry-run",
            "gate",
        ):
            self.environment["CARGO_INCREMENTAL"] = "0"
            if code.has_build_jobs:
                self.environment["CARGO_BUILD_JOBS"] = "8"
        elif self.base in ("stress", "soak", "bench") and code.has_codegen_units:
            self.environment["CARGO_PROFILE_RELEASE_CODEGEN_UNITS"] = "32"
        if self.base == "coverage":
            self.environment["RUSTFLAGS"] = "-C instrument-coverage"
        if self.base == "soak":
            self.environment["KVSTORE_SOAK_ROUNDS"] = "5000"
        checkout = replace(self.situation.checkout, action=f"actions/checkout@{code.checkout}")
        actions = [] if self.base == "gate" else [checkout.action, *_ACTIONS.get(self.base, ())]
        if self.base == "tests" and code.has_rust_cache:
            actions.append("Swatinem/rust-cache@v2")
        token = WRITES if self.base == "build" else READ_ONLY
        render.set_up(self.log, self.machine, job=name, actions=actions, token=token)
        if self.base == "gate":
            self._gate()
            return self.posts
        self._step(f"Run {checkout.action}", lambda: render.check_out(self.log, checkout, self.environment))
        self._step("Install Rust", self._install)
        getattr(self, "_" + self.base.replace("-", "_"))()
        return self.posts

    def _step(self, name: str, action: Action) -> None:
        self.names.append(name)
        if self.log.is_failed:
            self.log.done(name, self.log.now, "skipped")
        else:
            action()

    def _install(self) -> None:
        extra = {"lint": " --component clippy,rustfmt", "strict-lints": " --component clippy"}.get(self.base, "")
        script = (
            f"rustup toolchain install {self.toolchain} --profile minimal{extra} --no-self-update\n"
            f"rustup default {self.toolchain}\nrustc -vV"
        )
        rustc = RUSTC[self.machine.rustc]
        render.install_rust(
            self.log,
            rustc,
            script=script,
            toolchain=self.toolchain,
            host=self.machine.host,
            environment=self.environment,
        )

    def _script(self, name: str, script: str, recording: Recording, *, build: str = "", after_s: float = 0.0) -> None:
        lines = self._as_of_now(recording.lines)
        if build:
            lines = render.scaled(lines, build_s=self.worker.noisy(BUILD_S[build] * self._slower()))
        code = recording.exit_code or 0
        self._step(
            name,
            lambda: render.run_script(self.log, name, script, self.environment, lines, exit_code=code, after_s=after_s),
        )

    def _slower(self) -> float:
        return 1.12 if self.machine.arch == "ARM64" else 1.0

    def _as_of_now(self, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        version, arm = self.situation.code.version, self.machine.arch == "ARM64"

        def fitted(text: str) -> str:
            text = text.replace("v0.7.0", f"v{version}").replace("/rust-1.95.0/", f"/rust-{self.machine.rustc}/")
            return text.replace("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu") if arm else text

        return tuple(Line(line.at_s, fitted(line.text)) for line in lines)

    def _of(self, key: str) -> Recording:
        return self.worker.recordings[key]

    def _quiet(self, name: str, script: str, seconds: float) -> None:
        self._step(name, lambda: render.run_script(self.log, name, script, self.environment, after_s=seconds))

    def _gate(self) -> None:
        script = 'echo "One or more jobs failed"\nexit 1'
        if self.incident == "failed":
            self._script("Look at the results", script, Recording((Line(0.01, "One or more jobs failed"),), 1))
        else:
            self.names.append("Look at the results")
            self.log.done("Look at the results", self.log.now, "skipped")

    def _lint(self) -> None:
        lint = self.situation.code.lint
        check = "fmt/diff" if lint == "fmt" else "fmt/ok"
        self._script("Check formatting", "cargo fmt --all --check", self._of(check))
        clippy = "cargo clippy --workspace --all-targets -- -D warnings"
        if self.incident:
            self._script("Clippy", clippy, self._of(f"outage/{self.incident}"))
            return
        recording = self._of(f"clippy/{lint}" if lint in ("clippy", "type-error") else "clippy/ok")
        self._script("Clippy", clippy, recording, build="clippy")

    def _strict_lints(self) -> None:
        script = "cargo clippy --workspace -- -D clippy::unwrap_used"
        if self.incident:
            self._script("Strict lints", script, self._of(f"outage/{self.incident}"))
            return
        self._script("Strict lints", script, self._of("strict/failed"), build="strict")

    def _tests(self) -> None:
        code, worker, log = self.situation.code, self.worker, self.log
        is_warm = False
        if code.has_rust_cache:
            suffix = f"-{self.situation.run_id}" if code.has_run_id_key else ""
            input_key = self.toolchain + suffix
            prefix = f"v0-rust-{input_key}-tests-Linux-{self.machine.arch.lower()}"
            key = RustCacheKey(prefix, self._environment_hash(), _hash8("lock"))
            found = worker.caches.restore(ref=self.situation.ref, key=key.full, prefix=key.restore, at=log.now)
            is_warm = found is not None
            self._step(
                "Rust cache",
                lambda: render.restore_rust_cache(
                    log,
                    input_key=input_key,
                    key=key,
                    machine=self.machine,
                    found=found,
                    environment=self.environment,
                ),
            )
            size = 38_400_000 + worker.rng.randrange(900_000)

            def save() -> None:
                is_hit = bool(found and found.is_exact)
                render.save_rust_cache(
                    log, key=key, machine=self.machine, size=size, is_hit=is_hit, environment=self.environment
                )
                if not is_hit:
                    worker.caches.save(ref=self.situation.ref, key=key.full, size=size, at=log.now)

            self.posts["Rust cache"] = save
            self.environment["CACHE_ON_FAILURE"] = "false"
        arm = "-arm" if self.machine.arch == "ARM64" else ""
        self._quiet(
            "Install nextest",
            f"curl -LsSf https://get.nexte.st/0.9/linux{arm} | tar zxf - -C ~/.cargo/bin",
            1.2,
        )
        state = code.state
        build = self._of(f"tests/{state}/build-warm" if is_warm else "tests/base/build-cold")
        kind = "failed" if state == "regression" else self.incident or "ok"
        script = "cargo nextest run --workspace --lib --bins --profile ci"
        recording = joined(build, worker.take_of(f"tests/{state}/{kind}"))
        self._script("Unit tests", script, recording, build="tests-warm" if is_warm else "tests-cold")
        doc = self._of(f"doc/{'base' if state == 'regression' else state}")
        self._script("Documentation tests", "cargo test --workspace --doc", doc)

    def _environment_hash(self) -> str:
        """rust-cache mixes rustc and every CARGO variable into its key."""
        variables = sorted(f"{name}={value}" for name, value in self.environment.items() if name.startswith("CARGO"))
        return _hash8(RUSTC[self.machine.rustc].commit, self.machine.host, *variables)

    def _cargo_cache(self, name: str, *, path: str, key: str, restore_keys: str = "", size: int) -> bool:
        """Both halves of actions/cache; says whether the key was found exactly."""
        worker, log, ref = self.worker, self.log, self.situation.ref
        found = worker.caches.restore(ref=ref, key=key, prefix=restore_keys, at=log.now)
        self._step(
            name,
            lambda: render.restore_cargo_cache(
                log,
                name,
                path=path,
                key=key,
                restore_keys=restore_keys,
                found=found,
                environment=self.environment,
            ),
        )

        def save() -> None:
            is_hit = bool(found and found.is_exact)
            # The caches saved by a job that runs beside this one exist when this one saves: the key is taken then.
            is_taken = not is_hit and not worker.caches.save(ref=ref, key=key, size=size, at=log.now)
            render.save_cargo_cache(log, path=path, key=key, size=size, is_hit=is_hit, is_taken=is_taken)

        self.posts[name] = save
        return found is not None

    def _shared_key(self) -> str:
        return f"cargo-Linux-{sha256(f'lock {self.situation.code.version}'.encode()).hexdigest()}"

    def _coverage(self) -> None:
        size = 61_000_000 + self.worker.rng.randrange(800_000)
        is_hit = self._cargo_cache("Cargo cache", path=_CACHED_PATH, key=self._shared_key(), size=size)
        state = self.situation.code.state
        build = f"coverage/{state}/build-hit" if is_hit else "coverage/base/build-cold"
        take = self.worker.take_of(f"coverage/{state}/{'race' if self.incident == 'race' else 'ok'}")
        self._script(
            "Unit tests with coverage",
            "cargo test --workspace --lib",
            joined(self._of(build), take),
            build="coverage" if is_hit else "coverage-cold",
        )
        self._upload("Upload profiles", "coverage", "**/*.profraw", 412_000)

    def _upload(self, step: str, name: str, path: str, size: int) -> None:
        def upload() -> None:
            exact = size + self.worker.rng.randrange(size // 10)
            number = self.worker.keep_artifact(name, exact, self.log.now)
            render.upload_artifact(
                self.log,
                step,
                name=name,
                path=path,
                size=exact,
                artifact_id=number,
                run_id=self.situation.run_id,
                environment=self.environment,
            )

        self._step(step, upload)

    def _integration(self) -> None:
        size = 58_000_000 + self.worker.rng.randrange(800_000)
        is_hit = self._cargo_cache("Cargo cache", path=_CACHED_PATH, key=self._shared_key(), size=size)
        which = "short" if self.situation.code.has_short_integration else "full"
        names = ("bloom", "recovery", "segments") if which == "short" else ("bloom", "protocol", "recovery", "segments")
        build = f"integration/{which}/build-warm" if is_hit else "integration/full/build-cold"
        take = self.worker.take_of(f"integration/{which}/{self.incident or 'ok'}")
        self._script(
            "Integration tests",
            "cargo test --workspace" + "".join(f" --test {name}" for name in names),
            joined(self._of(build), take),
            build=f"integration-{'warm' if is_hit else 'cold'}",
        )

    def _release_dry_run(self) -> None:
        self._script("Build", "cargo build --release --workspace --locked", self._of("release/build"), build="release")

    def _build(self) -> None:
        self._release_dry_run()
        self._upload("Upload the binaries", "kvstore-linux-x64", "target/release/kvstore-cli", 980_000)

    def _stress(self) -> None:
        key = f"nightly-{self.situation.run_id}"
        is_found = self._cargo_cache(
            "Cargo registry", path="~/.cargo/registry", key=key, restore_keys="nightly-", size=310_000
        )
        script = "cargo test --release --workspace --lib"
        if self.incident == "oom":
            self._script("Optimised unit tests", script, self._of("stress/oom"), build="stress")
            return
        recording = joined(self._of(f"stress/build-{'hit' if is_found else 'cold'}"), self._of("stress/ok"))
        self._script("Optimised unit tests", script, recording, build="stress")

    def _soak(self) -> None:
        script = "cargo test --release -p kvstore-server --test soak -- --ignored"
        if self.incident == "hang":
            hung = joined(self._of("soak/build-cold"), replace(self._of("soak/hang"), exit_code=0))
            self._script("Soak", script, hung, build="soak", after_s=3600)
            return
        self._script("Soak", script, joined(self._of("soak/build-cold"), self._of("soak/ok")), build="soak")

    def _bench(self) -> None:
        over = replace(self._of("bench/over"), exit_code=0)  # `|| true` swallows the 1
        self._script(
            "Bench against the limit",
            "cargo run --release -p kvstore-bench -- --check || true",
            over,
            build="bench",
        )

    def _docs(self) -> None:
        self._cargo_cache("Cargo cache", path="~/.cargo/registry", key="docs-cargo-registry", size=309_000)
        self._script("Build the documentation", "cargo doc --workspace --no-deps", self._of("docs/ok"), build="docs")
        self._upload("Upload the documentation", "docs", "target/doc", 1_900_000)


_ACTIONS = {
    "coverage": ("actions/cache@v4", "actions/upload-artifact@v4"),
    "integration": ("actions/cache@v4",),
    "stress": ("actions/cache@v4",),
    "docs": ("actions/cache@v4", "actions/upload-artifact@v4"),
    "build": ("actions/upload-artifact@v4",),
}


def _machine(at: datetime, label: str, toolchain: str) -> Machine:
    version = "20260921.305.1" if at >= IMAGE_CHANGES else "20260810.271.1"
    image, arch = ("ubuntu-24.04-arm", "ARM64") if label.endswith("-arm") else ("ubuntu-24.04", "X64")
    stable = "1.96.1" if at >= STABLE_CHANGES else "1.95.0"
    return Machine(image, version, arch, stable if toolchain == "stable" else toolchain)


def _hash8(*words: str) -> str:
    return sha256(" ".join(words).encode()).hexdigest()[:8]


def _cut(log: JobLog, at: datetime, names: list[str]) -> None:
    """Ends a job at a moment: the step that was running is cancelled, the later ones never ran."""
    stamp = f"{at:%Y-%m-%dT%H:%M:%S}"
    kept = next((n for n, line in enumerate(log.lines) if line[:2] == "20" and line[:19] >= stamp), len(log.lines))
    del log.lines[kept:]
    done = [step for step in log.steps if step.completed_at and step.completed_at < at and step.conclusion != "skipped"]
    log.steps[:] = done
    log.now = at
    log.say("##[error]The operation was canceled.")
    left = [name for name in names if name not in {step.name for step in done}]
    started = done[-1].completed_at if done and done[-1].completed_at else at
    for number, name in enumerate(left):
        log.done(name, started if number == 0 else log.now, "cancelled" if number == 0 else "skipped")
    if any(step.name.startswith("Run actions/checkout") for step in done):
        started = log.now
        render.clean_up_checkout(log)
        log.done(f"Post {next(s.name for s in done if s.name.startswith('Run actions/checkout'))}", started)
    render.finish(log, ("cargo",))


def _numbered(steps: list[Step]) -> tuple[Step, ...]:
    """Post steps leave a gap in the numbers, as many as there are steps without a post step."""
    first = next((n for n, step in enumerate(steps) if step.name.startswith("Post ")), len(steps) - 1)
    total = 2 * first
    tail = steps[first:]
    numbered = [replace(step, number=n + 1) for n, step in enumerate(steps[:first])]
    return (*numbered, *(replace(step, number=total - len(tail) + n + 1) for n, step in enumerate(tail)))
