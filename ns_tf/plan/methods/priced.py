"""The price law: the widths of most value at the price of the budget's own unit."""

from ns_tf.base import PriceLaw
from ns_tf.descend.record import SearchRecord
from ns_tf.plan.methods import method

# p is local (`ns_tf.scaling.fall`); no comparison has chosen one, so 1 is assumed.
EXPONENT = 1.0


@method(
    "priced",
    help="Widths of most value by the law, a filter of a layer priced in the budget.",
    needs="search",
)
def priced(record: SearchRecord, iteration: int | None) -> PriceLaw:
    """The price law of an iteration (`ns_tf.scaling.prices`)."""
    return PriceLaw(record.state(iteration).law, EXPONENT)
