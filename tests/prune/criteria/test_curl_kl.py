"""How far answers move: the numbers by hand, and what does not move them."""

import numpy as np
import pytest

from ns_tf.prune import criteria

FORMULA = criteria.get("curl_kl").formula


def test_both_directions_by_hand():
    p, q = np.log([[0.75, 0.25]]), np.log([[0.5, 0.5]])
    assert FORMULA(p, q) == pytest.approx(0.143841, abs=1e-6)
    assert FORMULA(q, p) == pytest.approx(0.130812, abs=1e-6)


def test_a_head_that_is_the_identity_by_hand():
    """h = [1, 2]: the logits are h, and closing a channel makes its logit 0."""
    whole = np.array([[1.0, 2.0]])
    assert FORMULA(whole, np.array([[0, 2.0]])) == pytest.approx(0.067131, abs=1e-6)
    assert FORMULA(whole, np.array([[1.0, 0]])) == pytest.approx(0.462117, abs=1e-6)


def test_a_constant_of_all_logits_changes_nothing(rng):
    whole, masked = rng.normal(size=(2, 7, 5))
    expected = FORMULA(whole, masked)
    assert FORMULA(whole + 11, masked - 3) == pytest.approx(expected, rel=1e-9)
    assert FORMULA(whole, whole) == 0 < expected


def test_logits_of_hundreds_are_no_trouble():
    assert np.isfinite(FORMULA(np.array([[900.0, 0]]), np.array([[0.0, 900]])))
