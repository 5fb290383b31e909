"""Label refinery: the numbers by hand, and what its ends are."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ns_tf.base import InputError
from ns_tf.train import recipes
from ns_tf.train.recipes.refine import refine

STUDENT = np.log([[0.6, 0.4]])


def test_the_gradient_of_a_row_by_hand(float64):
    """share (p - q): 0.7 ([0.5, 0.5] - [0.6, 0.4]) = [-0.07, 0.07]."""
    row, labels = tf.zeros((1, 2), tf.float64), np.array([[0.3, 0.7]])
    with tf.GradientTape() as tape:
        tape.watch(row)
        loss = refine(STUDENT, labels, row)
    np.testing.assert_allclose(tape.gradient(loss, row), [[-0.07, 0.07]], atol=1e-9)


def test_the_divergence_is_that_of_the_student_from_the_table(rng):
    logits, table = rng.normal(size=(2, 7, 5))
    q, p = (np.exp(x) / np.exp(x).sum(-1, keepdims=True) for x in (logits, table))
    labels = rng.dirichlet(np.ones(5), 7)
    expected = (q * np.log(q / p)).sum(-1)
    entropy = -(labels * np.log(q)).sum(-1)
    found = refine(logits, labels, table)
    np.testing.assert_allclose(found, 0.7 * expected + 0.3 * entropy, rtol=1e-5)
    turned = (p * np.log(p / q)).sum(-1)
    assert not np.allclose(expected, turned), "the directions differ"


def test_a_share_of_zero_is_the_cross_entropy(rng):
    logits, table = rng.normal(size=(2, 7, 5)).astype("float32")
    labels = np.eye(5, dtype="float32")[rng.integers(0, 5, 7)]
    expected = keras.losses.categorical_crossentropy(labels, logits, from_logits=True)
    found = refine(logits, labels, table, share=0.0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_table_that_says_what_the_student_says_teaches_nothing(rng):
    logits = rng.normal(size=(7, 5))
    found = refine(logits, np.eye(5)[:1].repeat(7, 0), logits + 3, share=1.0)
    np.testing.assert_allclose(found, 0, atol=1e-6)


def test_its_options_are_share_and_rates_and_its_images_are_not_mixed():
    member = recipes.get("refine(table_rate=0.5, rate=0.0001)")
    assert (member.table_rate, member.rate, member.mixup) == (0.5, 0.0001, 0)
    with pytest.raises(InputError, match="no 'mixup'; it has share, table_rate, rate"):
        recipes.get("refine(mixup=1.0)")
    with pytest.raises(InputError, match="no 'table_rate'; it has mixup, rate"):
        recipes.get("plain(table_rate=1.0)")
