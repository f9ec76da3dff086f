"""Workflow commands hold any text in one line, and GitHub reads it back as it was."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from kotaci.report.annotations import to_command

WORDS = st.text(alphabet="ab:,%\r\n;=\x1b é", max_size=20)


def read_back(text: str) -> str:
    """Return what GitHub makes of an escaped value."""
    for code, sign in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, sign)
    return text


@given(WORDS, WORDS)
def test_any_text_comes_back_as_one_line(title: str, message: str) -> None:
    command = to_command("warning", message, file="a.yml", line=3, title=title)
    assert len(command.splitlines()) == 1
    found = re.fullmatch(r"::warning ([^:]*)::(.*)", command)
    assert found
    told = dict(one.split("=", 1) for one in found[1].split(","))
    assert (told["file"], told["line"]) == ("a.yml", "3")
    shown = " ".join(title.replace("\x1b", "�").split())
    assert read_back(told.get("title", "")) == shown
    assert read_back(found[2]) == " ".join(message.replace("\x1b", "�").split())


def test_what_is_empty_is_left_out() -> None:
    assert to_command("error", "so", file="", line=0) == "::error::so"
