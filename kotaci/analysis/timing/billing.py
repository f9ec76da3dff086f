"""What the minutes of machines cost, and which of them were lost.

Each job is rounded up to a whole minute and priced by its label (GitHub docs,
billing/reference/actions-runner-pricing). Public repositories pay nothing for standard runners, private ones nothing
within the plan's quota: dollars are the list price, not a bill.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kotaci.analysis.superseding import find_newer_runs
from kotaci.analysis.timing.network import ATTEMPT, Floats
from kotaci.model import Outcome

RERUN, SUPERSEDED, DUPLICATE = "run again", "superseded", "duplicate on one commit"


@dataclass(frozen=True)
class Bill:
    """Whole minutes of n jobs and their list price in US dollars.

    n_unpriced of the jobs, with minutes_unpriced, have a label without a known price; dollars leaves them out, and is
    None where no job has a price.
    """

    n: int
    minutes: int
    dollars: float | None
    n_unpriced: int
    minutes_unpriced: int


def rounded_up(seconds: Floats) -> Floats:
    """Return whole minutes. A job of 0 s is taken to cost one: that is an assumption.

    GitHub's documentation says that partial minutes are rounded up, not what a job costs whose start and end, told to
    the second, are the same.
    """
    return np.maximum(1.0, np.ceil(seconds / 60))


def price_of(labels: str, prices: Mapping[str, float]) -> float | None:
    """Return the price in US dollars a minute; None where no label of the job has one, or two have different ones."""
    found = {prices[label] for label in labels.split() if label in prices}
    return found.pop() if len(found) == 1 else None


def to_billed(runs: pd.DataFrame, jobs: pd.DataFrame, *, prices: Mapping[str, float]) -> pd.DataFrame:
    """Return the jobs that cost minutes, with minutes, price (dollars a minute) and dollars, missing where unknown.

    Not counted: jobs that were skipped, that no runner took (cancelled without a runner), that have not ended, and that
    were carried over into a re-run, which counts them in the attempt that ran them.
    """
    told = jobs.merge(runs[[*ATTEMPT, "started_at"]].rename(columns={"started_at": "attempt_at"}), on=ATTEMPT)
    seconds = (told["ended_at"] - told["started_at"]).dt.total_seconds()
    is_taken = (told["outcome"] != Outcome.CANCELLED) | (told["runner"].fillna("") != "")
    is_carried = (told["started_at"] < told["attempt_at"]).fillna(False).astype(bool)
    has_cost = (told["outcome"] != Outcome.SKIPPED) & is_taken & ~is_carried & seconds.notna()
    told, seconds = told[has_cost], seconds[has_cost].to_numpy(float)
    by_labels = {labels: price_of(labels, prices) for labels in told["labels"].fillna("").unique()}
    price = told["labels"].fillna("").map(by_labels).astype("Float64")
    minutes = rounded_up(np.maximum(seconds, 0.0))
    return told.drop(columns="attempt_at").assign(minutes=minutes, price=price, dollars=price * minutes)


def to_bill(billed: pd.DataFrame) -> Bill:
    """Return the sums of jobs of `to_billed`."""
    is_unpriced = billed["price"].isna()
    has_price = len(billed) == 0 or not is_unpriced.all()
    return Bill(
        n=len(billed),
        minutes=int(billed["minutes"].sum()),
        dollars=math.fsum(billed["dollars"].dropna()) if has_price else None,
        n_unpriced=int(is_unpriced.sum()),
        minutes_unpriced=int(billed.loc[is_unpriced, "minutes"].sum()),
    )


def lost_minutes(runs: pd.DataFrame, billed: pd.DataFrame) -> Mapping[str, Bill]:
    """Return what was spent on attempts that bought nothing new, by the first of these reasons that holds.

    `run again`: a second or later attempt. `superseded`: a newer run of its workflow, event and place was there before
    it ended, cancelled or not; the whole of it counts. `duplicate on one commit`: a push or pull request whose workflow
    had run on that commit before. An upper bound of what could be saved: a re-run may have been worth its minutes, and
    on a default branch every commit's own verdict may be wanted.
    """
    told = find_newer_runs(runs.reset_index(drop=True)).sort_values(["created_at", "run_id", "attempt"], kind="stable")
    is_asked = told["event"].isin(["push", "pull_request"]) & (told["head_sha"].fillna("") != "")
    first = told["attempt"] == told.groupby("run_id")["attempt"].transform("min")
    again = told[is_asked & first].duplicated(["repo", "workflow", "head_sha"])
    reasons = {
        RERUN: told["attempt"] > 1,
        SUPERSEDED: (told["newer_at"] < told["ended_at"]).fillna(False).astype(bool),
        DUPLICATE: again.reindex(told.index, fill_value=False),
    }
    losses, is_left = {}, pd.Series(True, index=told.index)
    for reason, holds in reasons.items():
        lost = told.loc[is_left & holds, ATTEMPT]
        losses[reason] = to_bill(billed.merge(lost, on=ATTEMPT))
        is_left &= ~holds
    return losses
