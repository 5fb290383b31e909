"""TensorBoard's curves."""

import numpy as np
from tensorboard.backend.event_processing import event_accumulator

from ns_tf.run import tensorboard
from ns_tf.run.progress import Quiet


def test_values_are_written_now_and_then_and_counted_on_after_a_stop(tmp_path):
    shown = []

    class Shown(Quiet):
        def update(self, n=1, **values):
            shown.append(values)

    progress = tensorboard.logged(Shown, tmp_path)
    for first in (0, 23):
        with progress(47, label="iteration 1/2", unit="steps", initial=first) as bar:
            for step in range(first, first + 23):
                bar.update(1, loss=1 / (step + 1), filters=97 - step)
    (folder,) = tmp_path.iterdir()
    assert folder.name == "iteration_1_2"
    read = event_accumulator.EventAccumulator(str(folder), {"tensors": 0})
    read.Reload()
    events = {
        event.step: float(
            np.frombuffer(event.tensor_proto.tensor_content, np.float32)[0]
        )
        if event.tensor_proto.tensor_content
        else event.tensor_proto.float_val[0]
        for event in read.Tensors("loss")
    }
    assert sorted(events) == [10, 20, 30, 40]
    np.testing.assert_allclose([events[s] * s for s in sorted(events)], 1, rtol=1e-6)
    assert len(shown) == 46 and shown[3] == {"loss": 1 / 4, "filters": 94}


def test_without_tensorboard_the_progress_is_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard.importlib.util, "find_spec", lambda name: None)
    assert tensorboard.logged(Quiet, tmp_path) is Quiet
