"""What a job ran on, read off its first lines, in the words of several years."""

import pytest

from kotaci.logs.setup import Queueing, job_name, parse_queueing, parse_setup, repo_name, workflow_path
from tests.builders import AT, SHA, job_log, passed, script, set_up, stamp, stamped, system_text


def items(*lines: str, bom: str = "") -> list[tuple[str, str, str]]:
    return [(item.item, item.name, item.version) for item in parse_setup(bom + stamped(lines))]


def test_a_job_of_today_tells_runner_image_and_system() -> None:
    assert [(item.item, item.name, item.version) for item in parse_setup(job_log(passed()))] == [
        ("runner", "runner", "2.330.0"),
        ("image", "ubuntu-24.04", "20260224.36.1"),
        ("os", "Ubuntu", "24.04.3"),
    ]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (("##[group]Virtual Environment", "Environment: ubuntu-18.04", "Version: 20210131.1"), "ubuntu-18.04"),
        (("##[group]Virtual Environment", "Environment: macos-10.15", "Version: 20210219.2"), "macos-10.15"),
        (("##[group]Runner Image", "Image: windows-2022", "Version: 20240514.3.0"), "windows-2022"),
    ],
)
def test_the_image_is_told_in_old_words_and_new(lines: tuple[str, ...], found: str) -> None:
    assert items(*lines) == [("image", found, lines[-1].removeprefix("Version: "))]


def test_windows_and_macos_tell_their_system_too() -> None:
    windows = ("##[group]Operating System", "Microsoft Windows Server 2022", "10.0.20348", "Datacenter")
    assert items(*windows) == [("os", "Microsoft Windows Server 2022", "10.0.20348")]


def test_actions_are_told_with_their_commit_each_once() -> None:
    line = f"Download action repository 'actions/checkout@v6' (SHA:{SHA})"
    assert items(line, line, line.replace("v6", "v5")) == [
        ("action", "actions/checkout@v6", SHA),
        ("action", "actions/checkout@v5", SHA),
    ]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("rustc 1.96.1 (31fca3adb 2026-06-26)", ("tool", "rustc", "1.96.1 (31fca3adb 2026-06-26)")),
        ("rustc 1.98.0-nightly (0123abcde 2026-07-01)", ("tool", "rustc", "1.98.0-nightly (0123abcde 2026-07-01)")),
        ("cargo 1.96.1 (0123abcde 2026-06-20)", ("tool", "cargo", "1.96.1 (0123abcde 2026-06-20)")),
        ("cargo-nextest 0.9.100 (0123abc 2026-06-20)", ("tool", "cargo-nextest", "0.9.100")),
        ("Successfully set up CPython (3.12.3)", ("tool", "CPython", "3.12.3")),
        ("node: v20.11.1", ("tool", "node", "20.11.1")),
        (
            f"HEAD is now at 0123abc Merge {SHA} into {'f' * 40}",
            ("merge_commit", f"{SHA} into {'f' * 40}", "0123abc"),
        ),
        (
            "Job defined at: example/kvstore/.github/workflows/ci.yml@refs/pull/7/merge",
            ("workflow_ref", "example/kvstore/.github/workflows/ci.yml", "refs/pull/7/merge"),
        ),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else None,
)
def test_one_line_tells_one_thing(line: str, found: tuple[str, str, str]) -> None:
    assert items("before", line, "after") == [found]


def test_of_two_versions_the_first_that_is_told_is_kept() -> None:
    assert items("rustc 1.96.1 (31fca3adb 2026-06-26)", "rustc 1.95.0 (59807616e 2026-04-14)") == [
        ("tool", "rustc", "1.96.1 (31fca3adb 2026-06-26)")
    ]


def test_rustc_verbose_is_found_far_down_and_told_once() -> None:
    verbose = ("rustc 1.96.1 (31fca3adb 2026-06-26)", "binary: rustc", "host: x86_64-unknown-linux-gnu")
    steps = [set_up(), script(2, "noise", *["line"] * 5_000), script(3, "rustc -vV", *verbose, *verbose)]
    assert [item.version for item in parse_setup(job_log(steps)) if item.item == "tool"] == [
        "1.96.1 (31fca3adb 2026-06-26)"
    ]


def test_bom_crlf_and_colours_make_no_difference() -> None:
    plain = job_log(passed())
    crlf = plain.replace("\n", "\r\n").replace("Image: ubuntu", "\x1b[1mImage\x1b[0m: ubuntu")
    assert parse_setup(crlf) == parse_setup(plain.removeprefix("\ufeff")) == parse_setup(plain)


def test_a_text_that_tells_nothing_has_nothing() -> None:
    assert (parse_setup(""), items("rustc is nice", "HEAD is now at 0123abc Fix the merge", "Image: odd")) == ([], [])


@pytest.mark.parametrize("piece", ["1", "rustc 1.1.", "rustc 1.1.1", "Successfully set up ", "cargo 1.", "Image: "])
def test_a_hostile_line_of_two_megabytes_is_read_in_one_go(piece: str) -> None:
    text = "rustc 1.1." + piece * (2_000_000 // len(piece))
    assert parse_setup(text) == []


# -- queueing -------------------------------------------------------------------------------------------------


def test_system_txt_tells_when_a_job_was_queued_and_taken_and_by_whom() -> None:
    assert parse_queueing(system_text()) == Queueing(
        queued_at="2026-03-02T08:59:20.0000000Z",
        taken_at="2026-03-02T08:59:55.0000000Z",
        runner="GitHub Actions 1000000001",
        labels="ubuntu-latest",
    )


def test_the_order_of_the_lines_does_not_matter() -> None:
    lines = system_text().split("\n")
    assert parse_queueing("\n".join(reversed(lines))) == parse_queueing("\n".join(lines))


def test_a_self_hosted_runner_and_its_labels_are_told() -> None:
    text = stamped(
        ["Requested labels: self-hosted, linux, x64", "Job is about to start running on the runner: box-7 (repo)"]
    )
    assert parse_queueing(text) == Queueing(
        stamp(AT), "2026-03-02T09:00:01.0000000Z", "box-7 (repo)", "self-hosted linux x64"
    )


def test_up_to_2024_the_top_of_the_log_itself_tells_it() -> None:
    text = "\ufeff" + system_text().replace("\n", "\r\n") + "\r\n" + stamped(["Current runner version: '2.300.0'"])
    assert parse_queueing(text) == parse_queueing(system_text())


def test_a_job_that_nobody_took_was_queued_all_the_same() -> None:
    assert parse_queueing(stamped(["Waiting for a runner to pick up this job..."])) == Queueing(queued_at=stamp(AT))


def test_a_log_of_today_tells_no_queueing() -> None:
    assert parse_queueing(job_log(passed())) == Queueing()


# -- names ----------------------------------------------------------------------------------------------------


def test_the_jobs_own_name_is_told_with_slashes_and_emoji() -> None:
    assert job_name(job_log(passed("build / test 🦀 (3.8)"))) == "build / test 🦀 (3.8)"
    assert job_name("Complete job name: x\r\n") == "x"
    assert job_name("") == ""


def test_the_repository_and_workflow_are_told_by_system_txt() -> None:
    assert repo_name(system_text()) == "example/kvstore"
    assert workflow_path(system_text()) == ".github/workflows/ci.yml"


def test_the_checkout_tells_the_repository_but_no_workflow() -> None:
    assert (repo_name(job_log(passed())), workflow_path(job_log(passed()))) == ("example/kvstore", "")
    assert (repo_name(""), workflow_path("")) == ("", "")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_of_a_reusable_workflow_the_caller_is_told(end: str) -> None:
    text = stamped(
        [
            "Job defined at: example/shared/.github/workflows/rust.yml@v2",
            "Reusable workflow chain:",
            f"example/kvstore/.github/workflows/ci.yml@refs/heads/main ({SHA})",
            f"-> example/shared/.github/workflows/rust.yml@v2 ({SHA})",
        ]
    ).replace("\n", end)
    assert (repo_name(text), workflow_path(text)) == ("example/kvstore", ".github/workflows/ci.yml")
