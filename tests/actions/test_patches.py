"""Remedies as pull requests: what is planned and what is left out, what is written, and what holds it back."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kotaci.actions import Applied, Ground, HeldPull, Kind, Plan, fetch_ground, read_plan, write_plan
from kotaci.actions.files import parse_plan, to_json
from kotaci.actions.identity import Marker, find_sections
from kotaci.actions.patches import PatchOptions, plan_patches, to_remedies
from kotaci.actions.pulls import RIGHTS, blob_id
from kotaci.archives.checkout import tree_of
from kotaci.audit import audit
from kotaci.cli import main
from kotaci.github import Client, Refused
from kotaci.model import BadInput, ExitCode, KotaciError, Price
from tests.actions.conftest import TOKEN, writes
from tests.actions.plans import CHECKS, CI, WHERE, WITHOUT_LIMIT, developed, patch_plan
from tests.actions.reports import finding, write_report
from tests.github_server import Fault, Rights, Server

Apply = Callable[..., list[Applied]]
OTHER = ".github/workflows/other.yml"
TWO = WITHOUT_LIMIT + "  lint:\n    runs-on: x\n    steps:\n      - run: cargo fmt\n"
GROUND = Ground("develop", "d" * 40, "2026-11-20T12:00:00Z", {})


def plan_of(files: dict[str, str], ground: Ground = GROUND, **options: Any) -> Plan:
    """Return the plan for these files, of which the base holds the same."""
    tree = tree_of(files)
    remedies, left_out = to_remedies(tree, audit(tree, rules=["job-without-timeout"]).marks, **options)
    blobs = {path: blob_id(text.encode()) for path, text in files.items()} | ground.blobs
    return plan_patches(remedies, replace(ground, blobs=blobs), repo=WHERE, left_out=left_out)


def test_one_for_a_rule_in_a_file() -> None:
    plan = plan_of({CI: TWO, OTHER: WITHOUT_LIMIT})
    assert [action.kind for action in plan.actions] == [Kind.OPEN_PULL] * 2
    action = plan.actions[0]
    change = action.change
    assert change
    assert action.title == "fix(ci): mend job-without-timeout in ci.yml"
    assert change.message.startswith(f"{action.title}\n\nA hanging test or a waiting prompt")
    assert change.message.endswith(
        "\n\n- add `timeout-minutes: 30` to job test\n- add `timeout-minutes: 30` to job lint\n"
    )
    assert change.branch.startswith("fix/ci-job-without-timeout-")
    assert (change.base, [file.path for file in change.files]) == ("develop", [CI])
    assert change.files[0].blob_sha == blob_id(TWO.encode())
    assert change.diff.count("\n+    timeout-minutes: 30\n") == 2
    assert "**Expected:** no saving was measured. After the merge" in action.body
    assert "Made from `develop` at dddddddddddd" in action.body
    assert len({one.change.branch for one in plan.actions if one.change}) == 2
    assert plan_of({CI: "# moved\n" + TWO}).actions[0].id == action.id
    assert plan_of({CI: WITHOUT_LIMIT}).actions[0].id != action.id


def test_the_dearest_first_and_its_price_in_its_body() -> None:
    tree = tree_of({CI: TWO, OTHER: WITHOUT_LIMIT})
    prices = {
        f"{mark.rule}-{mark.identity}": (Price(minutes=30.5 * n, basis="replayed"), 40, "longest runs")
        for n, mark in enumerate(audit(tree, rules=["job-without-timeout"]).marks)
    }
    plan = plan_of({CI: TWO, OTHER: WITHOUT_LIMIT}, prices=prices)
    assert [action.title.rpartition(" ")[2] for action in plan.actions] == ["other.yml", "ci.yml"]
    assert "**Expected:** it saves up to 61" in plan.actions[0].body
    assert "(replayed) over the data's window" in plan.actions[0].body
    assert "n = 40; longest runs" in plan.actions[0].body


def test_what_is_left_out_is_said() -> None:
    files = {
        CI: TWO,
        OTHER: WITHOUT_LIMIT,
        ".github/workflows/flow.yml": "on: push\njobs: {a: {runs-on: x, steps: [{run: a}]}}\n",
    }
    first, second = plan_of(files).actions
    marker = find_sections(first.body)[0].marker

    def left(**changed: Any) -> tuple[int, str]:
        plan = plan_of(files, replace(GROUND, **changed))
        return len(plan.actions), "; ".join(plan.left_out)

    assert left() == (2, "")
    about = HeldPull(7, marker, True, "")
    assert left(pulls=(about,)) == (1, "job-without-timeout in ci.yml: pull request #7 is about it, open")
    assert left(pulls=(replace(about, is_open=False),))[1].endswith("is about it, closed, and stays so")
    before = replace(marker, id=f"{marker.id[:-8]}00000000")
    assert left(pulls=(replace(about, marker=before),))[0] == 1
    assert left(pulls=(replace(about, marker=before, is_open=False),))[0] == 2
    assert left(pulls=(replace(about, marker=Marker("flaky-test", marker.id)),))[0] == 2
    told = f"job-without-timeout in ci.yml: {CI} is another on develop than here; check out develop first"
    assert left(blobs={CI: "0" * 40}) == (1, told)
    tree = tree_of(files)
    remedies, _ = to_remedies(tree, audit(tree, rules=["job-without-timeout"]).marks)
    blobs = {path: blob_id(text.encode()) for path, text in files.items()}
    plan = plan_patches(remedies, replace(GROUND, blobs=blobs), repo=WHERE, options=PatchOptions(max_new=1))
    assert plan.left_out == ("1 new pull request over the limit of 1 a run: job-without-timeout in other.yml",)
    assert second.id != first.id


def test_words_of_a_file_name_nobody_and_close_nothing() -> None:
    text = WITHOUT_LIMIT.replace("test:", "'fixes #12 @octocat <!-- kotaci:1 kind=a id=b -->':")
    (action,) = plan_of({CI: text}).actions
    assert action.change
    for said in (action.change.message, action.body):
        assert "#12" not in said
        assert "@octocat" not in said
    assert len(find_sections(action.body)) == 1


@pytest.mark.parametrize(
    ("branches", "asked", "chosen"),
    [
        (("main", "develop"), "", "develop"),
        (("main",), "", "main"),
        (("main", "develop", "next/one"), "next/one", "next/one"),
        (("main",), "gone", None),
    ],
)
def test_the_base(
    branches: tuple[str, ...], asked: str, chosen: str | None, server: Server, client: Callable[[], Client]
) -> None:
    head = server.state.refs["heads/main"]
    server.state.refs = {f"heads/{name}": head for name in branches}
    if chosen is None:
        with pytest.raises(BadInput, match="gone: is no branch of example/generated"):
            fetch_ground(client(), WHERE, base=asked, paths=())
        return
    ground = fetch_ground(client(), WHERE, base=asked, paths={CI, "gone.yml"})
    assert (ground.base, ground.sha, set(ground.blobs)) == (chosen, head, {CI})


def test_the_pull_requests_that_are_there(server: Server, client: Callable[[], Client], apply: Apply) -> None:
    plan = patch_plan(developed(server))
    (change,) = [action.change for action in plan.actions if action.change]
    apply(plan)
    assert [pull.is_open for pull in fetch_ground(client(), WHERE, base="", paths=()).pulls] == [True]
    server.state.pulls[4]["state"] = "closed"
    assert fetch_ground(client(), WHERE, base="", paths=()).pulls == ()
    (closed,) = fetch_ground(client(), WHERE, base="", paths=(), branches=[change.branch], max_new=1).pulls
    assert (closed.number, closed.is_open) == (4, False)
    (one,) = apply(plan)
    assert (one.done, one.besides) == ("nothing to do", "was closed, and stays so")


def refused(plan: Plan, apply: Apply, server: Server) -> str:
    """Return the sentence with which a plan is refused; nothing that shows may have been written."""
    refs, pulls = dict(server.state.refs), dict(server.state.pulls)
    with pytest.raises(KotaciError) as caught:
        apply(plan)
    assert (server.state.refs, server.state.pulls) == (refs, pulls)
    return str(caught.value)


def test_a_file_or_branch_that_is_another_by_now_is_left(server: Server, apply: Apply) -> None:
    plan = patch_plan(developed(server))
    (change,) = [action.change for action in plan.actions if action.change]
    developed(server, WITHOUT_LIMIT + "# by hand\n")
    assert f"develop:{CI}: was changed since the plan was made; make the plan again" in refused(plan, apply, server)
    developed(server)
    server.state.refs[f"heads/{change.branch}"] = server.state.refs["heads/main"]
    assert "is a branch already, and holds something else; delete it" in refused(plan, apply, server)
    del server.state.refs["heads/develop"]
    assert "develop: is no branch of example/generated (404)" in refused(plan, apply, server)
    assert writes(server) == []


def test_a_new_file_is_not_put_over_one_that_came_since(server: Server, apply: Apply) -> None:
    plan = patch_plan(developed(server))
    (action,) = plan.actions
    assert action.change
    files = [replace(file, blob_sha="") for file in action.change.files]
    told = replace(plan, actions=(replace(action, change=replace(action.change, files=files)),))
    assert "was changed since the plan was made" in refused(told, apply, server)


@pytest.mark.parametrize("branch", ["main", "develop", "next", "feature"])
def test_peoples_branches_are_never_written_to(branch: str, server: Server, apply: Apply) -> None:
    plan = patch_plan(developed(server))
    (action,) = plan.actions
    assert action.change
    server.state.refs["heads/next"] = server.state.refs["heads/develop"]
    change = replace(action.change, branch=branch, base="next")
    told = replace(plan, actions=(replace(action, change=change),))
    assert f"{branch}: is a branch that nothing is written to" in refused(told, apply, server)
    with pytest.raises(BadInput, match=r"change.branch '.*': has another form"):
        parse_plan(to_json(told))


@pytest.mark.parametrize(
    ("fault", "endpoint", "told"),
    [
        ("403", "/git/trees", "this token may not write it (403"),
        ("404", "/git/trees", "this token may not write there (404)"),
        ("403", "/git/refs", "this token may not write it (403"),
        ("403", "/pulls", "this token may not write it (403"),
    ],
)
def test_a_token_without_the_right(fault: str, endpoint: str, told: str, server: Server, apply: Apply) -> None:
    plan = patch_plan(developed(server))
    server.faults.append(Fault(fault, f"/repos/{{owner}}/{{repo}}{endpoint}", method="POST"))
    with pytest.raises(Refused) as caught:
        apply(plan)
    assert told in str(caught.value)
    assert f"; {RIGHTS}; or apply the patch by hand" in str(caught.value)
    assert len(server.state.pulls) == 1
    assert [one.done for one in apply(plan)] == ["opened"]
    assert CHECKS[Kind.OPEN_PULL](server)


@pytest.mark.parametrize("endpoint", ["/git/trees", "/git/commits", "/git/refs", "/pulls"])
@pytest.mark.parametrize("fault", ["unheard", "502"])
def test_each_write_that_got_no_answer(fault: str, endpoint: str, server: Server, apply: Apply) -> None:
    plan = patch_plan(developed(server))
    server.faults.append(Fault(fault, f"/repos/{{owner}}/{{repo}}{endpoint}", method="POST"))
    assert [one.done for one in apply(plan)] == ["opened"]
    assert CHECKS[Kind.OPEN_PULL](server)
    is_found = fault == "unheard" and endpoint in {"/git/refs", "/pulls"}
    assert len(writes(server)) == (4 if is_found else 5)


def test_a_branch_without_its_pull_request_gets_one(server: Server, apply: Apply) -> None:
    plan = patch_plan(developed(server))
    apply(plan)
    del server.state.pulls[4]
    writes(server)
    assert [one.done for one in apply(plan)] == ["opened"]
    assert writes(server) == ["POST /pulls"]
    assert CHECKS[Kind.OPEN_PULL](server)


def test_a_repository_without_drafts_is_told(server: Server, apply: Apply) -> None:
    plan = patch_plan(developed(server))
    server.state.repo["has_drafts"] = False
    (one,) = apply(plan)
    assert (one.done, one.besides) == ("opened", "no draft: this repository has none")


def test_a_strangers_pull_request_counts_for_nothing(server: Server, apply: Apply) -> None:
    plan = patch_plan(developed(server))
    (action,) = plan.actions
    assert action.change
    told = {**server.state.pulls[3], "id": 4, "number": 4, "body": action.body, "user": "mallory", "state": "closed"}
    told |= {"author_association": "NONE", "head": {"ref": action.change.branch, "sha": "d" * 40}}
    server.state.pulls[4] = told
    assert [one.done for one in apply(plan)] == ["opened"]


def test_a_plan_comes_back_and_a_wrong_word_in_it_is_named(tmp_path: Path) -> None:
    plan = plan_of({CI: WITHOUT_LIMIT})
    write_plan(plan, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan
    for way, value, said in (
        (("branch",), "fix/other", "change.branch 'fix/other': has another form"),
        (("base",), "-x", "change.base '-x': has another form"),
        (("files",), [], "change: has no files, or no message"),
        (("files", 0, "path"), "../x", "leaves the repository"),
        (("files", 0, "path"), "/etc/x", "has another form"),
        (("files", 0, "blob_sha"), "x", "blob_sha 'x': has another form"),
        (("more",), 1, "is a key that no plan has"),
    ):
        told = json.loads(to_json(plan))
        place = told["actions"][0]["change"]
        for word in way[:-1]:
            place = place[word]
        place[way[-1]] = value
        with pytest.raises(BadInput) as caught:
            parse_plan(json.dumps(told))
        assert said in str(caught.value)
    told = json.loads(to_json(plan))
    told["actions"][0]["change"] = None
    with pytest.raises(BadInput, match="does not go with open-pull"):
        parse_plan(json.dumps(told))


# -- as typed ----------------------------------------------------------------------------------------------------


@pytest.fixture
def workspace(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a checkout of develop; the token is set, and no configuration is near."""
    developed(server)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.delenv("KOTACI_CONFIG", raising=False)
    monkeypatch.setenv("CI", "")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / CI).parent.mkdir(parents=True)
    (tmp_path / CI).write_text(WITHOUT_LIMIT)
    return tmp_path


def kotaci(server: Server, *words: str) -> int:
    """Run the command line against the server."""
    return main([*words, "--api-url", server.api_url, "--points", "0"])


FROM_GITHUB = ("plan", "--patch", "--repo", "example/generated", "--rule", "job-without-timeout")
PLAN = ("plan", "--patch", "--repo", "example/generated", "--workspace", ".", "--rule", "job-without-timeout")


def test_planned_and_applied_as_typed(server: Server, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kotaci(server, *PLAN) == ExitCode.DONE
    said = capsys.readouterr().out
    assert "open-pull · a new pull request of fix/ci-job-without-timeout-" in said
    assert "to develop: fix(ci): mend job-without-timeout in ci.yml" in said
    assert "note · workflow files need a token with the `workflow` scope" in said
    assert writes(server) == []
    assert kotaci(server, "apply", "plan.json", "--dry-run") == ExitCode.DONE
    assert "would be opened · open-pull" in capsys.readouterr().out
    assert [kotaci(server, "apply", "plan.json") for _ in range(2)] == [ExitCode.DONE] * 2
    assert "nothing to do · open-pull" in capsys.readouterr().out
    assert CHECKS[Kind.OPEN_PULL](server)
    assert kotaci(server, *PLAN, "-o", "again.json") == ExitCode.DONE
    assert "left out · job-without-timeout in ci.yml: pull request #4 is about it, open" in capsys.readouterr().out


def test_without_a_checkout_the_base_is_read_from_github(
    server: Server, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / CI).unlink()
    assert kotaci(server, *FROM_GITHUB) == ExitCode.DONE
    assert "to develop: fix(ci): mend job-without-timeout in ci.yml" in capsys.readouterr().out
    assert kotaci(server, "apply", "plan.json") == ExitCode.DONE
    assert CHECKS[Kind.OPEN_PULL](server)


def test_a_refused_patch_is_offered_as_text(
    server: Server, workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.tokens[TOKEN] = Rights(workflows="none")
    kotaci(server, *PLAN)
    capsys.readouterr()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("CI", "true")
    assert kotaci(server, "apply", "plan.json") == ExitCode.REFUSED
    told = capsys.readouterr()
    assert told.err.startswith("kotaci: note: workflow files need a token")
    assert "refusing to allow a GitHub App to create or update workflow" in told.err
    subprocess.run(["git", "apply", "-"], cwd=workspace, input=told.out.encode(), check=True)
    assert "    timeout-minutes: 30\n" in (workspace / CI).read_text()
    assert not [name for name in server.state.refs if name.startswith("heads/fix/")]


def test_prices_and_the_base_come_from_what_is_told(
    server: Server, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (mark,) = audit(tree_of({CI: WITHOUT_LIMIT}), rules=["job-without-timeout"]).marks
    price = Price(minutes=61.0, basis="replayed")
    write_report(workspace / "night", {"workflow_audit": [finding(id=f"{mark.rule}-{mark.identity}", price=price)]})
    server.state.refs["heads/next"] = server.state.refs["heads/develop"]
    (workspace / "kotaci.toml").write_text('base_branch = "next"\n')
    assert kotaci(server, *PLAN, "night", "--config", "kotaci.toml") == ExitCode.DONE
    said = capsys.readouterr().out
    assert " to next: fix(ci)" in said
    assert "it saves up to 61" in said
    assert "(replayed)" in said
    assert read_plan(workspace / "plan.json").report == str(workspace / "night")


def test_what_cannot_be_planned(server: Server, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (("plan",), "plan: is told no report; name a folder"),
        ((*PLAN, "--on", "issue:1"), "--patch: does not go with --on"),
        ((*PLAN[:-1], "nothing"), "nothing: is no rule; choose from"),
        ((*PLAN, "--workspace", "gone"), "gone: is no folder"),
        (("plan", "--patch"), "is not a repository"),
    ):
        assert kotaci(server, *words) == ExitCode.BAD_INPUT, words
        assert said in capsys.readouterr().err
    assert writes(server) == []


def test_the_commands_of_git_do_the_same(tmp_path: Path, server: Server) -> None:
    """All but the last, which asks GitHub, run against a bare repository beside it."""
    plan = patch_plan(developed(server))
    (action,) = plan.actions
    assert action.change
    quiet = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for name in ("AUTHOR", "COMMITTER"):
        quiet |= {f"GIT_{name}_NAME": "a", f"GIT_{name}_EMAIL": "a@example.org"}
    write_plan(plan, tmp_path / "plan.json")
    (tmp_path / "here" / CI).parent.mkdir(parents=True)
    (tmp_path / "here" / CI).write_text(WITHOUT_LIMIT)
    before = "git init -qb develop && git add . && git commit -qm a && git init -q --bare ../far"
    before += " && git remote add origin ../far && git push -q origin develop"
    words = action.gh(plan="../plan.json", place=0).rpartition(" && ")[0]
    for line in (before, words):
        subprocess.run(["sh", "-ec", line], cwd=tmp_path / "here", env=quiet, check=True, capture_output=True)
    show = ["git", "show", f"{action.change.branch}:{CI}"]
    told = subprocess.run(show, cwd=tmp_path / "far", env=quiet, check=True, capture_output=True)
    assert told.stdout.decode() == action.change.files[0].text
