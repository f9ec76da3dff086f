"""Blocks of `sccache --show-stats`; R: printed by a real sccache and published, D: from its source."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kotaci.logs.sccache import CompilerCache, parse_compiler_caches
from tests.builders import SEEDED

HEAD = "2026-03-02T09:00:"


def log(*lines: str) -> str:
    """Return the lines with time stamps, a second apart."""
    return "".join(f"{HEAD}{number % 60:02d}.0000000Z {line}\n" for number, line in enumerate(lines))


OF_2021 = (  # R, 0.2, a cache on a disk
    "Compile requests               237",
    "Compile requests executed      215",
    "Cache hits                      13",
    "Cache misses                   202",
    "Cache timeouts                   0",
    "Cache read errors                0",
    "Forced recaches                  0",
    "Cache write errors               0",
    "Compilation failures             0",
    "Cache errors                     0",
    "Non-cacheable compilations       0",
    "Non-cacheable calls             18",
    "Non-compilation calls            4",
    "Average cache read miss      0.105 s",
    'Cache location             Local disk: "/sccache"',
    "Cache size                     491 KiB",
    "Max cache size                  10 GiB",
)
OF_GITHUB = (  # R, 0.10 and later, in parts; D, the location of the GitHub backend
    "Compile requests                    484",
    "Compile requests executed           343",
    "Cache hits                           13",
    "Cache hits (Rust)                    13",
    "Cache misses                        330",
    "Cache misses (Rust)                 330",
    "Cache hits rate                    3.79 %",
    "Cache hits rate (Rust)             3.79 %",
    "Cache timeouts                        1",
    "Cache read errors                     2",
    "Forced recaches                       0",
    "Cache write errors                  313",
    "Cache errors                          3",
    "Cache errors (Rust)                   3",
    "Compilations                        330",
    "Non-cacheable compilations            0",
    "Non-cacheable calls                 141",
    "Non-cacheable reasons:",
    "crate-type                          111",
    "incremental                          28",
    "-                                     2",
    "",
    "Cache location                  ghac, name: sccache-v0.10.0, prefix: /sccache/",
    "Version (client)                0.10.0",
)


def test_a_cache_on_a_disk() -> None:
    (block,) = parse_compiler_caches(log("##[group]Run sccache --show-stats", "##[endgroup]", *OF_2021))
    assert block == CompilerCache(
        location='Local disk: "/sccache"', n_requests=237, n_hits=13, n_misses=202, n_uncacheable=18,
        size_bytes=491 * 1024, line=3, at=f"{HEAD}02.0000000Z",
    )  # fmt: skip


def test_the_cache_of_github_with_writes_that_failed() -> None:
    (block,) = parse_compiler_caches(log(*OF_GITHUB))
    assert (block.n_hits, block.n_misses, block.n_errors, block.n_write_errors) == (13, 330, 6, 313)
    assert block.location == "ghac, name: sccache-v0.10.0, prefix: /sccache/"
    assert block.size_bytes is None


def test_each_print_is_a_block_of_its_own() -> None:
    assert [block.n_requests for block in parse_compiler_caches(log(*OF_2021, "cargo build", *OF_GITHUB))] == [237, 484]


def test_what_only_looks_like_it_is_none() -> None:
    script = ("##[group]Run cat <<EOF", *OF_2021, "##[endgroup]")
    assert parse_compiler_caches(log(*script)) == []
    assert parse_compiler_caches(log("Compile requests   many", "Cache hits   1", "Cache misses   1")) == []
    assert parse_compiler_caches(log("Compile requests   3", "Cache hits   1")) == []


def test_a_label_far_below_is_of_something_else() -> None:
    far = ("Compile requests   3", "Cache hits   1", "Cache misses   2", *["work"] * 100, "Cache write errors   9")
    assert [block.n_write_errors for block in parse_compiler_caches(log(*far))] == [0]


@SEEDED
@given(st.lists(st.sampled_from([*OF_2021, *OF_GITHUB, "Cache hits" + " " * 9000 + "1"]) | st.text(max_size=40)))
def test_any_lines_are_read_in_their_order(lines: list[str]) -> None:
    blocks = parse_compiler_caches(log(*[line.replace("\n", " ") for line in lines]))
    assert [block.line for block in blocks] == sorted({block.line for block in blocks})
    assert all(block.n_requests in {237, 484} for block in blocks)
