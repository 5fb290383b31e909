"""TensorFlow itself: a traced function, without XLA."""

from typing import TYPE_CHECKING

from ns_tf.measure.runtimes import Run, example, runtime, timed

if TYPE_CHECKING:
    import keras


def begin(threads: int) -> None:
    """Lets TensorFlow start with that many threads for an operation.

    Raises:
        InputError: it has started with another number.
    """
    from ns_tf.engine.execution import set_threads  # Late: it needs TensorFlow.

    set_threads(threads)


@runtime("tf", help="TensorFlow: a traced function, without XLA.", begin=begin)
def tensorflow(model: "keras.Model", batch: int, threads: int) -> Run:
    """A network as a traced function.

    Args:
        model: Built.
        batch: Examples in one pass.
        threads: Of an operation; TensorFlow has to start with them.

    Raises:
        InputError: TensorFlow has started with another number of threads.
    """
    import tensorflow as tf

    begin(threads)

    @tf.function(jit_compile=False)
    def forward(*inputs):
        outputs = model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)
        # One number of each: what is copied to the host must not take time.
        return [tf.reshape(one, [-1])[:1] for one in tf.nest.flatten(outputs)]

    inputs = [
        tf.constant(example((batch, *tensor.shape[1:]), tensor.dtype))
        for tensor in model.inputs
    ]
    return timed(lambda: [one.numpy() for one in forward(*inputs)])
