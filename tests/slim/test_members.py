"""A member computes with slices, and its derivatives reach the whole variables."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ns_tf.base import InputError
from ns_tf.graph import weights
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.from_model import from_model
from ns_tf.slim.members import Member, Slice


def test_a_slice_of_a_kernel_is_its_first_entries_and_others_are_gathered():
    kernel = keras.Variable(np.arange(16.0).reshape(4, 4))
    first, odd = np.array([0, 1]), np.array([1, 3])
    corner = Slice(kernel, (first, first)).value()
    np.testing.assert_array_equal(corner, [[0, 1], [4, 5]])
    others = Slice(kernel, (None, odd), scale=2.0).value()
    np.testing.assert_array_equal(others, 2 * np.array(kernel)[:, [1, 3]])


def halved(build):
    """(whole network, its graph, the channels of half of its widths, one of these)."""
    whole = build()
    architecture = from_model(whole)
    graph = channel_graph(whole)
    keep = np.ones(len(graph.owner), bool)
    for group in graph.groups:
        if group.frozen is None:
            keep[group.channels[-(-group.size // 2) :]] = False
    data = {"input_shape": whole.input_shape[1:], "classes": whole.output_shape[-1]}
    small = architecture.build([-(-w // 2) for w in architecture.widths], **data)
    return whole, graph, keep, small


@pytest.mark.parametrize("name", ["residual", "flatten", "concat", "depthwise"])
def test_a_member_computes_and_learns_as_the_network_of_its_slices(
    name, handmade, randomise, rng, float64
):
    whole, graph, keep, small = halved(handmade[name])
    randomise(whole), randomise(small)
    member = Member(whole, graph, keep, small, own_norms=True)
    x = rng.normal(size=(7, *whole.input_shape[1:]))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(member(x) ** 2)
    variables = [v.value for v in whole.trainable_variables]
    found = tape.gradient(loss, variables, unconnected_gradients="zero")
    found = dict(zip(weights.trainable_keys(whole), found, strict=True))
    plain = member.fill()
    with tf.GradientTape() as tape:
        expected = tf.reduce_sum(plain(x, training=True) ** 2)
    own = tape.gradient(expected, [v.value for v in plain.trainable_variables])
    np.testing.assert_allclose(loss, expected, rtol=1e-10)
    for key, gradient in zip(weights.trainable_keys(plain), own, strict=True):
        if key in member.own:
            continue
        axes = graph.axes.get(key, ())
        part = weights.take(np.array(tf.convert_to_tensor(found[key])), axes, keep)
        np.testing.assert_allclose(part, gradient, rtol=1e-7, atol=1e-9)
        assert np.abs(tf.convert_to_tensor(found[key])).sum() == pytest.approx(
            np.abs(part).sum()
        )


@pytest.mark.parametrize("own_norms", [True, False])
def test_the_norms_of_a_member_are_its_own_or_their_statistics_alone(
    own_norms, handmade, rng
):
    whole, graph, keep, small = halved(handmade["residual"])
    member = Member(whole, graph, keep, small, own_norms=own_norms)
    names = {"gamma", "beta", "moving_mean", "moving_variance"}
    affine = {"gamma", "beta"} if not own_norms else set()
    assert {name for _, name in member.own} == names - affine
    before = weights.values(whole)
    member(rng.normal(size=(7, *whole.input_shape[1:])).astype("float32"))
    for key, value in weights.values(whole).items():
        np.testing.assert_array_equal(value, before[key])
    moved = [np.abs(v).sum() for (_, n), v in member.own.items() if n == "moving_mean"]
    assert moved and all(value > 0 for value in moved)


def test_a_kernel_that_every_step_assigns_is_refused():
    image = keras.Input((4, 4, 3))
    x = keras.layers.SpectralNormalization(keras.layers.Conv2D(5, 1), name="sn")(image)
    model = keras.Model(image, keras.layers.Flatten()(x))
    graph = channel_graph(model)
    keep = np.ones(len(graph.owner), bool)
    with pytest.raises(InputError, match="'sn' sets its kernel"):
        Member(model, graph, keep, model, own_norms=False)
