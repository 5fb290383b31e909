"""Distillation: the numbers by hand, and what its ends are."""

import numpy as np
import pytest

from ns_tf.train.recipes.distil import distil


def cross_entropy(logits, labels):
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return -(labels * log_p).sum(axis=-1)


def test_the_divergence_by_hand():
    """Teacher [2 ln 3, 0], student [0, 0], T = 2: T^2 KL = .523248."""
    teacher = np.array([[2 * np.log(3), 0]])
    labels = np.array([[0.3, 0.7]])
    found = distil(np.zeros((1, 2)), labels, teacher, share=1.0)
    assert float(found[0]) == pytest.approx(0.523248, abs=1e-6)
    both = float(distil(np.zeros((1, 2)), labels, teacher)[0])
    assert both == pytest.approx(0.7 * 0.523248 + 0.3 * np.log(2), abs=1e-6)


def test_a_share_of_zero_is_the_cross_entropy(rng):
    logits, teacher = rng.normal(size=(2, 7, 5))
    labels = rng.dirichlet(np.ones(5), 7)
    found = distil(logits, labels, teacher, share=0.0)
    np.testing.assert_allclose(found, cross_entropy(logits, labels), rtol=1e-5)


def test_a_student_that_answers_as_its_teacher_has_nothing_to_learn_from_it(rng):
    logits = rng.normal(size=(7, 5))
    found = distil(logits, np.eye(5)[:1].repeat(7, 0), logits + 3, share=1.0)
    np.testing.assert_allclose(found, 0, atol=1e-6)
