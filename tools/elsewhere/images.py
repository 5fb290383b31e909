"""Images of a data set in few files for another machine, packed without loss.

CIFAR-10's 60,000 images are 97 MiB as WebP sheets; TFDS's own files are 162.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ns_tf.base import InputError
from ns_tf.data.dataset import SPLITS, Dataset, Split

TASK = "task.json"
PART_BYTES = 54 << 20  # Of one file.
COLUMNS, ROWS = 50, 50  # Images of a sheet.


def facts(dataset: Dataset) -> dict[str, Any]:
    """All of a data set but images and labels, as plain values."""
    return {
        "name": dataset.name,
        "image_shape": list(dataset.image_shape),
        "classes": dataset.classes,
        "mean": [float(v) for v in dataset.mean],
        "std": [float(v) for v in dataset.std],
        "pad": dataset.pad,
        "flip": dataset.flip,
        "as_given": dataset.as_given,
        "sizes": {split: len(getattr(dataset, split)) for split in SPLITS},
    }


def write(dataset: Dataset, folder: Path) -> list[Path]:
    """Writes images and labels to part files `images0.npz`, `images1.npz`, ...

    Args:
        dataset: Its images are uint8 of three channels.
        folder: Where the files go.

    Returns:
        The paths of the files.

    Raises:
        InputError: the images are files, or not of three channels of 8 bits.
    """
    parts: list[dict[str, np.ndarray]] = [{}]
    room = PART_BYTES
    for name in SPLITS:
        split = getattr(dataset, name)
        if (
            split.on_disk
            or split.images.dtype != np.uint8
            or split.images.shape[3] != 3
        ):
            raise InputError(f"{dataset.name}'s images are not of 8-bit colours.")
        for start in range(0, len(split), COLUMNS * ROWS):
            sheet = _sheet(split.images[start : start + COLUMNS * ROWS])
            if len(sheet) > room:
                parts.append({})
                room = PART_BYTES
            parts[-1][f"{name}_{start:09d}"] = sheet
            room -= len(sheet)
        parts[-1][f"{name}_labels"] = split.labels
    paths = []
    for i, part in enumerate(parts):
        paths.append(folder / f"images{i}.npz")
        np.savez(paths[-1], **part)
    return paths


def read(folder: Path, about: Mapping[str, Any]) -> Dataset:
    """The data set that `write` packed.

    Args:
        folder: Where its part files are.
        about: What `facts` said of it.

    Raises:
        InputError: parts are missing.
    """
    packed: dict[str, np.ndarray] = {}
    for path in sorted(folder.glob("images*.npz")):
        with np.load(path) as part:
            packed |= {name: part[name] for name in part.files}
    splits = {}
    for name in SPLITS:
        sheets = sorted(key for key in packed if key.startswith(f"{name}_0"))
        images = [_images(packed[key], about["image_shape"]) for key in sheets]
        labels = packed.get(f"{name}_labels")
        size = about["sizes"][name]
        # A sheet's last row may be filled up; only the last sheet's is.
        images = np.concatenate(images)[:size] if images else np.zeros(0)
        if labels is None or not len(labels) == len(images) == size:
            raise InputError(f"{folder} lacks a part of the {name} images.")
        splits[name] = Split(images, labels)
    return Dataset(
        name=about["name"],
        image_shape=tuple(about["image_shape"]),
        classes=about["classes"],
        class_names=tuple(str(i) for i in range(about["classes"])),
        mean=np.array(about["mean"], np.float32),
        std=np.array(about["std"], np.float32),
        pad=about["pad"],
        flip=about["flip"],
        as_given=about.get("as_given", False),  # Older folders do not say.
        **splits,
    )


def _sheet(images: np.ndarray) -> np.ndarray:
    """uint8 [bytes]: a WebP file of images side by side, the last row filled up."""
    n, h, w, c = images.shape
    rows = -(-n // COLUMNS)
    full = np.zeros((rows * COLUMNS, h, w, c), np.uint8)
    full[:n] = images
    sheet = full.reshape(rows, COLUMNS, h, w, c).transpose(0, 2, 1, 3, 4)
    buffer = io.BytesIO()
    picture = Image.fromarray(sheet.reshape(rows * h, COLUMNS * w, c))
    picture.save(buffer, "webp", lossless=True, quality=50, method=4)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def _images(sheet: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """[n, h, w, c]: the images of a sheet, what fills its last row among them."""
    h, w, c = shape
    pixels = np.asarray(Image.open(io.BytesIO(sheet.tobytes())))
    rows = pixels.shape[0] // h
    grid = pixels.reshape(rows, h, COLUMNS, w, c).transpose(0, 2, 1, 3, 4)
    return grid.reshape(-1, h, w, c)
