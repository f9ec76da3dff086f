"""What `build_time` shows of changes that would give minutes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from kotaci.analysis.timing import Suggestions
from kotaci.report import charts, words
from kotaci.report.blocks import Block, Col, note, table
from kotaci.report.inline import Inline, sentence, stacked

_SAVING = {"saves", "saves time, costs minutes", "saves minutes, costs time"}
_TONES = dict.fromkeys(_SAVING, "good") | {"refused": "bad"}
MOST_DRAWN = 10


def whatif_figure(suggestions: Suggestions) -> Block:
    """Return by how much each change would have shortened a run of its workflow, the best first."""
    rows = suggestions.to_table()
    shown = rows[rows["median_s"].notna() & rows["how"].isin(charts.HOW_MARKS)].head(MOST_DRAWN)
    if shown.empty:
        return note(sentence("No change could be replayed on these runs."))
    best = shown.iloc[0]
    gain = "nothing can be told to shorten a run"
    if best["high_s"] < 0:
        gain = f"{best['title']}: {words.duration(-best['mean_s'])} less a run"
    return charts.plot_changes(
        pd.DataFrame(
            {
                "name": shown["title"],
                "value": shown["mean_s"] / 60,
                "low": shown["mean_low_s"] / 60,
                "high": shown["mean_high_s"] / 60,
                "how": shown["how"],
            }
        ),
        title=f"{gain} (n = {best['n']:,} runs)",
        x="change of a run, minutes on average",
    )


def whatif_table(suggestions: Suggestions) -> Block:
    """Return every change, ranked: what it gives a run and a month, how that is known, and on what it rests."""
    rows = suggestions.to_table()
    return table(
        rows.assign(
            what=[
                stacked(row.title, "; ".join(filter(None, (row.workflow, row.strategy, _known(row), row.basis))))
                for row in rows.itertuples()
            ],
            run=[_change(row.mean_s, row.mean_low_s, row.mean_high_s, to_words=_seconds) for row in rows.itertuples()],
            month=[
                _change(row.minutes_month, row.minutes_low, row.minutes_high, to_words=words.signed, more=_money(row))
                for row in rows.itertuples()
            ],
        ),
        [
            Col("what", "change"),
            Col("verdict", kind="badge", tones=_TONES),
            Col("run", "a run [95 %]", kind="stacked"),
            Col("month", "minutes a month [95 %]", kind="stacked"),
        ],
        more="more changes",
        none="No change to try: no run of this window has needs that are known.",
    )


def _known(row: Any) -> str:
    return "" if row.how == "none" or words.is_missing(row.n) else f"{row.how}, n = {row.n:,}"


def _change(value: Any, low: Any, high: Any, *, to_words: Callable[[float], str], more: str = "") -> Inline | str:
    if words.is_missing(value):
        return words.MISSING
    return stacked(to_words(value) + more, f"[{to_words(low)}, {to_words(high)}]")


def _money(row: Any) -> str:
    told = words.MISSING if words.is_missing(row.dollars_month) else _dollars(row.dollars_month)
    return "" if told in {words.MISSING, "0"} else f" ({told} USD)"


def _seconds(value: float) -> str:
    return f"+{words.duration(value)}" if value > 0 else words.duration(value)


def _dollars(value: float) -> str:
    return f"{value:+,.2f}".replace("-", "−") if abs(value) >= 0.005 else "0"
