"""Models from Python: the same by content, and told apart by any setting."""

import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from subclasses import Backbone

from ns_tf.base import InputError
from ns_tf.networks.from_model import from_model
from ns_tf.networks.python_models import architecture, save, saved
from ns_tf.run.folder import MODEL

layers = keras.layers
SETTINGS = {
    "activation": "relu",
    "dilation_rate": 1,
    "epsilon": 1e-3,
    "trainable": True,
    "rate": 0.2,
    "slope": 0.1,
    "inner": "relu",
    "late": False,
}
CHANGES = {
    "activation": "swish",
    "dilation_rate": 2,
    "epsilon": 1e-5,
    "trainable": False,
    "rate": 0.3,
    "slope": 0.2,
    "inner": "tanh",
    "late": True,
}


def network(**changes) -> keras.Model:
    """Unnamed layers, so Keras names them anew each time; a model within a model."""
    given = {**SETTINGS, **changes}
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(11, 1, activation="relu")(image)  # One whose width is free.
    x = layers.Conv2D(9, 1)(x)
    x = layers.Conv2D(
        7,
        3,
        padding="same",
        activation=given["activation"],
        dilation_rate=given["dilation_rate"],
        trainable=given["trainable"],
    )(x)
    x = layers.BatchNormalization(epsilon=given["epsilon"])(x)
    inner = keras.Sequential(
        [keras.Input((8, 8, 7)), layers.Conv2D(7, 3, activation=given["inner"])]
    )
    y, x = inner(x), layers.Conv2D(7, 3)(x)
    x = keras.ops.leaky_relu(x + y, negative_slope=given["slope"])
    x = layers.GlobalAveragePooling2D()(layers.Dropout(given["rate"])(x))
    early = layers.Softmax()(layers.Dense(5)(x))
    late = layers.Dense(5, activation="softmax")(x)
    return keras.Model(image, late if given["late"] else early)


def name_of(model) -> str:
    return architecture(model, None).name


def test_a_model_is_the_same_whatever_keras_calls_its_layers(tmp_path):
    model = network()
    assert name_of(model) == name_of(network())
    keras.backend.clear_session()
    assert name_of(model) == name_of(network())
    model.save(tmp_path / "kept.keras")
    kept = keras.saving.load_model(tmp_path / "kept.keras")
    assert name_of(kept) == name_of(model)


def test_weights_do_not_count():
    model, other = network(), network()
    other.set_weights([weight + 1 for weight in other.get_weights()])
    assert name_of(model) == name_of(other)


@pytest.mark.parametrize("setting", CHANGES)
def test_a_model_of_another_setting_is_another(setting):
    assert name_of(network()) != name_of(network(**{setting: CHANGES[setting]}))


# Subclasses, and models that a run folder keeps.


def test_a_functional_subclass_is_the_model_that_it_makes():
    image = keras.Input((6, 7, 3))
    x = layers.BatchNormalization()(layers.Conv2D(11, 3)(image))
    x = layers.Conv2D(13, 3)(layers.ReLU()(x))
    x = layers.GlobalAveragePooling2D()(x)
    assert name_of(Backbone()) == name_of(keras.Model(image, layers.Dense(5)(x)))
    assert name_of(Backbone((7, 13))) != name_of(Backbone())


def test_a_kept_model_is_read_back_without_its_class(tmp_path):
    """A subclass is kept as the functional model that it is."""
    found = architecture(Backbone(name="mine"), tmp_path)
    save(found, tmp_path)
    with zipfile.ZipFile(tmp_path / MODEL) as file:
        assert "Backbone" not in file.read("config.json").decode()
    again = saved(found.name, tmp_path)
    assert (again.name, again.widths) == (found.name, (11, 13))
    for one, other in zip(
        again.source.get_weights(), found.source.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_kept_model_stands_for_another_of_its_settings(tmp_path):
    """Its layers' names are those that the run's files use."""
    save(architecture(network(), tmp_path), tmp_path)
    kept = architecture(network(), tmp_path).source
    names = [layer.name for layer in saved(name_of(network()), tmp_path).source.layers]
    assert [layer.name for layer in kept.layers] == names
    other = architecture(network(rate=0.3), tmp_path).source
    assert [layer.name for layer in other.layers] != names


def test_what_is_kept_is_not_written_again(tmp_path):
    found = architecture(Backbone(), tmp_path)
    save(found, tmp_path)
    before = (tmp_path / MODEL).read_bytes()
    save(architecture(Backbone(), None), tmp_path)
    assert (tmp_path / MODEL).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [MODEL]


def test_names_are_looked_up_later_and_nothing_else_is_a_model(tmp_path):
    assert architecture("vgg11", tmp_path) is None
    assert saved("vgg11", tmp_path) is None
    found = from_model(network())
    assert architecture(found, tmp_path) is found
    save(found, tmp_path)  # It has a name to find it by.
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="Expected an architecture's name"):
        architecture(3, None)


def test_a_model_that_could_not_be_read_again_is_refused_before_the_run(tmp_path):
    image = keras.Input((6, 7, 3))
    x = layers.Conv2D(7, 1)(image)
    x = layers.Lambda(lambda x: tf.sin(x), name="odd")(layers.Conv2D(5, 1)(x))
    model = keras.Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))
    with pytest.raises(InputError, match="'odd' cannot be made again"):
        architecture(model, tmp_path)


def test_a_model_of_open_lengths_is_read_at_those_of_the_record(tmp_path):
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(7)])
    steps = keras.Input((None, 5))
    x = layers.Dense(6)(layers.TimeDistributed(inner)(steps))
    x = layers.GlobalAveragePooling1D()(x)
    found = architecture(keras.Model(steps, layers.Dense(3)(x)), None)
    save(found, tmp_path)
    assert saved(found.name, tmp_path).widths == found.widths == (6,)
    assert saved(found.name, tmp_path, (4, 5)).widths == (7, 6)
