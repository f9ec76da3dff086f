"""What the minutes of machines were spent on, what was done again for nothing, and what nobody waits for.

`kinds` tells steps apart by data, `splitting` splits every second of the jobs by kind, `again` finds what is compiled
again and again.
"""

from kotaci.analysis.spending.again import CompiledAgain, compiled_again
from kotaci.analysis.spending.kinds import Kind, Kinds, parse_kinds, read_kinds
from kotaci.analysis.spending.splitting import spent_by_kind, split_jobs, time_in_tests

__all__ = [
    "CompiledAgain",
    "Kind",
    "Kinds",
    "compiled_again",
    "parse_kinds",
    "read_kinds",
    "spent_by_kind",
    "split_jobs",
    "time_in_tests",
]
