"""A network as it is deployed: pixels in, probabilities out; its LiteRT file."""

import tempfile
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from ns_tf.graph.calls import functional
from ns_tf.graph.ends import ends_in_softmax


def softmax_of(model: keras.Model) -> keras.Layer | None:
    """The softmax that makes probabilities of logits; None if the model has one."""
    if ends_in_softmax(functional(model)):
        return None
    return keras.layers.Softmax(dtype="float32", name="probabilities")


def deployed(
    model: keras.Model,
    mean: np.ndarray,
    std: np.ndarray,
    *,
    answer: keras.Layer | None = None,
    dtype: str = "uint8",
    name: str = "deployed",
) -> keras.Model:
    """The model with its preprocessing and, if it gives logits, a softmax.

    A pixel p from 0 to 255 becomes (p / 255 - mean) / std = p / (255 std) - mean / std.

    Args:
        model: Takes normalised images `[batch, height, width, channels]`.
        mean: [channels], of pixels from 0 to 1.
        std: [channels], of pixels from 0 to 1.
        answer: The layer behind the model: a softmax, where it gives logits.
        dtype: Of the images.
        name: Of the result.

    Returns:
        A model from images `[batch, height, width, channels]` of pixels from 0 to 255
        to probabilities `[batch, classes]`. It shares the model's weights.
    """
    image = keras.Input(model.inputs[0].shape[1:], dtype=dtype, name="image")
    scale, offset = 1 / (255 * std), -mean / std
    x = keras.layers.Rescaling(
        scale.tolist(), offset.tolist(), dtype="float32", name="normalise"
    )(image)
    x = model(x)
    if answer is not None:
        x = answer(x)
    return keras.Model(image, x, name=name)


def litert(
    model: keras.Model, adjust: Callable[[Any], None] = lambda converter: None
) -> bytes:
    """The LiteRT file of a deployed model, in inference mode.

    Args:
        model: Takes float32. The file holds its name and those of its layers.
        adjust: Sets options of the `tf.lite.TFLiteConverter`.

    Returns:
        The bytes of the file.
    """
    import tensorflow as tf  # Late: what builds networks needs none.

    archive = keras.export.ExportArchive()
    archive.track(model)
    # `model.export` would leave `training` open, and layers would augment the images.
    archive.add_endpoint(
        "serve",
        lambda image: model(image, training=False),
        [keras.InputSpec(shape=model.inputs[0].shape, dtype="float32")],
    )
    # By way of a SavedModel: a converted function of a Keras 3 model has no weights.
    with tempfile.TemporaryDirectory() as folder:
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        adjust(converter)
        return converter.convert()
