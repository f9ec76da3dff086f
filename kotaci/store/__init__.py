"""The store: a folder with an index of payloads and one log database a month; the only user of sqlite3.

Raw is sacred: what comes in stays as received, but for redacted secrets, and everything else is rebuilt from it.
"""

from kotaci.store.database import APPLICATION_ID, StoreFull
from kotaci.store.folder import Store, open_store
from kotaci.store.matching import plain_name, shown_twice
from kotaci.store.records import Answer, Batch, Log, LogState, Payload, Want, Written
from kotaci.store.writing import BATCH_BYTES

__all__ = [
    "APPLICATION_ID",
    "BATCH_BYTES",
    "Answer",
    "Batch",
    "Log",
    "LogState",
    "Payload",
    "Store",
    "StoreFull",
    "Want",
    "Written",
    "open_store",
    "plain_name",
    "shown_twice",
]
