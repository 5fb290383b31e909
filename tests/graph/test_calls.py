"""The calls of a model, from its configuration; which models have a graph."""

import keras
import numpy as np
import pytest
from graphs import groups, residual_twice, two_branches

from ns_tf.base import InputError
from ns_tf.graph.calls import functional, has_graph, nodes, ordered, tensors_in
from ns_tf.graph.rules import INPUT
from ns_tf.graph.walk import channel_graph
from ns_tf.networks import architectures
from ns_tf.networks.structure import shapes_only

layers = keras.layers


def test_a_sequential_model_is_traced_as_the_functional_one(handmade):
    names = [layer.name for layer in handmade["flatten"]().layers][1:]
    functional = handmade["flatten"]()
    sequential = keras.Sequential(
        [functional.input, *(functional.get_layer(name) for name in names)]
    )
    one, other = channel_graph(functional), channel_graph(sequential)
    assert groups(one) == groups(other) != {}
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


@pytest.mark.parametrize("name", ["vgg11", "preact_resnet18", "mobilenet_v2"])
def test_the_graph_of_an_architecture_has_the_calls_that_keras_makes(name):
    found = architectures.get(name)
    widths = range(3, 3 + len(found.widths))
    model = shapes_only(found.build, widths, input_shape=(32, 32, 3), classes=5)
    with keras.StatelessScope(initialize_variables=False):
        assert sorted(read(model)) == sorted(recorded(model))
