"""From the executions of one test to a rate, a flip rate and a status: flaky, maybe fixed, fixed, suspected or neither.

A failure counts as flaky where it is proved, or where it stands alone beside proved ones. Failures in a row without
proof are a regression and count for nothing here. Once a test is fixed its rate begins anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import pandas as pd

from kotaci.analysis.changes import failures_in_a_row_needed
from kotaci.analysis.flakes.options import FlakeOptions
from kotaci.analysis.statistics import wilson
from kotaci.model import BAD_OUTCOMES, DECIDED_OUTCOMES

FLAKY = "flaky"
MAYBE_FIXED = "maybe fixed"
FIXED = "fixed"
SUSPECTED = "suspected"
NOT_PROVED = "not proved"
"""The last one: it failed, but nothing speaks for flakiness; whether it is a regression is another page's question."""


@dataclass(frozen=True)
class Judgement:
    """What is known of one test.

    n: first executions in a run (in each leg) since the last fix, without those of a regression; n_failed: of these,
    failed or passed only by the runner's own retry; n_executions: all of the window, re-runs too; n_proved: failures
    of the window that are proved flaky; flip_rate: changes of outcome over n - 1, leg by leg (Apple, ICSE-SEIP 2020);
    passes_since: passes in a row since the last failure, of passes_needed to be called fixed. A fixed test shows the
    rate that it had before.
    """

    status: str
    n: int
    n_failed: int
    low: float
    high: float
    n_executions: int
    n_proved: int
    n_retried: int
    n_regression: int
    n_flips: int
    n_pairs: int
    n_commits: int
    n_commits_hit: int
    n_branches_hit: int
    first_at: pd.Timestamp
    last_at: pd.Timestamp
    passes_since: int
    passes_needed: int
    since_at: pd.Timestamp | None
    """When an earlier time of flakiness was over, where there was one: the rate counts since then."""

    @property
    def rate(self) -> float:
        """The share of n that failed; nan for no n."""
        return self.n_failed / self.n if self.n else math.nan

    @property
    def flip_rate(self) -> float:
        """The share of pairs that follow each other, in one leg, whose outcomes differ; nan for no pair."""
        return self.n_flips / self.n_pairs if self.n_pairs else math.nan


def may_be_flaky(executions: pd.DataFrame, *, options: FlakeOptions) -> bool:
    """Tell at a glance whether a test can be more than `not proved`: most that ever failed are not worth a look."""
    failed = executions["outcome"] == "failed"
    is_proved = bool((executions["proof"] != "").any())
    return is_proved or int(executions.loc[failed, "head_sha"].nunique()) >= options.suspect_commits


def with_regressions(executions: pd.DataFrame, *, options: FlakeOptions) -> pd.DataFrame:
    """Return the executions of one test with `is_regression`: failures in a row without proof.

    A row is looked for leg by leg, over all branches and within each: a broken branch fails while others pass.
    """
    mine = executions[executions["is_first"]]
    is_bare = (mine["outcome"] == "failed") & (mine["proof"] == "")
    if not is_bare.any():
        return executions
    n_flaky = int(((mine["outcome"] != "passed") & ~is_bare).sum())
    needed = streak_needed(n_flaky=n_flaky, n=int((~is_bare).sum()), options=options)
    found: set[int] = set()
    for keys in (["leg"], ["leg", "branch"]):
        stretch = (is_bare != is_bare.groupby([mine[key] for key in keys]).shift()).astype(int)
        number = stretch.groupby([mine[key] for key in keys]).cumsum()
        length = is_bare.groupby([*(mine[key] for key in keys), number]).transform("size")
        found |= set(mine.index[is_bare & (length >= needed)])
    return executions.assign(is_regression=executions.index.isin(found))


def streak_needed(*, n_flaky: int, n: int, options: FlakeOptions) -> int:
    """Return how many failures in a row are a regression of a test that flaked n_flaky times in n: as many as the
    change point asks for, and never fewer than `regression_streak`."""
    needed = failures_in_a_row_needed(n_flaky / n, n) if n else None
    return max(options.regression_streak, n + 1 if needed is None else needed)


def passes_needed(*, n_failed: int, n: int, chance: float) -> int:
    """Return how many passes in a row, after n executions of which n_failed failed, are too many for mere luck.

    Were the rate still the same, any place would be as likely for a failure: all of them lie among the first n of
    n + k with probability C(n, x) / C(n + k, x) (hypergeometric, as in Fisher's exact test, which Sippy uses). Returns
    the smallest k for which that is below `chance`. It needs no guess of the rate: few failures need many passes. It
    asks about the one row of passes since the last failure; `changes.passes_needed_to_call_fixed` looks for a change
    anywhere in a history and so asks for several times as many.
    """
    if n_failed == 0:
        return 0
    low, high = 0, 1
    while not _is_too_lucky(n_failed, n, high, chance):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _is_too_lucky(n_failed, n, middle, chance) else (middle, high)
    return high


def _is_too_lucky(x: int, n: int, k: int, chance: float) -> bool:
    fits = math.lgamma(n + 1) - math.lgamma(n - x + 1) - math.lgamma(n + k + 1) + math.lgamma(n + k - x + 1)
    return fits < math.log(chance)


def judge(executions: pd.DataFrame, runs: pd.DataFrame, *, options: FlakeOptions) -> Judgement:
    """Return what the executions of one test (with regressions marked) say of it; `runs` are all runs held."""
    counted = executions[executions["is_first"] & ~executions["is_regression"]]
    start, over = _last_fix(counted, options=options)
    era = counted.iloc[start:]
    bad = era["outcome"] != "passed"
    passes = len(era) - 1 - int(bad.to_numpy().nonzero()[0][-1]) if bad.any() else len(era)
    is_fixed = over is not None and not bad.any()
    if is_fixed:
        era = counted.iloc[over : counted.index.get_loc(_last_bad(counted)) + 1]
        bad = era["outcome"] != "passed"
    n, x = len(era), int(bad.sum())
    until_last = n if is_fixed else n - passes
    needed = passes_needed(n_failed=x, n=until_last, chance=options.fixed_chance)
    flaky = executions[(executions["outcome"] != "passed") & ~executions["is_regression"]]
    shown = flaky if len(flaky) else executions[executions["outcome"] != "passed"]
    flips, pairs = _flips(counted)
    low, high = wilson(x, n)
    return Judgement(
        status=_status(executions, counted, runs, x=x, until_last=until_last, passes=passes, is_fixed=is_fixed,
                       options=options),
        n=n,
        n_failed=x,
        low=low,
        high=high,
        n_executions=len(executions),
        n_proved=int((executions["proof"] != "").sum()),
        n_retried=int((executions["proof"] == "retry").sum()),
        n_regression=int(executions["is_regression"].sum()),
        n_flips=flips,
        n_pairs=pairs,
        n_commits=int(executions["head_sha"].nunique()),
        n_commits_hit=int(shown["head_sha"].nunique()),
        n_branches_hit=int(shown["branch"].nunique()),
        first_at=shown["at"].min(),
        last_at=shown["at"].max(),
        passes_since=passes,
        passes_needed=needed,
        since_at=None if over is None or is_fixed else era["at"].min(),
    )  # fmt: skip


def _last_bad(counted: pd.DataFrame) -> int:
    return int(counted.index[counted["outcome"] != "passed"][-1])


def _last_fix(counted: pd.DataFrame, *, options: FlakeOptions) -> tuple[int, int | None]:
    """Return where the time since the last fix begins, and where the time before it began; (0, None) for no fix.

    Every row of passes is looked at, so the chance of a wrong "fixed" is divided among those looked at so far.
    """
    start, before, looks = 0, None, 0
    bad = [*(counted["outcome"] != "passed").to_numpy().nonzero()[0].tolist(), len(counted)]
    x = 0
    for failed_at, next_at in pairwise(bad):
        x, looks = x + 1, looks + 1
        is_last = next_at == len(counted)
        chance = options.fixed_chance / (1 if is_last else looks)
        if next_at - failed_at - 1 >= passes_needed(n_failed=x, n=failed_at + 1 - start, chance=chance):
            start, before, x = failed_at + 1, start, 0
    return start, before


def _flips(counted: pd.DataFrame) -> tuple[int, int]:
    bad = counted["outcome"] != "passed"
    legs = bad.groupby(counted["leg"])
    return int((bad != legs.shift()).sum()) - legs.ngroups, len(bad) - legs.ngroups


def _status(
    executions: pd.DataFrame,
    counted: pd.DataFrame,
    runs: pd.DataFrame,
    *,
    x: int,
    until_last: int,
    passes: int,
    is_fixed: bool,
    options: FlakeOptions,
) -> str:
    if not (executions["proof"] != "").any():
        return SUSPECTED if _is_suspect(executions, counted, runs, options=options) else NOT_PROVED
    if is_fixed:
        return FIXED
    maybe = passes_needed(n_failed=x, n=until_last, chance=options.maybe_fixed_chance)
    return MAYBE_FIXED if x and passes >= maybe else FLAKY


def _is_suspect(executions: pd.DataFrame, counted: pd.DataFrame, runs: pd.DataFrame, *, options: FlakeOptions) -> bool:
    """Tell whether it failed on several commits and branches while its workflow passed around (flake-doctor)."""
    bare = counted[counted["outcome"] == "failed"]
    if bare.empty:
        return False
    mine = runs[(runs["workflow"] == executions["workflow"].iloc[0]) & runs["outcome"].isin(DECIDED_OUTCOMES)]
    moments, is_bad = mine["started_at"], mine["outcome"].isin(BAD_OUTCOMES)
    around = timedelta(hours=options.suspect_hours)
    kept = [
        (~is_bad[(moments >= at - around) & (moments <= at + around)]).mean() >= options.suspect_pass_rate
        for at in bare["at"]
    ]
    amid = bare[kept]
    n_commits, n_branches = int(amid["head_sha"].nunique()), int(amid["branch"].nunique())
    return n_commits >= options.suspect_commits and n_branches >= options.suspect_branches
