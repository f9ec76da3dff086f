"""`kotaci triage`: one run, job or log, from the store, from GitHub on loopback, from files and from stdin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kotaci.cli import main
from kotaci.cli.telling import Told
from kotaci.facts import read_history
from kotaci.model import BadInput, JobRef, Repo
from tests.builders import LAST, checkout, in_2026, job_log, passed, saved_by_gh, script, set_up, write_zip
from tests.github.fetching import TOKEN
from tests.github_server import Limits, Rights, State, serve

TRUTHS = json.loads((Path(__file__).parent.parent / "kotaci/sample/truths.json").read_text(encoding="utf-8"))
OUTPUT = ("error[E0425]: cannot find value `shelf`", " --> src/lib.rs:3:5", "", "error: could not compile `kvstore`")
BROKEN = [set_up(job="build"), checkout(), script(3, "cargo build", *OUTPUT, exit_code=101), LAST]
TEST = ("running 1 test", "test index::grows ... FAILED", "", "test result: FAILED. 0 passed; 1 failed; 0 ignored")
RUN = "https://github.com/example/kvstore/actions/runs/{}"

Run = Callable[..., tuple[int, str, str]]


def first_run(truth: str) -> int:
    return runs_of(truth)[0]


def runs_of(truth: str) -> list[int]:
    return next([run_id for run_id, _ in one["run_ids"]] for one in TRUTHS["truths"] if one["id"] == truth)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs `kotaci triage WORDS` in process and returns (exit code, out, err)."""

    def command(*words: str | Path, store: str | Path = tmp_path / "store") -> tuple[int, str, str]:
        code = main(["triage", *(str(word) for word in words), "--store", str(store)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


def asked(run: Run, *words: str | Path, **options: Any) -> list[dict[str, Any]]:
    code, out, err = run(*words, "--json", **options)
    assert code == 0, err
    told: list[dict[str, Any]] = json.loads(out)
    return told


# -- files ----------------------------------------------------------------------------------------------------


def test_a_jobs_log(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text(job_log(BROKEN), encoding="utf-8")
    code, out, _ = run(path)
    assert code == 0
    for words in (OUTPUT[0], "compile", "Run cargo build, exit code 101", "src/lib.rs:3:5"):
        assert words in out


def test_what_gh_saved_and_a_zip_tell_the_failed_jobs_only(run: Run, tmp_path: Path) -> None:
    jobs = {"build": BROKEN, "test": passed()}
    saved = tmp_path / "saved.txt"
    saved.write_text(saved_by_gh(jobs), encoding="utf-8")
    zipped = write_zip(tmp_path / "logs.zip", in_2026(jobs))
    for path in (saved, zipped):
        (told,) = asked(run, path)
        assert (told["job"], told["cause"], told["exit_code"]) == ("build", "compile", 101)


def test_json_has_what_the_terminal_shows(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text(job_log([set_up(), script(3, "cargo test", *TEST, exit_code=101), LAST]), encoding="utf-8")
    (told,) = asked(run, path)
    assert told["tests"][0]["test"] == "index::grows"
    assert "test index::grows ... FAILED" in [line["text"] for line in told["lines"]]
    assert told["remedies"]


def test_a_green_log_to_compare_with(run: Run, tmp_path: Path) -> None:
    noise = ("ERROR refused, as this test expects", "the flux is misaligned")
    for name, lines, code in (("red", noise, 1), ("green", noise[:1], 0)):
        log = job_log([set_up(), script(3, "make", *lines, exit_code=code), LAST])
        (tmp_path / name).write_text(log, encoding="utf-8")
    (told,) = asked(run, tmp_path / "red", "--green", tmp_path / "green")
    assert told["has_green"]
    assert told["lines"][0]["text"] == "the flux is misaligned"


def test_stdin(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kotaci", "triage", "-", "--json", "--store", str(tmp_path / "store")],
        input=job_log(BROKEN).encode(), capture_output=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )  # fmt: skip
    assert json.loads(done.stdout)[0]["cause"] == "compile"


def test_a_green_log_has_nothing_to_tell(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text(job_log(passed()), encoding="utf-8")
    assert run(path)[:2] == (0, "No job failed.\n")


def test_strangers_words_do_not_reach_the_terminal_as_orders(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    hostile = "error: \x1b[2J\x1b]0;owned\x07 \x9b31m [bold]x[/bold]\x08"
    path.write_text(job_log([set_up(), script(3, "make", hostile, exit_code=1), LAST]), encoding="utf-8")
    _, out, _ = run(path)
    assert not {"\x1b", "\x07", "\x08", "\x9b"} & set(out)
    assert "[bold]x[/bold]" in out


def test_a_log_of_another_system_is_read_as_it_is(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "build.log"
    path.write_text("\n".join(["make all", *OUTPUT, "Error: exit status 101"]), encoding="utf-8")
    (told,) = asked(run, path)
    assert (told["cause"], told["lines"][0]["number"]) == ("compile", 2)


def test_an_error_mark_counts_although_the_log_ends_well(run: Run, tmp_path: Path) -> None:
    pull = (3, "Initialize containers", ("##[error]Docker pull failed with exit code 1", "waiting", "waiting"))
    path = tmp_path / "log.txt"
    path.write_text(job_log([set_up(), pull, LAST]), encoding="utf-8")
    assert asked(run, path)[0]["cause"] == "docker"


# -- runs and jobs --------------------------------------------------------------------------------------------


def test_a_run_of_the_store_with_its_verdict(run: Run) -> None:
    told = asked(run, RUN.format(first_run("regression")), store="sample")
    by_job = {one["job"].partition(" / ")[2]: one for one in told}
    tests = by_job["tests (ubuntu-latest, stable)"]
    assert tests["tests"][0]["test"] == "table::tests::scan_of_one_key_finds_it"
    assert tests["has_green"]
    assert by_job["gate"]["verdict"] == "consequence"
    assert by_job["strict-lints"]["verdict"] == "masked"
    assert all(one["proof"] for one in told)


def test_what_made_the_run_red_goes_first_with_the_commit_to_blame(run: Run) -> None:
    (truth,) = (one for one in TRUTHS["truths"] if one["id"] == "regression")
    told = asked(run, RUN.format(first_run("regression")), store="sample")
    assert [one["verdict"] for one in told[:3]] == ["regression"] * 3
    assert [culprit["sha"] for culprit in told[0]["culprits"]] == [truth["where"]["commit"]]
    assert told[0]["rerun"] is None
    _, out, _ = run(RUN.format(first_run("regression")), store="sample")
    assert out.count("cargo nextest run") == 1
    assert truth["where"]["commit"][:10] in out


def test_a_failure_that_a_rerun_turned_green_is_told(run: Run) -> None:
    again = set(runs_of("race-path")) & set(runs_of("reruns"))
    told = asked(run, RUN.format(max(again)), store="sample")
    assert {(one["attempt"], one["verdict"]) for one in told if "integration" in one["job"]} == {(1, "flaky")}
    assert all(one["rerun"] is None for one in told if one["attempt"] == 1)


@pytest.mark.parametrize(("is_of_the_code", "advice"), [
    (False, "gh run rerun 8 --failed --repo octo/widgets"), (True, ""),
])  # fmt: skip
def test_no_rerun_is_advised_where_the_code_broke_a_rule(is_of_the_code: bool, advice: str) -> None:
    told = Told("ci", None, "octo/widgets", (8, 1, 9), verdict="undecided", is_of_the_code=is_of_the_code)
    assert told.rerun == advice


def test_a_failed_compilation_is_of_the_code(run: Run, sample: Path) -> None:
    failures = read_history(sample, repo="example/kvstore", since="all", tables=["failures"])["failures"]
    (told, *_) = asked(run, RUN.format(failures.loc[failures["cause"] == "compile", "run_id"].max()), store="sample")
    assert (told["cause"], told["verdict"], told["rerun"]) == ("compile", "undecided", None)


def test_a_time_out_is_told_as_one_with_its_remedies(run: Run) -> None:
    (told,) = asked(run, RUN.format(first_run("timeout")), store="sample")
    assert (told["verdict"], told["cause"]) == ("timed out", "timeout")


def test_one_job_of_a_run_of_any_attempt(run: Run) -> None:
    url = RUN.format(first_run("race-path"))
    job = next(one for one in asked(run, url, store="sample") if one["attempt"] == 1)
    (told,) = asked(run, job["url"], store="sample")
    assert told == job
    code, _, err = run(f"{url}/job/7", store="sample")
    assert (code, "7: is no job of this run" in err) == (2, True)


def test_the_number_of_a_run(run: Run) -> None:
    number = first_run("timeout")
    assert asked(run, str(number), "--repo", "example/kvstore", store="sample") == asked(
        run, RUN.format(number), store="sample"
    )
    code, _, err = run(str(number), store="sample")
    assert (code, "--repo" in err) == (2, True)


def test_a_pasted_address_does_not_give_the_token_away(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.delenv("GH_ENTERPRISE_TOKEN", raising=False)
    code, _, err = run("https://127.0.0.1:9/example/kvstore/actions/runs/7")
    assert (code, "without a token" in err) == (2, True), err


def test_without_a_token_the_store_is_named_and_none_is_made(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")
    code, _, err = run(RUN.format(7))
    assert (code, "7: is not in the store" in err, (tmp_path / "store").exists()) == (2, True, False), err


@pytest.mark.slow
def test_a_run_that_the_store_lacks_is_fetched(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(per_hour=10**6, points_per_minute=None)
    with serve(State.of_sample(), tokens={TOKEN: Rights()}, limits=limits) as server:
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        monkeypatch.setenv("GITHUB_API_URL", server.api_url)
        told = asked(run, RUN.format(first_run("regression")))
        n_asked = len(server.asked)
        assert asked(run, RUN.format(first_run("regression"))) == told
        assert len(server.asked) == n_asked
    tests = next(one for one in told if "tests (ubuntu-latest, stable)" in one["job"])
    assert (tests["has_green"], tests["cause"]) == (True, "test-assertion")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no-such-file",), "no-such-file: cannot be read"),
        (("",), "nothing: cannot be explained"),
        ((".",), ".: is a folder"),
        ((RUN.format(1),), "1: is no run of the sample"),
        (("https://github.com/example/kvstore",), "is not the address of a run or a job"),
        (("https://github.com/example/kvstore/actions/runs/0",), "is not the address of a run or a job"),
        ((RUN.format(1), "--green", "x"), "x: is not used with a run"),
    ],
)
def test_bad_input_is_named(run: Run, words: tuple[str, ...], said: str) -> None:
    code, _, err = run(*words, store="sample")
    assert (code, said in err) == (2, True), err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://github.com/o/r/actions/runs/12", JobRef(Repo("o", "r"), 12)),
        ("https://github.com/o/r/actions/runs/12/attempts/3?pr=4", JobRef(Repo("o", "r"), 12, 3)),
        ("https://github.com/o/r/actions/runs/12/job/34#step:3:1", JobRef(Repo("o", "r"), 12, None, 34)),
        ("https://ghe.example.org/o/r/actions/runs/12", JobRef(Repo("o", "r", "ghe.example.org"), 12)),
    ],
)
def test_addresses(text: str, expected: JobRef) -> None:
    assert JobRef.parse(text) == expected


@pytest.mark.parametrize("text", ["", "12", "https://github.com/o/r/pull/3", "https://github.com/o/actions/runs/1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="address"):
        JobRef.parse(text)
