"""What watches long work."""

import pytest
from small import Recorder, StopAt

from ns_tf.run.progress import Quiet
from ns_tf.run.stop import Stop
from ns_tf.run.watch import Watch


def test_the_default_shows_nothing_keeps_nothing_and_never_stops(capfd):
    watch = Watch()
    with watch.bar(3, label="fit", unit="steps") as bar:
        bar.update(2, loss=0.5)
    assert capfd.readouterr() == ("", "")
    assert watch.checkpoint("it.npz").path is None
    assert not watch.checkpoint("it.npz").due()


def test_a_bar_is_the_progress_meters_own():
    meter = Recorder()
    with Watch(meter).bar(7, label="fit", unit="steps", initial=3) as bar:
        bar.update(2, loss=0.5)
    options = {"label": "fit", "unit": "steps", "initial": 3}
    assert meter.bars == [{"total": 7, **options}]
    assert meter.updates == [{"n": 2, "loss": 0.5}]


def test_a_checkpoint_lies_in_the_folder_and_asks_the_stop(tmp_path):
    watch = Watch(stop=StopAt(1), seconds=7.0).at(tmp_path)
    saved = watch.checkpoint("checkpoints/it.npz")
    assert saved.path == tmp_path / "checkpoints" / "it.npz"
    assert saved.seconds == 7.0
    assert saved.due()


def test_a_watch_at_a_folder_is_the_same_watch_otherwise(tmp_path):
    meter, stop = Recorder(), Stop()
    watch = Watch(meter, stop, seconds=3.0)
    there = watch.at(str(tmp_path))
    assert there == Watch(meter, stop, 3.0, tmp_path)
    assert watch.folder is None


def test_curves_are_written_where_they_are_asked_for(tmp_path):
    pytest.importorskip("tensorboard")
    meter = Recorder()
    watch = Watch(meter).at(tmp_path, logs=tmp_path / "logs")
    with watch.bar(10, label="fit", unit="steps") as bar:
        bar.update(10, loss=0.5)
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["fit"]
    assert meter.updates == [{"n": 10, "loss": 0.5}]


def test_a_quiet_watch_stops_and_saves_as_before(tmp_path):
    stop = Stop()
    quiet = Watch(Recorder(), stop, 3.0, tmp_path).quiet()
    assert isinstance(quiet.progress, Quiet)
    assert (quiet.stop, quiet.seconds, quiet.folder) == (stop, 3.0, tmp_path)
