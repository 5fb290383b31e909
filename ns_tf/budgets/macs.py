"""Multiply-adds of one image."""

from ns_tf.budgets import budget
from ns_tf.costs import CostPolynomial


@budget(
    "macs",
    unit="MACs",
    help="Multiply-adds of one image, at most (convolutions and dense layers).",
)
def macs(structure):
    """One multiply-add for every entry of a kernel and every pixel it puts out.

    It holds for depthwise kernels too, whose entries are one channel's.
    """
    return CostPolynomial.collect(
        "MACs",
        (
            (coefficient * kernel.positions, *widths, kernel.differ)
            for kernel in structure.weights
            if kernel.name == "kernel"
            for coefficient, *widths in kernel.terms
        ),
    )
