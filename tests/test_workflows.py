"""What workflow files declare, by examples, by GitHub's documentation, and by property."""

import itertools
import string
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kotaci.tables import WORKFLOW_JOBS
from kotaci.workflows import WorkflowFile, WorkflowJob, leg_of, parse_workflow, shown_jobs, to_rows

PATH = ".github/workflows/ci.yml"

CI = """\
name: CI
on:
  push:
    branches: [main, 'release/**']
    paths-ignore: docs/**
    tags: [v*]
  pull_request:
    types: [opened]
  schedule:
    - cron: '0 2 * * *'
    - cron: '0 3 * * *'
permissions: read-all
concurrency:
  group: ci-${{ github.ref }}
  cancel-in-progress: true

jobs:
  lint:
    runs-on: ubuntu-latest
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@v4
      - name: Clippy
        run: |
          cargo clippy
          cargo fmt --check

  tests:
    name: Tests 🧪
    needs: lint
    if: github.event_name == 'push'
    continue-on-error: ${{ matrix.channel == 'nightly' }}
    runs-on: ${{ matrix.os }}
    environment: {name: staging, url: https://example.org}
    strategy:
      fail-fast: false
      max-parallel: 2
      matrix:
        os: [ubuntu-latest, windows-latest]
        channel: [stable, 1.70]
    steps:
      - run: cargo test
        timeout-minutes: ${{ matrix.limit }}
        continue-on-error: true
        env: {RUST_LOG: debug}
"""


def parse(text: str) -> WorkflowFile:
    return parse_workflow(text, path=PATH)


def with_matrix(matrix: str, *, extra: str = "") -> WorkflowJob:
    indented = "".join(f"        {line}\n" for line in matrix.splitlines())
    text = f"on: push\njobs:\n  t:\n    runs-on: x\n{extra}    strategy:\n      matrix:\n{indented}"
    return parse(text).jobs[0]


def legs(matrix: str) -> list[dict[str, object]]:
    return [dict(leg.values) for leg in with_matrix(matrix).legs]


def test_reads_everything_a_file_declares() -> None:
    file = parse(CI)
    assert (file.name, file.problems, file.permissions) == ("CI", (), (("all", "read"),))
    push, pull, schedule = file.triggers
    assert (push.event, push.branches, push.paths_ignore, push.tags, push.line) == (
        "push", ("main", "release/**"), ("docs/**",), ("v*",), 3,
    )  # fmt: skip
    assert (pull.types, pull.line, schedule.crons) == (("opened",), 7, ("0 2 * * *", "0 3 * * *"))
    assert file.concurrency is not None
    assert (file.concurrency.group, file.concurrency.cancel_in_progress) == ("ci-${{ github.ref }}", "true")
    lint, tests = file.jobs
    assert (lint.key, lint.name, lint.line, lint.end_line, lint.timeout_min) == ("lint", None, 18, 26, 5.0)
    assert [(step.number, step.name, step.uses, step.line, step.end_line) for step in lint.steps] == [
        (1, None, "actions/checkout@v4", 22, 22),
        (2, "Clippy", "", 23, 26),
    ]
    assert lint.steps[1].run == "cargo clippy\ncargo fmt --check\n"
    assert (tests.needs, tests.condition, tests.environment) == (("lint",), "github.event_name == 'push'", "staging")
    assert tests.strategy is not None
    assert (tests.strategy.fail_fast, tests.strategy.max_parallel, tests.is_dynamic) == (False, 2, False)
    assert (tests.continue_on_error, tests.steps[0].continue_on_error) == (False, True)
    assert (tests.steps[0].timeout_min, tests.steps[0].timeout_text) == (None, "${{ matrix.limit }}")
    assert tests.steps[0].env == (("RUST_LOG", "debug"),)


def test_one_row_per_leg_in_the_contract_of_the_table() -> None:
    frame = WORKFLOW_JOBS.check(WORKFLOW_JOBS.to_frame(to_rows(repo="o/n", workflows_tree="f" * 40, files={PATH: CI})))
    assert frame[["job_key", "job", "leg", "runs_on"]].values.tolist() == [
        ["lint", "lint", "", "ubuntu-latest"],
        ["tests", "Tests 🧪 (ubuntu-latest, stable)", "ubuntu-latest, stable", "ubuntu-latest"],
        ["tests", "Tests 🧪 (ubuntu-latest, 1.7)", "ubuntu-latest, 1.7", "ubuntu-latest"],
        ["tests", "Tests 🧪 (windows-latest, stable)", "windows-latest, stable", "windows-latest"],
        ["tests", "Tests 🧪 (windows-latest, 1.7)", "windows-latest, 1.7", "windows-latest"],
    ]
    assert frame["triggers"].unique().tolist() == ["push pull_request schedule"]
    assert frame["timeout_min"].tolist() == [5.0, 360.0, 360.0, 360.0, 360.0]
    assert frame["has_timeout"].tolist() == [True, False, False, False, False]
    assert frame["is_allowed_to_fail"].isna().tolist() == [False, True, True, True, True]
    assert frame["line"].tolist() == [18, 28, 28, 28, 28]


def test_limits_and_permission_to_fail_follow_the_leg() -> None:
    text = """\
on: push
jobs:
  t:
    runs-on: [self-hosted, "${{ matrix.os }}"]
    timeout-minutes: ${{ matrix.limit }}
    continue-on-error: ${{ matrix.may_fail }}
    strategy:
      matrix:
        include: [{os: linux, limit: 10, may_fail: true}, {os: mac, limit: 20, may_fail: false}]
  call:
    uses: ./.github/workflows/x.yml
"""
    rows = to_rows(repo="o/n", workflows_tree="f", files={PATH: text})
    frame = WORKFLOW_JOBS.to_frame(rows)
    assert frame["runs_on"].tolist() == ["self-hosted linux", "self-hosted mac", ""]
    assert frame["timeout_min"].tolist()[:2] == [10.0, 20.0]
    assert frame["timeout_min"].isna().tolist() == [False, False, True]
    assert frame["is_allowed_to_fail"].tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "empty"),
        ("# only a comment\n", 1, "empty"),
        ("on: push\n", 1, "no jobs"),
        ("on: push\njobs:\n  a:\n    runs-on: x\n   b: 1\n", 5, "block"),
        ("on: push\njobs: [a]\n", 2, "jobs is not a mapping"),
        ("- a\n", 1, "a workflow is not a mapping"),
        ("jobs: {a: {runs-on: x}}\n", 1, "no trigger"),
        ("on: push\njobs:\n  a:\n", 3, "job 'a' is empty"),
        ("on: push\njobs:\n  a:\n    steps: []\n", 3, "neither `runs-on` nor `uses`"),
        ("on: push\njobs:\n  a: {runs-on: x}\n  A: {runs-on: y}\n", 4, "'A' is already defined"),
        ("on: push\njobs:\n  a: {runs-on: x, needs: [b]}\n", 3, "needs 'b'"),
        ("on: push\njobs:\n  a: {runs-on: x, timeout-minutes: ten}\n", 3, "timeout-minutes is not a number"),
        ("on: push\njobs:\n  a: {runs-on: x, continue-on-error: maybe}\n", 3, "neither true nor false"),
        ("on: push\njobs:\n  a: {runs-on: x, strategy: {matrix: {v: 1}}}\n", 3, "matrix 'v' is not a list"),
        ("on: push\njobs:\n  a: &x\n    runs-on: x\n  b:\n    <<: *x\n", 6, "merge keys"),
        ("on: push\njobs: {a: {runs-on: x}}\n---\nname: other\n", 3, "more than one document"),
        ("on: push\njobs: &x [*x]\n", 2, "alias *x"),
        ("on: push\n\x00", 2, "character"),
    ],
)
def test_what_is_wrong_is_data_with_its_line(text: str, line: int, words: str) -> None:
    problems = parse(text).problems
    assert any(problem.line == line and words in problem.message for problem in problems), problems


def test_yaml_is_read_as_github_reads_it() -> None:
    file = parse("'on': yes\nname: 010\njobs:\n  a: &a {runs-on: x, steps: [{run: 'a'}]}\n  b: *a\n")
    assert (file.name, [trigger.event for trigger in file.triggers]) == ("10", ["yes"])
    assert [(job.key, job.line, job.end_line, len(job.steps)) for job in file.jobs] == [("a", 4, 4, 1), ("b", 5, 5, 1)]


def test_files_that_would_explode_are_bounded() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )
    hostile = [
        bomb,
        "[" * 5000,
        "{a: " * 5000,
        "- " * 5000,
        "x" * (1 << 21),
        "on: push\njobs:\n  a:\n    name: " + "${{ matrix.x }}" * 9000 + "\n"
        "    strategy: {matrix: {x: [" + "y" * 90_000 + "]}}\n",
        "on: push\njobs:\n  a:\n    name: " + "${{" * 99_000 + "\n",
    ]
    hostile.append(
        "on: push\njobs:\n  a:\n    strategy:\n      matrix:\n"
        + "".join(f"        v{n}: [1, 2, 3, 4, 5, 6, 7, 8]\n" for n in range(40))
    )
    for text in hostile:
        to_rows(repo="o/n", workflows_tree="f", files={PATH: text})
    assert [bool(parse(text).problems) for text in hostile] == [True] * 8


def test_what_bounds_a_file_is_said() -> None:
    def said(text: str) -> list[str]:
        return [problem.message for problem in parse(text).problems]

    bomb = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'x'] * 9)}]\n" for n in range(9))
    assert said(bomb) == ["more than 100 levels or 50000 nodes"]
    assert said("a: " + "[" * 200 + "]" * 200) == ["nested deeper than 100 levels"]
    chain = "".join(f"a{n}: &a{n} [{f'*a{n - 1}' if n else 'x'}]\n" for n in range(200))
    assert said(chain) == ["more than 100 levels or 50000 nodes"]
    long = with_matrix("x: [" + "y" * 9_000 + "]", extra="    name: ${{ matrix.x }}${{ matrix.X }}\n")
    file = replace(parse("on: push\njobs: {t: {runs-on: x}}"), jobs=(long,))
    assert [job.shown for job in shown_jobs(PATH, files={PATH: file})] == [""]


def test_no_row_holds_what_no_file_can() -> None:
    text = """\
on: push
jobs:
  t:
    name: "\\ud800"
    runs-on: x
    strategy: {matrix: {v: "${{ fromJSON('[\\"\\\\ud800\\"]') }}"}}
"""
    (row,) = to_rows(repo="o/n", workflows_tree="f", files={PATH: text})
    assert (row[6].encode(), row[8]) == (b"", True)
    (row,) = to_rows(repo="o/n", workflows_tree="f", files={PATH: text.rpartition("    strategy")[0]})
    assert row[6] == "?"


def test_positions_of_brackets_and_aliases() -> None:
    text = """\
on: push
jobs:
  a: {
    runs-on: x,
    steps: &steps [{run: a},
      {run: b}]
  }
  b:
    runs-on: x
    steps: *steps
"""
    assert [(job.line, job.end_line) for job in parse(text).jobs] == [(3, 7), (8, 10)]


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_a_script_at_the_end_of_a_file_ends_at_its_last_line(end: str) -> None:
    text = f"on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: |\n          a\n          b{end}"
    (job,) = parse(text).jobs
    assert (job.end_line, job.steps[0].end_line) == (8, 8)


def test_legs_fail_fast_unless_told_otherwise() -> None:
    strategy = with_matrix("v: [1]").strategy
    assert strategy is not None
    assert (strategy.fail_fast, strategy.max_parallel) == (True, None)


def test_a_matrix_is_the_product_in_declared_order_without_what_is_excluded() -> None:
    assert legs("os: [linux, mac]\nv: [1, 2]\nexclude: [{os: MAC, v: '1'}]") == [
        {"os": "linux", "v": 1.0},
        {"os": "linux", "v": 2.0},
        {"os": "mac", "v": 2.0},
    ]


def test_include_follows_the_example_of_githubs_documentation() -> None:
    matrix = """\
fruit: [apple, pear]
animal: [cat, dog]
include:
  - color: green
  - color: pink
    animal: cat
  - fruit: apple
    shape: circle
  - fruit: banana
  - fruit: banana
    animal: cat
"""
    assert legs(matrix) == [
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]
    job = with_matrix(matrix)
    assert [leg.text for leg in job.legs] == [
        "apple, cat",
        "apple, dog",
        "pear, cat",
        "pear, dog",
        "banana",
        "banana, cat",
    ]


@pytest.mark.parametrize(
    ("matrix", "texts"),
    [
        ("include: [{a: 1, b: x}, {a: 2}]", ["1, x", "2"]),
        ("v: [true, null, '', 1.50, 3.10, 0x10, 1e20, 'yes']", ["true", "", "#2", "1.5", "3.1", "16", "1E+20", "yes"]),
        ("v: [{name: a, n: [1, 2]}, {name: b}]", ["a, 1, 2", "b"]),
        ("v: [{x: y, z: u}, {x: n}]\nexclude: [{v: {x: y}}]", ["n"]),
        ("v: ${{ fromJSON('[\"a\", \"b''s\", 2]') }}", ["a", "b's", "2"]),
        ("v: [1, '1', 1.0]", ["1", "1 #2", "1 #3"]),
        ("v: [" + "x" * 500 + "]", ["x" * 197 + "..."]),
    ],
)  # fmt: skip
def test_legs_are_written_as_github_writes_them(matrix: str, texts: list[str]) -> None:
    extra = "".join(f"        {line}\n" for line in matrix.splitlines())
    text = f"on: push\njobs:\n  t:\n    runs-on: x\n    strategy:\n      matrix:\n{extra}"
    rows = WORKFLOW_JOBS.to_frame(to_rows(repo="o/n", workflows_tree="f", files={PATH: text}))
    assert WORKFLOW_JOBS.check(rows)["leg"].tolist() == texts


def test_a_whole_matrix_may_be_a_literal_of_json() -> None:
    text = """\
on: push
jobs:
  t:
    runs-on: x
    strategy:
      matrix: "${{ fromJSON('{\\"v\\": [1, 2]}') }}"
"""
    assert [leg.text for leg in parse(text).jobs[0].legs] == ["1", "2"]


@pytest.mark.parametrize(
    "matrix", ["v: ${{ fromJSON(inputs.v) }}", "v: [a, '${{ vars.b }}']", "include: ${{ fromJSON('[') }}"]
)
def test_what_only_a_run_can_tell_is_dynamic(matrix: str) -> None:
    job = with_matrix(matrix)
    assert (job.is_dynamic, job.legs) == (True, ())


def test_more_than_256_legs_are_a_problem_and_cut() -> None:
    text = "on: push\njobs: {t: {runs-on: x, strategy: {matrix: {v: [" + "1, " * 300 + "]}}}}"
    file = parse(text)
    assert len(file.jobs[0].legs) == 256
    assert [problem.message for problem in file.problems] == ["300 legs; GitHub allows 256"]


scalars = st.one_of(st.integers(0, 3).map(float), st.sampled_from(["a", "b", "A"]), st.booleans())


@given(
    vectors=st.dictionaries(st.sampled_from(["x", "y", "z"]), st.lists(scalars, min_size=1, max_size=3), min_size=1),
    filters=st.lists(st.dictionaries(st.sampled_from(["x", "y", "extra"]), scalars, min_size=1), max_size=3),
    has_exclude=st.booleans(),
)
def test_legs_equal_those_found_by_trying_everything(
    vectors: dict[str, list[float | str]], filters: list[dict[str, float | str]], has_exclude: bool
) -> None:
    def written(value: float | str) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    def equal(left: float | str, right: float | str) -> bool:
        # The letters here are no numbers, so a text differs from every number and truth value.
        return str(left).lower() == str(right).lower() if str in {type(left), type(right)} else left == right

    lines = [f"{key}: [{', '.join(map(written, values))}]" for key, values in vectors.items()]
    rendered = ", ".join("{" + ", ".join(f"{k}: {written(v)}" for k, v in item.items()) + "}" for item in filters)
    lines.append(f"{'exclude' if has_exclude else 'include'}: [{rendered}]")
    expected: list[dict[str, float | str]] = []
    for values in itertools.product(*vectors.values()):
        expected.append(dict(zip(vectors, values, strict=True)))
    if has_exclude:
        known = [item for item in filters if set(item) <= set(vectors)]
        expected = [
            leg for leg in expected if not any(all(equal(leg[k], v) for k, v in item.items()) for item in known)
        ]
        if len(known) < len(filters):
            return  # refused by GitHub; what is left of it is of no interest
    else:
        original = [dict(leg) for leg in expected]
        for item in filters:
            own = {k: v for k, v in item.items() if k in vectors}
            hits = [n for n, leg in enumerate(original) if all(equal(leg[k], v) for k, v in own.items())]
            for n in hits:
                expected[n].update({k: v for k, v in item.items() if k not in vectors})
            if not hits:
                expected.append(dict(item))
    assert legs("\n".join(lines)) == expected


yaml_like = st.text(st.sampled_from(string.ascii_lowercase[:4] + "on:jbs[]{}&*!|>'\"%@`#?-, \t\n\\0${}<u"), max_size=80)


@settings(max_examples=400)
@given(text=st.one_of(st.text(), yaml_like, yaml_like.map(lambda tail: CI + tail)))
@example(text="%YAML 9.9\n---\na")
@example(text='"\\UFFFFFFFF"')
@example(text='name: "\\ud800"')
@example(text="? [a]\n: b")
@example(text="!!float x")
@example(text="on: push\njobs: {a: {strategy: {matrix: {v: ${{ fromJSON('[\"\\ud800\"]') }}}}}}")
def test_no_text_raises(text: str) -> None:
    rows = to_rows(repo="o/n", workflows_tree="f", files={PATH: text})
    WORKFLOW_JOBS.check(WORKFLOW_JOBS.to_frame(rows))
    for job in shown_jobs(PATH, files={PATH: parse(text)}):
        job.shown.encode()


@given(gaps=st.lists(st.integers(0, 3), min_size=1, max_size=6), indent=st.integers(1, 4))
def test_positions_point_at_the_line_that_holds_the_key(gaps: list[int], indent: int) -> None:
    pad = " " * indent
    lines = ["on: push", "jobs:"]
    for number, gap in enumerate(gaps):
        lines += ["", f"{pad}# text: |"] * gap
        lines += [f"{pad}job{number}:", f"{pad * 2}runs-on: x", f"{pad * 2}steps:"]
        lines += [f"{pad * 2}- run: |", f"{pad * 6}echo {number}", "", f"{pad * 6}done", ""]
    jobs = parse("\n".join(lines)).jobs
    assert len(jobs) == len(gaps)
    for job in jobs:
        assert lines[job.line - 1] == f"{pad}{job.key}:"
        assert lines[job.end_line - 1] == f"{pad * 6}done"
        assert lines[job.steps[0].line - 1] == f"{pad * 2}- run: |"
        assert job.steps[0].end_line == job.end_line


def shown(job: str) -> list[str]:
    file = parse(f"on: push\njobs:\n  key: {job}\n")
    return [job.shown for job in shown_jobs(PATH, files={PATH: file})]


MATRIX = "strategy: {matrix: {os: [linux], v: [1.5, {n: 2}]}}"


@pytest.mark.parametrize(
    ("job", "names"),
    [
        ("{runs-on: x}", ["key"]),
        ("{runs-on: x, name: Über}", ["Über"]),
        (f"{{runs-on: x, {MATRIX}}}", ["key (linux, 1.5)", "key (linux, 2)"]),
        (f"{{runs-on: x, name: Test, {MATRIX}}}", ["Test (linux, 1.5)", "Test (linux, 2)"]),
        (f"{{runs-on: x, name: 'On ${{{{ Matrix.OS }}}}', {MATRIX}}}", ["On linux", "On linux"]),
        (f"{{runs-on: x, name: 'V ${{{{matrix[''v''].n}}}}!', {MATRIX}}}", ["V !", "V 2!"]),
        (f"{{runs-on: x, name: '${{{{ matrix.v }}}}', {MATRIX}}}", ["1.5", "Object"]),
        (f"{{runs-on: x, name: '${{{{ matrix.none }}}}', {MATRIX}}}", ["key (linux, 1.5)", "key (linux, 2)"]),
        ("{runs-on: x, name: 'Deploy ${{ github.ref }}'}", [""]),
        ("{runs-on: x, strategy: {matrix: '${{ fromJSON(inputs.m) }}'}}", [""]),
        ("{runs-on: x, name: " + "n" * 120 + "}", ["n" * 97 + "..."]),
    ],
)
def test_jobs_are_named_as_github_names_them(job: str, names: list[str]) -> None:
    assert shown(job) == names


def test_callers_are_expanded_from_the_other_files_of_the_tree() -> None:
    caller = """\
on: push
jobs:
  build:
    name: Build
    uses: ./.github/workflows/callee.yml
    strategy: {matrix: {os: [linux, mac]}}
  far: {uses: other/repo/.github/workflows/x.yml@v1}
  lost: {uses: ./.github/workflows/none.yml}
"""
    callee = """\
on: workflow_call
jobs:
  test:
    runs-on: x
    strategy: {matrix: {v: [1, 2]}}
  named: {runs-on: x, name: "Named ${{ inputs.what }}"}
  loop: {uses: ./.github/workflows/callee.yml}
"""
    path = ".github/workflows/callee.yml"
    files = {PATH: parse(caller), path: parse_workflow(callee, path=path)}
    found = shown_jobs(PATH, files=files)
    assert [job.shown for job in found if job.shown] == [
        "Build (linux) / test (1)",
        "Build (linux) / test (2)",
        "Build (mac) / test (1)",
        "Build (mac) / test (2)",
    ]
    assert (found[0].job_key, found[0].base, found[0].leg) == ("build / test", "Build / test", "linux / 1")
    assert leg_of("Build (mac) / test (2)", declared=found) == ("Build / test", "mac / 2")
    assert leg_of("Build (mac) / Named docs", declared=found) == ("Build / named", "docs")
    assert leg_of("far / whatever (1)", declared=found) == ("far / whatever", "1")
    assert leg_of("lost / whatever", declared=found) == ("lost / whatever", "")


@pytest.mark.parametrize(
    ("name", "base", "leg"),
    [
        ("tests (ubuntu-latest, stable)", "tests", "ubuntu-latest, stable"),
        ("build / test (1)", "build / test", "1"),
        ("build (1) / test", "build (1) / test", ""),
        ("lint (fast) checks", "lint (fast) checks", ""),
        ("lint (fast) (a, b)", "lint (fast)", "a, b"),
        ("t (a (b), c)", "t", "a (b), c"),
        ("🧪 Tests (🐧)", "🧪 Tests", "🐧"),
        ("lint", "lint", ""),
        ("call()", "call()", ""),
        ("()", "()", ""),
        ("x)", "x)", ""),
        ("t ()", "t ()", ""),
        ("", "", ""),
        ("tests (" + "a" * 90 + "...", "tests", "a" * 90 + "..."),
    ],
)
def test_a_shown_name_is_split_at_the_brackets_at_its_end(name: str, base: str, leg: str) -> None:
    assert leg_of(name) == (base, leg)


def test_declared_names_decide_before_brackets_do() -> None:
    text = """\
on: push
jobs:
  build: {runs-on: x, name: Build (release)}
  bins:
    runs-on: x
    name: Build ${{ matrix.target }}
    strategy: {matrix: '${{ fromJSON(needs.build.outputs.m) }}'}
  pick:
    runs-on: x
    name: On ${{ matrix.os }}
    strategy: {matrix: {os: [linux, mac], v: [1]}}
  dyn: {runs-on: x, strategy: {matrix: {v: '${{ fromJSON(inputs.v) }}'}}}
"""
    declared = shown_jobs(PATH, files={PATH: parse(text)})
    assert leg_of("Build (release)", declared=declared) == ("Build (release)", "")
    assert leg_of("Build x86_64-apple-darwin", declared=declared) == ("bins", "x86_64-apple-darwin")
    assert leg_of("On mac", declared=declared) == ("pick", "mac, 1")
    assert leg_of("dyn (a, b)", declared=declared) == ("dyn", "a, b")
    assert leg_of("gone (1)", declared=declared) == ("gone", "1")
