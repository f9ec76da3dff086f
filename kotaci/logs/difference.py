"""What a failed job's log says that the last green log of the same job does not.

Normalised set difference: a line is new where its form without numbers, hex, temporary paths never occurs in the
green log. Source: the comparison on pairs of logs after CiDiff (Hubner et al., ISSTA 2025, arXiv 2504.18182), in which
nothing more costly was better.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from kotaci.logs.lines import MAX_LINE_CHARS, Line

_MASK = re.compile(r"0x[0-9a-fA-F]+|(?:/tmp|/var/folders)/\S+|[0-9a-fA-F]{7,40}(?![0-9a-zA-Z])|\d+|\s+")


def masked(text: str) -> str:
    """Return the line without what differs from run to run."""
    return _MASK.sub(" ", text[:MAX_LINE_CHARS]).strip()


def is_new(lines: Sequence[Line], green: Iterable[Line]) -> list[bool]:
    """Return for each line whether the green log lacks it; blank lines are not new."""
    known = {masked(line.text) for line in green}
    forms = [masked(line.text) for line in lines]
    return [bool(form) and form not in known for form in forms]
