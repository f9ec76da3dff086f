"""What `build_time` shows of changes that would give minutes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from kotaci.analysis.timing import Effect, Suggestions
from kotaci.model import plural
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


def effect_figure(tries: Mapping[str, Effect]) -> Block:
    """Return by how much each change that was tried would have altered a run of its workflow, in the order given."""
    shown = {name: effect for name, effect in tries.items() if effect.n}
    if not shown:
        return note(sentence("No change could be replayed on these runs."))
    first = next(iter(shown.values()))
    gain = "cannot be told to alter a run"
    if first.mean_high_s < 0 or first.mean_low_s > 0:
        gain = f"{words.duration(abs(first.mean_s))} {'less' if first.mean_s < 0 else 'more'} a run"
    return charts.plot_changes(
        pd.DataFrame(
            {
                "name": list(shown),
                "value": [effect.mean_s / 60 for effect in shown.values()],
                "low": [effect.mean_low_s / 60 for effect in shown.values()],
                "high": [effect.mean_high_s / 60 for effect in shown.values()],
                "how": "estimated",
            }
        ),
        title=f"{next(iter(shown))}: {gain} (n = {first.n:,} runs)",
        x="change of a run, minutes on average",
    )


def effect_note(title: str, effect: Effect) -> Block:
    """Return what one change would have made of the runs: of their length and of a month's minutes, with intervals."""
    if not effect.n:
        why = "; ".join(f"{reason} ({n})" for reason, n in effect.left_out.items())
        return note(sentence("**{title}**: no run could be replayed. {why}", title=title, why=why))
    run = f"{_seconds(effect.mean_s)} [{_seconds(effect.mean_low_s)}, {_seconds(effect.mean_high_s)}]"
    month = "the window is too short to tell of a month"
    if not words.is_missing(effect.minutes_month):
        ends = f"[{words.signed(effect.minutes_low)}, {words.signed(effect.minutes_high)}]"
        month = f"{words.signed(effect.minutes_month)} {ends} minutes of machines a month"
    left = sum(effect.left_out.values())
    return note(
        sentence(
            "**{title}**: {run} a run on average, {month}; 95 % intervals, estimated over {n}{left}, all else as it "
            "was.",
            title=title,
            run=run,
            month=month,
            n=plural(effect.n, "run"),
            left=f", {left} left out" if left else "",
        )
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
