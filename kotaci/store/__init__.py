"""The store: a folder with an index of payloads and one log database a month; the only user of sqlite3.

Raw is sacred: what comes in stays as received, but for redacted secrets, and everything else is rebuilt from it.
"""

from kotaci.store.database import APPLICATION_ID, StoreFull
from kotaci.store.folder import BATCH_BYTES, Store, open_store
from kotaci.store.records import Batch, Log, LogState, Payload, Written

__all__ = [
    "APPLICATION_ID",
    "BATCH_BYTES",
    "Batch",
    "Log",
    "LogState",
    "Payload",
    "Store",
    "StoreFull",
    "Written",
    "open_store",
]
