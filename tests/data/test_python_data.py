"""Data given as arrays: told apart by content."""

import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.data import python_data
from ns_tf.data.arrays import from_arrays
from ns_tf.run.folder import PREFIX


@pytest.fixture
def pair(rng):
    def pair(count=53):
        images = rng.integers(0, 256, (count, 5, 7, 3), dtype=np.uint8)
        return images, np.arange(count) % 3

    return pair


def test_data_are_told_apart_by_content(pair):
    one, other = pair(), pair()
    names = [
        python_data.dataset(data).name
        for data in (one, other, from_arrays(one), from_arrays(other))
    ]
    assert names[:2] == names[2:] and names[0] != names[1]
    tested = python_data.dataset(from_arrays(one, test=other)).name
    assert tested not in names
    assert all(name.startswith(PREFIX) for name in [*names, tested])


def test_a_data_set_keeps_the_name_that_it_was_given(pair):
    found = python_data.dataset(from_arrays(pair(), name="mine"))
    assert found.name == "mine"


def test_data_to_train_and_to_test_as_keras_has_them(pair):
    train, test = pair(), pair(11)
    found = python_data.dataset((train, test))
    np.testing.assert_array_equal(found.test.images, test[0])
    assert len(found.train) + len(found.validation) == 53


def test_more_pairs_than_two_are_refused(pair):
    with pytest.raises(InputError, match="to train and one to test"):
        python_data.dataset((pair(), pair(), pair()))
