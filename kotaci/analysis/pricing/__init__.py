"""What a fault of a workflow file cost in the runs recorded.

`faults` are the records that come in and the prices that go out, `recorded` the tables they rest on, `methods` the ways
to price by the names that the cards of the audit give, `ranking` puts what was priced in order.
"""

from kotaci.analysis.pricing.faults import PRICING, UNPRICED, Fault, Priced, PricingOptions
from kotaci.analysis.pricing.methods import METHODS, TABLES, price_faults
from kotaci.analysis.pricing.ranking import worth_of

__all__ = ["METHODS", "PRICING", "TABLES", "UNPRICED", "Fault", "Priced", "PricingOptions", "price_faults", "worth_of"]
