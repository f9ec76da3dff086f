"""Runs of workflows with `needs`, told by what each job waits for and how long it takes."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pandas as pd

from kotaci.tables import COMMITS, RUNS, STEPS, WORKFLOW_JOBS
from tests.analysis.frames import Row, commit, declared, frame, job, jobs, run

Graph = Mapping[str, Sequence[str]]
Legs = Mapping[str, Sequence[tuple[int, int]]]
"""Queue and run seconds of each leg of each job."""


@dataclass
class Tables:
    """The tables that build-time analysis reads, filled run by run."""

    runs: list[Row] = field(default_factory=list)
    jobs: list[Row] = field(default_factory=list)
    steps: list[Row] = field(default_factory=list)
    declared: list[Row] = field(default_factory=list)
    commits: list[Row] = field(default_factory=list)

    def add(
        self,
        needs: Graph,
        legs: Legs,
        *,
        run_told: Mapping[str, Any] | None = None,
        again: Row | None = None,
        **told: Mapping[str, Any],
    ) -> Row:
        """Add a run of a workflow of its own, each job starting its queue time after its needs; `told` is of jobs.

        With `again` it is the next attempt of that run.
        """
        number = len(self.runs) + 1
        tree, sha = f"tree{number}", f"{number:040x}"
        attempt = run(number, head_sha=sha, **(run_told or {}))
        if again:
            attempt = {**attempt, "run_id": again["run_id"], "attempt": again["attempt"] + 1}
        self.runs.append(attempt)
        self.commits.append(commit(sha, tree=tree))
        ends: dict[str, float] = {}
        while len(ends) < len(needs):
            for key in (key for key in needs if key not in ends and all(need in ends for need in needs[key])):
                ready = max((ends[need] for need in needs[key]), default=0)
                ends[key] = ready + max((q + d for q, d in legs[key]), default=0)
                for place, (q, d) in enumerate(legs[key]):
                    start = attempt["started_at"] + timedelta(seconds=ready)
                    name = key if len(legs[key]) == 1 else f"{key} ({place})"
                    self.declared.append(
                        declared(
                            tree, key, job=name, leg=name.partition(" (")[2].rstrip(")"), needs=" ".join(needs[key])
                        )
                        | self._declared_part(told.get(key, {}))
                    )
                    self.jobs.append(
                        job(
                            attempt, name=name, wall=d, job_id=number * 1000 + len(self.jobs), created_at=start,
                            started_at=start + timedelta(seconds=q), queue_s=q,
                            ended_at=start + timedelta(seconds=q + d),
                        ) | {name: value for name, value in told.get(key, {}).items() if name not in self._OF_FILE}
                    )  # fmt: skip
        return attempt

    _OF_FILE = ("condition", "uses", "needs", "is_dynamic", "runs_on")

    def _declared_part(self, told: Mapping[str, Any]) -> dict[str, Any]:
        return {name: told[name] for name in self._OF_FILE if name in told}

    def step(self, of: Row, name: str, seconds: float, *, number: int = 1) -> None:
        """Add a step of that job."""
        keys = {key: of[key] for key in ("repo", "run_id", "attempt", "job_id", "started_at")}
        self.steps.append(
            keys | {"step_number": number, "step": name, "outcome": "success", "wall_s": seconds,
                    "ended_at": of["started_at"] + timedelta(seconds=seconds), "step_source": "api"}
        )  # fmt: skip

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return the frames by table."""
        return {
            "runs": frame(RUNS, self.runs),
            "jobs": jobs(self.jobs),
            "steps": frame(STEPS, self.steps),
            "workflow_jobs": frame(WORKFLOW_JOBS, self.declared),
            "commits": frame(COMMITS, self.commits),
        }


def random_graph(
    dice: random.Random, *, most: int = 9
) -> tuple[dict[str, list[str]], dict[str, list[tuple[int, int]]]]:
    """Return a graph of jobs, in shuffled order, and their legs."""
    keys = [f"j{place}" for place in range(dice.randint(1, most))]
    needs = {key: dice.sample(keys[:place], dice.randint(0, min(place, 3))) for place, key in enumerate(keys)}
    legs = {
        key: [(dice.randint(0, 90), dice.randint(0, 900)) for _ in range(dice.choice((1, 1, 1, 2, 4)))] for key in keys
    }
    dice.shuffle(keys)
    return {key: needs[key] for key in keys}, legs
