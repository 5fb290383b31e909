"""Data sets from `tf.data` and `PyDataset`, read into memory in an order of content.

The batch of a step has to be found again by a search that resumes, and a shuffled
`tf.data.Dataset` yields another order each time.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.data.dataset import Dataset
from ns_tf.data.holdout import check_memory

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    Stream = tf.data.Dataset | keras.utils.PyDataset


def from_tf_data(
    train: "Stream",
    *,
    test: "Stream | None" = None,
    validation: "Stream | None" = None,
    **options,
) -> Dataset:
    """The data set of finite `tf.data.Dataset`s or `keras.utils.PyDataset`s.

    They are read once, into memory, and put in the order of `in_order`.

    Args:
        train: Elements (input, target) or (input, target, weight), or batches of them.
            A batch of a `tf.data.Dataset` has a first axis of unknown length, as
            `.batch(n)` makes it; images `[n, h, w, c]` are a batch in any case. A
            `PyDataset` gives batches.
        test: The same; held out of `train` if None.
        validation: The same; held out of `train` if None.
        **options: Of `ns_tf.from_arrays`: `class_names`, `pad`, `seed` and so on. The
            class names of `keras.utils.image_dataset_from_directory` are taken.

    Returns:
        The data set that `from_arrays` makes of the same examples in that order.

    Raises:
        InputError: an endless or empty data set, elements of another kind, inputs of
            several sizes; and as `from_arrays`.
    """
    streams = {"train": train, "validation": validation, "test": test}
    parts = {
        key: _materialise(key, stream)
        for key, stream in streams.items()
        if stream is not None
    }
    names = getattr(train, "class_names", None)
    if names is not None and "class_names" not in options:
        options["class_names"] = list(names)
    return from_arrays(parts.pop("train"), **parts, **options)


def is_stream(data: Any) -> bool:
    """Whether data are a `tf.data.Dataset` or a `keras.utils.PyDataset`.

    Args:
        data: Any object.
    """
    return hasattr(data, "element_spec") or _is_py_dataset(data)


def _is_py_dataset(data: Any) -> bool:
    """Whether data are a `keras.utils.PyDataset`."""
    import keras

    return isinstance(data, keras.utils.PyDataset)


def _materialise(key: str, stream: Any) -> tuple[np.ndarray, ...]:
    """All elements in arrays: inputs, targets, perhaps weights; ordered by content."""
    if not is_stream(stream):
        raise InputError(
            f"{key} has to be a tf.data.Dataset or a PyDataset; got "
            f"{type(stream).__name__}. For arrays there is from_arrays."
        )
    read = _py_batches if _is_py_dataset(stream) else _tf_batches
    columns: list[list[np.ndarray]] = []
    for batch in read(key, stream):
        columns = columns or [[] for _ in batch]
        for column, part in zip(columns, batch, strict=True):
            column.append(part)
        _check_growth(key, columns[0])
    if not columns:
        raise InputError(f"{key} is an empty data set; give at least one element.")
    parts = [np.concatenate(column) for column in columns]
    # `from_arrays` refuses parts of several lengths with a better message.
    alike = len({len(part) for part in parts}) == 1
    return in_order(*parts) if alike else tuple(parts)


def _tf_batches(
    key: str, elements: "tf.data.Dataset"
) -> Iterator[tuple[np.ndarray, ...]]:
    """The elements as batches; single ones as batches of one."""
    _check_elements(key, elements)
    batched = _batched(elements.element_spec)
    for element in elements.as_numpy_iterator():
        parts = tuple(np.asarray(part) for part in element)
        single = not parts[1].ndim if batched is None else not batched
        yield tuple(part[None] for part in parts) if single else parts


def _batched(spec: Sequence["tf.TensorSpec"]) -> bool | None:
    """Whether elements are batches; None if their shapes do not tell."""
    inputs, targets = spec[0].shape, spec[1].shape
    if inputs.rank is None or targets.rank is None:
        return None
    if not inputs.rank or not targets.rank:
        return False
    unknown = inputs[0] is None and targets[0] is None
    return unknown or (inputs.rank == 4 and inputs[0] == targets[0])


def _py_batches(
    key: str, stream: "keras.utils.PyDataset"
) -> Iterator[tuple[np.ndarray, ...]]:
    """The batches of a PyDataset, each once."""
    count = stream.num_batches
    if count is None:
        raise InputError(
            f"{key} is endless, and a search that can resume needs finite data; give a "
            "PyDataset with a length (__len__)."
        )
    for place in range(count):
        batch = stream[place]
        if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
            raise InputError(
                f"{key}: batches are (inputs, targets) or (inputs, targets, weights); "
                f"got {type(batch).__name__}."
            )
        yield tuple(np.asarray(part) for part in batch)


def in_order(*parts: np.ndarray) -> tuple[np.ndarray, ...]:
    """Examples sorted by a hash of all that belongs to each.

    The same examples in any order come out in one order.

    Args:
        *parts: Inputs `[n, ...]`, targets `[n, ...]`, perhaps weights `[n]`.

    Returns:
        Arrays of the same shapes.
    """
    digests = [
        hashlib.sha256(b"".join(np.asarray(part).tobytes() for part in row)).digest()
        for row in zip(*parts, strict=True)
    ]
    order = sorted(range(len(digests)), key=digests.__getitem__)
    return tuple(part[order] for part in parts)


def _check_elements(key: str, elements: "tf.data.Dataset") -> None:
    """Passes finite data sets of two or three tensors an element.

    Raises:
        InputError: for others, and for an endless one.
    """
    import tensorflow as tf

    spec = elements.element_spec
    tensors = isinstance(spec, tuple) and all(
        isinstance(part, tf.TensorSpec) for part in spec
    )
    if not tensors or len(spec) not in (2, 3):
        raise InputError(
            f"{key}: elements are (input, target) or (input, target, weight), or "
            f"batches of them; got {spec}. Use .map to bring them into that form."
        )
    if elements.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise InputError(
            f"{key} is endless, and a search that can resume needs finite data; use "
            ".take(n), or leave .repeat() out."
        )


def _check_growth(key: str, inputs: Sequence[np.ndarray]) -> None:
    """Passes inputs of one size that fit into memory; called after each element.

    Raises:
        InputError: at an input of another size, and before memory runs out.
    """
    shape, expected = inputs[-1].shape[1:], inputs[0].shape[1:]
    if shape != expected:
        raise InputError(
            f"{key}: inputs have one size; got {list(expected)} and {list(shape)}. "
            "Resize or pad them in .map, before batching."
        )
    # A data set of unknown length may be endless.
    if len(inputs) % 1000 == 0:
        size = inputs[0].dtype.itemsize
        count = sum(len(batch) for batch in inputs)
        remedy = "use .take(n) if it is endless, or image files (folder:/path)"
        check_memory(key, count * size, expected, remedy)
