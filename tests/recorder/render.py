"""Text of a job log in GitHub's format: a clock that only runs forward, and the lines that runner and actions print."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle

from .record import RUNNER_CARGO, RUNNER_WORKSPACE, Line

BOM = "\ufeff"
REPOSITORY = "example/kvstore"
ACTIONS = {
    "actions/checkout@v6": "de0fac2e4500dabe0009e67214ff5f5447ce83dd",
    "actions/checkout@v7": "9c091bb21b7c1c1d1991bb908d89e4e9dddfe3e0",
    "actions/cache@v4": "0057852bfaa89a56745cba8c7296529d2fc39830",
    "actions/upload-artifact@v4": "ea165f8d65b6e75b540449e92b4886f43607fa02",
    "Swatinem/rust-cache@v2": "e18b497796c12c097a38f9edb9d0641fb99eee32",
}
_GAPS = (0.0000412, 0.0001187, 0.0002346, 0.0000891, 0.0003725, 0.0000633, 0.0009104, 0.0001558)


@dataclass(frozen=True)
class Step:
    """One step as the API shows it."""

    name: str
    number: int
    conclusion: str | None
    started_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True)
class Machine:
    """What a job ran on."""

    image: str
    image_version: str
    arch: str
    rustc: str

    @property
    def host(self) -> str:
        return {"X64": "x86_64", "ARM64": "aarch64"}[self.arch] + "-unknown-linux-gnu"


@dataclass(frozen=True)
class Rustc:
    """What `rustc -vV` says of one release."""

    release: str
    commit: str
    date: str
    llvm: str

    @property
    def short(self) -> str:
        return f"rustc {self.release} ({self.commit[:9]} {self.date})"


RUSTC = {
    "1.95.0": Rustc("1.95.0", "59807616e1fa2540724bfbac14d7976d7e4a3860", "2026-04-14", "22.1.2"),
    "1.96.1": Rustc("1.96.1", "31fca3adb283cc9dfd56b49cdee9a96eb9c96ffd", "2026-06-26", "22.1.2"),
}


@dataclass
class JobLog:
    """A job's log while it is written; `steps` grows beside the lines."""

    now: datetime
    rng: random.Random
    lines: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    posts: list[str] = field(default_factory=list)
    is_failed: bool = False
    uuid: str = field(init=False)
    _gaps: Iterator[float] = field(init=False)

    def __post_init__(self) -> None:
        self.uuid = _uuid(self.rng)
        # One of a few rhythms a job, and waits in tenths of a second: real logs compress badly by their digits alone.
        self._gaps = cycle(random.Random(self.rng.randrange(6)).choices(_GAPS, k=61))  # noqa: S311 - dice for rhythm

    def say(self, *texts: str, wait_s: float = 0.0) -> None:
        """Prints lines, the first of them after `wait_s`."""
        self.wait(wait_s)
        for text in texts:
            self.now += timedelta(seconds=next(self._gaps))
            self.lines.append(f"{_stamp(self.now)} {text}")

    def wait(self, seconds: float) -> None:
        """Lets time pass, in tenths of a second."""
        self.now += timedelta(seconds=round(seconds, 1))

    def replay(self, lines: Sequence[Line]) -> None:
        """Prints recorded lines at their recorded distance from now."""
        start = self.now
        for line in lines:
            self.now = max(self.now, start + timedelta(seconds=line.at_s))
            self.lines.append(f"{_stamp(self.now)} {line.text}")

    def group(self, title: str, *texts: str) -> None:
        self.say(f"##[group]{title}", *texts, "##[endgroup]")

    def script_header(self, script: str, environment: Mapping[str, str]) -> None:
        """The group in which the runner repeats a script, colours and all."""
        words = script.split("\n")
        shown = [f"\x1b[36;1m{word}\x1b[0m" for word in words]
        shell = "shell: /usr/bin/bash -e {0}"
        variables = ["env:", *(f"  {name}: {value}" for name, value in environment.items())] if environment else []
        self.group(f"Run {words[0]}", *shown, shell, *variables)

    def action_header(self, action: str, inputs: Mapping[str, str], environment: Mapping[str, str]) -> None:
        """The group of an action; a value of several lines has continuation lines without a timestamp."""
        self.say(f"##[group]Run {action}", "with:")
        for name, value in inputs.items():
            first, *rest = value.split("\n")
            self.say(f"  {name}: {first}")
            self.lines.extend(rest)
        self.say(*(["env:"] if environment else []), *(f"  {name}: {value}" for name, value in environment.items()))
        self.say("##[endgroup]")

    def done(self, name: str, started_at: datetime, conclusion: str | None = "success") -> None:
        """Notes that the step that began at `started_at` has ended now."""
        ended = None if conclusion is None else self.now
        self.steps.append(Step(name, len(self.steps) + 1, conclusion, started_at, ended))

    def text(self) -> str:
        return BOM + "\n".join(self.lines) + "\n"


def _stamp(at: datetime) -> str:
    # Python keeps microseconds, GitHub prints one digit more.
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}{(at.microsecond * 7 + 3) % 10}Z"


def set_up(log: JobLog, machine: Machine, *, job: str, actions: Sequence[str], token: Sequence[str]) -> None:
    """`Set up job`: runner, image, token, and the actions that are downloaded."""
    started = log.now
    rng = log.rng
    number = "22.04" if "22.04" in machine.image else "24.04"
    version = machine.image_version
    readme = "Ubuntu2404-Readme.md" if machine.arch == "X64" else "Ubuntu2404-Arm64-Readme.md"
    short = version.rsplit(".", 1)[0]
    log.say("Current runner version: '2.335.1'", wait_s=0.3)
    log.group(
        "Runner Image Provisioner",
        "Hosted Compute Agent",
        "Version: 20260707.563",
        "Commit: 02667638d2b423fbc733a8e32a88b44996a3ba6e",
        "Build Date: 2026-07-07T19:33:50Z",
        f"Worker ID: {{{log.uuid}}}",
        f"Azure Region: {rng.choice(('westus', 'eastus2', 'northcentralus'))}",
    )
    log.group("Operating System", "Ubuntu", f"{number}.4", "LTS")
    log.group(
        "Runner Image",
        f"Image: {machine.image}",
        f"Version: {version}",
        f"Included Software: https://github.com/actions/runner-images/blob/ubuntu24/{short}/images/ubuntu/{readme}",
        f"Image Release: https://github.com/actions/runner-images/releases/tag/ubuntu24%2F{short}",
    )
    log.group("GITHUB_TOKEN Permissions", *token)
    log.say("Secret source: Actions", "Prepare workflow directory")
    log.say("Prepare all required actions", wait_s=0.04)
    if actions:
        log.say("Getting action download info")
    for action in actions:
        log.say(f"Download action repository '{action}' (SHA:{ACTIONS[action]})", wait_s=0.25 + rng.random() * 0.2)
    log.say(f"Complete job name: {job}", wait_s=0.2)
    log.done("Set up job", started)


@dataclass(frozen=True)
class Checkout:
    """What a run checks out: a branch or tag, or the merge commit of a pull request."""

    action: str
    ref: str
    sha: str
    head: str
    base: str
    subject: str

    @property
    def is_pull(self) -> bool:
        return self.ref.startswith("refs/pull/")


def check_out(log: JobLog, what: Checkout, environment: Mapping[str, str]) -> None:
    started = log.now
    remote = f"refs/remotes/{what.ref.removeprefix('refs/')}" if what.is_pull else _remote(what.ref)
    config = "/usr/bin/git config --local"
    log.action_header(
        what.action,
        {
            "repository": REPOSITORY,
            "token": "***",
            "ssh-strict": "true",
            "ssh-user": "git",
            "persist-credentials": "true",
            "clean": "true",
            "sparse-checkout-cone-mode": "true",
            "fetch-depth": "1",
            "fetch-tags": "false",
            "show-progress": "true",
            "lfs": "false",
            "submodules": "false",
            "set-safe-directory": "true",
        },
        environment,
    )
    log.say(f"Syncing repository: {REPOSITORY}", wait_s=0.1)
    log.group(
        "Getting Git version info",
        f"Working directory is '{RUNNER_WORKSPACE}'",
        "[command]/usr/bin/git version",
        "git version 2.54.0",
    )
    home = f"/home/runner/work/_temp/{log.uuid}"
    log.say(
        f"Temporarily overriding HOME='{home}' before making global git config changes",
        "Adding repository directory to the temporary git global config as a safe directory",
        f"[command]/usr/bin/git config --global --add safe.directory {RUNNER_WORKSPACE}",
        f"Deleting the contents of '{RUNNER_WORKSPACE}'",
    )
    log.group(
        "Initializing the repository",
        f"[command]/usr/bin/git init {RUNNER_WORKSPACE}",
        f"Initialized empty Git repository in {RUNNER_WORKSPACE}/.git/",
        f"[command]/usr/bin/git remote add origin https://github.com/{REPOSITORY}",
    )
    log.group("Disabling automatic garbage collection", f"[command]{config} gc.auto 0")
    log.group(
        "Setting up auth",
        f"[command]{config} http.https://github.com/.extraheader AUTHORIZATION: basic ***",
    )
    log.say("##[group]Fetching the repository")
    log.say(
        "[command]/usr/bin/git -c protocol.version=2 fetch --no-tags --prune --no-recurse-submodules --depth=1 "
        f"origin +{what.sha}:{remote}"
    )
    log.say(f"From https://github.com/{REPOSITORY}", wait_s=0.4 + log.rng.random() * 0.3)
    target = remote.removeprefix("refs/remotes/")
    log.say(f" * [new ref]         {what.sha} -> {target}", "##[endgroup]")
    log.group("Determining the checkout info")
    log.say(
        "[command]/usr/bin/git sparse-checkout disable",
        "[command]/usr/bin/git config --local --unset-all extensions.worktreeConfig",
        "##[group]Checking out the ref",
    )
    if what.ref.startswith("refs/heads/"):
        name = what.ref.removeprefix("refs/heads/")
        log.say(
            f"[command]/usr/bin/git checkout --progress --force -B {name} {remote}",
            f"Switched to a new branch '{name}'",
            f"branch '{name}' set up to track 'origin/{name}'.",
        )
    else:
        subject = f"Merge {what.head} into {what.base}" if what.is_pull else what.subject
        log.say(
            f"[command]/usr/bin/git checkout --progress --force {remote}",
            f"Note: switching to '{remote}'.",
            "",
            "You are in 'detached HEAD' state. You can look around, make experimental",
            "changes and commit them, and you can discard any commits you make in this",
            "state without impacting any branches by switching back to a branch.",
            "",
            f"HEAD is now at {what.sha[:7]} {subject}",
        )
    log.say("##[endgroup]", "[command]/usr/bin/git log -1 --format=%H", what.sha)
    log.done(f"Run {what.action}", started)
    log.posts.append(f"Run {what.action}")


def _remote(ref: str) -> str:
    return ref if ref.startswith("refs/tags/") else f"refs/remotes/origin/{ref.removeprefix('refs/heads/')}"


def install_rust(
    log: JobLog, rustc: Rustc, *, script: str, toolchain: str, host: str, environment: Mapping[str, str]
) -> None:
    started = log.now
    log.script_header(script, environment)
    log.say(f"info: syncing channel updates for {toolchain}-{host}", wait_s=0.2)
    log.say("info: downloading 3 components", wait_s=0.2)
    log.say("", wait_s=4 + log.rng.random() * 3)
    log.say(f"  {toolchain}-{host} installed - {rustc.short}", "")
    log.say(f"info: default toolchain set to {toolchain}-{host}", wait_s=0.1)
    log.say(
        rustc.short,
        "binary: rustc",
        f"commit-hash: {rustc.commit}",
        f"commit-date: {rustc.date}",
        f"host: {host}",
        f"release: {rustc.release}",
        f"LLVM version: {rustc.llvm}",
        wait_s=0.05,
    )
    log.done("Install Rust", started)


def run_script(
    log: JobLog,
    name: str,
    script: str,
    environment: Mapping[str, str],
    output: Sequence[Line] = (),
    *,
    exit_code: int = 0,
    after_s: float = 0.0,
) -> None:
    """A `run:` step: its echo, its recorded output, and the error line when it did not end with 0."""
    started = log.now
    log.script_header(script, environment)
    log.replay(output)
    log.wait(after_s)
    if exit_code:
        log.say(f"##[error]Process completed with exit code {exit_code}.")
        log.is_failed = True
    log.done(name, started, "failure" if exit_code else "success")


def cancel_here(
    log: JobLog,
    name: str,
    script: str,
    environment: Mapping[str, str],
    output: Sequence[Line],
    *,
    at: datetime,
) -> None:
    """A `run:` step that is cancelled at a moment, whatever it was doing."""
    started = log.now
    log.script_header(script, environment)
    start = log.now
    log.replay([line for line in output if start + timedelta(seconds=line.at_s) < at])
    log.now = max(log.now, at)
    log.say("##[error]The operation was canceled.")
    log.is_failed = True
    log.done(name, started, "cancelled")


def _progress(log: JobLog, size: int) -> None:
    for share in (0.31, 0.78, 1.0):
        done = int(size * share) if share < 1 else size
        rate = 60 + log.rng.random() * 40
        text = f"Received {done} of {size} ({done / size * 100:.1f}%), {rate:.1f} MBs/sec"
        log.say(text, wait_s=size / 3 / rate / 1e6)
    log.say(
        f"Cache Size: ~{size // 1024 // 1024} MB ({size} B)",
        f"[command]/usr/bin/tar -xf /home/runner/work/_temp/{log.uuid}/cache.tzst -P -C {RUNNER_WORKSPACE} "
        "--use-compress-program unzstd",
    )
    log.say("Cache restored successfully", wait_s=size / 2.5e8)


@dataclass(frozen=True)
class Restored:
    """Which cache was found: its key and size, and whether the key was asked for exactly."""

    key: str
    size: int
    is_exact: bool


def restore_cargo_cache(
    log: JobLog,
    name: str,
    *,
    path: str,
    key: str,
    restore_keys: str,
    found: Restored | None,
    environment: Mapping[str, str],
) -> None:
    """`actions/cache`, the main step."""
    started = log.now
    inputs = {"path": path, "key": key} | ({"restore-keys": restore_keys} if restore_keys else {})
    inputs |= {"enableCrossOsArchive": "false", "fail-on-cache-miss": "false", "lookup-only": "false"}
    log.action_header("actions/cache@v4", inputs | {"save-always": "false"}, environment)
    if found:
        log.say(f"Cache hit for{'' if found.is_exact else ' restore-key'}: {found.key}", wait_s=0.3)
        _progress(log, found.size)
        log.say(f"Cache restored from key: {found.key}")
    else:
        log.say(f"Cache not found for input keys: {', '.join(filter(None, (key, restore_keys)))}", wait_s=0.3)
    log.done(name, started)
    log.posts.append(name)


def save_cargo_cache(log: JobLog, *, path: str, key: str, size: int, is_hit: bool, is_taken: bool) -> None:
    """`actions/cache`, the post step."""
    log.say("Post job cleanup.")
    if is_hit:
        log.say(f"Cache hit occurred on the primary key {key}, not saving cache.", wait_s=0.2)
        return
    log.say(
        f"[command]/usr/bin/tar --posix -cf cache.tzst --exclude cache.tzst -P -C {RUNNER_WORKSPACE} "
        "--files-from manifest.txt --use-compress-program zstdmt",
        wait_s=0.3,
    )
    if is_taken:
        log.say(
            f"Failed to save: Unable to reserve cache with key {key}, another job may be creating this cache.",
            wait_s=size / 2e8,
        )
        return
    log.say(f"Sent {size} of {size} (100.0%), {50 + log.rng.random() * 30:.1f} MBs/sec", wait_s=size / 5e7)
    log.say(f"Cache saved with key: {key}")


@dataclass(frozen=True)
class RustCacheKey:
    """The parts of a rust-cache key."""

    prefix: str
    environment_hash: str
    lock_hash: str

    @property
    def restore(self) -> str:
        return f"{self.prefix}-{self.environment_hash}"

    @property
    def full(self) -> str:
        return f"{self.restore}-{self.lock_hash}"


def _rust_cache_configuration(log: JobLog, key: RustCacheKey, machine: Machine, environment: Mapping[str, str]) -> None:
    crates = ("kvstore-bench", "kvstore-cli", "kvstore-core", "kvstore-log", "kvstore-server")
    rustc = RUSTC[machine.rustc]
    log.group(
        "Cache Configuration",
        "Cache Provider:",
        "    github",
        "Workspaces:",
        f"    {RUNNER_WORKSPACE}",
        "Cache Paths:",
        *(f"    {RUNNER_CARGO}/{name}" for name in ("bin", ".crates.toml", ".crates2.json", "registry", "git")),
        f"    {RUNNER_WORKSPACE}/target",
        "Restore Key:",
        f"    {key.restore}",
        "Cache Key:",
        f"    {key.full}",
        ".. Prefix:",
        f"  - {key.prefix}",
        ".. Environment considered:",
        "  - Rust Versions:",
        f"    - {rustc.release} {machine.host} {rustc.commit}",
        *(f"  - {name}" for name in sorted(environment) if name.startswith("CARGO")),
        ".. Lockfiles considered:",
        f"  - {RUNNER_WORKSPACE}/Cargo.lock",
        f"  - {RUNNER_WORKSPACE}/Cargo.toml",
        *(f"  - {RUNNER_WORKSPACE}/crates/{crate}/Cargo.toml" for crate in crates),
    )
    log.say("")


def restore_rust_cache(
    log: JobLog,
    *,
    input_key: str,
    key: RustCacheKey,
    machine: Machine,
    found: Restored | None,
    environment: Mapping[str, str],
) -> None:
    """`Swatinem/rust-cache`, the main step."""
    started = log.now
    inputs = {"key": input_key, "prefix-key": "v0-rust", "add-job-id-key": "true"}
    inputs |= {"add-rust-environment-hash-key": "true", "cache-targets": "true", "cache-all-crates": "false"}
    inputs |= {
        "cache-workspace-crates": "false",
        "save-if": "true",
        "cache-provider": "github",
        "cache-bin": "true",
    }
    log.action_header("Swatinem/rust-cache@v2", inputs | {"lookup-only": "false", "cmd-format": "{0}"}, environment)
    log.wait(0.5)
    _rust_cache_configuration(log, key, machine, environment)
    log.say("... Restoring cache ...")
    if found:
        log.say(f"Cache hit for{'' if found.is_exact else ' restore-key'}: {found.key}", wait_s=0.2)
        _progress(log, found.size)
        log.say(f'Restored from cache key "{found.key}" full match: {str(found.is_exact).lower()}.')
    else:
        log.say("No cache found.", wait_s=0.2)
    log.done("Rust cache", started)
    log.posts.append("Rust cache")


def save_rust_cache(
    log: JobLog,
    *,
    key: RustCacheKey,
    machine: Machine,
    size: int,
    is_hit: bool,
    environment: Mapping[str, str],
) -> None:
    """`Swatinem/rust-cache`, the post step."""
    log.say("Post job cleanup.")
    if is_hit:
        log.say("Cache up-to-date.", wait_s=0.1)
        return
    log.wait(0.3)
    _rust_cache_configuration(log, key, machine, environment)
    log.say(f"... Cleaning {RUNNER_WORKSPACE}/target ...")
    log.say("... Cleaning cargo registry (cache-all-crates: false) ...", "... Cleaning cargo/bin ...")
    log.say("... Cleaning cargo git cache ...", "... Saving cache ...", wait_s=0.2)
    log.say(
        f"[command]/usr/bin/tar --posix -cf cache.tzst --exclude cache.tzst -P -C {RUNNER_WORKSPACE} "
        "--files-from manifest.txt --use-compress-program zstdmt"
    )
    log.say(f"Sent {size} of {size} (100.0%), {50 + log.rng.random() * 30:.1f} MBs/sec", wait_s=size / 5e7)


def upload_artifact(
    log: JobLog,
    step: str,
    *,
    name: str,
    path: str,
    size: int,
    artifact_id: int,
    run_id: int,
    environment: Mapping[str, str],
) -> None:
    started = log.now
    inputs = {
        "name": name,
        "path": path,
        "if-no-files-found": "warn",
        "compression-level": "6",
        "overwrite": "false",
    }
    log.action_header("actions/upload-artifact@v4", inputs | {"include-hidden-files": "false"}, environment)
    log.say("With the provided path, there will be 3 files uploaded", wait_s=0.2)
    log.say("Artifact name is valid!", "Root directory input is valid!")
    log.say("Beginning upload of artifact content to blob storage", wait_s=0.15)
    log.say(f"Uploaded bytes {size}", wait_s=size / 2e7)
    log.say("Finished uploading artifact content to blob storage!")
    log.say(
        f"SHA256 digest of uploaded artifact zip is {log.rng.getrandbits(256):064x}",
        "Finalizing artifact upload",
    )
    log.say(f"Artifact {name}.zip successfully finalized. Artifact ID {artifact_id}", wait_s=0.1)
    log.say(
        f"Artifact {name} has been successfully uploaded! Final size is {size} bytes. Artifact ID is {artifact_id}",
        f"Artifact download URL: https://github.com/{REPOSITORY}/actions/runs/{run_id}/artifacts/{artifact_id}",
    )
    log.done(step, started)


def clean_up_checkout(log: JobLog) -> None:
    home = f"/home/runner/work/_temp/{log.uuid}"
    log.say("Post job cleanup.", wait_s=0.1)
    log.say(
        "[command]/usr/bin/git version",
        "git version 2.54.0",
        f"Temporarily overriding HOME='{home}' before making global git config changes",
        "Adding repository directory to the temporary git global config as a safe directory",
        f"[command]/usr/bin/git config --global --add safe.directory {RUNNER_WORKSPACE}",
        r"[command]/usr/bin/git config --local --name-only --get-regexp http\.https\:\/\/github\.com\/\.extraheader",
        "http.https://github.com/.extraheader",
        "[command]/usr/bin/git config --local --unset-all http.https://github.com/.extraheader",
    )


def finish(log: JobLog, orphans: Sequence[str] = ()) -> None:
    """The last step of every job."""
    started = log.now
    log.say("Cleaning up orphan processes", wait_s=0.05)
    for orphan in orphans:
        log.say(f"Terminate orphan process: pid ({log.rng.randrange(2000, 4000)}) ({orphan})", wait_s=0.03)
    log.done("Complete job", started)


def _uuid(rng: random.Random) -> str:
    text = f"{rng.getrandbits(128):032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def scaled(lines: Sequence[Line], *, build_s: float) -> tuple[Line, ...]:
    """Recorded lines with the build stretched to `build_s`; what follows `Finished` keeps its pace.

    The duration in cargo's `Finished` line is written anew, so that text and timestamps agree.
    """
    ends = [index for index, line in enumerate(lines) if line.plain.lstrip().startswith("Finished ")]
    last = ends[0] if ends else len(lines) - 1
    if last < 0:
        return ()
    build_s = round(build_s, 1)
    factor = build_s / max(lines[last].at_s, 0.001)
    shift = lines[last].at_s * factor - lines[last].at_s
    out = []
    for index, line in enumerate(lines):
        at_s = round(line.at_s * factor, 1) + index * 0.0004 if index <= last else line.at_s + shift
        text = re.sub(r" in [0-9.]+s$", f" in {_duration(build_s)}", line.text) if index == last and ends else line.text
        out.append(Line(at_s, text))
    return tuple(out)


def _duration(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 60}m {whole % 60:02d}s" if whole >= 60 else f"{seconds:.2f}s"


def at_utc(text: str) -> datetime:
    """`2026-09-16 14:00` as a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
