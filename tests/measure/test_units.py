"""Units: every layer is in one, at any widths, and equal shapes are told as equal."""

import collections

import keras
import numpy as np
import pytest
from conftest import HANDMADE
from laws import EMPTY, law
from picked import picked

from ns_tf.base import InputError
from ns_tf.measure.units import held, units_of
from ns_tf.networks import architectures
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse, as_it_is

# Of whose parts the other handmade networks are made.
PARTED = "residual", "concat", "depthwise", "excite", "shared", "flatten"


def structure_of(name):
    return as_it_is(from_model(HANDMADE[name]()))


@pytest.mark.parametrize("name", picked(PARTED, HANDMADE))
def test_units_add_up_to_the_network_at_any_widths(name, rng):
    """The law is a sum over layers, so the units' sum says that each is in one."""
    structure = structure_of(name)
    units = units_of(structure)
    for _ in range(2):
        widths = rng.integers(3, 29, len(structure.names))
        models = [
            unit.built(*(int(f.at(widths)) for f in unit.forms)) for unit in units
        ]
        total = EMPTY + sum(law(model) - EMPTY for model in models)
        whole = structure.build(widths.tolist())
        # A layer that is called twice is two units of the same weights.
        counts = collections.Counter(name for unit in units for name in unit.layers)
        for layer, count in counts.items():
            total -= (count - 1) * _of(whole, layer)
        assert total == pytest.approx(law(whole), rel=1e-9)


def _of(model, name):
    operation = next(one for one in model.operations if one.name == name)
    if not isinstance(operation, keras.layers.Layer):
        return 0
    kernels = sum(int(np.prod(w.shape)) for w in operation.weights if w.ndim > 1)
    return 1e-4 * kernels + 1e-5 * int(
        np.prod(operation._inbound_nodes[0].output_tensors[0].shape[1:])
    )


def test_norms_and_activations_run_with_their_convolution():
    units = units_of(structure_of("chain"))
    assert [unit.layers for unit in units] == [
        ("a", "a_bn", "a_relu"),
        ("b", "b_bn", "b_relu"),
        ("average",),
        ("logits",),
    ]
    assert units[0].about == "a: Conv2D+BatchNormalization+ReLU, 6x7"
    assert units[0].forms[0].constant == 3 and units[3].forms[1].constant == 5


def test_what_two_layers_read_ends_a_unit():
    layers = [unit.layers for unit in units_of(structure_of("residual"))]
    assert ("a", "a_bn", "a_relu") in layers and ("add", "relu") in layers


def test_layer_shapes_do_not_depend_on_widths():
    structure = as_it_is(from_model(_convolutions((5, 7, 11), strides=1)))
    first, *others, _, _ = units_of(structure)
    assert len({unit.key for unit in others}) == 1 and first.key != others[0].key
    strided = units_of(as_it_is(from_model(_convolutions((5, 7, 11), strides=2))))
    assert strided[1].key not in {unit.key for unit in others}


def _convolutions(widths, strides):
    x = image = keras.Input((8, 8, 3))
    for place, width in enumerate(widths):
        x = keras.layers.Conv2D(
            width, 3, strides if place else 1, padding="same", name=f"conv{place}"
        )(x)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, keras.layers.Dense(2, name="logits")(x))


def test_a_projection_exists_where_its_widths_differ():
    structure = analyse(architectures.get("preact_resnet18"), (8, 8, 3), 5)
    units = {unit.layers[0]: unit for unit in units_of(structure)}
    assert units["stage1_block1_shortcut"].differ == (0, 2)
    assert units["stage1_block1_conv1"].differ == (-1, -1)


def classified(tokens, x):
    """The model of tokens whose features are x."""
    x = keras.layers.GlobalAveragePooling1D(name="average")(x)
    return keras.Model(tokens, keras.layers.Dense(2, name="logits")(x))


def test_widths_within_a_layer_stay_where_it_is_timed():
    tokens = keras.Input((6, 8))
    x = keras.layers.Dense(11, name="up")(tokens)
    x = keras.layers.Add(name="sum")(
        [x, keras.layers.MultiHeadAttention(4, 2, name="attention")(x, x)]
    )
    model = classified(tokens, x)
    structure = as_it_is(from_model(model))
    units = {unit.layers[0]: unit for unit in units_of(structure)}
    names = {
        structure.names[w]: n for w, n in held([*units.values()], structure).items()
    }
    of = {"heads": 4, "key_dim": 2, "value_dim": 2}
    assert names == {f"attention/{name}": size for name, size in of.items()}
    small = units["attention"].built(5, 1)
    assert small.output.shape[-1] == 5 and small.layers[-1].num_heads == 4
    # Keras adds one channel of one example as a bias, which converters refuse.
    assert units["sum"].built(1, 1).output.shape[-1] == 2


def test_what_a_decoder_attends_to_counts_with_its_own_stream():
    tokens = keras.Input((6, 8))
    memory = keras.layers.Dense(13, name="memory")(tokens)
    x = keras.layers.Dense(11, name="own")(tokens)
    x = keras.layers.MultiHeadAttention(4, 2, name="attention")(x, memory)
    model = classified(tokens, x)
    structure = as_it_is(from_model(model))
    units = {unit.layers[0]: unit for unit in units_of(structure)}
    names = {name: width for width, name in enumerate(structure.names)}
    reads = dict(units["attention"].forms[0].times)
    assert set(reads) == {names["own"], names["memory"]} and set(reads.values()) == {1}
    own, other = units["attention"].built(12, 1).inputs
    assert (own.shape[-1], other.shape[-1]) == (6, 6)
    assert not {names["own"], names["memory"]} & set(held([*units.values()], structure))


def test_a_builder_times_heads_as_its_network_has_them():
    """Its graph is that of widths that are drawn to tell channels apart."""
    tokens = keras.Input((6, 8))
    x = keras.layers.Dense(8, name="up")(tokens)
    x = keras.layers.Dense(12, name="kept")(x)
    x = keras.layers.MultiHeadAttention(4, 2, name="attention")(x, x)
    model = classified(tokens, x)
    structure = analyse(from_model(model, keep=("kept",)), (6, 8), 2)
    assert structure.reference.groups[structure.primary[0]].size != 8
    units = {unit.layers[0]: unit for unit in units_of(structure)}
    assert set(held([*units.values()], structure).values()) == {4, 2}
    assert units["attention"].built(12, 1).layers[-1].num_heads == 4


def test_a_network_whose_tables_would_tell_nothing_is_refused():
    tokens = keras.Input((6, 8))
    x = keras.layers.MultiHeadAttention(4, 2, name="attention")(tokens, tokens)
    x = keras.layers.Add(name="sum")([tokens, x])
    model = classified(tokens, x)
    with pytest.raises(InputError, match="tables tell nothing. Plan latency_ms"):
        units_of(as_it_is(from_model(model)))


def test_windows_are_no_examples_of_a_table():
    image = keras.Input((4, 6, 3), name="image")
    x = keras.layers.Dense(5, name="a")(image)
    x = keras.layers.Dense(7, name="b")(keras.ops.reshape(x, (-1, 2, 3, 5)))
    x = keras.layers.Flatten()(keras.ops.reshape(x, (-1, 4, 6, 7)))
    model = keras.Model(image, keras.layers.Dense(2, name="logits")(x))
    with pytest.raises(InputError, match="4 parts of an example"):
        units_of(as_it_is(from_model(model)))
