"""Examples as exported files take them, and what the Keras model answers to them."""

from pathlib import Path

import keras
import numpy as np

from ns_tf.data.batches import eval_batches
from ns_tf.data.dataset import PIXELS, Dataset
from ns_tf.data.holdout import spread, take
from ns_tf.export.check import Expected
from ns_tf.export.formats import Source
from ns_tf.graph.calls import input_names
from ns_tf.parts import Parts, each

_BATCH = 100


def expected(source: Source, dataset: Dataset, count: int, work: Path) -> Expected:
    """What the Keras model answers to test examples, which are written aside.

    Args:
        source: The network.
        dataset: The data set.
        count: How many examples at most.
        work: The folder that their inputs are written to.
    """
    inputs, targets = of(dataset, "test", count)
    model = source.deployed()
    if isinstance(inputs, Parts):
        path = work / "inputs.npz"
        given = dict(zip(input_names(model), inputs, strict=True))
        np.savez(path, **given)
    else:
        path, given = work / "inputs.npy", inputs
        np.save(path, given)
    answers = model.predict(given, batch_size=_BATCH, verbose=0)
    if source.outputs:
        answers = Parts(keras.tree.flatten(answers))
    return Expected(path, targets, answers, source.outputs, source.task.answers)


def of(
    dataset: Dataset, split: str, count: int
) -> tuple[np.ndarray | Parts, np.ndarray | Parts]:
    """Examples of a split as files take them, with their targets.

    They are evenly spread over the split, because folders and many files have one class
    after the other.

    Args:
        dataset: The data set.
        split: "train", "validation" or "test".
        count: How many at most.

    Returns:
        (inputs `[n, ...]`, targets `[n, ...]`). Images are uint8; those of floats are
        rounded to whole numbers from 0 to 255.
    """
    whole = getattr(dataset, split)
    chosen = take(whole, spread(len(whole), count))
    if isinstance(chosen.images, Parts):
        return each(_as_files, chosen.images, dataset.inputs), chosen.labels
    if dataset.inputs != PIXELS:
        return chosen.images, chosen.labels
    images = []
    for some, _ in eval_batches(dataset, chosen, _BATCH):
        pixels = 255 * (np.asarray(some) * dataset.std + dataset.mean)
        images.append(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
    return np.concatenate(images), chosen.labels


def _as_files(array: np.ndarray, kind: str) -> np.ndarray:
    """One of several inputs as files take it: images of floats as bytes."""
    if kind != PIXELS or array.dtype == np.uint8:
        return array
    return np.clip(np.rint(255 * array), 0, 255).astype(np.uint8)
