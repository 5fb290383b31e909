"""Budgets that are solved on an estimate: never over, and close."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searches import made_up

from ns_tf.api import Search
from ns_tf.base import InputError, ScalingLaw
from ns_tf.descend.record import new_search
from ns_tf.networks import architectures
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse
from ns_tf.scaling import estimated
from ns_tf.scaling.curves import power_law
from ns_tf.scaling.estimated import CORRECTIONS
from ns_tf.scaling.solve import at_cost


def law(rng, layers):
    alpha, beta = rng.uniform(0.02, 0.1, layers), rng.uniform(0.3, 0.6, layers)
    return power_law(ScalingLaw(alpha, beta, None, None, (1e4, 1e6)))


def weights(widths):
    widths = np.asarray(widths)
    return (9 * widths[..., :-1] * widths[..., 1:]).sum(-1) + 7 * widths.sum(-1)


@settings(max_examples=60)
@given(
    st.integers(0, 2**20),
    st.integers(2, 7),
    st.integers(0, 5000),
    st.integers(0, 60),
    st.floats(2e4, 1e6),
)
def test_never_over_and_close_whatever_the_file_adds(seed, layers, more, ragged, most):
    rng = np.random.default_rng(seed)
    curve, calls = law(rng, layers), []

    def size(widths):
        """The estimate, a little more a channel, a constant, and a ragged end."""
        calls.append(tuple(widths))
        noise = np.random.default_rng(np.asarray(widths)).integers(0, ragged + 1)
        return int(weights(widths) + 0.5 * np.sum(widths) + more + noise)

    size.measured = True
    found = estimated.at_estimated_cost(
        curve, {"bytes": size}, {"bytes": most}, {"bytes": weights}
    )
    assert found.costs["bytes"] == size(found.widths) <= most
    assert found.targets == {"bytes": most}
    assert len(calls) <= CORRECTIONS + 1
    # As close as an exact budget would be, but for what the ends differ by.
    least = at_cost(
        curve,
        {"bytes": lambda w: weights(w) + 0.5 * np.sum(w, -1) + more + ragged},
        {"bytes": 0.999 * most - ragged},
    )
    assert weights(found.widths) >= 0.98 * weights(least.widths)


@pytest.mark.parametrize("slope, target", [(1.0, 1040.0), (1.1, 1100.0)])
def test_what_the_file_adds_may_be_most_of_it(rng, slope, target):
    """Also where the largest network's weights are less than the budget."""

    def estimate(widths):
        return 4 * np.asarray(widths).sum(-1)

    def size(widths):
        return slope * estimate(widths) + 1000

    found = estimated.at_estimated_cost(
        law(rng, 2),
        {"bytes": size},
        {"bytes": target},
        {"bytes": estimate},
        max_width=64 if slope > 1 else 8,
    )
    assert target - 10 * slope < found.costs["bytes"] <= target


def test_without_estimates_it_is_the_solver_itself(rng):
    curve = law(rng, 3)
    costs, targets = {"params": weights}, {"params": 5e4}
    assert estimated.at_estimated_cost(curve, costs, targets, {}) == at_cost(
        curve, costs, targets
    )


def test_a_budget_that_the_file_alone_exceeds_is_refused(rng):
    def size(widths):
        return 10_000

    with pytest.raises(InputError, match="bytes"):
        estimated.at_estimated_cost(
            law(rng, 3), {"bytes": size}, {"bytes": 5_000}, {"bytes": weights}
        )


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
        ("vgg11", 200_000),
        ("mine", 30_000),
        pytest.param("preact_resnet18", 300_000, marks=pytest.mark.slow),
        pytest.param("mobilenet_v2", 300_000, marks=pytest.mark.slow),
    ],
)
def test_the_exported_file_is_within_the_budget(name, most, status, tmp_path, rng):
    """Of a network with other weights and of another name."""
    architecture = from_model(mine()) if name == "mine" else architectures.get(name)
    found = analyse(architecture, (32, 32, 1), 10)
    plain = new_search(found, "digits", architecture.widths)
    search = Search(made_up(plain, rng), None, architecture)
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
