"""Settings of a search: what may be, and what may change later."""

import dataclasses

import pytest

from ns_tf.base import InputError
from ns_tf.descend.config import SearchConfig


@pytest.mark.parametrize(
    "name, value",
    [
        ("iterations", 0),
        ("tolerance", -1),
        ("ratio", 0.0),
        ("ratio", -0.5),
        ("ratio", float("nan")),
        ("ratio", 101.0),
    ],
)
def test_a_number_out_of_its_range_is_refused_by_the_name_of_its_flag(name, value):
    with pytest.raises(InputError, match=f"--{name}"):
        SearchConfig(**{name: value})


def test_a_search_may_go_on_with_more_iterations_and_another_tolerance_only():
    about = {f.name: f.metadata["option"] for f in dataclasses.fields(SearchConfig)}
    free = {name for name, option in about.items() if not option["identity"]}
    assert free == {"iterations", "tolerance"}
    assert set(about) == free | {"architecture", "ratio", "widths", "weights"}
