"""Charts draw in both themes, the same each time, and say so where there is nothing to draw."""

import base64
import re
from xml.etree import ElementTree

import pandas as pd
import pytest

from kotaci.report import charts
from kotaci.report.blocks import Block
from kotaci.report.charts import axes

WEEKS = pd.date_range("2026-10-26", periods=4, freq="7D", tz="UTC")


def outcomes() -> pd.DataFrame:
    rows = [(week, word, 3) for week in WEEKS for word in ("success", "failure", "cancelled", "a_word_of_tomorrow")]
    return pd.DataFrame(rows, columns=["period_at", "outcome", "n_runs"])


def rates() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "period_at": WEEKS,
            "n": pd.array([40, 3, 0, 52], dtype="Int64"),
            "failure_rate": pd.array([0.3, 0.5, None, 0.1], dtype="Float64"),
            "low": pd.array([0.2, 0.1, None, 0.05], dtype="Float64"),
            "high": pd.array([0.4, 0.9, None, 0.2], dtype="Float64"),
        }
    )


def durations() -> pd.DataFrame:
    one = pd.DataFrame({"period_at": WEEKS, "n": [40, 3, 9, 52], "median_s": [600.0] * 4, "p95_s": [900.0] * 4})
    return pd.concat([one.assign(series="wall"), one.assign(series="queue", median_s=20.0, p95_s=60.0)])


def heat() -> pd.DataFrame:
    rows = [(job, week, 9, n) for n, job in enumerate(["ubuntu $x$", "<svg onload=x>", "名前"]) for week in WEEKS]
    return pd.DataFrame(rows, columns=["job", "period_at", "n", "n_failed"])


def gantt() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "job": ["lint", "tests ($x$)", "<docs>"],
            "start_s": [0.0, 134.0, 0.0],
            "queue_s": [3.0, 20.0, 5.0],
            "run_s": [131.0, 150.0, 70.0],
            "slack_s": [0.0, 0.0, 229.0],
            "is_critical": [True, True, False],
        }
    )


def parts() -> pd.DataFrame:
    return pd.DataFrame({"part": ["compile", "<tests>", "cache"], "minutes": [900.0, 700.0, 80.4]})


def changes() -> pd.DataFrame:
    rows = [("drop a need", -3.25, -4.0, -2.0, "replayed"), ("<split>", -2.0, -3.0, -1.0, "estimated")]
    return pd.DataFrame([*rows, ("hit", -0.2, -0.5, 0.1, "measured")], columns=["name", "value", "low", "high", "how"])


def points() -> pd.DataFrame:
    at = pd.date_range("2026-10-26", "2026-11-16", periods=20, tz="UTC")
    one = pd.DataFrame({"at": at, "value": [5.0] * 10 + [8.0] * 10, "stratum": ["", "miss"] * 10})
    return pd.concat([one.assign(series=name, level=one["value"]) for name in ("ci / <tests>", "ci / lint")])


def pictures(block: Block) -> tuple[bytes, bytes]:
    dark, light = re.findall(r'src(?:set)?="data:image/svg\+xml;base64,([^"]+)"', block.html)
    return base64.b64decode(light), base64.b64decode(dark)


DRAWN = {
    "outcomes": lambda: charts.plot_outcomes(outcomes(), title="One in four fails."),
    "rate": lambda: charts.plot_rate(rates(), title="One in four fails."),
    "rates": lambda: charts.plot_rate(
        pd.concat([rates().assign(series=name) for name in ("ubuntu", "$\\frac")]), title="One in four fails."
    ),
    "durations": lambda: charts.plot_durations(durations(), title="One in four fails."),
    "heat": lambda: charts.plot_heat(heat(), title="One in four fails."),
}


@pytest.mark.parametrize("name", DRAWN)
def test_charts_draw_both_themes_the_same_each_time(name: str) -> None:
    block = DRAWN[name]()
    light, dark = pictures(block)
    assert light != dark
    for svg in (light, dark):
        # Text is outlines, so a report looks the same without our fonts; no clock, so the same data is the same file.
        tags = {element.tag.split("}")[1] for element in ElementTree.fromstring(svg).iter()}
        assert "path" in tags
        assert not tags & {"text", "script", "metadata", "image"}
    assert pictures(DRAWN[name]()) == (light, dark)
    assert len(block.html) < 200_000
    assert block.markdown.startswith("*Figure:* One in four fails. ")
    assert "26 Oct 2026 to 16 Nov 2026, UTC" in block.markdown


@pytest.mark.parametrize("name", DRAWN)
def test_no_rows_are_a_sentence(name: str) -> None:
    plot = {"outcomes": charts.plot_outcomes, "durations": charts.plot_durations, "heat": charts.plot_heat}.get(
        name, charts.plot_rate
    )
    frame = {"outcomes": outcomes, "durations": durations, "heat": heat}.get(name, rates)().head(0)
    assert plot(frame, title="x").markdown == "No runs in this window."


def test_six_series_are_refused() -> None:
    frame = pd.concat([rates().assign(series=str(n)) for n in range(6)])
    with pytest.raises(ValueError, match="6 series do not fit one chart; keep 5"):
        charts.plot_rate(frame, title="x")


def test_a_week_without_runs_is_a_hole() -> None:
    one = outcomes()
    with_hole = one[one["period_at"] != WEEKS[1]]
    assert axes.every_period(with_hole, "week") == list(WEEKS)


def test_outcomes_differ_without_colour() -> None:
    def grey(colour: str) -> float:
        red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
        return 0.299 * red + 0.587 * green + 0.114 * blue

    for theme in (charts.LIGHT, charts.DARK):
        greys = sorted(grey(theme.outcomes[group]) for group in ("passed", "failed", "cancelled"))
        assert greys[1] - greys[0] > 25
        assert greys[2] - greys[1] > 25


def counted() -> pd.DataFrame:
    return pd.DataFrame({"name": ["Gates", "Weight"], "high": [2, 0], "medium": [0, 0], "low": [1, 3]})


PLOTS = {
    "outcomes": (charts.plot_outcomes, outcomes),
    "rate": (charts.plot_rate, rates),
    "durations": (charts.plot_durations, durations),
    "heat": (charts.plot_heat, heat),
}


def marks(*days: str) -> list[charts.Mark]:
    return [charts.Mark(pd.Timestamp(day, tz="UTC"), f"$x$ of <b>{day}</b>") for day in days]


OTHERS = {
    "gantt": (charts.plot_gantt, gantt, {}, "3 jobs of one run in time; critical path: lint (2 m 11 s), then tests"),
    "waterfall": (charts.plot_waterfall, parts, {}, "compile 900 min;"),
    "changes": (charts.plot_changes, changes, {"x": "minutes a run"}, "drop a need: −3.2 [−4, −2], replayed;"),
    "counts": (charts.plot_counts, counted, {"x": "findings"}, "Gates: 2 high, 1 low; Weight: 3 low."),
    "series": (charts.plot_series, points, {}, "lint: 5 then 8 minutes, n = 20"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_bars_and_dots_say_their_numbers_in_words(name: str) -> None:
    plot, rows, told, words = OTHERS[name]
    block = plot(rows(), title="One <b>finding</b>.", **told)
    light, dark = pictures(block)
    assert light != dark
    assert pictures(plot(rows(), title="One <b>finding</b>.", **told)) == (light, dark)
    assert words in block.markdown.replace("\\", "").replace("-", "−")
    assert "<b>" not in block.html
    assert len(block.html) < 200_000
    assert not plot(rows().head(0), title="x", **told).markdown.startswith("*Figure")


def test_a_shift_is_drawn_where_the_level_steps() -> None:
    flat = points().assign(level=5.0)
    assert pictures(charts.plot_series(flat, title="x")) != pictures(charts.plot_series(points(), title="x"))
    with pytest.raises(ValueError, match="6 series do not fit one chart; keep 5"):
        charts.plot_series(pd.concat([points().assign(series=str(n)) for n in range(6)]), title="x")


@pytest.mark.parametrize("name", PLOTS)
def test_what_happened_when_is_drawn_and_told(name: str) -> None:
    plot, rows = PLOTS[name]
    bare = plot(rows(), title="x")
    # From the first day of the first week to the last of the last one.
    with_marks = plot(rows(), title="x", marks=marks("2026-10-26", "2026-11-22"))
    assert pictures(with_marks) != pictures(bare)
    assert "22 Nov 2026: \\$x\\$ of" in with_marks.markdown
    assert "<b>" not in with_marks.html
    assert pictures(plot(rows(), title="x", marks=marks("2026-10-25", "2026-11-23"))) == pictures(bare)


def test_crowded_marks_are_all_drawn_and_told() -> None:
    many = marks(*(f"2026-11-{day:02}" for day in range(1, 20)))
    block = charts.plot_outcomes(outcomes(), title="x", marks=many)
    light, _ = pictures(block)
    assert light.count(b"stroke-dasharray") == len(many)
    assert block.markdown.count("2026: ") == len(many)


def test_a_mark_lies_where_its_moment_does_in_its_week() -> None:
    assert axes.place_among(WEEKS[1], list(WEEKS), "week") == 0.5
    assert axes.place_among(WEEKS[1] + pd.Timedelta(days=3, hours=12), list(WEEKS), "week") == 1.0
