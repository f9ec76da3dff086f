"""Whatever stands in the files, the audit ends, and what is broken is found on its file while others are audited."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kotaci.archives.checkout import Tree, tree_of
from kotaci.audit import audit
from kotaci.audit.patterns import read_patterns

CI = ".github/workflows/ci.yml"
SOUND = "on: push\njobs:\n  test:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: cargo test\n"
TEXTS = [SOUND, *read_patterns().values()]
CARGO = '[package]\nname = "a"\nversion = "0.1.0"\n[profile.dev]\ndebug = 1\n'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"on: push\njobs: [", "flow node"),
        (b"on: push\njobs:\n\ttest: {}\n", "token"),
        (SOUND.replace("    steps", "    runs-on: a\n    steps").encode(), "'runs-on' is already defined"),
        (SOUND.encode() + b"# \xff\n", "is not UTF-8: the byte 0xff"),
        (b"", "the file is empty"),
        (b"a: &a [b]\nb: *c\n", "refers to no anchor"),
        (b"[" * 200 + b"]" * 200, "nested deeper"),
        (SOUND.replace("cargo test", "cargo test\n        shell: fish").encode(), "the shell `fish`"),
        (b"#" * (1 << 20) + b"\n" + SOUND.encode(), "more than 1048576 are not read"),
        (None, "cannot be read"),
    ],
)
def test_what_is_broken_is_found_and_the_other_file_audited(content, said) -> None:
    files = {CI: content, ".github/workflows/sound.yml": SOUND.replace("\n", "\r\n").encode()}
    found = audit(Tree(frozenset(files), files.get)).marks
    assert said in " ".join(mark.claim for mark in found if mark.rule == "broken-file" and mark.path == CI)
    assert "job-without-timeout" in {mark.rule for mark in found if mark.path != CI}


def test_of_a_file_of_another_kind_few_problems_are_told() -> None:
    text = "on: push\njobs:\n" + "".join(f"  job{number}: 1\n" for number in range(500))
    assert len(audit(tree_of({CI: text}), rules=["broken-file"]).marks) <= 21


@st.composite
def mangled(draw: st.DrawFn) -> str:
    """Return a workflow with some lines cut, doubled, moved, or with other characters in them."""
    lines = draw(st.sampled_from(TEXTS)).split("\n")
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.sampled_from(["cut", "double", "indent", "swap", "insert", "value"]))
        if kind == "cut" and len(lines) > 1:
            del lines[place]
        elif kind == "double":
            lines.insert(place, lines[place])
        elif kind == "indent":
            lines[place] = draw(st.sampled_from(["\t", "  ", "- ", "#", "    "])) + lines[place]
        elif kind == "swap":
            lines[0], lines[place] = lines[place], lines[0]
        elif kind == "insert":
            at = draw(st.integers(0, len(lines[place])))
            more = draw(st.text(alphabet="'\"${}[]|>&*!%@`:#-,?\\\x00\u2028é\U0001f600 \r", max_size=4))
            lines[place] = lines[place][:at] + more + lines[place][at:]
        else:
            key = lines[place].partition(":")[0]
            value = draw(st.sampled_from(["null", "[]", "{}", "1", "true", "${{ x }}", "[[1]]", "{a: {b: c}}", "''"]))
            lines[place] = f"{key}: {value}"
    return "\n".join(lines)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mangled(), st.sampled_from([CARGO, "", "[package", CARGO.replace("a", "\ufeff")]))
def test_no_workflow_breaks_the_audit(text, manifest) -> None:
    found = audit(tree_of({CI: text, ".github/workflows/two.yml": SOUND, "Cargo.toml": manifest}))
    n_lines = len(text.splitlines()) + 2
    assert all(mark.claim and 0 <= mark.line <= n_lines for mark in found.marks if mark.path == CI)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_audit(content) -> None:
    files = {CI: content, "action.yml": content, "Cargo.toml": content, "tests/a.rs": content}
    audit(Tree(frozenset(files), files.get))
