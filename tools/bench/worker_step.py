"""One worker of `workers.py`: the training step of a network, timed when asked."""

import os
import time
from typing import Any

import lockstep

STATE: dict[str, Any] = {}


def begin(
    at: list[str], index: int, threads: int, architecture: str, batch: int
) -> dict[str, Any]:
    """Makes the network and its step, and runs it once.

    Args:
        at: Addresses of the workers; none for a process alone.
        index: Of this one.
        threads: Of TensorFlow's operations.
        architecture: As `ns_tf.descend` takes it.
        batch: Images of a step, over all workers.
    """
    os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    from ns_tf.engine.config import RuntimeConfig
    from ns_tf.engine.execution import Execution
    from ns_tf.networks import architectures

    config = RuntimeConfig(
        workers_at=tuple(at), worker=index if at else None, threads=threads
    )
    execution = Execution.of(config, several=True)
    found = architectures.get(architecture)
    start = time.perf_counter()
    model = execution.build(
        lambda: found.build(found.widths, input_shape=(32, 32, 3), classes=10)
    )
    STATE.update(execution=execution, model=model)
    STATE["step"] = _step(model, batch)
    steps(1)
    return {
        "rebuild": time.perf_counter() - start,
        "parameters": sum(v.value.shape.num_elements() for v in STATE["trained"]),
        "variables": len(model.variables),
        "norms": sum("BatchNorm" in type(layer).__name__ for layer in model.layers),
    }


def _step(model: Any, batch: int) -> Any:
    """The compiled step, fed with its share of noise images."""
    import tensorflow as tf

    from ns_tf.engine.sgd import Sgd
    from ns_tf.engine.step import TrainStep
    from ns_tf.problem import tasks

    execution = STATE["execution"]
    with execution.strategy.scope():
        sgd = Sgd(model.trainable_variables, momentum=0.9, weight_decay=5e-4)
    STATE["trained"] = model.trainable_variables
    loss = tasks.get("classification").loss(model)
    step = TrainStep(model, sgd, loss, batch, execution).compiled()
    (share,) = execution.shares(batch) or [slice(0, batch)]
    size = share.stop - share.start
    images = tf.random.stateless_normal((size, 32, 32, 3), [7, share.start])
    labels = tf.zeros(size, tf.int32)
    rate = tf.constant(1e-3)
    return lambda: float(step(images, labels, rate))


def steps(count: int) -> dict[str, float]:
    """Seconds of a step, over so many steps in a row."""
    start = time.perf_counter()
    for _ in range(count):
        STATE["step"]()
    return {"seconds": (time.perf_counter() - start) / count}


def summed(size: int, count: int) -> dict[str, float]:
    """Seconds in which so many float32 numbers are summed over all workers."""
    import tensorflow as tf

    strategy = STATE["execution"].strategy
    numbers = tf.zeros(size)

    @tf.function(autograph=False)
    def total():
        def own():
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.SUM, numbers)

        return strategy.run(own)

    total()
    start = time.perf_counter()
    for _ in range(count):
        total()
    return {"seconds": (time.perf_counter() - start) / count}


if __name__ == "__main__":
    lockstep.serve(begin=begin, steps=steps, summed=summed)
