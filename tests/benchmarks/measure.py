"""What is measured, each step in a process of its own, so that its peak memory is its own."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import zstandard

from kotaci.analysis.buildtime import TABLES as TIME_TABLES
from kotaci.analysis.buildtime import assess_build_time
from kotaci.analysis.caching import assess_caching
from kotaci.analysis.failures import TABLES, assess_failures
from kotaci.analysis.health import assess_health
from kotaci.analysis.metrics import TABLES as METRIC_TABLES
from kotaci.analysis.metrics import assess_metrics
from kotaci.archives.reading import Said, read_archive
from kotaci.facts import build_facts, read_history
from kotaci.model import Repo
from kotaci.pages.caches import TABLES as CACHE_TABLES
from kotaci.store import Batch, open_store
from tests.benchmarks.generate import REPO, history

ROOT = Path(__file__).parent.parent.parent

Row = tuple[str, str]
"""What was measured, and the value with its unit."""

Step = Callable[[str, Path, int], dict[str, float]]
"""Runs a step on a folder with a number of jobs; returns its seconds and peak memory."""


def bytes_in(folder: Path) -> int:
    """Return the bytes of all files below the folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


# -- steps, in a process of their own -------------------------------------------------------------------------


def fill(folder: Path, n_jobs: int) -> None:
    """Write a generated history to the store; its generation is in the time."""
    with open_store(folder, create=True) as store:
        for _ in store.write(history(n_jobs)):
            pass


def build(folder: Path, n_jobs: int) -> None:
    """Bring the tables up to date."""
    with open_store(folder) as store:
        build_facts(store)


def add_run(folder: Path, n_jobs: int) -> None:
    """Write one run more, for the build after it."""
    with open_store(folder) as store:
        (one,) = history(5, seed=2)
        for _ in store.write([Batch(REPO, "api", one.payloads[:1], ())]):
            pass


def health(folder: Path, n_jobs: int) -> None:
    """Read the tables of the whole history and answer `ci_health`."""
    held = read_history(folder, since="all", tables=METRIC_TABLES)
    assess_health(held["runs"], held["jobs"], as_of=held.as_of, default_branch=held.default_branch)
    assess_metrics(held.tables, as_of=held.as_of, min_runs=5)


def triage(folder: Path, n_jobs: int) -> None:
    """Read the tables of the whole history and answer `failure_triage`."""
    held = read_history(folder, since="all", tables=TABLES)
    assess_failures(held.tables, default_branch="main", as_of=held.as_of)


def caches(folder: Path, n_jobs: int) -> None:
    """Read the tables of the whole history and answer `cache_analysis`."""
    held = read_history(folder, since="all", tables=CACHE_TABLES)
    assess_caching(**{name: held[name] for name in CACHE_TABLES}, default_branch="main")


def minutes(folder: Path, n_jobs: int) -> None:
    """Read the tables of the whole history and answer `build_time`; without workflow files, which `timing` has."""
    held = read_history(folder, since="all", tables=TIME_TABLES)
    assess_build_time(held.tables, prices={"ubuntu-latest": 0.006}, default_branch="main")


def nothing(folder: Path, n_jobs: int) -> None:
    """Only import what the other steps import."""


STEPS: dict[str, Callable[[Path, int], None]] = {
    step.__name__: step for step in (nothing, fill, build, add_run, health, triage, caches, minutes)
}


def run_step(step: str, folder: Path, n_jobs: int) -> dict[str, float]:
    """Run the step here and return its seconds, and the peak memory of this process in MB."""
    import resource  # not on Windows

    from tests.benchmarks.explaining import EXPLAIN_STEPS
    from tests.benchmarks.timing import TIMING_STEPS

    work = {**STEPS, **EXPLAIN_STEPS, **TIMING_STEPS}[step]
    started = perf_counter()
    work(folder, n_jobs)
    seconds = perf_counter() - started
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}


def in_own_process(step: str, folder: Path, n_jobs: int) -> dict[str, float]:
    """Run the step in a new process and return what `run_step` says there."""
    words = [sys.executable, "-m", "tests.benchmarks", "--step", step, "--folder", folder, "--jobs", str(n_jobs)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    told: dict[str, float] = json.loads(done.stdout)
    return told


# -- parts ----------------------------------------------------------------------------------------------------


def measure_histories(folder: Path, sizes: Sequence[int], *, measured: Step = in_own_process) -> list[Row]:
    """Return seconds, memory and bytes of histories of these sizes, and how they grow from the first to each."""
    rows: list[Row] = []
    base = measured("nothing", folder, 0)["peak_mb"]
    rows.append(("a process that only imports kotaci and pandas", f"{base:,.0f} MB peak"))
    first: dict[str, float] = {}
    for n_jobs in sizes:
        store = folder / f"history-{n_jobs}"
        found: dict[str, dict[str, float]] = {}
        for label, step in (
            ("store, generation included", "fill"),
            ("facts, all", "build"),
            ("facts, nothing new", "build"),
            ("", "add_run"),
            ("facts, one run more", "build"),
            ("ci_health, whole history", "health"),
            ("failure_triage, whole history", "triage"),
            ("cache_analysis, whole history", "caches"),
            ("build_time, whole history", "minutes"),
        ):
            found[label] = measured(step, store, n_jobs)
        facts = bytes_in(store / "facts")
        told = {
            **{label: values["seconds"] for label, values in found.items() if label},
            "store MB": (bytes_in(store) - facts) / 1e6,
            "facts MB": facts / 1e6,
        }
        first = first or told
        for label, value in told.items():
            growth = f", {value / first[label]:.1f}x of {sizes[0]:,}" if told is not first else ""
            if label in found:
                peak = f", {found[label]['peak_mb']:,.0f} MB peak"
                rows.append((f"{n_jobs:,} jobs: {label}", f"{value:,.2f} s{peak}{growth}"))
            else:
                rows.append((f"{n_jobs:,} jobs: {label}", f"{value:,.1f} MB{growth}"))
        shutil.rmtree(store)
    return rows


def measure_import(folder: Path, *, n_logs: int, n_lines: int, n_rounds: int) -> list[Row]:
    """Return MB/s of importing job logs, and of reading and compressing the same bytes: as fast as it could be."""
    source = folder / f"logs-{n_lines}"
    source.mkdir()
    for place, batch in enumerate(history(5 * n_logs, n_lines=n_lines)):
        (source / f"{place}.txt").write_bytes(batch.logs[0].body)
    n_bytes = bytes_in(source)

    def limit() -> None:
        for file in sorted(source.iterdir()):
            zstandard.compress(file.read_bytes())

    def ours() -> None:
        shutil.rmtree(folder / "store", ignore_errors=True)
        with open_store(folder / "store", create=True) as store:
            for _ in store.write(read_archive(source, said=Said(Repo.parse(REPO)))):
                pass

    speeds: dict[str, list[float]] = {"limit": [], "ours": []}
    for _ in range(n_rounds):
        for name, work in (("limit", limit), ("ours", ours)):
            started = perf_counter()
            work()
            speeds[name].append(n_bytes / 1e6 / (perf_counter() - started))
    best, mine = statistics.median(speeds["limit"]), statistics.median(speeds["ours"])
    what = f"{n_logs:,} logs of {n_bytes / n_logs / 1e3:,.0f} kB"
    return [
        (f"import, {what}", f"{mine:,.0f} MB/s"),
        (f"read and zstd alone, {what}", f"{best:,.0f} MB/s, so import is {best / mine:.1f}x from the limit"),
    ]


def measure_notebooks(folder: Path) -> list[Row]:
    """Return seconds of all notebooks on the sample to HTML: our runner, and papermill and nbconvert as commands."""
    from kotaci.places import notebooks_folder
    from kotaci.report import runner
    from kotaci.sample import open_sample

    notebooks = runner.read_notebooks(notebooks_folder())
    with open_sample(folder / "sample") as store:
        parameters = {"store": str(store.path)}
    rows: list[Row] = []
    spent = {}
    for jobs in (1, 2):
        started = perf_counter()
        reports = runner.run(notebooks, parameters=parameters, out=folder / f"report-{jobs}", jobs=jobs)
        spent[jobs] = perf_counter() - started
        n_failed = sum(bool(report.error) for report in reports)
        failed = f", {n_failed} failed" if n_failed else ""
        rows.append(
            (f"{len(notebooks)} notebooks to HTML, our runner, {jobs} at a time", f"{spent[jobs]:.1f} s{failed}")
        )
    started = perf_counter()
    for notebook in notebooks:
        done = folder / f"{notebook.name}.ipynb"
        given: list[Any] = ["-p", "store", parameters["store"]]
        for words in (
            ["papermill", notebook.path, done, *given, "--no-progress-bar"],
            ["jupyter", "nbconvert", "--to", "html", "--no-input", done],
        ):
            command = Path(sys.executable).with_name(str(words[0]))
            subprocess.run([command, *words[1:]], capture_output=True, check=True)
    commands = perf_counter() - started
    rows.append(
        ("papermill and jupyter nbconvert as commands", f"{commands:.1f} s, {commands / spent[1]:.1f}x of our runner")
    )
    return rows


def measure_install(folder: Path) -> list[Row]:
    """Return seconds, size and packages of an install without and with the lab, each into an empty environment."""
    uv, rows = shutil.which("uv"), list[Row]()
    for name, what in (("headless", str(ROOT)), ("with the lab", f"{ROOT}[lab]")):
        home = folder / name.replace(" ", "-")
        python = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        if uv:
            subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(home)], check=True)
        else:
            venv.create(home, with_pip=True)
        install = (
            [uv, "pip", "install", "--quiet", "--python", str(python)]
            if uv
            else [str(python), "-m", "pip", "install", "--quiet"]
        )
        began = perf_counter()
        subprocess.run([*install, what], check=True)
        seconds = perf_counter() - began
        n_packages = len(list(home.rglob("*.dist-info")))
        rows.append((f"install, {name}", f"{seconds:.0f} s, {bytes_in(home) / 1e6:.0f} MB, {n_packages} packages"))
    return rows
