"""Models and data from Python: the same by content, and told apart by any setting."""

import keras
import pytest

from ns_tf.networks.python_models import architecture

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
