"""Edits of workflow files of many habits: only their lines change, and of the data only what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kotaci.audit import Edit, Patch, edits
from kotaci.audit.edits import apply_patches
from kotaci.model import BadInput
from kotaci.workflows import WorkflowFile, parse_workflow
from kotaci.workflows.nodes import read_tree, to_plain

PATH = ".github/workflows/ci.yml"
HABITS = """\
name: "CI"   # of this file
'on':
    push:
    pull_request:
        branches: [main,
            develop
        ]

# what is tested
jobs:
    test:
        runs-on: ubuntu-latest # one

        # variables
        env:
            A: 'b # no comment'
        steps:
        - uses: actions/cache@v4
          id: "cache"
          with: # inputs
              # the key
              key: "k # 1"   # of the lock
              path: |
                  a
                  # b

                  c
        # here
        - uses: actions/checkout@v4
        - "run": |
            cargo test | tee log
            # ends here

            true

            # not here

        - uses: a/b@v1
          with:
        - name: folded
          run: >-
            cargo test
            --all
    lint: {runs-on: ubuntu-latest, steps: [{run: cargo fmt}]}
    keep:
        runs-on: x
        steps:
        - run: |+
            a | b

        -   run: cargo nextest run
            env:
                A: b
"""


def plain(text: str) -> Any:
    """Return the file as data."""
    return to_plain(read_tree(text)[0])


def check(text: str, patch: Patch, change: Callable[[Any], None]) -> str:
    """Return the text with the patch, once all other lines are the same bytes and the data is as `change` makes it."""
    after = apply_patches(text, [patch])
    kept = text.split("\n")
    shift = 0
    for edit in sorted(patch.edits, key=lambda edit: edit.first):
        kept[edit.first - 1 + shift : edit.last + shift] = edit.lines
        shift += len(edit.lines) - (edit.last - edit.first + 1)
    assert [line.removesuffix("\r") for line in after.split("\n")] == [line.removesuffix("\r") for line in kept]
    assert ("\r\n" in after) == ("\r\n" in text)
    assert after.count("\r") in {0, after.count("\n")}
    assert after.endswith("\n") == text.endswith("\n")
    wanted = deepcopy(plain(text))
    change(wanted)
    # A script that ends the file has no line end of its own there; before another key it has one.
    is_open = not text.endswith("\n")
    assert (trimmed(plain(after)) if is_open else plain(after)) == (trimmed(wanted) if is_open else wanted)
    return after


def trimmed(data: Any) -> Any:
    """Return the data with no line end at the end of a text."""
    if isinstance(data, dict):
        return {key: trimmed(value) for key, value in data.items()}
    if isinstance(data, list):
        return list(map(trimmed, data))
    return data.rstrip("\n") if isinstance(data, str) else data


def every_edit(text: str, file: WorkflowFile) -> Iterator[tuple[Patch | None, Callable[[Any], None]]]:
    """Yield every edit at every place, with what it should change."""
    yield (
        edits.insert_permissions(text, file),
        lambda data: data.update(permissions={"contents": "read"}),
    )
    yield (
        edits.insert_concurrency(text, file),
        lambda data: data.update(concurrency=plain("\n".join(edits.CONCURRENCY))["concurrency"]),
    )
    for job in file.jobs:
        yield (
            edits.insert_key(text, file, job, "timeout-minutes: 30", after="runs-on"),
            lambda data, job=job: data["jobs"][job.key].update({"timeout-minutes": 30}),
        )
        yield (
            edits.insert_key(text, file, job, ("strategy:", "  matrix:", "    a: [1]"), after=("none", "steps")),
            lambda data, job=job: data["jobs"][job.key].update({"strategy": {"matrix": {"a": [1]}}}),
        )
        yield (
            edits.set_value(text, file, job, "runs-on", "macos-15"),
            lambda data, job=job: data["jobs"][job.key].update({"runs-on": "macos-15"}),
        )
        for step in job.steps:

            def steps_of(data: Any, key: str = job.key) -> Any:
                return data["jobs"][key]["steps"]

            def of(data: Any, steps_of: Any = steps_of, n: int = step.number) -> Any:
                return steps_of(data)[n - 1]

            if step.run:
                yield (
                    edits.set_shell(text, file, job, step),
                    lambda data, of=of: of(data).update({"shell": "bash"}),
                )
                yield (
                    edits.replace_run(text, file, job, step, ("uses: c/d@v1", "with:", "  tool: x")),
                    lambda data, of=of: (
                        of(data).pop("run"),
                        of(data).update({"uses": "c/d@v1", "with": {"tool": "x"}}),
                    )[0],
                )
            else:
                for name in ("save-if", "key"):
                    yield (
                        edits.set_input(text, file, job, step, name, "${{ github.ref == 'a' }} # why"),
                        lambda data, of=of, name=name: of(data).update({
                            "with": {**(of(data).get("with") or {}), name: "${{ github.ref == 'a' }}"}
                        }),
                    )  # fmt: skip
            yield (
                edits.insert_step(text, file, job, ("name: new", "with:", "  a: b"), behind=step),
                lambda data, steps_of=steps_of, n=step.number: steps_of(data).insert(
                    n, {"name": "new", "with": {"a": "b"}}
                ),
            )


@pytest.mark.parametrize("form", ["plain", "no newline", "windows", "mark"])
def test_every_edit_of_a_file_of_many_habits(form: str) -> None:
    text = {
        "plain": HABITS, "no newline": HABITS.rstrip("\n"), "windows": HABITS.replace("\n", "\r\n"),
        "mark": f"\ufeff{HABITS}",
    }[form]  # fmt: skip
    file = parse_workflow(text, path=PATH)
    assert file.problems == ()
    made = [(patch, change) for patch, change in every_edit(text, file) if patch]
    for patch, change in made:
        check(text, patch, change)
    # Not: every edit of `lint` and its step, the key behind the steps of test, what stands behind `|+`, inputs twice.
    assert len(made) == 25


@pytest.mark.parametrize("style", ["|", ">-", ""])
@pytest.mark.parametrize("last", ["", "\n", "\n\n", "\n  "])
def test_a_script_that_ends_the_file(style: str, last: str) -> None:
    text = f"on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n    - run: {style}\n        a | b\n        c{last}"
    made = [(patch, change) for patch, change in every_edit(text, parse_workflow(text, path=PATH)) if patch]
    assert len(made) == 8
    for patch, change in made:
        check(text, patch, change)


def test_where_an_input_is_put_and_how_it_looks() -> None:
    file = parse_workflow(HABITS, path=PATH)
    job = file.jobs[0]
    wanted = {
        (0, "key"): "              # the key\n              key: x   # of the lock\n",
        (0, "save-if"): "                  c\n              save-if: x\n        # here\n",
        (1, "save-if"): "        - uses: actions/checkout@v4\n          with:\n              save-if: x\n",
        (3, "save-if"): "          with:\n              save-if: x\n        - name: folded\n",
    }
    for (place, name), told in wanted.items():
        patch = edits.set_input(HABITS, file, job, job.steps[place], name, "x")
        assert patch
        assert told in apply_patches(HABITS, [patch])


TEXTS = st.sampled_from(["cargo test", "|\n  a | b\n\n  # c", "'q # x' # y", ">\n  x\n  y", '"a\n  b"', "a\n  b"])


@st.composite
def workflows(draw: st.DrawFn) -> str:
    """Return a workflow file of some habit, whose lines may end in either way."""
    unit, dash = draw(st.sampled_from([2, 3, 4])), draw(st.sampled_from(["- ", "  - ", "-   "]))
    rare = st.sampled_from([[], [], [""], ["# said"], ["", "  # deep", ""]])
    lines = [*draw(rare), "on: push", *draw(rare), "jobs:"]
    for job in range(draw(st.integers(1, 3))):
        at = " " * unit
        keys = [["runs-on: a" + draw(st.sampled_from(["", " # b"]))], ["env:", " " * unit + "A: 1"], ["steps:"]]
        lines += [*draw(rare), f"{at}j{job}:"]
        for key in draw(st.permutations(keys)):
            lines += [at * 2 + line for line in key] + draw(rare)
            if key == ["steps:"]:
                for _ in range(draw(st.integers(1, 3))):
                    texts = draw(TEXTS).replace("\n", "\n" + " " * unit)
                    inputs = draw(st.sampled_from([[], ["with:"], ["with:", " " * unit + "key: 1"], ["with: {a: b}"]]))
                    script = draw(st.permutations([f"run: {texts}", "name: x"]))
                    step = script if draw(st.booleans()) else ["uses: a/b@v1", *inputs]
                    told = "\n".join(step).split("\n")
                    lines += [
                        at * 2 + (dash if n == 0 else " " * len(dash)) + line if line.strip() else ""
                        for n, line in enumerate(told)
                    ]
                    lines += draw(rare)
    text = "\n".join(lines) + draw(st.sampled_from(["\n", "", "\n\n"]))
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


@given(workflows())
@settings(max_examples=8, deadline=None, derandomize=True)
def test_every_edit_of_any_file(text: str) -> None:
    file = parse_workflow(text, path=PATH)
    for patch, change in every_edit(text, file):
        if patch:
            check(text, patch, change)


@given(workflows())
@settings(max_examples=8, deadline=None, derandomize=True)
def test_all_at_once_is_one_after_another(text: str) -> None:
    def patches(text: str) -> list[Patch]:
        file = parse_workflow(text, path=PATH)
        found = [edits.insert_permissions(text, file)]
        for job in file.jobs:
            found.append(edits.insert_key(text, file, job, "timeout-minutes: 30", after="runs-on"))
            for step in job.steps:
                found.append(
                    edits.set_input(text, file, job, step, "key", "2")
                    if step.uses
                    else edits.set_shell(text, file, job, step)
                )
        return [patch for patch in found if patch]

    at_once, one_by_one = apply_patches(text, patches(text)), text
    while left := patches(one_by_one):
        if apply_patches(one_by_one, left[:1]) == one_by_one:
            break
        one_by_one = apply_patches(one_by_one, left[:1])
    assert at_once == one_by_one


ANCHORS = """\
on: push
jobs:
  a: &a
    runs-on: x
    steps: &steps
    - uses: a/b@v1
    - run: a | b && c
  b: *a
  c:
    runs-on: &unused x
    steps: *steps
"""


def test_what_an_alias_uses_again_is_left() -> None:
    file = parse_workflow(ANCHORS, path=PATH)
    made = [patch.said for patch, _ in every_edit(ANCHORS, file) if patch]
    assert made == [
        "add `permissions` to the file", "add `concurrency` to the file", "add `timeout-minutes: 30` to job c",
        "add `strategy` to job c",
    ]  # fmt: skip
    assert edits.replace_word(ANCHORS, PATH, 6, "a/b@v1", "a/b@v2") is None


@pytest.mark.parametrize(
    "text",
    [
        "on: push\njobs:\n  a: {runs-on: x,\n    steps: []\n  }\n",
        "on: push\njobs:\n  a: {\n    runs-on: x\n    , steps: [{run: a}]\n  }\n",
        "on: push\njobs:\n  a:\n    ? runs-on\n    : x\n    steps:\n    - run: a\n",
        "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n    - run: a\u2028b\n",
        "on: push\rjobs:\r  a:\r    runs-on: x\r",
        "on: push\njobs:\n  a:\n    timeout-minutes: 3\n    runs-on: x\n",
        "on: push\njobs:\n  a:\n    <<: {a: b}\n    runs-on: x\n",
    ],
)
def test_what_cannot_be_edited_by_lines_is_left(text: str) -> None:
    file = parse_workflow(text, path=PATH)
    assert edits.insert_key(text, file, file.jobs[0], "timeout-minutes: 30", after="runs-on") is None


def test_words() -> None:
    text = "run: cargo test && cargo testing\nrun: cargo test; cargo test\n"
    patch = edits.insert_word(text, PATH, 1, "--locked", after="cargo test")
    assert patch
    assert apply_patches(text, [patch]).startswith("run: cargo test --locked && cargo testing\n")
    for line, old, new in ((2, "cargo test", "x"), (1, "cargo build", "x"), (1, "cargo test", "x: #"), (9, "run", "x")):
        assert edits.replace_word(text, PATH, line, old, new) is None


@pytest.mark.parametrize(
    ("config", "profile", "added"),
    [
        (None, "ci", '[profile.ci.junit]\npath = "junit.xml"\n'),
        ("[profile.ci]\nretries = 2", "ci", '[profile.ci]\nretries = 2\n\n[profile.ci.junit]\npath = "junit.xml"'),
        ('[profile.x]\njunit = { path = "y.xml" }\n', "x", None),
    ],
)  # fmt: skip
def test_junit(config: str | None, profile: str, added: str | None) -> None:
    file = parse_workflow(HABITS, path=PATH)
    job = file.jobs[2]
    patch = edits.upload_junit(HABITS, file, job, job.steps[1], config=config)
    assert patch
    after = apply_patches(HABITS, [patch])
    assert f"- run: cargo nextest run --profile {profile}\n" in after.replace("-   run", "- run")
    assert plain(after)["jobs"]["keep"]["steps"][2]["with"]["path"].startswith(f"target/nextest/{profile}/")
    told = [apply_patches(config or "", [one]) for one in patch.besides]
    assert told == ([] if added is None else [added])


def test_a_profile_that_cannot_be_added_to_is_left() -> None:
    file = parse_workflow(HABITS, path=PATH)
    job = file.jobs[2]
    assert edits.upload_junit(HABITS, file, job, job.steps[1], config="profile.ci = { retries = 2 }\n") is None
    assert edits.upload_junit(HABITS, file, job, job.steps[0], config=None) is None


@pytest.mark.parametrize("wrong", [[(1, 2), (2, 2)], [(1, 1), (1, 1, "b")], [(0, 0)], [(3, 3)], [(1, -1)]])
def test_edits_that_touch_or_lie_outside_are_refused(wrong: list[tuple[Any, ...]]) -> None:
    patches = [Patch(PATH, (Edit(one[0], one[1], (*one[2:],)),), "") for one in wrong]
    with pytest.raises(BadInput):
        apply_patches("a\nb\n", patches)
