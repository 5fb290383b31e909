"""Cutting a trained network to smaller widths."""

import numpy as np
from small import chain, made_by, problem, residual

from ns_tf.prune.removal import Prunable, down_to
from ns_tf.prune.trained import cut, joined


def chosen(structure, trained, scores, widths):
    """The channels of highest score, as many as the widths have."""
    graph = structure.graph(trained)
    return down_to(joined(scores, graph), Prunable.of(structure, graph), widths)


def test_what_stays_keeps_all_that_belongs_to_it(randomise, rng):
    structure = problem(chain, (7, 5)).structure
    trained = randomise(structure.build())
    scores = rng.uniform(size=len(structure.graph(trained).owner))
    keep = chosen(structure, trained, scores, (3, 2))
    graph = structure.graph(trained)
    first, second = (np.flatnonzero(keep[made_by(graph, f"conv{i}")]) for i in (1, 2))
    small = cut(trained, structure, keep)
    kernels = [trained.get_layer(f"conv{i}").kernel.numpy() for i in (1, 2)]
    np.testing.assert_array_equal(
        small.get_layer("conv1").kernel, kernels[0][..., first]
    )
    np.testing.assert_array_equal(
        small.get_layer("conv2").kernel, kernels[1][:, :, first][..., second]
    )
    for one, other in zip(
        small.get_layer("bn1").weights, trained.get_layer("bn1").weights, strict=True
    ):
        np.testing.assert_array_equal(one, other.numpy()[first])


def test_a_network_whose_other_filters_are_zero_computes_the_same(randomise, rng):
    structure = problem(chain, (7, 5)).structure
    trained = randomise(structure.build())
    graph = structure.graph(trained)
    keep = np.ones(len(graph.owner), bool)
    for name, gone in (("1", [1, 2, 5, 6]), ("2", [0, 3])):
        norm = trained.get_layer(f"bn{name}")
        kernel = trained.get_layer(f"conv{name}").kernel
        for variable in (kernel, norm.gamma, norm.beta):
            value = variable.numpy()
            value[..., gone] = 0
            variable.assign(value)
        keep[made_by(graph, f"conv{name}")[gone]] = False
    images = rng.normal(size=(11, 5, 5, 3)).astype(np.float32)
    small = cut(trained, structure, keep)
    assert np.abs(trained(images)).max() > 0.1
    np.testing.assert_allclose(small(images), trained(images), rtol=1e-4, atol=1e-5)


def test_with_all_channels_nothing_changes(randomise):
    structure = problem(chain, (7, 5)).structure
    trained = randomise(structure.build())
    whole = cut(trained, structure, np.ones(len(structure.graph(trained).owner), bool))
    assert whole is not trained
    for one, other in zip(whole.weights, trained.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_channels_that_an_identity_adds_have_the_sum_of_their_scores(randomise, rng):
    structure = problem(residual, (7, 5, 7)).structure
    trained = randomise(structure.build())
    graph = structure.graph(trained)
    scores = rng.uniform(size=len(graph.owner))
    stem, inner, conv2 = (made_by(graph, name) for name in ("stem", "conv1", "conv2"))
    both = joined(scores, graph)
    for channels in (stem, conv2):
        np.testing.assert_allclose(both[channels], scores[stem] + scores[conv2])
    np.testing.assert_array_equal(both[inner], scores[inner])
    keep = chosen(structure, trained, scores, (3, 5, 3))
    np.testing.assert_array_equal(keep[stem], keep[conv2])
    plain = problem(chain, (7, 5)).structure
    graph = plain.graph(plain.build())
    scores = rng.uniform(size=len(graph.owner))
    np.testing.assert_array_equal(joined(scores, graph), scores)
