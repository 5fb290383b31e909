"""NeuralScale: along the law that a search found."""

from ns_tf import plans
from ns_tf.methods import method


@method("neuralscale", help="Along the law of an iteration.", needs_search=True)
def neuralscale(setting, targets):
    """The widths on the law (algorithm 3)."""
    curve = plans.curve(setting.searched, "neuralscale", setting.iteration)
    return setting.propose(curve, targets)
