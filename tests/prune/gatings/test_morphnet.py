"""MorphNet's regulariser is the derivative of our own cost polynomials."""

import keras
import numpy as np
import pytest
from trained import learned, learned_with, noise_images, pruner

from ns_tf.prune import gatings
from ns_tf.prune.pressure import prices


def test_the_example_by_hand():
    """3 -> 4 -> 2 filters of 3x3: the cost of what is alive 90, R 78.345."""
    first, second = np.array([0.5, 0, 1, 0.001]), np.array([0.2, -0.4])
    formulas = gatings.get("morphnet").formulas
    alive = [formulas.alive(np.abs(gamma)).sum() for gamma in (first, second)]

    def cost(widths):
        return 9 * (3 * widths[..., 0] + widths[..., 0] * widths[..., 1])

    assert cost(np.array(alive)) == 90
    slopes = np.array([45, 18])
    found = prices({"macs": cost}, {"macs": 90}, np.array(alive))
    np.testing.assert_allclose(found, slopes * 4 / (slopes * alive).sum())
    total = slopes[0] * np.abs(first).sum() + slopes[1] * np.abs(second).sum()
    assert total == pytest.approx(78.345)
    pull = keras.ops.convert_to_numpy(formulas.pull(first, 45.0))
    np.testing.assert_array_equal(pull, [45, 0, 45, 45])


def penalty(made, gamma, alive):
    """k (n_in sum_out + n_out sum_in) over all kernels, in a slow loop."""
    graph, total = made.graph, 0.0
    outputs = {call.name: graph.shapes[call.output] for call in graph.calls}
    for (layer, weight), axes in graph.axes.items():
        if weight != "kernel" or axes[-1] is None:
            continue
        kernel, shape = made.model.get_layer(layer).kernel, outputs[layer]
        times = np.prod(kernel.shape[:-2]) * np.prod(shape[1:-1])
        counts, sums = [], []
        for channels in axes[-2:]:
            if channels is None:  # The one input of a depthwise filter.
                counts.append(1)
                sums.append(0.0)
                continue
            real = channels[channels >= 0]
            counts.append(alive[real].sum() + len(channels) - len(real))
            sums.append(gamma[real].sum())
        total += times * (counts[0] * sums[1] + counts[1] * sums[0])
    return total


@pytest.mark.parametrize("name", ["chain", "concat", "residual"])
def test_prices_times_gammas_are_the_regulariser(name, handmade, randomise, rng):
    """Of random gammas of which some are dead, on any graph."""
    model = randomise(handmade[name]())
    made = pruner(model, noise_images(rng), method="morphnet", macs=0.5)
    frozen = made.graph.frozen
    alive = frozen | (rng.random(len(frozen)) < 0.6)
    gamma = np.where(frozen, 0.0, rng.uniform(0.5, 1.5, len(frozen)) * alive)
    found = made.scorer.pressure.price(alive)
    expected = penalty(made, gamma, alive)
    # Prices are scaled to 1 in the mean, so the regulariser has that factor.
    whole = np.where(frozen, 0.0, alive)
    factor = penalty(made, whole, alive) / (found * whole).sum()
    assert factor * (found * gamma).sum() == pytest.approx(expected)


def test_by_multiply_adds_the_early_layers_pay_more_than_by_parameters():
    model, problem = learned()
    share = {}
    for budget in ("macs", "params"):
        made = pruner(model, problem.dataset, method="morphnet", **{budget: 0.5})
        price = made.scorer.pressure.price(np.ones(len(made.graph.owner), bool))
        share[budget] = price[made.prunable.widths[0]].mean()
    assert share["macs"] > share["params"]


@pytest.mark.slow
def test_what_is_alive_costs_less_the_more_strength():
    left = []
    for strength in (0, 0.3, 0.9):
        left.append(learned_with("morphnet", strength).table()["alive_macs"][-1])
    assert left[0] == 1 > left[1] > left[2]
