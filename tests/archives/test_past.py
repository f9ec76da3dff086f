"""Small real repositories, and their commits with what each changed."""

from pathlib import Path

import pytest

from kotaci.archives.git import PastChange, branch_of
from kotaci.archives.past import Past, read_past
from kotaci.model import BadInput
from tests.archives.test_git import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "clone")


def subjects(past: Past) -> list[str]:
    return [commit.subject for commit in past.commits]


def test_commits_come_parents_first_with_the_blobs_of_what_they_changed(repository: Repository) -> None:
    repository.write(**{"a.txt": "1", "b c.txt": "2"})
    first = repository.commit("feat: one\n\nbody :100644\n")
    repository.commit("empty")
    repository.write(**{"a.txt": "3"})
    (repository.path / "b c.txt").rename(repository.path / "ü.txt")
    repository.commit("fix: two")
    past = read_past(repository.path)
    one, empty, two = past.commits
    assert (one.sha, one.parents, one.author, one.at.isoformat()) == (first, (), "Übung", "2026-01-01T10:00:00+00:00")
    assert (one.message, one.subject, empty.changes) == ("feat: one\n\nbody :100644", "feat: one", ())
    assert [change.path for change in one.changes] == ["a.txt", "b c.txt"]
    changed, gone, come = two.changes
    assert past.texts([changed.before, changed.after, ""]) == {changed.before: "1", changed.after: "3"}
    assert (gone, come) == (PastChange("b c.txt", gone.before, ""), PastChange("ü.txt", "", gone.before))
    assert past.tree(first).text("a.txt") == "1"


def test_the_line_of_a_branch_leaves_out_what_was_merged(repository: Repository) -> None:
    repository.commit("root")
    repository.git("checkout", "-q", "-b", "side")
    repository.write(a="1")
    repository.commit("side")
    repository.git("checkout", "-q", "main")
    repository.commit("main")
    repository.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    past = read_past(repository.path)
    assert [commit.subject for commit in past.line()] == ["root", "main", "merge"]
    assert sorted(subjects(past)) == ["main", "merge", "root", "side"]
    assert past.commits[-1].is_merge
    assert [change.path for change in past.commits[-1].changes] == ["a"]
    assert sorted(subjects(read_past(repository.path, ref="side"))) == ["root", "side"]


def test_a_link_has_no_blob(repository: Repository) -> None:
    (repository.path / "link").symlink_to("nowhere")
    repository.commit()
    assert read_past(repository.path).commits[0].changes == (PastChange("link", "", ""),)


def test_the_branch_of_a_clone(repository: Repository) -> None:
    sha = repository.commit()
    assert branch_of(repository.path) == "main"
    repository.git("checkout", "-q", sha)
    assert branch_of(repository.path) == ""


def test_a_ref_that_is_none_is_bad_input(repository: Repository) -> None:
    repository.commit()
    with pytest.raises(BadInput, match="is no commit"):
        read_past(repository.path, ref="--output=x")
