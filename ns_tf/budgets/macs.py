"""Multiply-adds of one image."""

from typing import TYPE_CHECKING

from ns_tf.budgets import budget
from ns_tf.networks.costs import EPITOME, CostPolynomial

if TYPE_CHECKING:
    from ns_tf.networks.structure import Structure

# As Keras names them, and those of `ns_tf.networks.layers` and of an `OwnWeight`.
KERNELS = (
    *("kernel", "depthwise_kernel", "pointwise_kernel", "recurrent_kernel"),
    *(EPITOME, "factor"),
)


@budget(
    "macs",
    unit="MACs",
    help="Multiply-adds of one image, at most (convolutions and dense layers).",
    priced=True,
)
def macs(structure: "Structure") -> CostPolynomial:
    """Sum over kernels of entries · output pixels, of one forward pass of one image.

    Every entry of a kernel is one multiply-add at every pixel that the kernel is
    applied at: a 3x3 convolution of i to o channels with p output pixels has 9·i·o·p.
    That holds for depthwise kernels too, whose entries belong to one channel each. Both
    kernels of a recurrent layer are applied at every step. Of an epitome the entries of
    the kernel count that is computed: a wrapped one is itself that kernel, another one
    makes a larger one (`ns_tf.networks.layers`). Of a layer of the user's
    that consists of others and is no functional model, the pixels of its own output
    count, and of one that is seen through its products (`ns_tf.networks.products`).
    Biases, batch norms, activations, an attention's products and the logits of a
    ReversibleEmbedding are left out.
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
