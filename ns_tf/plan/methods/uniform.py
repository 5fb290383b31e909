"""The default widths times one number: the paper's baseline."""

from ns_tf.base import Curve
from ns_tf.descend.record import SearchRecord
from ns_tf.plan.methods import method, proportional


@method("uniform", help="The default widths times one number.")
def uniform(record: SearchRecord, iteration: int | None = None) -> Curve:
    """The default widths times one number, whatever a search found.

    Args:
        record: Of a search, or of a network that nobody searched.
        iteration: Not read: uniform scaling has no iterations.
    """
    return proportional(record, record.default_widths)
