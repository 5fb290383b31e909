"""The network that is measured: of a search, a file, a name, a model."""

import keras
import pytest

from ns_tf.base import InputError
from ns_tf.measure import network


def test_a_search_says_network_and_largest_widths(searched):
    structure, largest = network.of_run(searched, up_to=1.5)
    assert structure.architecture.name == "vgg11" and structure.classes == 10
    assert largest == [96, 192, 384, 384, 768, 768, 768, 768]


def test_a_model_a_file_and_a_name_are_found(handmade, tmp_path):
    model = handmade["chain"]()
    model.save(tmp_path / "mine.keras")
    path = tmp_path / "mine.keras"
    for given in (model, path, str(path)):
        structure, largest = network.of_model(given, up_to=1)
        assert structure.names == ("a", "b") and largest == [13, 7]
        assert structure.input_shape == (6, 7, 3) and structure.classes == 5
    structure, _ = network.of_model("vgg11", 1, (32, 32, 1), 7)
    assert structure.input_shape == (32, 32, 1) and structure.classes == 7
    with pytest.raises(InputError, match="got int"):
        network.of_model(7, 1)
    with pytest.raises(InputError, match="there is none|Expected"):
        network.of_model("none.keras", 1)


def test_a_model_of_any_size_needs_one(handmade):
    source = handmade["chain"]()
    image = keras.Input((None, None, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(5, 3)(image))
    model = keras.Model(image, keras.layers.Dense(2)(x))
    structure, largest = network.of_model(model, 1, (7, 11, 3))
    assert structure.input_shape == (7, 11, 3) and largest == [5]
    with pytest.raises(InputError, match="Give them by --input_shape, as 224,224,3"):
        network.of_model(model, 1)
    with pytest.raises(InputError, match="takes inputs .6, 7, 3.; --input_shape is"):
        network.of_model(source, 1, (7, 6, 3))


def test_the_machine_is_told():
    assert "TensorFlow" in network.machine()
