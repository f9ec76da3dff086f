"""Numbers, durations and moments in words: the one place that decides how a value is written.

Missing is a dash. No function here knows HTML or Markdown.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # half a second to import, and words alone need none of it
    import pandas as pd

MISSING = "–"

# C0 and C1 controls, and the marks that reorder text: invisible to the reader, so shown as what they are.
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def is_missing(value: Any) -> bool:
    """Return whether a single value stands for "not known" (None, NaN, NaT, <NA>)."""
    if value is None or isinstance(value, str):
        return value is None
    import pandas as pd

    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def visible(value: Any) -> str:
    """Return a value as text with line ends normalised and every other control character made visible."""
    text = str(value).replace("\r\n", "\n").replace("\r", "\n")
    return _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(value: Any, *, width: int = 400) -> str:
    """Return a value as one line of at most `width` characters; a dash where it is missing."""
    if is_missing(value):
        return MISSING
    line = " ".join(visible(value).split())
    return line if len(line) <= width else line[: width - 1] + "…"


def number(value: Any, *, digits: int = 1) -> str:
    """Return `12,345` or `0.4`: no decimals for whole numbers and for 100 and more."""
    if is_missing(value):
        return MISSING
    if float(value).is_integer() or abs(value) >= 100:
        return f"{float(value):,.0f}"
    return f"{float(value):,.{digits}f}"


def _points(rate: float) -> str:
    points = 100 * rate
    if points in {0, 100}:
        return f"{points:.0f}"
    if points < 0.1:
        return "<0.1"
    if points > 99.9:
        return ">99.9"
    return f"{points:.1f}" if points < 10 or points > 99 else f"{points:.0f}"


def percent(rate: Any) -> str:
    """Return a rate of 0..1 as `31 %` or `5.8 %`; never `0 %` or `100 %` for what is only near."""
    return MISSING if is_missing(rate) else f"{_points(float(rate))} %"


def interval(rate: Any, *, low: Any, high: Any) -> str:
    """Return a rate with its interval, all 0..1: `31 % [23, 42]`."""
    if is_missing(rate) or is_missing(low) or is_missing(high):
        return percent(rate)
    return f"{percent(rate)} [{_points(float(low))}, {_points(float(high))}]"


def too_few(n: int) -> str:
    """Return what stands where a rate would, when it rests on too little."""
    return f"too few runs (n = {n:,})"


def signed(value: Any) -> str:
    """Return a change as a whole number with its sign: `+12`, `−1,204`, or `0`."""
    return MISSING if is_missing(value) else f"{round(value):+,}".replace("-", "−") if round(value) else "0"


def duration(seconds: Any) -> str:
    """Return `40 ms`, `0.8 s`, `45 s`, `3 m 20 s`, `1 h 52` or `2 d 3 h`."""
    if is_missing(seconds):
        return MISSING
    length = float(seconds)
    if length < 0:
        return f"−{duration(-length)}"
    if 0 < length < 0.0995:
        return f"{1000 * length:.0f} ms" if length >= 0.0005 else "<1 ms"
    if 0 < length < 9.95:
        return f"{length:.1f} s"
    whole = round(length)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60} s" if whole % 60 else f"{whole // 60} m"
    in_minutes = round(length / 60)
    if in_minutes < 48 * 60:
        return f"{in_minutes // 60} h {in_minutes % 60:02}" if in_minutes % 60 else f"{in_minutes // 60} h"
    in_hours = round(length / 3600)
    return f"{in_hours // 24} d {in_hours % 24} h" if in_hours % 24 else f"{in_hours // 24} d"


def minutes(value: Any) -> str:
    """Return a count of minutes as `94 min`, `1,204 min` or `0.4 min`."""
    return MISSING if is_missing(value) else f"{number(value)} min"


def day(moment: Any) -> str:
    """Return the UTC date of a moment as `22 Nov 2026`."""
    return MISSING if is_missing(moment) else f"{_utc(moment).day} {_utc(moment):%b %Y}"


def time(moment: Any) -> str:
    """Return a moment as `22 Nov 2026, 18:40 UTC`."""
    return MISSING if is_missing(moment) else f"{_utc(moment).day} {_utc(moment):%b %Y, %H:%M} UTC"


def moment(at: Any) -> str:
    """Return a moment for programs, `2026-11-22T18:40:05Z`: to the second, and in the order of time as text."""
    return MISSING if is_missing(at) else f"{_utc(at):%Y-%m-%dT%H:%M:%SZ}"


def _utc(moment: datetime | pd.Timestamp | str) -> pd.Timestamp:
    import pandas as pd

    stamp = pd.Timestamp(moment)
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
