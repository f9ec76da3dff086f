"""Why a job failed: the lines that tell, and no others; the cause; what only seems to fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.logs import explain
from kotaci.logs.causes import UNDECIDED
from kotaci.logs.failure import Explanation
from tests.builders import LAST, SEEDED, checkout, job_log, saved_by_gh, script, set_up

TYPE_ERROR = (
    "   Compiling kvstore v0.1.0 (/home/runner/work/kvstore/kvstore)",
    "error[E0308]: mismatched types",
    "  --> src/table.rs:41:9",
    "   |",
    '41 |         "seven"',
    "   |         ^^^^^^^ expected `u64`, found `&str`",
    "",
    "error: could not compile `kvstore` (lib) due to 1 previous error",
)
PANIC = (
    "running 3 tests",
    "test table::tests::get_returns_the_value ... ok",
    "test table::tests::scan_of_one_key_finds_it ... FAILED",
    "test wal::tests::expected_error_is_reported ... ok",
    "",
    "failures:",
    "",
    "---- table::tests::scan_of_one_key_finds_it stdout ----",
    "",
    "thread 'table::tests::scan_of_one_key_finds_it' (2210) panicked at src/table.rs:88:9:",
    "assertion `left == right` failed: one key is found",
    "  left: 0",
    " right: 1",
    "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
    "",
    "",
    "failures:",
    "    table::tests::scan_of_one_key_finds_it",
    "",
    "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
    "",
    "error: test failed, to rerun pass `-p kvstore --lib`",
)
NOISE = tuple(f"   Compiling crate{n} v1.{n}.0" for n in range(80))


def log_of(*output: str, exit_code: int = 101, after: tuple[str, ...] = (), command: str = "cargo test") -> str:
    """Return the log of a job whose one script printed these lines and failed; `after` is a later step's output."""
    steps = [set_up(), checkout(), script(3, command, *output, exit_code=exit_code)]
    return job_log([*steps, *([script(4, "cat server.log", *after)] if after else []), LAST])


def texts(found: Explanation) -> list[str]:
    return [line.text for line in found.excerpt]


def test_a_compilers_error_with_its_place_and_not_the_build_before_it() -> None:
    found = explain(log_of(*NOISE, *TYPE_ERROR))
    assert texts(found)[: len(TYPE_ERROR) - 2] == [line for line in TYPE_ERROR[1:] if line][: len(TYPE_ERROR) - 2]
    assert not any("crate7" in text for text in texts(found))
    assert found.headline == "error[E0308]: mismatched types (src/table.rs:41:9)"
    assert (found.cause, found.exit_code, found.step) == ("compile", 101, "Run cargo test")


def test_numbers_are_those_of_the_text_as_given() -> None:
    log = log_of(*NOISE, *TYPE_ERROR)
    rows = log.split("\n")
    assert all(line.text in rows[line.number - 1] for line in explain(log).excerpt)


def test_a_failed_test_by_its_name_with_message_and_place() -> None:
    found = explain(log_of(*PANIC))
    (test,) = found.tests
    assert found.failed_tests == ("table::tests::scan_of_one_key_finds_it",)
    assert test.location == "src/table.rs:88:9"
    assert test.message == "assertion `left == right` failed: one key is found"
    assert found.headline == f"{test.test}: {test.message}"
    assert "  left: 0" in texts(found)
    assert found.cause == "test-assertion"


def test_the_scripts_echo_says_nothing() -> None:
    found = explain(log_of("all is well but one", exit_code=1, command="exit 1 # error: never say never FAILED"))
    assert not any("never say never" in text for text in texts(found))


def test_a_later_step_does_not_explain_what_was_there_before() -> None:
    after = ("fatal: the server is gone", "error: could not read server.log", "thread 'x' panicked at src/x.rs:1:1:")
    found = explain(log_of(*TYPE_ERROR, after=after))
    assert not set(after) & set(texts(found))
    assert found.cause == "compile"


def test_an_earlier_steps_noise_is_no_reason() -> None:
    noisy = script(2, "apt-get install protobuf", "E: error reading the cache", "fatal: no such ref", exit_code=0)
    log = job_log([set_up(), noisy, script(3, "cargo test", *TYPE_ERROR, exit_code=101), LAST])
    assert "fatal: no such ref" not in texts(explain(log))


GREEN = log_of("ERROR refused, as this test expects", "test result: ok. 3 passed; 0 failed", exit_code=0)


def test_with_a_green_log_the_news_goes_first() -> None:
    log = log_of("ERROR refused, as this test expects", "the flux is misaligned", "  by 7 arcs", exit_code=1)
    assert "ERROR refused, as this test expects" in texts(explain(log))
    found = explain(log, last_green=GREEN)
    assert found.has_green
    assert "the flux is misaligned" in texts(found)
    assert found.headline != "ERROR refused, as this test expects"


def test_a_step_that_was_cut_off_tells_what_ran() -> None:
    cut = ("##[group]Run cargo llvm-cov", "##[endgroup]", "test a ... ok", "##[error]The operation was canceled.")
    last = (9, "Complete job", ("Cleaning up orphan processes", "Terminate orphan process: pid (7) (cargo)"))
    found = explain(job_log([set_up(), (3, "Run cargo llvm-cov", cut), last]))
    assert texts(found) == ["Run cargo llvm-cov", "test a ... ok", "The operation was canceled.", last[2][1]]
    assert found.cause in {"cancelled", UNDECIDED}


def test_what_gh_saved_is_read_like_the_jobs_own_log() -> None:
    steps = [set_up(), checkout(), script(3, "cargo test", *TYPE_ERROR, exit_code=101), LAST]
    saved, own = explain(saved_by_gh({"test": steps})), explain(job_log(steps))
    assert (saved.lines, saved.cause, texts(saved)) == (own.lines, own.cause, texts(own))


def test_a_log_that_says_nothing_is_undecided() -> None:
    found = explain(log_of("working", exit_code=1))
    assert (found.cause, found.confidence) == (UNDECIDED, 0.0)


def test_an_empty_log() -> None:
    assert explain("") == Explanation((), "", UNDECIDED, 0.0, (), None, "", has_green=False)


def test_many_alike_are_shown_as_heads() -> None:
    errors = [
        line for n in range(30) for line in (f"error[E0425]: cannot find value `x{n}`", f" --> src/a.rs:{n}:1", "")
    ]
    found = explain(log_of(*errors))
    assert len(found.lines) < 25


@pytest.mark.parametrize("max_lines", [1, 5, 20])
def test_no_more_lines_than_asked_for(max_lines: int) -> None:
    assert 1 <= len(explain(log_of(*PANIC, *TYPE_ERROR), max_lines=max_lines).lines) <= max_lines


LINES = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [*TYPE_ERROR, *PANIC, "##[error]x", "##[group]Run a", "##[endgroup]", "Traceback (most recent call last):"]
    ),
)


@SEEDED
@given(st.lists(LINES, max_size=60), st.lists(LINES, max_size=20), st.integers(1, 30))
def test_whatever_a_log_holds(lines: list[str], green: list[str], max_lines: int) -> None:
    log = "\n".join(lines)
    found = explain(log, last_green="\n".join(green), max_lines=max_lines)
    assert list(found.lines) == sorted(set(found.lines))
    assert len(found.lines) <= max_lines
    assert all(1 <= number <= len(log.split("\n")) for number in found.lines)
    assert 0 <= found.confidence <= 1


@SEEDED
@given(st.integers(0, 40))
def test_what_comes_after_the_failing_step_changes_nothing(n: int) -> None:
    steps = [set_up(), script(3, "cargo test", *PANIC, exit_code=101)]
    after = [script(4 + at, f"echo {at}", "error: late", "FAILED") for at in range(n)]
    assert explain(job_log([*steps, *after, LAST])).lines == explain(job_log([*steps, LAST])).lines


def test_the_same_failure_has_the_same_signature_in_another_run() -> None:
    again = [line.replace("(2210)", "(981)").replace("0.01s", "0.07s") for line in PANIC]
    assert explain(log_of(*PANIC)).signature == explain(log_of(*NOISE, *again)).signature != ""


def test_a_log_that_only_says_that_it_ended_has_no_signature() -> None:
    assert explain(log_of("working", exit_code=1)).signature == ""


def test_what_an_earlier_step_got_over_tells_no_cause() -> None:
    noisy = script(2, "apt-get update", "W: Failed to fetch http://a.example: Temporary failure resolving 'a.example'")
    found = explain(job_log([set_up(), noisy, script(3, "./check.sh", "the shelf is a mess", exit_code=1), LAST]))
    assert found.cause == UNDECIDED
    assert texts(found) == ["the shelf is a mess", "Process completed with exit code 1."]


def unittest_error(name: str, error: str) -> tuple[str, ...]:
    trace = ("Traceback (most recent call last):", f'  File "t.py", line 7, in {name}', "    self.put()", error)
    return ("=" * 70, f"ERROR: {name} (t.ShelfTest.{name})", "-" * 70, *trace, "")


@pytest.mark.parametrize(("n_refused", "cause"), [(1, "test-assertion"), (2, "test-assertion"), (3, "network")])
def test_one_of_several_failed_tests_does_not_tell_the_cause_of_all(n_refused: int, cause: str) -> None:
    errors = ["ConnectionRefusedError: [Errno 111] Connection refused"] * n_refused + ["ValueError: empty"] * 2
    told = [line for n, error in enumerate(errors) for line in unittest_error(f"test_{'abcde'[n]}", error)]
    found = explain(log_of(*told, f"FAILED (errors={len(errors)})", exit_code=1))
    assert (len(found.failed_tests), found.cause) == (len(errors), cause)


def test_an_expected_error_of_a_passing_test_does_not_explain_another_that_failed() -> None:
    expected = ("java.lang.IllegalStateException: as this test expects", "\tat com.example.Shelf.put(Shelf.java:3)")
    found = explain(log_of(*expected, *PANIC))
    assert found.cause == "test-assertion"
    assert expected[0] not in texts(found)


def test_the_headline_is_the_head_of_a_diagnostic_and_not_its_note() -> None:
    lint = (
        "error: unneeded `return` statement",
        "  --> src/shelf.rs:4:5",
        "   |",
        "4  |     loop {}",
        "   |     ^^^^^^^",
        "   |",
        "   = help: for further information visit https://rust-lang.github.io/rust-clippy/master/index.html#empty_loop",
        "   = note: `-D clippy::empty-loop` implied by `-D warnings`",
    )
    found = explain(log_of(*lint, command="cargo clippy"))
    assert (found.headline, found.cause) == ("error: unneeded `return` statement (src/shelf.rs:4:5)", "lint")


def test_the_headline_is_what_a_shell_said_and_not_its_exit_code() -> None:
    found = explain(log_of("line 1: shelfctl: command not found", exit_code=127))
    assert found.headline == "line 1: shelfctl: command not found"


def test_a_step_that_was_allowed_to_fail_does_not_hide_the_next() -> None:
    allowed = script(2, "cargo outdated", "error: 3 crates are old", exit_code=1)
    found = explain(job_log([set_up(), allowed, script(3, "cargo test", *TYPE_ERROR, exit_code=101), LAST]))
    assert {"error: 3 crates are old", "error[E0308]: mismatched types"} <= set(texts(found))


def test_every_error_that_a_check_marks_and_not_only_its_first() -> None:
    marked = ("##[error]src/shelf.go:4:2: unchecked error", "##[error]src/book.go:9:1: unused", "##[error]issues found")
    found = explain(job_log([set_up(), (3, "Run lint", ("##[group]Run lint", "##[endgroup]", *marked)), LAST]))
    assert [f"##[error]{text}" for text in texts(found)] == list(marked)


@pytest.mark.parametrize(
    ("announced", "told"),
    [
        ("  error: subprocess-exited-with-error", "error: the interpreter is older than what is supported"),
        ("[ERROR] COMPILATION ERROR :", "[ERROR] /src/Shelf.java:[14,3] cannot find symbol"),
        (
            "npm error code EUSAGE",
            "npm error `npm ci` can only install packages when package.json and lock are in sync.",
        ),
        (
            "error: linking with `cc` failed: exit status: 1",
            "  = note: rust-lld: error: undefined symbol: shelf_open",
        ),
        ("error during build:", 'Error: Could not resolve "./shelff" from "src/main.ts"'),
    ],
)
def test_the_headline_is_the_reason_and_not_its_announcement(announced: str, told: str) -> None:
    found = explain(log_of("work", announced, told, exit_code=1))
    assert found.headline == told.removeprefix("  = note: ")
    assert announced in texts(found)


def test_a_race_beside_the_test_that_it_failed() -> None:
    race = ("WARNING: DATA RACE", "Write at 0x00c0 by goroutine 8:", "  example.com/shelf.Put()")
    test = ("--- FAIL: TestPut (0.01s)", "    testing.go:1398: race detected during execution of test", "FAIL")
    found = explain(log_of("==================", *race, "==================", *test, exit_code=1))
    assert set(race[:2]) <= set(texts(found))
    assert (found.failed_tests, found.cause) == (("TestPut",), "race-condition")


def test_how_a_tool_is_used_is_no_reason() -> None:
    usage = ("npm error Usage:", "npm error npm ci", "npm error   --omit", "npm error     Dependency types to omit.")
    found = explain(log_of("npm error `npm ci` can only install packages when in sync.", *usage, exit_code=1))
    assert not set(usage) & set(texts(found))


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (
            ("Checking formatting...", "[warn] src/shelf.ts", "[warn] Code style issues found in the above file."),
            "format",
        ),
        (("WARNING: DATA RACE", "Write at 0x00c0 by goroutine 8:", "  example.com/shelf.Put()"), "race-condition"),
    ],
)
def test_what_fails_a_check_though_it_reads_like_a_warning(lines: tuple[str, ...], cause: str) -> None:
    found = explain(log_of(*lines, exit_code=1))
    assert found.cause == cause
    assert lines[1] in texts(found)


@pytest.mark.parametrize("n", [0, 300, 3000])
def test_the_headline_is_the_first_of_many_alike_however_long_the_log(n: int) -> None:
    errors = [line for at in range(20) for line in (f"src/shelf.c:{at}:3: error: 'n' undeclared", "")]
    assert (
        explain(log_of(*errors[:2], *NOISE[:1] * n, *errors[2:])).headline == "src/shelf.c:0:3: error: 'n' undeclared"
    )


def test_a_log_that_breaks_off_is_explained_by_its_last_step() -> None:
    steps = [set_up(), script(2, "npm install", "npm ERR! 3 high severity vulnerabilities", exit_code=0)]
    cut = (3, "Run make", ("##[group]Run make", "##[endgroup]", "ld: symbol(s) not found for architecture arm64"))
    found = explain(job_log([*steps, cut]))
    assert (found.headline, found.cause) == ("ld: symbol(s) not found for architecture arm64", "link")
    assert "npm ERR! 3 high severity vulnerabilities" not in texts(found)
