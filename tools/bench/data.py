"""How many images a second the input pipeline gives, and what the steps take.

python tools/bench/data.py --dataset=cifar10 --data_dir=../shared/tfds

The pipeline alone, steps on one batch again and again, and both together, taking turns.
"""

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterable

import numpy as np

from ns_tf import cli
from ns_tf.cli import quiet_tensorflow
from ns_tf.data.dataset import Dataset
from ns_tf.run.option import option


@dataclasses.dataclass(frozen=True)
class DataBenchConfig:
    """What is measured."""

    dataset: str = option("digits", "As ns_tf.descend takes it.")
    data_dir: str | None = option(None, "Where TFDS data sets are prepared.")
    image_size: int | None = option(None, "Height and width images are resized to.")
    architecture: str = option("vgg11", "As ns_tf.descend takes it.")
    ratios: tuple[float, ...] = option((1.0, 0.25, 0.05), "Times its default widths.")
    batch: int = option(256, "Images a step.")
    batches: int = option(40, "Batches a measurement of the pipeline.")
    steps: int = option(20, "Steps a measurement of a network.")
    rounds: int = option(5, "Measurements; their median counts.")


def main(config: DataBenchConfig) -> None:
    """Prints the table."""
    quiet_tensorflow()
    from ns_tf.data import sources
    from ns_tf.data.batches import train_batches

    data = sources.load(
        config.dataset, data_dir=config.data_dir, image_size=config.image_size
    )
    batches = iter(train_batches(data, config.batch, seed=0))
    steps = {ratio: _step(config, data, ratio) for ratio in config.ratios}
    rates: dict[str, list[float]] = {}  # Images a second, by what was measured.
    for _ in range(config.rounds):
        seconds = _seconds(lambda batch: None, batches, config.batches)
        rates.setdefault("pipeline alone", []).append(config.batch / seconds)
        for ratio, step in steps.items():
            same = itertools.repeat(next(batches))
            alone = _seconds(step, same, config.steps)
            # Uses up the batches that were made ahead in the meantime.
            _seconds(step, batches, config.steps)
            fed = _seconds(step, batches, config.steps)
            for how, seconds in (("alone", alone), ("fed", fed)):
                name = f"steps x{ratio:g} {how}"
                rates.setdefault(name, []).append(config.batch / seconds)
    print(f"{data.name}, batch {config.batch}, {config.architecture}, {cli.devices()}")
    for name, measured in rates.items():
        print(f"{name:<20} {np.median(measured):>9,.0f} images/s")


def _step(config: DataBenchConfig, data: Dataset, ratio: float) -> Callable:
    """A compiled training step of the network of that size, run once to trace it."""
    from ns_tf.engine.execution import Execution
    from ns_tf.engine.sgd import Sgd
    from ns_tf.engine.step import TrainStep
    from ns_tf.networks import architectures
    from ns_tf.networks.ratio import floor_ratio
    from ns_tf.problem import tasks

    architecture = architectures.get(config.architecture)
    model = architecture.build(
        floor_ratio(architecture.widths, ratio),
        input_shape=data.image_shape,
        classes=data.classes,
    )
    sgd = Sgd(model.trainable_variables, momentum=0.5, weight_decay=5e-4)
    loss = tasks.get("classification").loss(model)
    compiled = TrainStep(model, sgd, loss, config.batch, Execution()).compiled()

    def step(batch):
        float(compiled(*batch, np.float32(0.01)))

    step(
        (
            np.zeros((config.batch, *data.image_shape), np.float32),
            np.zeros(config.batch, np.int32),
        )
    )
    return step


def _seconds(work: Callable, batches: Iterable, count: int) -> float:
    """Seconds a batch that the work takes, over so many batches."""
    start = time.perf_counter()
    for batch in itertools.islice(batches, count):
        work(batch)
    return (time.perf_counter() - start) / count


if __name__ == "__main__":
    cli.run(main, DataBenchConfig)
