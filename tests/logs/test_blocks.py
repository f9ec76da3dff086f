"""Which lines belong to the one that says it failed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kotaci.logs.blocks import MOST_LINES, block_at, split_prefix
from kotaci.logs.lines import Line, parse_lines
from tests.builders import SEEDED


def block(text: str, wanted: str) -> list[str]:
    """Return the lines shown of the block around the first line that holds the words."""
    lines = list(parse_lines(text))
    place = next(line.number - 1 for line in lines if wanted in line.text)
    return [lines[at].text for at in block_at(lines, place).shown]


RUSTC = """\
   Compiling kvstore v0.1.0
error[E0308]: mismatched types
 --> src/lib.rs:4:5
  |
4 |     "seven"
  |     ^^^^^^^ expected `u32`, found `&str`

error: could not compile `kvstore` (lib) due to 1 previous error
"""


def test_a_compilers_error_ends_at_the_blank_line() -> None:
    assert block(RUSTC, "E0308") == RUSTC.splitlines()[1:6]


def test_a_note_leads_back_to_its_error() -> None:
    assert block(RUSTC, "found `&str`") == RUSTC.splitlines()[1:6]


TRACE = """\
loading
Traceback (most recent call last):
  File "run.py", line 9, in <module>
    main()
  File "run.py", line 5, in main
    load(path)
  File "load.py", line 3, in load
    raise ValueError("nothing to read")
ValueError: nothing to read
done
"""


def test_a_trace_is_its_head_its_last_frame_and_its_exception() -> None:
    shown = block(TRACE, "Traceback")
    assert shown[0].startswith("Traceback")
    assert shown[-1] == "ValueError: nothing to read"
    assert "    main()" not in shown


JAVA = """\
java.lang.IllegalStateException: closed
\tat org.example.Store.read(Store.java:10)
\tat org.example.Store.get(Store.java:20)
\tat org.example.App.main(App.java:30)
\tat org.example.Deep.one(Deep.java:40)
Caused by: java.io.IOException: stream closed
\tat org.example.Disk.read(Disk.java:50)
"""


def test_of_a_stack_only_the_nearest_frames_are_shown_and_its_cause() -> None:
    shown = block(JAVA, "IllegalState")
    assert "\tat org.example.Deep.one(Deep.java:40)" not in shown
    assert "Caused by: java.io.IOException: stream closed" in shown


BUILDKIT = """\
#9 [stage 2/3] RUN wget https://example.org/tool.tgz
#9 0.091 Connecting to example.org
#9 0.149 wget: server returned error: HTTP/1.1 502 Bad Gateway
#10 [stage 3/3] COPY . .
"""


def test_what_a_build_stage_says_leads_back_to_its_command() -> None:
    assert block(BUILDKIT, "502") == BUILDKIT.splitlines()[:3]


def test_lines_of_another_task_do_not_belong() -> None:
    text = "[docs] error: linking failed\n[docs]   = note: undefined symbol\n[code]   Compiling syn\n"
    assert block(text, "linking") == text.splitlines()[:2]


def test_a_line_that_ends_with_a_colon_announces_its_paragraph() -> None:
    text = "* What went wrong:\nExecution failed for task ':check'.\n> 2 files had format violations\n\n* Try:\n"
    assert block(text, "What went wrong") == text.splitlines()[:3]


def test_the_prefix_of_maven_is_no_tasks_name() -> None:
    assert split_prefix("[ERROR] Failures: ") == ("", "[ERROR] Failures: ")
    assert split_prefix("[test:docs] error: x") == ("[test:docs] ", "error: x")


@SEEDED
@given(st.lists(st.text(alphabet=" |at=>-:E#9[]x", max_size=12), min_size=1, max_size=40), st.data())
def test_a_block_holds_its_line_and_is_bounded(texts: list[str], data: st.DataObject) -> None:
    lines = [Line(number, "", text) for number, text in enumerate(texts, start=1)]
    place = data.draw(st.integers(0, len(lines) - 1))
    found = block_at(lines, place)
    assert found.start <= place < max(found.stop, place + 1) <= len(lines)
    assert list(found.shown) == sorted(set(found.shown))
    assert len(found.shown) <= MOST_LINES + 2


def test_rusts_own_backtrace_is_left_out_of_a_panic() -> None:
    panic = (
        "thread 'main' panicked at build.rs:1:10:",
        "  the variable must be set",
        "  stack backtrace:",
        "     0: rust_begin_unwind",
        "               at /rustc/0000000000/library/std/src/panicking.rs:689:5",
        "     1: build_script_build::main",
        "  note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.",
    )
    assert block("\n".join(panic), panic[0]) == list(panic[:2])


def test_mavens_levels_end_a_list() -> None:
    lines = (
        "[ERROR] Failures: ",
        "[ERROR]   ShelfTest.puts:7 expected 1 but was 2",
        "[INFO] ",
        "[ERROR] Tests run: 7, Failures: 1",
    )
    assert block("\n".join(lines), lines[0]) == list(lines[:2])
    assert block("[ERROR] Failed:\n[ERROR] \n[ERROR] Re-run with -X.", "Failed") == ["[ERROR] Failed:"]
