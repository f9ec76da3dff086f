"""Trees of logs as tinuous keeps them."""

from pathlib import Path

import pytest

from kotaci.archives.tinuous import is_tree, read_tree
from kotaci.model import BadInput, Repo
from kotaci.store import Batch
from tests.builders import REPO, SHA, Jobs, failed, in_2026, job_log, passed, tinuous_run, write_files

JOBS: Jobs = {"test": passed(), "lint": failed("lint")}
CONFIG = f"repo: {REPO}\nvars: {{path_prefix: logs}}\nci: {{github: {{paths: {{logs: x}}, workflows: [ci.yml]}}}}\n"


def read(folder: Path, *, repo: str = "") -> list[Batch]:
    return list(read_tree(folder, said_repo=Repo.parse(repo) if repo else None))


def run_of(folder: Path, *, repo: str = "") -> dict[str, object]:
    (batch,) = read(folder, repo=repo)
    body: dict[str, object] = batch.payloads[0].body
    return body


def test_a_run_is_told_by_its_path(tmp_path: Path) -> None:
    write_files(tmp_path, {"tinuous.yaml": CONFIG, **tinuous_run(JOBS)})
    (batch,) = read(tmp_path)
    run = batch.payloads[0]
    assert (batch.repo, batch.source, f"{run.at:%Y-%m-%d %H:%M %Z}") == (REPO, "tinuous", "2026-03-02 00:00 UTC")
    told = ("name", "path", "run_number", "event", "head_branch", "head_sha", "run_attempt", "conclusion")
    assert [run.body[key] for key in told] == [
        "CI", ".github/workflows/ci.yml", 7, "push", "main", SHA[:7], 1, None,
    ]  # fmt: skip
    assert run.body["id"] < 0
    assert [log.body.decode() for log in batch.logs] == [job_log(JOBS["lint"]), job_log(JOBS["test"])]


@pytest.mark.parametrize(
    ("event", "ref", "told"),
    [
        ("push", "main", ("push", "main", [])),
        ("push", "feature%2fgrow", ("push", "feature/grow", [])),
        ("cron", "main", ("schedule", "main", [])),
        ("manual", "main", ("workflow_dispatch", "main", [])),
        ("pr", "42", ("pull_request", None, [{"number": 42}])),
        ("pr", "UNK", ("pull_request", None, [])),
        ("release", "v1", ("release", "v1", [])),
    ],
)
def test_events_and_refs_are_githubs_words(tmp_path: Path, event: str, ref: str, told: tuple[object, ...]) -> None:
    write_files(tmp_path, {"tinuous.yaml": CONFIG, **tinuous_run(JOBS, event=event, ref=ref)})
    run = run_of(tmp_path)
    assert (run["event"], run["head_branch"], run["pull_requests"]) == told


@pytest.mark.parametrize(
    ("config", "path"),
    [
        (CONFIG, ".github/workflows/ci.yml"),
        (CONFIG.replace("[ci.yml]", "[ci.yml, docs.yml]"), None),
        (CONFIG.replace("[ci.yml]", "{include: [ci.yml]}"), None),
        (f"repo: {REPO}\nci: nothing\n", None),
        (f"repo: {REPO}\nci: {{github: null}}\n", None),
        (f"repo: {REPO}\n", None),
    ],
    ids=["one workflow", "two", "patterns", "ci is a word", "github is null", "no ci"],
)
def test_the_workflow_is_the_one_that_is_configured_where_it_is_one(
    tmp_path: Path, config: str, path: str | None
) -> None:
    files = {name: text for name, text in tinuous_run(JOBS).items() if not name.endswith("system.txt")}
    write_files(tmp_path, {"tinuous.yaml": config, **files})
    assert run_of(tmp_path)["path"] == path


def test_what_the_run_itself_tells_of_its_workflow_comes_first(tmp_path: Path) -> None:
    config = CONFIG.replace("ci.yml", "other.yml")
    write_files(tmp_path, {"tinuous.yaml": config, **tinuous_run(JOBS, workflow="Build%20%26%20test")})
    assert [run_of(tmp_path)[key] for key in ("path", "name")] == [".github/workflows/ci.yml", "Build & test"]


def test_runs_come_by_date_each_with_an_id_of_its_own_and_the_same_again(tmp_path: Path) -> None:
    for number, day in ((9, "2026/03/04"), (7, "2026/03/02"), (8, "2026/03/03")):
        write_files(tmp_path, tinuous_run(JOBS, day=day, number=number))
    write_files(tmp_path, tinuous_run(JOBS, day="2026/03/04", number=9, workflow="Docs"))
    batches = read(tmp_path, repo=REPO)
    assert [(b.payloads[0].body["name"], b.payloads[0].body["run_number"]) for b in batches] == [
        ("CI", 7), ("CI", 8), ("CI", 9), ("Docs", 9),
    ]  # fmt: skip
    assert len({batch.logs[0].run_id for batch in batches}) == 4
    assert read(tmp_path, repo=REPO) == batches


def test_what_is_no_run_is_passed_over(tmp_path: Path) -> None:
    empty = {"logs/2026/03/02/github/push/main/abcdef0/CI/1/readme.md": "x"}
    travis = {"logs/2026/03/02/travis/push/main/abcdef0/CI/1/0_x.txt": "x"}
    write_files(tmp_path, {"tinuous.yaml": CONFIG, **tinuous_run(JOBS), **empty, **travis})
    assert len(read(tmp_path)) == 1


def test_a_tree_is_known_by_its_configuration_or_its_years(tmp_path: Path) -> None:
    assert not is_tree(tmp_path)
    assert is_tree(write_files(tmp_path / "a", {"tinuous.yaml": CONFIG}))
    assert is_tree(write_files(tmp_path / "b", tinuous_run(JOBS)))
    assert not is_tree(write_files(tmp_path / "c", in_2026(JOBS)))


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"tinuous.yaml": CONFIG}, "holds no run of GitHub Actions"),
        (tinuous_run(JOBS), "does not tell its repository"),
        ({"tinuous.yaml": "ci: {}\n", **tinuous_run(JOBS)}, "does not tell its repository"),
        ({"tinuous.yaml": "repo: nobody\n", **tinuous_run(JOBS)}, "nobody: is not a repository"),
        ({"tinuous.yaml": "repo: [\n", **tinuous_run(JOBS)}, "tinuous.yaml: is not YAML"),
        ({"tinuous.yaml": CONFIG, **tinuous_run(JOBS, day="2026/02/30")}, "2026-02-30: is not a date"),
    ],
)
def test_what_is_wrong_with_a_tree_is_told(tmp_path: Path, files: dict[str, str], problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        read(write_files(tmp_path, files))
