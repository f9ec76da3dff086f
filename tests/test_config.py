"""The configuration file: what it may say, what is told of a mistake, which one is in force, and what it changes."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kotaci.analysis.alarms import HealthOptions
from kotaci.analysis.caching import CachingOptions
from kotaci.analysis.failures import TriageOptions
from kotaci.analysis.flakes import FlakeOptions
from kotaci.analysis.resources import ResourceOptions
from kotaci.analysis.timing.options import BuildTimeOptions
from kotaci.cli import main
from kotaci.config import Config, Landmark, Owners, config_in_force, find_config, read_config, read_schema
from kotaci.logs.causes import read_catalogue
from kotaci.model import BadInput
from kotaci.store import Batch, Payload, Store, open_store
from tests.builders import REPO, api_batch, write_all

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
EXAMPLE = README.split("```toml\n", 1)[1].split("```", 1)[0]

WHOLE = """
base_branch = "develop"

[labels]
every = ["ci-cd"]
high = ["priority-high", "bug"]

[thresholds.ci_health]
min_runs = 10
gone_days = 30

[thresholds.failure_triage]
branch_streak = 4

[thresholds.flaky_tests]
investigation_minutes = 20

[prices]
person_hour = 90
per_minute = { self-hosted = 0.001, ubuntu-latest = 0 }

[[cause]]
id = "disk-full"
title = "The runner's disk is full"
patterns = ['No space left on device', '(?i)disk quota exceeded']
examples = ["error: No space left on device (os error 28)", "Disk quota exceeded"]
harmless = ["test disk::no_space_left ... ok"]
remedy = "Drop target/ before packing."
remedies = ["Use a larger runner."]
retry = true

[[date]]
on = 2026-03-02
text = "moved to larger runners"

[owners.workflows]
"release*.yml" = "@octo-org/release"
".github/workflows/ci.yml" = "@octo-org/ci"

[owners.jobs]
"docs*" = "@octocat"
"""


def problems_of(text: str) -> list[str]:
    """Return what is said of a file that must be refused, one string a problem."""
    with pytest.raises(BadInput) as told:
        read_config(text, source="kotaci.toml")
    said = str(told.value)
    assert said.startswith("kotaci.toml: ")
    lines = said.splitlines()
    return [said.removeprefix("kotaci.toml: ")] if len(lines) == 1 else [line.strip() for line in lines[1:]]


def problem_of(text: str) -> str:
    (said,) = problems_of(text)
    return said


# -- what it may say --------------------------------------------------------------------------------------------


def test_no_word_is_all_defaults() -> None:
    config = read_config("", source="kotaci.toml")
    assert replace(config, source="default", path=None) == Config()
    assert (config.base_branch, config.health, config.triage) == ("", HealthOptions(), TriageOptions())
    assert config.prices.per_minute["ubuntu-latest"] == 0.006
    assert {setting.origin for setting in config.settings()} == {"default"}


def test_a_whole_file() -> None:
    config = read_config(WHOLE, source="kotaci.toml")
    assert config.base_branch == "develop"
    assert (config.labels.every, config.labels.high, config.labels.low) == (("ci-cd",), ("priority-high", "bug"), ())
    assert config.health == HealthOptions(min_runs=10, gone_days=30.0)
    assert isinstance(config.health.gone_days, float)
    assert config.triage == TriageOptions(branch_streak=4)
    assert config.flakes == FlakeOptions(investigation_minutes=20.0)
    assert config.prices.person_hour == 90.0
    assert config.prices.per_minute["self-hosted"] == 0.001
    assert config.prices.per_minute["ubuntu-latest"] == 0.0
    assert config.prices.per_minute["windows-latest"] == 0.010
    (cause,) = config.causes
    assert (cause.id, cause.retry, cause.patterns[0]) == ("disk-full", True, "No space left on device")
    assert (cause.group, cause.remedies) == ("", ("Drop target/ before packing.", "Use a larger runner."))
    assert config.dates == (Landmark(date(2026, 3, 2), "moved to larger runners"),)


def test_every_value_knows_where_it_is_from() -> None:
    origins = {setting.key: setting.origin for setting in read_config(WHOLE, source="kotaci.toml").settings()}
    ours = {key for key, origin in origins.items() if origin == "kotaci.toml"}
    assert ours == {
        "base_branch", "labels.every", "labels.high", "thresholds.ci_health.min_runs", "thresholds.ci_health.gone_days",
        "thresholds.failure_triage.branch_streak", "thresholds.flaky_tests.investigation_minutes",
        "prices.per_minute.ubuntu-latest", "prices.per_minute.self-hosted", "prices.person_hour", "cause", "date",
        'owners.workflows."release*.yml"',
        'owners.workflows.".github/workflows/ci.yml"', 'owners.jobs."docs*"',
    }  # fmt: skip
    assert set(origins.values()) == {"default", "kotaci.toml"}


def test_the_first_owner_that_fits_counts_and_the_jobs_before_the_workflows() -> None:
    owners = Owners(workflows=(("release*", "@r"), ("*", "@all")), jobs=(("docs*", "@d"),))
    assert owners.of(".github/workflows/release-please.yml") == "@r"
    assert owners.of("ci.yml") == "@all"
    assert owners.of("ci.yml", job="docs-deploy") == "@d"
    assert Owners(workflows=((".github/workflows/ci.yml", "@ci"),)).of("ci.yml") == "@ci"
    assert Owners().of("ci.yml", job="docs") == ""


# -- mistakes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('base_brnch = "main"', "base_brnch: is not a key; did you mean base_branch?"),
        ("min_runs = 3", "min_runs: is not a key; did you mean thresholds.ci_health.min_runs?"),
        (
            "[thresholds.ci_health]\nmin_run = 3",
            "thresholds.ci_health.min_run: is not a key; did you mean thresholds.ci_health.min_runs?",
        ),
        ("[colours]\nx = 1", "colours: is not a key; the keys here are "),
        ("base_branch = 3", "base_branch: is 3; write the name of a branch, such as 'develop'"),
        ('base_branch = "two words"', "base_branch: is 'two words'; write the name of a branch, such as 'develop'"),
        ("thresholds = 3", "thresholds: is 3; write a table [thresholds]"),
        ('[thresholds.ci_health]\nmin_runs = "five"', "is 'five'; write a whole number from 1 to 1000, such as 5"),
        ("[thresholds.ci_health]\nmin_runs = 2.5", "is 2.5; write a whole number from 1 to 1000, such as 5"),
        ("[thresholds.ci_health]\nmin_runs = true", "is true; write a whole number from 1 to 1000, such as 5"),
        ("[thresholds.ci_health]\nhigh_failure_rate = 20", "is 20; write a number from 0 to 1, such as 0.2"),
        ("[thresholds.ci_health]\nhigh_failure_rate = nan", "high_failure_rate: is nan; write a finite number"),
        ("[thresholds.ci_health]\ngone_days = inf", "gone_days: is inf; write a finite number"),
        ('[labels]\nhigh = "bug"', "labels.high: is 'bug'; write a list of label names, such as ['priority-high']"),
        ('[labels]\nhigh = ["bug", 3]', "labels.high.2: is 3; write the name of a label"),
        ('[labels]\nhigh = ["bug", "bug"]', "labels.high: says something twice"),
        ("[prices.per_minute]\nubuntu-latest = -1", "prices.per_minute.ubuntu-latest: is -1; write a number from 0"),
        ('[[date]]\ntext = "x"', "date.1.on: is missing; write a date, such as '2026-03-02'"),
        ('[[date]]\non = "2026-02-30"\ntext = "x"', "date.1.on: is '2026-02-30', which is not in the calendar"),
        ("[[date]]\non = 2026-03-02T10:00:00Z\ntext = 'x'", "date.1.on: is '2026-03-02T10:00:00+00:00'; write a date"),
        ("[[date]]\non = 2026-02-30\ntext = 'x'", "line 2, column 6"),
        ('base_branch = "main', "line 1, column 20"),
        ("a = 1\n\n= 2", "line 3, column 1"),
        ("[a\n", "line 1, column 3"),
        ("x = " + "[" * 5000, "is nested too deeply"),
        ('[owners.jobs]\n"" = "@x"', 'owners.jobs."": is not a key; write a job\'s name of 1 to 250 letters'),
        (f'base_branch = "{"x" * 251}"', "base_branch: has 251 letters; write at most 250"),
        (
            "[labels]\nlow = [" + ",".join(f'"{n}"' for n in range(21)) + "]",
            "labels.low: has 21 entries; write at most 20",
        ),
        (f"x = {'9' * 5000}", "Exceeds the limit"),
        ("cause = 3", "cause: is 3; write a list of tables, each written [[cause]]"),
        ("a" + ".a" * 5000 + " = 1", "is nested too deeply"),
        ('[owners.workflows]\n"ci.yml" = ""', "owners.workflows.\"ci.yml\": is ''; write an owner"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: str) -> None:
    assert said in problem_of(text)


CAUSE = '[[cause]]\nid = "x"\ntitle = "t"\npatterns = [{0}]\nexamples = ["aaa"]\n'


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("'a('", "cause.1.patterns.1: is not a regular expression (missing ): a()"),
        ("'(?=a)'", "cause.1.patterns.1: is not a regular expression (invalid perl operator: (?=)"),
        ("'b'", "cause.1.examples.1: is found by none of the patterns"),
    ],
)
def test_a_pattern_is_tried(pattern: str, said: str) -> None:
    assert said in problem_of(CAUSE.format(pattern))


def test_a_pattern_that_repeats_what_repeats_is_welcome() -> None:
    (cause,) = read_config(CAUSE.format("'(a+)+$'"), source="x").causes
    assert read_catalogue([cause]).find("a" * 3_000 + "b") == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('group = "codes"', "cause.1.group: is 'codes'; write code, reliability or environment, such as 'reliability'"),
        ('remedies = "x"', "cause.1.remedies: is 'x'; write a list of sentences"),
    ],
)
def test_a_cause_says_who_is_at_fault_and_what_to_do(line: str, said: str) -> None:
    assert said in problem_of(CAUSE.format("'a'") + line)


def test_no_cause_is_called_undecided() -> None:
    assert "cause.1.id: is 'undecided', the answer for no cause" in problem_of(
        CAUSE.format("'a'").replace('"x"', '"undecided"')
    )


def test_causes_are_told_apart_and_leave_the_harmless_alone() -> None:
    text = CAUSE.format("'a'") + 'harmless = ["banana"]\n' + CAUSE.format("'a'")
    assert [line.split(";")[0] for line in problems_of(text)] == [
        "cause.1.harmless.1: is found by 'a'",
        "cause.2.id: is 'x', as in cause.1",
    ]


def test_all_mistakes_are_told_at_once_but_no_more_than_five() -> None:
    text = "a = 1\nb = 1\nbase_branch = 2\n[labels]\nc = 1\nhigh = 2\nlow = 3\n[[date]]\n"
    lines = problems_of(text)
    assert len(lines) == 6
    assert lines[-1] == "and 3 more"
    with pytest.raises(BadInput, match=r"^kotaci\.toml: has 8 problems\n") as told:
        read_config(text, source="kotaci.toml")
    assert "\n  base_branch: is 2; write the name of a branch" in str(told.value)


def test_strangers_words_cannot_steer_the_terminal() -> None:
    said = problem_of('"\\u001b[31m\\u202e" = 1')
    assert "\x1b" not in said
    assert "\u202e" not in said


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\xff\xfe", "is not UTF-8"), (b"#" * 1_100_000, "is larger than 1 MB")],
)
def test_files_that_cannot_be_text(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "kotaci.toml").write_bytes(content)
    with pytest.raises(BadInput, match=said):
        config_in_force(told=str(tmp_path / "kotaci.toml"), environment={})


def test_a_mark_at_the_begin_and_windows_line_ends_are_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "kotaci.toml").write_bytes(b'\xef\xbb\xbfbase_branch = "main"\r\n[labels]\r\nhigh = []\r\n')
    assert config_in_force(told=str(tmp_path / "kotaci.toml"), environment={}).base_branch == "main"


# -- the schema -------------------------------------------------------------------------------------------------


def test_the_schema_is_one_and_says_what_every_key_means() -> None:
    schema = read_schema()
    assert schema["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$schema"]
    jsonschema.Draft202012Validator.check_schema(schema)

    def walk(node: dict[str, Any], path: str) -> None:
        for name, below in node.get("properties", {}).items():
            assert below.get("description"), f"{path}{name}"
            walk(below, f"{path}{name}.")
            walk(below.get("items", {}), f"{path}{name}.")

    walk(schema, "")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ci_health", HealthOptions),
        ("failure_triage", TriageOptions),
        ("flaky_tests", FlakeOptions),
        ("cache_analysis", CachingOptions),
        ("build_time", BuildTimeOptions),
        ("resources", ResourceOptions),
    ],
)
def test_thresholds_are_those_of_the_analysis(
    name: str,
    options: type[HealthOptions | TriageOptions | FlakeOptions | CachingOptions | BuildTimeOptions | ResourceOptions],
) -> None:
    known = read_schema()["properties"]["thresholds"]["properties"][name]["properties"]
    words = {"int": "integer", "float": "number"}
    assert {key: (entry["type"], entry["default"]) for key, entry in known.items()} == {
        field.name: (words[str(field.type)], field.default) for field in fields(options)
    }
    assert all("minimum" in entry and "maximum" in entry for entry in known.values())


def test_the_defaults_of_the_schema_hold() -> None:
    settings = {setting.key: setting.value for setting in Config().settings()}
    schema = read_schema()["properties"]
    assert settings["base_branch"] == schema["base_branch"]["default"]
    for name, entry in schema["labels"]["properties"].items():
        assert list(settings[f"labels.{name}"]) == entry["default"]


def test_the_example_of_the_readme() -> None:
    config = read_config(EXAMPLE, source="README.md")
    used = {setting.key.partition(".")[0] for setting in config.settings() if setting.origin == "README.md"}
    assert used == set(read_schema()["properties"])
    plain = json.loads(json.dumps(tomllib.loads(EXAMPLE), default=str))
    jsonschema.Draft202012Validator(read_schema()).validate(plain)
    assert "kotaci/config/schema.json" in README


# -- which one is in force --------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with a run and the repository's own configuration in it."""
    held = open_store(tmp_path / "store", create=True)
    body = {"path": ".github/kotaci.toml", "text": 'base_branch = "from-the-store"'}
    write_all(held, api_batch(1), Batch(REPO, "api", [Payload("config", "config", body)]))
    return held


def test_which_one_is_in_force(store: Store, tmp_path: Path) -> None:
    told, environment, checkout = (tmp_path / name for name in ("told.toml", "env.toml", "checkout"))
    told.write_text('base_branch = "told"')
    environment.write_text('base_branch = "from-the-environment"')
    (checkout / ".github").mkdir(parents=True)
    (checkout / ".github" / "kotaci.toml").write_text('base_branch = "from-the-checkout"')
    everything: dict[str, Any] = {
        "told": str(told), "environment": {"KOTACI_CONFIG": str(environment)}, "store": store, "repo": REPO.upper(),
        "folder": checkout,
    }  # fmt: skip

    def chosen() -> tuple[str, Path | None]:
        config = config_in_force(**everything)
        return config.base_branch, config.path

    assert chosen() == ("told", told)
    everything["told"] = ""
    assert chosen() == ("from-the-environment", environment)
    everything["environment"] = {}
    assert chosen() == ("from-the-store", None)
    everything["repo"] = "example/other"
    assert chosen() == ("from-the-checkout", checkout / ".github" / "kotaci.toml")
    everything["folder"] = None
    assert config_in_force(**everything) == Config()


def test_the_search_upwards_ends_with_the_checkout(tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "kotaci.toml").write_text("")
    inner = tmp_path / "checkout" / "src"
    inner.mkdir(parents=True)
    assert find_config(inner) == tmp_path / ".github" / "kotaci.toml"
    (tmp_path / "checkout" / ".git").mkdir()
    assert find_config(inner) is None


@pytest.mark.parametrize(
    ("remote", "is_taken"),
    [
        ("https://github.com/Example/kvstore.git", True),
        ("git@github.com:example/kvstore.git", True),
        ("https://github.com/example/kvstore-fork", False),
        ("https://github.com/someone/else/", False),
    ],
)
def test_the_file_of_another_repository_is_left_alone(remote: str, is_taken: bool, tmp_path: Path) -> None:
    for folder in (".git", ".github"):
        (tmp_path / folder).mkdir()
    (tmp_path / ".git" / "config").write_text(f'[core]\n\tbare = false\n[remote "origin"]\n\turl = {remote}\n')
    (tmp_path / ".github" / "kotaci.toml").write_text("")
    assert (find_config(tmp_path, repo=REPO) is not None) == is_taken
    assert find_config(tmp_path) is not None


def test_a_damaged_one_in_the_store_is_told_as_that(tmp_path: Path) -> None:
    held = open_store(tmp_path / "store", create=True)
    body = {"path": ".github/kotaci.toml", "text": "base_branch = 1"}
    write_all(held, api_batch(1), Batch(REPO, "api", [Payload("config", "config", body)]))
    with pytest.raises(BadInput, match=r"^the store: \.github/kotaci\.toml of example/kvstore: base_branch: is 1"):
        config_in_force(environment={}, store=held, repo=REPO)


# -- the command ------------------------------------------------------------------------------------------------

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs kotaci in an empty folder and returns (exit code, out, err)."""
    monkeypatch.delenv("KOTACI_CONFIG", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def command(*words: str | Path) -> tuple[int, str, str]:
        code = main([str(words[0]), "--store", str(tmp_path / "store"), *(str(word) for word in words[1:])])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


def test_config_shows_every_key(run: Run) -> None:
    code, out, _ = run("config")
    assert code == 0
    rows = {line.split()[0]: line.split()[-1] for line in out.splitlines()[1:]}
    assert rows == {setting.key: "default" for setting in Config().settings()}


def test_config_shows_the_stored_one_and_as_json(run: Run, store: Store) -> None:
    code, out, _ = run("config", "--json")
    told = {entry["key"]: entry for entry in json.loads(out)}
    assert code == 0
    assert told["base_branch"] == {"key": "base_branch", "value": "from-the-store", "from": "the store"}
    assert told["labels.high"]["value"] == []


def test_config_shows_the_file_of_the_checkout(run: Run) -> None:
    Path(".github").mkdir()
    Path(".github/kotaci.toml").write_text(WHOLE)
    code, out, _ = run("config")
    assert code == 0
    assert re.search(r"^base_branch +develop +.*kotaci\.toml$", out, re.MULTILINE)
    (entry,) = [entry for entry in json.loads(run("config", "--json")[1]) if entry["key"] == "cause"]
    assert entry["value"][0]["patterns"] == ["No space left on device", "(?i)disk quota exceeded"]
    assert "2026-03-02" in out


def test_bad_files_exit_2_with_all_problems(run: Run, store: Store, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('base_brnch = "main"\n[labels]\nhigh = 3')
    for words in (("config",), ("report", "ci_health")):
        code, _, err = run(*words, "--config", tmp_path / "bad.toml")
        assert code == 2
        assert "has 2 problems" in err
        assert "did you mean base_branch?" in err
        assert "labels.high: is 3" in err
    assert not Path("kotaci-report").exists()
    code, _, err = run("config", "--config", tmp_path / "none.toml")
    assert (code, "cannot be read (No such file or directory)" in err) == (2, True)


def test_without_a_name_none_of_several_stored_ones_is_taken(run: Run, store: Store) -> None:
    write_all(store, Batch("example/other", "api", [Payload("config", "config", {"path": "x", "text": "nonsense"})]))
    code, out, err = run("config")
    assert (code, "from-the-store" in out) == (0, False)
    assert "choose one with --repo" in err
    assert "from-the-store" in run("config", "--repo", REPO)[1]


# -- what it changes --------------------------------------------------------------------------------------------

EFFECTIVE = """
base_branch = "release"
[thresholds.ci_health]
min_runs = 2
[[date]]
on = 2026-03-03
text = "moved to @octocat <b>runners</b>"
[[date]]
on = 2020-01-01
text = "long before"
[owners.workflows]
"ci.yml" = "@octo-org/ci"
"""


def reported(run: Run, tmp_path: Path, name: str, *words: str | Path) -> tuple[str, str]:
    """Run one notebook and return its digest and its page."""
    code, _, err = run("report", name, "--out", tmp_path / "out", *words)
    assert code == 0, err
    folder = tmp_path / "out"
    return (folder / f"{name}.md").read_text("utf-8"), (folder / f"{name}.html").read_text("utf-8")


@pytest.mark.slow
def test_reports_follow_a_file_of_the_command_line(run: Run, store: Store, tmp_path: Path) -> None:
    (tmp_path / "kotaci.toml").write_text(EFFECTIVE)
    words = ("--config", Path("..") / "kotaci.toml")
    digest, page = reported(run, tmp_path, "ci_health", *words)
    assert "`min_runs` 2" in digest
    assert "moved to" in digest
    assert "<b>runners</b>" not in page
    assert "@octocat" not in digest
    assert "long before" not in digest
    assert "@octo-org" not in digest
    assert "octo-org/ci" in digest
    assert "Configuration: `kotaci.toml`" in digest
    digest, _ = reported(run, tmp_path, "failure_triage", *words)
    assert "Configuration: `kotaci.toml`" in digest


@pytest.mark.slow
def test_reports_follow_the_file_of_the_checkout_but_not_for_the_sample(run: Run, tmp_path: Path) -> None:
    write_all(open_store(tmp_path / "store", create=True), api_batch(1))
    Path(".github").mkdir()
    Path(".github/kotaci.toml").write_text(EFFECTIVE)
    digest, _ = reported(run, tmp_path, "ci_health")
    assert "Configuration: `.github/kotaci.toml`, given with this report" in digest
    digest, _ = reported(run, tmp_path, "ci_health", "--sample", "--since", "7d")
    assert "Configuration" not in digest


@pytest.mark.slow
def test_reports_follow_the_stored_one_and_are_silent_about_none(run: Run, store: Store, tmp_path: Path) -> None:
    digest, _ = reported(run, tmp_path, "ci_health")
    assert "Configuration: `.github/kotaci.toml`, as stored with the repository; it sets `base_branch`" in digest
    other = open_store(tmp_path / "other", create=True)
    write_all(other, api_batch(1))
    digest, _ = reported(run, tmp_path, "ci_health", "--store", tmp_path / "other")
    assert "Configuration" not in digest
