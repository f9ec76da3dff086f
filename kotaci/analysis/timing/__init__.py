"""What makes a run as long as it is, what its minutes cost, and what a change would have made of the runs recorded.

`network` joins jobs with the `needs` that they waited for, `paths` finds the critical path, `billing` counts minutes.
"""

from kotaci.analysis.timing.billing import Bill, lost_minutes, price_of, to_bill, to_billed
from kotaci.analysis.timing.network import Network, to_network
from kotaci.analysis.timing.paths import Paths, critical_paths

__all__ = [
    "Bill",
    "Network",
    "Paths",
    "critical_paths",
    "lost_minutes",
    "price_of",
    "to_bill",
    "to_billed",
    "to_network",
]
