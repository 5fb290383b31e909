"""A network as it is deployed: pixels in, probabilities out; LiteRT's bytes of it.

What tells how is here, too: whether a model scales pixels or ends in a softmax.
"""

import tempfile
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from ns_tf import rules
from ns_tf.channels import trace
from ns_tf.keras_graph import functional, has_graph

_PASSING = ("flatten", "reshape", "identity", "dropout")
_SCALING = "Rescaling Normalization TrueDivide Divide Multiply Subtract Add".split()
# These, and layers whose names begin with Random, leave pixels in their unit.
_ARRANGING = "Cast GetItem Flip Resizing CenterCrop".split()


def ends_in_softmax(model: keras.Model) -> bool:
    """Whether a softmax is the last operation that computes anything.

    Args:
        model: Functional; models within may be sequential, too.
    """
    graph = trace(model)
    operations = {operation.name: operation for operation in model.operations}
    producer = {call.output: call for call in graph.calls}
    call = producer[graph.outputs[0]]
    while call.inputs:
        operation = operations[call.name]
        if has_graph(operation):
            return ends_in_softmax(functional(operation))
        activation = getattr(operation, "activation", None)
        names = (getattr(activation, "__name__", ""), type(operation).__name__.lower())
        if "softmax" in names:
            return True
        if names[1] not in _PASSING and names != ("linear", "activation"):
            return False
        call = producer[call.inputs[0]]
    return False


def scales_pixels(model: keras.Model) -> bool:
    """Whether a model brings pixels into its own range before any layer that learns.

    It begins with a Rescaling or Normalization, with arithmetic on the image, such as
    that of `keras.applications`' `preprocess_input`, or takes whole numbers.

    Args:
        model: Functional, of one input; models within may be sequential, too.
    """
    if not keras.backend.is_float_dtype(model.inputs[0].dtype):
        return True
    graph = trace(model)
    operations = {operation.name: operation for operation in model.operations}
    tensor = next(call.output for call in graph.calls if call.kind == rules.INPUT)
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
            if scales_pixels(inner):
                return True
            passes = not inner.trainable_variables
        else:
            passes = kind in _ARRANGING or kind.startswith("Random")
        if not passes and readers[0].kind != rules.THROUGH:
            return False
        tensor = readers[0].output


def deployed(
    model: keras.Model,
    mean: np.ndarray,
    std: np.ndarray,
    *,
    softmax: bool,
    dtype: str = "uint8",
    name: str = "deployed",
) -> keras.Model:
    """images `[batch, h, w, c]`, 0..255 -> probabilities `[batch, classes]`.

    Args:
        model: Takes normalised images.
        mean: Of pixels from 0 to 1, `[channels]`.
        std: The same.
        softmax: Whether the model gives logits.
        dtype: Of the images.
        name: Of the result.
    """
    image = keras.Input(model.inputs[0].shape[1:], dtype=dtype, name="image")
    scale, offset = 1 / (255 * std), -mean / std
    x = keras.layers.Rescaling(
        scale.tolist(), offset.tolist(), dtype="float32", name="normalise"
    )(image)
    x = model(x)
    if softmax:
        x = keras.layers.Softmax(dtype="float32", name="probabilities")(x)
    return keras.Model(image, x, name=name)


def litert(
    model: keras.Model, adjust: Callable[[Any], None] = lambda converter: None
) -> bytes:
    """The LiteRT file of a deployed model.

    Args:
        model: Takes float32. Its name and its layers' are in the file.
        adjust: Sets options of the `tf.lite.TFLiteConverter`.
    """
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(model)
    # As model.export does, which leaves open what training is: flips would be drawn.
    archive.add_endpoint(
        "serve",
        lambda image: model(image, training=False),
        [keras.InputSpec(shape=model.inputs[0].shape, dtype="float32")],
    )
    # From a SavedModel: of a Keras 3 model's function it would leave out the weights.
    with tempfile.TemporaryDirectory() as folder:
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        adjust(converter)
        return converter.convert()
