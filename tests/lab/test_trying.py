"""The sliders of a what-if: what they set is what is replayed, and what is shown is what that gave."""

from __future__ import annotations

from pathlib import Path

import pytest

from kotaci.analysis.timing import Faster, Network, Split, replay, to_network
from kotaci.facts import History, read_history
from kotaci.lab.trying import FASTER, MOST_KEPT, SPLIT, WHOLE_JOB, WhatIf

CI = ".github/workflows/ci.yml"
TABLES = ("runs", "jobs", "steps", "workflow_jobs", "commits")


@pytest.fixture(scope="module")
def history(sample: Path) -> History:
    return read_history(sample, since="30d", tables=TABLES)


@pytest.fixture(scope="module")
def network(history: History) -> Network:
    return to_network(*(history[name] for name in ("runs", "jobs", "workflow_jobs", "commits")))


@pytest.fixture
def what_if(network: Network, history: History) -> WhatIf:
    made = WhatIf(network, history, prices={})
    made.workflow.value = CI
    return made


def test_it_opens_with_the_longest_job(what_if: WhatIf, network: Network) -> None:
    longest = network.jobs[network.jobs["workflow"] == CI].groupby("job_key")["run_s"].sum().idxmax()
    assert what_if.job.value == longest
    assert what_if.scenario() == Faster(CI, longest, 30.0)
    assert "<img" in what_if.figure.value
    assert f"{longest} takes 30 % less time" in what_if.figure.value


def test_what_is_set_is_what_is_replayed(what_if: WhatIf, network: Network, history: History) -> None:
    what_if.job.value = "tests"
    what_if.percent.value = 50
    effect = replay(network, Faster(CI, "tests", 50.0), steps=history["steps"])
    assert next(iter(what_if.tries.values())).mean_s == effect.mean_s
    assert f"over {effect.n} runs" in what_if.figure.value
    what_if.step.value = "Unit tests"
    assert what_if.scenario() == Faster(CI, "tests", 50.0, "Unit tests")
    assert "Unit tests, a step of tests, takes 50 % less time" in what_if.figure.value
    what_if.kind.value = SPLIT
    what_if.parts.value = 4
    assert what_if.scenario() == Split(CI, "tests", 4, 30.0)
    assert "tests in 4 parts, 30 s of set-up each" in what_if.figure.value


def test_tries_stand_beside_each_other_until_they_are_forgotten(what_if: WhatIf) -> None:
    for percent in range(5, 100, 10):
        what_if.percent.value = percent
    assert len(what_if.tries) == MOST_KEPT
    assert "95 % less time" in next(iter(what_if.tries))
    what_if.again.click()
    assert len(what_if.tries) == 1


def test_only_the_sliders_that_count_are_there(what_if: WhatIf) -> None:
    assert what_if.parts in what_if.of_parts.children
    assert what_if.of_parts.layout.display == "none"
    what_if.kind.value = SPLIT
    assert (what_if.of_step.layout.display, what_if.of_parts.layout.display) == ("none", None)
    what_if.kind.value = FASTER
    assert what_if.step.value == WHOLE_JOB


def test_another_workflow_has_other_jobs(what_if: WhatIf, network: Network) -> None:
    other = next(flow for _, flow in what_if.workflow.options if flow != CI)
    what_if.workflow.value = other
    assert set(what_if.job.options) == set(network.jobs.loc[network.jobs["workflow"] == other, "job_key"])


def test_no_run_with_known_needs_is_said(history: History) -> None:
    empty = to_network(*(history[name].head(0) for name in ("runs", "jobs", "workflow_jobs", "commits")))
    made = WhatIf(empty, history, prices={})
    assert "Nothing to try" in made.said.value
    assert made.figure.value == ""
