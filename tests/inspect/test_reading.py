"""What is inspected: models, files, run folders, names; refused models too."""

import dataclasses

import keras
import numpy as np
import pytest
from toys import toy_architecture, toy_search

from ns_tf.base import InputError
from ns_tf.descend.record import write_search
from ns_tf.inspect.reading import read
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse


def two_inputs():
    images = [keras.Input((5, 5, 3), name=name) for name in "ab"]
    x = keras.layers.Concatenate(name="both")(images)
    x = keras.layers.Conv2D(7, 3, name="conv")(x)
    x = keras.layers.Flatten(name="flat")(x)
    return keras.Model(images, keras.layers.Dense(3, name="logits")(x), name="two")


def test_a_model_a_file_and_an_architecture_are_read_alike(handmade, tmp_path):
    model = handmade["chain"]()
    model.save(tmp_path / "mine.keras")
    names = []
    for asked in (
        model,
        from_model(model),
        tmp_path / "mine.keras",
        f"keras:{tmp_path}/mine.keras",
    ):
        reading = read(asked)
        assert reading.refused is None
        names.append(reading.structure.names)
    assert names == [("a", "b")] * 4


@pytest.mark.parametrize("name", ["chain", "concat", "depthwise", "flatten"])
def test_a_model_is_read_as_it_is_analysed(handmade, name):
    """The structure that is read off one graph is that of seven builds."""
    model = handmade[name]()
    read_off = read(model).structure
    built = analyse(from_model(model), read_off.input_shape, read_off.classes)
    widths = np.array([np.arange(3, 3 + len(built.names)), [7] * len(built.names)])
    assert (read_off.names, read_off.layers) == (built.names, built.layers)
    np.testing.assert_array_equal(read_off.params(widths), built.params(widths))


def open_video() -> keras.Model:
    """frames[any, 5, 3] - Dense[7] - Dense[6] at every frame - average - Dense[2]."""
    layers = keras.layers
    inner = [keras.Input((5, 3)), layers.Dense(7, name="a"), layers.Dense(6, name="b")]
    frames = keras.Input((None, 5, 3))
    x = layers.TimeDistributed(keras.Sequential(inner))(frames)
    x = layers.GlobalAveragePooling2D()(layers.Dense(4, name="c")(x))
    return keras.Model(frames, layers.Dense(2, name="logits")(x))


def test_of_known_lengths_graph_and_network_are_of_the_layers_within():
    reading = read(open_video(), (4, 5, 3))
    assert reading.model is reading.structure.architecture.source
    assert reading.structure.names == ("a", "b", "c")
    held = {layer.name for layer in reading.model.layers}
    assert {layer for layer, _ in reading.graph.axes} <= held
    assert read(open_video()).structure.names == ("c",)


def test_a_search_has_an_input_shape_of_its_own(tmp_path):
    record = dataclasses.replace(
        toy_search(0), architecture="vgg11", input_shape=(32, 32, 1)
    )
    write_search(tmp_path, record)
    assert read(tmp_path).structure.input_shape == (32, 32, 1)
    with pytest.raises(InputError, match="leave --input_shape out"):
        read(tmp_path, (32, 32, 3))


def test_models_within_are_seen_through():
    inner = keras.Sequential(
        [keras.Input((5, 5, 3)), keras.layers.Conv2D(7, 3, name="inside")],
        name="backbone",
    )
    image = keras.Input((5, 5, 3))
    x = keras.layers.Flatten()(inner(image))
    model = keras.Model(image, keras.layers.Dense(2, name="logits")(x))
    assert read(model).structure.names == ("inside",)


def test_a_builder_keeps_equal_widths_apart():
    reading = read(toy_architecture(), (7, 7, 3), 5)
    assert sorted(reading.widths.values()) == [0, 1, 2]
    widened = read("vgg11", (32, 32, 3), 10)
    assert len(widened.structure.names) == 8 == len(set(widened.widths.values()))


def test_a_model_that_is_refused_is_read_with_the_reason():
    reading = read(two_inputs())
    if reading.structure is None:
        assert "'two'" in reading.refused
    assert len(reading.widths) == 1


@pytest.mark.parametrize(
    "asked, told",
    [
        ("vg11", "Did you mean 'vgg11'"),
        ("none.keras", "there is none"),
        (3, "got int"),
        (keras.Sequential([keras.layers.Dense(3)]), "not built"),
    ],
)
def test_what_is_no_model_is_refused(asked, told):
    with pytest.raises(InputError, match=told):
        read(asked)
