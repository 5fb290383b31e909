"""MorphNet (Taylor-FO), as the paper's section 4.2 has it."""

from ns_tf import plans
from ns_tf.methods import method


@method(
    "morphnet",
    help="The widths at which pruning had half of the filters left, times one number.",
    needs_search=True,
    iteration=1,  # It prunes the network as it is given, once.
)
def morphnet(setting, targets):
    """Pruned to half of the filters, then scaled uniformly."""
    curve = plans.curve(setting.searched, "morphnet", setting.iteration)
    return setting.propose(curve, targets)
