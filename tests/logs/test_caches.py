"""Wordings of cache steps, each marked: R recorded in a real log, D from the source of the tool."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.logs.caches import parse_cache_events

HEAD = "2026-03-02T09:00:"


def log(*lines: str) -> str:
    """Return the lines with time stamps, a second apart."""
    return "".join(f"{HEAD}{number:02d}.0000000Z {line}\n" for number, line in enumerate(lines))


def step(action: str, *said: str, key: str = "") -> tuple[str, ...]:
    """Return the lines of a step: its header, with the key it asks for, and what it said."""
    asked = (f"  key: {key}",) if key else ()
    return (f"##[group]Run {action}", "with:", *asked, "##[endgroup]", *said)


POST = "Post job cleanup."


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        # R, actions/cache v1 to v3
        (step("actions/cache@v3", "Received 8388608 of 446159165 (1.9%), 8.0 MBs/sec",
              "Cache Size: ~425 MB (446159165 B)", "Cache restored successfully",
              "Cache restored from key: Linux-node-1", key="Linux-node-1"),
         ("actions/cache@v3", "restore", "exact", "Linux-node-1", "Linux-node-1", 446159165, 7.0)),
        (step("actions/cache@v2", "Cache restored from key: mvn-1", key="mvn-2"),
         ("actions/cache@v2", "restore", "partial", "mvn-2", "mvn-1", None, 4.0)),
        # R, actions/cache v4
        (step("actions/cache@v4", "Cache not found for input keys: venv-2, venv-", key="venv-2"),
         ("actions/cache@v4", "restore", "miss", "venv-2", "", None, 4.0)),
        (step("actions/cache/restore@v4", "Cache hit for restore-key: venv-1", "Cache restored successfully",
              "Cache restored from key: venv-1", key="venv-2"),
         ("actions/cache/restore@v4", "restore", "partial", "venv-2", "venv-1", None, 6.0)),
        # R, Swatinem/rust-cache
        (step("Swatinem/rust-cache@v2", "##[group]Cache Configuration", "Cache Key:", "    v0-rust-1", "##[endgroup]",
              "... Restoring cache ...", "Cache hit for: v0-rust-1", "Cache restored successfully",
              'Restored from cache key "v0-rust-1" full match: true.'),
         ("Swatinem/rust-cache@v2", "restore", "exact", "v0-rust-1", "v0-rust-1", None, 2.0)),
        (step("Swatinem/rust-cache@v2", "Cache Key:", "    v0-rust-2",
              'Restored from cache key "v0-rust-1" full match: false.'),
         ("Swatinem/rust-cache@v2", "restore", "partial", "v0-rust-2", "v0-rust-1", None, 0.0)),
        (step("Swatinem/rust-cache@v2", "Cache Key:", "    v0-rust-2", "No cache found."),
         ("Swatinem/rust-cache@v2", "restore", "miss", "v0-rust-2", "", None, 0.0)),
        # R, setup-node and setup-java; D, that they pass no restore keys
        (step("actions/setup-node@v3", "Cache restored from key: node-cache-1"),
         ("actions/setup-node@v3", "restore", "exact", "node-cache-1", "node-cache-1", None, 0.0)),
        (step("actions/setup-node@v4", "yarn cache is not found"),
         ("actions/setup-node@v4", "restore", "miss", "", "", None, 0.0)),
        # an action that may have asked for another key: open
        (step("actions/setup-python@v5", "Cache restored from key: setup-python-1"),
         ("actions/setup-python@v5", "restore", "", "", "setup-python-1", None, 0.0)),
        # R, Gradle's action of 2022
        (step("gradle/gradle-build-action@v2", "Cache Size: ~43 MB (44694672 B)",
              "Restored Gradle User Home from cache key: v6-gradle-1"),
         ("gradle/gradle-build-action@v2", "restore", "", "", "v6-gradle-1", 44694672, 1.0)),
        # D, Gradle's action since 2023: its own service, and the basic one
        (step("gradle/actions/setup-gradle@v3", "Gradle User Home cache not found. Will initialize empty."),
         ("gradle/actions/setup-gradle@v3", "restore", "miss", "", "", None, 0.0)),
        (step("gradle/actions/setup-gradle@v3", "Gradle User Home restored from cache key: gradle-1"),
         ("gradle/actions/setup-gradle@v3", "restore", "", "", "gradle-1", None, 0.0)),
        (step("gradle/actions/setup-gradle@v6", "Basic caching restored from cache key: gradle-1"),
         ("gradle/actions/setup-gradle@v6", "restore", "exact", "gradle-1", "gradle-1", None, 0.0)),
        (step("gradle/actions/setup-gradle@v6",
              "Basic caching did not find an entry to restore. Will start with empty state."),
         ("gradle/actions/setup-gradle@v6", "restore", "miss", "", "", None, 0.0)),
        # R, setup-uv
        (step("astral-sh/setup-uv@v6", "Trying to restore uv cache from GitHub Actions cache with key: uv-1",
              "Cache hit for: uv-1", "Cache Size: ~2 MB (2097152 B)", "Cache restored successfully",
              "uv cache restored from GitHub Actions cache with key: uv-1"),
         ("astral-sh/setup-uv@v6", "restore", "exact", "uv-1", "uv-1", 2097152, 4.0)),
        (step("astral-sh/setup-uv@v1", "uv cache restored from GitHub Actions cache with key: uv-1"),
         ("astral-sh/setup-uv@v1", "restore", "exact", "uv-1", "uv-1", None, 0.0)),
        (step("astral-sh/setup-uv@v7", "Trying to restore cache from GitHub Actions cache with key: uv-2",
              "No GitHub Actions cache found for key: uv-2"),
         ("astral-sh/setup-uv@v7", "restore", "miss", "uv-2", "", None, 1.0)),
        # D, lookups: nothing is fetched, so neither a size nor seconds
        (step("actions/cache/restore@v4", "Cache hit for: k-1", "Lookup only - skipping download",
              "Cache found and can be restored from key: k-1", key="k-1"),
         ("actions/cache/restore@v4", "lookup", "exact", "k-1", "k-1", None, None)),
        (step("actions/cache@v3", "Cache found and can be restored from key: k-1", key="k-2"),
         ("actions/cache@v3", "lookup", "partial", "k-2", "k-1", None, None)),
        (("##[group]Run actions/cache@v4", "with:", "  key: k-1", "  lookup-only: true", "##[endgroup]",
          "Cache not found for input keys: k-1"),
         ("actions/cache@v4", "lookup", "miss", "k-1", "", None, None)),
        (step("Swatinem/rust-cache@v2", "Cache Key:", "    v0-rust-1", "... Checking cache ...",
              "Cache hit for: v0-rust-1", "Lookup only - skipping download",
              'Found cache key "v0-rust-1" full match: true.'),
         ("Swatinem/rust-cache@v2", "lookup", "exact", "v0-rust-1", "v0-rust-1", None, None)),
        (step("Swatinem/rust-cache@v2", "Cache Key:", "    v0-rust-2",
              'Found cache key "v0-rust-1" full match: false.'),
         ("Swatinem/rust-cache@v2", "lookup", "partial", "v0-rust-2", "v0-rust-1", None, None)),
        # R, BuildKit
        (("#22 importing cache manifest from gha:954", "#22 DONE 0.1s"),
         ("buildx", "restore", "partial", "gha:954", "gha:954", None, 1.0)),
        # D
        (("#9 importing cache manifest from gha:954", "#9 ERROR: failed to configure gha cache importer"),
         ("buildx", "restore", "miss", "gha:954", "", None, 1.0)),
        (("#30 exporting to GitHub Actions Cache", "#30 DONE 2.0s"),
         ("buildx", "save", "saved", "gha", "", None, 1.0)),
    ],
)  # fmt: skip
def test_each_wording(lines: tuple[str, ...], told: tuple[object, ...]) -> None:
    (event,) = parse_cache_events(log(*lines))
    assert (
        event.action, event.operation, event.result, event.key, event.restored_key, event.size_bytes, event.wall_s,
    ) == told  # fmt: skip


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (("Cache hit occurred on the primary key k-1, not saving cache.",), ("not_saved", "found")),  # R
        (("Failed to save: Unable to reserve cache with key k-1, another job may be creating this cache.",),
         ("not_saved", "another job saved it")),  # R
        (("Unable to reserve cache with key k-1, another job may be creating this cache.",),
         ("not_saved", "another job saved it")),  # D
        (("Failed to save: Unable to reserve cache with key k-1. More details: cache write denied: no scopes",),
         ("not_saved", "cache write denied: no scopes")),  # R
        (("Cache reservation failed: your cache is now read only",
          "Failed to save: Unable to reserve cache with key k-1, another job may be creating this cache."),
         ("not_saved", "your cache is now read only")),  # R
        (("Cache saved with the key: k-1",), ("saved", "")),  # D, the setup- actions
        (("uv cache saved with key: k-1",), ("saved", "")),  # D
        (("Python cache hit occurred on key k-1, not saving cache.",), ("not_saved", "found")),  # D
        (("Cache hit occurred on the cache key k-1, not saving cache.",), ("not_saved", "found")),  # D
        (("Basic caching saved entry with key: k-1",), ("saved", "")),  # D
        (("Basic caching restored entry with key `k-1`. Save was skipped.",), ("not_saved", "found")),  # D
        (("Basic caching failed to save entry with key `k-1`. See preceding log output for the cause.",),
         ("not_saved", "")),  # D
        (("Cache Size: ~2 MB (2 B)", "Cache saved successfully", "Cache saved with key: k-1"), ("saved", "")),  # R
        (("Sent 20 of 20 (100.0%), 9.0 MBs/sec", "Cache saved with key: k-1"), ("saved", "")),  # R
    ],
)  # fmt: skip
def test_a_post_step_is_the_action_whose_key_it_saves(said: tuple[str, ...], told: tuple[str, str]) -> None:
    restore = step("actions/cache@v4", "Cache not found for input keys: k-1", key="k-1")
    events = parse_cache_events(log(*restore, POST, *said))
    assert [event.operation for event in events] == ["restore", "save"]
    save = events[-1]
    assert (save.action, save.key, save.result, save.reason) == ("actions/cache@v4", "k-1", *told)
    assert save.wall_s == float(len(said))


def test_rust_caches_own_word_for_nothing_to_save() -> None:
    restore = step("Swatinem/rust-cache@v2", "Cache Key:", "    k-1", "Cache hit for: k-1")
    _, save = parse_cache_events(log(*restore, POST, "Cache up-to-date."))
    assert (save.action, save.key, save.result, save.reason) == ("Swatinem/rust-cache@v2", "k-1", "not_saved", "found")


def test_two_caches_of_uv_are_two_events() -> None:
    asks = [f"Trying to restore cache from GitHub Actions cache with key: uv-{name}" for name in ("1", "1-python")]
    lines = step("astral-sh/setup-uv@v7", asks[0], "No GitHub Actions cache found for key: uv-1", asks[1],
                 "Cache hit for: uv-1-python")  # fmt: skip
    told = [(event.key, event.result) for event in parse_cache_events(log(*lines))]
    assert told == [("uv-1", "miss"), ("uv-1-python", "exact")]


def test_two_caches_of_one_step_are_two_events() -> None:
    events = parse_cache_events(log(*step("some/action@v1", "Cache hit for: a-1", "Cache hit for: b-1")))
    assert [event.key for event in events] == ["a-1", "b-1"]


def test_micromamba_misses_in_two_words_and_sends_in_the_same_step() -> None:  # R
    said = ("Cache hit for: k", "Cache restored successfully", "Cache miss", "Sent 0 of 20 (0.0%), 0.0 MBs/sec",
            "Sent 9 of 20 (45.0%), 9.0 MBs/sec", "Sent 20 of 20 (100.0%), 9.0 MBs/sec")  # fmt: skip
    found = parse_cache_events(log(*step("mamba-org/setup-micromamba@v2", *said)))
    assert [(one.operation, one.result, one.size_bytes, one.wall_s) for one in found] == [
        ("restore", "exact", None, 1.0),
        ("restore", "miss", None, 0.0),
        ("save", "saved", 20, 2.0),
    ]
    assert parse_cache_events(log(*step("octo/webpack@v1", "Cache miss"))) == []
    assert parse_cache_events(log(*step("prefix-dev/setup-pixi@v1", "Cache miss")))[0].result == "miss"
    (old,) = parse_cache_events(log(*step("mamba-org/provision-with-micromamba@main", "Cache miss for key 'bin 22'")))
    assert (old.result, old.key) == ("miss", "bin 22")


def test_a_save_that_was_cut_is_neither_saved_nor_not() -> None:
    found = parse_cache_events(log(POST, "Sent 9 of 20 (45.0%), 9.0 MBs/sec", "Cache hit for: k"))
    assert [(one.operation, one.result) for one in found] == [("save", ""), ("restore", "exact")]


def test_what_a_script_says_of_caches_is_no_event() -> None:
    script = ("##[group]Run echo", "Cache hit for: decoy", "##[endgroup]")
    assert parse_cache_events(log(*script)) == []


@given(
    st.lists(
        st.sampled_from(
            ["Cache hit for: k", "Cache not found.", POST, "Lookup only - skipping download", "  lookup-only: true",
             "Cache Key:", "##[group]Run actions/cache@v4", "  key: k", "##[endgroup]", "Cache saved with key: k",
             "#1 importing cache manifest from gha:1", "#1 DONE 1s", "Cache Size: ~1 MB (1048576 B)",
             "\x1b[1mCache up-to-date.\x1b[0m", "x" * 9000, ""]
        ) | st.text(max_size=60),
        max_size=40,
    )
)  # fmt: skip
def test_any_order_of_words_is_read(lines: list[str]) -> None:
    text = log(*[line.replace("\n", " ") for line in lines])
    events = parse_cache_events(text)
    assert [event.line for event in events] == sorted(event.line for event in events)
    assert all(event.operation in {"restore", "lookup", "save"} for event in events)
    assert all(event.size_bytes is None and event.wall_s is None for event in events if event.operation == "lookup")
    assert all((event.result in {"saved", "not_saved"}) == (event.operation == "save") for event in events)
