"""Scripts as commands: words, lines, and who hears of a failure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.audit.shell import Command, Unheard, parse_script


def command(text: str, *, shell: str = "") -> Command:
    """Return the first command of the script."""
    return parse_script(text, shell=shell).commands[0]


@pytest.mark.parametrize(
    ("text", "shell", "unheard"),
    [
        ("cargo test", "", Unheard.NO),
        ("cargo test || true", "", Unheard.OR),
        ("cargo test || echo 'never mind'", "", Unheard.OR),
        ("cargo test || exit 1", "", Unheard.TESTED),
        ("cargo test || { echo no; exit 1; }", "", Unheard.TESTED),
        ("cargo test || { failed=1; echo no; }", "", Unheard.TESTED),
        ("cargo test || echo failed=1 >> $GITHUB_OUTPUT", "", Unheard.TESTED),
        ("check() { cargo test; }\necho done", "bash {0}", Unheard.NO),
        ("cargo test | tee out", "", Unheard.PIPE),
        ("cargo test | tee out", "bash", Unheard.NO),
        ("cargo test && echo done", "", Unheard.TESTED),
        ("if cargo test; then echo ok; fi", "", Unheard.TESTED),
        ("! cargo test", "", Unheard.TESTED),
        ("cargo test &", "", Unheard.BACKGROUND),
        ("echo $(cargo test)", "", Unheard.NO),
        ("cargo test\necho done", "bash {0}", Unheard.NOT_STOPPED),
        ("x=$(cargo test)", "", Unheard.NO),
    ],
)
def test_who_hears_of_a_failure(text: str, shell: str, unheard: Unheard) -> None:
    assert command(text, shell=shell).unheard == unheard


def test_words_are_without_quotes_and_keep_expressions() -> None:
    found = command('FOO=1 cargo "nextest" run --profile=ci ${{ matrix.flags }} 2>&1')
    assert found.words == ("cargo", "nextest", "run", "--profile=ci", "${{ matrix.flags }}")
    assert (found.value("--profile"), found.env, found.redirects) == ("ci", (("FOO", "1"),), ("2>&1",))


@pytest.mark.parametrize(
    ("text", "under"),
    [
        ("cargo test", ()),
        ("if cargo test; then echo; fi", ()),
        ('if [ "$REF" = main ]; then cargo test; fi', ('[ "$REF" = main ] ;',)),
        ("if a; then b; elif c; then if d; then cargo test; fi; fi", ("d ;", "c ;", "a ;")),
        ("if a; then b; else cargo test; fi", ("a ;",)),
        ("a && cargo test", ("a",)),
        ("case $REF in main) cargo test;; esac", ("$REF",)),
    ],
)
def test_what_a_command_stands_under(text: str, under: tuple[str, ...]) -> None:
    found = next(one for one in parse_script(text).commands if one.name == "cargo")
    assert found.under == under


def test_lines_count_from_that_of_the_file() -> None:
    script = parse_script("set -o pipefail\n\ncurl x \\\n  | bash\n", line=10)
    assert [(one.name, one.line) for one in script.commands] == [("set", 10), ("curl", 12), ("bash", 13)]
    assert script.commands[1].piped_to == ("bash",)
    assert script.commands[1].unheard == Unheard.NO


@pytest.mark.parametrize("shell", ["pwsh", "python", "cmd", "powershell"])
def test_other_shells_are_not_read(shell: str) -> None:
    assert parse_script("cargo test", shell=shell).is_known is False


@given(st.text(alphabet=st.sampled_from("ab \n|&;(){}'\"$`\\<>${{}}#=!é\r"), max_size=200))
def test_no_script_breaks_it(text: str) -> None:
    script = parse_script(text)
    n_lines = text.count("\n") + 1
    assert all(1 <= one.line <= one.end_line <= n_lines + 1 for one in script.commands)
