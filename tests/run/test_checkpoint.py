"""A file that long work continues from."""

import numpy as np
import pytest
from small import Ended, StopAt

from ns_tf.base import InputError
from ns_tf.run.checkpoint import Checkpoint
from ns_tf.run.stop import Interrupted, Stop

ARRAYS = {"a": np.arange(7), "b/c": np.full((3, 5), 0.1)}
FACTS = {"steps": 11, "loss": 0.25, "rows": [[2, 3], [5, 7]]}


def restored(path):
    """All that `restore` hands over, call by call."""
    states = []
    Checkpoint(path, seconds=0).restore(lambda *state: states.append(state))
    return states


def test_what_was_saved_last_comes_back_exactly(tmp_path):
    path = tmp_path / "checkpoints" / "it.npz"  # Its folder is made.
    saved = Checkpoint(path, seconds=0)
    saved.save({"a": np.zeros(3)}, {"steps": 1})
    saved.save(ARRAYS, FACTS)
    ((arrays, facts),) = restored(path)
    assert facts == FACTS and arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_without_a_file_there_is_nothing_to_restore(tmp_path):
    assert restored(tmp_path / "none.npz") == restored(None) == []


def test_a_save_is_due_after_so_many_seconds(tmp_path, clock):
    saved = Checkpoint(tmp_path / "it.npz", seconds=60)
    assert not saved.due()
    clock.now += 59
    assert not saved.due()
    clock.now += 1
    assert saved.due()
    saved.save(ARRAYS, FACTS)
    assert not saved.due()


def test_without_a_path_nothing_is_ever_due_but_a_stop(clock):
    nothing = Checkpoint(None, seconds=0)
    clock.now += 1000
    assert not nothing.due()
    stopped = Checkpoint(None, seconds=0, stop=StopAt(2))
    assert [stopped.due(), stopped.due()] == [False, True]
    with pytest.raises(Ended):
        stopped.save(ARRAYS, FACTS)


def test_a_requested_stop_is_left_after_the_state_is_saved(tmp_path):
    stop = Stop()
    saved = Checkpoint(tmp_path / "it.npz", seconds=1000, stop=stop)
    assert not saved.due()
    stop.signum = 15
    assert saved.due()
    with pytest.raises(Interrupted):
        saved.save(ARRAYS, FACTS)
    assert restored(tmp_path / "it.npz")[0][1] == FACTS


def test_a_damaged_checkpoint_says_what_to_do(tmp_path):
    path = tmp_path / "it.npz"
    Checkpoint(path, seconds=0).save(ARRAYS, FACTS)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="it.npz is damaged .* Delete it"):
        restored(path)


def test_a_state_that_cannot_be_taken_is_a_damaged_checkpoint(tmp_path):
    """As of another version: an entry is missing."""
    path = tmp_path / "it.npz"
    Checkpoint(path, seconds=0).save(ARRAYS, FACTS)
    with pytest.raises(InputError, match="damaged .*'momentum'.* Delete it"):
        Checkpoint(path, seconds=0).restore(lambda arrays, _: arrays["momentum"])


def test_removing_removes_and_may_be_done_twice(tmp_path):
    saved = Checkpoint(tmp_path / "it.npz", seconds=0)
    saved.save(ARRAYS, FACTS)
    saved.remove()
    saved.remove()
    Checkpoint(None, seconds=0).remove()
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_reads_what_another_writes_writes_nothing(tmp_path):
    path, stop = tmp_path / "it.npz", Stop()
    Checkpoint(path, seconds=0).save(ARRAYS, FACTS)
    reader = Checkpoint(path, seconds=0, stop=stop, writes=False)
    assert not reader.due()
    reader.save({"a": np.zeros(3)}, {"steps": 1})
    reader.remove()
    ((_, facts),) = restored(path)
    assert facts == FACTS
    stop.signum = 15
    assert reader.due()
    with pytest.raises(Interrupted):
        reader.save({}, {})
