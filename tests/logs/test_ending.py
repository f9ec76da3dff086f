"""How a job ended, told by its log alone, and the lines shown for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.logs.ending import Ending, parse_ending, span_of
from kotaci.logs.lines import Span
from kotaci.model import Outcome
from tests.builders import (
    BOM,
    LAST,
    SEEDED,
    Step,
    failed,
    job_log,
    passed,
    script,
    set_up,
    stamped,
)

CANCELLED = "##[error]The operation was canceled."


def ending(*lines: str) -> Ending:
    """Return the ending of a job whose one step printed these lines."""
    step: Step = (2, "Run x", ("##[group]Run x", "##[endgroup]", *lines))
    return parse_ending(job_log([set_up(), step, LAST]))


def number_of(text: str, wanted: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), start=1) if line.endswith(wanted))


# -- endings --------------------------------------------------------------------------------------------------


def test_a_log_that_reaches_its_end_without_an_error_is_a_success() -> None:
    assert parse_ending(job_log(passed())) == Ending(Outcome.SUCCESS)


def test_an_exit_code_is_a_failure_with_its_line() -> None:
    text = job_log(failed())
    error = "Process completed with exit code 101."
    assert parse_ending(text) == Ending(Outcome.FAILURE, 101, error, number_of(text, error))


def test_a_negative_exit_code_is_one_too() -> None:
    assert ending("##[error]Process completed with exit code -1073741819.").exit_code == -1073741819


def test_a_number_that_no_process_can_return_is_no_exit_code() -> None:
    assert ending(f"##[error]Process completed with exit code {'9' * 30}.").exit_code is None


@pytest.mark.parametrize("after", ["Post job cleanup.", "##[group]Run cat log.txt"])
def test_steps_after_the_failed_one_do_not_hide_it(after: str) -> None:
    told = ending("##[error]Process completed with exit code 2.", after, *["and more"] * 500)
    assert (told.outcome, told.exit_code) == (Outcome.FAILURE, 2)


def test_a_cancelled_operation_alone_is_a_cancellation() -> None:
    assert ending(CANCELLED).outcome == "cancelled"


def test_a_process_that_failed_before_the_cancellation_is_a_failure() -> None:
    told = ending("##[error]Process completed with exit code 1.", CANCELLED)
    assert (told.outcome, told.exit_code) == (Outcome.FAILURE, 1)


def test_a_runner_that_was_shut_down_is_a_failure() -> None:
    told = ending("##[error]The runner has received a shutdown signal. This can happen when it is deleted.", CANCELLED)
    assert (told.outcome, told.exit_code) == (Outcome.FAILURE, None)
    assert told.error.startswith("The runner has received")


@pytest.mark.parametrize(
    "error", ["The action 'Run x' has timed out after 10 minutes.", "Unable to resolve action owner/gone, not found"]
)
def test_an_error_that_ends_its_step_is_a_failure_without_an_exit_code(error: str) -> None:
    told = ending(f"##[error]{error}")
    assert (told.outcome, told.exit_code, told.error) == (Outcome.FAILURE, None, error)


@pytest.mark.parametrize(
    "follower",
    ["##[group]Run y", "Post job cleanup.", "##[warning]and so on", "Node 20 is being deprecated. This workflow is"],
)
def test_what_follows_the_end_of_a_step(follower: str) -> None:
    assert ending("##[error]bad spelling", follower, "more").outcome == "failure"


def test_an_error_that_its_step_outlived_is_none() -> None:
    told = ending("##[error]WARNING: You are using an old version", "Successfully installed", "done")
    assert told == Ending(Outcome.SUCCESS)


def test_an_error_without_a_time_stamp_after_it_ends_the_log_and_the_step() -> None:
    assert parse_ending(stamped(["##[error]no runner"])).outcome == "failure"
    assert parse_ending(stamped(["##[error]no runner"]).rstrip("\n")).outcome == "failure"


def test_a_log_that_breaks_off_is_unknown() -> None:
    broken_off = job_log(passed()).rpartition("test result")[0]
    assert parse_ending(broken_off) == Ending(Outcome.UNKNOWN)
    assert parse_ending("") == Ending(Outcome.UNKNOWN)


def test_the_failed_step_alone_as_gh_saves_it_is_a_failure() -> None:
    _, _, lines = script(3, "cargo test", "error: test failed", exit_code=101)
    told = parse_ending(stamped(lines))
    assert (told.outcome, told.exit_code, told.error_line) == (Outcome.FAILURE, 101, len(lines))


@pytest.mark.parametrize(
    "line",
    [
        '\x1b[36;1mecho "##[error]Process completed with exit code 1."\x1b[0m',
        "\x1b[36;1m##[error]Process completed with exit code 1.\x1b[0m",
        "the log said: ##[error]Process completed with exit code 1.",
        f"log: {stamped(['##[error]Process completed with exit code 1.']).strip()}",
        " ##[error]Process completed with exit code 1.",
    ],
    ids=["echoed command", "echoed line", "quoted", "quoted with its time stamp", "indented"],
)
def test_an_error_that_is_only_quoted_is_none(line: str) -> None:
    assert ending(line, "fine") == Ending(Outcome.SUCCESS)


def test_bom_crlf_and_colours_make_no_difference() -> None:
    plain = stamped(["##[error]Process completed with exit code 1."])
    for text in (BOM + plain, plain.replace("\n", "\r\n"), plain.replace("Process", "\x1b[31mProcess")):
        assert parse_ending(text) == parse_ending(plain)
    assert parse_ending(plain).error_line == 1


def test_a_log_without_any_time_stamps_is_read_too() -> None:
    text = "##[group]Run x\nx\n##[endgroup]\nboom\n##[error]Process completed with exit code 8.\n"
    assert parse_ending(text) == Ending(Outcome.FAILURE, 8, "Process completed with exit code 8.", 5)


def test_a_long_error_is_cut() -> None:
    assert len(ending("##[error]" + "x" * 300_000).error) == 4_000


@pytest.mark.parametrize("piece", ["##[error]", "##[error]\x1b[", "##[error]Process completed with exit code "])
def test_a_hostile_line_of_two_megabytes_is_read_in_one_go(piece: str) -> None:
    line = piece * (2_000_000 // len(piece))
    assert parse_ending(stamped([line])).outcome == "failure"
    assert parse_ending(stamped([f"quoted: {line}"])).outcome == "unknown"


def test_many_errors_are_read_in_one_go() -> None:
    text = stamped(["##[error]a spelling", "and where"] * 20_000)
    assert parse_ending(text) == Ending(Outcome.UNKNOWN)


@SEEDED
@given(
    st.lists(
        st.one_of(
            st.text(max_size=20), st.sampled_from(["##[error]", "\n", CANCELLED, "exit code 1.", "##[group]Run "])
        ),
        max_size=20,
    ).map("".join)
)
def test_every_text_has_an_ending_and_its_line_has_the_mark(text: str) -> None:
    told = parse_ending(text)
    assert (told.error_line is None) == (told.outcome in {Outcome.SUCCESS, Outcome.UNKNOWN})
    if told.error_line is not None:
        assert "##[error]" in text.split("\n")[told.error_line - 1]


def test_a_line_outside_every_part_has_none() -> None:
    spans = [Span("a", 1, 2), Span("b", 5, 6)]
    assert [span_of(line, spans) for line in (1, 2, 3, 5)] == [spans[0], spans[0], None, spans[1]]


def test_exit_codes_of_later_steps_are_told_apart_from_the_first() -> None:
    ending = parse_ending(
        "##[error]Process completed with exit code 1.\nb\n##[error]Process completed with exit code 2."
    )
    assert (ending.exit_code, ending.error_line, ending.later) == (1, 1, (3,))
