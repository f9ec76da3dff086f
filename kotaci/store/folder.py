"""The store's folder: batches in, payloads and logs out, a check, a pruning, a renaming.

`index.sqlite` holds payloads, what is known of every log, and what a fetcher keeps; `logs-YYYY-MM.sqlite` holds the
logs of the attempts that started in that month, so that a closed month never changes. Readers never block the
writer (WAL).
"""

from __future__ import annotations

from pathlib import Path

from kotaci.model import BadInput
from kotaci.store.checking import Checking
from kotaci.store.digests import Digests
from kotaci.store.files import INDEX
from kotaci.store.pruning import Pruning
from kotaci.store.renaming import Renaming
from kotaci.store.wants import Wants

_OURS = ("facts", INDEX)
"""How names begin that may be in a folder before its index is seen: tables, and what another process just makes."""


class Store(Renaming, Wants, Digests, Checking, Pruning):
    """An open store. Use `open_store`; one object may be used from several threads."""


def open_store(path: Path, *, create: bool = False) -> Store:
    """Open the store in that folder; `create` makes a new one where there is none.

    Raises BadInput for a folder that is no store, a foreign or damaged database, or a store of a newer kotaci.
    """
    if not (path / INDEX).is_file():
        if path.exists() and not path.is_dir():
            raise BadInput(path, "is a file, not a store", "give a folder with --store")
        if not create:
            raise BadInput(
                path,
                "holds no store",
                "fill one with `kotaci fetch` or `kotaci import`, or try `kotaci report --sample`",
            )
        if path.is_dir() and any(not file.name.startswith(_OURS) for file in path.iterdir()):
            raise BadInput(path, "is a folder with other things in it", "name an empty or new folder with --store")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(path, f"cannot be made ({error.strerror})", "name another folder with --store") from error
    store = Store(path)
    store.repos()
    return store
