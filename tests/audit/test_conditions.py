"""Conditions: what a file decides is decided as GitHub would, what only a run can tell stays open."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.audit.conditions import World, can_fail, can_hold, has_status, of_leg, worlds_of
from kotaci.workflows import parse_workflow

JOBS = "jobs: {a: {runs-on: ubuntu-latest, steps: [{run: make}]}}"


def holds_on(condition, on):
    """Return the events that may fulfil the condition."""
    file = parse_workflow(f"on: {on}\n{JOBS}", path="ci.yml")
    return [world.said.partition(" ")[0] for world in worlds_of(file) if can_hold(condition, world)]


BOTH = "{push: {branches: [main, develop]}, pull_request: {branches: [main]}}"


@pytest.mark.parametrize(
    ("condition", "events"),
    [
        ("github.event_name == 'push'", ["push"]),
        ("${{ github.event_name == 'PUSH' }}", ["push"]),
        ("github.event_name == 'schedule'", []),
        ("github.event_name != 'push'", ["pull_request"]),
        ("!(github.event_name == 'push')", ["pull_request"]),
        ("github.ref == 'refs/heads/main'", ["push"]),
        ("github.ref == 'refs/heads/master'", []),
        ("startsWith(github.ref, 'refs/tags/')", []),
        ("startsWith(github.ref, 'refs/pull/1')", ["pull_request"]),
        ("github['event_name'] == 'push'", ["push"]),
        ("github.base_ref == 'main'", ["pull_request"]),
        ("github.base_ref == 'develop'", []),
        ("github.event.pull_request.draft == false", ["push", "pull_request"]),
        ("github.event.pull_request.draft == true", ["pull_request"]),
        ("contains(github.event.pull_request.labels.*.name, 'x')", ["pull_request"]),
        ("github.event.action == 'labeled'", []),
        ("github.event.action == 'synchronize' || always()", ["push", "pull_request"]),
        ("vars.RUN == 'yes' && github.event_name == 'schedule'", []),
        ("fromJSON(vars.RUN) && github.event_name", ["push", "pull_request"]),
        ("vars.A == 'x' && vars.A == 'y'", []),
        ("github.event_name == 'push' && 'yes' || ''", ["push"]),
        ("needs.a.result == 'failed'", []),
        ("needs.a.outputs.result == 'failed'", ["push", "pull_request"]),
        ("text ${{ github.event_name == 'schedule' }}", ["push", "pull_request"]),
        ("github.event_name ==", ["push", "pull_request"]),
    ],
)
def test_a_condition_is_held_against_the_events(condition, events) -> None:
    assert holds_on(condition, BOTH) == events


@pytest.mark.parametrize(
    ("on", "condition", "can"),
    [
        ("{push: {tags: ['v*']}}", "startsWith(github.ref, 'refs/tags/v')", True),
        ("{push: {tags: ['v*']}}", "startsWith(github.ref, 'refs/tags/release')", False),
        ("{push: {tags: ['v?1']}}", "startsWith(github.ref, 'refs/tags/1')", True),
        ("{push: {tags: ['v*']}}", "github.ref == 'refs/heads/main'", False),
        ("push", "github.ref_type == 'tag'", True),
        ("{push: {branches: ['**']}}", "github.ref_type == 'tag'", False),
        ("{push: {branches: ['release/**']}}", "github.ref_name == 'main'", False),
        ("{push: {branches-ignore: [x]}}", "github.ref == 'refs/heads/main'", True),
        ("{pull_request: {types: [closed]}}", "github.ref == 'refs/heads/main'", True),
        ("{pull_request: }", "github.ref == 'refs/heads/main'", False),
        ("{pull_request: }", "github.ref_name == 'main'", False),
        ("{schedule: [{cron: 0 3 * * *}]}", "github.event.schedule == '0 3 * * *'", True),
        ("{schedule: [{cron: 0 3 * * *}]}", "github.event.schedule == '0 4 * * *'", False),
        ("{workflow_call: }", "github.event_name == 'push'", True),
        ("{workflow_dispatch: {inputs: {a: {}}}}", "inputs.a == 'x'", True),
        ("{push: }", "inputs.a == 'x'", False),
        ("{issue_comment: }", "github.event.comment.body == 'x'", True),
    ],
)
def test_what_each_event_brings(on, condition, can) -> None:
    assert bool(holds_on(condition, on)) is can


@pytest.mark.parametrize(
    ("condition", "can"),
    [
        ("github.ref != 'a' || github.ref != 'b'", False),
        ("github.ref == 'a' || 'b'", False),
        ("github.ref != 'a'", True),
        ("github.ref != 'a' && github.ref != 'b'", True),
        ("!cancelled()", True),
        ("", False),
    ],
)
def test_a_condition_that_cannot_fail(condition, can) -> None:
    assert can_fail(condition, World("")) is can


def test_a_leg_knows_its_values_and_its_system() -> None:
    text = """
on: push
jobs:
  a:
    strategy: {matrix: {os: [ubuntu-22.04, macos-14], include: [{os: ubuntu-22.04, more: yes}]}}
    runs-on: ${{ matrix.os }}
    steps: [{run: make}]
"""
    job = parse_workflow(text, path="ci.yml").jobs[0]
    first, second = (World("", of_leg(job, leg)) for leg in job.legs)
    assert can_hold("runner.os == 'linux' && matrix.more == 'yes'", first)
    assert not can_hold("matrix.more", second)
    assert not can_hold("runner.os == 'Linux' || matrix.other", second)
    assert can_hold("runner.os == 'macOS'", second)


def test_status_functions() -> None:
    assert has_status("always() && x")
    assert not has_status("needs.a.result == 'success'")


@given(st.text(alphabet="abc.'()[]!=&|<>,* ${}1", max_size=60))
def test_no_text_breaks_it(text) -> None:
    can_hold(text, World(""))
    can_fail(text, World(""))


def test_depth_is_bounded() -> None:
    assert can_hold("(" * 500 + "a" + ")" * 500, World(""))
    assert can_hold("!" * 3000 + "a", World(""))
