"""ONNX Runtime, on the CPU."""

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ns_tf.base import refusing
from ns_tf.measure.runtimes import Run, example, runtime, timed
from ns_tf.measure.traced import traced

if TYPE_CHECKING:
    import keras


def written(model: "keras.Model", batch: int) -> bytes:
    """The file of a network for passes of `batch` examples, by tf2onnx.

    Images are channels first at both ends, as within: the layers of a network pass them
    on so.

    Raises:
        InputError: tf2onnx cannot convert an operation.
    """
    import tf2onnx

    function = traced(model, batch)
    ends = {
        "input_names": [tensor.name for tensor in function.inputs],
        "output_names": [tensor.name for tensor in function.outputs],
    }
    images = {
        "inputs_as_nchw": [t.name for t in function.inputs if t.shape.rank == 4],
        "outputs_as_nchw": [t.name for t in function.outputs if t.shape.rank == 4],
    }
    with _quiet(), refusing(f"tf2onnx cannot convert {model.name!r}"):
        proto, _ = tf2onnx.convert.from_graph_def(
            function.graph.as_graph_def(), opset=17, **ends, **images
        )
    return proto.SerializeToString()


@runtime(
    "onnx",
    help="ONNX Runtime in float32, on this machine's CPU.",
    packages=("tf2onnx", "onnxruntime"),
    suffix=".onnx",
    written=written,
)
def onnx(model: "keras.Model", batch: int, threads: int) -> Run:
    """A network in a session; copies of inputs and outputs are not timed.

    Args:
        model: Built.
        batch: Examples in one pass.
        threads: Of an operation.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(
        written(model, batch), options, providers=["CPUExecutionProvider"]
    )
    binding = session.io_binding()
    for entry in session.get_inputs():
        dtype = np.float32 if "float" in entry.type else np.int32
        binding.bind_cpu_input(entry.name, example(entry.shape, dtype))
    for entry in session.get_outputs():
        binding.bind_output(entry.name)
    return timed(lambda: session.run_with_iobinding(binding))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what tf2onnx logs of every network."""
    logger = logging.getLogger("tf2onnx")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
