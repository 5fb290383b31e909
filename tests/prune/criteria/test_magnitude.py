"""The L1 norm of a filter's kernel: the formula, and what it does not see."""

import numpy as np
from small import batches, made_by, planted, prunable

from ns_tf.prune import criteria


def test_magnitude_is_the_l1_norm_of_the_filter_not_of_what_it_reads():
    kernel = np.array([[1, -2], [3, 0.5]])[None, None]
    np.testing.assert_array_equal(criteria.get("magnitude").formula(kernel), [4, 2.5])


def test_magnitude_sums_over_all_axes_but_the_last(rng):
    for shape in [(3, 5, 7, 11), (7, 11), (2, 3, 5, 7, 11)]:
        kernel = rng.normal(size=shape)
        expected = [np.abs(kernel[..., f]).sum() for f in range(11)]
        np.testing.assert_allclose(criteria.get("magnitude").formula(kernel), expected)


def test_magnitude_sees_none_of_the_planted_channels(rng):
    """It reads the filter's own kernel: METHODS 2.2's blind spot."""
    pruned = prunable(planted(rng), criterion="magnitude")
    for images, labels in batches(rng, 1):
        pruned.train(images, labels, 0.0)
    assert (pruned.score_sums() == 0).all()  # Nothing is scored in the step.
    kernels = dict((tuple(numbers), kernel) for numbers, kernel in pruned.kernels())
    a = made_by(pruned.graph, "a")
    scores = criteria.get("magnitude").formula(kernels[tuple(a)])
    assert (scores > 0).all()
