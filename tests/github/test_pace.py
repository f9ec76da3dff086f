"""The pace: no minute above GitHub's points, no request above the budget, and something left for others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.github.pace import BURST, POINTS_PER_MINUTE, BudgetSpent, LimitSpent, Pace, Stopped
from kotaci.model import ExitCode
from tests.builders import SEEDED
from tests.github.clock import Hands, still_clock

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def pace_of(hands: Hands, **options: object) -> Pace:
    return Pace(still_clock(hands, utc=lambda: NOW), **options)  # type: ignore[arg-type]


def headers(*, remaining: int, limit: int = 1000, reset_in_s: int = 600) -> dict[str, str]:
    return {
        "date": f"{NOW:%a, %d %b %Y %H:%M:%S GMT}",
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(int((NOW + timedelta(seconds=reset_in_s)).timestamp())),
    }


@SEEDED
@given(pauses=st.lists(st.floats(0, 90), max_size=8), n_each=st.integers(1, 400))
def test_no_minute_holds_more_than_the_points(pauses: list[float], n_each: int) -> None:
    hands = Hands()
    pace, sent = pace_of(hands), []
    for pause in [*pauses, 0.0, 0.0]:
        hands.at_s += pause
        for _ in range(n_each):
            pace.take()
            sent.append(hands.at_s)
    first = 0
    for last, at in enumerate(sent):
        while sent[first] <= at - 60:
            first += 1
        assert last - first + 1 <= POINTS_PER_MINUTE


def test_the_pace_is_near_the_limit() -> None:
    hands = Hands()
    pace = pace_of(hands)
    for _ in range(POINTS_PER_MINUTE * 10):
        pace.take()
    assert hands.at_s < 600 * 1.04
    assert sum(wait > 0 for wait in hands.waits) <= POINTS_PER_MINUTE * 10 - BURST


def test_a_budget_is_kept_and_a_304_is_free() -> None:
    pace = pace_of(Hands(), max_requests=3)
    for _ in range(3):
        pace.take()
    pace.refund()
    pace.take()
    with pytest.raises(BudgetSpent, match="--max-requests 3") as caught:
        pace.take()
    assert caught.value.exit_code == ExitCode.INCOMPLETE
    assert (pace.n_counted, pace.n_sent) == (3, 4)


def test_a_tenth_of_the_hour_is_left_to_others() -> None:
    pace = pace_of(Hands())
    pace.take()
    pace.told(headers(remaining=102))
    pace.take()
    pace.take()
    with pytest.raises(LimitSpent, match=r"1,000 requests an hour: is used up.* after 12:10 UTC"):
        pace.take()


def test_waiting_for_the_reset_instead() -> None:
    hands = Hands()
    pace = pace_of(hands, waits_for_reset=True)
    pace.take()
    pace.told(headers(remaining=100))
    pace.take()
    assert sum(hands.waits) == pytest.approx(601)


def test_what_is_left_only_shrinks_within_an_hour() -> None:
    pace = pace_of(Hands())
    pace.told(headers(remaining=500))
    pace.told(headers(remaining=510))
    assert pace.remaining == 500
    pace.told(headers(remaining=999, reset_in_s=4200))
    assert pace.remaining == 999


def test_limits_of_other_resources_are_not_ours() -> None:
    pace = pace_of(Hands())
    pace.told({**headers(remaining=3), "x-ratelimit-resource": "search"})
    assert pace.remaining is None


def test_a_pause_holds_for_everybody() -> None:
    hands = Hands()
    pace = pace_of(hands)
    pace.pause(60)
    pace.take()
    assert hands.at_s >= 60


def test_a_stop_ends_every_wait() -> None:
    pace = pace_of(Hands())
    pace.clock.stop.set()
    with pytest.raises(Stopped):
        pace.take()


def test_the_servers_date_runs_on() -> None:
    hands = Hands()
    pace = pace_of(hands)
    pace.told({"date": "Mon, 23 Nov 2026 14:00:00 GMT"})
    hands.at_s += 90
    assert pace.server_now() == datetime(2026, 11, 23, 14, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "Mon, 99 Nov 2026"])
def test_a_date_that_is_none_is_passed_over(text: str) -> None:
    pace = pace_of(Hands())
    pace.told({"date": text})
    assert pace.server_now() == NOW
