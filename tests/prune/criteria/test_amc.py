"""What AMC chooses inputs by."""

import numpy as np

from ns_tf.prune import criteria


def test_the_norm_is_over_all_that_reads_a_channel(rng):
    kernel = rng.normal(size=(3, 2, 5, 7))
    score = criteria.get("amc").formula(kernel)
    by_hand = [sum(abs(kernel[:, :, c, :].ravel())) for c in range(5)]
    np.testing.assert_allclose(score, by_hand)


def test_its_widths_are_an_agents_and_its_repair_is_least_squares():
    member = criteria.get("amc")
    assert (member.allocation, member.repair) == ("amc", "least_squares")
