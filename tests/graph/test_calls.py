"""The calls of a model, from its configuration; which models have a graph."""

import functools

import keras
import numpy as np
import pytest
from graphs import groups, residual_twice, two_branches
from subclasses import Backbone, Doubled, DoubledStack, Stack

from ns_tf.base import InputError
from ns_tf.graph.calls import (
    Place,
    arguments,
    functional,
    graph_config,
    has_graph,
    nodes,
    ordered,
    tensors_in,
    uncompiled,
)
from ns_tf.graph.rules import INPUT
from ns_tf.graph.walk import channel_graph
from ns_tf.networks import architectures
from ns_tf.networks.structure import shapes_only

layers = keras.layers


def test_a_sequential_model_is_traced_as_the_functional_one(handmade):
    model = handmade["flatten"]()
    sequential = keras.Sequential([model.input, *model.layers[1:]])
    one, other = channel_graph(model), channel_graph(sequential)
    assert groups(one) == groups(other) != {}
    ends = functional(sequential).input, functional(sequential).output
    assert all(isinstance(end, keras.KerasTensor) for end in ends)
    assert one.axes.keys() == other.axes.keys()
    np.testing.assert_array_equal(
        one.axes["hidden", "kernel"][0], other.axes["hidden", "kernel"][0]
    )


def test_a_subclassed_model_is_refused_with_the_remedy():
    class Net(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(InputError, match=r"is a Net without a graph.*keras.Model\(inp"):
        channel_graph(Net())


def test_a_sequential_model_that_is_not_built_is_refused():
    with pytest.raises(InputError):
        channel_graph(keras.Sequential([layers.Conv2D(5, 1)]))


def test_settings_that_cannot_be_written_down_are_refused_in_one_line():
    image = keras.Input((6,), name="image")
    activation = functools.partial(keras.activations.relu, max_value=6)
    x = layers.Dense(5, activation=activation)(image)
    with pytest.raises(InputError, match="settings of 'odd' cannot") as error:
        channel_graph(keras.Model(image, x, name="odd"))
    assert "partial" in str(error.value) and "\n" not in str(error.value)


def recorded(model) -> list[tuple[str, list[str]]]:
    """(layer, makers of its inputs) of every call by which Keras clones the model."""
    calls, maker = [], {}

    def call(layer, *args, **kwargs):
        given = keras.tree.flatten((args, kwargs))
        tensors = [x for x in given if isinstance(x, keras.KerasTensor)]
        number = sum(name == layer.name for name, _ in calls)
        calls.append((layer.name, [maker.get(id(x), "image") for x in tensors]))
        output = layer(*args, **kwargs)
        maker[id(output)] = f"{layer.name}/{number}"
        kept.append(output)
        return output

    kept = []  # Ids are those of living tensors.
    keras.models.clone_model(model, call_function=call)
    return calls


def read(model) -> list[tuple[str, list[str]]]:
    """The same from the channel graph."""
    calls, maker = [], {}
    for call in channel_graph(model).calls:
        if call.kind == INPUT:
            maker[call.output] = "image"
            continue
        number = sum(name == call.name for name, _ in calls)
        # In an order in which they can be computed: the inputs are there.
        calls.append((call.name, [maker[tensor] for tensor in call.inputs]))
        maker[call.output] = f"{call.name}/{number}"
    return calls


def test_the_graph_has_the_calls_that_keras_makes(handmade):
    for build in [*handmade.values(), two_branches, residual_twice]:
        model = build()
        assert sorted(read(model)) == sorted(recorded(model)) != []


@pytest.mark.parametrize(
    "name",
    ["vgg11", "preact_resnet18", pytest.param("mobilenet_v2", marks=pytest.mark.slow)],
)
def test_the_graph_of_an_architecture_has_the_calls_that_keras_makes(name):
    found = architectures.get(name)
    widths = range(3, 3 + len(found.widths))
    model = shapes_only(found.build, widths, input_shape=(32, 32, 3), classes=5)
    with keras.StatelessScope(initialize_variables=False):
        assert sorted(read(model)) == sorted(recorded(model))


# Names of tensors, order of calls.


def test_the_calls_of_a_chain_are_read_with_tensors_and_shapes(handmade):
    calls = list(nodes(graph_config(handmade["chain"]())))
    by_name = {name: (inputs, outputs) for name, inputs, outputs in calls}
    assert by_name["image"] == ([], (("image", 0, 0),))
    inputs, outputs = by_name["b"]
    assert inputs == [(("a_relu", 0, 0), (None, 6, 7, 13))]
    assert outputs == (("b", 0, 0),)


def test_calls_of_a_shared_layer_are_numbered(handmade):
    calls = list(nodes(graph_config(handmade["shared"]())))
    outputs = [outputs for name, _, outputs in calls if name == "twice"]
    assert outputs == [(("twice", 0, 0),), (("twice", 1, 0),)]


def test_of_several_outputs_the_first_and_those_that_are_read_are_named():
    image = keras.Input((6, 7, 3), name="image")
    parts = keras.ops.split(image, 3, axis=-1)
    split = parts[0]._keras_history.operation.name
    calls = list(nodes(graph_config(keras.Model(image, parts[2]))))
    (outputs,) = (outputs for name, _, outputs in calls if name == split)
    assert outputs == ((split, 0, 0), (split, 0, 2))


@pytest.mark.parametrize("seed", range(5))
def test_ordered_puts_every_call_behind_its_inputs(handmade, seed):
    calls = list(nodes(graph_config(handmade["residual"]())))
    np.random.default_rng(seed).shuffle(calls)
    done = set()
    for _, inputs, outputs in ordered(calls):
        assert {tensor for tensor, _ in inputs} <= done
        done |= set(outputs)
    assert len(ordered(calls)) == len(calls)


def test_a_loop_is_refused_with_a_call_in_it():
    x, y = ("x", 0, 0), ("y", 0, 0)
    with pytest.raises(InputError, match="graph has a loop at 'x'"):
        ordered([("x", [(y, ())], (x,)), ("y", [(x, ())], (y,))])


def test_tensors_are_found_in_any_nest_of_outputs():
    one, other = ["a", 0, 1], ["b", 2, 0]
    expected = [("a", 0, 1), ("b", 2, 0)]
    assert tensors_in([one, other]) == expected
    assert tensors_in({"x": one, "y": [other]}) == expected
    assert tensors_in({name: one for name in "xyz"}) == expected[:1] * 3
    assert tensors_in(one) == expected[:1]
    assert tensors_in([]) == []


# Models within models, and subclasses of models.


def inner_model() -> keras.Model:
    image = keras.Input((6, 7, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(11, 1)(image))
    return keras.Model(image, layers.Dense(5)(x), name="inner")


@pytest.mark.parametrize("make", [inner_model, Backbone, lambda: Doubled(name="inner")])
@pytest.mark.parametrize("sequential", [False, True])
def test_a_model_may_end_in_a_functional_model(make, sequential):
    """In its outputs alone Keras counts the calls of such a model from 1."""
    inner = make()
    image = keras.Input((6, 7, 3), name="image")
    if sequential:
        model = keras.Sequential([image, layers.Conv2D(3, 1, name="a"), inner])
    else:
        model = keras.Model(image, inner(layers.Conv2D(3, 1, name="a")(image)))
    graph = channel_graph(model)
    assert graph.outputs == ((inner.name, 0, 0),)
    reason = f"{type(inner).__name__} {inner.name!r} cannot be followed"
    assert [(g.name, g.frozen) for g in graph.groups] == [("a", reason)]


def test_of_two_calls_of_a_model_the_one_at_the_end_is_found():
    inner = keras.Input((6, 7, 3))
    inner = keras.Model(inner, layers.Conv2D(3, 1)(inner), name="inner")
    image = keras.Input((6, 7, 3), name="image")
    one = inner(image)
    other = inner(layers.ReLU(name="relu")(one))
    assert channel_graph(keras.Model(image, other)).outputs == (("inner", 1, 0),)
    both = channel_graph(keras.Model(image, [one, other]))
    assert both.outputs == (("inner", 0, 0), ("inner", 1, 0))
    assert channel_graph(keras.Model(image, one)).outputs == (("inner", 0, 0),)


@pytest.mark.parametrize("make", [Backbone, Stack])
def test_a_subclass_is_seen_as_the_model_that_it_is(make, rng):
    model = make(name="mine")
    plain = functional(model)
    assert "layers" in plain.get_config() and "layers" not in model.get_config()
    assert type(plain) is type(inner_model())
    assert plain.name == "mine"
    for one, other in zip(plain.weights, model.weights, strict=True):
        assert one is other
    images = rng.normal(size=(2, 6, 7, 3)).astype("float32")
    one, other = plain.predict_on_batch(images), model.predict_on_batch(images)
    np.testing.assert_array_equal(one, other)
    assert channel_graph(model).groups[0].name == "a"


def test_a_plain_functional_model_stays_itself():
    model = inner_model()
    assert functional(model) is model
    assert functional(functional(Backbone())).name.startswith("backbone")


@pytest.mark.parametrize("make", [Doubled, DoubledStack])
def test_a_subclass_that_overrides_call_is_refused(make):
    model = make(name="mine")
    assert not has_graph(model)
    pattern = f"'mine' is a {make.__name__} that overrides `call`"
    with pytest.raises(InputError, match=pattern):
        channel_graph(model)


def test_models_have_a_graph_and_layers_have_none():
    for model in (inner_model(), Backbone(), Stack()):
        assert has_graph(model)
    assert not has_graph(layers.Dense(3))
    assert not has_graph(keras.ops.add(keras.Input((3,)), 1)._keras_history.operation)


def test_a_model_without_its_optimizer_has_the_same_layers(handmade):
    model = handmade["chain"]()
    assert uncompiled(model) is model
    model.compile("sgd", "mse")
    found = uncompiled(model)
    assert not found.compiled and model.compiled and found.name == model.name
    assert [layer.name for layer in found.layers] == [x.name for x in model.layers]
    assert found.get_layer("a") is model.get_layer("a")


def test_arguments_are_in_the_order_in_which_keras_flattens_them():
    steps = keras.Input((7, 3), name="steps")
    one, other = (
        layers.Dense(4, name="one")(steps),
        layers.Dense(5, name="other")(steps),
    )
    x = layers.MultiHeadAttention(2, 3, name="attend")(one, value=other, key=one)
    x = x[:, 1:, None] * np.float32(0.5)
    config = graph_config(keras.Model(steps, x))
    written = {layer["name"]: layer["inbound_nodes"] for layer in config["layers"]}
    (args, kwargs) = arguments(written["attend"][0])
    assert args == [Place(0)]
    assert (kwargs["key"], kwargs["value"]) == (Place(1), Place(2))
    (call,) = [inputs for name, inputs, _ in nodes(config) if name == "attend"]
    assert [tensor[0] for tensor, _ in call] == ["one", "one", "other"]
    (slices,) = [calls[0] for name, calls in written.items() if "get_item" in name]
    (item, key), _ = arguments(slices)
    assert item == Place(0) and key == [slice(None), slice(1, None), None]


def test_code_among_the_arguments_of_a_call_stays_as_it_is_written():
    rows = keras.Input((5, 3), name="rows")
    first = keras.ops.swapaxes(rows, 0, 1)
    total, _ = keras.ops.scan(lambda c, row: (c + row, c), rows[:, 0], first)
    config = graph_config(functional(keras.Model(rows, total)))
    (call,) = [one for one in config["layers"] if one["class_name"] == "Scan"]
    args, _ = arguments(call["inbound_nodes"][0])
    assert args[0]["class_name"] == "__lambda__" and args[1:3] == [Place(0), Place(1)]
