"""Wishes find their widths by any layer of them, or say which name is near."""

import pytest

from ns_tf.base import InputError
from ns_tf.scaling.bounds import Bound, Bounds, bounds_of
from ns_tf.scaling.config import Wishes

LAYERS = (("stem", "block1_conv2"), ("block1_conv1",), ("head",))
OWN = (16, 24, 16)


def places(**wishes):
    return [bound.places for bound in bounds_of(Wishes(**wishes), LAYERS, OWN).each]


def test_a_width_is_found_by_any_of_its_layers_and_by_patterns():
    assert places(keep=("block1_conv2", "block1*")) == [(0,), (0, 1)]
    assert places(tie=["stem:head", "*"]) == [(0, 2), (0, 1, 2)]
    assert places(widths_between={"head": (2, 3)}, multiple_of={"*e*": 8}) == [
        (2,),
        (0, 2),
    ]


def test_what_single_bounds_say():
    wishes = Wishes(widths_between={"stem": (3, None)}, multiple_of={"head": 8})
    between, multiple = bounds_of(wishes, LAYERS, OWN).each
    assert (between.low, between.high, multiple.step) == (3, 2**16, 8)


@pytest.mark.parametrize("wish", ["keep", "tie"])
def test_an_unknown_name_is_refused_with_the_nearest(wish):
    with pytest.raises(InputError, match="Did you mean 'stem'?") as refused:
        places(**{wish: ("stm:head" if wish == "tie" else "stm",)})
    assert f"--{wish}=stm" in str(refused.value) and "head." in str(refused.value)


def test_a_tie_of_one_width_is_refused():
    with pytest.raises(InputError, match="--tie=stem:block1_conv2 is one width"):
        places(tie=("stem:block1_conv2",))


def test_ties_that_share_a_width_are_one():
    each = (
        Bound("--tie=a:b", (0, 1), ties=True),
        Bound("--tie=c:d", (2, 3), ties=True),
        Bound("--tie=b:c", (1, 2), ties=True),
        Bound("--tie=e:f", (4, 5), ties=True),
    )
    assert Bounds(tuple("abcdef"), (7,) * 6, each).tied == ((0, 1, 2, 3), (4, 5))


def test_ties_of_trained_layers_of_different_sizes_are_refused():
    bounds_of(Wishes(tie="stem:head"), LAYERS, OWN).check_ties()
    with pytest.raises(InputError, match="they have stem 16, block1_conv1 24 filters"):
        bounds_of(Wishes(tie="stem:block1_conv1"), LAYERS, OWN).check_ties()
