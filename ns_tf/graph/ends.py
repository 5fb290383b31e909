"""What a model does at its ends: whether it scales pixels, or gives probabilities."""

from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError, reason_of
from ns_tf.graph.calls import functional, has_graph, input_names
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.rules import THROUGH
from ns_tf.graph.walk import channel_graph
from ns_tf.parts import Parts, parts

_EXAMPLES = 3  # Random vectors on which the end of a model is computed.
_ROUNDING = 1e-2  # Of float16 and bfloat16.
_SCALING = "Rescaling Normalization TrueDivide Divide Multiply Subtract Add".split()
# Operations that leave pixels in their unit; so do layers named Random...
_ARRANGING = "Cast GetItem Flip Resizing CenterCrop".split()


def ends_in_softmax(model: keras.Model) -> bool:
    """Whether a model gives probabilities, as behind a softmax.

    What follows the last layers that have weights is computed on random numbers in
    their place: probabilities are not negative and sum to 1 over the last axis. So it
    does not matter how the softmax is written, and what leaves probabilities what they
    are may follow it: a reshape, a scaling by 1, a limit, an average of two.

    Args:
        model: Functional; models within may be sequential.

    Returns:
        False if the model gives logits.

    Raises:
        InputError: the end of the model cannot be computed.
    """
    values = _end(model)
    sums = values.sum(axis=-1)
    return bool((values >= 0).all() and (np.abs(sums - 1) < _ROUNDING).all())


def ends_in_sigmoid(model: keras.Model) -> bool:
    """Whether every output of a model is a number from 0 to 1, as behind a sigmoid.

    The end of the model is computed, as `ends_in_softmax` does.

    Args:
        model: Functional; models within may be sequential.

    Returns:
        False if the model gives logits.

    Raises:
        InputError: the end of the model cannot be computed.
    """
    # Several draws: by chance, a few numbers may lie there.
    values = np.concatenate([_end(model, seed) for seed in range(4)])
    return bool(((values >= 0) & (values <= 1)).all())


def _end(model: keras.Model, seed: int = 0) -> np.ndarray:
    """Outputs of a model at random numbers, drawn by the seed.

    Raises:
        InputError: the end of the model cannot be computed.
    """
    try:
        return np.asarray(_sample(model, np.random.default_rng(seed))[0], float)
    except Exception as error:  # Keras raises what its parts raise.
        raise InputError(
            f"The end of {model.name!r} cannot be computed: {reason_of(error)}"
        ) from error


def _sample(model: keras.Model, rng: np.random.Generator) -> list:
    """Outputs of a model whose last layers with weights put out random numbers."""
    known: dict[int, Any] = {}
    return [_value(tensor, known, rng) for tensor in functional(model).outputs]


def _value(tensor: keras.KerasTensor, known: dict, rng: np.random.Generator) -> Any:
    """A value of a tensor; `known` holds those of other tensors, by id."""
    if id(tensor) not in known:
        # Keras has no public way from a tensor to the call that made it.
        operation, call, place = tensor._keras_history
        arguments = operation._inbound_nodes[call].arguments
        if has_graph(operation) and operation.weights:
            value = _sample(operation, rng)[place]
        elif getattr(operation, "weights", None) or not arguments.keras_tensors:
            value = _drawn(operation, tensor, rng)
        else:
            args, kwargs = keras.tree.map_structure(
                lambda x: (
                    _value(x, known, rng) if isinstance(x, keras.KerasTensor) else x
                ),
                (arguments.args, arguments.kwargs),
            )
            # A dropout may be called so that it always draws.
            kwargs |= {"training": False} if "training" in kwargs else {}
            value = keras.tree.flatten(operation(*args, **kwargs))[place]
        known[id(tensor)] = value
    return known[id(tensor)]


def _drawn(
    operation: keras.Operation, tensor: keras.KerasTensor, rng: np.random.Generator
) -> Any:
    """What a layer makes of random numbers [examples, ...] by its activation."""
    shape = [_EXAMPLES, *(n or 1 for n in tensor.shape[1:])]
    numbers = keras.ops.cast(rng.normal(scale=3.0, size=shape), tensor.dtype)
    within = getattr(operation, "layer", None)  # Of a `TimeDistributed`.
    for layer in (operation, within):
        activation = getattr(layer, "activation", None)
        if activation is not None:
            return activation(numbers)
    return numbers


def scales_pixels(model: keras.Model) -> bool | Parts:
    """Whether a model brings pixels into its own range before any layer that learns.

    It begins with a Rescaling or Normalization or with arithmetic on the image, such
    as that of `keras.applications`' `preprocess_input`, or it takes whole numbers.
    Such a model is given pixels as they are; others are given normalised images.

    Args:
        model: Functional; models within may be sequential.

    Returns:
        Whether it does; of a model with several inputs `Parts`, one for each.
    """
    graph = channel_graph(model)
    inputs = zip(input_names(model), model.inputs, strict=True)
    found = Parts(_scales(model, graph, name, tensor) for name, tensor in inputs)
    return found if len(found) > 1 else found[0]


def _scales(
    model: keras.Model, graph: ChannelGraph, name: str, image: keras.KerasTensor
) -> bool:
    """Whether a model scales one of its inputs."""
    if not keras.backend.is_float_dtype(image.dtype):
        return True
    operations = {operation.name: operation for operation in model.operations}
    tensor = next(call.output for call in graph.calls if call.name == name)
    while True:
        readers = [call for call in graph.calls if tensor in call.inputs]
        if len(readers) != 1 or len(readers[0].inputs) != 1:
            return False
        operation = operations[readers[0].name]
        kind = type(operation).__name__
        if kind in _SCALING:
            return True
        if has_graph(operation):
            inner = functional(operation)
            if all(parts(scales_pixels(inner))):
                return True
            passes = not inner.trainable_variables
        else:
            passes = kind in _ARRANGING or kind.startswith("Random")
        if not passes and readers[0].kind != THROUGH:
            return False
        tensor = readers[0].output
