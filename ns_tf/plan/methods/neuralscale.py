"""NeuralScale: along the law that a search found."""

from ns_tf.base import Curve
from ns_tf.descend.record import SearchRecord
from ns_tf.plan.methods import method
from ns_tf.scaling.curves import power_law


@method("neuralscale", help="Along the law of an iteration.", needs="search")
def neuralscale(record: SearchRecord, iteration: int | None) -> Curve:
    """The widths on the law (algorithm 3)."""
    return power_law(record.state(iteration).law)
