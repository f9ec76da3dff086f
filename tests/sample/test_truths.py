"""The bundled sample holds what truths.json says it holds, no more and no less.

Only the archive and the truths are read, without a line of kotaci: a mistake there cannot hide one here.
"""

from __future__ import annotations

import io
import json
import re
import statistics
import subprocess
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

SAMPLE = Path(__file__).parents[2] / "kotaci" / "sample"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
STAMP = re.compile(r"^\ufeff?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z) ", re.MULTILINE)
Payload = dict[str, Any]
Run = tuple[int, int]


@dataclass(frozen=True)
class Job:
    """A job's payload beside its log."""

    payload: Payload
    log: str | None

    @property
    def run(self) -> Run:
        return self.payload["run_id"], self.payload["run_attempt"]

    @property
    def base(self) -> str:
        return str(self.payload["name"]).split(" ")[0]

    @property
    def plain(self) -> str:
        return ANSI.sub("", self.log or "")

    def seconds_of(self, step: str) -> float | None:
        for found in self.payload["steps"]:
            if found["name"] == step and found["conclusion"] == "success":
                return (_at(found["completed_at"]) - _at(found["started_at"])).total_seconds()
        return None


@dataclass(frozen=True)
class Sample:
    """The archive, read once."""

    payloads: dict[tuple[str, str], Any]
    logs: dict[str, str]
    jobs: tuple[Job, ...]
    repository: bytes
    truths: dict[str, Payload]
    about: Payload

    def run(self, run: Run) -> Payload:
        payload: Payload = self.payloads[("run", f"{run[0]}/{run[1]}")]
        return payload

    @property
    def runs(self) -> list[Payload]:
        return [payload for (kind, _), payload in self.payloads.items() if kind == "run"]

    def saying(self, base: str, text: str) -> set[Run]:
        return {job.run for job in self.jobs if job.base == base and text in job.plain}

    def named(self, truth: str) -> set[Run]:
        return {(run_id, attempt) for run_id, attempt in self.truths[truth]["run_ids"]}


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture(scope="module")
def sample() -> Sample:
    about = json.loads((SAMPLE / "truths.json").read_text())
    with tarfile.open(SAMPLE / "history.tar.xz") as tar:
        files = {member.name: tar.extractfile(member) for member in tar}
        content = {name: file.read() for name, file in files.items() if file}
    payloads = {}
    for line in content["payloads.jsonl"].decode().splitlines():
        record = json.loads(line)
        payloads[(record["kind"], record["key"])] = record["payload"]
    logs = {name: text.decode() for name, text in content.items() if name.startswith("logs/")}
    jobs = tuple(
        Job(job, logs.get(f"logs/{key}/{job['id']}.txt"))
        for (kind, key), payload in payloads.items()
        if kind == "jobs"
        for job in payload["jobs"]
    )
    truths = {truth["id"]: truth for truth in about["truths"]}
    return Sample(payloads, logs, jobs, content["repository.bundle"], truths, about)


@pytest.fixture(scope="module")
def show(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs git in a clone of the bundled repository."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / "repository.bundle").write_bytes(sample.repository)
    command = ["git", "clone", "--quiet", "--bare", "repository.bundle", "clone"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=folder / "clone", check=True, capture_output=True, text=True)
        return done.stdout

    return git


def test_counts(sample: Sample) -> None:
    conclusions = Counter(job.payload["conclusion"] for job in sample.jobs)
    assert sample.about["counts"] == {
        "runs": len({run["id"] for run in sample.runs}),
        "attempts": len(sample.runs),
        "jobs": len(sample.jobs),
        "failed_jobs": conclusions["failure"],
        "cancelled_jobs": conclusions["cancelled"],
        "logs": len(sample.logs),
    }
    assert 140 <= len(sample.runs) <= 170


def test_every_job_has_a_log_or_a_reason(sample: Sample) -> None:
    for job in sample.jobs:
        key = f"{job.run[0]}/{job.run[1]}/{job.payload['id']}"
        assert (job.log is None) == (("log_state", key) in sample.payloads), key
    assert len(sample.logs) == sum(job.log is not None for job in sample.jobs)


def test_logs_are_shaped_like_githubs(sample: Sample) -> None:
    for name, text in sample.logs.items():
        assert text.startswith("\ufeff"), name
        assert text.endswith("\n"), name
        stamps = STAMP.findall(text)
        assert stamps == sorted(stamps), name
        assert text.count("##[group]") == text.count("##[endgroup]"), name
        lines = text.count("\n")
        # Only continuation lines of an input of several lines have no stamp.
        assert len(stamps) >= lines - 4, name


def test_logs_lie_within_their_jobs(sample: Sample) -> None:
    for job in sample.jobs:
        if job.log:
            stamps = STAMP.findall(job.log)
            assert job.payload["started_at"][:19] <= stamps[0][:19]
            assert stamps[-1][:19] <= job.payload["completed_at"][:19]


def test_ids_grow_with_time(sample: Sample) -> None:
    runs = sorted((run["created_at"], run["id"]) for run in sample.runs if run["run_attempt"] == 1)
    assert [number for _, number in runs] == sorted(number for _, number in runs)
    jobs = sorted((job.payload["created_at"], job.payload["id"]) for job in sample.jobs)
    assert [number for _, number in jobs] == sorted(number for _, number in jobs)


def test_nothing_of_the_recording_machine_is_left(sample: Sample) -> None:
    for name, text in sample.logs.items():
        for word in ("127.0.0.1", "/root/", "mirror", "kvstore-recorder"):
            assert word not in text, (name, word)


@pytest.mark.parametrize("truth", ["race-env", "race-path", "rare-flake"])
def test_flaky_tests_fail_where_it_is_said(sample: Sample, truth: str) -> None:
    planted = sample.truths[truth]
    assert sample.saying(planted["where"]["job"], planted["expected"]["line"]) == sample.named(truth)
    for run in sample.named(truth):
        assert sample.run(run)["conclusion"] == "failure"
    others = {job.base for job in sample.jobs if planted["expected"]["line"] in job.plain}
    assert others == {planted["where"]["job"]}


def test_the_environment_race_ends_with_its_fix(sample: Sample, show: Callable[..., str]) -> None:
    planted = sample.truths["race-env"]
    for run in sample.named("race-env"):
        with pytest.raises(subprocess.CalledProcessError):
            show("merge-base", "--is-ancestor", planted["fix_commit"], sample.run(run)["head_sha"])


def test_the_rare_flake_is_rare(sample: Sample) -> None:
    expected = sample.truths["rare-flake"]["expected"]
    executions = [
        j for j in sample.jobs if j.base == "integration" and j.payload["conclusion"] in ("success", "failure")
    ]
    assert expected["n_executions"] == len(executions)
    assert 1 / 28 < expected["n_failures"] / expected["n_executions"] < 1 / 14


def test_retries_hide_in_green_jobs(sample: Sample) -> None:
    flaky = [job for job in sample.jobs if "FLAKY" in job.plain]
    assert {job.run for job in flaky} == sample.named("retry-hidden")
    assert len(flaky) == sample.truths["retry-hidden"]["expected"]["n_jobs"]
    for job in flaky:
        assert (job.base, job.payload["conclusion"]) == ("tests", "success")
        assert re.search(r"FLAKY 2/3 .*listener::tests::", job.plain)


def test_the_regression_fails_everywhere_until_its_fix(sample: Sample, show: Callable[..., str]) -> None:
    planted = sample.truths["regression"]
    broken, fixed = planted["where"]["commit"], planted["fix_commit"]
    assert sample.named("regression")
    for name in planted["where"]["tests"]:
        assert {job.run for job in sample.jobs if re.search(rf"TRY 3 FAIL .*{name}", job.plain)} == sample.named(
            "regression"
        )
    for run in sample.named("regression"):
        history = show("rev-list", sample.run(run)["head_sha"]).split()
        assert broken in history
        assert fixed not in history
        legs = [job.payload["conclusion"] for job in sample.jobs if job.run == run and job.base == "tests"]
        assert legs == ["failure"] * 3


@pytest.mark.parametrize(("truth", "job"), [("lost-target", "integration"), ("lost-feature", "tests")])
def test_lost_tests_ran_before_and_never_after(sample: Sample, show: Callable[..., str], truth: str, job: str) -> None:
    planted = sample.truths[truth]
    ran = [j for j in sample.jobs if j.base == job and j.payload["conclusion"] == "success" and j.log]
    after = [j for j in ran if j.run in sample.named(truth)]
    before = [j for j in ran if j.run not in sample.named(truth)]
    assert len(before) > 20
    assert len(after) > 10
    for name in planted["where"]["tests"]:
        pattern = re.compile(rf"(?:test |\s){re.escape(name)}(?: \.\.\. ok)?$", re.MULTILINE)
        assert all(pattern.search(j.plain) for j in before), name
        assert not any(pattern.search(j.plain) for j in after), name
    commit = planted["where"]["commit"]
    for j in after:
        assert commit in show("rev-list", j.payload["head_sha"]).split()


def test_the_outage_hits_three_branches_within_hours(sample: Sample) -> None:
    planted = sample.truths["outage"]
    text = planted["expected"]["text"]
    failed = {
        job.run
        for job in sample.jobs
        if job.base == "lint"
        and job.payload["conclusion"] == "failure"
        and re.search(rf"error: failed.*(?s:.*){text}", job.plain)
    }
    assert failed == sample.named("outage")
    branches = {sample.run(run)["head_branch"] for run in failed}
    assert sorted(branches) == planted["expected"]["branches"]
    assert len(branches) == 3
    assert _at(planted["until"]) - _at(planted["since"]) < timedelta(hours=4)
    for run_id, _ in failed:
        assert sample.run((run_id, 2))["conclusion"] == "success"


def test_the_compiler_was_killed_once(sample: Sample) -> None:
    expected = sample.truths["oom"]["expected"]
    killed = [job for job in sample.jobs if expected["text"] in job.plain]
    assert {job.run for job in killed} == sample.named("oom")
    assert len(killed) == 1
    assert f"##[error]Process completed with exit code {expected['exit_code']}." in killed[0].plain
    assert killed[0].base == "stress"


def test_the_timeout_shows_in_annotation_and_duration(sample: Sample) -> None:
    expected = sample.truths["timeout"]["expected"]
    notes = {
        key
        for (kind, key), notes in sample.payloads.items()
        if kind == "annotations" and expected["annotation"] in str(notes)
    }
    (job,) = [job for job in sample.jobs if str(job.payload["id"]) in notes]
    assert {job.run} == sample.named("timeout")
    assert job.payload["conclusion"] == expected["job_conclusion"]
    assert expected["hang_notice"] in job.plain
    assert job.plain.count("##[error]") == 1
    assert expected["text"] in job.plain
    assert expected["annotation"] not in job.plain
    taken = _at(job.payload["completed_at"]) - _at(job.payload["started_at"])
    assert timedelta(minutes=20) <= taken < timedelta(minutes=20, seconds=10)


def test_the_lost_runner_left_no_log(sample: Sample) -> None:
    planted = sample.truths["lost-runner"]
    (job,) = [
        j for j in sample.jobs if j.run in sample.named("lost-runner") and j.payload["name"] == planted["where"]["job"]
    ]
    assert job.log is None
    assert job.payload["conclusion"] == "failure"
    assert job.payload["steps"][-1]["conclusion"] is None
    state = sample.payloads[("log_state", f"{job.run[0]}/{job.run[1]}/{job.payload['id']}")]
    assert state["state"] == "never_written"


def test_the_first_day_is_expired(sample: Sample) -> None:
    expired = {
        key.rsplit("/", 1)[0]
        for (kind, key), state in sample.payloads.items()
        if kind == "log_state" and state["state"] == "expired"
    }
    assert expired == {f"{run_id}/{attempt}" for run_id, attempt in sample.named("expired-logs")}


def _newer(sample: Sample, run: Payload) -> Iterator[Payload]:
    for other in sample.runs:
        gap = _at(other["created_at"]) - _at(run["created_at"])
        if other["head_branch"] == run["head_branch"] and timedelta(0) < gap < timedelta(minutes=10):
            yield other


def test_superseded_and_cancelled_by_hand(sample: Sample) -> None:
    for run in sample.named("superseded"):
        assert sample.run(run)["conclusion"] == "cancelled"
        assert list(_newer(sample, sample.run(run)))
    for run in sample.named("cancelled-by-hand"):
        assert sample.run(run)["conclusion"] == "cancelled"
        assert not list(_newer(sample, sample.run(run)))
    timeouts = sample.named("timeout")
    cancelled = {(run["id"], run["run_attempt"]) for run in sample.runs if run["conclusion"] == "cancelled"}
    assert cancelled == sample.named("superseded") | sample.named("cancelled-by-hand") | timeouts


def test_second_attempts_keep_the_first(sample: Sample) -> None:
    again = {(run["id"], run["run_attempt"]) for run in sample.runs if run["run_attempt"] > 1}
    assert again == sample.named("reruns")
    for run_id, attempt in again:
        first, second = sample.run((run_id, 1)), sample.run((run_id, attempt))
        assert first["conclusion"] in ("failure", "cancelled")
        assert second["conclusion"] == "success"
        assert first["head_sha"] == second["head_sha"]
        assert first["created_at"] == second["created_at"]
        assert second["run_started_at"] > first["updated_at"]


@pytest.mark.parametrize("truth", ["image-change", "rustc-change"])
def test_the_environment_changes_once(sample: Sample, truth: str) -> None:
    planted = sample.truths[truth]
    pattern = r"^\S+ Version: (2026\S+\.1)$" if truth == "image-change" else r"^\S+ release: (\S+)$"
    for job in sample.jobs:
        found = re.findall(pattern, job.plain, re.MULTILINE)
        if not found or (truth == "rustc-change" and job.payload["name"].endswith("1.95.0)")):
            continue
        word = "after" if _at(job.payload["started_at"]) >= _at(planted["since"]) else "before"
        assert found == [planted["expected"][word]], job.payload["html_url"]


def _medians(sample: Sample, truth: str) -> tuple[list[float], list[float]]:
    """Seconds of the truth's step in green jobs: in the days before it, and in its own runs."""
    planted = sample.truths[truth]
    job, step, since = planted["where"]["job"], planted["where"]["step"], _at(planted["since"])
    days = timedelta(days=planted["expected"]["days_before"])
    before, after = [], []
    for found in sample.jobs:
        seconds = found.seconds_of(step)
        if found.base != job or seconds is None or found.payload["conclusion"] != "success":
            continue
        if since - days <= _at(found.payload["started_at"]) < since:
            before.append(seconds)
        if found.run in sample.named(truth):
            after.append(seconds)
    return before, after


def test_the_true_claim_holds(sample: Sample, show: Callable[..., str]) -> None:
    before, after = _medians(sample, "claim-true")
    assert len(before) >= 15
    assert len(after) >= 15
    assert statistics.median(after) / statistics.median(before) < 0.45
    assert "-65 %" in show("show", "--no-patch", "--format=%B", sample.truths["claim-true"]["where"]["commit"])


def test_the_false_claim_does_not_hold(sample: Sample, show: Callable[..., str]) -> None:
    before, after = _medians(sample, "claim-false")
    assert len(before) >= 15
    assert len(after) >= 15
    assert 0.85 < statistics.median(after) / statistics.median(before) < 1.15
    assert "40 % faster" in show("show", "--no-patch", "--format=%B", sample.truths["claim-false"]["where"]["commit"])


def test_the_third_claim_cannot_be_decided(sample: Sample, show: Callable[..., str]) -> None:
    before, after = _medians(sample, "claim-undecidable")
    assert len(before) >= 10
    assert len(after) == 2 == sample.truths["claim-undecidable"]["expected"]["n_after"]
    commit = sample.truths["claim-undecidable"]["where"]["commit"]
    assert "from 9 to 6 minutes" in show("show", "--no-patch", "--format=%B", commit)


def test_builds_are_cold_while_the_key_holds_the_run_id(sample: Sample) -> None:
    planted = sample.truths["cold-cache"]
    cold = [job for job in sample.jobs if job.run in sample.named("cold-cache") and job.base == "tests" and job.log]
    assert len(cold) >= 20
    assert all(planted["expected"]["text"] in job.plain for job in cold)
    times = [seconds for job in cold if (seconds := job.seconds_of("Unit tests")) is not None]
    assert statistics.median(times) >= planted["expected"]["median_step_s_at_least"]
    week = (_at(planted["since"]) - timedelta(days=7), _at(planted["since"]))
    warm = [
        seconds
        for job in sample.jobs
        if job.base == "tests" and week[0] <= _at(job.payload["started_at"]) < week[1]
        if (seconds := job.seconds_of("Unit tests")) is not None
    ]
    assert statistics.median(warm) <= planted["expected"]["median_step_s_before_at_most"]


def test_the_shared_key_helps_one_build_only(sample: Sample) -> None:
    planted = sample.truths["shared-key"]
    text, crates = planted["expected"]["text"], planted["expected"]["recompiled_in_job"]
    assert sample.saying("coverage", text) == sample.named("shared-key")
    for job in sample.jobs:
        if text in job.plain and job.base in ("coverage", "integration"):
            for crate in crates:
                assert (f"Compiling {crate} " in job.plain) == (job.base == "coverage"), job.payload["html_url"]


def test_a_cache_is_restored_by_prefix_somewhere(sample: Sample) -> None:
    assert sample.saying("stress", "Cache hit for restore-key: nightly-")
    assert sample.saying("coverage", "Failed to save: Unable to reserve cache with key")


def test_the_documentation_fell_silent(sample: Sample) -> None:
    planted = sample.truths["silent-docs"]
    runs = [run for run in sample.runs if run["path"] == planted["where"]["workflow"]]
    assert {(run["id"], run["run_attempt"]) for run in runs} == sample.named("silent-docs")
    last = max(_at(run["created_at"]) for run in runs)
    assert timedelta(days=19) < _at(sample.about["window"]["until"]) - last < timedelta(days=23)


def test_the_masked_job_always_fails(sample: Sample) -> None:
    strict = [job for job in sample.jobs if job.base == "strict-lints" and job.payload["conclusion"] != "cancelled"]
    assert {job.payload["conclusion"] for job in strict} == {"failure"}
    assert {job.run for job in strict} == sample.named("masked-strict-lints")
    assert any(sample.run(job.run)["conclusion"] == "success" for job in strict)


def test_workflow_faults_stand_in_the_files(sample: Sample, show: Callable[..., str]) -> None:
    faults = {key: truth for key, truth in sample.truths.items() if truth["kind"] == "workflow_fault"}
    assert len(faults) == 6
    for key, fault in faults.items():
        text = show("show", f"develop:{fault['where']['workflow']}")
        block = re.search(rf"^  {fault['where']['job']}:\n((?:    .*\n|\n)+)", text, re.MULTILINE)
        assert block, key
        if key == "missing-timeout":
            assert "timeout-minutes" not in block[1]
            assert "timeout-minutes" in text
        elif key == "target-in-no-job":
            assert show("show", f"develop:{fault['where']['text']}")
            assert "replication" not in text + show("show", "develop:.github/workflows/nightly.yml")
        else:
            assert fault["where"]["text"] in block[1], key
    assert sample.saying("bench", "error: bench is over its limit") == sample.named("swallowed-exit-code")
    for run in sample.named("gate-blind-to-cancelled"):
        (gate,) = [job for job in sample.jobs if job.run == run and job.base == "gate"]
        assert (gate.payload["conclusion"], sample.run(run)["conclusion"]) == ("success", "cancelled")


def test_runs_belong_to_commits_and_their_workflow_files(sample: Sample, show: Callable[..., str]) -> None:
    commits = set(show("rev-list", "--all").split())
    files: dict[tuple[str, str], str] = {}
    for job in sample.jobs:
        run = sample.run(job.run)
        key = (run["head_sha"], run["path"])
        assert key[0] in commits
        if key not in files:
            files[key] = show("show", f"{key[0]}:{key[1]}")
        assert re.search(rf"^  {job.base}:$", files[key], re.MULTILINE), job.payload["html_url"]
        for step in job.payload["steps"]:
            name = step["name"]
            if name.startswith("Run actions/"):
                assert f"uses: {name[4:]}" in files[key], name
            elif name not in ("Set up job", "Complete job") and not name.startswith("Post "):
                assert f"name: {name}" in files[key], name


def test_the_archive_is_small_and_says_nothing_of_its_maker() -> None:
    raw = (SAMPLE / "history.tar.xz").read_bytes()
    assert len(raw) < 2_000_000
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        members = tar.getmembers()
    names = [member.name for member in members]
    assert names == sorted(names)
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {(0, 0, "", "", 0)}
