"""Wishes as flags and from Python: one value, and what is refused."""

import pytest
from absl import flags

from ns_tf.base import InputError
from ns_tf.run import flags as run_flags
from ns_tf.scaling.config import Wishes

PYTHON = Wishes(
    keep="stem",
    tie=[("a", "b"), "c:d*"],
    widths_between={"stem": (8, 64), "head": (None, 100), "e": [3, None]},
    multiple_of={"block*": 8},
)
FLAGS = (
    "--keep=stem",
    "--tie=a:b,c:d*",
    "--widths_between=stem:8:64,head::100,e:3:",
    "--multiple_of=block*:8",
)


def test_flags_and_python_are_one_value():
    values = flags.FlagValues()
    run_flags.define(Wishes, flag_values=values)
    values(["command", *FLAGS])
    assert run_flags.read(Wishes, flag_values=values) == PYTHON
    assert Wishes(**{name: getattr(PYTHON, name) for name in vars(PYTHON)}) == PYTHON


def test_what_was_asked_for_is_read_back():
    assert PYTHON.ties == {"a:b": ("a", "b"), "c:d*": ("c", "d*")}
    assert PYTHON.between["head::100"] == ("head", None, 100)
    assert PYTHON.multiples == {"block*:8": ("block*", 8)}
    assert len(PYTHON.asked) == 1 + 2 + 3 + 1
    assert PYTHON.wishes == PYTHON and not Wishes().asked


def test_a_name_may_have_a_colon():
    wishes = Wishes(widths_between={"a:0": (2, 3)}, multiple_of={"a:0": 5})
    assert wishes.between["a:0:2:3"] == ("a:0", 2, 3)
    assert wishes.multiples["a:0:5"] == ("a:0", 5)


@pytest.mark.parametrize(
    "wish, told",
    [
        ({"widths_between": ("stem:8",)}, "LAYER:LEAST:MOST"),
        ({"widths_between": {"stem": (0, 8)}}, "whole numbers from 1"),
        ({"widths_between": {"stem": (64, 8)}}, "got 64 and 8"),
        ({"widths_between": {"stem": ("x", 8)}}, "--widths_between=stem:x:8"),
        ({"multiple_of": ("stem",)}, "LAYER:NUMBER"),
        ({"multiple_of": {"stem": 0}}, "--multiple_of=stem:0"),
        ({"multiple_of": {"stem": None}}, "LAYER:NUMBER"),
        ({"multiple_of": {"stem": 2.5}}, "--multiple_of=stem:2.5"),
        ({"keep": 3}, "keep is the names of layers; got 3"),
        ({"keep": (3,)}, "keep is the names of layers; got 3"),
        ({"tie": 3}, "tie is the names of layers; got 3"),
    ],
)
def test_other_forms_are_refused_in_one_line(wish, told):
    with pytest.raises(InputError) as refused:
        Wishes(**wish)
    assert told in str(refused.value) and "\n" not in str(refused.value)
