"""Words of people and of GitHub, and what becomes of them at the door."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.model import (
    BAD_OUTCOMES,
    DECIDED_OUTCOMES,
    BadInput,
    Certainty,
    ExitCode,
    Finding,
    Incomplete,
    KotaciError,
    Link,
    Outcome,
    Price,
    Repo,
    RunRef,
    Severity,
    Window,
    job_url,
    parse_duration,
    parse_moment,
    run_url,
    workflow_url,
)
from tests.builders import SEEDED

# -- errors ---------------------------------------------------------------------------------------------------


def test_an_error_says_the_value_what_is_wrong_and_what_to_try() -> None:
    assert str(BadInput("x y", "is not a run", "give its number")) == "x y: is not a run; give its number"


def test_an_error_stays_one_line_and_shows_no_more_than_two_hundred_characters_of_the_value() -> None:
    said = str(BadInput("a\n\tb " + "c" * 500, "is odd", "write less"))
    assert "\n" not in said
    assert said == "a b " + "c" * 196 + ": is odd; write less"


def test_every_error_knows_its_exit_code() -> None:
    codes = {kind: kind("v", "p", "h").exit_code for kind in (KotaciError, BadInput, Incomplete)}
    assert codes == {KotaciError: ExitCode.BAD_INPUT, BadInput: ExitCode.BAD_INPUT, Incomplete: ExitCode.INCOMPLETE}


# -- references -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "octo/kv.store",
        " octo/kv.store\n",
        "octo/kv.store/",
        "octo/kv.store.git",
        "https://github.com/octo/kv.store",
        "https://github.com/octo/kv.store.git/",
        "https://bot:secret@www.github.com/octo/kv.store",
        "https://api.github.com/repos/octo/kv.store",
        "HTTPS://GitHub.com/octo/kv.store",
        "github.com/octo/kv.store",
        "git@github.com:octo/kv.store.git",
        "git@github.com-work:octo/kv.store.git",
        "git@work:octo/kv.store.git",
        "ssh://git@github.com:22/octo/kv.store",
        "ssh://git@ssh.github.com:443/octo/kv.store.git",
        "git://github.com/octo/kv.store.git",
    ],
)
def test_a_repository_is_read_from_its_name_or_address(text: str) -> None:
    assert Repo.parse(text) == Repo("octo", "kv.store")
    assert str(Repo.parse(text)) == "octo/kv.store"


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("ghe.example.org/octo/kv", "ghe.example.org"),
        ("GHE.Example.org:8443/octo/kv", "ghe.example.org:8443"),
        ("ghe:8443/octo/kv", "ghe:8443"),
        ("localhost/octo/kv", "localhost"),
        ("127.0.0.1:40001/octo/kv", "127.0.0.1:40001"),
        ("https://ghe.example.org/octo/kv.git", "ghe.example.org"),
        ("http://bot:secret@ghe.example.org:8443/octo/kv/", "ghe.example.org:8443"),
        ("https://ghe.example.org/api/v3/repos/octo/kv", "ghe.example.org"),
        ("git@ghe.example.org:octo/kv.git", "ghe.example.org"),
        ("ssh://git@ghe.example.org:2222/octo/kv.git", "ghe.example.org"),
    ],
)
def test_a_repository_of_another_host_carries_it(text: str, host: str) -> None:
    assert Repo.parse(text) == Repo("octo", "kv", host)
    assert str(Repo.parse(text)) == f"{host}/octo/kv"
    assert Repo.parse(str(Repo.parse(text))) == Repo("octo", "kv", host)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://ghe/octo/kv",
        "ghe.example.org/octo",
        "ghe.example.org:port/octo/kv",
        "ssh://git@github.com:22:22/octo/kv",
        "octo",
        "octo/",
        "/kv",
        "octo/..",
        "octo/.",
        "a/b/c",
        "octo/a b",
        "-octo/kv",
        "octo/kv\nx",
        "../kv",
        "öcto/kv",
    ],
)
def test_what_is_no_repository_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"is not a repository; write it as owner/name"):
        Repo.parse(text)


@SEEDED
@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9_-]{1,50}", fullmatch=True))
def test_a_repository_reads_back_as_it_is_shown(text: str) -> None:
    assert str(Repo.parse(str(Repo.parse(text)))) == text


@pytest.mark.parametrize(
    ("text", "run_id", "attempt"),
    [
        ("123", 123, 1),
        (" 123/\n", 123, 1),
        ("123/2", 123, 2),
        ("https://github.com/o/r/actions/runs/123", 123, 1),
        ("https://github.com/o/r/actions/runs/123/attempts/2", 123, 2),
        ("https://github.com/o/r/actions/runs/123/attempts/2#summary-7", 123, 2),
        ("https://github.com/o/r/actions/runs/123/job/456", 123, 1),
        ("https://github.com/o/r/actions/runs/123/job/456?pr=7#step:4:11", 123, 1),
        ("123456789012345678", 123456789012345678, 1),
    ],
)
def test_a_run_is_read_from_its_number_or_address(text: str, run_id: int, attempt: int) -> None:
    assert RunRef.parse(text) == RunRef(run_id, attempt)


@pytest.mark.parametrize(
    "text",
    ["", "0", "123/0", "-5", "abc", "123//2", "1 2", "12345678901234567890", "123/12345", "https://x/actions/runs/"],
)
def test_what_is_no_run_is_refused_and_never_cut_into_one(text: str) -> None:
    with pytest.raises(BadInput, match="is not a run; give the number"):
        RunRef.parse(text)


# -- time -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        (" 2026-11-22T18:40Z ", datetime(2026, 11, 22, 18, 40, tzinfo=UTC)),
        ("2026-11-22T18:40:00.1234567Z", datetime(2026, 11, 22, 18, 40, 0, 123456, tzinfo=UTC)),
        ("2026-11-22T18:40+02:00", datetime(2026, 11, 22, 16, 40, tzinfo=UTC)),
        ("2026-11-22 18:40", datetime(2026, 11, 22, 18, 40, tzinfo=UTC)),
    ],
)
def test_a_moment_without_a_zone_is_utc(text: str, moment: datetime) -> None:
    assert parse_moment(text) == moment
    assert parse_moment(text).tzinfo == UTC


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-02-30", "22.11.2026", "0001-01-01T00:00+14:00"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is not a date; write 2026-11-22"):
        parse_moment(text)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("12h", timedelta(hours=12)),
        ("1 hour", timedelta(hours=1)),
        ("30d", timedelta(days=30)),
        (" 30 Days ", timedelta(days=30)),
        ("4w", timedelta(weeks=4)),
        ("2 weeks", timedelta(weeks=2)),
        ("30", None),
        ("d", None),
        ("3m", None),
        ("-3d", None),
        ("1.5d", None),
        ("2026-11-22", None),
    ],
)
def test_a_duration_is_hours_days_or_weeks(text: str, length: timedelta | None) -> None:
    assert parse_duration(text) == length


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "as_of", "window"),
    [
        ("", "", None, Window()),
        ("all", "", at(9), Window()),
        ("2026-03-02", "", None, Window(since=at(2))),
        ("", "2026-03-04", None, Window(until=at(5))),
        ("2026-03-02", "2026-03-02", None, Window(at(2), at(3))),
        ("2026-03-02", "2026-03-04T06:00", None, Window(at(2), at(4, 6))),
        ("2d", "2026-03-04T06:00", at(20), Window(at(2, 6), at(4, 6))),
        ("2d", "", at(20, 7), Window(since=at(18, 7))),
        ("2d", "", None, Window()),
    ],
)
def test_a_window_is_read_from_two_words(since: str, until: str, as_of: datetime | None, window: Window) -> None:
    assert Window.parse(since=since, until=until, as_of=as_of) == window


def test_a_window_holds_its_start_and_not_its_end() -> None:
    window = Window(at(2), at(4))
    assert [moment in window for moment in (at(1, 23), at(2), at(3), at(4))] == [False, True, True, False]
    assert at(1) in Window()


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(BadInput, match=r"2026-03-05 \.\. 2026-03-04: is an empty window; put the earlier date first"):
        Window.parse(since="2026-03-05", until="2026-03-04")


@pytest.mark.parametrize(("since", "until"), [("", "9999-12-31"), ("99999w", "1500-01-01")])
def test_a_window_beyond_the_calendar_is_refused(since: str, until: str) -> None:
    with pytest.raises(BadInput, match="leaves the calendar; use years from 1 to 9998"):
        Window.parse(since=since, until=until)


@SEEDED
@given(st.text(max_size=30), st.text(max_size=30))
def test_no_word_of_a_person_breaks_the_door(one: str, two: str) -> None:
    for parse in (Repo.parse, RunRef.parse, parse_moment, Severity.parse):
        with suppress(BadInput):
            parse(one)
    with suppress(BadInput):
        Window.parse(since=one, until=two)


# -- GitHub's words -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conclusion", "status", "outcome"),
    [
        ("success", "completed", Outcome.SUCCESS),
        ("startup_failure", "completed", Outcome.STARTUP_FAILURE),
        (None, "queued", Outcome.RUNNING),
        (None, "in_progress", Outcome.RUNNING),
        (None, "completed", Outcome.UNKNOWN),
        (None, None, Outcome.UNKNOWN),
        ("evaporated", "completed", Outcome.UNKNOWN),
        ("", "completed", Outcome.UNKNOWN),
    ],
)
def test_a_word_that_github_adds_tomorrow_is_unknown(conclusion: str, status: str, outcome: Outcome) -> None:
    assert Outcome.of(conclusion=conclusion, status=status) is outcome


def test_cancelled_is_neither_failed_nor_decided() -> None:
    assert Outcome.CANCELLED not in BAD_OUTCOMES | DECIDED_OUTCOMES
    assert {Outcome.SUCCESS} == DECIDED_OUTCOMES - BAD_OUTCOMES


# -- findings -------------------------------------------------------------------------------------------------


def test_severity_is_one_of_three_words() -> None:
    assert [Severity.parse(word) for word in ("low", " Medium", "HIGH")] == sorted(Severity)
    with pytest.raises(BadInput, match="urgent: is not a severity; use low, medium or high"):
        Severity.parse("urgent")


@pytest.mark.parametrize(("n", "word"), [(0, "low"), (9, "low"), (10, "medium"), (29, "medium"), (30, "high")])
def test_certainty_follows_the_count(n: int, word: str) -> None:
    assert Certainty.of_n(n) == word


FINDING = Finding(
    id="health-1",
    kind="red_branch",
    subject="ci.yml on main",
    claim="fails since Monday",
    verdict="regression",
    certainty=Certainty.of_n(12),
    severity=Severity.HIGH,
    n=12,
    method="last green against first red",
    remedy="revert it",
    price=Price(minutes=41.5, basis="measured"),
    evidence=(Link("run 7", "https://github.com/o/r/actions/runs/7"), Link("an imported log")),
)


def test_a_finding_is_the_same_after_a_trip_through_json() -> None:
    data = json.loads(json.dumps(FINDING.to_json()))
    assert (data["severity"], data["certainty"], data["price"]["minutes"]) == ("high", "medium", 41.5)
    assert data["evidence"][1] == {"text": "an imported log", "url": ""}
    assert Finding.from_json(data) == FINDING


# -- addresses ------------------------------------------------------------------------------------------------


def test_addresses_are_githubs_and_what_was_imported_has_none() -> None:
    assert run_url("o/r", 7) == "https://github.com/o/r/actions/runs/7"
    assert run_url("o/r", 7, 2) == "https://github.com/o/r/actions/runs/7/attempts/2"
    assert job_url("o/r", 7, 70) == "https://github.com/o/r/actions/runs/7/job/70"
    assert workflow_url("o/r", ".github/workflows/ci.yml") == "https://github.com/o/r/actions/workflows/ci.yml"
    assert run_url("ghe.example:8443/o/r", 7) == "https://ghe.example:8443/o/r/actions/runs/7"
    assert job_url("ghe.example/o/r", 7, 70) == "https://ghe.example/o/r/actions/runs/7/job/70"
    assert workflow_url("ghe.example/o/r", ".github/workflows/a b.yml").endswith("/o/r/actions/workflows/a%20b.yml")
    assert [run_url("o/r", -7), job_url("o/r", -7, -70), job_url("o/r", 7, -70), workflow_url("o/r", "Test")] == [
        ""
    ] * 4
