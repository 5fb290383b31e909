"""Size of the weights where they are kept in float32."""

from ns_tf.budgets import budget
from ns_tf.networks.costs import CostPolynomial

FLOAT32 = 4  # Bytes.


@budget(
    "weight_bytes",
    unit="bytes",
    help="Bytes of all weights in float32, at most; moving statistics count as well.",
)
def weight_bytes(structure):
    """Four bytes for every entry of every weight, trainable or not."""
    return CostPolynomial.collect(
        "bytes",
        (
            (FLOAT32 * coefficient, *widths, weight.differ)
            for weight in structure.weights
            for coefficient, *widths in weight.terms
        ),
    )
