"""The contract of every table: empty frames keep it, and what breaks it is told."""

from collections.abc import Iterator

import pandas as pd
import pytest

from kotaci.tables import DTYPES, TABLES, Column, Table, to_series

RUNS_OF = Table(
    "trips",
    "one trip",
    ("bus", "trip"),
    (
        Column("bus", "text", "its line"),
        Column("trip", "int", "its number"),
        Column("wall_s", "float", "how long"),
        Column("is_late", "bool", "more than 5 minutes"),
        Column("started_at", "time", "departure"),
    ),
)
ROWS = [("u1", 1, 2.5, False, "2026-03-02T09:00:00Z"), ("u1", 2, None, None, None), (None, 1, 1, True, None)]


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_an_empty_table_has_all_columns_with_their_types(table: Table) -> None:
    frame = table.check(table.to_frame([]))
    assert len(frame) == 0
    assert [(name, str(dtype)) for name, dtype in frame.dtypes.items()] == [
        (column.name, DTYPES[column.kind]) for column in table.columns
    ]


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_a_table_of_nothing_but_missing_values_keeps_its_types(table: Table) -> None:
    frame = table.check(table.to_frame([[None] * len(table.columns)]))
    assert frame.isna().all().all()


SUFFIXES = {"_at": "time", "_s": "float", "_rate": "float", "_min": "float", "_id": None, "_bytes": "int"}
PREFIXES = {"n_": "int", "is_": "bool", "has_": "bool"}


def columns() -> Iterator[tuple[str, Column]]:
    for table in TABLES.values():
        yield from ((table.name, column) for column in table.columns)


@pytest.mark.parametrize(("table", "column"), list(columns()), ids=lambda value: getattr(value, "name", value))
def test_a_columns_name_tells_its_kind(table: str, column: Column) -> None:
    wanted = {kind for suffix, kind in SUFFIXES.items() if column.name.endswith(suffix) and kind}
    wanted |= {kind for prefix, kind in PREFIXES.items() if column.name.startswith(prefix)}
    assert wanted <= {column.kind}
    assert (column.kind == "time") == column.name.endswith("_at")
    assert (column.kind == "bool") == column.name.startswith(("is_", "has_"))
    assert column.meaning


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_keys_are_columns_and_begin_with_the_repository(table: Table) -> None:
    assert table.names[0] == "repo"
    assert set(table.key) <= set(table.names)
    assert not table.key or table.key[0] == "repo"
    assert len(set(table.names)) == len(table.names)
    assert table.purpose
    if "attempt" in table.names:
        assert table.names[:3] == ["repo", "run_id", "attempt"]


def test_rows_become_columns_and_missing_stays_missing() -> None:
    frame = RUNS_OF.check(RUNS_OF.to_frame(ROWS))
    assert frame["wall_s"].tolist() == [2.5, pd.NA, 1.0]
    assert frame["is_late"].tolist() == [False, pd.NA, True]
    assert frame["started_at"].tolist() == [pd.Timestamp("2026-03-02T09:00:00Z"), pd.NaT, pd.NaT]
    assert frame["bus"].isna().tolist() == [False, False, True]


def test_times_come_with_any_digits_and_are_utc() -> None:
    times = to_series(["2026-03-02T09:00:00Z", "2026-03-02T09:00:00.1234567Z", "2026-03-02T10:00+01:00"], kind="time")
    assert times.tolist() == [
        pd.Timestamp("2026-03-02T09:00:00Z"),
        pd.Timestamp("2026-03-02T09:00:00.123456Z"),
        pd.Timestamp("2026-03-02T09:00:00Z"),
    ]


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="trips: rows of 2 values for 5 columns"):
        RUNS_OF.to_frame([("u1", 1)])
    with pytest.raises(ValueError, match="zip"):
        RUNS_OF.to_frame([ROWS[0], ("u1", 1)])


def test_columns_that_are_missing_surplus_or_in_another_order_are_refused() -> None:
    frame = RUNS_OF.to_frame(ROWS)
    for wrong in (frame.drop(columns="trip"), frame.assign(seat=1), frame[frame.columns[::-1]]):
        with pytest.raises(ValueError, match="trips: columns are"):
            RUNS_OF.check(wrong)


def test_a_column_of_another_type_is_refused_by_name() -> None:
    frame = RUNS_OF.to_frame(ROWS[:1]).astype({"trip": "float64"})
    with pytest.raises(ValueError, match=r"trips: wrong column types \{'trip': 'float64'\}"):
        RUNS_OF.check(frame)


def test_two_rows_with_one_key_are_refused_and_the_key_is_told() -> None:
    frame = RUNS_OF.to_frame([*ROWS, ROWS[1]])
    with pytest.raises(ValueError, match=r"trips: two rows have the key \{'bus': 'u1', 'trip': 2\}"):
        RUNS_OF.check(frame)


def test_rows_without_a_key_may_be_equal() -> None:
    free = Table("notes", "one note", (), (Column("repo", "text", "whose"),))
    assert len(free.check(free.to_frame([("a",), ("a",)]))) == 2
