"""Li et al. (ICLR 2017): train, remove the filters of least L1 norm, fine-tune."""

import numpy as np

from ns_tf import criteria, plans, thinning
from ns_tf.channels import ChannelGraph
from ns_tf.methods import NotApplicable, method
from ns_tf.removal import Prunable, down_to


def start(trained, structure, widths):
    """The network of these widths with the filters of largest L1 norm.

    Channels that an identity shortcut joins are chosen together, by the sum of their
    norms, so that it still adds what belongs together.

    Args:
        trained: A trained `keras.Model` of the default widths.
        structure: Its `Structure`.
        widths: [layers], at most the default ones.
    """
    graph = structure.graph(trained)
    scores = _norms(trained, graph)
    keep = down_to(scores, Prunable.of(structure, graph), widths)
    model = structure.build(widths)
    thinning.inherit(trained, graph, keep, model, structure.graph(model))
    return model


@method(
    "li_l1",
    help="Trained at the default widths, pruned by L1 norm to uniform ones, then "
    "fine-tuned.",
    start=start,
)
def li_l1(setting, targets):
    """The uniform widths, if they are no larger than the default ones."""
    found = setting.propose(plans.curve(setting.plain, "uniform"), targets)
    default = setting.plain.default_widths
    if any(w > d for w, d in zip(found.widths, default, strict=True)):
        raise NotApplicable(
            "pruning only makes networks smaller, this budget is larger"
        )
    return found


def _norms(model, graph: ChannelGraph) -> np.ndarray:
    """[channels]: L1 norms, equal for channels that identities join."""
    formula = criteria.get("magnitude").formula
    scores = np.zeros(len(graph.owner))
    for key, variable in thinning.weights(model).items():
        axes = graph.axes.get(key)
        if key[1] == "kernel" and axes and axes[-1] is not None:
            np.add.at(scores, axes[-1], formula(np.array(variable)))
    joined = np.arange(len(scores))  # The first of the channels that are joined.
    for target, source in sorted(thinning.crossings(graph).items()):
        joined[joined == joined[target]] = joined[source]
    sums = np.bincount(joined, weights=scores, minlength=len(scores))
    return sums[joined]
