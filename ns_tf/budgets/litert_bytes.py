"""Size of the LiteRT file in float32 that `ns_tf.export` writes."""

import numpy as np

from ns_tf.base import Cost
from ns_tf.budgets import Measure, budget


@budget(
    "litert_bytes",
    unit="bytes",
    help="Bytes of the LiteRT file in float32, at most (by exporting).",
    measured=True,
    estimate="weight_bytes",
)
def litert_bytes(structure, measure_as: Measure):
    """Builds the network of the widths asked for, and converts it."""

    def cost(widths) -> int:
        from ns_tf.networks import deployed  # Late: it needs Keras.

        model = structure.build([int(width) for width in widths])
        _fill(model)
        # What an export has: the converter leaves a scaling by 1 out.
        mean, std = (0, 1 / 255) if structure.scales_pixels else (0.5, 0.25)
        channels = structure.input_shape[-1]
        network = deployed.deployed(
            model,
            np.full(channels, mean),
            np.full(channels, std),
            answer=deployed.softmax_of(model),
            dtype="float32",
        )
        return len(deployed.litert(network))

    return Cost(cost, measured=True)


def _fill(model) -> None:
    """Gives all weights values that differ: equal ones would be kept only once."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
