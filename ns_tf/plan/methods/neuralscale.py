"""NeuralScale: along the law that a search found."""

from ns_tf.base import Curve
from ns_tf.descend.record import SearchRecord
from ns_tf.plan.methods import method
from ns_tf.scaling.curves import power_law


@method("neuralscale", help="Along the law of an iteration.", needs="search")
def neuralscale(record: SearchRecord, iteration: int | None) -> Curve:
    """The power law of an iteration, phi_l(tau) = alpha_l · tau ** beta_l (eq. 5).

    Args:
        record: Of the search.
        iteration: Of the search, from 1; the last if None.

    Raises:
        InputError: the search has no such iteration.
    """
    return power_law(record.state(iteration).law)
