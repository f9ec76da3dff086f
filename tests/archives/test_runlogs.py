"""Run-log zips of three generations, unpacked folders, single logs and JUnit XML, each as one batch."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.archives.reading import Said, read_archive
from kotaci.archives.runlogs import HELD_BYTES, read_log_zip, read_zip, to_jobs
from kotaci.model import BadInput, Repo, RunRef
from kotaci.store import Batch, Store, open_store
from tests.builders import (
    AT,
    BOM,
    LAST,
    PHANTOM,
    REPO,
    SEEDED,
    WORKFLOW,
    Jobs,
    checkout,
    failed,
    in_2021,
    in_2024,
    in_2026,
    job_log,
    passed,
    script,
    set_up,
    stamped,
    system_text,
    write_all,
    write_files,
    write_zip,
)

MATRIX: Jobs = {"test (3.8)": passed("test (3.8)"), "test (3.9)": failed("test (3.9)")}
GENERATIONS = {
    "2021": in_2021(MATRIX),
    "2024": in_2024(MATRIX),
    "2026": in_2026(MATRIX),
    "2026 without steps": in_2026(MATRIX, has_steps=False),
}


def read_one(path: Path, *, repo: str = "", run: RunRef | None = None, workflow: str = "") -> Batch:
    """Return the one batch of what lies at that path."""
    said = Said(Repo.parse(repo) if repo else None, run, workflow)
    (batch,) = read_archive(path, said=said)
    return batch


def names(batch: Batch) -> list[str]:
    return [payload.body["name"] for payload in batch.payloads if payload.kind == "job"]


def steps_of(batch: Batch, job: int = 0) -> list[tuple[int, str, int]]:
    payload = [payload for payload in batch.payloads if payload.kind == "job"][job]
    return [(step["number"], step["name"], step["n_lines"]) for step in payload.body["steps"]]


def zip_of(tmp_path: Path, jobs: Jobs) -> Path:
    return write_zip(tmp_path / "logs.zip", in_2026(jobs))


# -- generations ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_zip_of_any_year_has_its_jobs_and_no_phantom(tmp_path: Path, generation: str) -> None:
    batch = read_one(write_zip(tmp_path / "logs.zip", GENERATIONS[generation]))
    assert (batch.repo, batch.source) == (REPO, "run-zip")
    assert names(batch) == ["test (3.8)", "test (3.9)"]
    crlf = generation == "2021"
    bom = BOM if generation.startswith("2026") else ""
    logs = [log.body.decode().replace("\r\n", "\n" if crlf else "\r\n") for log in batch.logs]
    assert logs == [job_log(steps, bom=bom) for steps in MATRIX.values()]


@pytest.mark.parametrize("generation", ["2021", "2024", "2026"])
def test_step_files_tell_the_borders_though_their_time_stamps_differ(tmp_path: Path, generation: str) -> None:
    batch = read_one(write_zip(tmp_path / "logs.zip", GENERATIONS[generation]))
    assert steps_of(batch, 1) == [
        (1, "Set up job", 11),
        (2, "Run actionscheckout@v6", 5),
        (3, "Run cargo test", 7),
        (9, "Complete job", 1),
    ]


def test_without_step_files_there_are_no_steps(tmp_path: Path) -> None:
    assert steps_of(read_one(write_zip(tmp_path / "a.zip", GENERATIONS["2026 without steps"]))) == []


def test_what_the_archive_does_not_tell_is_null(tmp_path: Path) -> None:
    (run, job, _) = read_one(write_zip(tmp_path / "a.zip", GENERATIONS["2021"])).payloads
    assert run.body["id"] < 0
    assert {key for key, value in run.body.items() if value is None} == {
        "run_number", "name", "path", "event", "conclusion", "head_branch", "head_sha",
    }  # fmt: skip
    assert (job.body["id"] < 0, job.body["conclusion"], job.body["is_partial"], job.body["system"]) == (
        True, None, False, "",
    )  # fmt: skip


def test_system_txt_tells_queueing_and_workflow_and_so_the_start(tmp_path: Path) -> None:
    batch = read_one(write_zip(tmp_path / "a.zip", GENERATIONS["2026"]))
    run, job, _ = batch.payloads
    assert job.body["system"] == system_text()
    assert (run.body["path"], run.body["name"]) == (WORKFLOW, WORKFLOW)
    assert (
        {payload.at for payload in batch.payloads}
        == {log.at for log in batch.logs}
        == {AT.replace(hour=8, minute=59, second=20)}
    )


@pytest.mark.parametrize("shown", ["build / test", "lint: clippy", "🦀 crab", "a/b:c"])
def test_a_jobs_name_is_taken_from_its_log_where_the_file_name_lost_some_of_it(tmp_path: Path, shown: str) -> None:
    assert names(read_one(zip_of(tmp_path, {shown: passed(shown)}))) == [shown]


def test_without_that_line_the_file_name_is_the_jobs_name(tmp_path: Path) -> None:
    steps = [(1, "Set up job", ("Current runner version: '2.280.0'",)), checkout(), LAST]
    assert names(read_one(zip_of(tmp_path, {"test (3.8)": steps}))) == ["test (3.8)"]


def test_two_jobs_of_one_name_are_two_jobs(tmp_path: Path) -> None:
    files = {"0_test.txt": job_log(passed()), "1_test.txt": job_log(failed())}
    batch = read_one(write_zip(tmp_path / "a.zip", files))
    assert names(batch) == ["test", "test"]
    assert len({log.job_id for log in batch.logs}) == 2
    assert {log.body.decode() for log in batch.logs} == set(files.values())


def test_step_numbers_with_holes_are_kept_and_sorted_as_numbers() -> None:
    post = (10, "Post checkout", ("Post job cleanup.",))
    steps = [set_up(), checkout(), script(4, "cargo test"), post, (11, "Complete job", LAST[2])]
    (job,) = to_jobs({name: text.encode() for name, text in in_2026({"test": steps}).items()})
    assert [number for number, _, _ in job.steps] == [1, 2, 4, 10, 11]
    assert sum(n_lines for _, _, n_lines in job.steps) == job.body.count(b"\n")


def test_lines_before_the_first_step_belong_to_it() -> None:
    files = in_2024({"test": passed()})
    files["1_test.txt"] = stamped(["Requested labels: x", "Waiting for a runner"]) + files["1_test.txt"]
    (job,) = to_jobs({name: text.encode() for name, text in files.items()})
    assert job.steps[0] == (1, "Set up job", 13)
    assert sum(n_lines for _, _, n_lines in job.steps) == job.body.count(b"\n")


def test_a_last_line_without_an_end_is_counted() -> None:
    files = {name: text.encode().rstrip(b"\n") for name, text in in_2024({"test": passed()}).items()}
    (job,) = to_jobs(files)
    assert sum(n_lines for _, _, n_lines in job.steps) == len(job.body.split(b"\n"))


def test_where_the_whole_file_is_shorter_the_steps_are_the_log() -> None:
    files = in_2024({"test": failed()})
    steps = "".join(text for name, text in files.items() if "/" in name)
    files["1_test.txt"] = stamped(["Waiting for a runner to pick up this job..."])
    (job,) = to_jobs({name: text.encode() for name, text in files.items()})
    assert job.body.decode() == steps
    assert [n_lines for _, _, n_lines in job.steps] == [11, 5, 7, 1]


def test_where_steps_and_whole_file_disagree_the_longer_whole_file_is_kept_without_borders() -> None:
    files = in_2024({"test": failed()})
    files["test/3_Run cargo test.txt"] = stamped(["something else"])
    (job,) = to_jobs({name: text.encode() for name, text in files.items()})
    assert (job.body.decode(), list(job.steps)) == (files["1_test.txt"], [])


def test_a_first_line_that_only_ends_alike_is_no_border() -> None:
    files = {"0_test.txt": stamped(["too much cargo", "done"]), "test/1_x.txt": stamped(["cargo", "done"])}
    (job,) = to_jobs({name: text.encode() for name, text in files.items()})
    assert list(job.steps) == []


def test_steps_alone_make_a_job() -> None:
    files = {name: text.encode() for name, text in in_2026({"test": passed()}).items() if "/" in name}
    (job,) = to_jobs(files)
    assert (job.name, len(job.steps)) == ("test", 4)


def test_other_folders_make_no_jobs() -> None:
    assert to_jobs({"src/main.rs": b"fn main() {}", "1_test.txt": PHANTOM.encode()}) == []


# -- ids ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("generation", GENERATIONS)
def test_importing_twice_gives_equal_batches(tmp_path: Path, generation: str) -> None:
    first = read_one(write_zip(tmp_path / "a.zip", GENERATIONS[generation]))
    assert read_one(write_zip(tmp_path / "b.zip", GENERATIONS[generation])) == first


def test_an_unpacked_zip_is_the_same_run_as_the_zip(tmp_path: Path) -> None:
    files = GENERATIONS["2026"]
    zipped = read_one(write_zip(tmp_path / "a.zip", files))
    assert read_one(write_files(tmp_path / "unpacked", files)) == zipped


def test_other_content_is_another_run(tmp_path: Path) -> None:
    one, two = (
        read_one(write_zip(tmp_path / f"{n}.zip", in_2026({"test": steps})))
        for n, steps in enumerate((passed(), failed()))
    )
    assert one.logs[0].run_id < 0
    assert one.logs[0].run_id != two.logs[0].run_id


def test_the_run_that_is_said_is_taken(tmp_path: Path) -> None:
    batch = read_one(zip_of(tmp_path, MATRIX), run=RunRef(123, 2), repo="octo/kv", workflow=".github/workflows/x.yml")
    assert batch.repo == "octo/kv"
    assert batch.payloads[0].key == "123/2"
    assert batch.payloads[0].body["path"] == ".github/workflows/x.yml"
    assert all((log.run_id, log.attempt) == (123, 2) and log.job_id < 0 for log in batch.logs)
    assert all(payload.key == f"123/2/{payload.body['id']}" for payload in batch.payloads[1:])


def test_what_was_imported_lies_in_a_store_once(tmp_path: Path) -> None:
    path = zip_of(tmp_path, MATRIX)
    with open_store(tmp_path / "store", create=True) as store:
        assert write_all(store, read_one(path)) == 5
        assert write_all(store, read_one(path)) == 0
        assert_whole(store, read_one(path))


def assert_whole(store: Store, batch: Batch) -> None:
    assert store.check() == []
    assert all(
        store.log(batch.repo, log.run_id, log.attempt, log.job_id) == log.body.decode("utf-8") for log in batch.logs
    )


# -- zips that are none ---------------------------------------------------------------------------------------


def test_a_repository_that_nobody_tells_is_asked_for(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"0_test.txt": stamped(["hello"])})
    with pytest.raises(BadInput, match="does not tell its repository; say it with --repo owner/name"):
        read_one(path)
    assert read_one(path, repo="octo/kv").repo == "octo/kv"


@pytest.mark.parametrize(
    "files", [{}, {"README.md": "hello"}, {"src/main.rs": "fn main() {}", "Cargo.toml": ""}, {"1_test.txt": PHANTOM}]
)
def test_a_zip_of_something_else_is_refused(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(BadInput, match="holds no job's log; give the log zip of one run"):
        read_one(write_zip(tmp_path / "a.zip", files))


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil.txt", "a/../../evil.txt", "C:evil.txt", "\\evil.txt"])
def test_an_entry_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "a.zip", {"0_test.txt": job_log(passed()), name: "x"})
    with pytest.raises(BadInput, match=r"has an entry that leads out of it .*do not trust this file"):
        read_one(path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.zip"]


def test_an_entry_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"0_test.txt": job_log(passed()), "1_bomb.txt": "0" * 10_000_000})
    assert path.stat().st_size < 20_000
    said = {"said_repo": None, "said_run": None, "said_workflow": ""}
    with pytest.raises(BadInput, match=r"unpacks to too much \(1_bomb.txt\); it is no log zip of GitHub"):
        read_zip(path, **said, max_entry_bytes=1_000_000)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"unpacks to too much \(1_bomb.txt\)"):
        read_zip(path, **said, max_bytes=9_999_999)  # type: ignore[arg-type]
    assert len(read_zip(path, **said, max_entry_bytes=10_000_000).logs) == 2  # type: ignore[arg-type]


def test_a_header_that_lies_about_the_size_does_not_help(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"1_bomb.txt": "0" * 1_000_000})
    size = (1_000_000).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (10).to_bytes(4, "little")))
    with pytest.raises(BadInput, match=r"is not a whole zip|unpacks to too much"):
        read_one(path, repo="octo/kv")


def test_a_zip_that_was_cut_is_refused_wherever_it_was_cut(tmp_path: Path) -> None:
    whole = zip_of(tmp_path, MATRIX).read_bytes()
    cut = tmp_path / "cut.zip"
    for length in range(4, len(whole), 97):
        cut.write_bytes(whole[:length])
        with pytest.raises(BadInput, match="is not a whole zip"):
            read_one(cut)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path, {"test": passed()})
    body = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        place = body.find(mark)
        while place >= 0:
            body[place + offset] |= 1  # the bit that says so
            place = body.find(mark, place + 4)
    path.write_bytes(body)
    with pytest.raises(BadInput, match=r"is not a whole zip \(.*encrypted.*\)"):
        read_one(path)


@SEEDED
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=40))
def test_a_zip_with_changed_bytes_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, int]]
) -> None:
    path = zip_of(tmp_path_factory.mktemp("changed"), MATRIX)
    body = bytearray(path.read_bytes())
    for place, byte in changes:
        body[4 + int(place * (len(body) - 4))] = byte
    path.write_bytes(body)
    try:
        read_one(path)
    except BadInput as error:
        assert error.value == path  # noqa: PT017


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_however_it_was_packed_again_it_is_read(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        for name, text in in_2026(MATRIX).items():
            archive.writestr(name, text)
    assert names(read_one(tmp_path / "a.zip")) == list(MATRIX)


def test_a_saved_error_within_is_told(tmp_path: Path) -> None:
    files = {"0_test.txt": '{"message":"Gone","status":"410"}'}
    with pytest.raises(BadInput, match=r"holds Gone \(410\) as 0_test.txt; download it again"):
        read_one(write_zip(tmp_path / "a.zip", files))


# -- single files ---------------------------------------------------------------------------------------------


def test_a_jobs_log_is_a_run_of_one_job(tmp_path: Path) -> None:
    (tmp_path / "71.txt").write_text(job_log(failed("test (3.8)")), encoding="utf-8")
    batch = read_one(tmp_path / "71.txt")
    assert (batch.repo, batch.source, names(batch)) == (REPO, "file", ["test (3.8)"])
    assert batch.logs[0].at == AT
    assert batch.logs[0].run_id < 0


def test_a_log_without_a_name_is_named_after_its_file(tmp_path: Path) -> None:
    (tmp_path / "nightly.log").write_text(stamped(["Syncing repository: octo/kv"]), encoding="utf-8")
    assert names(read_one(tmp_path / "nightly.log")) == ["nightly"]


def test_a_log_as_powershell_saves_it_is_the_same_log(tmp_path: Path) -> None:
    text = job_log(failed("größe 🦀")).replace("\n", "\r\n")
    (tmp_path / "a.txt").write_bytes(text.encode())
    (tmp_path / "b.txt").write_bytes(text.removeprefix(BOM).encode("utf-16"))
    one, two = read_one(tmp_path / "a.txt"), read_one(tmp_path / "b.txt")
    assert two.logs[0].body == one.logs[0].body.removeprefix(BOM.encode())
    assert names(one) == names(two) == ["größe 🦀"]


JUNIT = '<?xml version="1.0"?><testsuites><testsuite name="kv"><testcase name="grows"/></testsuite></testsuites>'


def test_junit_xml_is_a_payload_of_the_run_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(JUNIT)
    batch = read_one(tmp_path / "junit.xml", repo="octo/kv", run=RunRef(7, 2))
    assert [(payload.kind, payload.key, payload.body) for payload in batch.payloads] == [
        ("junit", f"7/2/junit.xml/{hashlib.blake2b(JUNIT.encode(), digest_size=6).hexdigest()}", JUNIT)
    ]
    assert read_one(tmp_path / "junit.xml", repo="octo/kv") == read_one(tmp_path / "junit.xml", repo="octo/kv")


@pytest.mark.parametrize(
    "start", ["", BOM, "<!-- made by hand -->\n", '<?xml version="1.0"?>\n<!-- a\n b -->\n'], ids=repr
)
def test_a_single_suite_with_whatever_before_it_is_junit_too(tmp_path: Path, start: str) -> None:
    (tmp_path / "a.xml").write_text(start + '<testsuite name="x"/>', encoding="utf-8")
    assert read_one(tmp_path / "a.xml", repo="octo/kv").payloads[0].kind == "junit"


def test_junit_xml_tells_no_repository(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(JUNIT)
    with pytest.raises(BadInput, match="say it with --repo owner/name, and the run with --run"):
        read_one(tmp_path / "junit.xml")


@pytest.mark.parametrize("text", [JUNIT[:-5], "<testsuite><testcase></testsuite>", "<testsuite>\x01</testsuite>"])
def test_broken_junit_xml_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "junit.xml").write_text(text)
    with pytest.raises(BadInput, match="is not whole JUnit XML"):
        read_one(tmp_path / "junit.xml", repo="octo/kv")


SIZES = '[{"name": "size", "unit": "MB", "value": 12.5}]'
UNITS = "<html><script>const UNIT_DATA = [];</script></html>"


@pytest.mark.parametrize(
    ("name", "text", "kind"), [("a.json", SIZES, "benchmark_data"), ("cargo-timing.html", UNITS, "cargo_timings")]
)
def test_files_of_figures_are_payloads_of_the_run_that_is_said(tmp_path: Path, name: str, text: str, kind: str) -> None:
    (tmp_path / name).write_text(text)
    (payload,) = read_one(tmp_path / name, repo="octo/kv", run=RunRef(7, 2)).payloads
    assert (payload.kind, payload.body) == (kind, {"artifact": Path(name).stem, "text": text})
    run_id, attempt, artifact_id, file = payload.key.split("/")
    assert (run_id, attempt, file, int(artifact_id) < 0) == ("7", "2", name, True)
    with pytest.raises(BadInput, match="does not tell its run"):
        read_one(tmp_path / name, repo="octo/kv")


def test_a_torn_file_of_figures_is_no_payload(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(SIZES[:-1])
    with pytest.raises(BadInput, match="does not look like a log"):
        read_one(tmp_path / "a.json", repo="octo/kv", run=RunRef(7, 2))


def test_a_folder_that_a_person_put_around_it_is_looked_through(tmp_path: Path) -> None:
    wrapped = {f"logs_123/{name}": content for name, content in GENERATIONS["2026"].items()}
    assert names(read_one(write_zip(tmp_path / "again.zip", wrapped))) == ["test (3.8)", "test (3.9)"]


# -- one log at a time, for a fetch ---------------------------------------------------------------------------


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_whole_logs_of_a_zip_come_one_at_a_time(tmp_path: Path, generation: str) -> None:
    path = write_zip(tmp_path / "a.zip", {**GENERATIONS[generation], "2_lint  check.txt": "\n"})
    found = dict(read_log_zip(path, tmp_path / "parts"))
    logs = {name: found[name] for name in ("test (3.8)", "test (3.9)")}
    assert list(logs.values()) == [log.body for log in read_one(path).logs[-2:]]
    assert found == {**logs, "lint  check": b"\n"}
    assert [file.name for file in tmp_path.iterdir()] == ["a.zip"]


def test_a_large_log_comes_as_a_file(tmp_path: Path) -> None:
    large = b"".join(b"%08d a line\n" % number for number in range(600_000))
    assert len(large) > HELD_BYTES
    path = write_zip(tmp_path / "a.zip", {"0_small.txt": "small\n", "1_large.txt": large, "large/1_step.txt": large})
    (small, (name, file)) = read_log_zip(path, tmp_path / "parts")
    assert (small, name) == (("small", b"small\n"), "large")
    assert isinstance(file, Path)
    assert (file.read_bytes() == large, list((tmp_path / "parts").iterdir())) == (True, [file])


def test_a_large_log_that_is_damaged_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("0_large.txt", b"x" * (2 * HELD_BYTES))
    body = path.read_bytes()
    path.write_bytes(body[: HELD_BYTES + 100] + b"y" + body[HELD_BYTES + 101 :])
    with pytest.raises(BadInput, match=r"is not a whole zip \(Bad CRC-32"):
        list(read_log_zip(path, tmp_path / "parts"))
    assert list((tmp_path / "parts").iterdir()) == []


def test_a_zip_that_was_cut_or_leads_out_gives_no_logs(tmp_path: Path) -> None:
    whole = zip_of(tmp_path, MATRIX)
    (tmp_path / "cut.zip").write_bytes(whole.read_bytes()[:-100])
    with pytest.raises(BadInput, match="is not a whole zip"):
        list(read_log_zip(tmp_path / "cut.zip", tmp_path))
    with pytest.raises(BadInput, match="leads out of it"):
        list(read_log_zip(write_zip(tmp_path / "out.zip", {"../0_test.txt": "x"}), tmp_path))
