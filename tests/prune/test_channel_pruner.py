"""Channels that go: what is cut is what closed gates compute, and wishes hold."""

import keras
import numpy as np
import pytest
from picked import picked
from trained import learned, noise_images, pruner

from ns_tf.prune.scoring import ScoredNetwork
from ns_tf.scaling.bounds import bounds_of
from ns_tf.scaling.config import Wishes


@pytest.mark.parametrize(
    "name", picked({"residual"}, ["no_norm", "residual", "depthwise"])
)
def test_what_is_cut_computes_what_closed_gates_do(
    name, handmade, randomise, rng, float64
):
    """To 1e-10 in float64, through the solver, the builder and `inherit`."""
    model = randomise(handmade[name]())
    made = pruner(model, noise_images(rng), method="random", repair="none", macs=0.5)
    scores = made.score()
    keep = made.chosen(scores, made.solve(scores).widths)
    small, _ = made.cut_and_repair(keep)
    images = rng.normal(size=(3, 6, 7, 3))
    network = ScoredNetwork(model, made.graph, None, made.proxy())
    row = network.gated.rows(1, keep)[0]
    closed = np.array(network.outputs(keras.ops.convert_to_tensor(images), row))
    np.testing.assert_allclose(small(images, training=False), closed, atol=1e-10)
    assert not keep.all()


def test_wishes_hold_in_what_is_left():
    model, problem = learned()
    wishes = Wishes(tie="conv2:conv3", multiple_of={"conv1": 5})
    bounds = bounds_of(wishes, problem.structure.layers, problem.architecture.widths)
    work = pruner(model, problem.dataset, {"bounds": bounds}, method="random", macs=0.6)
    widths = work.solve(work.score()).widths
    assert widths[0] in (5, 10) and widths[1] == widths[2]


def test_widths_are_multiples_and_at_least_the_least():
    model, problem = learned()
    grid = {"round_to": 4, "min_width": 5}
    made = pruner(model, problem.dataset, grid, method="magnitude", params=0.6)
    widths = made.solve(made.score()).widths
    assert all(width % 4 == 0 and width >= 8 for width in widths)
    made = pruner(model, problem.dataset, {"max_width": 9}, method="gamma", params=1.0)
    assert made.solve(made.score()).widths == (9, 9, 9)
