"""Batches of a data set: endless ones to train with, each image once to evaluate.

The batch of a step is a function of (seed, step) only: NumPy draws the order, the crops
and the flips of an epoch; tf.data only gathers, moves and normalises. A run that
resumes at a step therefore sees what it would have seen, with nothing to restore.
"""

import dataclasses
import difflib
import functools
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import SPLITS, TOKENS, Dataset, Split
from ns_tf.data.images import crop_and_flip, read_images
from ns_tf.data.shares import rows_of
from ns_tf.parts import Parts, each, parts, plain
from ns_tf.run.checks import check_whole

if TYPE_CHECKING:
    import tensorflow as tf

_MIXUP = 0x313  # Keeps the draw of mixup's shares apart from that of epochs.
# Split -> (images, labels, weights) as tensors, shared by all streams drawn from it.
_TENSORS: "weakref.WeakKeyDictionary" = weakref.WeakKeyDictionary()
# Split in memory -> its `eval_batches`: to make a stream takes longer than to use it.
_STREAMS: "weakref.WeakKeyDictionary" = weakref.WeakKeyDictionary()


def steps_per_epoch(dataset: Dataset, batch_size: int) -> int:
    """Full batches in the training split, at least 1: floor(images / batch).

    Args:
        dataset: The data set.
        batch_size: Images of a batch, over all replicas.

    Raises:
        InputError: if the batch size is no whole number from 1 to the size of the
            training split.
    """
    check_whole("The batch size", batch_size, at_least=1)
    size = len(dataset.train)
    if batch_size > size:
        raise InputError(
            f"{dataset.name} has {size} training images; a batch of {batch_size} is "
            f"too large. Give at most {size} (--batch, --search_batch)."
        )
    return size // batch_size


def train_batches(
    dataset: Dataset,
    batch_size: int,
    *,
    seed: int,
    first_step: int = 0,
    augment: bool = True,
    mixup: float = 0.0,
    numbered: bool = False,
    shares: Sequence[slice] | None = None,
) -> "tf.data.Dataset":
    """Endless training batches from global step `first_step` on.

    Every epoch is a new permutation of the training split; what does not fill a batch
    is left out until the next epoch.

    Args:
        dataset: The data set; its `pad` and `flip` say how images are varied.
        batch_size: Images of a batch, over all replicas.
        seed: Decides the batch of a step, with the step and nothing else.
        first_step: Steps that are done already, whose batches are passed over.
        augment: Whether images are varied; the order is the same either way.
        mixup: Of classification. If above 0, every image becomes s times itself and
            1 - s times another one of the batch, with one share s of
            Beta(mixup, mixup) a batch; labels become probabilities in the same shares
            (Zhang et al., ICLR 2018).
        numbered: Of classification. Whether labels come with the places of their images
            in the training split: (labels, int32 `[batch]`).
        shares: Rows of a batch: each an element in turn, in place of whole batches.

    Returns:
        (inputs `[batch, ...]` as the network takes them, targets `[batch, ...]`; with
        mixup float32 `[batch, classes]`). Of several inputs or outputs each is a tuple.
        Of a data set with weights the targets are a pair (targets, weights float32
        `[batch]`, or a tuple of such by output). All inputs that are images move by the
        same rows. Targets of the height and width of the images move with them; what
        comes in at the border is -1 (no class) in whole numbers, and 0 in floats.

    Raises:
        InputError: batch size out of range; seed or first step no whole number from 0.
        tf.errors.OpError: from the stream, at a file that cannot be read; names it.
    """
    import tensorflow as tf

    steps_per_epoch(dataset, batch_size)
    check_whole("The seed", seed, at_least=0)
    check_whole("The first step", first_step, at_least=0)
    fetch = _fetcher(dataset.train, dataset.image_shape)
    varied = augment and (dataset.pad > 0 or dataset.flip)
    draw = _drawer(dataset, batch_size, seed)
    shares = shares or [slice(0, batch_size)]

    def batch(number):
        step = number // len(shares)
        share = functools.partial(rows_of, shares, number % len(shares))
        # A stateful function would make the map sequential under op determinism.
        draws = tf.numpy_function(draw, [step], tf.int32, stateful=False)
        draws = tf.ensure_shape(draws, [batch_size, 4])
        draws = draws if mixup > 0 else share(draws)
        images, targets, weights = fetch(draws[:, 0])
        if varied:
            images, targets = _varied(images, targets, draws, dataset.pad)
        images = _normalise(images, dataset)
        if mixup > 0:  # Of the whole batch, whose rows are mixed in pairs.
            share_of = functools.partial(mixup_share, mixup, seed)
            factor = tf.numpy_function(share_of, [step], tf.float32, stateful=False)
            if targets.shape.rank == 1:
                targets = tf.one_hot(targets, dataset.classes)
            images = each(lambda x: share(_mixed(x, factor)), images)
            targets, draws = share(_mixed(targets, factor)), share(draws)
            weights = weights if weights is None else share(weights)
        targets = _with_weights(targets, weights)
        return plain(images), (targets, draws[:, 0]) if numbered else targets

    return _in_order(tf.data.Dataset.counter(first_step * len(shares)), batch)


def eval_batches(
    dataset: Dataset,
    split: str | Split,
    batch_size: int,
    part: tuple[int, int] = (0, 1),
) -> "tf.data.Dataset":
    """All examples of a split once, in order; the last batch may be smaller.

    Args:
        dataset: The data set that the images are normalised by.
        split: "train", "validation" or "test", or a `Split` of such images.
        batch_size: Images of a batch.
        part: (i, n): of every n batches in a row only the one at place i.

    Returns:
        (inputs `[batch, ...]`, targets `[batch, ...]`), as of `train_batches`.

    Raises:
        InputError: an unknown split; a batch size that is no whole number from 1.
    """
    import tensorflow as tf

    check_whole("The batch size", batch_size, at_least=1)
    split = _named(dataset, split) if isinstance(split, str) else split
    facts = dataset.inputs, dataset.as_given, dataset.mean, dataset.std
    values = (np.asarray(value) for fact in facts for value in parts(fact))
    key = (batch_size, part, *(value.tobytes() for value in values))
    known = {} if split.on_disk else _STREAMS.setdefault(split, {})
    if key not in known:
        fetch = _fetcher(split, dataset.image_shape)
        # A stream that held its split would keep it in memory for ever.
        scaling = dataclasses.replace(dataset, train=None, validation=None, test=None)

        def batch(indices):
            x, targets, weights = fetch(indices)
            return plain(_normalise(x, scaling)), _with_weights(targets, weights)

        numbers = tf.data.Dataset.range(len(split)).batch(batch_size)
        known[key] = _in_order(numbers.shard(part[1], part[0]), batch)
    return known[key]


def _with_weights(targets: Any, weights: "tf.Tensor | Parts | None") -> Any:
    """Targets, or a pair of targets and weights, as tuples where there are several."""
    return plain(targets) if weights is None else (plain(targets), plain(weights))


def epoch_draws(dataset: Dataset, seed: int, epoch: int) -> np.ndarray:
    """All random numbers of an epoch, a row for each example in the order of the epoch.

    `numpy.random.default_rng([seed, epoch])` draws a permutation, then for each example
    the corner of its crop in the padded image, then for each example the flip.

    Args:
        dataset: The data set; its training split, `pad` and `flip` count.
        seed: Of the run.
        epoch: From 0.

    Returns:
        int32 `[n, 4]`: index of the example, rows down and columns right (0 to 2 pad),
        1 if mirrored.
    """
    size = len(dataset.train)
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(size)
    corner = rng.integers(0, 2 * dataset.pad + 1, size=(size, 2))
    flip = rng.integers(0, 2, size=size) * dataset.flip
    return np.column_stack([order, corner[order], flip[order]]).astype(np.int32)


def mixup_share(alpha: float, seed: int, step: int) -> np.ndarray:
    """The share of Beta(alpha, alpha) that images of a step keep of themselves.

    >>> float(mixup_share(1.0, seed=0, step=7)) == float(mixup_share(1.0, 0, 7))
    True

    Args:
        alpha: Above 0.
        seed: Of the run.
        step: Global step.

    Returns:
        float32, a scalar.
    """
    generator = np.random.default_rng([seed, int(step), _MIXUP])
    return np.float32(generator.beta(alpha, alpha))


def _mixed(x: "tf.Tensor", share: "tf.Tensor") -> "tf.Tensor":
    """`share` of every row [batch, ...] and the rest of the row as far from the end."""
    import tensorflow as tf

    share, x = tf.ensure_shape(share, []), tf.cast(x, tf.float32)
    return share * x + (1 - share) * tf.reverse(x, [0])


def _drawer(dataset: Dataset, batch_size: int, seed: int) -> Callable:
    """A function: global step -> its rows of `epoch_draws` [batch, 4]."""
    steps = steps_per_epoch(dataset, batch_size)
    # Batches are made ahead: around the end of an epoch, two epochs are in use.
    epochs = functools.lru_cache(maxsize=2)(
        functools.partial(epoch_draws, dataset, seed)
    )

    def draw(step):
        epoch, place = divmod(int(step), steps)
        return epochs(epoch)[place * batch_size : (place + 1) * batch_size]

    return draw


def _in_order(stream: "tf.data.Dataset", batch: Callable) -> "tf.data.Dataset":
    """The stream mapped to batches: in parallel, in order, ahead of their use."""
    import tensorflow as tf

    options = tf.data.Options()
    options.deterministic = True
    # A strategy has no files to deal out here; its default policy would try and warn.
    policy = tf.data.experimental.AutoShardPolicy.DATA
    options.experimental_distribute.auto_shard_policy = policy
    batch = tf.autograph.experimental.do_not_convert(batch)  # It only costs time here.
    batches = stream.map(batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return batches.prefetch(tf.data.AUTOTUNE).with_options(options)


def _named(dataset: Dataset, split: str) -> Split:
    """The split of that name; InputError with a suggestion if there is none."""
    if split not in SPLITS:
        close = difflib.get_close_matches(split, SPLITS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise InputError(f"A split is one of {', '.join(SPLITS)}; got {split!r}.{hint}")
    return getattr(dataset, split)


def _fetcher(split: Split, shape: tuple[int, ...]) -> Callable:
    """A graph function: indices [batch] -> (inputs, targets, weights or None)."""
    import tensorflow as tf

    images, targets, weights = _tensors(split)
    reader = functools.partial(read_images, split, shape=shape)

    def at(value, indices):
        return each(lambda x: x if x is None else tf.gather(x, indices), value)

    def gather(indices):
        return at(images, indices), at(targets, indices), at(weights, indices)

    def read(indices):
        pixels = tf.numpy_function(reader, [indices], tf.uint8, stateful=False)
        pixels = tf.ensure_shape(pixels, [None, *shape])
        return pixels, at(targets, indices), at(weights, indices)

    return read if split.on_disk else gather


def _tensors(split: Split) -> tuple[Any, Any, Any]:
    """(inputs [n, ...], targets, weights) in host memory.

    Inputs are None for files, weights where there are none.
    """
    import tensorflow as tf

    if split not in _TENSORS:
        # tf.data runs on the host: each stream would copy tensors back from a GPU.
        with tf.init_scope(), tf.device("/CPU:0"):
            images = None if split.on_disk else each(tf.constant, split.images)
            weights = split.weights
            weights = None if weights is None else each(tf.constant, weights)
            _TENSORS[split] = images, each(tf.constant, split.labels), weights
    return _TENSORS[split]


def _varied(
    images: "tf.Tensor | Parts",
    targets: "tf.Tensor | Parts",
    draws: "tf.Tensor",
    pad: int,
) -> "tuple[tf.Tensor | Parts, tf.Tensor | Parts]":
    """Images moved and mirrored; targets with them, if they are masks of the images.

    Inputs that are no images stay as they are.
    """
    sizes = [x.shape[1:3] for x in parts(images) if x.shape.rank == 4]

    def moved(x):
        return crop_and_flip(x, draws, pad) if x.shape.rank == 4 else x

    def masked(masks):
        if masks.shape[1:3] not in sizes:
            return masks
        fill = -1 if masks.dtype.is_integer else 0
        flat = masks.shape.rank == 3  # Without a channel axis.
        masks = masks[..., None] if flat else masks
        masks = crop_and_flip(masks, draws, pad, fill=fill)
        return masks[..., 0] if flat else masks

    return each(moved, images), each(masked, targets)


def _normalise(images: "tf.Tensor | Parts", dataset: Dataset) -> "tf.Tensor | Parts":
    """`ns_tf.data.augment.normalise` in TensorFlow, whatever Keras's backend is."""
    import tensorflow as tf

    def normalised(x, kind, as_given, mean, std):
        if kind == TOKENS:
            return x
        pixels = tf.cast(x, tf.float32)
        if as_given:
            return pixels
        scale = 255.0 if x.dtype == tf.uint8 else 1.0
        return (pixels / scale - mean) / std

    facts = dataset.inputs, dataset.as_given, dataset.mean, dataset.std
    return each(normalised, images, *facts)
