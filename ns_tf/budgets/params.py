"""Trainable parameters: the paper's budget."""

from ns_tf.budgets import budget


@budget("params", unit="parameters", help="Trainable parameters, at most.")
def params(structure):
    """Entries of all trainable weights; no moving statistics."""
    return structure.params
