"""A store that an older kotaci made opens, and nothing of it is lost. `store_v1` is a dump of one of version 1."""

import sqlite3
from pathlib import Path

import pytest

from kotaci.store import Batch, Log, Store, Want, open_store
from tests.builders import AT, REPO, SHA, api_batch, commit_payload, failed, job_log, write_all

OLD = Path(__file__).parent / "store_v1"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return the folder of a store of version 1: a failed attempt, an expired log, a commit of a clone."""
    for dump in OLD.glob("*.sql"):
        connection = sqlite3.connect(tmp_path / f"{dump.stem}.sqlite")
        connection.executescript(dump.read_text(encoding="utf-8"))
        connection.close()
    return tmp_path


def version_of(folder: Path) -> int:
    connection = sqlite3.connect(folder / "index.sqlite")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(version)


def test_a_store_of_version_1_keeps_everything(old: Path) -> None:
    assert version_of(old) == 1
    with open_store(old) as store:
        assert store.log(REPO, 1, 1, 11) == job_log(failed())
        assert store.log_rows(REPO, 1, 1) == {11: ("present", len(job_log(failed()).encode())), 12: ("expired", 0)}
        assert store.payload(REPO, "commit", SHA) == commit_payload().body
        assert (store.check(), store.partial_logs(REPO), store.n_wants(REPO)) == ([], set(), {})
        assert write_all(store, api_batch(1, conclusion="failure"), Batch(REPO, "git", [commit_payload()])) == 0
        write_all(store, Batch(REPO, "api", wants=[Want("run", "2")]))
        assert store.n_wants(REPO) == {"run": 1}
    assert version_of(old) == 2


def test_its_digests_are_those_of_a_new_store(old: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    def digests(store: Store) -> object:
        return store.attempt_digests(REPO), store.kind_digest(REPO, ["commit"])

    gone = Log(1, 1, 12, AT, state="expired", reason="410 Gone")
    batches = [
        api_batch(1, conclusion="failure"),
        Batch(REPO, "api", (), [gone]),
        Batch(REPO, "git", [commit_payload()]),
    ]
    with open_store(tmp_path_factory.mktemp("new") / "store", create=True) as fresh, open_store(old) as store:
        write_all(fresh, *batches)
        assert digests(store) == digests(fresh)
