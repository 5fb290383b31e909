"""One value for one input, parts for several: the same code for both."""

import json

import numpy as np
import pytest

from ns_tf.parts import Parts, each, first, parts, plain, shape_from, shape_text


def test_a_function_is_of_each_part_and_of_a_single_value_once():
    assert each(lambda x, y: x * y, 3, 5) == 15
    found = each(lambda x, y: x * y, Parts((2, 3)), Parts((5, 7)))
    assert found == (10, 21) and isinstance(found, Parts)
    assert each(lambda x, y: (x, y), Parts((2, 3)), (5, 7)) == (
        (2, (5, 7)),
        (3, (5, 7)),
    )
    with pytest.raises(ValueError, match="unpack"):
        each(lambda x, y: x, Parts((2, 3)), Parts((5, 7, 11)))


def test_a_plain_tuple_is_one_value():
    assert parts((5, 7)) == ((5, 7),) and parts(Parts((5, 7))) == (5, 7)
    assert first((5, 7)) == 5 and type(plain(Parts((5, 7)))) is tuple


def test_shapes_survive_json():
    for shape in ((5, 7, 3), (11,), (), Parts([(5, 7, 3), (11,)])):
        found = shape_from(json.loads(json.dumps(shape)))
        assert found == shape and type(found) is type(shape)
    assert shape_text(Parts([(5, None, 3), (11,)])) == "5x?x3, 11"
    assert hash(Parts([(5, 7), (11,)])) == hash(Parts([(5, 7), (11,)]))
    assert shape_from((np.int64(5), np.int64(7))) == (5, 7)
