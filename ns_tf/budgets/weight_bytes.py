"""Size of the weights in float32."""

from typing import TYPE_CHECKING

from ns_tf.budgets import budget
from ns_tf.networks.costs import CostPolynomial

if TYPE_CHECKING:
    from ns_tf.networks.structure import Structure

FLOAT32 = 4  # Bytes.


@budget(
    "weight_bytes",
    unit="bytes",
    help="Bytes of all weights in float32, at most; moving statistics count as well.",
)
def weight_bytes(structure: "Structure") -> CostPolynomial:
    """Four bytes for every entry of every weight, trainable or not.

    The least that a file of the network can have, before compression or quantization;
    the estimate of `litert_bytes`.
    """
    return CostPolynomial.collect(
        "bytes",
        (
            (FLOAT32 * coefficient, *widths, weight.differ)
            for weight in structure.weights
            for coefficient, *widths in weight.terms
        ),
    )
