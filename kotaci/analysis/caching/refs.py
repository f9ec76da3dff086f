"""Whose a cache is: what pull requests save that no other run can read, and what the quota makes of it all."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kotaci.analysis.caching.events import links_of
from kotaci.analysis.caching.options import RESULTS, CachingOptions
from kotaci.analysis.quota import EVENT_COLUMNS, GB, QUOTAS, Replay, compare_quotas, replay_quota
from kotaci.model import Certainty, Finding, Severity, plural


@dataclass(frozen=True)
class PullSaves:
    """Caches that pull requests saved, which only the same pull request can read.

    n_saved of all n_all saves of the window, with saved_bytes of all_bytes as far as logs tell sizes, by n_pulls pull
    requests; n_read of them were found again by their own. n_held and held_bytes are what GitHub still held when it was
    last asked, of all_held_bytes; None where it was not.
    """

    n_saved: int
    n_all: int
    saved_bytes: int
    all_bytes: int
    n_pulls: int
    n_read: int
    n_held: int | None
    held_bytes: int | None
    all_held_bytes: int | None


@dataclass(frozen=True)
class Quotas:
    """The replay under the repository's quota, and `compared`: one row for it and for others."""

    replay: Replay
    compared: pd.DataFrame

    @property
    def n_thrash(self) -> int:
        """Return how many restores missed, by the log and in the replay, what the quota had dropped."""
        return int((self.replay.restores["is_thrash"] & (self.replay.restores["told"] == "miss")).sum())


def with_refs(events: pd.DataFrame, *, default_branch: str) -> pd.DataFrame:
    """Return the events with the ref that their run saves to, that of its base and of the default branch.

    A run of a pull request has its merge ref, or one named after its branch where the number is not known; one of
    `pull_request_target` has its base's. A tag is taken for a branch of its name, which changes nothing: it is itself.
    """
    default = f"refs/heads/{default_branch}" if default_branch else ""
    base = ("refs/heads/" + events["base_branch"].fillna("")).where(events["base_branch"].fillna("") != "", default)
    number = events["pr_number"].astype("string")
    merge = ("refs/pull/" + number + "/merge").fillna("refs/pull/" + events["branch"].fillna("") + "/merge")
    own = "refs/heads/" + events["branch"].fillna("")
    of_pull, of_target = events["event"] == "pull_request", events["event"] == "pull_request_target"
    own = own.mask(of_pull, merge).mask(of_target, base)
    return events.assign(ref=own, base_ref=base.where(of_pull | of_target, ""), default_ref=default)


def pull_saves(events: pd.DataFrame, caches: pd.DataFrame) -> PullSaves:
    """Return what pull requests saved, from events with refs and the newest list of caches."""
    saves = events[(events["operation"] == "save") & (events["result"] == "saved")]
    mine = saves[saves["ref"].str.startswith("refs/pull/")]
    found = events[(events["operation"] == "restore") & events["result"].isin(["exact", "partial"])]
    read = mine[["ref", "key"]].merge(
        found[["ref", "restored_key"]], left_on=["ref", "key"], right_on=["ref", "restored_key"]
    )
    listed = caches[caches["as_of_at"] == caches["as_of_at"].max()]
    of_pulls = listed[listed["ref"].fillna("").str.startswith("refs/pull/")]
    is_known = len(listed) > 0
    return PullSaves(
        n_saved=len(mine),
        n_all=len(saves),
        saved_bytes=int(mine["size_bytes"].sum()),
        all_bytes=int(saves["size_bytes"].sum()),
        n_pulls=mine["ref"].nunique(),
        n_read=len(read[["ref", "key"]].drop_duplicates()),
        n_held=len(of_pulls) if is_known else None,
        held_bytes=int(of_pulls["size_bytes"].sum()) if is_known else None,
        all_held_bytes=int(listed["size_bytes"].sum()) if is_known else None,
    )


def replay_quotas(events: pd.DataFrame, *, options: CachingOptions) -> Quotas:
    """Return the replay of the window under the repository's quota and others, from events with refs.

    Without BuildKit's layers, whose sizes and keys no log tells. A save without a size is given that of its key, else
    the median of what its job saves by that action.
    """
    is_restore = (events["operation"] == "restore") & events["result"].isin(RESULTS)
    is_save = (events["operation"] == "save") & (events["result"] == "saved")
    kept = events[(is_restore | is_save) & (events["action"] != "buildx") & (events["key"].fillna("") != "")]
    sizes = kept["size_bytes"].astype(float)
    stored = kept["key"].where(kept["operation"] == "save", kept["restored_key"].fillna(""))
    by_key = sizes.groupby(stored).transform("max")
    by_job = sizes.groupby([kept["workflow"], kept["job"], kept["action"]]).transform("median")
    is_save = kept["operation"] == "save"
    at = (
        kept["job_started_at"].fillna(kept["started_at"]).mask(is_save, kept["job_ended_at"].fillna(kept["started_at"]))
    )
    told = kept.assign(at=at, size_bytes=sizes.fillna(by_key.mask(stored == "")).fillna(by_job.where(is_save)))
    told = told.dropna(subset="at")[EVENT_COLUMNS]
    quota = int(options.quota_gb * GB)
    return Quotas(
        replay=replay_quota(told, quota_bytes=quota, unused_days=options.unused_days),
        compared=compare_quotas(told, quotas=sorted({quota, *QUOTAS}), unused_days=options.unused_days),
    )


def find_pull_saves(
    pulls: PullSaves, events: pd.DataFrame, *, default_branch: str, options: CachingOptions
) -> list[Finding]:
    """Return a finding where pull requests take up much of the quota, or, without a list, of what is saved."""
    quota = options.quota_gb * GB
    if pulls.held_bytes is None or pulls.n_held is None:
        n, share = pulls.n_saved, pulls.saved_bytes / pulls.all_bytes if pulls.all_bytes else 0.0
        claim = f"saved {plural(n, 'cache')}, {share:.0%} of the bytes saved, that no other run can read"
    else:
        n, share = pulls.n_held, pulls.held_bytes / quota
        room = f"{share:.0%} of the quota of {options.quota_gb:g} GB"
        claim = f"hold {plural(n, 'cache')}, {room}, that no other run can read"
    if n < options.min_pull_saves or share < options.pull_share:
        return []
    saves = events[(events["operation"] == "save") & (events["result"] == "saved")]
    mine = saves[saves["ref"].str.startswith("refs/pull/")]
    is_full = pulls.all_held_bytes is not None and pulls.all_held_bytes > 0.9 * quota
    return [
        Finding(
            id="pull-request-saves",
            kind="pull-request-saves",
            subject="pull requests",
            claim=f"{claim}; of {pulls.n_saved} saved in this window {pulls.n_read} were found again by their own",
            verdict="of use to one pull request only",
            certainty=Certainty.of_n(n),
            severity=Severity.MEDIUM if is_full else Severity.LOW,
            n=n,
            method="caches listed under refs/pull, else saves in runs of pull requests; a share of at least "
            f"{options.pull_share:.0%}",
            remedy="Save on the default branch only: rust-cache with `save-if: ${{ github.ref == "
            f"'refs/heads/{default_branch or 'main'}' }}}}`, others by `actions/cache/restore` in pull requests.",
            evidence=links_of(mine),
        )
    ]


def find_thrash(quotas: Quotas, *, options: CachingOptions) -> list[Finding]:
    """Return a finding where restores missed what the quota had dropped."""
    n = quotas.n_thrash
    if n < options.min_thrash:
        return []
    replay = quotas.replay
    better = quotas.compared[quotas.compared["quota_bytes"] > replay.quota_bytes]
    enough = better[better["n_thrash"] == 0]["quota_bytes"]
    room = f"; {enough.iloc[0] / GB:g} GB would have held all" if len(enough) else ""
    return [
        Finding(
            id="thrash",
            kind="thrash",
            subject="caches of the repository",
            claim=f"missed {plural(n, 'time')} what the quota of {options.quota_gb:g} GB had dropped{room}",
            verdict="the quota is too small for what is saved",
            certainty=Certainty.of_n(len(replay.restores)),
            severity=Severity.MEDIUM,
            n=len(replay.restores),
            method="replay of saves and restores, least recently used dropped first; it agrees with the logs on "
            f"{replay.n_agreeing} of {plural(len(replay.restores), 'restore')}",
            remedy="Save less first: nothing from pull requests, no key that is new in every run; only then buy room.",
        )
    ]
