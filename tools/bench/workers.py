"""Workers of one thread against one process of two threads, and the model's word.

python tools/bench/workers.py --architecture=vgg11 --batch=64 --steps=10 --rounds=7

The ways take turns on this machine; medians count. What a step of one thread takes at
two batch sizes, and what a sum over the workers takes, are what `scaling_model.py`
predicts the step of so many workers from. It knows nothing of the machine's cores, and
workers wait for each other where there are too few.
"""

import contextlib
import dataclasses
import socket
from concurrent.futures import ThreadPoolExecutor

import lockstep
import numpy as np
import scaling_model

from ns_tf import cli
from ns_tf.base import InputError
from ns_tf.run.checks import at_least
from ns_tf.run.option import option

SMALL = 1  # Numbers of a sum that takes its latency alone.


@dataclasses.dataclass(frozen=True)
class WorkersBenchConfig:
    """What is measured."""

    architecture: str = option("vgg11", "As ns_tf.descend takes it.")
    workers: tuple[int, ...] = option((2, 4), "How many workers, a race of each.")
    batch: int = option(64, "Images a step, over all workers.")
    steps: int = option(10, "Steps a measurement.")
    rounds: int = option(7, "Measurements; their median counts.")

    def __post_init__(self):
        at_least(self, 2, "batch")
        at_least(self, 1, "steps", "rounds")
        if not all(2 <= count <= self.batch for count in self.workers):
            raise InputError(
                f"--workers are from 2 to --batch={self.batch}; got {self.workers}."
            )


class Way:
    """Processes that do the same step together.

    Args:
        stack: Ends them.
        config: Of the race.
        workers: How many processes.
        threads: Of each.
        batch: Images of a step, over all of them.
    """

    def __init__(self, stack, config, workers: int, threads: int, batch: int):
        self.processes = [
            stack.enter_context(lockstep.Worker("worker_step.py"))
            for _ in range(workers)
        ]
        self.pool = stack.enter_context(ThreadPoolExecutor(workers))
        at = _addresses(workers) if workers > 1 else []
        common = {"at": at, "threads": threads, "batch": batch}
        common["architecture"] = config.architecture
        self.facts = self.ask("begin", **common, index=None)
        self.seconds: list[float] = []

    def ask(self, do: str, **arguments):
        """What the first process answers; all are asked at the same time."""

        def answer(place):
            own = {**arguments, "index": place} if "index" in arguments else arguments
            return self.processes[place].ask(do, **own)

        return next(iter(list(self.pool.map(answer, range(len(self.processes))))))

    @property
    def step(self) -> float:
        """Median seconds of a step."""
        return float(np.median(self.seconds))


def _addresses(count: int) -> list[str]:
    """Free addresses of this machine."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return [f"127.0.0.1:{port}" for port in ports]


def main(config: WorkersBenchConfig) -> None:
    """Prints what was measured, and what the model says."""
    kinds = {
        "1 process, 1 thread": (1, 1, config.batch),
        "1 process, 1 thread, half": (1, 1, config.batch // 2),
        "1 process, 2 threads": (1, 2, config.batch),
    }
    several = {f"{n} workers, 1 thread": (n, 1, config.batch) for n in config.workers}
    with contextlib.ExitStack() as stack:
        ways = {
            name: Way(stack, config, *kind)
            for name, kind in {**kinds, **several}.items()
        }
        for _ in range(config.rounds):
            for way in ways.values():
                way.seconds.append(way.ask("steps", count=config.steps)["seconds"])
        for name, way in ways.items():
            low, high = np.percentile(way.seconds, [25, 75])
            print(f"{name:<28}{1000 * way.step:8.1f} ms ({1000 * low:.1f}-", end="")
            print(f"{1000 * high:.1f})")
        whole, half, threads, *crews = ways.values()
        for crew in crews:
            ratio = np.median(np.divide(crew.seconds, threads.seconds))
            count = len(crew.processes)
            print(f"{count} workers take {ratio:.2f} times as long as 2 threads")
            _predict(config, whole, half, crew)


def _predict(config: WorkersBenchConfig, whole: Way, half: Way, workers: Way) -> None:
    """Prints what the model says of the workers, from what one process measured."""
    facts, count = workers.facts, len(workers.processes)
    small, large = (
        workers.ask("summed", size=size, count=20)["seconds"]
        for size in (SMALL, facts["parameters"])
    )
    size = scaling_model.FLOAT * facts["parameters"]
    hops, moved = scaling_model.hops(count), scaling_model.moved(size, count)
    bandwidth = moved / max(large - small, 1e-9) / 1e9
    model = scaling_model.ScalingConfig(
        batches=(config.batch // 2, config.batch),
        seconds=(half.step, whole.step),
        batch=config.batch,
        parameters=facts["parameters"],
        norms=facts["norms"],
        variables=facts["variables"],
        bandwidth=bandwidth,
        latency=small / hops * 1e6,
    )
    step = scaling_model.step_of(model, count)
    print(
        f"a sum over {count} workers: {1000 * small:.2f} ms, of {size / 1e6:.1f} MB "
        f"{1000 * large:.1f} ms ({bandwidth:.2f} GB/s); a rebuild "
        f"{facts['rebuild']:.1f} s, in one process {whole.facts['rebuild']:.1f} s"
    )
    print(
        f"the model says {1000 * step.total:.1f} ms (images {1000 * step.images:.1f}, "
        f"gradients {1000 * step.gradients:.1f}, norms {1000 * step.norms:.1f}); "
        f"measured / model {workers.step / step.total:.2f}"
    )


if __name__ == "__main__":
    cli.run(main, WorkersBenchConfig)
