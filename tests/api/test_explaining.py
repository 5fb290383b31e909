"""`ns_tf.explain` takes what commands take as a model, and changes nothing."""

import numpy as np

import ns_tf


def test_a_model_is_explained_and_not_changed(handmade, tmp_path):
    model = handmade["chain"]()
    before = [weight.numpy() for weight in model.weights]
    found = ns_tf.explain(model)
    assert isinstance(found, ns_tf.Explanation)
    assert [one.name for one in found.widths] == ["a", "b"]
    for one, other in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(one, other.numpy())
    model.save(tmp_path / "mine.keras")
    assert ns_tf.explain(tmp_path / "mine.keras").widths == found.widths
