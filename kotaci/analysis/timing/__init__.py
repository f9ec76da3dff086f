"""What makes a run as long as it is, what its minutes cost, and what a change would have made of the runs recorded.

`network` joins jobs with the `needs` that they waited for, `paths` finds the critical path, `billing` counts minutes.
`one_run` is the run that stands for many. `scenarios` are changes as data, `replaying` plays every run with one.
`scenarios` are changes as data, `replaying` plays every run with one, `suggesting` tries what the runs suggest.
"""

from kotaci.analysis.timing.billing import Bill, lost_minutes, price_of, to_bill, to_billed
from kotaci.analysis.timing.candidates import STRATEGIES, WORDS_ONLY, fitting_limit
from kotaci.analysis.timing.misses import to_misses
from kotaci.analysis.timing.network import Network, to_network
from kotaci.analysis.timing.one_run import UsualPath, to_gantt, usual_path
from kotaci.analysis.timing.options import (
    BUILD_TIME,
    DEFAULTS,
    SUGGESTING,
    BuildTimeOptions,
    SuggestingOptions,
    TimingOptions,
)
from kotaci.analysis.timing.paths import Paths, critical_paths
from kotaci.analysis.timing.replaying import NO_PRICES, Effect, replay
from kotaci.analysis.timing.scenarios import (
    AddNeed,
    CacheHits,
    CancelSuperseded,
    Faster,
    Merge,
    OtherRunner,
    RemoveNeed,
    Scenario,
    SkipPaths,
    Split,
    TimeOut,
)
from kotaci.analysis.timing.suggesting import Suggestion, Suggestions, suggest_scenarios

__all__ = [
    "BUILD_TIME",
    "DEFAULTS",
    "NO_PRICES",
    "STRATEGIES",
    "SUGGESTING",
    "WORDS_ONLY",
    "AddNeed",
    "Bill",
    "BuildTimeOptions",
    "CacheHits",
    "CancelSuperseded",
    "Effect",
    "Faster",
    "Merge",
    "Network",
    "OtherRunner",
    "Paths",
    "RemoveNeed",
    "Scenario",
    "SkipPaths",
    "Split",
    "SuggestingOptions",
    "Suggestion",
    "Suggestions",
    "TimeOut",
    "TimingOptions",
    "UsualPath",
    "critical_paths",
    "fitting_limit",
    "lost_minutes",
    "price_of",
    "replay",
    "suggest_scenarios",
    "to_bill",
    "to_billed",
    "to_gantt",
    "to_misses",
    "to_network",
    "usual_path",
]
