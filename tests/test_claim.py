"""`kotaci claim`: the claims planted in the sample, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kotaci.cli import main
from kotaci.places import sample_folder

TRUTHS = {
    truth["id"]: truth for truth in json.loads((sample_folder() / "truths.json").read_text(encoding="utf-8"))["truths"]
}
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs `kotaci claim WORDS` on the sample in process and returns (exit code, out, err)."""

    def command(*words: str) -> tuple[int, str, str]:
        code = main(["claim", *words, "--sample"])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


def words_of(truth: str) -> list[str]:
    """Return what a person would type for a planted claim."""
    where, ratio = TRUTHS[truth]["where"], TRUTHS[truth]["expected"]["claimed_ratio"]
    place = ["--workflow", where["workflow"], "--job", where["job"], "--step", where["step"], "--at", where["commit"]]
    return [*place, f"{100 * (ratio - 1):.0f}%"]


def asked(run: Run, *words: str) -> dict[str, Any]:
    _, out, err = run(*words, "--json")
    assert out, err
    told: dict[str, Any] = json.loads(out)
    return told


def test_a_true_claim_is_confirmed(run: Run) -> None:
    told = asked(run, *words_of("claim-true"))
    assert told["answer"] == "confirmed"
    assert told["low"] < TRUTHS["claim-true"]["expected"]["true_ratio"] + 0.05
    assert told["ratio"] == pytest.approx(TRUTHS["claim-true"]["expected"]["true_ratio"], abs=0.05)
    first_attempts = {run_id for run_id, attempt in TRUTHS["claim-true"]["run_ids"] if attempt == 1}
    assert first_attempts <= set(told["run_ids"]["after"])
    assert not first_attempts & set(told["run_ids"]["before"])
    assert any("Swatinem/rust-cache" in words for words in told["differs"])


def test_a_false_claim_is_contradicted_with_what_was_measured(run: Run) -> None:
    code, out, _ = run(*words_of("claim-false"))
    assert code == 1
    assert "Claim: -40 % duration of step 'Unit tests' of ci.yml / tests at 091d01a366" in out
    assert "Answer: contradicted: measured +" in out
    assert "image ubuntu-24.04: " in out


@pytest.mark.parametrize("days", [14, 60])
def test_two_runs_since_tell_nothing(run: Run, days: int) -> None:
    told = asked(run, *words_of("claim-undecidable"), "--days", str(days))
    assert (told["answer"], told["n_after"], told["low"]) == ("cannot be told", 2, None)
    assert "too few runs" in told["said"]
    assert told["runs_needed"] in {3, 4}


def test_too_few_runs_are_no_failure_of_the_command(run: Run) -> None:
    code, out, _ = run(*words_of("claim-undecidable"))
    assert code == 0
    assert "After: 2 runs, median" in out


def test_failure_rates_are_judged_too(run: Run) -> None:
    told = asked(run, "--workflow", "ci.yml", "--at", "091d01a366", "--metric", "failure-rate", "--days", "30", "-40%")
    assert (told["unit"], told["answer"]) == ("rate", "cannot be told")
    assert 0 < told["before"] < 1
    assert told["low"] < told["ratio"] < told["high"]


def test_the_window_can_be_told(run: Run) -> None:
    window = ("--since", "2026-09-01", "--until", "2026-09-16")
    told = asked(run, *words_of("claim-true"), *window)
    assert (told["since"], told["until"]) == ("2026-09-01T00:00:00+00:00", "2026-09-17T00:00:00+00:00")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--workflow", "ci.yml", "--at", "091d01a366", "30%"], "with its sign"),
        (["--workflow", "ci.yml", "--at", "091d01a366", "-100%"], "with its sign"),
        (["--workflow", "ci.yml", "--at", "091d01", "-30%"], "is no commit that is held"),
        (["--workflow", "ci.yml", "--at", "fffffff", "-30%"], "is no commit that is held"),
        (["--workflow", "cy.yml", "--at", "091d01a366", "-30%"], "choose from"),
        (["--workflow", "ci.yml", "--job", "test", "--at", "091d01a366", "-30%"], "tests"),
        (["--workflow", "ci.yml", "--step", "Unit", "--at", "091d01a366", "-30%"], "is no step"),
        (["--workflow", "ci.yml", "--att", "091d01a366", "-30%"], "claim --help"),
    ],
)
def test_what_cannot_be_judged_is_refused(run: Run, words: list[str], said: str) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert said in err


def test_the_store_is_asked_where_no_sample_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["claim", "--workflow", "ci.yml", "--at", "091d01a", "-30%", "--store", str(tmp_path / "none")])
    assert code == 2
    assert "none" in capsys.readouterr().err
