"""AutoSlim's greedy widths, trained from fresh weights."""

from ns_tf.prune import criteria


def test_widths_are_greedy_and_weights_are_fresh():
    member = criteria.get("autoslim")
    assert (member.allocation, member.recipe) == ("greedy", "scratch")
