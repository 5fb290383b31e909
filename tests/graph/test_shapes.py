"""Shapes of inputs, and copies of models for the shapes of the data."""

import keras
import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.graph.shapes import (
    check_outputs,
    listed,
    of_lengths,
    open_axes,
    shape_of,
    with_shape,
)
from ns_tf.parts import Parts

layers = keras.layers


def tagged():
    """Tokens of any number, and a table."""
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    table = keras.Input((3,), name="table")
    x = layers.Embedding(11, 5)(tokens)
    x = layers.GlobalAveragePooling1D()(layers.Conv1D(7, 3, padding="same")(x))
    x = layers.Concatenate()([x, table])
    model = keras.Model({"tokens": tokens, "table": table}, layers.Dense(2)(x))
    model.compile(loss="mae")
    return model


def test_inputs_in_a_dictionary_become_a_list_in_keras_order(rng):
    model = tagged()
    found = listed(model)
    assert shape_of(found) == ((3,), (None,)) and isinstance(found.input, list)
    arrays = rng.normal(size=(2, 3)), rng.integers(0, 11, (2, 13))
    by_name = dict(zip(("table", "tokens"), arrays, strict=True))
    np.testing.assert_array_equal(found(arrays), model(by_name))
    np.testing.assert_array_equal(found(by_name), model(by_name))
    assert listed(found) is found


@pytest.mark.parametrize(
    "ends", [lambda x, y: ([x], [y]), lambda x, y: ({"x": x}, {"y": y})]
)
def test_an_input_and_an_output_alone_are_tensors(rng, ends):
    x = keras.Input((3,), name="x")
    model = keras.Model(*ends(x, layers.Dense(2)(x)))
    found, rows = listed(model), rng.normal(size=(5, 3))
    assert isinstance(found.input, keras.KerasTensor)
    np.testing.assert_array_equal(
        found(rows),
        keras.tree.flatten(
            model(keras.tree.map_structure(lambda _: rows, model.input))
        )[0],
    )


def test_open_axes_get_the_length_of_the_data_and_nothing_else_changes(rng):
    model = listed(tagged())
    model.compile(loss="mae")
    found = with_shape(model, Parts([(3,), (13,)]))
    assert shape_of(found) == ((3,), (13,)) and found.loss == "mae"
    arrays = rng.normal(size=(2, 3)), rng.integers(0, 11, (2, 13))
    np.testing.assert_array_equal(found(arrays), model(arrays))
    assert with_shape(found, Parts([(3,), (17,)])) is found
    assert with_shape(model, Parts([(5,), (13,)])) is model


def test_lengths_that_a_user_names_have_to_fit():
    image = keras.Input((None, None, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(5, 3)(image))
    model = keras.Model(image, layers.Dense(2)(x), name="any_size")
    assert open_axes(model) and of_lengths(model, ()) is model
    found = of_lengths(model, (7, 11, 3))
    assert shape_of(found) == (7, 11, 3) and not open_axes(found)
    for wrong in ((7, 11, 1), (7, 11)):
        with pytest.raises(
            InputError, match="takes inputs .None, None, 3.; --input_sh"
        ):
            of_lengths(model, wrong)
    with pytest.raises(InputError, match="cannot be made for the shape"):
        of_lengths(model, (1, 1, 3))
    with pytest.raises(InputError, match="has 2 inputs, and --input_shape is of one"):
        of_lengths(listed(tagged()), (13,))


def test_outputs_without_an_axis_of_their_own_are_refused():
    image = keras.Input((6,))
    x = layers.Dense(1)(layers.Dense(5)(image))
    check_outputs(keras.Model(image, x))
    number = keras.ops.squeeze(x, -1)
    for outputs in (number, [x, number]):
        with pytest.raises(InputError, match="'squeeze.*'. Keep the last axis"):
            check_outputs(keras.Model(image, outputs))
    pairs = keras.ops.matmul(x, keras.ops.transpose(x))  # Of the examples of a batch.
    with pytest.raises(InputError, match="None, None.* by 'matmul.* in the loss"):
        check_outputs(keras.Model(image, pairs))
    steps = keras.Input((None, 6))
    check_outputs(keras.Model(steps, layers.Dense(1)(steps)[..., 0]))
