"""ONNX, for ONNX Runtime and what else reads it."""

import tensorflow as tf

from ns_tf.base import InputError
from ns_tf.formats import file_format


@file_format(
    "onnx",
    file="{name}.onnx",
    help="ONNX, by tf2onnx.",
    runtime="onnx_file",
    packages=("tf2onnx", "onnxruntime"),
)
def onnx_file(source, path):
    """Converted by tf2onnx, images as Keras has them: channels last."""
    import tf2onnx

    model = source.deployed()
    signature = [tf.TensorSpec([None, *source.image_shape], tf.uint8, "image")]

    @tf.function(input_signature=signature)
    def run(image):
        return {"probabilities": model(image, training=False)}

    try:
        tf2onnx.convert.from_function(
            run, input_signature=signature, opset=17, output_path=str(path)
        )
    except Exception as error:  # Whatever a converter meets in somebody's network.
        raise InputError(
            f"{source.name} has operations that tf2onnx cannot convert: "
            f"{str(error).strip().splitlines()[0]} Leave onnx out of --format."
        ) from error
