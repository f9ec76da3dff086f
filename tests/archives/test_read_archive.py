"""Whatever lies at a path: known by its content, never by its name."""

import io
import tarfile
from pathlib import Path

import pytest

from kotaci.archives.reading import Said, read_archive
from kotaci.model import BadInput, Repo
from kotaci.store import Batch
from tests.builders import (
    REPO,
    Jobs,
    failed,
    in_2021,
    in_2026,
    job_log,
    passed,
    saved_by_gh,
    stamped,
    tinuous_run,
    write_files,
    write_zip,
)  # fmt: skip

JOBS: Jobs = {"test": passed(), "lint": failed("lint")}
TREE = {"tinuous.yaml": f"repo: {REPO}\n", **tinuous_run(JOBS), **tinuous_run(JOBS, number=8)}


def read(path: Path, *, repo: str = "") -> list[Batch]:
    return list(read_archive(path, said=Said(Repo.parse(repo) if repo else None)))


def sources(batches: list[Batch]) -> list[str]:
    return [batch.source for batch in batches]


def write_tar(path: Path, folder: Path, *, top: str = ".", mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        archive.add(folder, arcname=top)
    return path


# -- content, not name ----------------------------------------------------------------------------------------


def test_a_zip_is_one_under_any_name(tmp_path: Path) -> None:
    assert sources(read(write_zip(tmp_path / "logs.txt", in_2026(JOBS)))) == ["run-zip"]


def test_a_log_called_zip_is_a_log(tmp_path: Path) -> None:
    (tmp_path / "logs.zip").write_text(job_log(passed()), encoding="utf-8")
    assert sources(read(tmp_path / "logs.zip")) == ["file"]


def test_saved_output_of_gh_is_known_also_as_utf_16(tmp_path: Path) -> None:
    text = saved_by_gh(JOBS)
    (tmp_path / "a.txt").write_bytes(text.encode())
    (tmp_path / "b.txt").write_bytes(text.replace("\n", "\r\n").encode("utf-16"))
    (plain,), (powershell,) = read(tmp_path / "a.txt"), read(tmp_path / "b.txt")
    assert (plain.source, powershell.source) == ("gh", "gh")
    assert [log.body.replace(b"\r\n", b"\n") for log in powershell.logs] == [log.body for log in plain.logs]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            b'{"message":"Not Found","documentation_url":"x","status":"404"}',
            r"holds Not Found \(404\), not a log; .*90",
        ),
        (b"<html>Unicorn!</html>", "holds an HTML page, not a log"),
        (b"", "is empty; download it again"),
        (b" \n\xef\xbb\xbf"[:2], "is empty"),
        (bytes(range(256)) * 4, "is a binary file, not a log"),
        (b"\x7fELF\x02\x01\x01\x00" + bytes(100), "is a binary file, not a log"),
        (b"a poem\nof two lines\n", "does not look like a log of GitHub Actions"),
        (b"PK is what I call it\n", "does not look like a log of GitHub Actions"),
        (b"PK\x03\x04", "is not a whole zip"),
        (stamped(["hello"]).encode(), "does not tell its repository"),
    ],
)
@pytest.mark.parametrize("name", ["logs.zip", "logs.txt"])
def test_what_is_no_log_is_refused_with_the_reason(tmp_path: Path, name: str, body: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(body)
    with pytest.raises(BadInput, match=problem):
        read(tmp_path / name)


def test_a_path_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot be read \(No such file or directory\)"):
        read(tmp_path / "nothing.zip")


# -- folders --------------------------------------------------------------------------------------------------


def test_an_unpacked_run_is_one_run(tmp_path: Path) -> None:
    (batch,) = read(write_files(tmp_path, in_2021({"test (3.8)": passed("test (3.8)")})))
    assert (batch.source, len(batch.logs)) == ("run-zip", 1)


def test_a_folder_of_logs_is_one_run_each(tmp_path: Path) -> None:
    write_files(tmp_path, {"b.txt": job_log(failed()), "a.log": job_log(passed()), "deep/c": job_log(passed("c"))})
    batches = read(tmp_path)
    assert sources(batches) == ["file"] * 3
    assert [batch.logs[0].body.decode() for batch in batches] == [
        job_log(passed()), job_log(failed()), job_log(passed("c")),
    ]  # fmt: skip


def test_a_folder_of_all_kinds_is_read_through(tmp_path: Path) -> None:
    write_files(tmp_path, {f"unpacked/{name}": text for name, text in in_2026(JOBS).items()})
    write_files(tmp_path, {f"tree/{name}": text for name, text in TREE.items()})
    write_files(tmp_path, {"saved.txt": saved_by_gh(JOBS)})
    write_zip(tmp_path / "run.zip", in_2026({"test": failed()}))
    (tmp_path / "nothing").mkdir()
    assert sources(read(tmp_path)) == ["run-zip", "gh", "tinuous", "tinuous", "run-zip"]


def test_a_folder_that_contains_itself_ends(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": job_log(passed())})
    (tmp_path / "again").symlink_to(tmp_path)
    assert len(read(tmp_path)) == 1


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    with pytest.raises(BadInput, match="is an empty folder; give logs, a run's zip, or a tinuous tree"):
        read(tmp_path)


def read_with_skipped(path: Path) -> tuple[list[Batch], list[tuple[str, str]]]:
    """Return the batches of a folder, and what was skipped as (path in the folder, what is wrong with it)."""
    skipped = list[tuple[str, str]]()

    def on_skipped(file: Path, problem: BadInput) -> None:
        skipped.append((file.relative_to(path).as_posix(), str(problem).removeprefix(f"{path}/")))

    return list(read_archive(path, said=Said(), on_skipped=on_skipped)), skipped


def test_what_is_no_log_in_a_folder_is_told_and_skipped(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.log": job_log(passed()), "deep/b.log": job_log(failed()), "deep/notes.md": "a poem\n"})
    write_files(tmp_path, {"c.json": '{"message":"Not Found","status":"404"}', "poems/d.txt": "another poem\n"})
    (tmp_path / ".DS_Store").write_bytes(b"\0\0\0\1Bud1" + bytes(range(256)))
    batches, skipped = read_with_skipped(tmp_path)
    assert batches == read(tmp_path)
    assert [log.body.decode() for batch in batches for log in batch.logs] == [job_log(passed()), job_log(failed())]
    assert [(name, problem.partition(";")[0]) for name, problem in skipped] == [
        ("deep/notes.md", "deep/notes.md: does not look like a log of GitHub Actions"),
        (".DS_Store", ".DS_Store: is a binary file, not a log"),
        ("c.json", "c.json: holds Not Found (404), not a log"),
        ("poems", "poems/d.txt: does not look like a log of GitHub Actions"),
    ]


def test_a_folder_without_anything_readable_is_refused_and_nothing_is_called_skipped(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "a poem\n", "deep/b.txt": "another\n"})
    skipped: list[Path] = []
    with pytest.raises(BadInput, match=r"a\.txt: does not look like a log of GitHub Actions"):
        list(read_archive(tmp_path, said=Said(), on_skipped=lambda file, _: skipped.append(file)))
    with pytest.raises(BadInput, match=r"a\.txt: does not look like a log"):
        list(read_archive(tmp_path / "a.txt", said=Said(), on_skipped=lambda file, _: skipped.append(file)))
    assert skipped == []


# -- tars -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("top", [".", "project"])
def test_a_tree_in_a_tar_is_the_tree(tmp_path: Path, mode: str, top: str) -> None:
    folder = write_files(tmp_path / "tree", TREE)
    assert read(write_tar(tmp_path / "tree.tar", folder, top=top, mode=mode)) == read(folder)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_that_was_cut_or_damaged_is_refused(tmp_path: Path, mode: str) -> None:
    path = write_tar(tmp_path / "tree.tar", write_files(tmp_path / "tree", TREE), mode=mode)
    whole = path.read_bytes()
    half = len(whole) // 2
    for torn in (whole[:half], whole[:half] + bytes(64) + whole[half + 64 :]):
        path.write_bytes(torn)
        if mode == "w" and torn != whole[:half]:
            continue  # a plain tar has no sum over its content
        with pytest.raises(BadInput, match=r"cannot be unpacked whole|is a binary file"):
            read(path)


def test_a_tar_that_was_cut_between_two_members_is_refused(tmp_path: Path) -> None:
    body = b"x" * tarfile.BLOCKSIZE
    member = tarfile.TarInfo("0_test.txt")
    member.size = len(body)
    (tmp_path / "a.tar").write_bytes((member.tobuf() + body) * 2)
    with pytest.raises(BadInput, match=r"cannot be unpacked whole \(it ends too early\)"):
        read(tmp_path / "a.tar")


def tar_with(path: Path, member: tarfile.TarInfo, body: bytes = b"") -> Path:
    with tarfile.open(path, "w") as archive:
        archive.addfile(member, io.BytesIO(body))
    return path


@pytest.mark.parametrize("name", ["../evil.txt", "a/../../evil.txt"])
def test_a_member_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    member = tarfile.TarInfo(name)
    member.size = 4
    with pytest.raises(BadInput, match=r"has an entry that leads out of it .*do not trust this file"):
        read(tar_with(tmp_path / "a.tar", member, b"evil"))
    assert [file.name for file in tmp_path.iterdir()] == ["a.tar"]


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    member = tarfile.TarInfo("passwd")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with pytest.raises(BadInput, match="has an entry that leads out of it"):
        read(tar_with(tmp_path / "a.tar", member))


def test_a_device_is_refused(tmp_path: Path) -> None:
    member = tarfile.TarInfo("zero")
    member.type = tarfile.CHRTYPE
    with pytest.raises(BadInput, match="do not trust this file"):
        read(tar_with(tmp_path / "a.tar", member))


def test_a_tar_that_says_it_unpacks_to_nine_gigabytes_is_refused_at_once(tmp_path: Path) -> None:
    member = tarfile.TarInfo("0_test.txt")
    member.size = 9 * 2**30
    (tmp_path / "a.tar").write_bytes(member.tobuf() + bytes(1024))
    with pytest.raises(BadInput, match="unpacks to more than 8 GiB"):
        read(tmp_path / "a.tar")


def test_an_empty_tar_is_an_empty_folder(tmp_path: Path) -> None:
    tarfile.open(tmp_path / "a.tar", "w").close()
    with pytest.raises(BadInput, match="is an empty folder"):
        read(tmp_path / "a.tar")
