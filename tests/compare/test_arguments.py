"""Methods, budgets and seeds of a comparison, as Python gives them."""

import numpy as np
import pytest
from pictures import in_one_line

from ns_tf.base import InputError
from ns_tf.compare.arguments import budget_texts, methods_of, seeds_of
from ns_tf.compare.proposals import parse_budget


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        (2, (0, 1)),
        (np.int64(2), (0, 1)),
        (range(3, 5), (3, 4)),
        (np.array([5, 7]), (5, 7)),
        (0, ()),
    ],
)
def test_seeds_are_a_number_or_several(seeds, expected):
    found = seeds_of(seeds)
    assert found == expected and all(type(seed) is int for seed in found)


def test_methods_are_text_with_commas_or_several():
    assert methods_of("uniform") == ("uniform",)
    assert methods_of("uniform,x=neuralscale@1") == ("uniform", "x=neuralscale@1")
    assert methods_of(np.array(["uniform", "random"])) == ("uniform", "random")


@pytest.mark.parametrize(
    ("function", "value", "message"),
    [
        (seeds_of, 2.0, "seeds is how many.*got 2.0"),
        (seeds_of, True, "got True"),
        (seeds_of, "0,1", "got '0,1'"),
        (seeds_of, 20_261_129, r"1000 are the most.*seeds=\[20261129\]"),
        (seeds_of, (0, 1.5), "got .0, 1.5."),
        (methods_of, None, "methods are names.*got None"),
        (methods_of, [3], r"got \[3\]"),
        (budget_texts, {"params": "600"}, "params is a number.*got '600'"),
    ],
)
def test_what_is_neither_is_refused(function, value, message):
    with pytest.raises(InputError, match=message) as caught:
        function(value)
    in_one_line(caught)


@pytest.mark.parametrize(
    "value",
    [12_345_678_901, 123456789012.75, 5e10, 1 / 3, np.float32(0.1), np.int64(10**12)],
)
def test_a_budget_is_read_again_as_it_was_asked(value):
    (text,) = budget_texts({"macs": value})
    assert parse_budget(text) == {"macs": float(value)}


@pytest.mark.parametrize(
    "several", [[0.25, 0.5], (0.25, 0.5), np.linspace(0.25, 0.5, 2)]
)
def test_budgets_are_several_in_any_sequence(several):
    assert budget_texts({"ratio": several}) == ["ratio=0.25", "ratio=0.5"]
