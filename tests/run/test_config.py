"""What every command shares: the run folder has to be named."""

import re

import pytest

from ns_tf.base import InputError
from ns_tf.run.config import FOLDER_NAME, RunConfig


def test_a_run_is_kept_in_the_folder_that_was_named():
    assert RunConfig(run_dir="runs/vgg11").run_dir == "runs/vgg11"


def test_without_a_folder_the_error_shows_how_to_name_one():
    with pytest.raises(InputError, match="--run_dir=runs/NAME"):
        RunConfig()


@pytest.mark.parametrize("name", ["a", "vgg11-x_2", "params", "+a.b", "é" * 100])
def test_names_of_folders_are_short_and_plain(name):
    assert re.fullmatch(FOLDER_NAME, name)


@pytest.mark.parametrize("name", ["", ".", "..", ".a", "a/b", "/a", "a b", "a" * 101])
def test_names_that_lead_elsewhere_are_none(name):
    assert not re.fullmatch(FOLDER_NAME, name)
