"""What build-time analysis takes: needs, critical paths and suggestions over a generated history, time and memory.

Runs of five jobs over two years, one in eight of which has a cache that missed, with three steps a job; twenty versions
of the workflow file.
"""

from __future__ import annotations

import pickle
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from kotaci.analysis.timing import Network, critical_paths, suggest_scenarios, to_network
from kotaci.tables import COMMITS, JOBS, RUNS, STEPS, UNITS, WORKFLOW_JOBS
from tests.analysis.frames import KEYS, commit, declared, frame, job, run, unit

Row = tuple[str, str]
Step = Callable[[str, Path, int], dict[str, float]]

NEEDS = {"lint": "", "docs": "", "test": "lint", "coverage": "test", "gate": "coverage docs"}
USUAL_S = {"lint": 90, "docs": 60, "test": 300, "coverage": 240, "gate": 5}
MISS_S = 150
N_TREES = 20
HOURS = 2 * 365 * 24


def tables(n_jobs: int, *, seed: int = 1) -> dict[str, pd.DataFrame]:
    """Return a history of so many jobs, as the tables that build-time analysis reads."""
    dice = random.Random(seed)  # noqa: S311  (repeatable on purpose)
    n_runs = max(1, n_jobs // len(NEEDS))
    rows: dict[str, list[Mapping[str, Any]]] = {name: [] for name in ("runs", "jobs", "steps", "units", "commits")}
    misses = []
    before: tuple[str, ...] = ()
    for number in range(n_runs):
        sha = f"{number:040x}"
        files = dice.choice(("README.md", "src/lib.rs", "src/main.rs", "src/lib.rs\ndocs/a.md"))
        rows["commits"].append(commit(sha, *before, tree=f"tree{number * N_TREES // n_runs}", files=files))
        before = (sha,)
        of = run(number + 1, hours=HOURS * number / n_runs, head_sha=sha)
        rows["runs"].append(of)
        has_missed = not dice.randrange(8)
        ends: dict[str, float] = {}
        for place, (key, needs) in enumerate(NEEDS.items()):
            took = USUAL_S[key] * dice.uniform(0.8, 1.25) + MISS_S * (has_missed and key == "test")
            begins = max((ends[need] for need in needs.split()), default=0.0)
            ends[key] = begins + 5 + took
            start = of["started_at"] + timedelta(seconds=begins)
            told = job(
                of,
                name=key,
                wall=took,
                job_id=(number + 1) * 10 + place,
                created_at=start,
                started_at=start + timedelta(seconds=5),
                ended_at=start + timedelta(seconds=5 + took),
            )
            rows["jobs"].append(told)
            rows["steps"] += [
                {**{name: told[name] for name in KEYS}, "step_number": count, "step": step, "outcome": "success",
                 "started_at": told["started_at"], "ended_at": told["started_at"] + timedelta(seconds=share * took),
                 "wall_s": share * took, "step_source": "api"}
                for count, (step, share) in enumerate(
                    (("Set up job", 0.05), ("Install protoc", 0.15), ("Test", 0.8)), start=1
                )
            ]  # fmt: skip
            if key == "test":
                rows["units"] += [unit(told, f"crate{count}", wall_s=took / 20) for count in range(5)]
                if has_missed:
                    cost = {"cost_s": float(MISS_S), "low_s": 140.0, "high_s": 160.0}
                    misses.append({name: told[name] for name in KEYS} | cost)
    trees = [f"tree{number}" for number in range(N_TREES)]
    files_of = [
        declared(tree, key, needs=needs, condition="always()" if key == "gate" else "")
        for tree in trees
        for key, needs in NEEDS.items()
    ]
    contracts = {"runs": RUNS, "jobs": JOBS, "steps": STEPS, "units": UNITS, "commits": COMMITS}
    return {
        **{name: frame(table, rows[name]) for name, table in contracts.items()},
        "workflow_jobs": frame(WORKFLOW_JOBS, files_of),
        "misses": pd.DataFrame(misses, columns=[*KEYS, "cost_s", "low_s", "high_s"]),
    }


def _fill(folder: Path, n_jobs: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("tables.pickle").write_bytes(pickle.dumps(tables(n_jobs)))


def _read(folder: Path) -> dict[str, pd.DataFrame]:
    read: dict[str, pd.DataFrame] = pickle.loads(folder.joinpath("tables.pickle").read_bytes())  # noqa: S301  (ours)
    return read


def _network(read: Mapping[str, pd.DataFrame]) -> Network:
    return to_network(read["runs"], read["jobs"], read["workflow_jobs"], read["commits"])


def _suggest(folder: Path, _: int) -> None:
    read = _read(folder)
    wanted = {name: read[name] for name in ("steps", "units", "misses", "commits")}
    suggest_scenarios(_network(read), **wanted, prices={"ubuntu-24.04": 0.006})


TIMING_STEPS: dict[str, Callable[[Path, int], object]] = {
    "timing_fill": _fill,
    "timing_read": lambda folder, _: _read(folder),
    "timing_network": lambda folder, _: _network(_read(folder)),
    "timing_paths": lambda folder, _: critical_paths(_network(_read(folder))),
    "timing_suggest": _suggest,
}


def measure_timing(folder: Path, sizes: Sequence[int], *, measured: Step) -> list[Row]:
    """Return seconds and peak memory of each part, each in a process of its own, for histories of these sizes.

    Seconds are without those of what comes before (tables in memory, then needs); memory is with it.
    """
    rows: list[Row] = []
    for n_jobs in sizes:
        store = folder / f"timing-{n_jobs}"
        found = {step: measured(step, store, n_jobs) for step in TIMING_STEPS}
        shutil.rmtree(store)
        for label, step, base in (
            ("tables in memory", "timing_read", ""),
            ("needs of every run", "timing_network", "timing_read"),
            ("critical paths", "timing_paths", "timing_network"),
            ("suggestions, replayed", "timing_suggest", "timing_network"),
        ):
            seconds = found[step]["seconds"] - (found[base]["seconds"] if base else 0.0)
            rows.append((f"{n_jobs:,} jobs: {label}", f"{seconds:,.2f} s, {found[step]['peak_mb']:,.0f} MB peak"))
    return rows
