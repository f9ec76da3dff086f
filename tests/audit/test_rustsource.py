"""Rust's tokens and tests: what is a comment or text is never taken for code."""

import re

from hypothesis import given
from hypothesis import strategies as st

from kotaci.archives.checkout import tree_of
from kotaci.audit.rustsource import calls, find_tests, parse_tokens, read_sources

TEXT = """
// set_var("A", "1")
/* set_var /* nested */ set_var */
fn helper<'a>(x: &'a str) -> char { 'x' }
#[test]
#[ignore = "slow"]
fn one() { let s = "set_var(\\"A\\")"; let r = r#"a " set_var("#; let c = '"'; std::env::set_var("A", "1"); }
#[tokio::test(start_paused = true)]
async fn two() { if true { x(1.5, 1..2, b"y"); } }
#[derive(Debug)]
struct Test;
fn three() {}
"""


def test_comments_are_gone_and_texts_are_whole() -> None:
    tokens = parse_tokens(TEXT)
    assert [token.line for token in tokens if token.text == "set_var"] == [7]
    assert [token.text for token in tokens if token.kind == "text"] == [
        "slow",
        'set_var(\\"A\\")',
        'a " set_var(',
        "A",
        "1",
        "y",
    ]
    assert [token.text for token in tokens if token.kind == "number"] == ["1.5", "1", "2"]


def test_tests_are_found_with_their_attributes() -> None:
    one, two = find_tests(parse_tokens(TEXT))
    assert (one.name, one.line, one.is_ignored) == ("one", 7, True)
    assert (two.name, two.is_ignored) == ("two", False)
    assert two.attributes == ("tokio::test(start_paused=true)",)
    assert [one.body[at - 1].text for at in calls(one.body, "env::set_var")] == ["set_var"]
    assert not list(calls(two.body, "set_var"))


def test_unit_tests_are_read_from_their_module_on() -> None:
    source = "fn main() { set_var(); }\n#[cfg(test)]\nmod tests {\n #[test]\n fn a() { set_var(); }\n}\n"
    files = {"src/main.rs": source, "src/lib.rs": "fn set_var() {}", "benches/a.rs": TEXT, "tests/it.rs": "fn x() {}"}
    (found,) = read_sources(tree_of(files), re.compile("set_var"))
    assert found.path == "src/main.rs"
    assert [(test.name, test.line) for test in found.tests] == [("a", 5)]
    assert sum(token.text == "set_var" for token in found.tokens) == 1


@given(st.text(alphabet="ab\"'/*r#\\{}()[]fn test\n", max_size=80))
def test_no_text_breaks_it(text) -> None:
    tokens = parse_tokens(text)
    assert all(1 <= token.line <= text.count("\n") + 1 for token in tokens)
    list(find_tests(tokens))
