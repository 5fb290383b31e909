"""A cut network beside the whole one: pairs of windows and targets."""

import numpy as np
import pytest
from trained import noise_images, pruner

from ns_tf.prune import repairs
from ns_tf.prune.rebuilt import Rebuilt, contributions
from ns_tf.prune.trained import cut


def rebuilt(model, dataset, **asked):
    made = pruner(model, dataset, method="magnitude", **asked)
    scores = made.score()
    keep = made.chosen(scores, made.solve(scores).widths)
    small = cut(model, made.problem.structure, keep)
    return Rebuilt(repairs.Cut(model, made.graph, keep, small, made.proxy(50)))


@pytest.mark.parametrize("name", ["flatten", "dense_block"])
def test_targets_are_what_the_whole_network_puts_out(name, handmade, randomise, rng):
    """Of a network that lost nothing but what adds nothing, inputs times kernel."""
    made = rebuilt(randomise(handmade[name]()), noise_images(rng), macs=0.6)
    reader = made.readers[0]
    kernel = made.kernel(reader)
    whole = made.whole_kernel(reader)
    assert kernel.shape[-1] == whole.shape[-1]
    assert kernel.shape[1] < whole.shape[1]
    (a, y), (x, _) = next(made.pairs(reader)), next(made.contributions(reader))
    assert a.shape == (len(y), kernel.shape[0] * kernel.shape[1])
    assert x.shape == (len(y), kernel.shape[1])


def test_contributions_add_up_to_the_output(rng):
    windows, kernel = rng.normal(size=(11, 9, 3)), rng.normal(size=(9, 3, 5))
    chosen = rng.integers(0, 5, 11)
    x = contributions(windows, kernel, chosen)
    outputs = np.einsum("rwc,wcf->rf", windows, kernel)
    np.testing.assert_allclose(x.sum(axis=1), outputs[np.arange(11), chosen])


def test_an_offset_goes_into_the_bias_or_the_mean_of_the_norm(handmade, randomise, rng):
    made = rebuilt(randomise(handmade["chain"]()), noise_images(rng), macs=0.6)
    reader = made.readers[0]
    before = np.array(made.small.layer(reader).bias)
    more = np.arange(len(before), dtype=float)
    made.move_offset(reader, more)
    np.testing.assert_allclose(made.small.layer(reader).bias, before + more)
    made.small.layer(reader).use_bias = False
    norm = made.small.network.model.get_layer("b_bn")
    before = np.array(norm.moving_mean)
    assert made.has_offset(reader)
    made.move_offset(reader, more)
    np.testing.assert_allclose(norm.moving_mean, before - more, rtol=1e-6)
