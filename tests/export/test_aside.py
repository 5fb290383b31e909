"""The folder aside of an export: what a killed one left goes, what is in use stays."""

import os
import signal

import pytest

from ns_tf.base import InputError
from ns_tf.export.aside import folder_in


def hidden(target):
    return sorted(path.name for path in target.glob(".export.*"))


def test_the_folder_is_there_for_the_block_alone(tmp_path):
    with folder_in(tmp_path / "deep" / "models") as work:
        (work / "half").touch()
        assert work.parent == tmp_path / "deep" / "models"
    assert not hidden(tmp_path / "deep" / "models")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyError()])
def test_what_failed_leaves_nothing(tmp_path, error):
    told = InputError if isinstance(error, OSError) else KeyError
    with pytest.raises(told):
        with folder_in(tmp_path / "deep" / "models") as work:
            (work / "half").touch()
            raise error
    assert not list(tmp_path.iterdir())


def test_what_a_killed_export_left_is_removed_by_the_next(tmp_path):
    child = os.fork()
    if child == 0:
        with folder_in(tmp_path) as work:
            (work / "half").touch()
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(hidden(tmp_path)) == 1
    with folder_in(tmp_path) as first:
        assert hidden(tmp_path) == [first.name]
        with folder_in(tmp_path) as second:
            assert hidden(tmp_path) == sorted([first.name, second.name])
        assert first.is_dir()


def test_a_folder_that_was_there_stays_though_nothing_was_written(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError), folder_in(tmp_path / "there" / "deep") as work:
        assert work.parent == tmp_path / "there" / "deep"
        raise OSError(13, "Permission denied")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert not list((tmp_path / "there").iterdir())
