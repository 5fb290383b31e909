"""Data sets by their TFDS name: image classification, or any features by name.

TensorFlow Datasets is imported when one of its sets is read, or when an unknown name is
compared with its names.
"""

import contextlib
import difflib
import pathlib
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from ns_tf.base import InputError
from ns_tf.data.arrays import Pair, from_arrays
from ns_tf.data.dataset import SPLITS, Dataset, crop_margin
from ns_tf.data.holdout import check_memory
from ns_tf.data.images import decode_jpeg, resize
from ns_tf.data.sources import SOURCES, Request, source
from ns_tf.registry import parse_call, unknown

if TYPE_CHECKING:
    from tensorflow_datasets.core import DatasetBuilder

HOST = ("storage.googleapis.com", 443)  # The host that TFDS asks before a download.
PATIENCE = 3.0  # Seconds to wait for its answer.
BATCH = 256  # Images decoded at a time.


@source("tfds")
def load_tfds(request: Request) -> Dataset:
    """`tfds:name`, or any name that no other family has: the TFDS set, in memory.

    `tfds:name(inputs='image,age', targets='label')` reads features by name, of any kind
    but text; inputs and outputs of a model have the names of the features then.

    Args:
        request: Its argument is the name as TFDS has it: "name/config:version".

    Raises:
        InputError: an unknown name; a set that is not prepared and cannot be
            downloaded, is not of images with one class each where no features are
            named, or too large; features that it does not have.
    """
    name, _, asked = request.argument.partition("(")
    if not asked:
        return read(name, request)
    _, options = parse_call(f"features({asked}")
    for option in options:
        if option not in ("inputs", "targets"):
            raise unknown("option of a TFDS set", option, ("inputs", "targets"))
    features = [
        [one.strip() for one in str(options.get(which, "")).split(",") if one.strip()]
        for which in ("inputs", "targets")
    ]
    if not all(features):
        raise InputError(
            f"Give inputs and targets of {name}, as "
            f"tfds:{name}(inputs='image', targets='label'); got {request.argument!r}."
        )
    return _by_feature(name, features, request)


def read(tfds_name: str, request: Request) -> Dataset:
    """The TFDS set of that name, in memory.

    Its splits `train`, `validation` and `test` are read, others ignored. Crops have
    `crop_margin`. Images are not mirrored, which may change their class (digits, say);
    `dataclasses.replace(dataset, flip=True)` where it does not.

    Args:
        tfds_name: The name as TFDS has it.
        request: Name in messages, folder, image size, fraction and seed.

    Raises:
        InputError: as `load_tfds`.
    """
    builder = _builder(tfds_name, request)
    _prepare(builder, tfds_name)
    keys = _features(builder, tfds_name)
    names = builder.info.features[keys[1]].names
    splits = {key: key for key in SPLITS if key in builder.info.splits}
    if "train" not in splits:
        raise InputError(
            f"{tfds_name} has no split 'train', only "
            f"{', '.join(builder.info.splits) or 'none'}; take another data set."
        )
    shape = _image_shape(builder, tfds_name, keys[0], request)
    count = sum(builder.info.splits[key].num_examples for key in splits)
    remedy = "give a smaller --image_size, or its image files as folder:/path"
    check_memory(tfds_name, count, shape, remedy)
    pairs = {key: _arrays(builder, key, keys, shape) for key in splits}
    return from_arrays(
        pairs.pop("train"),
        **pairs,
        class_names=names,
        name=request.name,
        pad=crop_margin(shape),
        validation_fraction=request.validation_fraction,
        seed=request.seed,
    )


def _by_feature(
    name: str, features: Sequence[Sequence[str]], request: Request
) -> Dataset:
    """The TFDS set whose inputs and targets are features by name.

    Args:
        name: Of the set, as TFDS has it.
        features: Names of the inputs, names of the targets.
        request: As of `read`. Images are resized to its size.

    Raises:
        InputError: as `load_tfds`.
    """
    builder = _builder(name, request)
    _prepare(builder, name)
    known, splits = builder.info.features, builder.info.splits
    for feature in (one for group in features for one in group):
        if feature not in known:
            raise unknown(f"feature of {name}", feature, known)
    size = request.square()

    def resized(array):
        image = size is not None and array.ndim == 3 and array.dtype == np.uint8
        return resize(array, size) if image else array

    def arrays(split):
        """(inputs, targets) by name."""
        examples = builder.as_dataset(split=split, shuffle_files=False)
        rows = [
            {one: resized(example[one]) for group in features for one in group}
            for example in examples.as_numpy_iterator()
        ]
        _check_sizes(name, rows)
        stacked = {one: np.stack([row[one] for row in rows]) for one in rows[0]}
        return tuple({one: stacked[one] for one in group} for group in features)

    pairs = {key: arrays(key) for key in SPLITS if key in splits}
    if "train" not in pairs:
        raise InputError(f"{name} has no split 'train'; take another data set.")
    return from_arrays(
        pairs.pop("train"),
        **pairs,
        class_names=getattr(known[features[1][0]], "names", None),
        name=request.name,
        validation_fraction=request.validation_fraction,
        seed=request.seed,
    )


def _check_sizes(name: str, rows: Sequence[Mapping[str, np.ndarray]]) -> None:
    """Passes examples whose features have one shape and are numbers."""
    for feature in rows[0]:
        shapes = {np.shape(row[feature]) for row in rows}
        if len(shapes) > 1:
            raise InputError(
                f"The feature {feature} of {name} has several sizes, as "
                f"{' and '.join(map(str, sorted(shapes)[:2]))}; give --image_size if "
                "they are images, or other features."
            )


def _builder(name: str, request: Request) -> "DatasetBuilder":
    """TFDS's builder of that name; nothing is downloaded."""

    import tensorflow_datasets as tfds

    data_dir = request.data_dir or None
    if data_dir is not None:
        data_dir = pathlib.Path(data_dir).expanduser()
    try:
        with _quiet():
            return tfds.builder(name, data_dir=data_dir, try_gcs=False)
    except tfds.core.registered.DatasetNotFoundError as error:
        raise _unknown(request.name) from error
    except (ValueError, AssertionError, TypeError) as error:
        # TFDS cannot parse the name, or lacks the version or configuration.
        if not _is_tfds(name):
            raise _unknown(request.name) from error
        raise InputError(
            f"TFDS has no data set {name!r}: {_reason(error)} Give "
            "name/config:version as on tensorflow.org/datasets."
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences TFDS's warning of a missing set: an InputError says the same."""
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _reason(error: Exception) -> str:
    """The first sentence of a message, without the arguments that TFDS puts first.

    >>> _reason(ValueError("No such version. Known are 1.0 and 2.0."))
    'No such version.'
    """
    lines = str(error).split('}": ')[-1].strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    return text.partition(". ")[0].rstrip(".") + "."


def _is_tfds(name: str) -> bool:
    """Whether TFDS has a set of that name, whatever its configuration or version."""
    return name.partition("/")[0].partition(":")[0] in _tfds_names()


def _tfds_names() -> list[str]:
    """The names of all sets that TFDS itself has."""

    # Community sets are listed over the network.
    import tensorflow_datasets as tfds

    return tfds.list_builders(with_community_datasets=False)


def _unknown(name: str) -> InputError:
    """The error for a name that neither a family nor TFDS has."""
    own = [key for key in SOURCES.names() if key != "tfds"]
    # TFDS has a name close to almost any misspelling, so our own come first.
    close = difflib.get_close_matches(name, own, n=1, cutoff=0.75)
    close = close or difflib.get_close_matches(name, _tfds_names(), n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return InputError(
        f"Unknown data set {name!r}.{hint} Known: digits, cifar10, cifar100, "
        "folder:/path, arrays:/path.npz and the names of TFDS."
    )


def _prepare(builder: "DatasetBuilder", name: str) -> None:
    """Downloads and prepares the set, unless it is prepared.

    Raises:
        InputError: if there is no network, or the download fails.
    """
    with _quiet():
        if builder.is_prepared():
            return
    place = pathlib.Path(builder.data_dir)
    if not _online():
        raise InputError(
            f"Expected {name} prepared by TFDS in {place}; it is not, and there is no "
            "network to download it. Give --data_dir of a prepared copy, or use a "
            "machine with network."
        )
    try:
        builder.download_and_prepare()
    # Readers, unpackers and servers raise errors of any kind.
    except Exception as error:
        raise InputError(
            f"TFDS could not download and prepare {name} into {place}: "
            f"{_reason(error)} Give --data_dir of a prepared copy, or try again."
        ) from error


def _online() -> bool:
    """Whether the network answers within `PATIENCE`; TFDS itself tries for minutes."""
    answered = threading.Event()

    def call():
        with contextlib.suppress(OSError):
            socket.create_connection(HOST, timeout=PATIENCE).close()
            answered.set()

    # The look-up of a host has no timeout: the thread may outlast the wait.
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return answered.is_set()


def _features(builder: "DatasetBuilder", name: str) -> tuple[str, str]:
    """The keys of the image and of its class in an example."""
    import tensorflow_datasets as tfds

    features, keys = builder.info.features, builder.info.supervised_keys
    if keys and len(keys) == 2 and all(key in features for key in keys):
        image, label = (features[key] for key in keys)
        image = isinstance(image, tfds.features.Image) and image.np_dtype == np.uint8
        if image and isinstance(label, tfds.features.ClassLabel):
            return tuple(keys)
    raise InputError(
        f"{name} is not image classification: expected an 8-bit image with one class, "
        f"got {', '.join(features) if hasattr(features, 'keys') else features} with "
        f"supervised keys {keys}. Take another data set."
    )


def _image_shape(
    builder: "DatasetBuilder", name: str, key: str, request: Request
) -> tuple[int, int, int]:
    """(height, width, channels) of the images, as requested or as the set has them."""
    height, width, channels = builder.info.features[key].shape
    size = request.square() or (height, width)
    if None in size:
        raise InputError(
            f"The images of {name} have several sizes; give --image_size, say 64."
        )
    return (*size, channels or 3)


def _arrays(
    builder: "DatasetBuilder",
    split: str,
    keys: tuple[str, str],
    shape: tuple[int, int, int],
) -> Pair:
    """(images [n, h, w, c] uint8, labels [n]), in the order of the files."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def sized(example):
        """(image [h, w, c], label), resized where the image has another size."""
        image, label = example[keys[0]], example[keys[1]]
        if image.shape[:2] != shape[:2]:
            image = tf.image.resize(image, shape[:2], antialias=True)
            image = tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)
        return tf.ensure_shape(image, shape), label

    @tfds.decode.make_decoder(output_dtype=tf.uint8)
    def decoder(data, feature):
        return decode_jpeg(data, feature.shape[2] or shape[2])

    examples = builder.as_dataset(
        split=split,
        shuffle_files=False,
        decoders={keys[0]: decoder()},
        read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
    )
    batches = examples.map(sized, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH)
    count = builder.info.splits[split].num_examples
    images = np.empty((count, *shape), np.uint8)
    labels = np.empty(count, np.int64)
    done = 0
    for image, label in batches.as_numpy_iterator():
        images[done : done + len(label)] = image
        labels[done : done + len(label)] = label
        done += len(label)
    return images[:done], labels[:done]
