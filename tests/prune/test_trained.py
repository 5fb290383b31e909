"""Cutting a trained network to smaller widths."""

import keras
import numpy as np
from small import chain, made_by, problem, residual

from ns_tf.prune.trained import _norms, pruned


def norms(kernel) -> np.ndarray:
    """[filters]: L1 norms."""
    return np.abs(kernel).sum(axis=tuple(range(kernel.ndim - 1)))


def test_the_filters_of_largest_norm_stay_with_all_that_belongs_to_them(randomise):
    structure = problem(chain, (7, 5)).structure
    trained = randomise(structure.build())
    cut = pruned(trained, structure, (3, 2))
    first, second = (trained.get_layer(f"conv{i}").kernel.numpy() for i in (1, 2))
    keep = np.sort(np.argsort(norms(first))[-3:])
    keep_second = np.sort(np.argsort(norms(second))[-2:])
    np.testing.assert_array_equal(cut.get_layer("conv1").kernel, first[..., keep])
    np.testing.assert_array_equal(
        cut.get_layer("conv2").kernel, second[:, :, keep][..., keep_second]
    )
    for one, other in zip(
        cut.get_layer("bn1").weights, trained.get_layer("bn1").weights, strict=True
    ):
        np.testing.assert_array_equal(one, other.numpy()[keep])


def test_a_network_whose_other_filters_are_zero_computes_the_same(randomise, rng):
    structure = problem(chain, (7, 5)).structure
    trained = randomise(structure.build())
    for name, gone in (("1", [1, 2, 5, 6]), ("2", [0, 3])):
        norm = trained.get_layer(f"bn{name}")
        kernel = trained.get_layer(f"conv{name}").kernel
        for variable in (kernel, norm.gamma, norm.beta):
            value = variable.numpy()
            value[..., gone] = 0
            variable.assign(value)
    images = rng.normal(size=(11, 5, 5, 3)).astype(np.float32)
    cut = pruned(trained, structure, (3, 3))
    assert np.abs(trained(images)).max() > 0.1
    np.testing.assert_allclose(cut(images), trained(images), rtol=1e-4, atol=1e-5)


def test_at_the_same_widths_nothing_changes(randomise):
    structure = problem(chain, (7, 5)).structure
    trained = randomise(structure.build())
    cut = pruned(trained, structure, (7, 5))
    assert cut is not trained
    for one, other in zip(cut.weights, trained.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_channels_that_an_identity_joins_are_chosen_by_the_sum_of_their_norms(
    randomise,
):
    structure = problem(residual, (7, 5, 7)).structure
    trained = randomise(structure.build())
    graph = structure.graph(trained)
    scores = _norms(trained, graph)
    stem, conv2 = (
        norms(trained.get_layer(name).kernel.numpy()) for name in ("stem", "conv2")
    )
    for name in ("stem", "conv2"):
        np.testing.assert_allclose(scores[made_by(graph, name)], stem + conv2)
    cut = pruned(trained, structure, (3, 5, 3))
    keep = np.sort(np.argsort(stem + conv2)[-3:])
    for name in ("stem", "conv2"):
        kernel = trained.get_layer(name).kernel.numpy()
        np.testing.assert_array_equal(cut.get_layer(name).kernel, kernel[..., keep])
    assert isinstance(cut, keras.Model)
