"""The planted faults of caches, found in the sample; and its cache steps counted by other means."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import pytest

from kotaci.analysis.caching import Caching, assess_caching
from kotaci.facts import History, read_history
from kotaci.pages.caches import TABLES
from kotaci.places import sample_folder

TRUTHS = {
    truth["id"]: truth
    for truth in json.loads((sample_folder() / "truths.json").read_text(encoding="utf-8"))["truths"]
}  # fmt: skip


@pytest.fixture(scope="module")
def history(sample: Path) -> History:
    return read_history(sample, tables=[*TABLES, "steps"])


@pytest.fixture(scope="module")
def caching(history: History) -> Caching:
    return assess_caching(**{name: history[name] for name in TABLES}, default_branch=history.default_branch)


def test_every_cache_step_is_an_event(history: History) -> None:
    n_steps = {"actions/cache@v4": 0, "Swatinem/rust-cache@v2": 0}
    with tarfile.open(sample_folder() / "history.tar.xz") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name.startswith("logs/") else None
            if file is not None:
                text = file.read().decode()
                for action in n_steps:
                    n_steps[action] += len(re.findall(rf"\[group\]Run {re.escape(action)}$", text, re.MULTILINE))
    restores = history["cache_events"][history["cache_events"]["operation"] == "restore"]
    # One job ended while it restored: its log has the step, and no word of how the restore went.
    assert restores["action"].value_counts().to_dict() == n_steps | {
        "Swatinem/rust-cache@v2": n_steps["Swatinem/rust-cache@v2"] - 1
    }
    assert not restores["result"].eq("").any()


def test_every_cache_event_is_in_its_own_step(history: History) -> None:
    key = ["run_id", "attempt", "job_id", "step_number"]
    placed = history["cache_events"].merge(history["steps"][[*key, "step"]], on=key)
    assert len(placed) == len(history["cache_events"]) == 992
    restores, saves = (placed.loc[placed["operation"] == name, "step"] for name in ("restore", "save"))
    names = {"Rust cache", "Cargo cache", "Cargo registry"}
    assert set(restores) == names
    assert set(saves) == {f"Post {name}" for name in names}


def test_the_cold_cache_is_one_finding_with_its_commit_and_cost(caching: Caching) -> None:
    truth = TRUTHS["cold-cache"]
    (finding,) = [finding for finding in caching.findings if finding.kind == "cold-cache"]
    assert (finding.subject, finding.verdict) == ("ci.yml / tests", "was cold")
    # The first run with the old key again finds nothing either.
    assert finding.n == len(truth["run_ids"]) + 1
    assert finding.evidence[0].url.endswith(truth["where"]["commit"])
    n_legs, least = 3, truth["expected"]["median_step_s_at_least"] - truth["expected"]["median_step_s_before_at_most"]
    assert finding.price.minutes is not None
    assert finding.price.minutes > n_legs * len(truth["run_ids"]) * least / 60


def test_the_shared_key_is_the_only_hit_that_compiles_again(caching: Caching) -> None:
    truth = TRUTHS["shared-key"]["where"]
    (finding,) = [finding for finding in caching.findings if finding.kind == "recompiling-hit"]
    assert finding.subject == f"ci.yml / {truth['job']}"
    assert f"the job {truth['other_job']} asks for the same key" in finding.claim


def test_the_key_that_never_changes_is_found(caching: Caching) -> None:
    (finding,) = [finding for finding in caching.findings if finding.kind == "key-never-new"]
    assert finding.subject == f"docs.yml / {TRUTHS['key-without-lockfile']['where']['job']}"


def test_the_sample_fits_into_its_quota_and_its_pull_requests_hold_little(caching: Caching) -> None:
    quotas, pulls = caching.quotas, caching.pulls
    assert quotas.n_thrash == 0
    assert quotas.compared["n_exact"].nunique() == 1
    # The replay tells every restore as its log does.
    assert quotas.replay.n_agreeing == len(quotas.replay.restores) == 514
    assert (pulls.n_saved, pulls.n_read, pulls.n_held) == (12, 3, 0)
    assert {finding.kind for finding in caching.findings}.isdisjoint({"thrash", "pull-request-saves"})
