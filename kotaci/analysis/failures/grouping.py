"""Which failed jobs failed alike: by the test that failed, else by the signature of what the log says."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from kotaci.analysis.verdicts.bursts import SUPPORTING
from kotaci.analysis.verdicts.past import test_id
from kotaci.model import Verdict, short_workflow

KEY = ["run_id", "attempt", "job_id"]


@dataclass(frozen=True)
class Alike:
    """Rows of jobs that failed alike, and what they have in common: failed tests, or nothing but their signature."""

    id: str
    rows: pd.DataFrame
    tests: Sequence[str]


def group_alike(bad: pd.DataFrame, tests: pd.DataFrame, *, many_tests: int) -> Iterator[Alike]:
    """Yield the groups of failed jobs, within a workflow and job (legs together).

    `bad` has KEY, workflow, job_base, where (the step), signature, verdict, cause. A job is in the group of each test
    that failed in it, so that a flaky test stays one group whatever fails beside it; tests that always fail together
    are one group. Where more than `many_tests` fail at once no single one is to blame (redherring's rule: more than ten
    at once is the environment), and the signature groups it, whatever its step is called. Without tests or signature
    the step does: unknown failures are listed together, never taken for alike. What the infrastructure did is one group
    by its cause: one outage has many words.
    """
    named = _tests_by_job(tests)
    for (workflow, base), part in bad.groupby(["workflow", "job_base"], sort=False):
        jobs_of_test: dict[str, list[int]] = defaultdict(list)
        others: dict[tuple[str, str], list[int]] = defaultdict(list)
        columns = [*KEY, "where", "signature", "verdict", "cause"]
        for place, (*key, where, said, verdict, cause) in enumerate(part[columns].itertuples(index=False, name=None)):
            names = named.get(tuple(key), ())
            is_weather = verdict == Verdict.INFRASTRUCTURE and cause in SUPPORTING
            if 0 < len(names) <= many_tests:
                for name in names:
                    jobs_of_test[name].append(place)
            else:
                how = f"cause {cause}" if is_weather else said
                others["" if how else where, how].append(place)
        together: dict[tuple[int, ...], list[str]] = defaultdict(list)
        for name, places in jobs_of_test.items():
            together[tuple(places)].append(name)
        slug = "-".join(re.findall(r"[a-z0-9]+", f"{short_workflow(workflow)} {base}".lower()))
        for jobs, names in together.items():
            yield Alike(f"{slug}-{_digest('test', *sorted(names))}", part.iloc[list(jobs)], sorted(names))
        for (where, how), places in others.items():
            yield Alike(f"{slug}-{_digest(where, how)}", part.iloc[places], ())


def _tests_by_job(tests: pd.DataFrame) -> dict[tuple[int, ...], list[str]]:
    named: dict[tuple[int, ...], list[str]] = defaultdict(list)
    failed = tests.loc[tests["outcome"] == "failed", [*KEY, "suite", "test"]].drop_duplicates()
    for *key, suite, test in failed.itertuples(index=False, name=None):
        named[tuple(key)].append(test_id(suite, test))
    return named


def _digest(*words: str) -> str:
    return hashlib.blake2b("\0".join(words).encode(), digest_size=6).hexdigest()
