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
    """images `[batch, h, w, c]`, 0..255 -> probabilities `[batch, classes]`.

    Args:
        model: Takes normalised images.
        mean: Of pixels from 0 to 1, `[channels]`.
        std: The same.
        answer: What is added behind the model: a softmax, where it gives logits.
        dtype: Of the images.
        name: Of the result.
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
