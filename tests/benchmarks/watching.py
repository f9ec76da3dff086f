"""What `kotaci watch` costs: a real cargo build with and without it, in turns, and what it recorded of that build."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from kotaci.watch import read_recording
from tests.benchmarks.measure import Row

MODULE = """
use std::collections::BTreeMap;
use std::fmt::{self, Display};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Entry%(number)d { pub key: String, pub parts: Vec<u64>, pub note: Option<String> }

impl Display for Entry%(number)d {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={:?}#{:?}", self.key, self.parts, self.note)
    }
}

pub fn index(entries: &[Entry%(number)d]) -> BTreeMap<String, Vec<Entry%(number)d>> {
    let mut held: BTreeMap<String, Vec<Entry%(number)d>> = BTreeMap::new();
    for entry in entries { held.entry(format!("{}-{}", entry.key, %(number)d)).or_default().push(entry.clone()); }
    held.values_mut().for_each(|one| { one.sort(); one.dedup(); });
    held
}

pub fn parse(text: &str) -> Result<Vec<Entry%(number)d>, std::num::ParseIntError> {
    text.lines().filter(|line| !line.is_empty()).map(|line| {
        let (key, rest) = line.split_once('=').unwrap_or((line, ""));
        let parts = rest.split(',').filter(|one| !one.is_empty()).map(str::parse).collect::<Result<Vec<u64>, _>>()?;
        Ok(Entry%(number)d { key: key.to_string(), parts, note: None })
    }).collect()
}
"""


def write_workspace(folder: Path, *, n_crates: int, n_modules: int) -> None:
    """Write a Rust workspace that needs nothing but std: libraries of many modules, and a binary that links them."""
    names = [f"part{number}" for number in range(n_crates - 1)]
    for name in names:
        source = folder / name / "src"
        source.mkdir(parents=True)
        (folder / name / "Cargo.toml").write_text(_manifest(name), encoding="utf-8")
        for number in range(n_modules):
            (source / f"module{number}.rs").write_text(MODULE % {"number": number}, encoding="utf-8")
        modules = "".join(f"pub mod module{number};\n" for number in range(n_modules))
        (source / "lib.rs").write_text(modules, encoding="utf-8")
    (folder / "whole" / "src").mkdir(parents=True)
    needs = "".join(f'{name} = {{ path = "../{name}" }}\n' for name in names)
    (folder / "whole" / "Cargo.toml").write_text(_manifest("whole") + needs, encoding="utf-8")
    calls = "".join(
        f'    println!("{{}}", {name}::module{number}::index(&{name}::module{number}::parse("a=1").unwrap()).len());\n'
        for name in names
        for number in range(n_modules)
    )
    (folder / "whole" / "src" / "main.rs").write_text(f"fn main() {{\n{calls}}}\n", encoding="utf-8")
    (folder / "Cargo.toml").write_text('[workspace]\nresolver = "2"\nmembers = ["part*", "whole"]\n', encoding="utf-8")


def _manifest(name: str) -> str:
    return f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n\n[dependencies]\n'


def measure_watch(folder: Path, *, n_crates: int = 4, n_modules: int = 8, n_rounds: int = 5) -> list[Row]:
    """Return wall and CPU seconds of the same build from nothing, plain and watched in turns, and what was recorded.

    A ratio is the median over the rounds, each comparing two builds that follow each other, with its least and
    greatest: on a machine that others use too, single builds differ by more than what is measured.
    """
    home, out = folder / "workspace", folder / "watch.json"
    write_workspace(home, n_crates=n_crates, n_modules=n_modules)
    build = ["cargo", "build", "--offline", "--quiet"]
    watched = [sys.executable, "-m", "kotaci", "watch", "--out", str(out), "--"]
    _seconds(build, home)  # the compiler's own files come into the page cache
    plain, ours = list[tuple[float, float]](), list[tuple[float, float]]()
    for number in range(n_rounds):
        # Each side is first as often as the other.
        for side, words in ((plain, build), (ours, [*watched, *build]))[:: 1 if number % 2 else -1]:
            shutil.rmtree(home / "target")
            side.append(_seconds(words, home))
    recording = read_recording(out)
    told = recording.summary()
    start = statistics.median(_seconds([*watched, "true"], home)[0] for _ in range(n_rounds))
    shutil.rmtree(home)
    out.unlink()
    rows = [("kotaci watch -- true", f"{start:.2f} s")]
    for name, place in (("wall", 0), ("CPU", 1)):
        one, other = [pair[place] for pair in plain], [pair[place] for pair in ours]
        rows.append((f"cargo build of {n_crates} crates, plain: {name}", f"{statistics.median(one):.2f} s"))
        ratio = _ratio([with_it / without for without, with_it in zip(one, other, strict=True)])
        rows.append(
            (
                f"cargo build of {n_crates} crates, watched: {name}",
                f"{statistics.median(other):.2f} s, {ratio} x of plain",
            )
        )
    return [
        *rows,
        ("that build, as recorded: wall, CPU", f"{told.wall_s:.2f} s, {told.cpu_s:.2f} s"),
        ("that build, as recorded: most memory", f"{(told.peak_rss_bytes or 0) / 1e6:,.0f} MB"),
        (
            "that build, as recorded: cores, mean and peak",
            f"{told.mean_cores or 0:.2f}, {told.peak_cores or 0:.2f} of {recording.n_cores}",
        ),
        ("that build, as recorded: written to disk", _megabytes(told.written_bytes)),
        ("that build, as recorded: looks", f"{told.n_looks}"),
    ]


def _seconds(words: Sequence[str], folder: Path) -> tuple[float, float]:
    """Run the command and return its wall and CPU seconds, its children's too."""
    import resource  # not on Windows

    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    wall, after = perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _ratio(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}, n = {len(ratios)})"


def _megabytes(n_bytes: int | None) -> str:
    return "not told by this system" if n_bytes is None else f"{n_bytes / 1e6:,.0f} MB"
