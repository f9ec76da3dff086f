"""SARIF 2.1.0: what the standard and GitHub's code scanning ask of it."""

import json

from kotaci.audit import Mark
from kotaci.audit.sarif import to_sarif
from kotaci.model import Severity

CI = ".github/workflows/a b%.yml"
MARKS = [
    Mark(CI, 4, "job a", "has no timeout-minutes", end_line=6, rule="job-without-timeout", also=[("Cargo.toml", 2)]),
    Mark(CI, 9, "job a", "has no timeout-minutes", rule="job-without-timeout", severity=Severity.HIGH),
    Mark(CI, 0, "the file", "overly broad", rule="zizmor/excessive-permissions"),
]


def test_a_log_has_what_the_standard_asks() -> None:
    log = json.loads(
        json.dumps(to_sarif(MARKS, version="0.1.0", repo_url="https://github.com/a/b", commit_sha="c0ffee"))
    )
    assert (log["version"], log["$schema"]) == ("2.1.0", "https://json.schemastore.org/sarif-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "kotaci"
    assert run["versionControlProvenance"] == [{"repositoryUri": "https://github.com/a/b", "revisionId": "c0ffee"}]
    for rule in driver["rules"]:
        assert rule["defaultConfiguration"]["level"] in {"none", "note", "warning", "error"}
        assert rule["properties"]["precision"] in {"very-high", "high", "medium", "low"}
        assert "security-severity" not in rule["properties"]
        assert all(rule[name]["text"] for name in ("shortDescription", "fullDescription", "help"))
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"] == {"uri": ".github/workflows/a%20b%25.yml", "uriBaseId": "%SRCROOT%"}
        assert place["region"]["startLine"] >= 1


def test_levels_lines_and_fingerprints() -> None:
    first, second, third = to_sarif(MARKS, version="0.1.0")["runs"][0]["results"]
    assert [one["level"] for one in (first, second, third)] == ["note", "error", "warning"]
    assert first["locations"][0]["physicalLocation"]["region"] == {"startLine": 4, "endLine": 6}
    assert first["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "Cargo.toml"
    assert first["partialFingerprints"] == {"kotaciIdentity/v1": MARKS[0].identity}
    assert second["partialFingerprints"] == {"kotaciIdentity/v1": f"{MARKS[0].identity}-2"}


def test_nothing_found_is_a_log_too() -> None:
    assert to_sarif([], version="0.1.0")["runs"][0]["results"] == []
