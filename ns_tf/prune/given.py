"""A trained network at widths that are given: scored, cut, repaired, not trained."""

import keras
import numpy as np

from ns_tf.base import InputError, Widths, check_widths
from ns_tf.engine.runtime import Runtime
from ns_tf.prune.channel_pruner import ChannelPruner
from ns_tf.prune.config import CutConfig
from ns_tf.prune.source import TrainedNetwork
from ns_tf.prune.targets import budgets_of
from ns_tf.prune.trained import copied, cut


def at_widths(
    network: TrainedNetwork,
    widths: Widths,
    config: CutConfig,
    *,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> keras.Model:
    """The network of these widths with weights of the trained one.

    In each layer the channels of highest score stay; then the network is repaired.

    Args:
        network: The trained network and its data; not changed.
        widths: [layers], at most its own.
        config: The criterion, the images that it reads, the repair.
        seed: Chooses these images.
        runtime: Shows progress.

    Returns:
        A new network. At the widths of the trained one it has the same weights, bit for
        bit.

    Raises:
        InputError: a width above the trained network's, or a criterion that cannot read
            it.
    """
    problem = network.problem
    structure, own = problem.structure, problem.architecture.widths
    widths = check_widths(problem.architecture, widths)
    _check_narrower(structure.names, widths, own)
    if widths == own:
        return copied(network.model, structure)
    # The widths are given; their size says how hard gates that learn are pulled on.
    budgets = budgets_of({"params": float(structure.params(widths))}, structure, own)
    pruner = ChannelPruner(network.model, problem, config, budgets, seed=seed)
    pruner.check()
    scored = pruner.scored(runtime)
    pruner = pruner.after(scored)
    keep = pruner.chosen(scored.scores, widths)
    keras.utils.set_random_seed(seed)  # Of layers that draw, as dropout does.
    small = cut(pruner.model, structure, keep)
    pruner.repair(small, keep)
    return small


def _check_narrower(names: tuple[str, ...], widths: Widths, own: Widths) -> None:
    """Refuses widths above those of the trained network.

    Raises:
        InputError: names the first layer that would have more filters.
    """
    wider = np.flatnonzero(np.array(widths) > np.array(own))
    if len(wider):
        first = wider[0]
        raise InputError(
            f"{names[first]} would have {widths[first]} filters and has {own[first]} "
            "in the trained network, which gives new filters no weights. Plan with "
            f"max_width={list(own)}, or build with fresh weights."
        )
