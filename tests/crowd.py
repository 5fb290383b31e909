"""Several workers in tests: as threads of this process, and as processes.

As a program, all workers of a cluster, each a process:

    python tests/crowd.py ADDRESSES DEVICES WHOLE OUT...

They prune, and if WHOLE is 1 train, a small network, and write what came out to the
files OUT, .npz, one a worker.
"""

import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
from places import ROOT

WIDTHS = 13, 11, 13


def in_threads(count, act):
    """What `act` returns for each of so many workers, which run at the same time.

    An exception of one of them is raised here; the others are let go.

    Args:
        count: Of workers.
        act: Workers -> anything.
    """
    from ns_tf.engine.workers import Workers

    barrier = threading.Barrier(count)
    parts = [None] * count

    class Thread(Workers):
        """A worker whose sums go through this process's memory."""

        def total(self, array):
            barrier.wait(20)
            parts[self.index] = np.asarray(array, np.float64)
            barrier.wait(20)
            return np.sum(parts, axis=0)

    def worker(index):
        try:
            return act(Thread(None, index, count))
        except threading.BrokenBarrierError:
            return None
        except BaseException as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(worker, range(count)))


def free_ports(count):
    """Ports that nobody listens at now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def addresses(count):
    """Addresses of workers on this machine."""
    return [f"127.0.0.1:{port}" for port in free_ports(count)]


def environment():
    """The environment of a worker process: of one thread."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    single = {f"TF_NUM_{kind}_THREADS": "1" for kind in ("INTRAOP", "INTEROP")}
    made = {**os.environ, **single, "PYTHONPATH": paths}
    made.pop("TF_CPP_MIN_LOG_LEVEL", None)  # A command has its own.
    return made


def started(command, **options):
    """A worker process."""
    return subprocess.Popen(
        [sys.executable, *command],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def results(way, *, whole=True):
    """What pruning and training a small network on these devices comes to, by name.

    Args:
        way: The execution.
        whole: Whether the pruning rebuilds, and a training follows.
    """
    from small import QUICK, problem, replaced, residual

    from ns_tf.engine.runtime import Runtime
    from ns_tf.prune.iterative import prune_trace
    from ns_tf.train.config import TrainConfig
    from ns_tf.train.training import train

    work = problem(residual, WIDTHS)
    config = replaced(
        QUICK,
        rebuild="always" if whole else "never",
        filters_per_event=9,
        stop_fraction=0.6,
        search_batch=17,
    )
    trace = prune_trace(work, WIDTHS, config, Runtime(way))
    found = {"history": trace.history, "scores": trace.scores.lowest}
    if not whole:
        return found
    recipe = TrainConfig(epochs=2, batch=17, rate=0.05, momentum=0.9)
    trained = train(work, work.build, recipe, Runtime(way, seed=3))
    return {
        **found,
        "loss": [epoch.validation_loss for epoch in trained.history],
        "test": [trained.test_score, trained.test_loss],
        **{f"weight{i}": w for i, w in enumerate(trained.model.get_weights())},
    }


def worker(cluster, index, devices, whole, out):
    """One worker."""
    import keras
    import tensorflow as tf
    from tensorflow.python.distribute import collective_all_reduce_strategy

    from ns_tf.engine.config import RuntimeConfig
    from ns_tf.engine.execution import Execution

    keras.config.set_floatx("float64")
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * devices,
    )
    # TensorFlow takes several devices of a worker if they are GPUs; here they are CPUs.
    extended = collective_all_reduce_strategy.CollectiveAllReduceExtended
    several = [f"/job:worker/task:{index}/device:CPU:{i}" for i in range(devices)]
    with mock.patch.object(
        extended,
        "_initialize_local_devices",
        lambda self, resolver, device: (tuple(several), "CPU"),
    ):
        config = RuntimeConfig(workers_at=tuple(cluster), worker=index)
        way = Execution.of(config, several=True)
        assert way.replicas == devices * len(cluster)
        np.savez(out, **results(way, whole=whole))


def main(cluster, devices, whole, outs):
    """All workers, as copies of a process that has imported what takes seconds.

    TensorFlow may be copied as long as it has computed nothing.
    """
    import small  # noqa: F401

    import ns_tf.engine.execution  # noqa: F401
    import ns_tf.prune.iterative  # noqa: F401
    import ns_tf.train.training  # noqa: F401

    children = []
    for index, out in enumerate(outs):
        child = os.fork()
        if child == 0:
            return worker(cluster, index, devices, whole, out)
        children.append(child)
    sys.exit(max(os.waitpid(child, 0)[1] != 0 for child in children))


if __name__ == "__main__":
    places, local, everything, *paths = sys.argv[1:]
    main(places.split(","), int(local), everything == "1", paths)
