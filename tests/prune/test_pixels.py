"""How a model wants its pixels: told by its loss."""

import keras
import numpy as np
import pytest
from trained import learned

from ns_tf.base import InputError
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
    assert way_of(model, data, TASK) == "normalised"
    assert way_of(behind(model, 1 / std, -mean / std), data, TASK) == "unit"
    given = behind(model, 1 / (255 * std), -mean / std)
    assert way_of(given, data, TASK) == "given"


def test_a_model_that_scales_pixels_itself_gets_them_as_they_are():
    model, problem = learned()
    image = keras.Input(model.inputs[0].shape[1:])
    own = keras.Model(image, model(keras.layers.Rescaling(1e9)(image)))
    assert way_of(own, problem.dataset, TASK) == "given"


def test_a_loss_that_is_never_finite_is_refused():
    model, problem = learned()
    broken = behind(model, np.nan, 0.0)
    with pytest.raises(InputError, match="not finite"):
        way_of(broken, problem.dataset, TASK)
