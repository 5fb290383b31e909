"""Multiply-adds of one image."""

from ns_tf.budgets import budget
from ns_tf.networks.costs import CostPolynomial

KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")  # As Keras names them.


@budget(
    "macs",
    unit="MACs",
    help="Multiply-adds of one image, at most (convolutions and dense layers).",
)
def macs(structure):
    """One multiply-add for every entry of a kernel and every pixel it is applied at.

    It holds for depthwise kernels too, whose entries are one channel's. Of a layer that
    is made of others and no functional model, it is what the layer puts out.
    """
    return CostPolynomial.collect(
        "MACs",
        (
            (coefficient * kernel.positions, *widths, kernel.differ)
            for kernel in structure.weights
            if kernel.name in KERNELS
            for coefficient, *widths in kernel.terms
        ),
    )
