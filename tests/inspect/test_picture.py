"""The picture has a box a call, in the colours of its widths."""

import xml.etree.ElementTree as ElementTree

import keras
import pytest

import ns_tf
from ns_tf.inspect.picture import STAYS, colour

TAG = "{http://www.w3.org/2000/svg}"


def boxes(text):
    """By first line of the tooltip: the colours of the box."""
    found = {}
    for group in ElementTree.fromstring(text).iter(f"{TAG}g"):
        title = group.find(f"{TAG}title").text.splitlines()[0]
        fills = [rect.get("fill") for rect in group.iter(f"{TAG}rect")]
        found[title.partition(":")[0]] = fills[:-1]  # The last is the frame.
    return found


@pytest.mark.parametrize("name", ["chain", "concat", "dense_block", "flatten"])
def test_every_call_is_a_box_and_text_is_escaped(handmade, name):
    model = handmade[name]()
    found = boxes(ns_tf.explain(model).svg())
    assert set(found) == {operation.name for operation in model.operations}


def test_colours_are_widths_and_grey_stays(handmade):
    found = boxes(ns_tf.explain(handmade["concat"]()).svg())
    a, b = found["a"], found["b"]
    assert a != b and found["concat"] == found["relu"] == [*a, *b]
    assert found["logits"] == [STAYS]


def test_a_layer_that_is_called_twice_has_two_boxes():
    image = keras.Input((3,), name="<image>")
    shared = keras.layers.Dense(5, name="shared")
    halves = [shared(image), shared(keras.layers.ReLU(name="relu")(image))]
    x = keras.layers.Concatenate(name="both")(halves)
    model = keras.Model(image, keras.layers.Dense(2, name="logits")(x), name="a&b")
    text = ns_tf.explain(model).svg()
    assert text.count("<title>shared: Dense, 5") == 2 and "a&amp;b" in text


def test_colours_of_many_widths_differ():
    assert len({colour(number) for number in range(200)}) == 200
