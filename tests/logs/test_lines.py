"""GitHub's log format in its shapes: what is a line, a marker, an echo, a part, an error in place of a log."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.logs.lines import (
    STAMP,
    Line,
    Span,
    decode,
    first_stamp,
    last_stamp,
    parse_lines,
    parse_spans,
    saved_error,
    split_lines,
    without_colours,
)
from tests.builders import BOM, LAST, SEEDED, checkout, job_log, script, set_up, stamped, unstamped

NINE = "2026-03-02T09:00:00.0000000Z"


def texts(text: str) -> list[str]:
    return [line.text for line in parse_lines(text)]


# -- bytes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_becomes_utf_8(encoding: str) -> None:
    mark = codecs.BOM_UTF16_LE if encoding == "utf-16-le" else codecs.BOM_UTF16_BE
    assert decode(mark + "größe 🦀\r\n".encode(encoding)) == "größe 🦀\r\n".encode()


@pytest.mark.parametrize("body", [b"", b"plain\n", b"\xef\xbb\xbfwith BOM", b"caf\xe9", b"\xff"])
def test_everything_else_stays_as_it_is(body: bytes) -> None:
    assert decode(body) == body


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"message":"Not Found","documentation_url":"https://docs","status":"404"}', "Not Found (404)"),
        (b'\xef\xbb\xbf {"message": "Gone", "status": 410}', "Gone (410)"),
        (b'{"message": "Server Error", "documentation_url": "https://docs"}', "Server Error (no status)"),
        (b"<!DOCTYPE html><html><body>Unicorn!</body></html>", "an HTML page"),
        (b"\n<html lang='en'>", "an HTML page"),
        (b'<?xml version="1.0" encoding="utf-8"?><Error><Code>BlobNotFound</Code>', "an XML error of the log host"),
    ],
)
def test_an_error_that_was_saved_in_place_of_a_log_is_seen(body: bytes, message: str) -> None:
    assert saved_error(body) == message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"message": "hello"}',
        b'{"status": "404"}',
        b'{"level":"info","message":"starting","status":"up"}\n{"level":"info"}\n',
        b'["message", "status"]',
        b'{"a":' * 100_000,
        b"<testsuites><testsuite/></testsuites>",
        b'<?xml version="1.0"?><testsuite/>',
        f"{NINE} <html>".encode(),
        b"{ cargo test; }\n" + stamped(["{", "}"]).encode(),
    ],
    ids=lambda body: repr(body[:30]),
)
def test_a_log_that_looks_a_little_like_one_is_none(body: bytes) -> None:
    assert saved_error(body) == ""


@SEEDED
@given(st.binary(max_size=300))
def test_any_bytes_can_be_looked_at(body: bytes) -> None:
    decode(body).decode("utf-8", "replace")
    assert isinstance(saved_error(body), str)


# -- lines ----------------------------------------------------------------------------------------------------


def test_a_line_has_a_number_a_time_stamp_a_text_and_perhaps_a_marker() -> None:
    assert list(parse_lines(BOM + stamped(["hello", "##[warning]slow", ""]))) == [
        Line(1, NINE, "hello"),
        Line(2, NINE.replace(":00.", ":01."), "slow", "warning"),
        Line(3, NINE.replace(":00.", ":02."), ""),
    ]


def test_crlf_bom_and_colours_make_no_difference() -> None:
    plain = stamped(["error[E0308]: mismatched types", "##[error]Process completed with exit code 101."])
    coloured = plain.replace("error[E0308]", "\x1b[1m\x1b[91merror[E0308]\x1b[0m").replace("\n", "\r\n")
    assert list(parse_lines(BOM + coloured)) == list(parse_lines(plain))


@pytest.mark.parametrize("mark", [BOM, "´╗┐"], ids=["BOM", "BOM as code page 850 has it"])
def test_a_bom_amid_the_lines_is_no_text(mark: str) -> None:
    text = stamped(["one"]) + mark + stamped(["two"])
    assert [(line.at, line.text) for line in parse_lines(text)] == [(NINE, "one"), (NINE, "two")]


def test_a_line_without_a_time_stamp_is_kept_and_counted() -> None:
    text = stamped(["  run: first", unstamped("second"), "third"])
    assert [(line.number, line.at == "", line.text) for line in parse_lines(text)] == [
        (1, False, "  run: first"),
        (2, True, "second"),
        (3, False, "third"),
    ]


@pytest.mark.parametrize(
    "stamp",
    [
        "2026-02-30T00:00:00.0000000Z",
        "2025-02-29T00:00:00.0000000Z",
        "2026-13-01T00:00:00.0000000Z",
        "2026-04-31T00:00:00.0000000Z",
        "2026-04-01T24:00:00.0000000Z",
        "2026-04-01T00:60:00.0000000Z",
        "2026-04-01T00:00:00.000Z",
    ],
)
def test_a_date_that_does_not_exist_is_text(stamp: str) -> None:
    assert list(parse_lines(f"{stamp} x\n")) == [Line(1, "", f"{stamp} x")]
    assert (first_stamp(f"{stamp} x\n"), last_stamp(f"{stamp} x\n")) == ("", "")


@pytest.mark.parametrize("day", ["2024-02-29", "2000-02-29", "2026-02-28", "2026-01-31", "2026-12-30", "2027-11-30"])
def test_a_day_that_exists_is_a_date(day: str) -> None:
    assert first_stamp(f"{day}T23:59:59.9999999Z x") == f"{day}T23:59:59.9999999Z"


def test_only_the_runners_print_of_a_script_is_echo() -> None:
    _, _, lines = script(2, "make fail", "make: *** no rule", exit_code=2)
    text = stamped([*lines, "##[group]Runner Image", "Image: ubuntu-24.04", "##[endgroup]", "after"])
    assert [line.text for line in parse_lines(text) if line.is_echo] == [
        "Run make fail",
        "make fail",
        "shell: /usr/bin/bash -e {0}",
        "",
    ]


@pytest.mark.parametrize(
    ("line", "mark", "text"),
    [
        ("##[group]Run cargo test", "group", "Run cargo test"),
        ("##[start-action display=Run make;id=setup.__run_9]", "start-action", ""),
        ("##[error]no", "error", "no"),
        (" ##[error]no", "", " ##[error]no"),
        ("##[]no", "", "##[]no"),
        ("##[Error]no", "", "##[Error]no"),
        ("[command]/usr/bin/git version", "", "[command]/usr/bin/git version"),
    ],
)
def test_a_marker_stands_at_the_start_of_a_line(line: str, mark: str, text: str) -> None:
    (parsed,) = parse_lines(stamped([line]))
    assert (parsed.mark, parsed.text) == (mark, text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\x1b[1m\x1b[91merror\x1b[0m: no", "error: no"),
        ("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x07", "link"),
        ("\x1b[2K\x1b[1Gdone", "done"),
        ("nothing", "nothing"),
        ("\x1b", "\x1b"),
    ],
)
def test_colours_links_and_cursor_moves_go(text: str, plain: str) -> None:
    assert without_colours(text) == plain


def test_other_kinds_of_line_ends_do_not_end_a_line() -> None:
    assert split_lines("a\x0cb\x85c\u2028d\re\nf") == ["a\x0cb\x85c\u2028d\re", "f"]


LOG_TEXT = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.sampled_from(
            [NINE, f"{NINE} ", BOM, "\n", "\r\n", "##[group]Run ", "##[endgroup]", "##[error]", "\x1b[36;1m"]
        ),
    ),
    max_size=20,
).map("".join)


@SEEDED
@given(LOG_TEXT)
def test_no_line_is_ever_lost_and_numbers_are_those_of_an_editor(text: str) -> None:
    lines = list(parse_lines(text))
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert len(lines) == text.count("\n") + (not text.endswith("\n") and text != "")
    assert all(line.at == "" or STAMP.fullmatch(line.at) for line in lines)


# -- time -----------------------------------------------------------------------------------------------------


def test_the_first_and_last_time_stamps_are_those_that_begin_a_line() -> None:
    decoy = "it was 1999-01-01T00:00:00.0000000Z or 2030-01-01T00:00:00.0000000Z"
    text = f"{BOM}{decoy}\n" + stamped([decoy, decoy]) + f"{decoy}\n"
    assert (first_stamp(text), last_stamp(text)) == (NINE, NINE.replace(":00.", ":01."))


@pytest.mark.parametrize("text", ["", "\n", "no stamp", "no stamp\n\n"])
def test_a_text_without_time_stamps_has_neither(text: str) -> None:
    assert (first_stamp(text), last_stamp(text)) == ("", "")


# -- parts ----------------------------------------------------------------------------------------------------


def test_parts_begin_at_every_run_group_and_at_post_steps() -> None:
    steps = [
        set_up(),
        checkout(),
        script(3, "cargo test", "ok"),
        (8, "Post checkout", ("Post job cleanup.", "[command]/usr/bin/git version")),
        LAST,
    ]
    spans = parse_spans(job_log(steps))
    assert [span.name for span in spans] == [
        "Set up job",
        "Run actions/checkout@v6",
        "Run cargo test",
        "Post job cleanup",
        "Complete job",
    ]
    assert [span.last_line - span.first_line + 1 for span in spans] == [len(lines) for _, _, lines in steps]


def test_words_that_only_mention_a_start_begin_no_part() -> None:
    text = stamped(["Run this", "see ##[group]Run x", "then Post job cleanup.", "no Cleaning up orphan processes"])
    assert parse_spans(text) == [Span("Set up job", 1, 4)]
    assert parse_spans("") == []


@SEEDED
@given(LOG_TEXT)
def test_parts_cover_every_line_once(text: str) -> None:
    covered = [number for span in parse_spans(text) for number in range(span.first_line, span.last_line + 1)]
    assert covered == list(range(1, len(split_lines(text)) + 1))


# -- size -----------------------------------------------------------------------------------------------------


def test_a_line_of_three_hundred_kilobytes_is_one_line() -> None:
    assert texts(stamped(["x" * 300_000, "after"])) == ["x" * 300_000, "after"]


@pytest.mark.parametrize(
    "piece", ["\x1b[", "\x1b]", "\x1b[0", "##[", "##[group", NINE, "Run ", "\ufeff", "20", "\r"], ids=repr
)
def test_a_hostile_line_of_two_megabytes_is_read_in_one_go(piece: str) -> None:
    # Whatever tries every start to the end of the line takes hours here.
    text = f"{NINE} " + piece * (2_000_000 // len(piece))
    assert len(list(parse_lines(text))) == len(parse_spans(text)) == 1
    assert (first_stamp(text), last_stamp(text)) == (NINE, NINE)
