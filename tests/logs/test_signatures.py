"""The same failure has one signature wherever and whenever it happened, and no two failures share one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.logs import signature
from kotaci.logs.signatures import MAX_NORMAL_CHARS, Kind, normal_form, read_kinds
from tests.builders import SEEDED

KINDS = read_kinds().kinds
SAME = [(kind.id, *pair) for kind in KINDS for pair in kind.same]
DIFFERENT = [(kind.id, *pair) for kind in KINDS for pair in kind.different]


@pytest.mark.parametrize(("kind", "one", "other"), SAME)
def test_what_measures_does_not_matter(kind: str, one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)
    assert signature(one) == signature(other)


@pytest.mark.parametrize(("kind", "one", "other"), DIFFERENT)
def test_what_names_does(kind: str, one: str, other: str) -> None:
    assert signature(one) != signature(other)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_every_kind_has_a_reason_and_examples(kind: Kind) -> None:
    assert kind.why
    assert kind.same if kind.replacement is not None else kind.different


def test_kinds_have_ids_of_their_own() -> None:
    assert len({kind.id for kind in KINDS}) == len(KINDS)


def test_a_signature_tells_the_version_of_its_table() -> None:
    assert re.fullmatch(rf"s{read_kinds().version}-[0-9a-f]{{12}}", signature("No space left on device"))


@pytest.mark.parametrize(
    "other",
    [
        "error: test `reads` failed\n  expected a row",
        "##[error]test `reads` failed\nexpected a row",
        "2026-03-02T09:00:00.0000000Z ##[error]Error: test `reads` failed\n2026-03-02T09:00:00.1000000Z expected a row",
        "\x1b[31merror\x1b[0m: test `reads` failed\r\n\r\n\texpected a row\r\n",
        "::error file=src/lib.rs,line=3::test `reads` failed\nexpected a row\nexpected a row",
    ],
)
def test_how_a_line_is_dressed_does_not_matter(other: str) -> None:
    assert normal_form(other) == "test `reads` failed\nexpected a row"


def test_one_failure_on_two_systems() -> None:
    linux = """error: test failed, to rerun pass `--test store`
Caused by:
  process didn't exit successfully: `/home/runner/work/kv/kv/target/debug/deps/store-3f2a9c8d7e6b5a41` (exit code: 101)
thread 'opens' (2112) panicked at tests/store.rs:41:10:
open /tmp/.tmpA1b2C3/db.lock: No such file or directory (os error 2)"""
    windows = r"""error: test failed, to rerun pass `--test store`
Caused by:
  process didn't exit successfully: `D:\a\kv\kv\target\debug\deps\store-0123456789abcdef.exe` (exit code: 101)
thread 'opens' panicked at tests\store.rs:44:10:
open C:\Users\runneradmin\AppData\Local\Temp\.tmpZ\db.lock: The system cannot find the path specified. (os error 3)"""
    assert normal_form(linux).replace("<n> panicked", " panicked") == normal_form(windows)


def test_a_long_text_is_told_by_its_beginning() -> None:
    assert signature("x" + " failed" * 5000) == signature("x" + " failed" * 9000 + " at last")
    assert len(normal_form("7 " * 9000)) <= MAX_NORMAL_CHARS


WORDS = st.sampled_from(
    ["failed", "at", "in", "of", "error", "kv::get", "src/lib.rs", "with", "the", "(", ")", ":", ","]
)
AROUND = st.lists(WORDS, max_size=4).map(" ".join)
DIGITS = st.integers(0, 10**9)
HEX = "0123456789abcdef"

MEASURES = {
    "duration": st.builds("{}{}".format, DIGITS, st.sampled_from(["ms", "s", " seconds", "m", "µs"])),
    "size": st.builds("{} {}".format, DIGITS, st.sampled_from(["B", "MiB", "GB", "bytes"])),
    "percentage": st.integers(0, 100).map("{}%".format),
    "uuid": st.uuids().map(str),
    "address": st.text(HEX, min_size=1, max_size=16).map("at 0x{}".format),
    "commit": st.text(HEX, min_size=40, max_size=40).map("commit {}".format),
    "port": st.integers(1, 65535).map("localhost:{}".format),
    "ip": st.ip_addresses(v=4).map(str),
    "position": st.builds("src/lib.rs:{}:{}".format, st.integers(1, 99999), st.integers(1, 999)),
    "time": st.datetimes().map(lambda at: at.isoformat(sep=" ", timespec="seconds")),
    "pid": DIGITS.map("[pid {}]".format),
    "temporary folder": st.text("abcXYZ019", min_size=4, max_size=9).map("/tmp/.tmp{}/db.lock".format),  # noqa: S108
    "binary": st.text(HEX, min_size=16, max_size=16).map("target/debug/deps/kv-0{}".format),
}
NAMES = {
    "exit code": st.integers(0, 255).map("exit code {}".format),
    "signal": st.integers(1, 64).map("signal: {}".format),
    "status": st.integers(400, 599).map("HTTP {}".format),
    "compiler code": st.integers(1, 9999).map("error[E{:04}]".format),
    "advisory": st.integers(1, 9999).map("RUSTSEC-2024-{:04}".format),
    "numbered test": st.integers(0, 9_999_999).map("test_{}".format),
    "parameter": st.integers(0, 999).map("test_add[{}]".format),
    "version": st.integers(0, 99).map("serde v1.0.{}".format),
    "exception": st.sampled_from(["TypeError", "ValueError", "KeyError"]),
    "file": st.sampled_from(["src/a.rs", "src/b.rs", "src/utf8.rs", "src/utf16.rs"]),
}


@pytest.mark.parametrize("kind", MEASURES)
@SEEDED
@given(data=st.data(), before=AROUND, after=AROUND)
def test_no_measure_changes_the_signature(kind: str, data: st.DataObject, before: str, after: str) -> None:
    one, other = data.draw(MEASURES[kind]), data.draw(MEASURES[kind])
    assert normal_form(f"{before} {one} {after}") == normal_form(f"{before} {other} {after}")


@pytest.mark.parametrize("kind", NAMES)
@SEEDED
@given(data=st.data(), before=AROUND, after=AROUND)
def test_every_name_changes_the_signature(kind: str, data: st.DataObject, before: str, after: str) -> None:
    one, other = data.draw(NAMES[kind]), data.draw(NAMES[kind])
    assert (signature(f"{before} {one} {after}") == signature(f"{before} {other} {after}")) == (one == other)


PIECES = st.sampled_from(
    [
        *(word for pair in [*SAME, *DIFFERENT] for word in pair[1].split()),
        "##[error]",
        "Error:",
        "\\",
        "/",
        ":",
        "\n",
        "-",
    ]
)


@SEEDED
@given(
    st.one_of(
        st.text(max_size=300), st.lists(PIECES, max_size=30).map(" ".join), st.lists(PIECES, max_size=12).map("".join)
    )
)
def test_the_normal_form_of_a_normal_form_is_itself(text: str) -> None:
    form = normal_form(text)
    assert normal_form(form) == form
    assert signature(form) == signature(text)


@pytest.mark.parametrize(
    "hostile",
    [
        "a",
        "1",
        "a-",
        "1.",
        "0x",
        "a_",
        "[",
        "/",
        "<n>",
        "::",
        "a1",
        "tmp",
        "1,",
        "error: ",
        "exit ",
        "F",
        "f0",
        "/tmp/",  # noqa: S108
        "\\",
        "1 s ",
    ],
)
def test_no_text_is_too_long_or_too_odd(hostile: str) -> None:
    form = normal_form(hostile * 1_000_000)
    assert len(form) <= MAX_NORMAL_CHARS
    assert normal_form(form) == form
