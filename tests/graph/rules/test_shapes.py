"""Layers and operations that move channels: where each channel is afterwards."""

import keras
import numpy as np
import pytest

from ns_tf.graph.channels import NONE
from ns_tf.graph.rules import JOIN, STATISTICS
from ns_tf.graph.walk import channel_graph

layers, ops = keras.layers, keras.ops
SIZE = 12


def followed(function) -> tuple[np.ndarray, np.ndarray] | None:
    """Channel numbers of [4, 6, 12], and those of what it makes of it.

    None if it cannot be followed.
    """
    image = keras.Input((4, 6, 3), name="image")
    x = function(layers.Conv2D(SIZE, 1, name="a")(image))
    model = keras.Model(image, x)
    graph = channel_graph(model, free=True)
    if graph.groups[0].frozen:
        assert (graph.channels[graph.outputs[0]] == NONE).all()
        return None
    return graph.channels["a", 0, 0], graph.channels[graph.outputs[0]]


MOVED = {
    "flatten": layers.Flatten(),
    "reshaped pixels": layers.Reshape((3, 8, SIZE)),
    "rows": layers.Reshape((4, 6 * SIZE)),
    "pairs of pixels": layers.Reshape((4, 3, 2 * SIZE)),
    "threes, any number": lambda x: ops.reshape(x, (-1, 8, 3 * SIZE)),
    "rows, any number": lambda x: ops.reshape(x, (-1, 4, 6 * SIZE)),
    "cut": layers.Reshape((4, 6, 3, 4)),
    "cut, sizes left open": layers.Reshape((4, 6, 3, -1)),
    "pixels turned": layers.Permute((2, 1, 3)),
    "pixels turned by operation": lambda x: ops.transpose(x, (0, 2, 1, 3)),
    "shuffled": lambda x: layers.Reshape((4, 6, SIZE))(
        layers.Permute((1, 2, 4, 3))(layers.Reshape((4, 6, 3, 4))(x))
    ),
    "there and back": lambda x: ops.transpose(
        ops.transpose(x, (0, 1, 3, 2)), (0, 1, 3, 2)
    ),
    "channels first": layers.Permute((3, 1, 2)),
    "channels first and flat": lambda x: layers.Flatten()(layers.Permute((3, 2, 1))(x)),
    "channels first and last": lambda x: ops.transpose(
        ops.transpose(x, (0, 3, 1, 2)), (0, 2, 3, 1)
    ),
    "mean": lambda x: ops.mean(x, axis=(1, 2)),
    "maximum of a row": lambda x: ops.max(x, axis=-2, keepdims=True),
    "expanded": lambda x: ops.squeeze(ops.expand_dims(x, 1), 1),
    "padded": lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0))),
    "some pixels": lambda x: x[:, 1:3, ::2],
    "a pixel": lambda x: x[:, 0, 0],
    "a row of its own": lambda x: x[:, None, ..., :],
    "some channels": lambda x: x[..., 2:-3],
    "pixels and channels": lambda x: x[:, 1:, 2, :5],
    "every third channel": lambda x: x[..., 1::3],
    "channels backwards": lambda x: x[..., ::-1],
    "into the batch": lambda x: ops.reshape(x, (-1, 6, SIZE)),
    "out of the batch": lambda x: ops.reshape(
        ops.reshape(x, (-1, 6, SIZE)), (-1, 4, 2, 3, SIZE)
    ),
    "axes swapped": lambda x: ops.swapaxes(ops.swapaxes(x, 1, 3), -1, 1),
    "axes from behind": lambda x: ops.transpose(x, (0, -2, 1, -1)),
    "an axis moved": lambda x: ops.moveaxis(x, -1, 1),
    "a column": lambda x: ops.take(x, -1, axis=2),
    "some columns": lambda x: ops.take(x, np.array([3, 1]), axis=2),
    "pixels twice": lambda x: ops.tile(x, (1, 2, 1, 1)),
    "largest of two": lambda x: ops.max(ops.stack([x, x], axis=-1), axis=-1),
    "stacked": lambda x: ops.stack([x, x], axis=1),
    "unstacked": lambda x: ops.unstack(x, axis=1)[2],
    "a window": lambda x: ops.slice(x, (0, 1, 0, 2), (-1, 2, 6, 5)),
    "a window to the end": lambda x: ops.slice(x, (0, 1, 0, 2), (-1, -1, 6, -1)),
}
KEPT = {
    "mixed": layers.Reshape((6, SIZE, 4)),
    "rows into the batch": lambda x: ops.reshape(x, (-1, 2 * SIZE)),
    "largest of channels and pixels": lambda x: ops.max(x, axis=(-1, -2)),
    "largest of cut channels": lambda x: ops.max(ops.transpose(x, (0, 3, 1, 2)), 1),
    "taken channels": lambda x: ops.take(x, np.array([1, 3]), axis=-1),
    "channels twice": lambda x: ops.tile(x, (1, 1, 1, 2)),
    "examples twice": lambda x: ops.tile(x, (2, 1, 1, 1)),
    "examples three times behind a new axis": lambda x: ops.tile(x, (1, 3, 1, 1, 1)),
    "by the norm of all": lambda x: ops.normalize(x, axis=None),
    "sums of channels": lambda x: ops.cumsum(x, axis=-1),
    "mean of all": lambda x: ops.mean(x, axis=(0, 1)),
    "channels in uneven steps": lambda x: x[..., ::5],
    "some channels backwards": lambda x: x[..., 7:2:-1],
    "a channel": lambda x: x[:, :, :, 0],
    "an axis behind": lambda x: x[..., None],
}


@pytest.mark.parametrize("name", MOVED)
def test_every_channel_is_where_its_number_says(name, rng):
    """Values that are the same for all tied channels tell them apart."""
    channels, found = followed(MOVED[name])
    x = np.broadcast_to(channels + 1.0, (2, 4, 6, SIZE)).astype("float32")
    y = np.array(MOVED[name](x))
    found = np.broadcast_to(found, y.shape)
    real = np.where(y == 0, found + 1.0, y)  # Pixels around are zeros.
    np.testing.assert_array_equal(real, found + 1.0)


@pytest.mark.parametrize("name", KEPT)
def test_channels_that_are_mixed_or_lost_stay(name):
    assert followed(KEPT[name]) is None


def test_channels_that_become_one_are_no_width():
    """As those of an attention over channels by a convolution (ECA)."""
    image = keras.Input((4, 6, 3))
    x = layers.Conv2D(8, 3, name="a")(image)
    y = layers.Reshape((8, 1), name="turned")(layers.GlobalAveragePooling2D()(x))
    y = layers.Conv1D(1, 3, padding="same", name="b")(y)
    x = layers.Multiply()([x, layers.Reshape((1, 1, 8))(y)])
    x = layers.Conv2D(5, 1, name="c")(x)
    graph = channel_graph(keras.Model(image, x), free=True)
    reasons = {group.name: group.frozen for group in graph.groups}
    assert reasons == {"a": "'turned' makes one channel of all", "c": None}


@pytest.mark.parametrize("last", [slice(4), slice(None)])
def test_dots_that_stand_for_no_axis_do_not_matter(last):
    vector = keras.Input((3,))
    x = layers.Dense(8, name="a")(vector)[:, last, ...]
    graph = channel_graph(keras.Model(vector, layers.Dense(2, name="b")(x)))
    assert [g.frozen for g in graph.groups[:-1]] == [None] * (1 + bool(last.stop))
    assert len(graph.axes["b", "kernel"][0]) == (last.stop or 8)


def test_an_end_follows_channels_as_often_as_they_stand_before_it():
    """A slice of a concatenation, as GhostNet makes it."""
    image = keras.Input((4, 6, 3), name="image")
    x = layers.Conv2D(5, 1, name="a")(image)
    x = layers.Concatenate()([x, layers.ReLU()(x)])[..., 1:8]
    graph = channel_graph(keras.Model(image, x), free=True)
    groups = {group.name: group.channels.tolist() for group in graph.groups}
    assert groups == {"a/1": [0], "a/2": [1, 2], "a/3": [3, 4]}
    ((key,),) = (change.values() for change in graph.arguments.values())
    assert (key[-1].start.tolist(), key[-1].stop.tolist()) == (
        [0],
        [0, 1, 2, 3, 4, 0, 1, 2],
    )
    assert graph.channels[graph.outputs[0]].tolist() == [1, 2, 3, 4, 0, 1, 2]


def test_channels_along_two_axes_are_for_few():
    """A convolution of what a transposition left would mix them."""

    def function(x):
        x = ops.transpose(x, (0, 1, 3, 2))
        return layers.Conv2D(5, 1)(x)

    image = keras.Input((4, 6, 3), name="image")
    x = function(layers.Conv2D(SIZE, 1, name="a")(image))
    graph = channel_graph(keras.Model(image, layers.GlobalMaxPooling2D()(x)))
    assert graph.groups[0].frozen.startswith("Conv2D ")


def test_pixel_shuffle_by_one_operation():
    if not hasattr(ops, "depth_to_space"):
        pytest.skip("this version of Keras has none")
    _, found = followed(lambda x: ops.depth_to_space(x, 2))
    np.testing.assert_array_equal(found, np.arange(3))
    _, again = followed(lambda x: ops.space_to_depth(x, 2))
    np.testing.assert_array_equal(again, np.tile(np.arange(SIZE), 4))


@pytest.mark.parametrize("function", [ops.var, ops.std, ops.prod, ops.logsumexp])
def test_other_reductions_are_over_pixels(function):
    channels, found = followed(lambda x: function(x, axis=(1, 2)))
    np.testing.assert_array_equal(channels, found)
    assert followed(lambda x: function(x, axis=(1, 3))) is None


def test_rows_of_an_example_are_counted():
    image = keras.Input((4, 6, 3), name="image")
    x = layers.Conv2D(SIZE, 1, name="a")(image)
    x = windows = ops.reshape(x, (-1, 2, 3, SIZE))
    x = layers.Dense(SIZE, name="b")(x)
    graph = channel_graph(keras.Model(image, ops.reshape(x, (-1, 4, 6, SIZE))))
    taken = windows._keras_history.operation.name
    assert graph.rows == {(taken, 0, 0): 4, ("b", 0, 0): 4}


@pytest.mark.parametrize("axis", [-1, (1, 2)])
def test_a_limit_of_the_largest_is_one_more_value(axis):
    assert followed(lambda x: ops.max(x, axis=axis, initial=0.5)) is None
    assert followed(lambda x: ops.min(x, axis=axis, initial=-0.5)) is None


@pytest.mark.parametrize(
    "function, kind",
    [(ops.sum, JOIN), (ops.mean, STATISTICS), (ops.max, STATISTICS)],
)
@pytest.mark.parametrize("keepdims", [True, False])
def test_sums_and_means_over_channels_have_none(function, kind, keepdims):
    image = keras.Input((4, 6, 3), name="image")
    x = layers.Conv2D(SIZE, 1, name="a")(image)
    y = function(x, axis=-1, keepdims=keepdims)
    graph = channel_graph(keras.Model(image, layers.Flatten()(y)))
    (call,) = (c for c in graph.calls if c.kind == kind)
    assert graph.groups[0].frozen is None
    assert (graph.channels[call.output] == NONE).all()
    assert call.reads == ((0,) if kind == JOIN else ())
    assert call.gates is None if kind == JOIN else len(call.gates) == SIZE


def shortcut(before: int, after: int, x=None, mode="constant", **options):
    """The graph of a[6] padded by zero channels and added to b; c reads the sum."""
    image = keras.Input((4, 4, 3), name="image")
    x = layers.Conv2D(6, 1, name="a")(image)
    width = ((0, 0), (0, 0), (0, 0), (before, after))
    padded = ops.pad(x, width, mode, **options)
    y = layers.Conv2D(6 + before + after, 1, name="b")(x)
    y = layers.Conv2D(5, 1, name="c")(layers.Add()([padded, y]))
    return channel_graph(keras.Model(image, layers.Flatten()(y)))


def test_zero_channels_beside_are_a_part_of_what_they_are_added_to():
    graph = shortcut(2, 3)
    found = {g.name: (g.makers[0], g.size, g.frozen) for g in graph.groups[:3]}
    assert found == {
        "a": ("a", 6, None),
        "b/1": ("b/1", 2, None),
        "b/2": ("b/2", 3, None),
    }
    (settings,) = (one for name, one in graph.settings.items() if "pad" in name)
    first, last = settings["pad_width"][-1]
    np.testing.assert_array_equal(first, graph.groups[1].channels)
    np.testing.assert_array_equal(last, graph.groups[2].channels)


def test_zeros_that_nothing_adds_to_stay_and_others_are_not_followed():
    assert shortcut(0, 6).groups[0].frozen is None
    assert "cannot be followed" in shortcut(2, 3, constant_values=1).groups[0].frozen
    image = keras.Input((4, 3), name="image")
    x = ops.pad(layers.Dense(6, name="a")(image), ((0, 0), (0, 0), (0, 2)))
    x = layers.Flatten()(layers.Dense(5, name="b")(x))
    a, zeros, b = channel_graph(keras.Model(image, layers.Dense(2)(x))).groups[:3]
    assert (a.frozen, b.frozen, zeros.size) == (None, None, 2)
    assert "makes it of zeros" in zeros.frozen
