"""Size of the LiteRT file in int8 that `ns_tf.export` writes, and of its weights."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ns_tf.base import Cost
from ns_tf.budgets import Measure, budget
from ns_tf.budgets.litert_bytes import check_plain, sizes_of
from ns_tf.budgets.macs import KERNELS
from ns_tf.networks.costs import CostPolynomial
from ns_tf.parts import Parts

if TYPE_CHECKING:
    import keras

    from ns_tf.networks.structure import Structure

# Bytes that a filter has beside its kernel: a bias of 4, and for the kernel and the
# bias a scale of 4 and a zero point of 8 each.
FILTER = 28
_EXAMPLES = 2  # The size is the same, whatever the ranges are.


@budget(
    "weight_bytes_int8",
    unit="bytes in int8",
    help="Bytes of the weights in int8, at most, with biases, scales and zero points.",
    refuses=True,
)
def weight_bytes_int8(structure: "Structure") -> CostPolynomial:
    """A byte for every entry of a kernel, and `FILTER` for every filter.

    A batch norm is counted as part of the layer before it. The estimate of `flash`.

    Raises:
        InputError: the network has epitomes. Files have the kernels that they make.
    """
    from ns_tf.networks.weight_sizes import axis_length  # Late: it needs Keras.

    check_plain(structure)

    graph, layers = structure.reference, len(structure.names)
    kernels = [weight for weight in structure.weights if weight.name in KERNELS]
    differ = {weight.layer: weight.differ for weight in kernels}
    made = {call.name: call.output for call in graph.calls if call.name in differ}
    terms = [
        (coefficient, *widths, weight.differ)
        for weight in kernels
        for coefficient, *widths in weight.terms
    ]
    for name, output in made.items():
        lengths = axis_length(graph, structure.sizes, graph.channels[output], layers)
        terms += [
            (FILTER * times, width, layers, differ[name])
            for width, times in lengths.items()
        ]
    return CostPolynomial.collect("bytes in int8", terms)


@budget(
    "flash",
    unit="bytes of flash",
    help="Bytes of the LiteRT file in int8, at most (by exporting).",
    measured=True,
    estimate="weight_bytes_int8",
)
def flash(structure: "Structure", measure_as: Measure) -> Cost:
    """The cost that builds the network of given widths and writes it in int8.

    As `litert_bytes`, of the format `litert_int8`.

    Args:
        structure: Of the architecture.
        measure_as: Not used: a size needs no repetition.

    Raises:
        InputError: the network has epitomes.
    """
    from ns_tf.networks.deployed import BYTE, litert_int8  # Late: it needs Keras.

    def write(model: "keras.Model", names: Sequence[str]) -> bytes:
        rng = np.random.default_rng(0)
        tokens = [tensor.dtype.startswith("int") for tensor in model.inputs]
        examples = Parts(
            # Of tokens 0, which every vocabulary has.
            rng.uniform(0, 1 if whole else BYTE, (_EXAMPLES, *tensor.shape[1:]))
            for whole, tensor in zip(tokens, model.inputs, strict=True)
        )
        return litert_int8(model, examples, byte_ends=not any(tokens), names=names)

    return sizes_of(structure, write)
