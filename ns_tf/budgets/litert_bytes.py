"""Size of the LiteRT file in float32 that `ns_tf.export` writes."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ns_tf.base import Cost, InputError
from ns_tf.budgets import Measure, budget
from ns_tf.networks.costs import EPITOME
from ns_tf.parts import Parts, each

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
        InputError: the network has epitomes.
    """
    from ns_tf.networks.deployed import litert  # Late: it needs Keras.

    return sizes_of(structure, lambda model, names: litert(model, names=names))


def sizes_of(
    structure: "Structure", write: Callable[["keras.Model", Sequence[str]], bytes]
) -> Cost:
    """The cost that builds the network of given widths and writes its file.

    Args:
        structure: Of the architecture.
        write: A deployed model, and the names of its outputs if it has several -> the
            file.

    Raises:
        InputError: the network has epitomes.
    """
    check_plain(structure)

    def cost(widths: np.ndarray) -> int:
        from ns_tf.graph.compilation import output_names  # Late: it needs Keras.

        model = structure.build([int(width) for width in widths])
        _fill(model)
        names = output_names(model) if len(model.outputs) > 1 else ()
        return len(write(_deployed(structure, model), names))

    return Cost(cost, measured=True)


def check_plain(structure: "Structure") -> None:
    """Refuses networks of epitomes: a file has the larger kernels that they make.

    Args:
        structure: Of the architecture.

    Raises:
        InputError: says what to give.
    """
    if any(weight.name == EPITOME for weight in structure.weights):
        raise InputError(
            "A LiteRT file has the kernels that epitomes make, not the epitomes: give "
            "ns_tf.as_plain(model) where the size of the file is a budget."
        )


def _deployed(structure: "Structure", model: "keras.Model") -> "keras.Model":
    """The network as an export has it, of means and deviations that are made up."""
    from ns_tf.networks.deployed import BYTE, deployed, softmax_of

    shapes, scales = structure.input_shape, structure.scales_pixels
    tokens = Parts(tensor.dtype.startswith("int") for tensor in model.inputs)
    tokens = tokens if len(tokens) > 1 else tokens[0]
    # The export of a network that scales pixels itself scales them by 1, which the
    # converter leaves out; in any other export the scaling stays in the file.
    return deployed(
        model,
        each(lambda shape, own: np.full(shape[-1], 0 if own else 0.5), shapes, scales),
        each(
            lambda shape, own: np.full(shape[-1], 1 / 255 if own else 0.25),
            shapes,
            scales,
        ),
        # Of several outputs the task is what was compiled, which adds nothing.
        answer=softmax_of(model) if len(model.outputs) == 1 else None,
        unit=each(lambda whole: None if whole else BYTE, tokens),
        dtype=each(lambda whole: "int32" if whole else "float32", tokens),
    )


def _fill(model: "keras.Model") -> None:
    """Gives all weights different values: the converter keeps equal ones once.

    Kernels average what they read, or are smaller. So activations stay of one size
    however deep the network is, and no bias is so small beside them that it becomes 0
    in int8: the converter leaves such biases out, and the file of a trained network
    would be larger.
    """
    rng = np.random.default_rng(0)
    for weight in model.weights:
        shape = tuple(weight.shape)
        reads = math.prod(shape[:-1]) if len(shape) > 1 else 1
        weight.assign(rng.uniform(0.5, 1.5, shape) / reads)
