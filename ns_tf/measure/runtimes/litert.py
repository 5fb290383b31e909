"""LiteRT, which runs networks on phones; here its interpreter for this machine."""

from typing import TYPE_CHECKING

from ns_tf.measure.runtimes import Run, example, runtime, timed
from ns_tf.measure.traced import traced

if TYPE_CHECKING:
    import keras


def written(model: "keras.Model", batch: int) -> bytes:
    """The float32 file of a network for passes of `batch` examples."""
    import tensorflow as tf

    function = traced(model, batch)
    # Weights are constants of the function, so what it was made of holds nothing.
    made_of = tf.Module()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], made_of)
    return converter.convert()


@runtime(
    "litert",
    help="LiteRT in float32, on this machine.",
    packages=("ai_edge_litert",),
    suffix=".tflite",
    written=written,
)
def litert(model: "keras.Model", batch: int, threads: int) -> Run:
    """A network in the interpreter; copies of inputs and outputs are not timed.

    Args:
        model: Built.
        batch: Examples in one pass.
        threads: Of the interpreter.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=written(model, batch), num_threads=threads)
    interpreter.allocate_tensors()
    for details in interpreter.get_input_details():
        value = example(details["shape"], details["dtype"])
        interpreter.set_tensor(details["index"], value)
    return timed(interpreter.invoke)
