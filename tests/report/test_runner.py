"""Notebooks run for real: what is refused, what is written, what is kept where one fails, what is never written."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from kotaci.model import BadInput, Severity
from kotaci.report.runner import Notebook, Report, read_notebooks, run

HEAD = """from kotaci.report import blocks
from kotaci.report.blocks import sentence, code
from kotaci.model import Certainty, Finding, Severity"""
FINDING = """found = Finding(id="f1", kind="flaky", subject="t", claim="c", verdict="flaky", certainty=Certainty.LOW,
                severity=Severity.HIGH, n=3, method="m")
blocks.findings([found])"""
PAGE = 'blocks.page(repo=repo, scope="main", window="7 days", as_of=None, version="0.1")'
GOOD = [
    ("title", "# Is CI well?"),
    ("parameters", 'repo: str = "a/b"  # owner/name\nn: int = 3  # how many', "parameters"),
    ("page", f"{HEAD}\n{PAGE}"),
    ("answer", 'blocks.answer(sentence("**{n} of 5 failed.** {repo}", n=n, repo=code(repo)), tone="bad")'),
    ("actions", FINDING),
]
BAD = [
    ("title", "# What failed?"),
    ("parameters", 'repo: str = "a/b"  # owner/name', "parameters"),
    ("page", f"{HEAD}\n{PAGE}"),
    ("answer", 'blocks.answer(sentence("**Part of it.**"), tone="warn")'),
    ("evidence", 'raise LookupError("first line\\nno column <b>job</b>")'),
    ("later", 'blocks.note(sentence("never seen"))'),
]


@pytest.fixture
def notebooks(write_notebook: Callable[..., Path]) -> Callable[..., list[Notebook]]:
    def write(**cells: list[tuple[str, ...]]) -> list[Notebook]:
        paths = [write_notebook(name, of) for name, of in cells.items()]
        return read_notebooks(paths[0].parent)

    return write


def test_one_fails_and_everything_else_is_delivered(
    notebooks: Callable[..., list[Notebook]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, told = tmp_path / "new" / "out", []

    def listen(notebook: Notebook, report: Report | None) -> None:
        told.append((notebook.name, report is not None))

    bad, good = run(notebooks(bad=BAD, good=GOOD), parameters={"n": "4"}, out=out, jobs=2, on_progress=listen)

    assert sorted(told) == [("bad", False), ("bad", True), ("good", False), ("good", True)]
    assert (good.name, good.question, good.error) == ("good", "Is CI well?", "")
    assert good.answer_markdown == "**4 of 5 failed.** `a/b`"
    assert [finding.severity for finding in good.findings] == [Severity.HIGH]
    assert bad.error == "Cell evidence failed: LookupError: no column <b>job</b>"
    assert bad.answer_markdown == "**Part of it.**"
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [f"{name}.{ending}" for name in ("bad", "good") for ending in ("ipynb", "html", "md", "findings.json")]
        + ["index.html", "findings.json"]
    )
    assert all(path.exists() for report in (bad, good) for path in report.paths.values())

    page = bad.paths["html"].read_text("utf-8")
    assert "no column &lt;b&gt;job&lt;/b&gt;" in page
    assert "Part of it." in page
    assert "never seen" not in page
    assert "Traceback" not in page
    assert bad.paths["md"].read_text("utf-8").startswith("> **This report is not complete.** Cell evidence failed")
    assert nbformat.read(bad.paths["ipynb"], as_version=4).cells[4].outputs[0].ename == "LookupError"
    assert json.loads((out / "findings.json").read_text("utf-8"))[0]["id"] == "f1"
    index = (out / "index.html").read_text("utf-8")
    assert '<a href="good.html">Is CI well?</a>' in index
    assert "1 high" in index
    assert "no column &lt;b&gt;job" in index
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_the_page_has_no_code_and_its_cells_have_places(
    notebooks: Callable[..., list[Notebook]], tmp_path: Path
) -> None:
    [report] = run(notebooks(good=GOOD), parameters={"repo": "c/d"}, out=tmp_path / "out", jobs=1)
    page = report.paths["html"].read_text("utf-8")
    assert 'id="cell-id=answer"' in page
    assert "import" not in page.split("</style>")[1]
    assert page.count("<h1") == 1
    assert page.index("c/d</span>") < page.index("<h1")
    assert "kotaci 0.1 · good" in page
    assert len(page) < 60_000
    digest = report.paths["md"].read_text("utf-8")
    assert digest.startswith("# Is CI well?\n\nc/d · main · 7 days\n\n**3 of 5 failed.** `c/d`\n\n1. ▲ high `t`")


def test_the_same_data_gives_the_same_files(notebooks: Callable[..., list[Notebook]], tmp_path: Path) -> None:
    given = notebooks(good=GOOD)
    first, second = (run(given, parameters={"n": "1"}, out=tmp_path / name, jobs=1)[0] for name in "ab")
    for kind, path in first.paths.items():
        assert path.read_bytes() == second.paths[kind].read_bytes()
        assert str(tmp_path) not in path.read_text("utf-8")


def test_the_kernel_is_this_interpreter_in_a_folder_of_its_own(
    notebooks: Callable[..., list[Notebook]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    cells = [*GOOD[:2], ("where", "import os, sys\nprint(sys.executable, os.listdir())\nopen('litter', 'w').close()")]
    [report] = run(notebooks(where=cells), parameters={}, out=tmp_path / "out", jobs=1)
    assert report.error == ""
    assert f"{sys.executable} []" in report.paths["md"].read_text("utf-8")
    assert not list(Path.cwd().glob("litter"))


def test_secrets_of_the_environment_are_nowhere(
    notebooks: Callable[..., list[Notebook]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_withheld_withheld")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", 'needed<&>"by\\fsspec')
    leak = """import os
print(os.environ.get("GITHUB_TOKEN", "no token"), os.environ["AWS_SECRET_ACCESS_KEY"], dict(os.environ))
blocks.answer(sentence("{x}", x=os.environ["AWS_SECRET_ACCESS_KEY"]), tone="bad")"""
    cells = [*GOOD[:3], ("leak", leak), ("fall", 'raise ValueError(os.environ["AWS_SECRET_ACCESS_KEY"])')]
    [report] = run(notebooks(leak=cells), parameters={}, out=tmp_path / "out", jobs=1)
    assert report.error == "Cell fall failed: ValueError: ***"
    for path in (tmp_path / "out").iterdir():
        text = path.read_text("utf-8")
        assert "withheld" not in text
        assert "fsspec" not in text
    assert "no token ***" in report.paths["md"].read_text("utf-8")


def test_a_dead_kernel_is_one_failed_notebook(notebooks: Callable[..., list[Notebook]], tmp_path: Path) -> None:
    cells = [*GOOD[:4], ("die", "import os\nos._exit(7)")]
    dead, good = run(notebooks(dead=cells, good=GOOD), parameters={}, out=tmp_path / "out", jobs=2)
    assert dead.error.startswith("DeadKernelError")
    assert dead.answer_markdown == "**3 of 5 failed.** `a/b`"
    assert "This report is not complete" in dead.paths["html"].read_text("utf-8")
    assert good.error == ""


def test_interactive_cells_are_kept_but_neither_run_nor_shown(
    notebooks: Callable[..., list[Notebook]], tmp_path: Path
) -> None:
    cells = [*GOOD[:2], ("picker", "raise SystemExit('needs a person')", "interactive"), *GOOD[2:]]
    [report] = run(notebooks(picked=cells), parameters={}, out=tmp_path / "out", jobs=1)
    assert report.error == ""
    assert "picker" not in report.paths["html"].read_text("utf-8")
    assert "needs a person" in report.paths["ipynb"].read_text("utf-8")


def test_a_long_report_fits_a_comment(notebooks: Callable[..., list[Notebook]], tmp_path: Path) -> None:
    long = 'blocks.note(sentence("{x}", x=code("`" + "x" * 300))).markdown'
    cells = [
        *GOOD[:4],
        ("long", f"from IPython.display import Markdown, display\ndisplay(Markdown('\\n\\n'.join([{long}] * 600)))"),
        *GOOD[4:],
    ]
    [report] = run(notebooks(long=cells), parameters={}, out=tmp_path / "out", jobs=1)
    digest = report.paths["md"].read_text("utf-8")
    assert len(digest) <= 65_536
    assert "more lines" in digest
    assert digest.index("**3 of 5 failed.**") < digest.index("1. ▲ high")


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"rep": "x"}, "rep: is not a parameter of any notebook; did you mean repo?"),
        ({"n": "many"}, "n=many: is not of type int; give one such as 3"),
        ({"token": "x"}, "token: looks like a secret; set it in the environment; parameters are written into reports"),
    ],
)
def test_nothing_runs_with_a_wrong_parameter(
    notebooks: Callable[..., list[Notebook]], tmp_path: Path, parameters: dict[str, str], said: str
) -> None:
    with pytest.raises(BadInput) as refusal:
        run(notebooks(good=GOOD), parameters=parameters, out=tmp_path / "out", jobs=1)
    assert str(refusal.value) == said
    assert not (tmp_path / "out").exists()


def test_nothing_runs_into_a_folder_that_cannot_be_written(
    notebooks: Callable[..., list[Notebook]], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(BadInput, match="cannot be written"):
        run(notebooks(good=GOOD), parameters={}, out=tmp_path / "file" / "out", jobs=1)


def test_names_that_would_overwrite_each_other_are_refused(
    notebooks: Callable[..., list[Notebook]], tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"would write index\.html twice"):
        run(notebooks(index=GOOD), parameters={}, out=tmp_path / "out", jobs=1)


def test_nothing_is_left_behind(notebooks: Callable[..., list[Notebook]], tmp_path: Path) -> None:
    before = set(Path.cwd().iterdir())
    run(notebooks(good=GOOD), parameters={}, out=tmp_path / "out", jobs=1)
    assert set(Path.cwd().iterdir()) == before
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]
