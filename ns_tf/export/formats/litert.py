"""LiteRT (formerly TensorFlow Lite), in float32 and in int8.

int8 is TensorFlow's full integer quantisation after training: images of the training
split set the ranges of the activations, and all operations compute in whole numbers
(Jacob et al., 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference").
"""

from pathlib import Path

import keras

from ns_tf.data.dataset import PIXELS
from ns_tf.export.formats import Source, file_format
from ns_tf.networks import deployed
from ns_tf.parts import each, parts


@file_format(
    "litert",
    file="{name}.tflite",
    help="LiteRT in float32, for phones and small devices.",
    runtime="litert",
    packages=("ai_edge_litert",),
    several=True,
)
def litert(source: Source, path: Path) -> None:
    """Writes a float32 file: pixels from 0 to 255 in, probabilities out.

    Networks of other inputs take those, and give the task's answer. Several inputs and
    outputs have their names in the file's signature.

    Args:
        source: The network, and what belongs to it.
        path: The file.
    """
    path.write_bytes(deployed.litert(_model(source), names=source.outputs))


@file_format(
    "litert_int8",
    file="{name}_int8.tflite",
    help="LiteRT in int8, quantised after training on images of the training split.",
    runtime="litert",
    exact=False,
    packages=("ai_edge_litert",),
    several=True,
)
def litert_int8(source: Source, path: Path) -> None:
    """Writes a file with int8 weights and activations.

    It takes uint8 images and gives probabilities as uint8: `scale * (value - zero)`, by
    the quantization that the file states. Where an input is no image, all inputs and
    outputs are as in the float file.

    Args:
        source: The network, with the images that the ranges are measured on.
        path: The file.
    """
    ends = all(kind == PIXELS for kind in parts(source.inputs))
    file = deployed.litert_int8(
        _model(source), source.calibration, byte_ends=ends, names=source.outputs
    )
    path.write_bytes(file)


def _model(source: Source) -> keras.Model:
    """The deployed model, for float32 where it takes bytes.

    Its name is always the same, because it is in the file, and the file's size is a
    budget (`litert_bytes`, `flash`).
    """

    def taken(kind: str, dtype: str) -> str:
        return "float32" if kind == PIXELS else dtype

    return source.deployed(each(taken, source.inputs, source.dtype), name="deployed")
