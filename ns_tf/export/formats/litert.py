"""LiteRT (formerly TensorFlow Lite), in float32 and in int8."""

import tensorflow as tf

from ns_tf.export.formats import file_format
from ns_tf.networks import deployed


@file_format(
    "litert",
    file="{name}.tflite",
    help="LiteRT in float32, for phones and small devices.",
    runtime="litert",
    packages=("ai_edge_litert",),
)
def litert(source, path):
    """Pixels from 0 to 255 as float32 in, probabilities out."""
    path.write_bytes(deployed.litert(_model(source)))


@file_format(
    "litert_int8",
    file="{name}_int8.tflite",
    help="LiteRT in int8, quantised after training on images of the training split.",
    runtime="litert",
    exact=False,
    packages=("ai_edge_litert",),
)
def litert_int8(source, path):
    """Weights and activations in int8; uint8 images in, uint8 probabilities out."""

    def images():
        for image in source.calibration:
            yield [image[None].astype("float32")]

    def quantise(converter):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = images
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.uint8

    path.write_bytes(deployed.litert(_model(source), quantise))


def _model(source):
    # By one name for all: the size of the file is a budget.
    return source.deployed("float32", name="deployed")
