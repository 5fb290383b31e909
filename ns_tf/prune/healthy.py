"""The widths that a trained network of a builder comes down to, score by score.

The laws of a search rest on scores of networks that are pruned far down. Those of a
network that has just been trained say what filters are worth to a network near its own
size. The widths here are the builder's, as plans have them: layers that identity
shortcuts join come down together, although the builder could part them.
"""

from collections.abc import Callable, Mapping

import keras
import numpy as np

from ns_tf.budgets import exact_costs
from ns_tf.engine.runtime import Runtime
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.inherit import crossings
from ns_tf.problem.problem import Problem
from ns_tf.prune.allocations.ranking import LEAST_SHARE, weigh_for
from ns_tf.prune.channel_pruner import ChannelPruner
from ns_tf.prune.config import CutConfig
from ns_tf.prune.ranking import Ranking, prices
from ns_tf.prune.removal import Prunable
from ns_tf.prune.targets import Budgets


def way_down(
    model: keras.Model,
    problem: Problem,
    targets: Mapping[str, float],
    runtime: Runtime | None = None,
) -> np.ndarray:
    """Widths on the way down from a trained network, by first-order Taylor scores.

    The order is that of the allocation "ranking": a score is divided by what its filter
    costs, unless sizes alone are budgets, and every layer keeps a quarter of its
    filters until all have come down to it.

    Args:
        model: Trained; of the problem's builder, at any widths.
        problem: The builder, the data whose training images are read, the task.
        targets: Exact budgets by name, which say what a filter costs.
        runtime: Its seed chooses the images; shows progress.

    Returns:
        [networks, layers]: none grows; the first row is the network's own.

    Raises:
        InputError: an operation in the network that no score can be read behind.
    """
    runtime = runtime or Runtime()
    costs, none = exact_costs(problem.structure), Budgets({}, {}, {})
    pruner = ChannelPruner(model, problem, CutConfig(), none, seed=runtime.seed)
    pruner.scorer.check()
    scores = pruner.scored(runtime).scores
    sets = joined_layers(pruner.prunable, pruner.graph)
    merged = _merged(pruner.prunable, sets)
    price = None
    if weigh_for(targets):
        of_sets = {name: _of_sets(costs[name], sets) for name in targets}
        price = prices(of_sets, targets, [len(own) for own in merged.widths])
    ranking = Ranking.of(scores, merged, least_share=LEAST_SHARE, prices=price)
    return ranking.widths[:, sets]


def joined_layers(prunable: Prunable, graph: ChannelGraph) -> np.ndarray:
    """[layers]: the set of each, counted from 0; identities join layers of a set.

    Args:
        prunable: Which channels the widths count.
        graph: Of the network.
    """
    sizes = [len(channels) for channels in prunable.widths]
    layer = dict.fromkeys(range(len(graph.owner)))
    for number, channels in enumerate(prunable.widths):
        layer.update(dict.fromkeys(channels.tolist(), number))
    first = np.arange(len(sizes))
    for target, source in crossings(graph).items():
        one, other = layer.get(target), layer.get(source)
        # Of two widths, as behind a shortcut that is padded, each has its own number.
        if None not in (one, other) and sizes[one] == sizes[other]:
            ends = first[one], first[other]
            first[first == max(ends)] = min(ends)
    return np.unique(first, return_inverse=True)[1]


def _merged(prunable: Prunable, sets: np.ndarray) -> Prunable:
    """One width for every set.

    Channels that identities join have one score, so those of the first layer of a set
    stand for all. What follows any of its layers follows the set.

    Args:
        prunable: Which channels the widths count.
        sets: [layers]: as of `joined_layers`.
    """
    firsts = np.unique(sets, return_index=True)[1]
    return Prunable(
        tuple(prunable.widths[layer] for layer in firsts),
        tuple((own, int(sets[n]), factor) for own, n, factor in prunable.followers),
    )


def _of_sets(cost: Callable, sets: np.ndarray) -> Callable:
    """The cost of networks of the widths [..., sets]."""
    return lambda widths: cost(np.asarray(widths)[..., sets])
