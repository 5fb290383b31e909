"""Trains the cells of a comparison with JAX, all seeds of a network at once.

KERAS_BACKEND=jax python tools/elsewhere/training.py --carried=.jax/vgg11 --out=out.json

For an accelerator whose machine has JAX and no TensorFlow. `tools/elsewhere/cells.py`
writes the folder that this reads, and takes the results into the comparison's folder.
The networks come from the builders, the batches from `ns_tf.data.batches.epoch_draws`
and `ns_tf.data.augment`, loss and score from `ns_tf.problem.tasks`, the recipe from the
comparison's flags. So the trainings are TensorFlow's but for rounding and for the
initial weights, which each backend draws in its own way. Results are written as soon as
a network is trained.
"""

import dataclasses
import functools
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import convolutions
import jax
import jax.numpy as jnp
import keras
import numpy as np
from images import TASK, read

from ns_tf import cli
from ns_tf.base import InputError
from ns_tf.data import augment
from ns_tf.data.batches import epoch_draws, steps_per_epoch
from ns_tf.data.dataset import Dataset
from ns_tf.networks import architectures
from ns_tf.problem import tasks
from ns_tf.problem.tasks import Task
from ns_tf.run import files
from ns_tf.run.option import option
from ns_tf.train.config import TrainConfig

EVAL_BATCH = 1000
Batches = tuple[jax.Array, jax.Array]  # Images [n, batch, h, w, c], labels [n, batch].


@dataclasses.dataclass(frozen=True)
class JaxConfig:
    """What is trained, and how."""

    carried: str = option("", "The folder that cells.py wrote.")
    images: str = option("", "The folder with its images, if they lie elsewhere.")
    out: str = option("results.json", "What came out; networks in it are not redone.")
    only: str = option("", "Only cells whose name begins so, commas between them.")
    epochs: int = option(0, "Other epochs than the recipe's, to try it.")
    convolutions: str = option(
        "matmul",
        "matmul writes convolutions as products of matrices, which for several seeds "
        "at once is faster than library, XLA's own.",
        choices=("matmul", "library"),
    )


@dataclasses.dataclass(frozen=True)
class Lesson:
    """What all networks learn, and how."""

    task: Task
    dataset: Dataset
    recipe: TrainConfig

    @property
    def steps(self) -> int:
        """Training steps of an epoch."""
        return steps_per_epoch(self.dataset, self.recipe.batch)

    @functools.cached_property
    def train(self) -> tuple[jax.Array, jax.Array]:
        """Training images [n, h, w, c] and labels [n], on the device."""
        return jnp.array(self.dataset.train.images), jnp.array(
            self.dataset.train.labels
        )

    @functools.cached_property
    def evaluated(self) -> dict[str, list[Batches]]:
        """Validation and test images on the device, in batches of one size each."""
        return {
            split: _batches(getattr(self.dataset, split))
            for split in ("validation", "test")
        }


def main(config: JaxConfig) -> None:
    """Trains network after network."""
    if keras.backend.backend() != "jax":
        raise InputError("Keras runs on another backend: set KERAS_BACKEND=jax.")
    folder = Path(config.carried)
    carried = files.read_json(folder / TASK, what="task", version=1)
    keras.config.set_dtype_policy(carried["precision"])
    if config.convolutions == "matmul":
        convolutions.use_products()
    dataset = read(Path(config.images or folder), carried["dataset"])
    recipe = TrainConfig(**carried["train"])
    if config.epochs:
        recipe = dataclasses.replace(recipe, epochs=config.epochs)
    # Folders that were packed before tasks had names hold classification.
    task = tasks.get(carried.get("task", "classification"))
    lesson = Lesson(task, dataset, recipe)
    out = Path(config.out)
    done = json.loads(out.read_text()) if out.exists() else {}
    prefixes = tuple(config.only.split(","))
    cells = [c for c in carried["cells"] if c["name"].startswith(prefixes)]
    for network, group in itertools.groupby(sorted(cells, key=_network), key=_network):
        group = [cell for cell in group if cell["name"] not in done]
        if not group:
            continue
        architecture, widths = network
        build = functools.partial(
            architectures.get(architecture).build,
            widths,
            input_shape=dataset.image_shape,
            classes=dataset.classes,
        )
        seeds = [cell["seed"] for cell in group]
        results = train(build, lesson, seeds, group[0]["method"])
        done |= {c["name"]: r for c, r in zip(group, results, strict=True)}
        files.write_json(out, done)


def _network(cell: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    """Architecture and widths of a cell."""
    return cell["architecture"], tuple(cell["widths"])


def train(
    build: Callable[[], keras.Model], lesson: Lesson, seeds: list[int], label: str
) -> list[dict[str, Any]]:
    """Trains one network from several seeds at once.

    Args:
        build: Makes the network with fresh weights.
        lesson: Task, data and recipe.
        seeds: One a training: of weights, the order of examples, augmentation.
        label: What progress calls the network.

    Returns:
        [seeds] dictionaries: `history` with the rows of `ns_tf.train.training.Epoch`,
        `test_losses` by epoch, `seconds` of the group, `together` how many it has.
        Losses that are not finite are None.
    """
    start = time.monotonic()
    recipe, steps, score = lesson.recipe, lesson.steps, lesson.task.score_of
    networks = [_fresh(build, seed) for seed in seeds]
    model = networks[0][0]
    state = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(n[1] for n in networks))
    one_epoch = jax.jit(_epoch(model, lesson), donate_argnums=0)
    evaluate = jax.jit(_evaluation(model, lesson))
    sizes = {s: len(getattr(lesson.dataset, s)) for s in ("validation", "test")}
    histories: list[list[tuple]] = [[] for _ in seeds]
    test_losses: list[list[float]] = [[] for _ in seeds]
    draws = _draws(lesson, seeds, 0)
    for epoch in range(recipe.epochs):
        rates = [recipe.rate_at(epoch * steps + i, steps) for i in range(steps)]
        rates = np.array(rates, np.float32)
        state, losses = one_epoch(state, lesson.train, draws, rates)
        sums = {s: evaluate(state[:2], lesson.evaluated[s]) for s in sizes}
        if epoch + 1 < recipe.epochs:  # The device works in the meantime.
            draws = _draws(lesson, seeds, epoch + 1)
        losses, sums = jax.device_get((losses, sums))
        loss = {s: sums[s][0] / size for s, size in sizes.items()}
        counts = {s: sums[s][1] for s in sizes}
        for i, history in enumerate(histories):
            row = (losses[i], loss["validation"][i], score(counts["validation"][i]))
            row = (epoch + 1, rates[0], *row, score(counts["test"][i]))
            history.append((row[0], *map(_number, row[1:])))
            test_losses[i].append(_number(loss["test"][i]))
        if epoch in (0, 1, 4) or (epoch + 1) % 20 == 0 or epoch + 1 == recipe.epochs:
            scores = [lesson.task.score.text(history[-1][-1]) for history in histories]
            seconds = f"{time.monotonic() - start:.1f} s"
            print(
                f"{label}: epoch {epoch + 1}, {seconds}, test {', '.join(scores)}",
                flush=True,
            )
    device = f"{jax.devices()[0].device_kind}, JAX {jax.__version__}"
    group = {"seconds": time.monotonic() - start, "together": len(seeds)}
    return [
        {"history": history, "test_losses": losses, **group, "device": device}
        for history, losses in zip(histories, test_losses, strict=True)
    ]


def _number(value: Any) -> float | None:
    """A float; None, as JSON has it, for what is not finite."""
    return float(value) if np.isfinite(value) else None


def _fresh(build: Callable[[], keras.Model], seed: int) -> tuple:
    """(model, (trainable, other, momentum) values) initialised with this seed."""
    keras.utils.set_random_seed(seed)
    model = build()
    trainable = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]
    return model, (trainable, others, [jnp.zeros_like(v) for v in trainable])


def _draws(lesson: Lesson, seeds: list[int], epoch: int) -> np.ndarray:
    """[steps, seeds, batch, 4] of `epoch_draws`."""
    steps, batch = lesson.steps, lesson.recipe.batch
    drawn = [
        epoch_draws(lesson.dataset, seed, epoch)[: steps * batch] for seed in seeds
    ]
    return np.stack([d.reshape(steps, batch, 4) for d in drawn], axis=1)


def _epoch(model: keras.Model, lesson: Lesson) -> Callable:
    """(state, (images, labels), draws, rates) -> (state, mean losses [seeds])."""
    recipe, loss = lesson.recipe, lesson.task.loss(model)

    def mean_loss(trainable, others, images, labels):
        outputs, others = model.stateless_call(trainable, others, images, training=True)
        return loss(labels, outputs).mean(), others

    def step(state, images, labels, rate):
        trainable, others, momentum = state
        differentiate = jax.value_and_grad(mean_loss, has_aux=True)
        (mean, others), gradients = differentiate(trainable, others, images, labels)
        momentum = [
            recipe.momentum * m + g + recipe.weight_decay * w
            for m, g, w in zip(momentum, gradients, trainable, strict=True)
        ]
        trainable = [w - rate * m for w, m in zip(trainable, momentum, strict=True)]
        return (trainable, others, momentum), mean

    def epoch(state, split, draws, rates):
        images, labels = split

        def body(state, now):
            drawn, rate = now
            batch = jax.vmap(lambda d: _batch(images, d, lesson.dataset))(drawn)
            targets = labels[drawn[..., 0]]
            return jax.vmap(step, in_axes=(0, 0, 0, None))(state, batch, targets, rate)

        state, losses = jax.lax.scan(body, state, (draws, rates))
        return state, losses.mean(0)

    return epoch


def _evaluation(model: keras.Model, lesson: Lesson) -> Callable:
    """((trainable, others), split) -> (sums of losses [seeds], counts [seeds, ...]).

    The split is as `Lesson.evaluated` has it, the counts as `Task.count` gives them.
    """
    loss = lesson.task.loss(model)

    def measure(values, images, labels):
        outputs, _ = model.stateless_call(*values, images, training=False)
        return loss(labels, outputs).sum(), lesson.task.count(labels, outputs)

    def evaluate(values, split):
        def body(carry, batch):
            images = augment.normalise(batch[0], lesson.dataset)
            measured = jax.vmap(measure, in_axes=(0, None, None))
            return carry, measured(values, images, batch[1])

        sums = [jax.lax.scan(body, None, batches)[1] for batches in split]
        joined = jax.tree.map(lambda *parts: jnp.concatenate(parts), *sums)
        return jax.tree.map(lambda part: part.sum(0), joined)

    return evaluate


def _batches(split) -> list[Batches]:
    """The images of a split in full batches, and the rest as one batch."""
    size = len(split)
    full = size // EVAL_BATCH * EVAL_BATCH
    parts = [(slice(0, full), EVAL_BATCH), (slice(full, size), size - full)]
    return [
        (
            jnp.array(split.images[part].reshape(-1, batch, *split.images.shape[1:])),
            jnp.array(split.labels[part].reshape(-1, batch)),
        )
        for part, batch in parts
        if part.start < part.stop
    ]


def _batch(images: jax.Array, draws: jax.Array, dataset: Dataset) -> jax.Array:
    """The training batch [batch, h, w, c] of `draws` [batch, 4], normalised."""
    batch = images[draws[:, 0]]
    if dataset.pad or dataset.flip:
        batch = augment.crop_and_flip(batch, draws, dataset.pad)
    return augment.normalise(batch, dataset)


if __name__ == "__main__":
    cli.run(main, JaxConfig)
