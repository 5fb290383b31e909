"""LiteRT (formerly TensorFlow Lite), in float32 and in int8.

int8 is TensorFlow's full integer quantisation after training: images of the training
split set the ranges of the activations, and all operations compute in whole numbers
(Jacob et al., 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference").
"""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ns_tf.data.dataset import PIXELS
from ns_tf.export.formats import Source, file_format
from ns_tf.networks import deployed


@file_format(
    "litert",
    file="{name}.tflite",
    help="LiteRT in float32, for phones and small devices.",
    runtime="litert",
    packages=("ai_edge_litert",),
)
def litert(source: Source, path: Path) -> None:
    """Writes a float32 file: pixels from 0 to 255 in, probabilities out.

    Networks of other inputs take those, and give the task's answer.

    Args:
        source: The network, and what belongs to it.
        path: The file.
    """
    path.write_bytes(deployed.litert(_model(source)))


@file_format(
    "litert_int8",
    file="{name}_int8.tflite",
    help="LiteRT in int8, quantised after training on images of the training split.",
    runtime="litert",
    exact=False,
    packages=("ai_edge_litert",),
)
def litert_int8(source: Source, path: Path) -> None:
    """Writes a file with int8 weights and activations.

    It takes uint8 images and gives probabilities as uint8: `scale * (value - zero)`, by
    the quantization that the file states. Of inputs that are no bytes, both are floats.

    Args:
        source: The network, with the images that the ranges are measured on.
        path: The file.
    """

    model = _model(source)

    def examples() -> Iterator[list[np.ndarray]]:
        for example in source.calibration:
            yield [example[None].astype(model.inputs[0].dtype)]

    def quantise(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = examples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if source.inputs != PIXELS:
            return
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.uint8

    path.write_bytes(deployed.litert(model, quantise))


def _model(source: Source) -> keras.Model:
    """The deployed model, for float32 where it takes bytes.

    Its name is always the same, because it is in the file, and the file's size is a
    budget (`litert_bytes`).
    """
    dtype = "float32" if source.inputs == PIXELS else source.dtype
    return source.deployed(dtype, name="deployed")
