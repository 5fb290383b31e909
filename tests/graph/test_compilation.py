"""What a model was compiled with, by output, however it was given."""

import keras
import numpy as np
import pytest
from pictures import in_one_line

from ns_tf.base import InputError
from ns_tf.graph.calls import functional
from ns_tf.graph.compilation import (
    Compilation,
    carried,
    check_kept,
    check_read,
    output_names,
)

layers = keras.layers
X = np.ones((4, 3), "float32")


def two(outputs):
    x = keras.Input((3,), name="x")
    made = {name: layers.Dense(2, name=f"{name}_layer")(x) for name in ("b", "a")}
    return keras.Model(x, made if outputs is dict else list(made.values()))


def never_registered(targets, outputs):
    return keras.ops.mean((targets - outputs) ** 4, axis=-1)


def test_a_model_that_is_not_compiled_has_none():
    assert Compilation.of(two(list)) is None
    assert not carried(two(list), two(list)).compiled


@pytest.mark.parametrize(
    ("outputs", "loss", "weights", "metrics"),
    [
        (dict, {"b": "mse", "a": "mae"}, {"b": 0.5, "a": 2.0}, {"b": ["mse"]}),
        (list, ["mse", "mae"], [0.5, 2.0], [["mse"], []]),
        (list, {"b_layer": "mse", "a_layer": "mae"}, [0.5, 2.0], {"b_layer": "mse"}),
    ],
)
def test_losses_weights_and_metrics_have_the_order_of_the_outputs(
    outputs, loss, weights, metrics
):
    model = two(outputs)
    model.compile(loss=loss, loss_weights=weights, metrics=metrics)
    found = Compilation.of(model)
    by_name = {name.removesuffix("_layer"): i for i, name in enumerate(found.names)}
    own = [found.losses, found.weights, found.metrics]
    assert [part[by_name["b"]] for part in own] == ["mse", 0.5, ("mse",)]
    assert [part[by_name["a"]] for part in own] == ["mae", 2.0, ()]
    again = Compilation.of(carried(model, two(outputs)))
    assert vars(again) == vars(found)


@pytest.mark.parametrize("outputs", [dict, list])
def test_weighted_metrics_go_with_the_model(outputs):
    model = two(outputs)
    given = {"b": ["mae"]} if outputs is dict else [["mae"], []]
    model.compile(loss="mse", weighted_metrics=given)
    found = Compilation.of(model)
    assert sorted(found.weighted) == [(), ("mae",)] and found.metrics == ((), ())
    copy = carried(model, two(outputs))
    assert vars(Compilation.of(copy)) == vars(found)
    assert set(copy.get_compile_config()) == set(model.get_compile_config())
    single = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    single.compile(loss="mse", weighted_metrics=["mae"])
    copy = carried(single, keras.models.clone_model(single))
    values = [
        one.evaluate(X, X[:, :2], verbose=0, return_dict=True) for one in (single, copy)
    ]
    assert values[0].keys() == values[1].keys() == {"loss", "mae"}
    plain = two(outputs)
    plain.compile(loss="mse")
    assert Compilation.of(plain).digest == found.digest, "nothing is computed by it"


def test_one_loss_is_that_of_all_outputs_and_weights_are_1():
    model = two(list)
    model.compile(loss="mse")
    found = Compilation.of(model)
    assert found.losses == ("mse", "mse") and found.weights == (1.0, 1.0)
    assert output_names(model) == ("b_layer", "a_layer")
    assert output_names(two(dict)) == ("a", "b")


@pytest.mark.parametrize(
    ("loss", "message"),
    [({"c": "mse"}, "loss for 'c'; its outputs are a, b"), (["mse"], "1 entries")],
)
def test_a_loss_of_no_output_is_refused(loss, message):
    model = two(dict)
    model.compile(loss=loss)
    with pytest.raises(InputError, match=message) as caught:
        Compilation.of(model)
    in_one_line(caught)


def test_a_loss_that_no_file_can_bring_back_is_refused():
    model = two(dict)
    check_kept(model)
    model.compile(loss="mse", metrics=[["mae"], ["mse"]])
    check_kept(model)
    model.compile(loss=never_registered)
    with pytest.raises(InputError, match="never_registered.*Register") as caught:
        check_kept(model)
    in_one_line(caught)


def test_a_sequential_model_is_compiled_as_a_functional_one():
    ends = keras.Input((3,)), layers.Dense(2, name="logits")
    model = keras.Sequential(ends)
    model.compile("sgd", loss={"logits": "mse"}, metrics=["mae"])
    found = Compilation.of(model)
    assert (found.names, found.losses) == (("logits",), ("mse",))
    again = Compilation.of(carried(model, functional(keras.Sequential(ends))))
    assert vars(again) == vars(found)
    assert carried(model, keras.Sequential(ends)).loss == "mse"


def test_a_digest_tells_losses_weights_and_metrics():
    def digest(**given):
        model = two(list)
        model.compile(**given)
        return Compilation.of(model).digest

    smooth = keras.losses.CategoricalCrossentropy
    given = [
        {"loss": "mse"},
        {"loss": "mse", "loss_weights": [1.0, 0.5]},
        {"loss": "mse", "metrics": [["mae"], []]},
        {"loss": never_registered},
        {"loss": lambda targets, outputs: 0.0 * outputs},
        {"loss": smooth(label_smoothing=0.1)},
        {"loss": smooth(label_smoothing=0.2)},
    ]
    found = [digest(**one) for one in given]
    assert len(set(found)) == len(given) and found == [digest(**one) for one in given]


def test_what_a_file_was_compiled_with_is_there_or_missed(tmp_path):
    """Also of a model that was not compiled, which misses nothing."""
    path, model = tmp_path / "mine.keras", keras.Sequential([keras.Input((3,))])
    model.add(keras.layers.Dense(2))
    for loss, known in ((None, True), ("mse", True), (never_registered, False)):
        if loss:
            model.compile(loss=loss)
        model.save(path)
        read = keras.saving.load_model(path, compile=known)
        if known:
            check_read(read, path)
            continue
        with pytest.raises(InputError, match="not known here, never_registered"):
            check_read(read, path)
