"""`kotaci handoff`: the hand-off of the sample, the page about its workflows, hostile names, a person's words."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mistune import create_markdown

from kotaci.actions import Kind, read_plan
from kotaci.analysis.handover import JOB_COLUMNS, find_ci_changes, measure_jobs
from kotaci.cli import main
from kotaci.config import CodeOwners, Owners, parse_codeowners
from kotaci.model import BadInput, ExitCode
from kotaci.pages.handoff import handoff_page
from kotaci.pages.workflows import WorkflowFacts, declared_caches, needs_graph, workflows_page
from kotaci.places import sample_folder
from kotaci.report.sections import markers, replace_section
from kotaci.tables import COMMITS, JOBS
from kotaci.workflows import parse_workflow
from tests.actions.test_hostile import handoff_of
from tests.analysis.frames import frame, job, run
from tests.builders import LAST, REPO, SEEDED, checkout, job_log, script, set_up

TRUTHS = {
    truth["id"]: truth for truth in json.loads((sample_folder() / "truths.json").read_text(encoding="utf-8"))["truths"]
}
BEGIN, END = markers("workflows")
to_html = create_markdown(escape=False, plugins=["table", "strikethrough", "url"])
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def handoff(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs `kotaci handoff WORDS` on the sample and returns (exit code, out, err)."""

    def command(*words: str | Path) -> tuple[int, str, str]:
        code = main(["handoff", *map(str, words), "--sample"])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


# -- the sample -----------------------------------------------------------------------------------------------

OURS = f"Ours.\r\n\r\n{BEGIN}\r\nold\r\n{END}\r\nOurs too: @us\r\n"


@dataclass(frozen=True)
class Made:
    """What one hand-off gave: its JSON, its two files, and a README that was there before."""

    told: dict[str, Any]
    page: str
    workflows: str
    readme: bytes


@pytest.fixture(scope="module")
def made(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return the hand-off of the whole sample, made once."""
    out, workspace = tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("workspace")
    readme = workspace / ".github/workflows/README.md"
    readme.parent.mkdir(parents=True)
    readme.write_bytes(OURS.encode())
    with redirect_stdout(StringIO()) as said:
        words = ["--since", "all", "--json", "--out", str(out), "--workspace", str(workspace)]
        assert main(["handoff", "--sample", *words]) == 0
    assert [path.name for path in readme.parent.iterdir()] == ["README.md"]
    texts = [(out / name).read_text(encoding="utf-8") for name in ("handoff.md", "README.md")]
    return Made(json.loads(said.getvalue()), *texts, readme.read_bytes())


def test_the_hand_off_tells_what_is_planted(made: Made) -> None:
    changed = {one["commit"] for one in made.told["changes"]}
    for truth in ("claim-true", "claim-false", "claim-undecidable", "lost-target"):
        assert TRUTHS[truth]["where"]["commit"] in changed, truth
    assert all(not one["subject"].startswith("Merge ") for one in made.told["changes"])
    flaky = {one["test"] for one in made.told["flaky_tests"] if one["status"] == "flaky"}
    assert flaky >= {TRUTHS[truth]["where"]["test"] for truth in ("race-path", "rare-flake")}
    ci = next(one for one in made.told["workflows"] if one["workflow"] == "ci.yml")
    assert (ci["owner"], ci["n"] > ci["n_failed"] > 0) == ("@kvstore-maintainer", True)
    assert ci["wall_p95_s"] > ci["wall_s"]
    assert "flaky" not in {one["verdict"] for one in made.told["findings"]}


def test_the_page_notifies_nobody_and_names_whom_to_tag(made: Made) -> None:
    assert TRUTHS["claim-true"]["where"]["commit"][:10] in made.page
    assert "**high** `docs.yml` has not run for" in made.page
    assert "- `@kvstore-contributor`: `listener::tests::" in made.page
    assert not re.search(r"(?<![`\w])@\w", made.page)


@pytest.mark.parametrize(
    "words",
    [
        "- starts on `push` on `main`, `develop`",
        "at `17 2 * * 1,4`",
        "| `coverage` | `tests` | `ubuntu-latest` | 360 min, GitHub's default | `actions/cache` `cargo-",
        "| `tests`, 3 legs | `lint` | `ubuntu-latest`, `ubuntu-24.04-arm` | 20 min |",
        '  j2["tests × 3"]\n',
        "  j0 --> j2\n",
        "`strict-lints`, may fail",
        "seen `nightly-*`, 0 of 25 restores exact",
        "`@kvstore-maintainer`",
    ],
)
def test_the_page_about_workflows_tells_what_files_and_runs_tell(made: Made, words: str) -> None:
    assert words in made.workflows


def test_only_the_section_of_a_readme_is_replaced(made: Made) -> None:
    assert made.workflows.startswith(f"# Workflows\n\n{BEGIN}\nMade by")
    section = made.workflows.split(f"{BEGIN}\n")[1].split(f"\n{END}")[0]
    assert made.readme.decode() == OURS.replace("old", section.replace("\n", "\r\n"))


@pytest.mark.slow
def test_the_same_store_gives_the_same_bytes(handoff: Run, tmp_path: Path) -> None:
    said = []
    for _ in range(2):
        code, out, err = handoff("--window", "2d", "--out", tmp_path)
        assert (code, out, "4 workflows" in err) == (0, "", True), err
        said.append([path.read_bytes() for path in sorted(tmp_path.iterdir())])
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "soon"), "soon: is not a date"),
        (("--window", "soon"), "soon: is not a date"),
        (("--workspace", "."), "has no .github/workflows"),
    ],
)
def test_bad_input_is_named(
    handoff: Run, words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = handoff(*words)
    assert (code, said in err) == (2, True), err


@pytest.mark.parametrize(("body", "said"), [(f"{END}\n{BEGIN}\n".encode(), "one pair of"), (b"\xff", "not UTF-8")])
def test_a_readme_that_cannot_hold_the_section_is_left_alone(
    handoff: Run, tmp_path: Path, body: bytes, said: str
) -> None:
    (tmp_path / "README.md").write_bytes(body)
    code, _, err = handoff("--out", tmp_path)
    assert (code, said in err) == (2, True), err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"README.md": body}


def test_a_store_without_commits_says_so_and_leaves_a_readme_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "build.txt"
    log.write_text(job_log([set_up(job="build"), checkout(), script(3, "make", "boom", exit_code=2), LAST]))
    store = str(tmp_path / "store")
    said = ["--repo", REPO, "--run", "7", "--workflow", "ci.yml"]
    assert main(["import", str(log), *said, "--store", store]) == 0
    readme = tmp_path / ".github/workflows/README.md"
    readme.parent.mkdir(parents=True)
    readme.write_text("Ours.\n")
    capsys.readouterr()
    assert main(["handoff", "--store", store, "--workspace", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert "Cannot be told: no commit is held." in told.out
    assert "Nobody is named" in told.out
    assert "no workflow file is held, so no README is written" in told.err
    assert readme.read_text() == "Ours.\n"


def test_the_hand_off_as_a_plan_for_an_issue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "build.txt"
    log.write_text(job_log([set_up(job="build"), checkout(), script(3, "make", "boom", exit_code=2), LAST]))
    said = ["--repo", REPO, "--run", "7", "--workflow", "ci.yml", "--store", "store"]
    assert main(["import", "build.txt", *said]) == 0
    words = ["handoff", "--store", "store", "--issue", "12"]
    capsys.readouterr()
    assert main([*words, "--tag", "@ann", "--tag", "@octo-org/ci"]) == 0
    told = capsys.readouterr().out
    assert "hand-off · issue #12 · asked for, notifies @ann, @octo-org/ci\n  jq -r '.actions[0].body' plan.json" in told
    assert "1 action in plan.json; nothing is written yet: kotaci apply plan.json" in told
    (action,) = read_plan(tmp_path / "plan.json").actions
    assert (action.kind, action.number, action.repo) == (Kind.HAND_OFF, 12, REPO)
    assert f"-->\ncc @ann @octo-org/ci\n\n# CI hand-off: {REPO}" in action.body
    assert main(words) == 0
    (action,) = read_plan(tmp_path / "plan.json").actions
    assert "cc @" not in action.body
    capsys.readouterr()
    for tag in ("ann", "@", "@a b", "@a/b/c", "@ann\n@bob"):
        assert main([*words, "--tag", tag]) == ExitCode.BAD_INPUT
        assert "is no name on GitHub; write @user or @org/team" in capsys.readouterr().err
    assert main([*words, *["--tag", "@ann"] * 11]) == ExitCode.BAD_INPUT
    assert main(["handoff", "--sample", "--issue", "12"]) == ExitCode.BAD_INPUT
    assert "the sample, an invented repository" in capsys.readouterr().err


@pytest.mark.parametrize(("budget", "said"), [(7_000, "… and 4 more commits."), (700, "12 commits, too many to name.")])
def test_a_hand_off_that_does_not_fit_names_fewer(budget: int, said: str) -> None:
    page = handoff_page(handoff_of([f"name {n} " for n in range(12)]), budget=budget)
    assert len(page) <= budget
    assert said in page
    assert "## Whom to tag" in page


def test_a_strangers_commit_does_nothing_in_the_hand_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], hostile: list[str]
) -> None:
    clone, store = tmp_path / "clone", str(tmp_path / "store")
    workflow = clone / ".github/workflows/ci.yml"
    workflow.parent.mkdir(parents=True)
    subjects = [
        " ".join(words.replace("\0", "").split()) for words in [*hostile, "fixes #12 @octocat | GH-3 www.evil.test"]
    ]

    def git(*words: str) -> None:
        who = ["-c", "user.name=@octocat [x](y)", "-c", "user.email=o@example.com"]
        subprocess.run(["git", *who, *words], cwd=clone, check=True, capture_output=True)

    git("init", "--quiet")
    for place, subject in enumerate(subjects):
        workflow.write_text(f"on: push\njobs: {{a{place}: {{runs-on: x}}}}\n")
        git("add", "--all")
        git("commit", "--quiet", "--cleanup=verbatim", "-m", subject)
    assert main(["import", "--git", str(clone), "--repo", REPO, "--store", store]) == 0
    capsys.readouterr()
    assert main(["handoff", "--since", "all", "--store", store]) == 0
    page = capsys.readouterr().out
    assert page.count("| `ci.yml` |") == len(subjects)
    html = to_html(page)
    links = re.findall(r'(?:href|src)="([^"]*)"', html)
    assert all(one.startswith(f"https://github.com/{REPO}/commit/") for one in links)
    text = re.sub(r"<[^>]*>", "", re.sub(r"<code[^>]*>.*?</code>", "", html, flags=re.DOTALL))
    assert not re.search(r"@\w|#\d|\bGH-\d|://\w|\bwww\.\w", re.sub(r"&#\d+;", "", text))
    assert not re.search(r"<(?:script|img|svg|iframe|style|h1 [^>]*on)", html)


# -- changes and jobs -----------------------------------------------------------------------------------------


def commit(sha: str, *, parents: str = "", day: int = 1, files: str = "", tree: str | None = "t") -> dict[str, Any]:
    at = datetime(2026, 3, day, tzinfo=UTC)
    return {
        "repo": "o/r", "commit_sha": sha, "parents": parents, "author": "ann", "authored_at": at, "committed_at": at,
        "subject": f"about {sha}", "message": "", "n_files": 1, "files": files, "workflows_tree": tree,
    }  # fmt: skip


def test_changes_are_those_of_workflow_files_and_not_of_mere_merges() -> None:
    ci = ".github/workflows/ci.yml"
    commits = frame(COMMITS, [
        commit("a", day=1, files=f"src/x.rs\n{ci}", tree="t1"),
        commit("b", parents="a", day=2, files=f"{ci}\n.github/workflows/x.yml", tree="t2"),
        commit("c", parents="a b", day=3, files=ci, tree="t2"),
        commit("d", parents="a b", day=4, files=ci, tree="t3"),
        commit("e", parents="d", day=5, files=".github/CODEOWNERS", tree="t3"),
        commit("f", parents="d", day=6, files="", tree=None),
    ])  # fmt: skip
    changes = find_ci_changes(commits, since=datetime(2026, 3, 2, tzinfo=UTC))
    assert changes["commit_sha"].tolist() == ["d", "b"]
    assert changes["files"].tolist() == [("ci.yml",), ("ci.yml", "x.yml")]
    assert find_ci_changes(commits, since=None)["commit_sha"].tolist() == ["d", "b", "a"]


def test_a_job_is_measured_over_its_legs_and_its_rate_over_first_attempts() -> None:
    one, again = run(1, "failure"), run(1, "success") | {"attempt": 2}

    jobs = frame(JOBS, [
        job(one, "failure", name="test (a)") | {"job_id": 1}, job(one, name="test (b)", wall=100) | {"job_id": 2},
        job(again, name="test (a)", wall=300) | {"job_id": 3},
    ])  # fmt: skip
    (row,) = measure_jobs(jobs).to_dict("records")
    assert (row["n"], row["n_failed"], row["n_wall"], row["wall_s"]) == (2, 1, 2, 200)
    assert list(measure_jobs(jobs.iloc[:0]).columns) == JOB_COLUMNS


# -- the page about workflows ---------------------------------------------------------------------------------


def facts(texts: dict[str, str], **told: Any) -> WorkflowFacts:
    """Return facts of files of which no run is held."""
    empty = pd.DataFrame(columns=["path", "workflow", "job_base", "attempt", "family", "result"])
    plain = WorkflowFacts("o/r", texts, "5" * 40, "no runs", empty, empty, empty, Owners(), CodeOwners(), 5)
    return replace(plain, **told)


def test_hostile_names_do_nothing(hostile: list[str]) -> None:
    jobs = "".join(
        f"  j{place}:\n    name: {json.dumps(words)}\n    if: {json.dumps(words)}\n    runs-on: {json.dumps(words)}\n"
        f"    steps: [{{uses: actions/cache@v4, with: {{key: {json.dumps(words)}}}}}]\n"
        for place, words in enumerate(hostile)
    )
    text = f"name: {json.dumps(hostile[5])}\non: {{push: {{branches: {json.dumps(hostile)}}}}}\njobs:\n{jobs}"
    page = workflows_page(
        facts(
            {".github/workflows/x|<b>@me.yml": text, ".github/workflows/y.yml": "]["},
            owners=Owners(workflows=(("*", "@octocat <img src=x>"),)),
        )
    )
    html = to_html(page)
    plain = re.sub(r"<code[^>]*>.*?</code>", "", html, flags=re.DOTALL)
    assert set(re.findall(r"<([a-z0-9]+)", html)) <= {
        "p", "code", "table", "thead", "tbody", "tr", "th", "td", "h3", "ul", "li", "pre", "a", "strong",
    }  # fmt: skip
    assert not re.search(r"@\w", re.sub(r'href="[^"]*"', "", plain))
    assert set(re.findall(r'href="([^"]+)"', html)) <= {
        f"https://github.com/o/r/actions/workflows/{name}.yml"
        for name in ("x%7C%3Cb%3E%40me", "y", "x%257C%253Cb%253E%2540me")
    }
    assert page.count("```") == 2
    assert "**The file has" in page


def test_a_graph_holds_any_job() -> None:
    keys = ["end", "a-b", "über", "graph"]
    text = "on: push\njobs:\n" + "".join(
        f"  {key}: {{runs-on: x, needs: {json.dumps(keys[:place])}}}\n" for place, key in enumerate(keys)
    )
    graph = needs_graph(parse_workflow(text, path="x.yml"))
    assert graph.splitlines()[2:6] == ['  j0["end"]', '  j1["a-b"]', '  j2["über"]', '  j3["graph"]']
    assert "  j0 --> j3" in graph


@SEEDED
@given(st.text(min_size=1, max_size=40))
def test_a_label_cannot_end_its_quotes(key: str) -> None:
    file = parse_workflow("on: push\njobs: {a: {runs-on: x}}", path="x.yml")
    graph = needs_graph(replace(file, jobs=(replace(file.jobs[0], key=key),)))
    assert re.fullmatch(r'```mermaid\ngraph LR\n  j0\["[^"`<>&\[\]{}|\\@\n]*"\]\n```', graph)


def test_caches_that_a_file_declares() -> None:
    steps = [
        "{uses: actions/cache@v4, with: {path: x, key: a}}", "{uses: Swatinem/rust-cache@v2}",
        "{uses: actions/setup-node@v4, with: {cache: npm}}", "{uses: actions/setup-go@v5, with: {cache: false}}",
        "{run: make cache}", "{uses: actions/setup-python@v5}",
    ]  # fmt: skip
    file = parse_workflow(f"on: push\njobs: {{a: {{runs-on: x, steps: [{', '.join(steps)}]}}}}", path="x.yml")
    assert declared_caches(file.jobs[0]) == [
        "`actions/cache` `a`",
        "`Swatinem/rust-cache`",
        "`actions/setup-node` `npm`",
    ]


def test_code_owners_count_where_the_configuration_names_nobody() -> None:
    texts = {".github/workflows/x.yml": "on: push\njobs: {a: {runs-on: x}}"}
    of_code = parse_codeowners("/.github/ @ann")
    assert "| `@ann` |" in workflows_page(facts(texts, code_owners=of_code))
    owners = Owners(workflows=(("x.yml", "@bob"),), jobs=(("a", "@cy"),))
    page = workflows_page(facts(texts, code_owners=of_code, owners=owners))
    assert ("| `@bob` |" in page, "owner `@cy`" in page, "@ann" in page) == (True, True, False)


def test_without_files_that_is_said() -> None:
    assert "No workflow file is held" in workflows_page(facts({}))


# -- sections -------------------------------------------------------------------------------------------------

lines = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=9), max_size=5)


@SEEDED
@given(lines, lines, lines, st.sampled_from(["\n", "\r\n"]))
def test_a_persons_words_stay(before: list[str], after: list[str], section: list[str], newline: str) -> None:
    head, tail = (newline.join([*part, ""]) for part in (before, after))
    old = f"{head}{BEGIN}{newline}old{newline}{END}{newline}{tail}"
    new = replace_section(old, "\n".join(section), name="workflows", source="x")
    assert (new.startswith(head + BEGIN), new.endswith(END + newline + tail)) == (True, True)
    assert replace_section(new, "\n".join(section), name="workflows", source="x") == new
    appended = replace_section(head, "\n".join(section), name="workflows", source="x")
    assert appended.startswith(head)
    assert replace_section(appended, "\n".join(section), name="workflows", source="x") == appended


@pytest.mark.parametrize("text", [BEGIN, END, f"{END}\n{BEGIN}", f"{BEGIN}\n{END}\n{BEGIN}\n{END}"])
def test_markers_that_are_no_pair_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="has not one pair"):
        replace_section(text, "new", name="workflows", source="README.md")
