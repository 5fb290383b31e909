"""The default widths times one number: the paper's baseline."""

from ns_tf import plans
from ns_tf.methods import method


@method("uniform", help="The default widths times one number.")
def uniform(setting, targets):
    """Uniform scaling."""
    return setting.propose(plans.curve(setting.plain, "uniform"), targets)
