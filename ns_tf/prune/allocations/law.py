"""NeuralScale's widths with the weights of a trained network."""

from typing import Any

import numpy as np

from ns_tf.base import Curve, InputError, ScalingLaw
from ns_tf.networks.structure import Structure
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


def law_for(search: Any, structure: Structure) -> ScalingLaw:
    """The law of the last iteration of a search, in the order of a network's widths.

    Layers go by their names. Where these differ, as those that Keras numbers do, the
    two are one network if they have as many parameters at all widths that are tried.

    Args:
        search: `ns_tf.descend.record.SearchRecord`.
        structure: Of the trained network.

    Raises:
        InputError: the search has no iteration, or it is of another network of as many
            widths; the allocation refuses those of more or fewer.
    """
    law, names, own = search.state().law, list(search.names), structure.names
    if len(names) != len(own) or tuple(names) == own:
        return law
    if set(names) == set(own):
        order = [names.index(name) for name in own]
        return ScalingLaw(np.asarray(law.alpha)[order], np.asarray(law.beta)[order])
    widths = np.array(search.default_widths)
    for tried in (widths, widths + 1 + np.arange(len(widths))):
        if search.costs["params"](tried) != structure.params(tried):
            raise InputError(
                "The search is of another network than the trained one: its layers are "
                f"{', '.join(names[:3])}, ..., and those of "
                f"{structure.architecture.name} are {', '.join(own[:3])}, ... Search "
                "the trained network itself (ns_tf.search(model, data))."
            )
    return law
