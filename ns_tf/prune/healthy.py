"""The widths that a trained network of a builder comes down to, score by score.

The laws of a search rest on scores of networks that are pruned far down. Those of a
network that has just been trained say what filters are worth to a network near its own
size. The widths here are the builder's, as plans have them: layers that identity
shortcuts join come down together, although the builder could part them.
"""

from collections.abc import Mapping

import keras
import numpy as np

from ns_tf.budgets import exact_costs
from ns_tf.engine.runtime import Runtime
from ns_tf.problem.problem import Problem
from ns_tf.prune.channel_pruner import ChannelPruner
from ns_tf.prune.config import CutConfig
from ns_tf.prune.joined import filter_scores
from ns_tf.prune.targets import Budgets
from ns_tf.scaling.ranks import rows_of


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
    none = Budgets({}, {}, {})
    pruner = ChannelPruner(model, problem, CutConfig(), none, seed=runtime.seed)
    pruner.scorer.check()
    scores = pruner.scored(runtime).scores
    worth = filter_scores(scores, pruner.prunable, pruner.graph)
    return rows_of(worth, exact_costs(problem.structure), targets)
