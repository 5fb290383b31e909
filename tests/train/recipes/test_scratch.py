"""Fresh weights."""

from ns_tf.train import recipes


def test_it_starts_from_fresh_weights_at_a_rate_for_them():
    scratch = recipes.get("scratch")
    assert scratch.fresh and scratch.rate == 0.1 and not scratch.equal_cost
