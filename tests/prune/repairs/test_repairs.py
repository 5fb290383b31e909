"""What every repair does, and how several are named."""

import keras
import numpy as np
import pytest
from trained import noise_images, pruner

from ns_tf.base import InputError
from ns_tf.graph import weights
from ns_tf.prune import repairs
from ns_tf.prune.repairs import REPAIRS


def test_several_are_done_in_the_order_of_their_names():
    names = REPAIRS.names()
    assert [one.name for one in repairs.parse("+".join(names))] == names
    assert repairs.parse("none") == ()


def test_an_unknown_repair_suggests_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'statistics'"):
        repairs.parse("statistic")


@pytest.mark.parametrize("name", REPAIRS.names())
def test_a_repair_leaves_the_trained_network_and_shapes_as_they_are(
    name, handmade, randomise, rng, monkeypatch
):
    model = randomise(handmade["chain"]())
    made = pruner(model, noise_images(rng), method="magnitude", repair=name, macs=0.5)
    scores = made.score()
    keep = made.chosen(scores, made.solve(scores).widths)
    before = weights.values(model)
    monkeypatch.setattr(made, "_scorer", lambda model: lambda split: 0.5)
    monkeypatch.setattr(made, "accuracy", lambda model, split: 0.5)
    small, _ = made.cut_and_repair(keep)
    again, _ = made.cut_and_repair(keep)
    for key, value in weights.values(model).items():
        np.testing.assert_array_equal(value, before[key])
    for one, other in zip(small.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, other)  # The same bits for one seed.
        assert np.isfinite(np.array(one)).all()
    assert isinstance(small, keras.Model)
