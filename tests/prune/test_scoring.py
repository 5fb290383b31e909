"""A trained network as signals read it: its images, sums that can be continued."""

import keras
import numpy as np
import pytest
from small import Ended, KilledAt, kept_at
from trained import noise_images, pruner, scored

from ns_tf.prune.scoring import SCORING, Proxy, Tally


def test_proxy_images_are_a_choice_by_the_seed(rng):
    dataset = noise_images(rng)
    one, again, other = (
        Proxy.of(dataset, images=23, batch=7, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.split.images, again.split.images)
    assert not np.array_equal(one.split.labels, other.split.labels)
    assert len(one.split) == 23 and one.steps == 4
    assert [len(y) for _, y in one.batches()] == [7, 7, 7, 2]
    assert [len(y) for _, y in one.batches(3)] == [2]
    whole = Proxy.of(dataset, images=10**6, batch=7, seed=1)
    assert len(whole.split) == len(dataset.train)


def test_kernels_come_with_the_channels_that_they_make(handmade, randomise, rng):
    network = scored(randomise(handmade["residual"]()), noise_images(rng))
    sizes = [
        (len(channels), kernel.shape[-1]) for channels, kernel in network.kernels()
    ]
    assert sizes == [(11, 11), (13, 13), (11, 11), (5, 5)]


def test_a_tally_continues_where_it_was():
    sums = np.zeros(3)

    def items(first):
        return ((i, i + 1.0) for i in range(first, 3))

    def add(place, value):
        sums[place] += value

    work = Tally(3, items, add, {"sums": sums})
    stream = iter(work.batches())
    work.step(*next(stream))
    arrays, facts = work.state()
    saved = {name: array.copy() for name, array in arrays.items()}
    work.step(*next(stream))
    work.restore(saved, facts)
    assert sums.tolist() == [1, 0, 0] and work.steps == 1
    for item in work.batches():
        work.step(*item)
    assert sums.tolist() == [1, 2, 3] and work.finished


@pytest.mark.parametrize(
    "name",
    [
        *("taylor_fg", "thinet"),
        *(
            pytest.param(n, marks=pytest.mark.slow)
            for n in ("apoz", "curl_kl", "taylor_fo")
        ),
    ],
)
def test_a_scoring_that_is_killed_goes_on_to_the_same_bits(
    name, handmade, randomise, rng, tmp_path
):
    """And shows how far it has come."""
    model, dataset = randomise(handmade["chain"]()), noise_images(rng)
    made = pruner(model, dataset, method=name, macs=0.5, proxy_images=48)
    expected = made.score()
    runtime = kept_at(tmp_path, progress=KilledAt(2))
    with pytest.raises(Ended):
        made.score(runtime)
    assert (tmp_path / SCORING).exists()
    scores = made.score(kept_at(tmp_path))
    np.testing.assert_array_equal(scores, expected)


def test_channels_that_the_loss_does_not_read_have_slopes_of_zero(rng):
    """Behind the largest of some numbers there is no derivative."""
    dataset, layers, ops = noise_images(rng), keras.layers, keras.ops
    image = keras.Input(dataset.image_shape)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(5, 1)(image))
    x = ops.one_hot(ops.argmax(layers.Dense(4)(x), axis=-1), 4)
    x = layers.Dense(dataset.classes)(x)
    network = scored(keras.Model(image, x), dataset)
    images, labels = next(iter(network.batches()))
    slopes = network.example_gradients(images, labels)
    np.testing.assert_array_equal(slopes, np.zeros_like(slopes))
