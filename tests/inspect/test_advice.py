"""Every reason to stay has advice, or needs none."""

import keras
import pytest

from ns_tf.graph.walk import channel_graph
from ns_tf.inspect.advice import advice_for

layers = keras.layers


def reasons(*steps):
    """The reasons in a chain of layers behind a convolution."""
    x = image = keras.Input((4, 4, 3))
    x = layers.Conv2D(6, 3, padding="same", name="conv")(x)
    for step in steps:
        x = step(x)
    model = keras.Model(image, layers.Dense(2, name="end")(layers.Flatten()(x)))
    found = {group.name: group.frozen for group in channel_graph(model).groups}
    return found["conv"]


@pytest.mark.parametrize(
    "step, told",
    [
        (layers.Activation("softmax", name="act"), "within channels"),
        (layers.Activation(lambda x: x, name="act"), "a name that Keras knows"),
        (layers.Lambda(lambda x: x), "by keras.ops"),
        (layers.Conv2D(6, 1, trainable=False), "trainable=True"),
        (layers.Permute((3, 1, 2)), "channels on the last axis"),
        (
            layers.TimeDistributed(keras.Sequential([layers.Dense(3)])),
            "each in one of its own",
        ),
        (lambda x: keras.ops.dot_product_attention(x, x, x), "a scale"),
    ],
    ids="mixes unknown lambda frozen permuted steps unscaled".split(),
)
def test_the_advice_fits_what_keeps_a_layer(step, told):
    reason = reasons(step)
    if reason is None:
        pytest.skip("free by now")
    assert told in advice_for(reason)


def test_the_output_needs_no_advice_and_what_is_new_needs_a_rule():
    assert advice_for("it is the model's output") is None
    assert "ns_tf.rule" in advice_for("Whatever 'x' cannot be followed")
    assert "ns_tf.rule" in advice_for("a reason that nobody has seen")
