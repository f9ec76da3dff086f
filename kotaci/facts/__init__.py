"""Store to tidy tables: built month by month into Parquet, read back by repository and window."""

from kotaci.facts.build import Built, build_facts
from kotaci.facts.read import History, read_history

__all__ = ["Built", "History", "build_facts", "read_history"]
