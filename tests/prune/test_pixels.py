"""How a model wants its pixels: told by its loss."""

import keras
import numpy as np
import pytest
from trained import learned

from ns_tf.base import InputError
from ns_tf.data.dataset import WAYS
from ns_tf.problem import tasks
from ns_tf.prune.pixels import way_of

TASK = tasks.get("classification")


def behind(model, scale, offset):
    """The model behind a scaling of its own that no layer at its front shows."""
    image = keras.Input(model.inputs[0].shape[1:])
    x = keras.layers.DepthwiseConv2D(1, name="scale")(image)
    whole = keras.Model(image, model(x))
    whole.get_layer("scale").set_weights(
        [np.full((1, 1, 1, 1), scale), np.array([offset])]
    )
    return whole


def test_the_way_of_least_loss_is_the_one_it_was_trained_with():
    model, problem = learned()
    data = problem.dataset
    mean, std = float(data.mean[0]), float(data.std[0])
    assert way_of(model, data, TASK).name == "normalised"
    assert way_of(behind(model, 1 / std, -mean / std), data, TASK).name == "unit"
    given = behind(model, 1 / (255 * std), -mean / std)
    assert way_of(given, data, TASK).name == "given"


def test_a_way_that_was_found_by_trying_tells_the_losses():
    model, problem = learned()
    way = way_of(model, problem.dataset, TASK)
    assert set(way.losses) == set(WAYS) and not way.near
    assert str(way).startswith("normalised (the least loss: normalised 0.")
    blind = keras.models.clone_model(model)
    for weight in blind.weights:
        weight.assign(np.zeros(weight.shape))
    assert way_of(blind, problem.dataset, TASK).near


def test_a_model_that_scales_pixels_itself_gets_them_as_they_are():
    model, problem = learned()
    image = keras.Input(model.inputs[0].shape[1:])
    own = keras.Model(image, model(keras.layers.Rescaling(1e9)(image)))
    assert way_of(own, problem.dataset, TASK).name == "given"


def test_a_loss_that_is_never_finite_is_refused():
    model, problem = learned()
    broken = behind(model, np.nan, 0.0)
    with pytest.raises(InputError, match="not finite"):
        way_of(broken, problem.dataset, TASK)
