"""Rules about tests in Rust that depend on the machine, the clock or each other; part of the class `toolchain`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from kotaci.audit.cargo import CargoCall, cargo_calls
from kotaci.audit.marks import Mark
from kotaci.audit.project import Project
from kotaci.audit.rustsource import Source, Test, Token, calls, closing, is_integration, read_sources
from kotaci.model import plural

SHOWN = 40
"""Characters of each side of a comparison that a claim shows."""

NAMED = 3
"""Tests that a claim names."""

GUARD_S = 30
"""A limit from this many seconds on guards against hanging, and is left alone."""

_CLOCK = re.compile(r"elapsed|duration_since")
_PAUSED = re.compile(r"start_paused|\bpause\b|advance")


def wall_clock_asserted(project: Project) -> Iterator[Mark]:
    """Fire once a file on tests that fail where the machine is slow: `assert!(elapsed < …)`."""
    for source in read_sources(project.tree, _CLOCK):
        asserted = [
            (test, said)
            for test in source.tests
            if not test.is_ignored and not _is_paused(test) and (said := _asserted(test.body))
        ]
        if asserted:
            found = [(test, line) for test, (line, _) in asserted]
            more = f" and {plural(len(asserted) - 1, 'limit')} like it fail" if len(asserted) > 1 else " fails"
            yield _mark(source, found, f"`{asserted[0][1][1]}`{more} where a machine is slow: {_tests(found)}")


def _is_paused(test: Test) -> bool:
    words = " ".join((*test.attributes, *(token.text for token in test.body if token.kind == "word")))
    return _PAUSED.search(words) is not None


def _asserted(body: Sequence[Token]) -> tuple[int, str] | None:
    """Return line and text of the first assertion that a measured time is below a limit; None without one."""
    measured = _measured(body)
    for at, token in enumerate(body[:-2]):
        if token.kind != "word" or token.text not in {"assert", "prop_assert"} or body[at + 1].text != "!":
            continue
        inside = body[at + 3 : closing(body, at + 2)]
        for place, one in enumerate(inside):
            if one.kind != "mark" or one.text not in {"<", "<=", ">", ">="} or not place:
                continue
            if inside[place - 1].text == "::" or _is_generic(inside, place):
                continue
            before, after = _operand_before(inside, place), _operand_after(inside, place)
            side, limit = (before, after) if one.text[0] == "<" else (after, before)
            is_time = any(word.kind == "word" and (word.text == "elapsed" or word.text in measured) for word in side)
            if is_time and not _is_guard(side, limit):
                return token.line, f"{_written_out(before)} {one.text} {_written_out(after)}"
    return None


def _is_guard(side: Sequence[Token], limit: Sequence[Token]) -> bool:
    words = {token.text for token in (*side, *limit)}
    numbers = [int(token.text) for token in limit if token.kind == "number" and token.text.isdecimal()]
    return bool(words & {"from_secs", "as_secs", "as_secs_f64", "as_secs_f32"}) and any(
        one >= GUARD_S for one in numbers
    )


def _written_out(tokens: Sequence[Token]) -> str:
    text = "".join(token.text for token in tokens)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _is_generic(tokens: Sequence[Token], place: int) -> bool:
    """Tell whether the mark belongs to types: `Vec<u8>`, `size_of::<T>()`."""
    if tokens[place].text == ">":
        return any(token.text == "<" and tokens[at - 1].text == "::" for at, token in enumerate(tokens[:place]) if at)
    return False


_ENDS = {"&&", "||", ",", ";"}


def _operand_before(tokens: Sequence[Token], place: int) -> Sequence[Token]:
    start = place
    while start and not (tokens[start - 1].kind == "mark" and tokens[start - 1].text in _ENDS):
        start -= 1
    return tokens[start:place]


def _operand_after(tokens: Sequence[Token], place: int) -> Sequence[Token]:
    end = place + 1
    while end < len(tokens) and not (tokens[end].kind == "mark" and tokens[end].text in _ENDS):
        end += 1
    return tokens[place + 1 : end]


def _measured(body: Sequence[Token]) -> set[str]:
    """Return the names that are bound to `….elapsed()`, and those bound to what is reckoned from them alone."""
    names = set[str]()
    for at, token in enumerate(body[:-3]):
        if token.kind != "word" or token.text != "let":
            continue
        name = body[at + 2] if body[at + 1].text == "mut" else body[at + 1]
        end = at
        depth = 0
        while end < len(body) - 1 and not (body[end].text == ";" and body[end].kind == "mark" and depth == 0):
            if body[end].kind == "mark":
                depth += (body[end].text in "([{") - (body[end].text in ")]}")
            end += 1
        value = body[at + 2 : end]
        if any(one.kind == "mark" and one.text in {"{", "/", "%"} for one in value):
            continue
        words = [one.text for one in value if one.kind == "word"]
        is_time = any(_CLOCK.fullmatch(word) for word in words) or (
            bool(names.intersection(words)) and any(re.match(r"as_(?:milli|micro|nano|secs)", word) for word in words)
        )
        if is_time and name.kind == "word":
            names.add(name.text)
    return names


_WRITES = (
    *("fs::write", "fs::create_dir", "fs::create_dir_all", "fs::remove_dir_all", "fs::remove_file", "fs::rename"),
    *("fs::copy", "File::create", "create_dir_all", "remove_dir_all"),
)
_FIXED = re.compile(r"/(?:var/)?tmp/\w.*")
_UNIQUE = re.compile(
    r"(?:Uuid|pid|process|random|nanos|thread|tempdir|TempDir|nanoid|as_millis|counter)", re.IGNORECASE
)


def fixed_temporary_path(project: Project) -> Iterator[Mark]:
    """Fire once a file on tests that write to a path in /tmp that is the same in every run."""
    for source in read_sources(project.tree, re.compile(r"\"/(?:var/)?tmp/|temp_dir\(\)")):
        found = [(test, line) for test in source.tests if not test.is_ignored and (line := _written(test.body)[0])]
        if found:
            path = _written(found[0][0].body)[1]
            yield _mark(source, found, f"writes to {path}, a path that all runs share: {_tests(found)}")


def _written(body: Sequence[Token]) -> tuple[int, str]:
    """Return line and path of the first call that writes to a fixed temporary path; 0 without one."""
    bound: dict[str, str] = {}
    for at, token in enumerate(body[:-3]):
        if token.kind == "word" and token.text == "let" and body[at + 1].kind == "word":
            name = body[at + 2] if body[at + 1].text == "mut" else body[at + 1]
            end = next((place for place in range(at, len(body)) if body[place].text == ";"), len(body))
            if path := _fixed(body[at + 2 : end]):
                bound[name.text] = path
    for call in _WRITES:
        for at in calls(body, call):
            given = body[at + 1 : closing(body, at)]
            path = _fixed(given) or next(
                (bound[one.text] for one in given if one.kind == "word" and one.text in bound), ""
            )
            if path:
                return body[at].line, path
    return 0, ""


def _fixed(value: Sequence[Token]) -> str:
    if any(one.kind == "word" and (_UNIQUE.search(one.text) or one.text == "format") for one in value):
        return ""
    texts = [one.text for one in value if one.kind == "text"]
    if texts and _FIXED.fullmatch(texts[0]) and "{" not in texts[0]:
        return texts[0]
    if texts and any(one.text == "temp_dir" for one in value) and any(one.text == "join" for one in value):
        return "" if "{" in texts[0] else f"temp_dir()/{texts[0]}"
    return ""


def environment_changed(project: Project) -> Iterator[Mark]:
    """Fire once a file on tests that set variables for the whole process, where CI runs tests as threads of one."""
    threaded = [call for call in cargo_calls(project) if _is_threaded(call)]
    if not threaded:
        return
    for source in read_sources(project.tree, re.compile(r"\b(?:set|remove)_var\b")):
        call = next((call for call in threaded if _selects(call, source.path)), None)
        if call is None or (is_integration(source.path) and len(source.tests) < 2):
            continue
        found = [
            (test, line)
            for test in source.tests
            if not test.is_ignored and not _is_serial(test) and (line := _first(test.body, ("set_var", "remove_var")))
        ]
        if found:
            claim = f"sets environment variables, which all tests of the process see under `cargo {call.verb}` in"
            place = f"{call.place.path.rpartition('/')[2]} line {call.command.line}"
            yield _mark(source, found, f"{claim} {place}: {_tests(found)}")


def _is_threaded(call: CargoCall) -> bool:
    """Tell whether the call runs several tests in one process."""
    is_one = "nextest" in call.verbs or "--test-threads=1" in call.rest or call.env.get("RUST_TEST_THREADS") == "1"
    return call.runs_tests and not is_one and not call.has("--doc") and "--ignored" not in call.rest


def _selects(call: CargoCall, path: str) -> bool:
    """Tell whether the call runs the tests of this file, as far as its targets say."""
    if not call.selected or call.has("--all-targets", "--tests"):
        return True
    name = path.rpartition("/")[2].removesuffix(".rs")
    if is_integration(path):
        return any(one.split()[-1] in {name, "*"} for one in call.selected if one.startswith("--test "))
    return call.has("--lib", "--bins", "--bin")


def _is_serial(test: Test) -> bool:
    attributes = any(re.match(r"(?:\w+::)*(?:file_)?serial\b", one) for one in test.attributes)
    return attributes or any(one.text in {"lock", "ENV_LOCK", "ENV_MUTEX"} for one in test.body if one.kind == "word")


def _first(body: Sequence[Token], paths: Sequence[str]) -> int:
    return min((body[at].line for path in paths for at in calls(body, path)), default=0)


_RANDOM = ("thread_rng", "rand::random", "rand::rng", "from_entropy", "from_os_rng", "fastrand::Rng::new")
_DRAWS = re.compile(r"thread_rng|rand::(?:random|rng)\b|from_entropy|from_os_rng|fastrand")
_PROPERTIES = {"quickcheck", "QuickCheck", "Arbitrary", "proptest"}
"""Libraries that tell the values with which a test failed."""


def random_unseeded(project: Project) -> Iterator[Mark]:
    """Fire once a file on tests that draw random values nobody can draw again."""
    for source in read_sources(project.tree, _DRAWS):
        if any(token.kind == "word" and token.text in _PROPERTIES for token in source.tokens):
            continue
        found = [(test, line) for test in source.tests if not test.is_ignored and (line := _first(test.body, _RANDOM))]
        line = _first(source.tokens, _RANDOM) if is_integration(source.path) else 0
        claim = "draws random values without a seed, so that a failure cannot be repeated"
        if found:
            yield _mark(source, found, f"{claim}: {_tests(found)}")
        elif line:
            yield Mark(source.path, line, "tests", f"a helper of tests {claim}")


_PORT = re.compile(r"(?:127\.0\.0\.1|0\.0\.0\.0|localhost|\[::1?\]):([1-9]\d{1,4})")


def fixed_port(project: Project) -> Iterator[Mark]:
    """Fire once a file on tests that bind a port which something else may hold."""
    for source in read_sources(project.tree, re.compile(r"\bbind\s*\(")):
        found = []
        for test in source.tests:
            for at in calls(test.body, "bind"):
                given = test.body[at + 1 : closing(test.body, at)]
                texts = [match for one in given if one.kind == "text" and (match := _PORT.fullmatch(one.text))]
                if texts and not test.is_ignored:
                    found.append((test, test.body[at].line, texts[0][0]))
                    break
        if found:
            tests = [(test, line) for test, line, _ in found]
            claim = f"binds {found[0][2]}, which another test or program may hold: {_tests(tests)}"
            yield _mark(source, tests, claim)


def _tests(found: Sequence[tuple[Test, int]]) -> str:
    names = [test.name for test, _ in found]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{'tests' if len(names) > 1 else 'test'} {', '.join(names[:NAMED])}{more}"


def _mark(source: Source, found: Sequence[tuple[Test, int]], claim: str) -> Mark:
    also = tuple((source.path, line) for _, line in found[1:])
    return Mark(source.path, found[0][1], "tests", claim, also=also)


RULES: dict[str, Callable[[Project], Iterable[Mark]]] = {
    "wall-clock-asserted": wall_clock_asserted,
    "fixed-temporary-path": fixed_temporary_path,
    "environment-changed": environment_changed,
    "random-unseeded": random_unseeded,
    "fixed-port": fixed_port,
}
