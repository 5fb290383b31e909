"""Settings of network and data."""

import dataclasses

import pytest

from ns_tf.base import InputError
from ns_tf.problem.config import NetworkConfig, ProblemConfig


def test_nothing_is_given_by_default_so_that_a_search_may_say_it():
    assert set(dataclasses.asdict(ProblemConfig()).values()) == {None}


@pytest.mark.parametrize("name", ["it", "vgg11_0.5+seed-3", "a" * 100, "größe"])
def test_names_that_a_folder_can_have_are_taken(name):
    assert NetworkConfig(name=name).name == name


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "a" * 101, ".a", "a\n"])
def test_other_names_are_refused(name):
    with pytest.raises(InputError, match="--name is a folder's name"):
        NetworkConfig(name=name)


def test_where_data_are_does_not_make_another_run_but_what_they_are_does():
    options = {f.name: f.metadata["option"] for f in dataclasses.fields(ProblemConfig)}
    assert {n for n, o in options.items() if not o["identity"]} == {"data_dir"}
    assert {n for n, o in options.items() if o["inherited"]} == (
        set(options) - {"data_dir"}
    )
