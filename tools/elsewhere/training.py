"""Trains the cells of a comparison with JAX, all seeds of a network at once.

KERAS_BACKEND=jax python tools/elsewhere/training.py --carried=.jax/vgg11 --out=out.json

For an accelerator whose machine has JAX and no TensorFlow: `tools/elsewhere/cells.py`
makes what this reads, and takes the results into the comparison's folder. The networks
come from the builders, the batches from `ns_tf.data.batches.epoch_draws` and
`ns_tf.data.augment`, the recipe from the comparison's flags: what TensorFlow would
train but for rounding and for the first weights, which each backend draws in its own
way. Results are written as a network ends.
"""

import dataclasses
import functools
import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from images import TASK, read

from ns_tf import cli
from ns_tf.base import InputError
from ns_tf.data import augment
from ns_tf.data.batches import epoch_draws, steps_per_epoch
from ns_tf.networks import architectures
from ns_tf.run import files
from ns_tf.run.option import option
from ns_tf.train.config import TrainConfig

EVAL_BATCH = 1000
# What `--convolutions=matmul` replaces.
LIBRARY = keras.layers.Conv2D.convolution_op, keras.layers.DepthwiseConv2D.call


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


def main(config: JaxConfig) -> None:
    """Trains network after network."""
    if keras.backend.backend() != "jax":
        raise InputError("Keras runs on another backend: set KERAS_BACKEND=jax.")
    folder = Path(config.carried)
    task = files.read_json(folder / TASK, what="task", version=1)
    keras.config.set_dtype_policy(task["precision"])
    if config.convolutions == "matmul":
        keras.layers.Conv2D.convolution_op = _convolution
        keras.layers.DepthwiseConv2D.call = _depthwise
    dataset = read(Path(config.images or folder), task["dataset"])
    recipe = TrainConfig(**task["train"])
    if config.epochs:
        recipe = dataclasses.replace(recipe, epochs=config.epochs)
    out = Path(config.out)
    done = json.loads(out.read_text()) if out.exists() else {}
    prefixes = tuple(config.only.split(","))
    cells = [c for c in task["cells"] if c["name"].startswith(prefixes)]
    splits = _on_device(dataset)
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
        told = train(build, dataset, splits, recipe, seeds, group[0]["method"])
        for cell, result in zip(group, told, strict=True):
            done[cell["name"]] = result
        files.write_json(out, done)


def _network(cell: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    return cell["architecture"], tuple(cell["widths"])


def train(
    build: Callable[[], keras.Model],
    dataset,
    splits: dict[str, tuple],
    recipe: TrainConfig,
    seeds: list[int],
    label: str,
) -> list[dict[str, Any]]:
    """One network from several seeds at once.

    Returns:
        [seeds] dictionaries: `history` with the rows of `ns_tf.train.training.Epoch`,
        `test_losses` by epoch, `seconds` of the group, `together` how many it has.
    """
    begun = time.monotonic()
    networks = [_fresh(build, seed) for seed in seeds]
    model = networks[0][0]
    state = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(n[1] for n in networks))
    steps = steps_per_epoch(dataset, recipe.batch)
    one_epoch = jax.jit(_epoch(model, dataset, recipe), donate_argnums=0)
    evaluate = jax.jit(_evaluation(model, dataset))
    rows: list[list[tuple]] = [[] for _ in seeds]
    test_losses: list[list[float]] = [[] for _ in seeds]
    draws = _draws(dataset, recipe, seeds, 0, steps)
    for epoch in range(recipe.epochs):
        rates = [recipe.rate_at(epoch * steps + i, steps) for i in range(steps)]
        rates = np.array(rates, np.float32)
        state, losses = one_epoch(state, splits["train"], draws, rates)
        found = [evaluate(state[:2], *splits[s]) for s in ("validation", "test")]
        if epoch + 1 < recipe.epochs:  # While the device works.
            draws = _draws(dataset, recipe, seeds, epoch + 1, steps)
        losses, ((v_loss, v_hits), (t_loss, t_hits)) = jax.device_get((losses, found))
        v_size, t_size = len(dataset.validation), len(dataset.test)
        for i, row in enumerate(rows):
            told = losses[i], v_loss[i] / v_size, v_hits[i] / v_size, t_hits[i] / t_size
            row.append((epoch + 1, float(rates[0]), *map(float, told)))
            test_losses[i].append(float(t_loss[i] / t_size))
        if epoch in (0, 1, 4) or (epoch + 1) % 20 == 0 or epoch + 1 == recipe.epochs:
            tested = ", ".join(f"{100 * row[-1][-1]:.2f}" for row in rows)
            spent = time.monotonic() - begun
            print(f"{label}: epoch {epoch + 1}, {spent:.1f} s, test {tested} %")
            sys.stdout.flush()
    seconds = time.monotonic() - begun
    return [
        {
            "history": own,
            "test_losses": losses,
            "seconds": seconds,
            "together": len(seeds),
            "device": f"{jax.devices()[0].device_kind}, JAX {jax.__version__}",
        }
        for own, losses in zip(rows, test_losses, strict=True)
    ]


def _fresh(build: Callable[[], keras.Model], seed: int) -> tuple:
    """(model, (trainable, other, momentum) values) begun with this seed."""
    keras.utils.set_random_seed(seed)
    model = build()
    trainable = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]
    return model, (trainable, others, [jnp.zeros_like(v) for v in trainable])


def _draws(dataset, recipe: TrainConfig, seeds: list[int], epoch: int, steps: int):
    """[steps, seeds, batch, 4] of `epoch_draws`."""
    size = steps * recipe.batch
    drawn = [epoch_draws(dataset, seed, epoch)[:size] for seed in seeds]
    return np.stack([d.reshape(steps, recipe.batch, 4) for d in drawn], axis=1)


def _epoch(model: keras.Model, dataset, recipe: TrainConfig) -> Callable:
    """(state, (images, labels), draws, rates) -> (state, mean losses [seeds])."""

    def loss_of(trainable, others, images, labels):
        logits, others = model.stateless_call(trainable, others, images, training=True)
        return _cross_entropy(logits, labels).mean(), others

    def step(state, images, labels, rate):
        trainable, others, momentum = state
        gradients = jax.value_and_grad(loss_of, has_aux=True)
        (loss, others), found = gradients(trainable, others, images, labels)
        momentum = [
            recipe.momentum * m + g + recipe.weight_decay * w
            for m, g, w in zip(momentum, found, trainable, strict=True)
        ]
        trainable = [w - rate * m for w, m in zip(trainable, momentum, strict=True)]
        return (trainable, others, momentum), loss

    def epoch(state, split, draws, rates):
        images, labels = split

        def body(state, now):
            drawn, rate = now
            batch = jax.vmap(lambda d: _batch(images, d, dataset))(drawn)
            told = labels[drawn[..., 0]]
            return jax.vmap(step, in_axes=(0, 0, 0, None))(state, batch, told, rate)

        state, losses = jax.lax.scan(body, state, (draws, rates))
        return state, losses.mean(0)

    return epoch


def _evaluation(model: keras.Model, dataset) -> Callable:
    """((trainable, others), images, labels) -> (sums of losses, hits), each [seeds].

    Images come in batches, those that only fill up with the label -1.
    """

    def count(values, images, labels):
        logits, _ = model.stateless_call(*values, images, training=False)
        real = labels >= 0
        losses = jnp.where(real, _cross_entropy(logits, jnp.maximum(labels, 0)), 0)
        return losses.sum(), (real & (logits.argmax(-1) == labels)).sum()

    def evaluate(values, images, labels):
        def body(sums, batch):
            normal = augment.normalise(batch[0], dataset)
            counted = jax.vmap(count, in_axes=(0, None, None))
            found = counted(values, normal, batch[1])
            return jax.tree.map(jnp.add, sums, found), None

        seeds = len(values[0][0])
        zero = jnp.zeros(seeds), jnp.zeros(seeds, jnp.int32)
        return jax.lax.scan(body, zero, (images, labels))[0]

    return evaluate


def _on_device(dataset) -> dict[str, tuple]:
    """Every split's images and labels; those of evaluation in batches."""
    train = dataset.train
    found = {"train": (jnp.array(train.images), jnp.array(train.labels))}
    for name in ("validation", "test"):
        split = getattr(dataset, name)
        rest = -len(split) % EVAL_BATCH
        images = np.pad(split.images, ((0, rest), (0, 0), (0, 0), (0, 0)))
        labels = np.pad(split.labels, (0, rest), constant_values=-1)
        shape = (-1, EVAL_BATCH)
        found[name] = (
            jnp.array(images.reshape(*shape, *images.shape[1:])),
            jnp.array(labels.reshape(shape)),
        )
    return found


def _batch(images, draws, dataset):
    """The training batch [batch, h, w, c] of `draws` [batch, 4], normalised."""
    batch = images[draws[:, 0]]
    if dataset.pad or dataset.flip:
        batch = augment.crop_and_flip(batch, draws, dataset.pad)
    return augment.normalise(batch, dataset)


def _cross_entropy(logits, labels):
    logits = jax.nn.log_softmax(logits.astype(jnp.float32))
    return -jnp.take_along_axis(logits, labels[..., None], -1)[..., 0]


def _convolution(layer, inputs, kernel):
    """A Conv2D as one product of matrices, for several seeds one in a batch."""
    if not _usual(layer):
        return LIBRARY[0](layer, inputs, kernel)
    kernel = keras.ops.convert_to_tensor(kernel, inputs.dtype)
    columns = jnp.concatenate(_shifted(inputs, kernel.shape[:2], layer.strides), -1)
    return columns @ kernel.reshape(-1, kernel.shape[-1])


def _depthwise(layer, inputs):
    """A DepthwiseConv2D as a sum over the places of its kernel."""
    if not _usual(layer) or layer.depth_multiplier != 1 or not layer.use_bias:
        return LIBRARY[1](layer, inputs)
    kernel = keras.ops.convert_to_tensor(layer.kernel, jnp.float32)
    shifted = _shifted(inputs, kernel.shape[:2], layer.strides)
    places = kernel.reshape(len(shifted), -1)
    found = sum(x.astype(jnp.float32) * k for x, k in zip(shifted, places, strict=True))
    bias = keras.ops.convert_to_tensor(layer.bias, inputs.dtype)
    return layer.activation(found.astype(inputs.dtype) + bias)


def _usual(layer) -> bool:
    """Whether a convolution is of the kind that is rewritten; others stay XLA's."""
    return (
        layer.padding == "same"
        and set(layer.dilation_rate) == {1}
        and getattr(layer, "groups", 1) == 1
        and layer.data_format == "channels_last"
    )


def _shifted(x, size, strides) -> list:
    """What each place of a kernel sees, [h * w] of [batch, rows, columns, channels]."""
    pads, ends = [], []
    for n, k, s in zip(x.shape[1:3], size, strides, strict=True):
        count = -(-n // s)
        total = max((count - 1) * s + k - n, 0)
        pads.append((total // 2, total - total // 2))
        ends.append((count - 1) * s + 1)
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    return [
        x[:, i : i + ends[0] : strides[0], j : j + ends[1] : strides[1]]
        for i in range(size[0])
        for j in range(size[1])
    ]


if __name__ == "__main__":
    cli.run(main, JaxConfig)
