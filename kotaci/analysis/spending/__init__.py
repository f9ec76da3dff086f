"""What the minutes of machines were spent on, what was done again for nothing, and what nobody waits for.

`kinds` tells steps apart by data, `splitting` splits every second of the jobs by kind, `again` finds what is compiled
again and again, `waiting` the jobs that make no run longer, `slowest` the slowest tests, `crates` the slowest crates.
"""

from kotaci.analysis.spending.again import CompiledAgain, compiled_again
from kotaci.analysis.spending.crates import slowest_units
from kotaci.analysis.spending.kinds import Kind, Kinds, parse_kinds, read_kinds
from kotaci.analysis.spending.slowest import slowest_tests
from kotaci.analysis.spending.splitting import spent_by_kind, split_jobs, time_in_tests
from kotaci.analysis.spending.waiting import WaitingOptions, nobody_waits, slack_by_job

__all__ = [
    "CompiledAgain",
    "Kind",
    "Kinds",
    "WaitingOptions",
    "compiled_again",
    "nobody_waits",
    "parse_kinds",
    "read_kinds",
    "slack_by_job",
    "slowest_tests",
    "slowest_units",
    "spent_by_kind",
    "split_jobs",
    "time_in_tests",
]
