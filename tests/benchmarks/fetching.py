"""What a fetch costs: requests by kind, time against the limit and against others, memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import requests

from kotaci.github.fetching import N_CONNECTIONS
from tests.github_server import Limits, Rights, State, serve

TOKEN = "token-one"
LATENCY_S = 0.08
LARGE_LOG_BYTES = 200 * 2**20

Row = tuple[str, str]


@dataclass(frozen=True)
class Measured:
    """A command's seconds and peak memory in MB."""

    seconds: float
    peak_mb: float


def measured(words: Sequence[str | Path], *, api_url: str, n_tries: int = 1) -> Measured:
    """Run the command in a process of its own, with the token, and return the best of some tries."""
    host = {"GH_HOST": "github.localhost", "http_proxy": api_url, "GH_TOKEN": TOKEN}
    environment = {**os.environ, "GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": api_url, **(host if words[0] != "-m" else {})}
    command = [str(word) for word in (words if words[0] != "-m" else [sys.executable, *words])]
    best = Measured(float("inf"), float("inf"))
    for _ in range(n_tries):
        began = perf_counter()
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            said = process.stderr.read() if process.stderr else b""
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{command} ended with {process.returncode}: {said[-500:].decode()}")
        unit = 2**20 if sys.platform == "darwin" else 2**10
        best = min(best, Measured(perf_counter() - began, usage.ru_maxrss / unit), key=lambda one: one.seconds)
    return best


def _serve(options: dict[str, Any], pipe: Any) -> None:
    state = State.generated(
        n_runs=options["n_runs"], n_jobs=options["n_jobs"], ends_at=datetime.now(UTC).replace(microsecond=0),
        n_reruns=options["n_runs"] // 20,
    )  # fmt: skip
    if options["large_log"]:
        run_id = next(run_id for run_id in state.newest_first() if state.latest(run_id)["conclusion"] == "failure")
        job = next(job for job in state.jobs[run_id, max(state.runs[run_id])] if job["conclusion"] == "failure")
        line = b"2026-11-20T12:00:00.0000000Z    Compiling kvstore-core v0.1.0 (/home/runner/work/kvstore)\n"
        state.logs[job["id"]] = line * (options["large_log"] // len(line))
    limits = Limits(10**7, points_per_minute=options["points"])
    with serve(state, {TOKEN: Rights()}, limits, options["latency_s"], has_tally=True) as server:
        pipe.send((server.api_url, state.full_name))
        pipe.recv()


@contextlib.contextmanager
def serving(
    n_runs: int, *, n_jobs: int = 8, latency_s: float = 0.0, points: int | None = None, large_log: int = 0
) -> Iterator[tuple[str, str]]:
    """Serve a generated history from a process of its own; yield the API's address and the repository."""
    ours, theirs = multiprocessing.Pipe()
    options = {"n_runs": n_runs, "n_jobs": n_jobs, "latency_s": latency_s, "points": points, "large_log": large_log}
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(options, theirs))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("end")
        process.join()


def fetch_words(repo: str, folder: Path, *options: str) -> list[str | Path]:
    """Return the command that fetches everything into a new store."""
    shutil.rmtree(folder, ignore_errors=True)
    return ["-m", "kotaci", "fetch", repo, "--store", folder, "--since", "all", *options]


def asked(api_url: str) -> tuple[dict[str, int], int]:
    """Return what was asked of the server since the last call: API requests by endpoint, and downloads."""
    tally = requests.get(f"{api_url}/_asked", timeout=10).json()["by_endpoint"]
    requests.post(f"{api_url}/_forget", timeout=10)
    api = {name.split("{repo}")[-1] or "/": n for name, n in tally.items() if "{repo}" in name}
    return api, sum(n for name, n in tally.items() if "{repo}" not in name)


KINDS = {
    "list and jobs": ("/actions/runs", "/actions/runs/{run_id}/jobs"),
    "attempts before the last": ("/actions/runs/{run_id}/attempts/{attempt_number}",),
    "logs": ("/actions/jobs/{job_id}/logs", "/actions/runs/{run_id}/attempts/{attempt_number}/logs"),
    "annotations": ("/check-runs/{check_run_id}/annotations",),
    "artifacts": ("/actions/artifacts", "/actions/artifacts/{artifact_id}/{archive_format}"),
    "commits and workflow files": (
        "/commits/{ref}", "/contents/{path}", "/git/trees/{tree_sha}", "/git/blobs/{file_sha}",
    ),
}  # fmt: skip


def measure_fetch(
    folder: Path, *, n_runs: int = 1200, n_polite: int = 120, n_others: int = 40, latency_s: float = LATENCY_S
) -> list[Row]:
    """Return requests per run by kind, and wall time against the limit and against PyGithub and gh alone."""
    rows: list[Row] = []
    with serving(n_runs, latency_s=latency_s) as (api_url, repo):
        fast = measured(fetch_words(repo, folder / "fast", "--points", "0"), api_url=api_url)
        api, n_downloads = asked(api_url)
    named = {path for paths in KINDS.values() for path in paths}
    for kind, paths in KINDS.items():
        rows.append((f"requests per run, {kind}", f"{sum(api.get(path, 0) for path in paths) / n_runs:.3f}"))
    rest = sum(n for path, n in api.items() if path not in named)
    rows.append((f"requests per run, all; {rest} of them for the repository", f"{sum(api.values()) / n_runs:.3f}"))
    limit_s = (sum(api.values()) + n_downloads) * latency_s / N_CONNECTIONS
    n_asked = f"{sum(api.values())} requests and {n_downloads} downloads on {N_CONNECTIONS} connections"
    rows.append(
        (
            f"{n_runs} runs of 8 jobs at {latency_s * 1000:.0f} ms, no points: {n_asked}",
            f"{fast.seconds:.1f} s, {fast.seconds / limit_s:.2f} times the {limit_s:.1f} s of latency alone",
        )
    )
    with serving(n_polite, latency_s=latency_s, points=900) as (api_url, repo):
        polite = measured(fetch_words(repo, folder / "polite"), api_url=api_url)
        n_api = sum(asked(api_url)[0].values())
    limit_s = n_api / 15
    rows.append(
        (
            f"{n_polite} runs with 900 points a minute: {n_api} requests",
            f"{polite.seconds:.1f} s, {polite.seconds / limit_s:.2f} times the {limit_s:.1f} s that the points allow",
        )
    )
    with serving(n_others, latency_s=latency_s) as (api_url, repo):
        mine = measured(fetch_words(repo, folder / "mine", "--points", "0"), api_url=api_url)
        script = Path(__file__).parent
        plain = measured(["-m", "tests.benchmarks.plainly", api_url, repo], api_url=api_url)
        rows.append(
            (
                f"{n_others} runs: PyGithub iterated over runs, jobs and logs, as it is out of the box",
                f"{plain.seconds:.1f} s, {plain.seconds / mine.seconds:.1f} times kotaci fetch ({mine.seconds:.1f} s)",
            )
        )
        if shutil.which("gh"):
            loop = measured(["bash", script / "gh_loop.sh", repo, str(n_others)], api_url=api_url)
            rows.append(
                (
                    f"{n_others} runs: a loop of gh run view --json jobs and --log",
                    f"{loop.seconds:.1f} s, {loop.seconds / mine.seconds:.1f} times kotaci fetch",
                )
            )
    return rows


def measure_memory(
    folder: Path, *, sizes: Sequence[int] = (1000, 10_000), large_bytes: int = LARGE_LOG_BYTES
) -> list[Row]:
    """Return the peak memory of fetches of growing histories, and of one large log."""
    rows: list[Row] = []
    peaks = []
    for n_runs in sizes:
        with serving(n_runs) as (api_url, repo):
            words = fetch_words(repo, folder / f"memory-{n_runs}", "--points", "0", "--logs", "failed")
            peaks.append(measured(words, api_url=api_url))
        told = f"{peaks[-1].peak_mb:,.0f} MB peak, {peaks[-1].seconds:,.0f} s"
        rows.append((f"{n_runs:,} runs of 8 jobs, logs of red jobs", told))
    rows.append(
        (f"memory from {sizes[0]:,} to {sizes[-1]:,} runs", f"{peaks[-1].peak_mb / peaks[0].peak_mb:.2f} times")
    )
    found = []
    for n_bytes in (0, large_bytes):
        with serving(20, large_log=n_bytes) as (api_url, repo):
            words = fetch_words(repo, folder / f"large-{n_bytes}", "--points", "0", "--logs", "failed")
            found.append(measured(words, api_url=api_url))
    added_mb = found[1].peak_mb - found[0].peak_mb
    seconds = found[1].seconds - found[0].seconds
    rows.append((f"a log of {large_bytes / 2**20:.0f} MiB among 20 runs", f"{added_mb:+.0f} MB peak, {seconds:+.1f} s"))
    return rows
