"""Are our caches worth what they cost? Per key family: hits with their interval, what a miss costs, what hits redo.

A hit is not use: crates that are compiled after an exact hit tell of a key that holds another build. `events` joins
what caches did with its jobs, `families` rates and prices it, `redone` looks for hits that are not used, `keys` for
keys that went cold, are always new or never, `toolchains` for keys that outlive theirs, `refs` for what pull requests
save and what the quota drops, `compilers` for what sccache counts; `assessing` joins it all.
"""

from kotaci.analysis.caching.assessing import Caching, assess_caching
from kotaci.analysis.caching.events import family_of, rate_families, with_jobs
from kotaci.analysis.caching.families import miss_cost
from kotaci.analysis.caching.options import DEFAULTS, CachingOptions

__all__ = [
    "DEFAULTS", "Caching", "CachingOptions", "assess_caching", "family_of", "miss_cost", "rate_families", "with_jobs",
]  # fmt: skip
