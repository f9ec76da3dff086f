"""`kotaci audit`: a checkout, a commit or a repository on GitHub, in every form, mended, excused, and refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kotaci.archives.checkout import tree_of
from kotaci.audit import audit, read_cards, run_linters
from kotaci.audit.patterns import read_patterns
from kotaci.cli import main
from kotaci.places import ENVIRONMENT
from tests.github_server import Rights, State, serve

ROOT = Path(__file__).parent.parent
TOKEN = "token-one"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CI = ".github/workflows/ci.yml"
HOSTILE = "<b>@octocat</b> ::error::x\x1b[31m"
TEXT = f"""on: push # every one
permissions: {{}}
jobs:
  test:
    runs-on: ubuntu-24.04 # ours
    steps:
      - uses: actions/checkout@v5
        with:
          persist-credentials: false
      - name: {json.dumps(HOSTILE)}
        run: echo $HOME
"""
UPDATES = """version: 2
updates:
  - package-ecosystem: github-actions
    directory: /
    schedule: {interval: weekly}
    groups: {all: {patterns: ["*"]}}
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs `kotaci audit WORDS` in process and returns (exit code, out, err)."""

    def command(*words: str | Path) -> tuple[int, str, str]:
        code = main(["audit", *map(str, words)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with one workflow: a job without a time-out, an action that is not pinned."""
    folder = tmp_path / "checkout"
    folder.joinpath(CI).parent.mkdir(parents=True)
    folder.joinpath(CI).write_bytes(TEXT.replace("\n", "\r\n").encode())
    folder.joinpath(".github/dependabot.yml").write_text(UPDATES, encoding="utf-8")
    return folder


def test_text_names_class_line_rank_and_remedy(run: Run, checkout: Path) -> None:
    code, out, err = run(checkout)
    assert (code, err) == (0, "")
    assert re.search(
        r"^Time-outs, concurrency, triggers, conditions\n  \.github/workflows/ci\.yml\n", out, re.MULTILINE
    )
    assert f"{CI}:4  low · proved · job-without-timeout · can be mended by --fix" in out
    assert "→ Set timeout-minutes" in out
    assert "Found by zizmor" in out
    assert re.search(r"Linters: zizmor [\d.]+: \d+, actionlint [\d.]+: \d+", out)
    assert "\x1b" not in out


def test_what_counts_as_failed(run: Run, checkout: Path) -> None:
    assert run(checkout, "--no-linters", "--fail-on", "medium")[0] == 0
    code, _, err = run(checkout, "--no-linters", "--fail-on", "low")
    assert (code, err) == (1, "kotaci: 1 finding of severity low or above (--fail-on low)\n")
    assert run(checkout, "--no-linters", "--severity", "medium", "--fail-on", "low")[0] == 0


def test_one_rule_and_the_least_that_is_shown(run: Run, checkout: Path) -> None:
    assert "job-without-timeout" not in run(checkout, "--severity", "medium")[1]
    _, out, _ = run(checkout, "--rule", "zizmor/unpinned-uses")
    assert "unpinned-uses" in out
    assert "job-without-timeout" not in out
    assert "1 below --severity or --certainty" in run(checkout, "--no-linters", "--severity", "high")[1]


def test_json_has_places_and_patches(run: Run, checkout: Path) -> None:
    told = json.loads(run(checkout, "--format", "json", "--no-linters")[1])
    (finding,) = told["findings"]
    assert (finding["path"], finding["line"], finding["job"]) == (CI, 4, "test")
    assert finding["patch"]["edits"][0]["lines"] == ["    timeout-minutes: 30"]
    assert (told["n_workflows"], told["linters"]) == (1, [])


def test_sarif_and_annotations_and_markdown_are_harmless(run: Run, checkout: Path) -> None:
    log = json.loads(run(checkout, "--format", "sarif")[1])
    assert {result["ruleId"] for result in log["runs"][0]["results"]} >= {"job-without-timeout", "zizmor/unpinned-uses"}
    _, out, _ = run(checkout, "--format", "annotations", "--no-linters")
    assert f"::notice file={CI},line=4,title=job-without-timeout::job test: has no" in out
    assert all(line.startswith(("::error ", "::warning ", "::notice ")) for line in out.splitlines())
    assert "\x1b" not in out
    _, out, _ = run(checkout, "--format", "markdown")
    assert "### Audit of the workflows" in out
    assert "<b>" not in out
    assert "@octocat" not in out


def test_of_many_annotations_those_that_github_shows(run: Run, checkout: Path) -> None:
    job = "  job{}:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: cargo test\n"
    checkout.joinpath(CI).write_text("on: push\njobs:\n" + "".join(job.format(n) for n in range(14)), encoding="utf-8")
    _, out, err = run(checkout, "--format", "annotations", "--rule", "job-without-timeout")
    assert len(out.splitlines()) == 10
    assert err == "kotaci: 4 more of level notice: GitHub shows 10 of a step\n"


def test_a_fix_is_shown_then_made_and_nothing_else_changes(run: Run, checkout: Path) -> None:
    before = checkout.joinpath(CI).read_bytes()
    code, diff, err = run(checkout, "--fix")
    assert (code, "+    timeout-minutes: 30" in diff, "add --write" in err) == (0, True, True)
    assert checkout.joinpath(CI).read_bytes() == before
    checkout.joinpath(CI).chmod(0o640)
    code, again, err = run(checkout, "--fix", "--write", "--no-linters", "--fail-on", "low")
    assert (code, again) == (0, diff)
    assert f"gone: {CI}:4 job-without-timeout" in err
    assert "1 file written; 0 findings left" in err
    after = checkout.joinpath(CI).read_bytes()
    assert after.replace(b"    timeout-minutes: 30\r\n", b"") == before
    assert sys.platform == "win32" or checkout.joinpath(CI).stat().st_mode & 0o777 == 0o640
    assert [path.name for path in checkout.joinpath(CI).parent.iterdir()] == ["ci.yml"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_that_leads_out_is_not_written(run: Run, checkout: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yml"
    checkout.joinpath(CI).rename(outside)
    checkout.joinpath(CI).symlink_to(outside)
    before = outside.read_bytes()
    _, _, err = run(checkout, "--fix", "--write", "--no-linters")
    assert "leads out of" in err
    assert outside.read_bytes() == before


def test_a_baseline_is_written_kept_and_ratcheted_down(run: Run, checkout: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    code, out, _ = run(checkout, "--baseline", baseline, "--write-baseline")
    assert (code, "only what is new counts" in out) == (0, True)
    code, out, _ = run(checkout, "--baseline", baseline, "--no-linters", "--fail-on", "low")
    assert (code, "Nothing found" in out, "1 known in the baseline" in out) == (0, True, True)
    run(checkout, "--fix", "--write", "--no-linters")
    _, out, _ = run(checkout, "--baseline", baseline, "--no-linters")
    assert f"gone: {CI}: job-without-timeout: job test" in out
    held = baseline.read_text(encoding="utf-8")
    run(checkout, "--baseline", baseline, "--write-baseline", "--no-linters")
    kept = baseline.read_text(encoding="utf-8")
    # What linters found is not known to be gone where they do not run.
    assert set(held.splitlines()) - set(kept.splitlines()) == {
        line for line in held.splitlines() if "job-without-timeout" in line
    }


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def test_a_commit_is_audited_as_its_files_were(run: Run, checkout: Path) -> None:
    git(checkout, "init", "-q")
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "one")
    run(checkout, "--fix", "--write", "--no-linters")
    assert "Nothing found" in run(checkout, "--no-linters")[1]
    _, out, _ = run(checkout, "--commit", "HEAD")
    assert "job-without-timeout" in out
    assert "zizmor/unpinned-uses" in out
    assert re.search(r"of checkout at [0-9a-f]{10}", out)
    assert run(checkout, "--commit", "HEAD", "--fix", "--write")[0] == 2


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a server of an invented repository, which the command asks."""
    with serve(State.generated(8, 2, 1, ends_at=NOW, days=6), tokens={TOKEN: Rights()}, now=NOW) as served:
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        monkeypatch.setenv("GITHUB_API_URL", served.api_url)
        yield served


def test_a_repository_on_github(run: Run, server: Any) -> None:
    told = json.loads(run("example/generated", "--format", "json", "--no-linters")[1])
    sha = server.state.refs["heads/main"]
    assert (told["n_workflows"], told["commit"], told["repo"]) == (2, sha, "example/generated")
    n_asked = len(server.asked)
    assert n_asked < 10
    old = next(iter(server.state.commits))
    code, out, _ = run(f"example/generated@{old}", "--no-linters", "--severity", "medium")
    assert (code, f"of example/generated at {old[:10]}" in out) == (0, True)
    code, _, err = run("example/generated@no-such-branch")
    assert (code, "is no commit that GitHub knows" in err) == (4, True)
    assert run("example/unknown")[0] == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no-such-folder",), "no-such-folder: does not exist here, and is no repository"),
        ((CI,), "is no folder; name the folder of a checkout"),
        ((".github",), ".github: holds no workflow files; name the root of a checkout"),
        ((".", "--rule", "job-without-timeouts"), "did you mean job-without-timeout?"),
        ((".", "--severity", "great"), "great: is not a severity"),
        ((".", "--certainty", "sure"), "sure: is not a certainty"),
        ((".", "--write"), "--write: is told without --fix"),
        ((".", "--fix", "--format", "json"), "is not used with --fix"),
        ((".", "--write-baseline"), "is told no file"),
        ((".", "--baseline", CI), "is no baseline"),
        ((".", "--baseline", "no.json"), "no.json: No such file or directory; make it with --write-baseline"),
        ((".", "--commit", "HEAD"), "is not a git repository"),
        (("a/b", "--commit", "main"), "write a/b@main"),
        ((".", "--rules", "--format", "sarif"), "is no form of the rules"),
    ],
)
def test_what_cannot_be_audited_is_told_in_a_line(
    run: Run, checkout: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(checkout)
    code, out, err = run(*words, "--no-linters")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_rules_are_listed(run: Run) -> None:
    _, out, _ = run("--rules")
    assert all(
        re.search(rf"^{card.id} +{card.severity.name.lower()} ", out, re.MULTILINE) for card in read_cards().values()
    )
    assert [card["id"] for card in json.loads(run("--rules", "--format", "json")[1])] == list(read_cards())


def test_patterns_are_printed_and_clean(run: Run) -> None:
    _, out, _ = run("--patterns")
    files = {f".github/workflows/{name}": text for name, text in read_patterns().items()}
    assert all(text in out for text in files.values())
    assert 'alert-threshold: "110%"' in out
    around = {
        "Cargo.toml": '[package]\nname = "kvstore"\nversion = "0.1.0"\nedition = "2024"\n',
        "Cargo.lock": 'version = 4\n\n[[package]]\nname = "kvstore"\nversion = "0.1.0"\n',
        "rust-toolchain.toml": '[toolchain]\nchannel = "1.91.0"\ncomponents = ["clippy", "rustfmt"]\n',
        ".config/nextest.toml": '[profile.ci]\nslow-timeout = { period = "30s", terminate-after = 4 }\n'
        '[profile.ci.junit]\npath = "junit.xml"\n',
        ".github/dependabot.yml": (ROOT / ".github/dependabot.yml").read_text("utf-8").replace("pip", "cargo"),
        "src/lib.rs": "",
        "benches/reads.rs": "",
        "tests/it.rs": "#[test]\nfn works() {}\n",
    }
    tree = tree_of(files | around)
    found = audit(tree, linted=run_linters(tree, environment=ENVIRONMENT))
    assert all(linter.has_run for linter in found.linters)
    # What a repository lacks beside its workflows is told at one of them.
    of_files = [mark for mark in found.marks if mark.subject != "repository"]
    assert [(mark.path, mark.line, mark.rule, mark.claim) for mark in of_files] == []


def test_it_is_light_enough_for_a_hook() -> None:
    heavy = {"pandas", "numpy", "matplotlib", "github", "requests", "jsonschema", "nbformat", "pyarrow"}
    script = (
        "import sys; from kotaci.cli import main; main(['audit', '--no-linters', '--format', 'sarif']);"
        "print('loaded', *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = done.stderr.partition("loaded")[2].split()
    assert not heavy & {name.partition(".")[0] for name in loaded}
    assert "kotaci.logs.failure" not in loaded
