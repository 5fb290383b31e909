"""What a step takes in which gates learn, as a share of a plain step.

OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 \
    python tools/bench/gates.py --ratios=0.25,0.125 --rounds=20

All methods train the same network on the same batch and take turns. A step is the
trainer's own, with all that it does on the host. A median leaves out what every tenth
step does beside: it looks at what is alive, and there weights go that go on a schedule.
So means over whole tens of steps are told too.
"""

import dataclasses
from collections.abc import Callable, Iterator

import keras
import lockstep
import numpy as np
import tensorflow as tf

import ns_tf
from ns_tf import cli
from ns_tf.data.dataset import Dataset
from ns_tf.engine import loop
from ns_tf.engine.runtime import Runtime
from ns_tf.engine.sgd import Sgd
from ns_tf.engine.step import TrainStep
from ns_tf.networks import architectures
from ns_tf.networks.from_model import from_model
from ns_tf.problem.problem import Problem
from ns_tf.prune.choices import Choices
from ns_tf.prune.config import CutConfig
from ns_tf.prune.learning import EVERY, Learning
from ns_tf.prune.method import WEIGHT
from ns_tf.prune.settings import PRUNERS
from ns_tf.run.option import option
from ns_tf.run.progress import Progress

METHODS = (
    *("slimming", "sss", "logistic_sigmoid", "gal", "autoprune", "autopruner"),
    *("autoprune@weight", "gradual@weight"),
)
PLAIN = "plain"


@dataclasses.dataclass(frozen=True)
class GatesConfig:
    """What is measured."""

    network: str = option("vgg11", "An architecture.")
    ratios: tuple[float, ...] = option((0.25,), "Times its default widths.")
    batch: int = option(128, "Images a step.")
    rounds: int = option(20, "Steps that are timed, in whole tens.")
    methods: tuple[str, ...] = option(METHODS, "Gatings, as METHOD or METHOD@LEVEL.")


def main(config: GatesConfig) -> None:
    """Prints a table for every size of the network."""
    cli.quiet_tensorflow()
    for ratio in config.ratios:
        steps = dict(_steps(config, ratio))
        seconds = _measured(steps, config.rounds)
        print(f"\n{config.network} x{ratio:g}, batch {config.batch}:")
        usual = _typical(seconds[PLAIN])
        heads = ["step s", "CPU s", "CPU mean", "ratio", "of CPU", "of mean"]
        print(f"{'method':<20} {' '.join(f'{head:>8}' for head in heads)}")
        for name, own in seconds.items():
            found = _typical(own)
            cells = [
                *(f"{s:>8.3f}" for s in found),
                *(f"{s:>8.2f}" for s in found / usual),
            ]
            print(f"{name:<20} {' '.join(cells)}")


def _typical(seconds: list[tuple[float, float]]) -> np.ndarray:
    """Medians of wall and CPU seconds, and the mean of CPU seconds.

    Args:
        seconds: (wall, CPU) of every step, of whole tens of steps.
    """
    return np.array([*np.median(seconds, axis=0), np.mean(seconds, axis=0)[1]])


def _steps(config: GatesConfig, ratio: float) -> Iterator[tuple[str, Callable]]:
    """(name, one step) of a plain training and of every method."""
    data = _noise(4 * config.batch)
    architecture = architectures.get(config.network)
    widths = tuple(max(1, int(w * ratio)) for w in architecture.widths)
    model = architecture.build(widths, input_shape=(32, 32, 3), classes=10)
    problem = Problem.of(from_model(model), data)
    yield PLAIN, _plain(problem, config.batch)
    for text in config.methods:
        work = _learning(problem, model, text, config.batch)
        batches = [tuple(map(tf.constant, one)) for one in next(iter(work.batches()))]
        yield text, lambda work=work, batches=batches: work.step(*batches)


def _plain(problem: Problem, batch: int) -> Callable[[], None]:
    """A step of SGD on the network."""
    runtime = Runtime()
    twin = runtime.execution.build(problem.build)  # With layers that are faster.
    sgd = Sgd(twin.trainable_variables, momentum=0.9, weight_decay=5e-4)
    loss = problem.task.loss(twin)
    step = TrainStep(twin, sgd, loss, batch, runtime.execution).compiled()
    first = next(iter(loop.batches(problem.dataset, batch, runtime, 0)))
    arrays, rate = tuple(map(tf.constant, first)), tf.constant(0.01)
    return lambda: float(step(*arrays, rate))


def _learning(problem: Problem, model: keras.Model, text: str, batch: int) -> Learning:
    """The training of a method, whose steps do not end."""
    chosen = Choices.parse(text)
    of_weights = chosen.level == WEIGHT
    budget = {"nonzero": 0.1} if of_weights else {"macs": 0.5}
    cut = CutConfig(
        method=chosen.method,
        level=chosen.level,
        **(budget if of_weights else {}),
        proxy_images=batch,
        gate_batch=batch,
        gate_epochs=1000,
    )
    kind = PRUNERS[cut.level]
    widths = problem.architecture.widths
    budgets = kind.budgets_for(budget, problem.structure, widths)
    return kind(model, problem, cut, budgets).scorer.learning(Runtime())


def _measured(
    steps: dict[str, Callable], rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """(wall, CPU) seconds of every step by name, in turns; the first one traces."""
    rounds = -(-rounds // EVERY) * EVERY
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    with Progress().bar(rounds + 1, label="steps", unit="rounds") as bar:
        for turn in range(rounds + 1):
            for name, step in steps.items():
                clock = lockstep.Clock()
                step()
                if turn:
                    seconds[name].append(clock.read())
            bar.update(1)
    return seconds


def _noise(count: int) -> Dataset:
    """Images of noise, in 10 classes."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 32, 32, 3)).astype("uint8")
    return ns_tf.from_arrays((images, np.arange(count) % 10), classes=10)


if __name__ == "__main__":
    cli.run(main, GatesConfig)
