"""ONNX, for ONNX Runtime and other programs that read it.

tf2onnx converts the traced function of the deployed model to opset 17.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ns_tf.base import InputError
from ns_tf.export.formats import Source, file_format
from ns_tf.parts import Parts, each, parts


@file_format(
    "onnx",
    file="{name}.onnx",
    help="ONNX, by tf2onnx.",
    runtime="onnx_file",
    packages=("tf2onnx", "onnxruntime"),
    several=True,
)
def onnx_file(source: Source, path: Path) -> None:
    """Writes a file whose outputs have the names of the model's, or the task's answer.

    A single input is called `image`, uint8 `[batch, h, w, c]`, channels last as Keras
    has them; `inputs` if it is anything else. A classifier answers `probabilities`.
    Several inputs and outputs have the names that they have in the model.

    Args:
        source: The network, and what belongs to it.
        path: The file.

    Raises:
        InputError: tf2onnx cannot convert an operation of the network.
    """
    import onnx
    import tf2onnx

    model = source.deployed()
    answers = source.outputs or (source.task.answers,)
    names = Parts(tensor.name for tensor in model.inputs)
    # The error below says what tf2onnx would log.
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    try:
        # Not tf2onnx.convert.from_function: it makes inputs of constants that a layer
        # holds, such as the statistics of a Normalization.
        traced = _function(source, model, names).get_concrete_function()
        raw = [tensor.name for tensor in traced.inputs[: len(names)]]
        outputs = [tensor.name for tensor in traced.outputs]
        tf2onnx.convert.from_graph_def(
            tf2onnx.tf_loader.from_function(traced, raw, outputs),
            input_names=raw,
            output_names=outputs,
            tensors_to_rename=dict(
                zip([*raw, *outputs], [*names, *answers], strict=True)
            ),
            opset=17,
            custom_op_handlers={"Erfc": (_erfc, [])},
            output_path=str(path),
        )
        # tf2onnx leaves operations that it does not know in the file.
        onnx.checker.check_model(str(path))
    except Exception as error:  # A converter fails in many ways.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{source.name} has operations that tf2onnx cannot convert: "
            f"{reason.rstrip('.')}. Leave onnx out of --format."
        ) from error


def _function(source: Source, model: keras.Model, names: Parts) -> Callable:
    """The `tf.function` of a model: inputs in order -> outputs in order.

    Args:
        source: Says what the inputs are.
        model: As it is deployed.
        names: Of its inputs.
    """
    several = len(names) > 1

    def specified(shape, dtype, name):
        return tf.TensorSpec([None, *shape], dtype, name)

    called = names if several else names[0]
    signature = parts(each(specified, source.image_shape, source.dtype, called))

    @tf.function(input_signature=signature)
    def run(*inputs):
        found = model(list(inputs) if several else inputs[0], training=False)
        return keras.tree.flatten(found)

    return run


def _erfc(graph: Any, node: Any, name: str, arguments: Sequence) -> None:
    """Replaces erfc(x) by 1 - erf(x): ONNX has no erfc, and Keras's gelu uses it.

    Args:
        graph: tf2onnx's graph.
        node: The operation.
        name: Of the operation.
        arguments: Of the handler; there are none.
    """
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
