"""Statistics of norms: measured again, or those of each minibatch."""

import keras
import numpy as np
import pytest

from ns_tf.prune.norms import by_batch, measure


def normed(inner=False):
    """image[2] - BN, perhaps in a model within the model."""
    image = keras.Input((2,))
    norm = keras.layers.BatchNormalization(name="norm", momentum=0.9)
    if not inner:
        return keras.Model(image, norm(image)), norm
    part = keras.Input((2,))
    within = keras.Model(part, norm(part), name="within")
    return keras.Model(image, within(image)), norm


@pytest.mark.parametrize("inner", [False, True])
def test_equal_batches_of_means_1_and_3_give_2(inner):
    model, norm = normed(inner)
    batches = [np.array([[0, 0], [2, 2.0]]), np.array([[2, 3], [4, 3.0]])]
    measure(model, batches)
    np.testing.assert_allclose(norm.moving_mean, [2, 2])
    np.testing.assert_allclose(norm.moving_variance, [1, 0.5])
    assert norm.momentum == 0.9


def test_a_smaller_batch_counts_less():
    model, norm = normed()
    measure(model, [np.full((3, 2), 1.0), np.full((1, 2), 5.0)])
    np.testing.assert_allclose(norm.moving_mean, [2, 2])


def test_a_norm_that_is_called_twice_counts_both_calls():
    image = keras.Input((2,))
    norm = keras.layers.BatchNormalization(momentum=0.9)
    both = keras.layers.Add()([norm(image), norm(3.0 * image)])
    model = keras.Model(image, both)
    measure(model, [np.full((3, 2), 1.0), np.full((1, 2), 5.0)])
    # The calls see 1 and 3, three images each, and then 5 and 15 of one image.
    np.testing.assert_allclose(norm.moving_mean, [(3 + 9 + 5 + 15) / 8] * 2, rtol=1e-6)
    assert norm.momentum == 0.9 and "call" not in vars(norm)


def test_without_batches_nothing_changes():
    model, norm = normed()
    measure(model, [])
    np.testing.assert_array_equal(norm.moving_mean, [0, 0])


def test_a_norm_that_is_not_trained_keeps_its_statistics():
    model, norm = normed()
    norm.trainable = False
    batches = iter([np.full((3, 2), 7.0)])
    measure(model, batches)
    np.testing.assert_array_equal(norm.moving_mean, [0, 0])
    assert list(batches), "asked for, and of no use"


def test_nothing_but_the_statistics_changes(handmade, randomise, rng):
    model = randomise(handmade["chain"]())
    before = {w.path: np.array(w) for w in model.weights}
    measure(model, [rng.normal(size=(5, 6, 7, 3)).astype("float32")])
    for weight in model.weights:
        moved = not np.array_equal(before[weight.path], weight)
        assert moved == weight.name.startswith("moving"), weight.path


def test_a_batch_may_be_a_list_that_begins_with_images():
    image, other = keras.Input((2,)), keras.Input((1,))
    norm = keras.layers.BatchNormalization(name="norm")
    model = keras.Model([image, other], norm(image * other))
    measure(model, [[np.full((3, 2), 2.0), np.full((3, 1), 0.5)]])
    np.testing.assert_allclose(norm.moving_mean, [1, 1])


def test_norms_take_the_statistics_of_the_batch_and_nothing_else_is_trained(rng):
    image = keras.Input((2,))
    x = keras.layers.BatchNormalization(name="norm", epsilon=0.0)(image)
    model = keras.Model(image, keras.layers.Dropout(0.5)(x))
    images = rng.normal(3, 2, (5, 2)).astype("float32")
    expected = (images - images.mean(axis=0)) / images.std(axis=0)
    np.testing.assert_allclose(by_batch(model)(images), expected, rtol=1e-4, atol=1e-5)
