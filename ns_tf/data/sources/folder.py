"""Image files in class-named folders; read when a batch needs them."""

import concurrent.futures
import os
import pathlib
from collections.abc import Mapping

import numpy as np

from ns_tf.base import InputError
from ns_tf.data import holdout, images, sources
from ns_tf.data.dataset import Dataset, Split, crop_margin
from ns_tf.data.holdout import pixel_statistics, spread
from ns_tf.data.sources import Request, source

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif")
SPLIT_FOLDERS = {
    "train": "train",
    "val": "validation",
    "validation": "validation",
    "test": "test",
}
CHECKED = 10_000  # Files that are decoded before the start, evenly over the folder.


@source("folder")
def load_folder(request: Request) -> Dataset:
    """`folder:/path`: subfolders train, val (or validation), test of class folders.

    Without those the folder holds the class folders itself, and what is held out is
    chosen by the seed. Images are RGB; folders within a class folder are looked into.
    Without an image size all images must have one size; with one they are stretched.

    Raises:
        InputError: no folder, fewer than two classes, a class without images, classes
            that training lacks, a broken image (of the first 10,000 that are tried;
            later ones when they are met), images of several sizes.
    """
    root = sources.existing(request.argument, "a folder of class folders")
    trees = _trees(root)
    names = _class_names(trees["train"])
    splits = {key: _split(tree, names, key) for key, tree in trees.items()}
    shape = (*_image_size(splits, request), 3)
    parts = holdout.complete(
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
    """By split, the folder that holds its class folders; all in "train" if one."""
    found = [folder.name for folder in _subfolders(root)]
    # A class may be called "train" too, if its neighbours are not splits.
    if not found or not set(found) <= set(SPLIT_FOLDERS):
        return {"train": root}
    if "train" not in found or {"val", "validation"} <= set(found):
        raise InputError(
            f"Expected train, val (or validation) and test in {root}; found "
            f"{', '.join(found)}. Rename the folders, or give one of class folders."
        )
    return {SPLIT_FOLDERS[name]: root / name for name in found}


def _subfolders(folder: pathlib.Path) -> list[pathlib.Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"Expected a folder of class folders at {folder}; it cannot be listed: "
            f"{error.strerror}. Give another path."
        ) from error
    return [path for path in entries if path.is_dir() and path.name[0] != "."]


def _class_names(train: pathlib.Path) -> tuple[str, ...]:
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
    # Small validation and test sets may lack a class; training must not.
    if empty and (key == "train" or len(empty) == len(names)):
        raise InputError(
            f"Expected images ({', '.join(SUFFIXES)}) in every class folder of {tree}; "
            f"{', '.join(empty[:5])} without any. Add some, or delete the folder."
        )
    labels = np.repeat(np.arange(len(names)), [len(paths) for paths in files])
    paths = np.array([path for paths in files for path in paths], dtype=object)
    return Split(paths, labels.astype(np.int32))


def _images(folder: pathlib.Path) -> list[str]:
    return sorted(
        os.path.join(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(SUFFIXES) and name[0] != "."
    )


def _image_size(splits: Mapping[str, Split], request: Request) -> tuple[int, int]:
    """(height, width) of the images: as asked for, or as all of them are.

    Decodes the files, and so finds broken ones before the work has begun.
    """
    paths = np.concatenate([split.images for split in splits.values()])
    asked = request.square()
    # What no one asked to resize has to have one size, to the last file.
    count = CHECKED if asked else len(paths)
    paths = paths[spread(len(paths), count)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        sizes = pool.map(lambda path: images.decode(path).shape[:2], paths)
        first = expected = None
        for path, size in zip(paths, sizes, strict=True):
            first, expected = first or path, expected or size
            if not asked and size != expected:
                raise InputError(
                    f"Images of several sizes need --image_size: {first} has "
                    f"{expected[0]}x{expected[1]}, {path} has {size[0]}x{size[1]}."
                )
    return asked or expected
