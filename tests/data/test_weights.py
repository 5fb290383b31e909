"""Weights of examples: by output, by class, and what is refused."""

import numpy as np
import pytest
from pictures import in_one_line

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.data.dataset import SPLITS
from ns_tf.data.weights import alike, check_weights, weights_in, weights_of_classes
from ns_tf.parts import Parts

N = 23
NAMES = ("kind", "box")


@pytest.fixture
def targets(rng):
    """A class and two numbers an example."""
    return Parts((np.arange(N) % 3, rng.normal(size=(N, 2)).astype(np.float32)))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(2), r"3 examples need weights \[3\]; got float64 \[2\]"),
        (np.array([1.0, -1.0, 0.0]), "from 0"),
        (np.array([1.0, np.inf, 0.0]), "finite"),
        (np.array([1.0, 1e39, 0.0]), "finite"),
    ],
)
def test_weights_that_are_none_are_refused(weights, message):
    with pytest.raises(InputError, match=message) as caught:
        check_weights("mine", weights, 3)
    in_one_line(caught)


def test_class_weights_need_classes():
    with pytest.raises(InputError, match="class weights need one class number") as e:
        weights_of_classes("mine", np.zeros((3, 2), np.float32), {0: 2.0})
    in_one_line(e)


def test_outputs_have_weights_by_name_or_by_place(targets, rng):
    a, b = rng.uniform(size=(2, N)).astype(np.float32)
    ones = np.ones(N, np.float32)
    cases = [
        ({"box": b, "kind": a}, (a, b)),
        ({"box": b[:, None]}, (ones, b)),
        ((a, b), (a, b)),
        ([None, b], (ones, b)),
    ]
    for given, expected in cases:
        found = weights_in("mine", given, None, targets, NAMES)
        assert isinstance(found, Parts)
        np.testing.assert_array_equal(found, expected)
    for whole in (a, list(a)):
        found = weights_in("mine", whole, None, targets, NAMES)
        np.testing.assert_array_equal(found, a)
    assert weights_in("mine", None, None, targets, NAMES) is None
    (single,) = {"w": a}.values()
    for given in (single, {"w": single}, (single,)):
        found = weights_in("mine", given, None, targets[0], ())
        np.testing.assert_array_equal(found, a)


def test_classes_of_an_output_have_weights(targets, rng):
    own = rng.uniform(size=N).astype(np.float32)
    by_class = np.array([1, 5, 0.5], np.float32)[targets[0]]
    factors = {"kind": {1: 5.0, 2: 0.5}}
    kind, box = weights_in("mine", own, factors, targets, NAMES)
    np.testing.assert_allclose(kind, own * by_class)
    np.testing.assert_array_equal(box, own)
    kind, box = weights_in("mine", None, factors, targets, NAMES)
    np.testing.assert_array_equal(kind, by_class)
    np.testing.assert_array_equal(box, np.ones(N))


def test_classes_may_be_text_as_json_has_them():
    labels = np.array([2, 0, 2])
    found = weights_of_classes("mine", labels, {"2": 5, np.int64(0): 3})
    assert found.tolist() == [5, 3, 5]


@pytest.mark.parametrize("key", ["one", 1.5, -1, "1.0", None, float("nan")])
def test_keys_that_are_no_classes_are_refused(key):
    with pytest.raises(InputError, match="by class, each a whole number") as caught:
        weights_of_classes("mine", np.array([0, 1]), {key: 2.0})
    in_one_line(caught)


def test_weights_of_classes_that_there_are_not_are_refused(rng):
    x, y = rng.normal(size=(N, 3)), np.arange(N) % 3
    told = "mine: class_weight has class 7, and classes are 0 to"
    with pytest.raises(InputError, match=f"{told} 2") as caught:
        from_arrays((x, y), name="mine", class_weight={"1": 5.0, 7: 5.0})
    in_one_line(caught)
    made = from_arrays((x, y), classes=9, class_weight={7: 5.0})
    assert set(made.train.weights) == {1.0}
    both = {"kind": y, "other": y % 2}
    weights = {"kind": {2: 3.0}, "other": {7: 5.0}}
    with pytest.raises(InputError, match=f"{told} 1"):
        from_arrays((x, both), name="mine", class_weight=weights)
    one = {"other": {1: 2.0}}
    assert from_arrays((x, both), class_weight=one).train.weights[1].max() == 2


def test_splits_get_weights_of_one_form():
    whole, by_output = np.full(2, 3.0), Parts((np.zeros(5), np.ones(5)))
    first, second, third = alike([whole, by_output, None], [2, 5, 7])
    assert [part.tolist() for part in first] == [[3, 3], [3, 3]]
    assert second is by_output
    assert [part.tolist() for part in third] == [[1] * 7, [1] * 7]
    assert alike([None, None], [2, 3]) == [None, None]


@pytest.mark.parametrize(
    ("given", "factors", "names", "message"),
    [
        ({"bx": np.ones(N)}, None, NAMES, "output with weights .*Did you mean 'box'"),
        (None, {"knd": {0: 2.0}}, NAMES, "Did you mean 'kind'"),
        (
            {"box": np.ones(N)},
            None,
            (),
            r"weights by name \(box\) need targets by name",
        ),
        ((np.ones(N), np.ones(3)), None, NAMES, r"need weights \[23\]"),
        (None, {0: 2.0}, NAMES, "by output"),
        (None, {"box": {0: 2.0}}, NAMES, "class weights need one class number"),
    ],
)
def test_weights_of_outputs_that_are_none_are_refused(
    given, factors, names, message, targets
):
    with pytest.raises(InputError, match=message) as caught:
        weights_in("mine", given, factors, targets, names)
    in_one_line(caught)


def test_weights_of_outputs_stay_with_their_examples(rng):
    count = np.arange(1.0, N + 1)
    targets = {"one": count * 2, "other": count * 3}
    weights = {"other": count * 5}
    dataset = from_arrays((count[:, None], targets, weights))
    for name in SPLITS:
        split = getattr(dataset, name)
        np.testing.assert_array_equal(split.weights[0], np.ones(len(split)))
        np.testing.assert_array_equal(split.weights[1], split.images[:, 0] * 5)
