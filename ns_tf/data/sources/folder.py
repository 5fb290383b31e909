"""Image files in folders named after classes; read when a batch needs them."""

import concurrent.futures
import os
import pathlib
from collections.abc import Mapping

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import Dataset, Split, crop_margin
from ns_tf.data.holdout import complete, pixel_statistics, spread
from ns_tf.data.images import decode
from ns_tf.data.sources import Request, existing, source

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif")
SPLIT_FOLDERS = {  # Name of a folder -> the split in it.
    "train": "train",
    "val": "validation",
    "validation": "validation",
    "test": "test",
}
CHECKED = 10_000  # Files that are decoded when the folder is read, evenly spread.


@source("folder")
def load_folder(request: Request) -> Dataset:
    """`folder:/path`: subfolders train, val (or validation), test of class folders.

    Without those the folder holds the class folders itself, and splits are held out.
    Images are RGB. Files in folders below a class folder belong to the class. With an
    image size images are stretched to a square; without one all must have one size.

    Args:
        request: Its argument is the path of the folder.

    Returns:
        The data set, whose images are paths: a batch reads its own files.

    Raises:
        InputError: no folder, fewer than two classes, a class without images, classes
            that training lacks, images of several sizes, or a broken image among those
            that are decoded here (all, or `CHECKED` of them where an image size is
            given); others are found when a batch needs them.
    """
    root = existing(request.argument, "a folder of class folders")
    trees = _trees(root)
    names = _class_names(trees["train"])
    splits = {key: _split(tree, names, key) for key, tree in trees.items()}
    shape = (*_image_size(splits, request), 3)
    parts = complete(
        splits["train"],
        splits.get("validation"),
        splits.get("test"),
        fraction=request.validation_fraction,
        seed=request.seed,
    )
    mean, std = pixel_statistics(parts[0], shape)
    pad = crop_margin(shape)
    name = request.name
    return Dataset(name, shape, len(names), names, *parts, mean, std, pad, False)


def _trees(root: pathlib.Path) -> dict[str, pathlib.Path]:
    """Split -> the folder of its class folders; all is "train" without splits."""
    names = [folder.name for folder in _subfolders(root)]
    # A class may be called "train": its neighbours are no splits then.
    if not names or not set(names) <= set(SPLIT_FOLDERS):
        return {"train": root}
    if "train" not in names or {"val", "validation"} <= set(names):
        raise InputError(
            f"Expected train, val (or validation) and test in {root}; found "
            f"{', '.join(names)}. Rename the folders, or give one of class folders."
        )
    return {SPLIT_FOLDERS[name]: root / name for name in names}


def _subfolders(folder: pathlib.Path) -> list[pathlib.Path]:
    """The folders directly within, by name; hidden ones are left out."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"Expected a folder of class folders at {folder}; it cannot be listed: "
            f"{error.strerror}. Give another path."
        ) from error
    return [path for path in entries if path.is_dir() and path.name[0] != "."]


def _class_names(train: pathlib.Path) -> tuple[str, ...]:
    """The names of the class folders, sorted: labels are their places."""
    names = tuple(folder.name for folder in _subfolders(train))
    if len(names) < 2:
        raise InputError(
            f"Expected a folder for each of at least 2 classes in {train}; found "
            f"{', '.join(names) or 'none'}. Sort the images into class folders."
        )
    return names


def _split(tree: pathlib.Path, names: tuple[str, ...], key: str) -> Split:
    """All images of a tree, by class and then by path."""
    extra = sorted({folder.name for folder in _subfolders(tree)} - set(names))
    if extra:
        raise InputError(
            f"Expected the classes of train in {tree}; {extra[0]} is none of them. "
            "Rename or delete the folder."
        )
    files = [_images(tree / name) for name in names]
    empty = [name for name, paths in zip(names, files, strict=True) if not paths]
    # A small validation or test set may lack a class; the training set must not.
    if empty and (key == "train" or len(empty) == len(names)):
        raise InputError(
            f"Expected images ({', '.join(SUFFIXES)}) in every class folder of {tree}; "
            f"{', '.join(empty[:5])} without any. Add some, or delete the folder."
        )
    labels = np.repeat(np.arange(len(names)), [len(paths) for paths in files])
    paths = np.array([path for paths in files for path in paths], dtype=object)
    return Split(paths, labels.astype(np.int32))


def _images(folder: pathlib.Path) -> list[str]:
    """Paths of the image files in a folder and below, sorted; hidden ones left out."""
    return sorted(
        os.path.join(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(SUFFIXES) and name[0] != "."
    )


def _image_size(splits: Mapping[str, Split], request: Request) -> tuple[int, int]:
    """(height, width) of the images: the requested size, or the one that all have.

    Decodes files, so that broken ones are found before the work begins: `CHECKED` of
    them where a size is requested, otherwise all, to compare their sizes.
    """
    paths = np.concatenate([split.images for split in splits.values()])
    size = request.square()
    count = CHECKED if size else len(paths)
    paths = paths[spread(len(paths), count)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        shapes = pool.map(lambda path: decode(path).shape[:2], paths)
        first = expected = None
        for path, shape in zip(paths, shapes, strict=True):
            first, expected = first or path, expected or shape
            if not size and shape != expected:
                raise InputError(
                    f"Images of several sizes need --image_size: {first} has "
                    f"{expected[0]}x{expected[1]}, {path} has {shape[0]}x{shape[1]}."
                )
    return size or expected
