"""Data sets from `tf.data` and `PyDataset`, read into memory in an order of content.

The batch of a step has to be found again by a search that resumes, and a shuffled
`tf.data.Dataset` yields another order each time.
"""

import collections
import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
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

_FEW = 10  # Below so many different examples, equal ones are no sign of a repetition.
_CHANCE = 1e-6  # What comes about less often by chance is a sign of one.


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
        train: Elements (input, target) or (input, target, weight), or batches of them;
            inputs and targets may be dictionaries or tuples of several. A batch of a
            `tf.data.Dataset` has a first axis of unknown length, as `.batch(n)` makes
            it; images `[n, h, w, c]` are a batch in any case. A `PyDataset` gives
            batches.
        test: The same; held out of `train` if None.
        validation: The same; held out of `train` if None.
        **options: Of `ns_tf.from_arrays`: `class_names`, `pad`, `seed` and so on. The
            class names of `keras.utils.image_dataset_from_directory` are taken.

    Returns:
        The data set that `from_arrays` makes of the same examples in that order.

    Raises:
        InputError: an endless or empty data set, elements of another kind, inputs of
            several sizes, a repeated data set of which examples would be held out; and
            as `from_arrays`.
    """
    streams = {"train": train, "validation": validation, "test": test}
    if train is None:
        raise InputError("train is missing; give a tf.data.Dataset or a PyDataset.")
    read = {
        key: _materialise(key, stream)
        for key, stream in streams.items()
        if stream is not None
    }
    if len(read) < len(streams):
        _check_once(read["train"][1])
    parts = {key: nest for key, (nest, _) in read.items()}
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


def _materialise(key: str, stream: Any) -> tuple[tuple[Any, ...], list[bytes]]:
    """All elements: inputs, targets, perhaps weights; ordered by content.

    Inputs and targets are nests of arrays as the elements have them. With them come the
    hashes of the examples, in the order in which the stream gave these.
    """
    import keras

    if not is_stream(stream):
        raise InputError(
            f"{key} has to be a tf.data.Dataset or a PyDataset; got "
            f"{type(stream).__name__}. For arrays there is from_arrays."
        )
    read = _py_batches if _is_py_dataset(stream) else _tf_batches
    columns: list[list[np.ndarray]] = []
    element: Any = None
    for element in read(key, stream):
        batch = keras.tree.flatten(element)
        columns = columns or [[] for _ in batch]
        _check_batch(key, [column[0] for column in columns if column], batch)
        for column, part in zip(columns, batch, strict=True):
            column.append(part)
        for column in columns[: len(keras.tree.flatten(element[0]))]:
            _check_growth(key, column)
    if not columns:
        raise InputError(f"{key} is an empty data set; give at least one element.")
    arrays = [np.concatenate(column) for column in columns]
    digests: list[bytes] = []
    # `from_arrays` refuses arrays of several lengths with a better message.
    if len({len(array) for array in arrays}) == 1:
        digests = list(map(_digest, zip(*arrays, strict=True)))
        arrays = in_order(*arrays)
    return keras.tree.pack_sequence_as(element, arrays), digests


def _tf_batches(key: str, elements: "tf.data.Dataset") -> Iterator[tuple[Any, ...]]:
    """The elements as batches; single ones as batches of one."""
    import keras

    _check_elements(key, elements)
    batched = _batched(*(keras.tree.flatten(one) for one in elements.element_spec[:2]))
    for element in elements.as_numpy_iterator():
        if batched is None:
            single = not np.ndim(keras.tree.flatten(element[1])[0])
        else:
            single = not batched
        yield keras.tree.map_structure(
            lambda part, single=single: np.asarray(part)[None] if single else part,
            element,
        )


def _batched(
    inputs: Sequence["tf.TensorSpec"], targets: Sequence["tf.TensorSpec"]
) -> bool | None:
    """Whether elements are batches; None if their shapes do not tell."""
    shapes = [spec.shape for spec in (*inputs, *targets)]
    if any(shape.rank is None for shape in shapes):
        return None
    if not all(shape.rank for shape in shapes):
        return False
    unknown = all(shape[0] is None for shape in shapes)
    images = any(spec.shape.rank == 4 for spec in inputs)
    return unknown or (images and len({shape[0] for shape in shapes}) == 1)


def _py_batches(key: str, stream: "keras.utils.PyDataset") -> Iterator[tuple[Any, ...]]:
    """The batches of a PyDataset, each once."""
    import keras

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
        if len(batch) == 3 and batch[2] is None:  # No weights, as `fit` takes it.
            batch = batch[:2]
        yield keras.tree.map_structure(np.asarray, tuple(batch))


def _check_batch(
    key: str, first: Sequence[np.ndarray], batch: Sequence[np.ndarray]
) -> None:
    """Passes a batch of as many arrays as the first one has, each of as many axes.

    Raises:
        InputError: weights in some batches alone, or targets of several widths.
    """
    if first and len(first) != len(batch):
        raise InputError(
            f"{key}: all batches have the same arrays; got {len(first)} and "
            f"{len(batch)}. Give weights with every batch, 1 where there are none, or "
            "with none."
        )
    for one, other in zip(first, batch, strict=False):
        if one.shape[1:] != other.shape[1:] or one.ndim != other.ndim:
            raise InputError(
                f"{key}: the inputs, targets and weights of all batches have one size; "
                f"got {list(one.shape[1:])} and {list(other.shape[1:])}. Resize or pad "
                "them; of tf.data in .map, before batching."
            )


def _check_once(digests: Sequence[bytes]) -> None:
    """Refuses examples that come several times each, for some would be held out.

    Single examples may be equal. Those of `.repeat(3)` are there three times each, or
    two to three times where it is cut short; of `.repeat().take(n)` those that come
    again are the last ones. Few different ones, as of a table of yes and no, can be so
    by chance.

    Args:
        digests: Of the examples, in the order of the stream.

    Raises:
        InputError: all come several times, or the stream begins anew.
    """
    counts = list(collections.Counter(digests).values())
    if len(counts) < _FEW:
        return
    least, most = min(counts), max(counts)
    if math.gcd(*counts) > 1 or (least > 1 and most == least + 1):
        raise InputError(
            f"train has every example {least} times or more, as by .repeat(), so what "
            "is held out would be trained on as well; leave .repeat() out, or give "
            "ns_tf.from_tf_data all of train, validation and test."
        )
    again = _again(digests)
    several = len(set(digests[len(digests) - again :]))  # Blank images may end a class.
    if several >= _FEW and (1 - len(counts) / len(digests)) ** several < _CHANCE:
        raise InputError(
            f"The last {again} examples of train came before, as by .repeat().take(n), "
            "so what is held out would be trained on as well; leave .repeat() out, or "
            "give ns_tf.from_tf_data all of train, validation and test."
        )


def _again(digests: Sequence[bytes]) -> int:
    """How many examples follow the last one that comes for the first time.

    >>> _again([b"a", b"b", b"a", b"c", b"b", b"a"])
    2
    """
    first = {digest: -place for place, digest in reversed(list(enumerate(digests)))}
    return len(digests) - 1 + min(first.values())


def in_order(*parts: np.ndarray) -> tuple[np.ndarray, ...]:
    """Examples sorted by a hash of all that belongs to each.

    The same examples in any order come out in one order.

    Args:
        *parts: Inputs `[n, ...]`, targets `[n, ...]`, perhaps weights `[n]`.

    Returns:
        Arrays of the same shapes.
    """
    digests = list(map(_digest, zip(*parts, strict=True)))
    order = sorted(range(len(digests)), key=digests.__getitem__)
    return tuple(part[order] for part in parts)


def _digest(row: Iterable[np.ndarray]) -> bytes:
    """A hash of all that belongs to an example."""
    return hashlib.sha256(b"".join(np.asarray(part).tobytes() for part in row)).digest()


def _check_elements(key: str, elements: "tf.data.Dataset") -> None:
    """Passes finite data sets of elements of two or three nests of tensors.

    Raises:
        InputError: for others, and for an endless one.
    """
    import tensorflow as tf

    spec = elements.element_spec
    tensors = isinstance(spec, tuple) and all(
        isinstance(part, tf.TensorSpec) for part in tf.nest.flatten(spec)
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
    """Passes inputs that fit into memory; called after each element.

    Raises:
        InputError: before memory runs out.
    """
    # A data set of unknown length may be endless.
    if len(inputs) % 1000 == 0:
        size = inputs[0].dtype.itemsize
        count = sum(len(batch) for batch in inputs)
        remedy = "use .take(n) if it is endless, or image files (folder:/path)"
        check_memory(key, count * size, inputs[0].shape[1:], remedy)
