"""How rules are found, what they may say, and rules of one's own."""

import keras
import numpy as np
import pytest
from graphs import around, found

from ns_tf.base import InputError
from ns_tf.graph import weights
from ns_tf.graph.gates import Gates
from ns_tf.graph.rules import (
    CHANNELWISE,
    MAKE,
    THROUGH,
    UNKNOWN,
    Effect,
    Kernel,
    effects,
    mapped,
    rule,
)
from ns_tf.graph.thin import rebuild
from ns_tf.graph.walk import channel_graph
from ns_tf.graph.weights import take

layers, ops = keras.layers, keras.ops


def test_a_class_of_ones_own_is_not_taken_for_the_one_of_keras_of_its_name():
    @keras.saving.register_keras_serializable("ns_tf_tests")
    class ReLU(layers.Layer):
        def call(self, x):
            return x - ops.mean(x, axis=-1, keepdims=True)

    assert found(ReLU(name="odd"))[1] == "ReLU 'odd' cannot be followed"


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.MaxPooling2D(data_format="channels_first", name="odd"),
        lambda: layers.Flatten(data_format="channels_first", name="odd"),
    ],
)
def test_channels_first_is_not_followed(layer):
    kind, reason, _ = found(layer())
    assert kind == UNKNOWN and "'odd'" in reason


class Doubled(layers.Layer):
    """Nobody's layer."""

    def call(self, x):
        return 2 * x


@keras.saving.register_keras_serializable("ns_tf_tests")
class Scale(layers.Layer):
    """Multiplies every channel by a weight of its own."""

    def build(self, shape):
        self.scale = self.add_weight(
            shape=shape[-1:], initializer="random_normal", name="scale"
        )

    def call(self, x):
        return x * self.scale


@pytest.fixture
def own_rules(monkeypatch):
    """Rules that a test registers are gone when it ends."""
    monkeypatch.setattr(effects, "_RULES", dict(effects._RULES))


def scale(walk, layer, inputs, shapes):
    return Effect(THROUGH, output=inputs[0], axes={"scale": (inputs[0],)})


def test_a_layer_of_ones_own_is_followed_by_a_rule_of_ones_own(own_rules):
    assert found(Scale(name="mine"))[:2] == (
        UNKNOWN,
        "Scale 'mine' cannot be followed",
    )
    assert rule("Scale")(scale) is scale
    kind, reason, graph = found(Scale(name="mine"))
    assert (kind, reason) == (THROUGH, None)
    np.testing.assert_array_equal(graph.axes["mine", "scale"][0], np.arange(11))


def test_a_network_with_a_rule_of_ones_own_is_thinned_exactly(own_rules, rng):
    rule("Scale")(scale)
    model = around(Scale(name="mine"))
    graph = channel_graph(model)
    keep = np.ones(len(graph.owner), bool)
    keep[graph.groups[0].channels[[1, 4, 8]]] = False
    thin, extra = rebuild(model, graph, keep, Gates((), {}))
    assert extra == {} and thin.get_layer("mine").scale.shape == (8,)
    arrays = weights.values(model)
    weights.assign(
        thin, {key: take(a, graph.axes[key], keep) for key, a in arrays.items()}
    )
    for name in ("kernel", "bias"):
        variable = getattr(model.get_layer("a"), name)
        variable.assign(np.array(variable) * keep[graph.axes["a", name][-1]])
    images = rng.normal(size=(3, 6, 7, 3)).astype("float32")
    np.testing.assert_allclose(thin(images), model(images), atol=1e-5)


def test_a_rule_may_make_channels_tie_them_and_freeze_them(own_rules):
    @rule("Doubled")
    def follow(walk, layer, inputs, shapes):
        assert shapes == [(None, 6, 7, 11)]
        output = walk.make(layer.name, 11)
        walk.tie(output[:5], inputs[0][:5])
        walk.freeze(output[10:], "because")
        return Effect(MAKE, output)

    graph = channel_graph(around(Doubled(name="mine")))
    sizes = {group.makers: (group.size, group.frozen) for group in graph.groups}
    assert sizes["a", "mine"] == (5, None)
    assert sizes["a",] == (6, None)
    assert sizes["mine",] == (6, "because")


def test_a_rule_may_decline(own_rules):
    rule("Doubled")(lambda walk, layer, inputs, shapes: None)
    assert found(Doubled(name="odd"))[1] == "Doubled 'odd' cannot be followed"


def test_a_later_rule_replaces_an_earlier_one(own_rules):
    rule("Doubled")(lambda walk, layer, inputs, shapes: Effect(THROUGH, inputs[0]))
    rule("Doubled")(lambda walk, layer, inputs, shapes: Effect(CHANNELWISE, inputs[0]))
    assert found(Doubled(name="mine"))[0] == CHANNELWISE


def test_a_rule_that_miscounts_channels_is_refused(own_rules):
    rule("Doubled")(lambda walk, layer, inputs, shapes: Effect(THROUGH, inputs[0][:7]))
    with pytest.raises(InputError, match="rule of Doubled says that 'mine' puts out 7"):
        found(Doubled(name="mine"))


def test_a_rule_needs_a_name():
    with pytest.raises(TypeError, match="Expected class names"):
        rule(scale)
    with pytest.raises(TypeError, match="Expected class names"):
        rule()


def test_an_effect_has_no_axes_unless_they_are_named():
    effect = Effect(THROUGH, np.arange(3))
    assert effect.axes == {} and effect.crossing == ()


def test_a_kernel_of_that_name_is_the_one_that_makes():
    assert Effect(MAKE, np.arange(3), {"kernel": (None,)}).kernel == Kernel("kernel")
    assert Effect(MAKE, np.arange(3), {"other": (None,)}).kernel is None
    assert Effect(THROUGH, np.arange(3), {"kernel": (None,)}).kernel is None


def test_a_setting_is_mapped_wherever_its_channels_stand():
    setting = {"a": np.arange(3), "b": (None, [np.arange(5), 7]), "c": "same"}
    assert mapped(len, setting) == {"a": 3, "b": (None, [5, 7]), "c": "same"}


def test_a_group_of_which_a_part_is_read_alone_stays(own_rules):
    """How long the part is would depend on which channels go."""

    @rule("Doubled")
    def follow(walk, layer, inputs, shapes):
        return Effect(THROUGH, inputs[0], axes={"odd": (inputs[0][:4],)})

    assert found(Doubled(name="mine"))[1] == "a layer reads a part of it alone"
