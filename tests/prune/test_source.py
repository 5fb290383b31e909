"""A trained network and its data: what is taken, and what is refused in one line."""

import keras
import numpy as np
import pytest
from notebooks import mine
from trained import digits, learned

from ns_tf.base import InputError
from ns_tf.problem.config import ProblemConfig
from ns_tf.prune import source
from ns_tf.prune.source import fingerprint, kept_from, trained_network


def test_a_model_its_file_and_its_problem_are_one_thing(tmp_path):
    model, problem = learned()
    model.save(tmp_path / "mine.keras")
    for given in (model, str(tmp_path / "mine.keras"), tmp_path / "mine.keras"):
        found = trained_network(given, digits())
        assert found.pixels == "normalised" and found.folder is None
        assert found.problem.architecture.widths == (12, 16, 16)
        for one, other in zip(found.model.weights, model.weights, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_data_set_by_name_comes_at_the_size_that_the_model_takes():
    found = trained_network(mine(), "digits")
    assert found.problem.dataset.image_shape == (8, 8, 1)


def test_how_pixels_are_scaled_can_be_said():
    found = trained_network(mine(), digits(), pixels="unit")
    assert found.pixels == "unit" and found.problem.dataset.std == 1


class Subclassed(keras.Model):
    def call(self, x):
        return x


def several(inputs, outputs):
    images = [keras.Input((8, 8, 1)) for _ in range(inputs)]
    x = keras.layers.Add()(images) if inputs > 1 else images[0]
    x = keras.layers.Conv2D(7, 3)(keras.layers.Conv2D(5, 3)(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, [keras.layers.Dense(10)(x) for _ in range(outputs)])


BAD = {
    "no model": (lambda: 3, "Expected a trained keras.Model"),
    "no file": (lambda: "nowhere.keras", "there is none"),
    "subclassed": (Subclassed, "functional or sequential"),
    "two inputs": (lambda: several(2, 1), "has 2 inputs, and .* has 1 array"),
    "two outputs": (
        lambda: several(1, 2),
        "has 2 outputs, and nothing says.*compile it",
    ),
    "classes": (lambda: mine(classes=7), "puts out 7 values.*has 10 classes"),
    "images": (lambda: mine(image=(9, 8, 1)), "takes inputs of 9x8x1.*8x8x1"),
    "unbuilt": (lambda: keras.Sequential([keras.layers.Dense(3)]), "not built"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_trained_network_of_the_data_is_refused_in_one_line(name):
    make, told = BAD[name]
    with pytest.raises(InputError, match=told) as error:
        trained_network(make(), digits())
    assert "\n" not in str(error.value)


def test_data_are_needed():
    with pytest.raises(InputError, match="Give the data"):
        trained_network(mine())


def test_layers_that_are_kept_are_no_widths():
    source = trained_network(mine(), digits())
    assert kept_from(source, ()) is source.problem
    assert kept_from(source, ("conv1",)).architecture.widths == (17, 13)
    assert kept_from(source, ("conv[13]",)).architecture.widths == (17,)
    with pytest.raises(InputError, match="--keep=conv4.*Did you mean 'conv"):
        kept_from(source, ("conv4",))
    with pytest.raises(InputError, match="no layer whose width is free"):
        kept_from(source, ("conv*",))


def test_of_the_lengths_of_the_data_network_and_problem_are_one(rng):
    """Layers at every step are seen through once the steps are counted."""
    layers = keras.layers
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(7), layers.Dense(6)])
    steps = keras.Input((None, 5))
    x = layers.GlobalAveragePooling1D()(layers.TimeDistributed(inner)(steps))
    model = keras.Model(steps, layers.Dense(3)(x))
    data = rng.normal(size=(40, 4, 5)).astype("float32"), np.arange(40) % 3
    found = trained_network(model, data)
    assert found.model is found.problem.architecture.source
    assert found.problem.architecture.widths == (7, 6)
    x = rng.normal(size=(2, 4, 5)).astype("float32")
    np.testing.assert_allclose(found.model(x), model(x), rtol=1e-5, atol=1e-6)


def test_options_of_data_hold_for_arrays_and_those_of_a_training_for_its_own(
    tmp_path, monkeypatch
):
    whole = digits().train
    data = whole.images[:100], whole.labels[:100]
    options = {"validation_fraction": 0.3, "train_images": 20}
    given = trained_network(mine(), data, pixels="unit", **options)
    first = given.problem.dataset
    assert given.data == options  # As a folder of what is left names them.
    assert (len(first.validation), len(first.train)) == (30, 20)
    mine().save(tmp_path / "model.keras")
    kept = ProblemConfig(dataset=first.name, pixels="unit", **options)
    monkeypatch.setattr(source, "training_in", lambda path, name: path)
    monkeypatch.setattr(source, "settings_in", lambda folder: kept)
    again = trained_network(tmp_path, data)
    assert again.problem.dataset.name == first.name and again.data == options
    other = trained_network(tmp_path, (data[0][:50], data[1][:50]))
    assert len(other.problem.dataset.train) == 40 and other.data == {}


def never_registered(targets, outputs):
    return keras.losses.sparse_categorical_crossentropy(targets, outputs, True)


def test_a_folder_whose_loss_is_not_known_here_has_no_task_by_chance(
    tmp_path, monkeypatch
):
    model = mine()
    model.compile(loss=never_registered)
    model.save(tmp_path / "model.keras")
    monkeypatch.setattr(source, "training_in", lambda path, name: path)
    monkeypatch.setattr(source, "settings_in", lambda folder: ProblemConfig())
    told = "a loss that is not known here, never_registered.*registers it"
    with pytest.raises(InputError, match=told) as error:
        trained_network(tmp_path, digits())
    assert "\n" not in str(error.value)
    found = trained_network(tmp_path, digits(), task="classification")
    assert found.problem.task.score.name == "accuracy"


def dressed(activation="relu", strides=1, frozen=False):
    """A network whose weights are the same whatever it is dressed in."""
    keras.utils.set_random_seed(0)
    x = image = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(3, 3, strides=strides, name="conv")(x)
    x = keras.layers.Activation(activation)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(2, name="logits")(x))
    model.get_layer("conv").trainable = not frozen
    return model


def test_the_same_weights_in_another_graph_are_another_network(tmp_path):
    others = {"activation": "tanh"}, {"strides": 2}, {"frozen": True}
    told = [fingerprint(dressed(**other)) for other in ({}, *others)]
    assert len(set(told)) == 4
    assert fingerprint(dressed()) == told[0]  # Layers without a name have another one.
    dressed().save(tmp_path / "kept.keras")
    assert fingerprint(keras.saving.load_model(tmp_path / "kept.keras")) == told[0]
