"""A section of a person's file that kotaci keeps current: what stands around its two markers is never touched."""

from __future__ import annotations

import re

from kotaci.model import BadInput


def markers(name: str) -> tuple[str, str]:
    """Return the lines between which the section of that name stands."""
    return f"<!-- kotaci:{name}:begin -->", f"<!-- kotaci:{name}:end -->"


def replace_section(text: str, section: str, *, name: str, source: object) -> str:
    """Return the text with that section in place of the one it has, or at its end where it has none.

    Line ends stay those of the text. Raises BadInput, naming `source`, where the markers are not one pair in order.
    """
    begin, end = markers(name)
    places = [[match.start() for match in re.finditer(rf"^{re.escape(mark)}[ \t]*\r?$", text, re.MULTILINE)]
              for mark in (begin, end)]  # fmt: skip
    newline = "\r\n" if "\r\n" in text else "\n"
    body = newline.join([begin, *section.strip("\n").split("\n"), end])
    if places == [[], []]:
        gap = "" if not text else newline if text.endswith("\n") else newline * 2
        return f"{text}{gap}{body}{newline}"
    if [len(found) for found in places] != [1, 1] or places[0][0] > places[1][0]:
        said = f"has not one pair of {begin} and {end}"
        raise BadInput(source, said, "remove what is left of them, or the file, and run it again")
    (first,), (last,) = places
    return text[:first] + body + text[last + len(end) :]
