"""The audit of earlier versions: of commits made up, and of a small real repository."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.archives.checkout import tree_of
from kotaci.archives.git import PastChange, PastCommit
from kotaci.archives.past import read_past
from kotaci.audit import Mark, Project
from kotaci.audit.history import (
    BurstOptions,
    Claimed,
    HistoryOptions,
    LimitSeries,
    Selection,
    audit_history,
    find_bursts,
    find_claims,
    follow_faults,
    follow_limits,
    legs_by_event,
    limits_of,
    select_tests,
)
from kotaci.audit.history.claims import read_claims
from kotaci.audit.history.legs import fits_branch
from kotaci.audit.history.limits import direction, may_differ
from kotaci.cli import main
from kotaci.cli.claiming import held_history
from kotaci.cli.measuring import measure_claim
from kotaci.model import Severity
from kotaci.sample import SAMPLE
from kotaci.workflows import parse_workflow
from tests.archives.test_git import Repository

CI = ".github/workflows/ci.yml"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def commit(
    minutes: float, *changes: tuple[str, str, str], message: str = "ci: change", parents: tuple[str, ...] = ("p",)
) -> PastCommit:
    """Return a commit so long after the start, with changes (path, blob before, blob after)."""
    at = START + timedelta(minutes=minutes)
    return PastCommit(f"{minutes:g}", parents, at, at, "a", message, tuple(PastChange(*one) for one in changes))


def values(path: str, text: str) -> dict[str, tuple[float, bool]]:
    return {place: (one.value, one.is_larger_looser) for place, one in limits_of(path, text).items()}


def series(*texts: str, path: str = CI) -> tuple[LimitSeries, ...]:
    """Return what became of the limits of a file that had these texts one after the other."""
    held = {str(number): text for number, text in enumerate(texts)}
    commits = [commit(number, (path, str(number - 1), str(number))) for number in range(1, len(texts))]
    return follow_limits(commits, held)


# -- faults -----------------------------------------------------------------------------------------------------------


def mark(subject: str, line: int = 1) -> Mark:
    return Mark(CI, line, subject, "has none", rule="r")


def test_a_fault_that_went_and_came_back_has_two_spans() -> None:
    a, b, c, d = (commit(60 * number) for number in range(4))
    back, gone, new = follow_faults(
        [
            (a, [mark("job x"), mark("job y")]),
            (b, [mark("job y", 7)]),
            (c, [mark("job x", 9)]),
            (d, [mark("job x"), mark("job z")]),
        ]
    )
    assert (back.mark.subject, back.n_returns, back.is_standing) == ("job x", 1, True)
    assert [(span.came, span.went, span.is_open) for span in back.spans] == [(a, b, True), (c, None, False)]
    assert back.lasted == timedelta(hours=2)
    assert (gone.mark.subject, gone.lasted) == ("job z", timedelta())
    assert (new.mark.subject, new.is_standing, new.mark.line, new.lasted) == ("job y", False, 7, timedelta(hours=2))


def test_no_version_has_no_fault() -> None:
    assert follow_faults([]) == ()


# -- legs -------------------------------------------------------------------------------------------------------------


def legs(base: str = "main", **files: str) -> dict[str, tuple[int, int]]:
    parsed = [parse_workflow(text, path=f".github/workflows/{name}.yml") for name, text in files.items()]
    return {event: (found.n, found.n_unknown) for event, found in legs_by_event(parsed, base=base).items()}


def test_legs_are_those_of_the_matrix_and_of_called_workflows() -> None:
    caller = """
on: {push: {branches: [main]}, pull_request: , schedule: [{cron: "0 3 * * *"}]}
jobs:
  test: {runs-on: x, strategy: {matrix: {os: [a, b], rust: [c, d, e]}}, steps: [{run: x}]}
  call: {uses: ./.github/workflows/called.yml, strategy: {matrix: {a: [1, 2]}}}
  away: {uses: example/other/.github/workflows/x.yml@v1}
  made: {runs-on: x, strategy: {matrix: {a: "${{ fromJSON(needs.x.outputs.y) }}"}}, steps: [{run: x}]}
"""
    called = "on: workflow_call\njobs: {a: {runs-on: x}, b: {runs-on: x}}"
    expected = (6 + 4 + 1 + 1, 2)
    assert legs(caller=caller, called=called) == dict.fromkeys(("pull_request", "push", "schedule"), expected)


@pytest.mark.parametrize(
    ("on", "events"),
    [
        ("{push: {branches: [main]}}", []),
        ("{push: {branches: ['dev*']}}", ["push"]),
        ("{push: {tags: ['v*']}}", []),
        ("{pull_request: {branches-ignore: [develop]}}", []),
        ("{pull_request: {branches: ['**', '!main']}}", ["pull_request"]),
    ],
)
def test_a_filter_of_branches_decides_whether_it_starts(on: str, events: list[str]) -> None:
    assert list(legs("develop", ci=f"on: {on}\njobs: {{a: {{runs-on: x}}}}")) == events


def test_patterns_of_branches_are_those_of_github() -> None:
    fitting = [
        ("*", "main"),
        ("releases/**", "releases/1/a"),
        ("v[12].[0-9]+", "v1.10"),
        ("**-ok", "a/b-ok"),
        ("x?", ""),
    ]
    assert all(fits_branch([pattern], branch) for pattern, branch in fitting)
    failing = [("*", "a/b"), ("main", "maint")]
    assert not any(fits_branch([pattern], branch) for pattern, branch in failing)


# -- tests selected ---------------------------------------------------------------------------------------------------


def selection(*commands: str, on: str = "pull_request", files: Mapping[str, str] | None = None) -> Selection:
    steps = "".join(f"      - run: |\n          {command}\n" for command in commands)
    tree = {
        "Cargo.toml": '[package]\nname = "kv"',
        "tests/alpha.rs": "",
        "tests/beta_one.rs": "",
        "tests/gamma/main.rs": "",
        "tests/gamma/part.rs": "",
        CI: f"on: {on}\njobs:\n  test:\n    runs-on: x\n    steps:\n{steps}",
        **(files or {}),
    }
    return select_tests(Project(tree_of(tree)), base="main")


ALPHA, BETA, GAMMA = "tests/alpha.rs", "tests/beta_one.rs", "tests/gamma/main.rs"


@pytest.mark.parametrize(
    ("command", "selected"),
    [
        ("cargo test", {ALPHA, BETA, GAMMA}),
        ("cargo +nightly test --workspace --features a -- --nocapture", {ALPHA, BETA, GAMMA}),
        ("cargo nextest run --all --profile ci", {ALPHA, BETA, GAMMA}),
        ("cargo test --test alpha --test=gamma", {ALPHA, GAMMA}),
        ("cargo test --test 'beta*'", {BETA}),
        ("cargo test --lib --bins", set()),
        ("cargo test --lib --tests", {ALPHA, BETA, GAMMA}),
        ("cargo test --no-run", set()),
        ("cargo test some_name", set()),
        ("cargo nextest run -E 'binary(alpha)'", {ALPHA}),
        ("cargo nextest archive --archive-file a.tar.zst", set()),
        ("cargo test -p other", set()),
        ("cargo build --tests", set()),
        ('for one in alpha beta_one; do cargo test --test "$one"; done', {ALPHA, BETA}),
    ],
)
def test_a_command_selects_test_files(command: str, selected: set[str]) -> None:
    found = selection(command)
    assert found.targets == {ALPHA, BETA, GAMMA}
    assert found.on_pull_request == selected
    assert found.left_out == tuple(sorted(found.targets - selected))


def test_coverage_and_other_events_are_told_apart() -> None:
    nightly = "on: {schedule: [{cron: '0 3 * * *'}]}\njobs: {a: {runs-on: x, steps: [{run: cargo test}]}}"
    found = selection(
        "cargo test --test alpha", "cargo llvm-cov --test beta_one", files={".github/workflows/nightly.yml": nightly}
    )
    assert (found.on_pull_request, found.under_coverage, found.elsewhere) == ({ALPHA}, {BETA}, {GAMMA})


# -- limits -----------------------------------------------------------------------------------------------------------


def test_limits_of_a_workflow() -> None:
    text = """
on: push
env: {MAX_LATENCY_MS: 50, JOBS: 4}
jobs:
  test:
    runs-on: x
    timeout-minutes: 20
    env: {RETRY_DELAY_MS: 5}
    steps:
      - name: Cover
        timeout-minutes: 5
        run: |
          timeout 2m cargo test
          cargo llvm-cov --fail-under-lines 80
      - {uses: a/b@v1, with: {alert-threshold: "150%", max_attempts: 3}}
  other: {runs-on: x, steps: [{run: x}]}
"""
    assert values(CI, text) == {
        "env MAX_LATENCY_MS": (50, True),
        "job test, timeout-minutes": (20, True),
        "job test, step “Cover”, timeout-minutes": (5, True),
        "job test, step “Cover”, timeout of “cargo test”, s": (120, True),
        "job test, step “Cover”, --fail-under-lines": (80, False),
        "job test, step “Run a/b@v1”, with alert-threshold": (150, True),
        "job test, step “Run a/b@v1”, with max_attempts": (3, True),
        "job other, timeout-minutes": (360, True),
    }


def test_limits_of_tests_and_of_their_settings() -> None:
    rust = """
const MAX_WRITE_MS: u64 = 1_500;
const TICK_MS: u64 = 10;
fn limits() -> Limits {
    Limits { rows: 3,
        min_ops_per_sec: 2_000.0,
    }
}
fn write_avg_ms() -> u64 {
    let base = if in_ci() { 20 } else { 10 };
    env("WRITE_AVG_MS", base)
}
fn is_quick() {
    assert!(began.elapsed() < Duration::from_millis(250), "slow");
    assert!(
        speedup >= 1.5,
        "no gain"
    );
    assert!(rows > 3);
}
"""
    assert values("tests/speed.rs", rust) == {
        "const MAX_WRITE_MS": (1500, True),
        "fn limits, min_ops_per_sec": (2000, False),
        "fn write_avg_ms, base": (20, True),
        "fn is_quick, assert began.elapsed() <": (0.25, True),
        "fn is_quick, assert speedup >": (1.5, False),
    }
    nextest = "[profile.ci]\nretries = 2\nslow-timeout = { period = '60s', terminate-after = 3 }"
    assert values(".config/nextest.toml", nextest) == {
        "profile ci, retries": (2, True),
        "profile ci, slow-timeout, s": (180, True),
    }
    assert values("py/pyproject.toml", "[tool.coverage.report]\nfail_under = 70") == {"fail_under": (70, False)}
    assert values("src/lib.rs", rust) == {}


def test_a_name_tells_the_direction_or_nothing_is_said() -> None:
    assert [direction(name) for name in ("TEST_TIMEOUT_SECS", "maxLatencyMs", "coverage_min")] == [True, True, False]
    assert [direction(name) for name in ("MAX_ROWS", "POLL_MS", "BATCH", "retry_delay_ms")] == [None] * 4


@given(st.text(max_size=200), st.sampled_from([CI, "tests/a.rs", ".config/nextest.toml", "justfile"]))
def test_no_text_is_refused(text: str, path: str) -> None:
    limits_of(path, text)


def job(timeout: str) -> str:
    return f"on: push\njobs: {{t: {{runs-on: x, {timeout}steps: [{{run: x}}]}}}}"


def test_a_limit_that_was_only_loosened() -> None:
    (found,) = series(job(""), job("timeout-minutes: 10, "), job("timeout-minutes: 20, "), job(""))
    assert (found.path, found.place, found.chains) == (CI, "job t, timeout-minutes", ((10, 20, 360),))
    assert found.is_only_loosened
    assert all(change.is_timeout for change in found.changes)


def test_a_limit_that_was_tightened_once() -> None:
    (found,) = series("--cov-fail-under=90", "--cov-fail-under=40", "--cov-fail-under=70", path="Makefile")
    assert [change.is_looser for change in found.changes] == [True, False]
    assert not found.is_only_loosened


def test_what_is_skipped_without_parsing_has_the_same_limits() -> None:
    assert not may_differ(CI, "  timeout-minutes: 5\n  uses: a/b@v1", "timeout-minutes: 5\n  uses: a/b@v2")
    assert may_differ(CI, job("timeout-minutes: 10, "), job(""))
    assert may_differ(CI, job("env: {MAX_MS: 5}, "), job("env: {MAX_MS: 6}, "))
    assert may_differ("tests/a.rs", "x <\n3", "x <\n4")


def test_merges_and_the_same_change_again_do_not_count() -> None:
    held = {"a": job("timeout-minutes: 5, "), "b": job("timeout-minutes: 9, ")}
    change = (CI, "a", "b")
    commits = [commit(1, change), commit(2, change), commit(3, (CI, "b", "a"), parents=("p", "q"))]
    (found,) = follow_limits(commits, held)
    assert [one.commit.sha for one in found.changes] == ["1"]


# -- bursts and claims ------------------------------------------------------------------------------------------------


def test_bursts_are_commits_within_an_hour_of_the_one_before() -> None:
    touch = (CI, "a", "b")
    times = (0, 50, 100, 159, 219, 400, 410)
    others = [commit(60, ("src/lib.rs", "a", "b")), commit(405, touch, parents=("p", "q"))]
    found = find_bursts([*others, *(commit(minutes, touch) for minutes in times)])
    assert ([[one.sha for one in burst] for burst in found.bursts], found.n, found.n_within) == (
        [["0", "50", "100", "159"]], 7, 4,
    )  # fmt: skip
    assert len(find_bursts([commit(0, touch), commit(5, touch)], options=BurstOptions(least=2)).bursts) == 1


@pytest.mark.parametrize(
    ("line", "ratio", "target_s"),
    [
        ("- CI time: 8-10 minutes → 2-3 minutes", 3 / 8, 180),
        ("reduce CI time from 6+ minutes to ~3 minutes", 0.5, 180),
        ("Compilation: 34.0s -> 0.34s", 0.01, 0.34),
        ("65% less build time", 0.35, None),
        ("cut the pipeline by 40%", 0.6, None),
        ("perf(ci): builds -30%", 0.7, None),
        ("tests 25-50% faster", 0.8, None),
        ("nextest for 3-5x faster test execution", 1 / 3, None),
        ("feat: sub-3-minute builds", None, 180),
        ("Test jobs run in <2 minutes", None, 120),
    ],
)
def test_what_a_line_claims(line: str, ratio: float | None, target_s: float | None) -> None:
    ((said, found, target),) = read_claims(f"subject\n\n{line}\n")
    assert said == line.removeprefix("- ")
    assert found == (None if ratio is None else pytest.approx(ratio))
    assert target == target_s


@pytest.mark.parametrize(
    "line",
    [
        "search is 14x faster",
        "build timeout: 15min → 25min",
        "coverage 90% of tests",
        "98% of tests pass",
        "test 3 of 4",
    ],
)
def test_what_claims_nothing_about_the_time_of_ci(line: str) -> None:
    assert list(read_claims(line)) == []


@given(st.text("0123456789.-–>→%xms <~toinfaster buildCI\n", max_size=120))
def test_no_message_is_refused(message: str) -> None:
    assert all((ratio is None or ratio > 0) for _, ratio, _ in read_claims(message))


def test_a_claim_stands_beside_the_time_outs_raised_after_it() -> None:
    held = {"a": job("timeout-minutes: 5, "), "b": job("timeout-minutes: 9, "), "c": job("timeout-minutes: 30, ")}
    commits = [
        commit(0, (CI, "", "a"), message="perf(ci): builds 40% faster"),
        commit(30, (CI, "a", "b"), message="fix\n\nperf(ci): builds 40% faster"),
        commit(60 * 72, (CI, "b", "c")),
    ]
    changes = [change for one in follow_limits(commits, held) for change in one.changes]
    (claim,) = find_claims(commits, changes)
    assert (claim.commit.sha, claim.workflows) == ("0", (CI,))
    assert [(raised.before, raised.after) for raised in claim.raised] == [(5, 9)]


# -- a whole history --------------------------------------------------------------------------------------------------


def test_the_history_of_a_clone(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "clone")
    for text in (job(""), job("timeout-minutes: 5, "), job("timeout-minutes: 9, ")):
        repository.write(**{CI: text, "Cargo.toml": '[package]\nname = "kv"', "tests/alpha.rs": ""})
        repository.commit("ci: builds 40% faster")
        repository.write(README=text)
        repository.commit("docs: more")
    heard = []
    past = read_past(repository.path)
    found = audit_history(past, rules=["job-without-timeout"], on_version=lambda done, n: heard.append((done, n)))
    assert heard == [(1, 3), (2, 3), (3, 3)]
    assert (found.n_commits, found.n_left_out, [one.n_jobs for one in found.versions]) == (6, 0, [1, 1, 1])
    assert [one.n_marks[Severity.LOW] for one in found.versions] == [1, 0, 0]
    assert found.versions[0].legs["push"].n == 1
    assert not found.versions[0].is_by_bot
    assert found.versions[-1].selection.left_out == ("tests/alpha.rs",)
    (fault,) = found.faults
    assert (fault.spans[0].came, fault.spans[0].went) == (found.versions[0].commit, found.versions[1].commit)
    assert [one.chains for one in found.limits] == [((5, 9),)]
    assert (len(found.claims), found.claims[0].raised, found.bursts.n) == (1, (), 3)
    newest = audit_history(past, rules=[], options=HistoryOptions(most_versions=1, since=past.commits[2].at))
    assert (len(newest.versions), newest.n_left_out, newest.n_commits) == (1, 1, 4)


def test_the_command_tells_it_as_text_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = Repository(tmp_path / "clone")
    for text in (job("timeout-minutes: 5, "), job(""), job("timeout-minutes: 9, "), job("")):
        repository.write(**{CI: text})
        repository.commit("ci: builds 40% faster, see @octocat\x1b[31m")
    words = ["audit", str(repository.path), "--history", "--rule", "job-without-timeout"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "4 versions of clone, 2026-01-01 to 2026-01-04" in told
    assert "1 finding over time: 1 still there, 0 gone, 1 came back" in told
    assert "2 changes of 1 limit: 2 looser, 0 stricter; 1 only ever loosened, 1 of them more than once" in told
    assert '"-29%"' in told
    assert "\x1b" not in told
    assert main([*words, "--format", "json", "--since", "2d", "--base", "develop"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["base"], found["n_commits"], [one["legs"]["push"]["n"] for one in found["versions"]]) == (
        "develop", 3, [1, 1, 1],
    )  # fmt: skip
    assert [len(fault["spans"]) for fault in found["faults"]] == [2]


@pytest.mark.parametrize(
    "words",
    [["--history", "--fix"], ["--history", "--format", "sarif"], ["--since", "30d"], ["--history", "--since", "never"]],
)
def test_options_that_do_not_meet_are_bad_input(words: list[str], tmp_path: Path) -> None:
    repository = Repository(tmp_path / "clone")
    repository.commit()
    assert main(["audit", str(repository.path), *words]) == 2


def test_a_claim_is_measured_by_the_runs_held() -> None:
    history = held_history(Path(SAMPLE), "", "", is_sample=True)
    runs = history["runs"]
    ours = runs[(runs["workflow"] == CI) & (runs["branch"] == history.default_branch) & (runs["event"] == "push")]
    sha = str(ours.sort_values("started_at")["head_sha"].iloc[len(ours) // 2])
    made = replace(commit(0), sha=sha)
    (judged,) = measure_claim(Claimed(made, "10x faster", 0.1, None, (CI,)), history)
    assert judged.answer == "contradicted"
    assert judged.said.startswith("ci.yml: contradicted, ")
    assert judged.low > 0.1
    (told,) = measure_claim(Claimed(made, "in 3 min", None, 180, (CI,)), history)
    assert (told.answer, told.n_after, told.to_json()["low"]) == ("", judged.n_after, None)
    unknown = Claimed(replace(made, sha="f" * 40), "10x faster", 0.1, None, (CI,))
    (missed,) = measure_claim(unknown, history)
    assert missed.said.startswith("ci.yml: not measured, ")
