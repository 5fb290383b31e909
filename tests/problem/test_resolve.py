"""Network and data from flags, from run folders, and from both."""

import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.data.config import DataConfig
from ns_tf.networks import architectures
from ns_tf.problem.config import NetworkConfig, ProblemConfig
from ns_tf.problem.resolve import (
    data_config,
    load_dataset,
    problem_of,
    resolve,
    settings_in,
)
from ns_tf.run.flagfile import as_flagfile
from ns_tf.run.folder import DESCENT, FLAGS


def test_flags_come_before_the_nearest_folder_and_that_before_the_others():
    flags = ProblemConfig(split_seed=3)
    near = ProblemConfig(dataset="digits", split_seed=5)
    far = ProblemConfig(architecture="vgg11", dataset="cifar10", image_size=16)
    settings = resolve(flags, near, None, far, place="runs/a")
    assert settings == ProblemConfig("vgg11", "digits", image_size=16, split_seed=3)


def test_what_else_the_flags_hold_stays():
    flags = NetworkConfig(widths=(3, 5), name="it")
    settings = resolve(flags, ProblemConfig("vgg11", "digits"), place="runs/a")
    assert settings == NetworkConfig("vgg11", "digits", widths=(3, 5), name="it")


@pytest.mark.parametrize(
    ("flags", "missing"),
    [
        (ProblemConfig(dataset="digits"), "--architecture is missing"),
        (ProblemConfig(architecture="vgg11"), "--dataset is missing"),
    ],
)
def test_what_is_known_from_nowhere_is_asked_for(flags, missing):
    words = f"runs/a holds no search .* --dataset, and widths .*{missing}"
    with pytest.raises(InputError, match=words):
        resolve(flags, None, place="runs/a")


def test_data_that_came_from_python_cannot_be_found_again():
    search = ProblemConfig("vgg11", "python:1234")
    with pytest.raises(InputError, match="The search had its data from Python"):
        resolve(ProblemConfig(), search, place="runs/a")
    settings = resolve(ProblemConfig(dataset="digits"), search, place="runs/a")
    assert settings.dataset == "digits"


def kept(folder, settings):
    (folder / FLAGS).write_text(as_flagfile((settings,)))
    return folder


def test_the_settings_of_a_folder_are_those_that_its_flags_were_written_of(tmp_path):
    settings = ProblemConfig("vgg11", "digits", image_size=8, validation_fraction=0.25)
    assert settings_in(kept(tmp_path, settings)) == settings


def test_a_folder_without_flags_has_no_settings(tmp_path):
    assert settings_in(tmp_path) is None
    assert settings_in(tmp_path / "none") is None


def test_flags_of_a_search_that_name_no_data_are_damaged(tmp_path):
    kept(tmp_path, ProblemConfig(architecture="vgg11"))
    assert settings_in(tmp_path).dataset is None
    (tmp_path / DESCENT).write_text("{}")
    with pytest.raises(InputError, match="damaged .no --dataset in it"):
        settings_in(tmp_path)
    (tmp_path / FLAGS).unlink()
    with pytest.raises(InputError, match="There is no list of flags"):
        settings_in(tmp_path)


def test_what_is_no_flagfile_is_damaged(tmp_path):
    (tmp_path / FLAGS).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="list of flags .* is damaged"):
        settings_in(tmp_path)


def test_settings_of_the_data_have_defaults_where_nothing_is_given():
    assert data_config(ProblemConfig(dataset="digits")) == DataConfig(dataset="digits")
    given = ProblemConfig("vgg11", "digits", image_size=8, split_seed=0)
    assert data_config(given) == DataConfig(dataset="digits", image_size=8)


def test_a_data_set_is_loaded_as_the_settings_say():
    config = DataConfig(dataset="digits", image_size=8, validation_fraction=0.25)
    dataset = load_dataset(config)
    assert dataset.image_shape == (8, 8, 1)
    splits = dataset.train, dataset.validation, dataset.test
    sizes = np.array([len(split) for split in splits])
    # The digits have neither of the two other splits: each is held out.
    np.testing.assert_allclose(sizes / sizes.sum(), [0.5, 0.25, 0.25], atol=0.01)
    with pytest.raises(InputError, match="Did you mean 'digits'"):
        load_dataset(DataConfig(dataset="digit"))


def test_a_problem_is_made_of_complete_settings():
    settings = ProblemConfig("vgg11", "digits", image_size=32)
    work = problem_of(settings)
    assert work.architecture.name == "vgg11" and work.dataset.name == "digits"
    named = architectures.get("vgg11")
    assert problem_of(settings, named).architecture is named
    with pytest.raises(InputError, match="Did you mean 'vgg11'"):
        problem_of(ProblemConfig("vg11", "digits"))
