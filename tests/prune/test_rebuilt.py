"""A cut network beside the whole one: pairs of windows and targets."""

import keras
import numpy as np
import pytest
from trained import noise_images, pruner

from ns_tf.base import InputError
from ns_tf.graph.walk import channel_graph
from ns_tf.prune import repairs
from ns_tf.prune.readers import Views
from ns_tf.prune.rebuilt import Rebuilt, contributions, norms_behind
from ns_tf.prune.trained import cut


def rebuilt(model, dataset, **asked):
    made = pruner(model, dataset, method="magnitude", **asked)
    scores = made.score()
    keep = made.chosen(scores, made.solve(scores).widths)
    small = cut(model, made.problem.structure, keep)
    return Rebuilt(repairs.Cut(model, made.graph, keep, small, made.proxy(50)))


@pytest.mark.parametrize(
    "name", ["flatten", pytest.param("dense_block", marks=pytest.mark.slow)]
)
def test_targets_are_what_the_whole_network_puts_out(name, handmade, randomise, rng):
    """Of a network that lost nothing but what adds nothing, inputs times kernel."""
    made = rebuilt(randomise(handmade[name]()), noise_images(rng), macs=0.6)
    reader = made.readers[0]
    kernel = made.kernel(reader)
    whole = made.whole_kernel(reader)
    assert kernel.shape[-1] == whole.shape[-1]
    assert kernel.shape[1] < whole.shape[1]
    (a, y), (x, _) = next(made.pairs(reader)), next(made.contributions(reader))
    assert a.shape == (len(y), kernel.shape[0] * kernel.shape[1])
    assert x.shape == (len(y), kernel.shape[1])


def test_contributions_add_up_to_the_output(rng):
    windows, kernel = rng.normal(size=(11, 9, 3)), rng.normal(size=(9, 3, 5))
    chosen = rng.integers(0, 5, 11)
    x = contributions(windows, kernel, chosen)
    outputs = np.einsum("rwc,wcf->rf", windows, kernel)
    np.testing.assert_allclose(x.sum(axis=1), outputs[np.arange(11), chosen])


def test_an_offset_goes_into_the_bias_or_the_mean_of_the_norm(handmade, randomise, rng):
    made = rebuilt(randomise(handmade["chain"]()), noise_images(rng), macs=0.6)
    reader = made.readers[0]
    before = np.array(made.small.layer(reader).bias)
    more = np.arange(len(before), dtype=float)
    made.move_offset(reader, more)
    np.testing.assert_allclose(made.small.layer(reader).bias, before + more)
    made.small.layer(reader).use_bias = False
    norm = made.small.network.model.get_layer("b_bn")
    before = np.array(norm.moving_mean)
    assert made.has_offset(reader)
    made.move_offset(reader, more)
    np.testing.assert_allclose(norm.moving_mean, before - more, rtol=1e-6)


def test_what_follows_a_changed_layer_is_computed_again(handmade, randomise, rng):
    made = rebuilt(randomise(handmade["no_norm"]()), noise_images(rng), macs=0.6)
    first, last = made.readers[0], made.readers[-1]
    for change in (
        lambda: made.set_kernel(first, 2 * made.kernel(first)),
        lambda: made.move_offset(first, np.ones(made.kernel(first).shape[-1])),
    ):
        before, *_ = list(made.small.rows(last))
        change()
        after = next(made.small.rows(last))
        assert np.abs(after - before).max() > 0.01
        expected = next(Views(made.small.network, made.cut.proxy).rows(last))
        np.testing.assert_allclose(after, expected, rtol=1e-5, atol=1e-6)


def test_no_norm_takes_an_offset_behind_an_activation_that_is_a_layer(rng):
    layers = keras.layers
    x = image = keras.Input((6, 7, 3))
    x = layers.Conv2D(5, 3, activation="relu", name="a")(x)
    leaky = layers.LeakyReLU(negative_slope=0.2)
    x = layers.Conv2D(7, 3, use_bias=False, activation=leaky, name="b")(x)
    x = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(x))
    model = keras.Model(image, layers.Dense(5, name="logits")(x))
    made = rebuilt(model, noise_images(rng), macs=0.6, keep=("b",))
    assert [one.layer for one in made.readers] == ["b"]
    assert not made.has_offset(made.readers[0])
    with pytest.raises(InputError, match="'b' reads filters that go"):
        pruner(model, noise_images(rng), macs=0.6, repair="mean").check()


def test_a_norm_of_two_layers_takes_the_offset_of_neither():
    """Its mean would move what the other one puts out, too."""
    layers = keras.layers
    image, norm = keras.Input((6, 7, 3)), layers.BatchNormalization(name="norm")
    made = [layers.Conv2D(5, 3, use_bias=False, name=name)(image) for name in "ab"]
    x = layers.Add()([norm(one) for one in made])
    alone = layers.BatchNormalization(name="alone")
    x = alone(layers.Conv2D(7, 3, use_bias=False, name="c")(x))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(5, name="logits")(x))
    assert norms_behind(channel_graph(model)) == {"c": "alone"}
