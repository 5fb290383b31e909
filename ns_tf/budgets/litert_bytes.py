"""Size of the LiteRT file in float32 that `ns_tf.export` writes."""

from typing import TYPE_CHECKING

import numpy as np

from ns_tf.base import Cost, InputError
from ns_tf.budgets import Measure, budget
from ns_tf.parts import Parts

if TYPE_CHECKING:
    import keras

    from ns_tf.networks.structure import Structure


@budget(
    "litert_bytes",
    unit="bytes",
    help="Bytes of the LiteRT file in float32, at most (by exporting).",
    measured=True,
    estimate="weight_bytes",
)
def litert_bytes(structure: "Structure", measure_as: Measure) -> Cost:
    """The cost that builds the network of given widths and converts it.

    The file holds what an export adds to the network: the scaling of pixels, and a
    softmax where the network ends in logits. Its size does not depend on the values of
    the weights, as long as no two weights are equal.

    Args:
        structure: Of the architecture.
        measure_as: Not used: a size needs no repetition.

    Raises:
        InputError: the network has several inputs or outputs.
    """
    several = isinstance(structure.input_shape, Parts)
    if several or len(structure.reference.outputs) > 1:
        raise InputError(
            "litert_bytes is of LiteRT files, which have one input and one output; "
            f"{structure.architecture.name} has more. Use weight_bytes."
        )

    def cost(widths: np.ndarray) -> int:
        # Late: they need Keras.
        from ns_tf.networks.deployed import deployed, litert, softmax_of

        model = structure.build([int(width) for width in widths])
        _fill(model)
        # The export of a network that scales pixels itself scales them by 1, which the
        # converter leaves out; in any other export the scaling stays in the file.
        mean, std = (0, 1 / 255) if structure.scales_pixels else (0.5, 0.25)
        channels = structure.input_shape[-1]
        network = deployed(
            model,
            np.full(channels, mean),
            np.full(channels, std),
            answer=softmax_of(model),
            dtype="float32",
        )
        return len(litert(network))

    return Cost(cost, measured=True)


def _fill(model: "keras.Model") -> None:
    """Gives all weights different values: the converter keeps equal ones once."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
