"""The slowest tests: the most that a split or a faster test could win."""

from __future__ import annotations

import pandas as pd

from kotaci.analysis.spending.splitting import JOB

SLOWEST_COLUMNS = ["suite", "test", "n", "median_s", "p95_s", "total_s", "share"]


def slowest_tests(test_times: pd.DataFrame) -> pd.DataFrame:
    """Return SLOWEST_COLUMNS, most seconds in total first, over all jobs and legs of the table `test_times`.

    n: executions in which the test was among the slowest of its job (`kotaci.facts.testing.N_SLOWEST` are kept), so
    that median_s and p95_s of a test that is only sometimes slow speak of these times. share: total_s over the seconds
    of all tests with a duration, in all these jobs. Durations are the framework's own: nextest's rows, JUnit reports;
    stable libtest prints none. Tests run at once: a share of test time is not that share of the time that passes.
    """
    per_job = test_times[[*JOB, "all_s"]].drop_duplicates()
    whole = float(per_job["all_s"].astype(float).sum())
    grouped = test_times.assign(wall_s=test_times["wall_s"].astype(float)).groupby(["suite", "test"])["wall_s"]
    tests = grouped.agg(
        n="size", median_s="median", p95_s=lambda seconds: seconds.quantile(0.95), total_s="sum"
    ).reset_index()
    tests = tests.assign(share=tests["total_s"] / whole if whole else 0.0)
    return tests[SLOWEST_COLUMNS].sort_values("total_s", ascending=False, kind="stable", ignore_index=True)
