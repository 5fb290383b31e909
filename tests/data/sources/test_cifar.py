"""CIFAR with its published constants, where a prepared copy is at hand."""

import numpy as np
import pytest
import tensorflow as tf
from pictures import made
from places import REAL

from ns_tf.data import holdout
from ns_tf.data.batches import train_batches
from ns_tf.data.dataset import SPLITS
from ns_tf.data.holdout import pixel_statistics
from ns_tf.data.sources import load
from ns_tf.data.sources import tfds as sources_tfds


def load_cifar(name):
    if not (REAL / name).exists():
        pytest.skip(f"no prepared {name} in {REAL}")
    return load(name, data_dir=REAL)


# (mean, standard deviation) of red, green, blue.
PUBLISHED = {
    10: ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    100: ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
}
CIFAR = pytest.mark.parametrize(
    ("name", "classes"), [("cifar10", 10), ("cifar100", 100)]
)


@CIFAR
@pytest.mark.parametrize("version", ["", ":3.0.2"])
def test_published_constants_take_the_place_of_those_of_the_images(
    rng, monkeypatch, name, classes, version
):
    requests = []

    def read(tfds_name, request):
        requests.append((tfds_name, request))
        return made(rng, (7, 32, 32, 3), pad=4, flip=False)

    monkeypatch.setattr(sources_tfds, "read", read)
    dataset = load(name + version, image_size=32, seed=5)
    ((tfds_name, request),) = requests
    assert tfds_name == name + version and (request.image_size, request.seed) == (32, 5)
    assert (dataset.pad, dataset.flip) == (4, True)
    np.testing.assert_allclose(
        (dataset.mean, dataset.std), PUBLISHED[classes], rtol=1e-6
    )
    assert dataset.mean.dtype == dataset.std.dtype == np.float32


@pytest.mark.slow
@CIFAR
def test_some_of_cifar_is_read_with_its_usual_constants(
    name, classes, offline, monkeypatch
):
    whole = sources_tfds._arrays
    monkeypatch.setattr(
        sources_tfds,
        "_arrays",
        lambda b, split, *rest: whole(b, f"{split}[:700]", *rest),
    )
    dataset = load_cifar(name)
    assert dataset.image_shape == (32, 32, 3) and dataset.classes == classes
    assert len(dataset.class_names) == classes
    sizes = [len(getattr(dataset, key)) for key in SPLITS]
    assert sizes == [630, 70, 700]
    assert (dataset.pad, dataset.flip) == (4, True)
    mean, std = pixel_statistics(dataset.train, dataset.image_shape)
    np.testing.assert_allclose(dataset.mean, mean, atol=0.03)
    np.testing.assert_allclose(dataset.std, std, atol=0.03)
    x, _ = next(iter(train_batches(dataset, 257, seed=0, augment=False)))
    np.testing.assert_allclose(tf.math.reduce_std(x), 1, atol=0.1)


@pytest.mark.slow
@CIFAR
def test_all_of_cifar_has_the_published_mean_and_deviation(
    name, classes, offline, monkeypatch
):
    monkeypatch.setattr(holdout, "SAMPLE", 50_000)
    dataset = load_cifar(name)
    sizes = [len(getattr(dataset, key)) for key in SPLITS]
    assert sizes == [45000, 5000, 10000]
    assert (
        np.unique(dataset.test.labels, return_counts=True)[1].tolist()
        == [10000 // classes] * classes
    )
    mean, std = pixel_statistics(dataset.train, dataset.image_shape)
    np.testing.assert_allclose(dataset.mean, mean, atol=0.0015)
    np.testing.assert_allclose(dataset.std, std, atol=0.0015)
