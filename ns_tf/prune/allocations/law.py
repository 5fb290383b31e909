"""NeuralScale's widths with the weights of a trained network."""

from ns_tf.base import Curve, InputError
from ns_tf.prune.allocations import Case, allocation
from ns_tf.scaling.curves import power_law


@allocation(
    "law",
    help="Along the power law of a search of the same network.",
    ignores=("weigh", "least_share"),
)
def law(case: Case) -> Curve:
    """The widths that the law of a search gives each layer.

    Args:
        case: Its `law` has an alpha and a beta for each of the network's widths.

    Raises:
        InputError: there is none, or it is of another network.
    """
    if case.law is None:
        raise InputError(
            "The allocation law needs a search of this network: --search=RUN_DIR, or "
            "prune(allocation='law', search=search)."
        )
    layers, own = len(case.law.alpha), len(case.widths)
    if layers != own:
        raise InputError(
            f"The law is of {layers} widths, and the trained network has {own} that "
            "are free. Layers that an addition joins are one, and layers that are kept "
            "are none: search the trained network itself (ns_tf.search(model, data))."
        )
    return power_law(case.law)
