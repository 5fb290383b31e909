"""Trainable parameters: the paper's budget, and its size tau of a network."""

from typing import TYPE_CHECKING

from ns_tf.budgets import budget

if TYPE_CHECKING:
    from ns_tf.networks.costs import CostPolynomial
    from ns_tf.networks.structure import Structure


@budget("params", unit="parameters", help="Trainable parameters, at most.")
def params(structure: "Structure") -> "CostPolynomial":
    """Entries of all trainable weights: kernels, biases, gamma and beta.

    Moving statistics of batch norms are not trained, so they do not count. Layers with
    `trainable=False` count as if they were trained. All that `model.count_params()`
    counts, statistics included, is a quarter of the budget `weight_bytes`.
    """
    return structure.params
