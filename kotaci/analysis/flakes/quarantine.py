"""The quarantine: flaky tests as a filter of nextest, `#[ignore]` lines and pytest's deselections, with an expiry.

A list without an end is how tests are lost, so each has one, and it depends on the data, not on the clock.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from kotaci.analysis.flakes.judging import FLAKY
from kotaci.analysis.flakes.records import Flake, Flakiness


@dataclass(frozen=True)
class Quarantine:
    """Texts to copy, empty where nothing is of that kind; `others` are tests that none of them can name."""

    until: date | None
    nextest: str
    ignores: str
    pytest: str
    others: Sequence[Flake]


def to_quarantine(flakiness: Flakiness) -> Quarantine:
    """Return the lists of the tests that are flaky now; maybe fixed, fixed and suspected ones are not in them."""
    held = flakiness.of(FLAKY)
    until = _until(flakiness.as_of, days=flakiness.options.quarantine_days)
    python = [flake for flake in held if _is_python(flake)]
    rust = [flake for flake in held if _is_rust(flake) and flake not in python]
    return Quarantine(
        until=until,
        nextest=f"cargo nextest run -E {shlex.quote(nextest_filter(rust))}" if rust else "",
        ignores="\n\n".join(_ignore(flake, until) for flake in rust),
        pytest=" \\\n  ".join(["pytest", *(f"--deselect {shlex.quote(_node(flake))}" for flake in python)])
        if python
        else "",
        others=[flake for flake in held if flake not in python and flake not in rust],
    )


def _until(as_of: datetime | None, *, days: int) -> date | None:
    return None if as_of is None else (as_of + timedelta(days=days)).date()


def _is_python(flake: Flake) -> bool:
    return bool(re.search(r"\.py(?:::|$)", f"{flake.suite}::{flake.test}")) and flake.test.isprintable()


def _node(flake: Flake) -> str:
    return flake.test if re.match(r"\S+\.py(?:::|$)", flake.test) else f"{flake.suite}::{flake.test}"


def _is_rust(flake: Flake) -> bool:
    """Tell whether nextest could name the test: a path of Rust in a binary; a doctest's name has spaces.

    Functions of Rust are in snake case and no crate has a dot in its name, unlike the tests and packages of Java and
    Go; one term of theirs would make nextest refuse the whole filter.
    """
    is_path = re.fullmatch(r"[\w:#]+", flake.test) is not None
    is_snake = not re.search(r"[A-Z]", flake.test.rpartition("::")[2])
    return is_path and is_snake and re.fullmatch(r"[\w:/@-]+(?:\.rs)?", flake.suite) is not None


def nextest_filter(flakes: Sequence[Flake]) -> str:
    """Return the filterset of nextest that runs all but these tests; an empty text for none.

    A suite with `-` or `::` in it is a binary id of nextest; cargo test prints the binary's file, in which `-` has
    become `_`. nextest refuses a filter that names a binary which is not there.
    """
    terms = sorted({f"({_binary(flake.suite)} & test(={_escaped(flake.test)}))" for flake in flakes})
    if not terms:
        return ""
    return f"not {terms[0]}" if len(terms) == 1 else f"not ({' | '.join(terms)})"


def _binary(suite: str) -> str:
    if "-" in suite or "::" in suite:
        return f"binary_id(={_escaped(suite)})"
    return f"binary(/^{re.sub('[_-]', '[_-]', re.escape(suite).replace('/', '[/]'))}$/)"


def _escaped(name: str) -> str:
    return re.sub(r"([\\(),])", r"\\\1", name)


def _ignore(flake: Flake, until: date | None) -> str:
    """Return where it failed and the attribute to put before its function."""
    judged = flake.judged
    place = f"{' '.join(flake.location.split())}  " if flake.location else ""
    end = f", until {until.isoformat()}" if until else ""
    why = f"flaky: failed {judged.n_failed} of {judged.n} times{end}"
    return f'// {place}{flake.suite} {flake.test}\n#[ignore = "{why}"]'
