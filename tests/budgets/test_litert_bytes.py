"""Bytes of a LiteRT file: what an export writes, whatever the weights are."""

import counted
import keras
import numpy as np
import pytest
from searches import made_up

from ns_tf import budgets
from ns_tf.api import Search
from ns_tf.budgets import Measure
from ns_tf.descend.record import new_search
from ns_tf.networks import architectures
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse


@pytest.mark.slow
def test_the_size_repeats_and_is_that_of_the_weights_and_nearly_a_constant():
    structure = counted.structure()
    measured = budgets.get("litert_bytes")
    cost, estimate = measured.cost(structure, Measure()), budgets.get(measured.estimate)
    assert cost.measured
    weights = estimate.cost(structure)
    more = [
        cost(np.array(widths)) - int(weights(np.array(widths)))
        for widths in ((7, 11), (29, 23))
    ]
    assert all(0 < some < 10_000 for some in more)
    # Norms are folded into convolutions, so the file grows a little less.
    assert abs(more[0] - more[1]) < 0.1 * int(weights(np.array([29, 23])))
    again = cost(np.array([7, 11])) - int(weights(np.array([7, 11])))
    assert again == more[0]


def mine():
    """A network of somebody, with layers that nobody named."""
    image = keras.Input((32, 32, 1))
    x = keras.layers.Conv2D(17, 3, padding="same", activation="relu")(image)
    x = keras.layers.Conv2D(19, 3, strides=2, use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(10)(keras.layers.Dense(23, activation="relu")(x))
    return keras.Model(image, keras.layers.Softmax()(x))


@pytest.mark.parametrize(
    "name, most",
    [
        ("mine", 30_000),
        pytest.param("vgg11", 200_000, marks=pytest.mark.slow),
        pytest.param("preact_resnet18", 300_000, marks=pytest.mark.slow),
        pytest.param("mobilenet_v2", 300_000, marks=pytest.mark.slow),
    ],
)
def test_the_exported_file_is_within_the_budget(name, most, status, tmp_path, rng):
    """Of a network with other weights and of another name."""
    architecture = from_model(mine()) if name == "mine" else architectures.get(name)
    found = analyse(architecture, (32, 32, 1), 10)
    plain = new_search(found, "digits", architecture.widths)
    search = Search(made_up(plain, rng), architecture)
    plan = search.plan(litert_bytes=most)
    assert 0.97 * most < plan.scaling.costs["litert_bytes"] <= most
    model = plan.build()
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    model.save(tmp_path / "trained_for_long.keras")
    asked = (
        f"--model={tmp_path / 'trained_for_long.keras'}",
        "--dataset=digits",
        "--format=litert",
        f"--out_dir={tmp_path}",
        "--check_images=5",
    )
    assert status("export", *asked) == 0
    written = tmp_path / "trained_for_long.tflite"
    assert written.stat().st_size == plan.scaling.costs["litert_bytes"]
