"""TensorBoard's curves."""

import numpy as np
from small import Recorder
from tensorboard.backend.event_processing import event_accumulator

from ns_tf.run import tensorboard
from ns_tf.run.progress import Quiet


def points(folder, name) -> dict[int, float]:
    """Step -> value of a curve that was written."""
    read = event_accumulator.EventAccumulator(str(folder), {"tensors": 0})
    read.Reload()
    values = {}
    for event in read.Tensors(name):
        content = event.tensor_proto.tensor_content
        numbers = np.frombuffer(content, np.float32) if content else ()
        values[event.step] = float([*numbers, *event.tensor_proto.float_val][0])
    return values


def test_values_are_written_now_and_then_and_counted_on_after_a_stop(tmp_path):
    shown = Recorder()
    meter = tensorboard.logged(shown, tmp_path)
    for first in (0, 23):
        with meter.bar(47, label="iteration 1/2", unit="steps", initial=first) as bar:
            for step in range(first, first + 23):
                bar.update(1, loss=1 / (step + 1), filters=97 - step)
    (folder,) = tmp_path.iterdir()
    assert folder.name == "iteration_1_2"
    losses = points(folder, "loss")
    assert sorted(losses) == [10, 20, 30, 40]
    np.testing.assert_allclose([step * losses[step] for step in losses], 1, rtol=1e-6)
    assert points(folder, "filters") == {step: 98 - step for step in losses}
    assert [bar["initial"] for bar in shown.bars] == [0, 23]
    assert len(shown.updates) == 46
    assert shown.updates[3] == {"n": 1, "loss": 1 / 4, "filters": 94}


def test_each_label_is_a_run_of_its_own(tmp_path):
    meter = tensorboard.logged(Quiet(), tmp_path)
    for label in ("prune", "a b/c"):
        with meter.bar(10, label=label, unit="steps") as bar:
            bar.update(10, loss=3.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_b_c", "prune"]
    assert points(tmp_path / "prune", "loss") == {10: 3.0}


def test_without_tensorboard_the_progress_is_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard.importlib.util, "find_spec", lambda name: None)
    meter = Quiet()
    assert tensorboard.logged(meter, tmp_path) is meter
