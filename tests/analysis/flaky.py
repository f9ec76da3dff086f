"""Small histories of flaky tests: each attempt is one job whose tests ended as told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from kotaci.analysis.flakes import DEFAULTS, FlakeOptions, Flakiness, assess_flakes
from kotaci.tables import FAILURES, JOBS, ROSTER_NAMES, ROSTERS, RUNS, SETUPS, TESTS
from tests.analysis.frames import REPO, Row, at, frame, job, run

SUITE = "widgets"
LINUX = {"image": "ubuntu-24.04 1", "tool": "rustc 1.95.0"}


@dataclass
class Story:
    """Attempts in the order they are told; the tables are made when asked for."""

    runs: list[Row] = field(default_factory=list)
    jobs: list[Row] = field(default_factory=list)
    tests: list[Row] = field(default_factory=list)
    rosters: list[Row] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    setups: list[Row] = field(default_factory=list)

    def tell(
        self,
        run_id: int,
        ended: Mapping[str, str] | None = None,
        *,
        attempt: int = 1,
        commit: str = "",
        setup: Mapping[str, str] = LINUX,
        job_name: str = "test",
        outcome: str = "",
        **told: Any,
    ) -> Story:
        """Tell one attempt with one job: `ended` maps tests to P passed, F failed, R passed when the runner retried.

        None: the log names no test.
        """
        ended = {} if ended is None else ended
        bad = any(letter == "F" for letter in ended.values())
        said = outcome or ("failure" if bad else "success")
        start = told.pop("hours", run_id + attempt / 4)
        of = run(run_id, said, hours=start, attempt=attempt, head_sha=commit or f"{run_id:040x}", wall=600, **told)
        self.runs.append(of)
        return self.beside(of, ended, setup=setup, job_name=job_name, outcome=said)

    def beside(
        self, of: Row, ended: Mapping[str, str], *, setup: Mapping[str, str] = LINUX, job_name: str, outcome: str,
        **told: Any,
    ) -> Story:  # fmt: skip
        """Add one more job to an attempt."""
        row = job(of, outcome, name=job_name, job_id=1000 + len(self.jobs), **told)
        self.jobs.append(row)
        key = {name: row[name] for name in ("repo", "run_id", "attempt", "job_id")}
        names = "\n".join(sorted(ended))
        if ended:
            self.names[names] = f"r{len(self.names)}" if names not in self.names else self.names[names]
            self.rosters.append({**key, "suite": SUITE, "roster_id": self.names[names], "n_tests": len(ended)})
        words = {"F": "failed", "R": "flaky"}
        self.tests += [
            {**key, "suite": SUITE, "test": test, "outcome": words[letter], "location": "src/lib.rs:7", "log_line": 3}
            for test, letter in ended.items()
            if letter in words
        ]
        self.setups += [{**key, "item": item, "name": what, "version": ""} for item, what in setup.items()]
        return self

    def history(self, letters: str, *, test: str = "wobbles", first: int = 1, branch: str = "main") -> Story:
        """Tell one run an hour: P, F, R as above, A failed in the first attempt and passed in the second."""
        for run_id, letter in enumerate(letters, start=first):
            if letter == "A":
                self.tell(run_id, {test: "F"}, branch=branch)
                self.tell(run_id, {test: "P"}, attempt=2, branch=branch)
            else:
                self.tell(run_id, {test: letter}, branch=branch)
        return self

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables that the analysis reads."""
        names: Iterable[Row] = [{"repo": REPO, "roster_id": key, "names": text} for text, key in self.names.items()]
        newest = {row["run_id"]: row["attempt"] for row in self.runs}
        runs = [{**row, "is_last_attempt": newest[row["run_id"]] == row["attempt"]} for row in self.runs]
        return {
            "runs": frame(RUNS, runs),
            "jobs": frame(JOBS, self.jobs),
            "tests": frame(TESTS, self.tests),
            "rosters": frame(ROSTERS, self.rosters),
            "roster_names": frame(ROSTER_NAMES, names),
            "setups": frame(SETUPS, self.setups),
            "failures": frame(FAILURES, []),
        }

    def assessed(self, *, options: FlakeOptions = DEFAULTS, as_of: datetime | None = None) -> Flakiness:
        """Return what the analysis says of the story."""
        end = at(max(row["run_id"] for row in self.runs) + 1) if self.runs else None
        return assess_flakes(**self.tables(), as_of=as_of or end, options=options)
