"""ONNX, for ONNX Runtime and what else reads it."""

import logging

import numpy as np
import tensorflow as tf

from ns_tf.base import InputError
from ns_tf.export.formats import file_format


@file_format(
    "onnx",
    file="{name}.onnx",
    help="ONNX, by tf2onnx.",
    runtime="onnx_file",
    packages=("tf2onnx", "onnxruntime"),
)
def onnx_file(source, path):
    """Converted by tf2onnx, images as Keras has them: channels last."""
    import onnx
    import tf2onnx

    model = source.deployed()
    signature = [tf.TensorSpec([None, *source.image_shape], tf.uint8, "image")]

    @tf.function(input_signature=signature)
    def run(image):
        return {"probabilities": model(image, training=False)}

    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # The error below says it.
    try:
        # Its own from_function takes constants that a layer holds, the statistics of a
        # Normalization, for inputs.
        traced = run.get_concrete_function()
        taken, given = traced.inputs[0].name, traced.outputs[0].name
        tf2onnx.convert.from_graph_def(
            tf2onnx.tf_loader.from_function(traced, [taken], [given]),
            input_names=[taken],
            output_names=[given],
            tensors_to_rename={taken: "image", given: "probabilities"},
            opset=17,
            custom_op_handlers={"Erfc": (_erfc, [])},
            output_path=str(path),
        )
        # Operations that tf2onnx does not know it leaves in as they are.
        onnx.checker.check_model(str(path))
    except Exception as error:  # Whatever a converter meets in somebody's network.
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{source.name} has operations that tf2onnx cannot convert: "
            f"{said.rstrip('.')}. Leave onnx out of --format."
        ) from error


def _erfc(graph, node, name, arguments):
    """1 - erf(x), which ONNX has: Keras's gelu needs it."""
    erf = graph.make_node("Erf", [node.input[0]])
    one = graph.make_const(f"{name}/one", np.ones((), np.float32))
    shapes, dtypes, outputs = node.output_shapes, node.output_dtypes, node.output
    graph.remove_node(node.name)
    graph.make_node(
        "Sub",
        [one.output[0], erf.output[0]],
        outputs=outputs,
        name=name,
        shapes=shapes,
        dtypes=dtypes,
    )
