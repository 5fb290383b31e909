"""A data set as a few digits."""

import dataclasses

import numpy as np

from ns_tf.data.arrays import from_arrays
from ns_tf.data.digest import digest
from ns_tf.parts import Parts


def made(rng, **changes):
    images = rng.integers(0, 256, (23, 5, 7, 3)).astype(np.uint8)
    dataset = from_arrays((images, np.arange(23) % 3), classes=3)
    return dataclasses.replace(dataset, **changes)


def test_the_same_data_have_the_same_digest():
    one, two = (digest(made(np.random.default_rng(5))) for _ in range(2))
    assert one == two and len(one) == 16


def test_whatever_decides_a_batch_changes_the_digest():
    dataset = made(np.random.default_rng(5))
    train = dataset.train
    swapped = np.r_[1, 0, 2 : len(train)]
    others = [
        made(np.random.default_rng(7)),
        dataclasses.replace(dataset, pad=dataset.pad + 1),
        dataclasses.replace(dataset, flip=not dataset.flip),
        dataclasses.replace(dataset, mean=dataset.mean + 1),
    ]
    for changes in (
        {"images": train.images[swapped]},
        {"labels": train.labels[::-1]},
        {"weights": np.ones(len(train), np.float32)},
        {"weights": Parts((np.ones(len(train)), np.zeros(len(train))))},
    ):
        split = dataclasses.replace(train, **changes)
        others.append(dataclasses.replace(dataset, train=split))
    found = {digest(one) for one in [dataset, *others]}
    assert len(found) == len(others) + 1


def test_files_are_known_by_their_names_wherever_they_are():
    dataset = made(np.random.default_rng(5))

    def at(folder, name="a"):
        paths = np.array([f"{folder}/{name}{i}.png" for i in range(len(dataset.train))])
        split = dataclasses.replace(dataset.train, images=paths)
        return digest(dataclasses.replace(dataset, train=split))

    assert at("/data") == at("/mnt/else") != at("/data", "b")
