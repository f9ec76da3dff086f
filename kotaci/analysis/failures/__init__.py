"""Why is CI red, and what first? Failures in groups: what each is and why, how it stands, since when, what it costs.

`grouping` finds what failed alike, `settling` its verdict from those of its jobs, `status` how it stands now,
`culprits` the commits to look at, `groups` puts them together; `losses` are the tests that no longer run; `findings`
ranks, `assessing` joins it all.
"""

from kotaci.analysis.failures.assessing import JUDGED, TABLES, Triage, assess_failures
from kotaci.analysis.failures.culprits import Culprit
from kotaci.analysis.failures.findings import DETERMINISTIC, is_sure, next_step, rerun_tells
from kotaci.analysis.failures.groups import Group, HistoryCell, hits, to_excerpt_lines
from kotaci.analysis.failures.losses import LostTests
from kotaci.analysis.failures.options import DEFAULTS, TriageOptions
from kotaci.analysis.failures.status import FAILING, GONE, NEWEST, OTHERWISE, OVER, UNSEEN, Status

__all__ = ["DEFAULTS", "DETERMINISTIC", "FAILING", "GONE", "JUDGED", "NEWEST", "OTHERWISE", "OVER", "TABLES", "UNSEEN",
           "Culprit", "Group", "HistoryCell", "LostTests", "Status", "Triage", "TriageOptions", "assess_failures",
           "hits", "is_sure", "next_step", "rerun_tells", "to_excerpt_lines"]  # fmt: skip
