"""Nearly the same texts are one cluster, what names something keeps apart, and ids stay."""

from __future__ import annotations

import random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kotaci.analysis.clusters import ClusterOptions, cluster_signatures, exemplars
from tests.builders import SEEDED

START = pd.Timestamp("2026-03-02", tz="UTC")
LONG = "the server closed the connection before the whole answer had been read and the client gave up waiting for it"


def failures(*rows: tuple[str, int]) -> pd.DataFrame:
    """Return a table of failures from texts and the day of each; the text itself is the signature's source."""
    return pd.DataFrame(
        {
            "signature": pd.Series([f"s-{text}" for text, _ in rows], dtype="str"),
            "text": pd.Series([text for text, _ in rows], dtype="str"),
            "at": pd.Series([START + pd.Timedelta(days=day) for _, day in rows], dtype="datetime64[us, UTC]"),
        }
    )


def groups(*texts: str, previous: dict[str, str] | None = None) -> int:
    """Return in how many clusters the texts are."""
    return cluster_signatures(failures(*((text, 0) for text in texts)), previous=previous)["cluster"].nunique()


def test_a_word_more_in_a_long_text_is_the_same() -> None:
    assert groups(LONG, LONG.replace("the whole answer", "the answer")) == 1
    assert groups(LONG, "the server closed the connection") == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("error[E0308]", "error[E0277]"),
        ("exit code 1", "exit code 101"),
        ("src/lib.rs", "src/log.rs"),
        ("in `get`", "in `put`"),
        ("test reads", "test write"),
        ("TypeError", "ValueError"),
        ("is supported", "is not supported"),
        ("SIGSEGV", "SIGKILL"),
        ("left-pad", "left-pap"),
    ],
)
def test_what_names_something_keeps_apart(one: str, other: str) -> None:
    assert groups(f"{one}: {LONG} {LONG}", f"{other}: {LONG} {LONG}") == 2


def test_a_cluster_tells_its_failures() -> None:
    other = LONG.replace("the whole answer", "the answer")
    told = cluster_signatures(failures((LONG, 0), (other, 1), (other, 3)))
    assert list(told.columns) == ["signature", "cluster", "exemplar", "n_failures", "first_at", "last_at"]
    assert list(told["n_failures"]) == [1, 2]
    assert set(told["cluster"]) == {f"s-{LONG}"}
    assert set(told["exemplar"]) == {LONG}
    assert told["last_at"].max() == START + pd.Timedelta(days=3)


def test_yesterdays_id_stays_when_its_first_text_has_left_the_window() -> None:
    other = LONG.replace("the whole answer", "the answer")
    yesterday = cluster_signatures(failures((LONG, 0), (other, 10)))
    today = cluster_signatures(failures((LONG, 0), (other, 10), (other, 20)), previous=exemplars(yesterday))
    assert list(today["signature"]) == [f"s-{other}"]
    assert list(today["cluster"]) == [f"s-{LONG}"]
    assert list(today["n_failures"]) == [2]


def test_failures_before_the_window_or_without_a_signature_are_left_out() -> None:
    table = failures(("a", 0), ("b", 15))
    assert list(cluster_signatures(table)["signature"]) == ["s-b"]
    assert len(cluster_signatures(table, options=ClusterOptions(window_days=30))) == 2
    table.loc[1, "signature"] = None
    assert list(cluster_signatures(table)["signature"]) == ["s-a"]


def test_no_failures_no_clusters() -> None:
    assert len(cluster_signatures(failures())) == 0
    assert exemplars(cluster_signatures(failures())) == {}


def test_comparisons_are_bounded() -> None:
    texts = [" ".join(chr(97 + i // 26) + chr(97 + i % 26) + "xyz" for _ in range(6)) for i in range(30)]
    near = f"{texts[20]} {texts[20]}xyz"
    rows = [(text, i) for i, text in enumerate([*(f"{text} {text}" for text in texts), near])]
    wide = ClusterOptions(window_days=99, max_distance=0.2)
    assert cluster_signatures(failures(*rows), options=wide)["cluster"].nunique() == 30
    few = ClusterOptions(window_days=99, max_distance=0.2, most_compared=10)
    assert cluster_signatures(failures(*rows), options=few)["cluster"].nunique() == 31


WORDS = st.lists(st.sampled_from([*LONG.split(), "E0308", "`x`"]), min_size=1, max_size=14).map(" ".join)


@settings(SEEDED, max_examples=40)
@given(st.lists(st.tuples(WORDS, st.integers(0, 20)), max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter_and_yesterdays_ids_stay(
    rows: list[tuple[str, int]], chance: random.Random
) -> None:
    told = cluster_signatures(failures(*rows))
    chance.shuffle(rows)
    pd.testing.assert_frame_equal(cluster_signatures(failures(*rows)), told)
    again = cluster_signatures(failures(*rows), previous=exemplars(told))
    pd.testing.assert_frame_equal(again, told)
