"""An export: all files or none, and never in the place of others."""

import dataclasses
from pathlib import Path

import exports
import keras
import numpy as np
import pytest
from edits import values_of
from full_disk import full_disk
from verbs import contents

from ns_tf.base import InputError, RunError
from ns_tf.data.arrays import from_arrays
from ns_tf.export import formats
from ns_tf.export.check import Outcome
from ns_tf.export.config import ExportConfig
from ns_tf.export.formats import FORMATS
from ns_tf.export.work import Export, _default_name
from ns_tf.problem import tasks
from ns_tf.problem.config import ProblemConfig

SHAPE = (16, 13, 3)


@pytest.fixture(scope="module")
def model():
    return exports.network(SHAPE)


@pytest.fixture(scope="module")
def dataset():
    """Images for that network."""
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (211, *SHAPE), dtype=np.uint8)
    return from_arrays((images, np.arange(211) % exports.CLASSES), name="made up")


@pytest.fixture
def export(model, dataset, tmp_path, monkeypatch):
    """Makes an export; files are run in this process."""
    exports.run_here(monkeypatch)

    def export(model=model, target=tmp_path / "out", name="net", **fields):
        config = ExportConfig(**{"format": ("keras",), "check_images": 19, **fields})
        task = tasks.get("classification")
        return Export(model, dataset, task, config, target, name)

    return export


def writes(monkeypatch, write, name="keras"):
    """Lets a format be written by another function."""
    form = dataclasses.replace(formats.get(name), write=write)
    monkeypatch.setitem(FORMATS._members, name, form)


def test_an_export_leaves_the_files_and_what_is_said_of_them(export, tmp_path):
    (outcome,) = export().run()
    target = tmp_path / "out"
    assert sorted(p.name for p in target.iterdir()) == ["net.export.json", "net.keras"]
    summary = values_of(target / "net.export.json")
    assert (summary["name"], summary["images"]) == ("net", 19)
    assert summary["files"] == [outcome.told("accuracy")]
    assert outcome.path == str(target / "net.keras")
    assert outcome.agreement == 1 and outcome.largest_difference < 1e-4


def test_a_file_that_disagrees_is_not_left_in_place(export, tmp_path, monkeypatch):
    def wrong(source, path):
        model = keras.models.clone_model(source.model)
        dataclasses.replace(source, model=model).deployed().save(path)

    writes(monkeypatch, wrong)
    with pytest.raises(RunError, match="disagrees with the Keras model.*in place"):
        export(target=tmp_path / "deep" / "out").run()
    assert not list(tmp_path.iterdir())


def test_if_one_format_fails_none_is_left(export, tmp_path, monkeypatch):
    def refuses(source, path):
        raise InputError("no such operation")

    writes(monkeypatch, refuses, "onnx")
    with pytest.raises(InputError, match="no such operation"):
        export(format=("keras", "onnx")).run()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_and_leaves_nothing(export, tmp_path, monkeypatch):
    def full(source, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    writes(monkeypatch, full)
    with pytest.raises(InputError, match="No space left.*Free some space.*--out_dir"):
        export().run()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "exact, difference, agreement, lost, fails",
    [
        (True, 0.9e-4, 1.0, 0.0, False),
        (True, 1.1e-4, 1.0, 0.0, True),
        (True, 0.0, 0.999, 0.0, True),
        (False, 0.3, 0.9, 0.019, False),
        (False, 0.3, 0.9, 0.021, True),
        (False, 0.3, 0.9, -0.1, False),
    ],
)
def test_how_far_a_file_may_differ(export, exact, difference, agreement, lost, fails):
    form = dataclasses.replace(formats.get("keras"), exact=exact)
    outcome = Outcome(
        "keras", "x", 101, difference, agreement, 0.5 - lost, 0.5, 1.0, 2.0
    )
    work = export(int8_points=2.0)
    if fails:
        with pytest.raises(RunError, match="left in place"):
            work._accept(form, outcome)
    else:
        assert work._accept(form, outcome) is None


def test_versions_count_up_and_none_is_replaced(export, tmp_path, monkeypatch):
    folder = tmp_path / "out" / "net"
    assert export(format=("saved_model",)).version == 1
    for version in ("1", "7", "3"):
        (folder / version).mkdir(parents=True)
    (folder / "007").mkdir()
    (folder / ".8.writing").mkdir()
    assert export(format=("saved_model",)).version == 8
    assert export(format=("saved_model",), version=5).version == 5
    with pytest.raises(InputError, match="7 exists, and a version is never replaced"):
        export(format=("saved_model",), version=7)
    assert export(version=7).version == 7, "a format without versions"
    own = dataclasses.replace(formats.get("keras"), file="{name}/{version}/own.keras")
    monkeypatch.setitem(FORMATS._members, "keras", own)
    with pytest.raises(InputError, match="7 exists, and a version is never replaced"):
        export(version=7)


def test_what_was_exported_before_stays_if_the_next_one_fails(
    export, tmp_path, monkeypatch
):
    export().run()
    before = contents(tmp_path)

    def refuses(source, path):
        raise InputError("no such operation")

    writes(monkeypatch, refuses)
    with pytest.raises(InputError):
        export().run()
    assert contents(tmp_path) == before


def test_a_network_of_other_images_or_classes_is_refused(export):
    with pytest.raises(InputError, match=r"takes inputs \(16, 16, 3\).*\(16, 13, 3\)"):
        export(exports.network((16, 16, 3)))
    with pytest.raises(InputError, match="has 5 classes, .*made up 7"):
        export(exports.network(SHAPE, classes=5))


def test_a_model_that_scales_pixels_itself_gets_them_as_they_are(export, dataset):
    image = keras.Input(SHAPE)
    x = keras.layers.Rescaling(1 / 127.5, -1)(image)
    inner = exports.network(SHAPE)
    own = keras.Model(image, keras.layers.Softmax()(inner(x)))
    work = export(own)
    images = dataset.test.images[:7]
    wanted = own.predict(images, verbose=0)
    found = work.source.deployed().predict(images, verbose=0)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("more", [{"name": "mine"}, {}, {"out_dir": "run/../."}])
def test_the_model_that_is_exported_is_never_replaced(
    model, tmp_path, monkeypatch, more
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    model.save("run/model.keras")
    (tmp_path / "mine.keras").symlink_to("run/model.keras")
    source = "run/model.keras" if more.get("name") else "mine.keras"
    fields = {"format": ("litert", "keras"), "out_dir": ".", "model": source, **more}
    before = contents(tmp_path)
    with pytest.raises(InputError, match="mine.keras is the model itself"):
        Export.of(None, ProblemConfig(dataset="digits"), ExportConfig(**fields))
    assert contents(tmp_path) == before and (tmp_path / "mine.keras").is_symlink()


def test_a_network_that_answers_nan_is_refused_before_anything_is_written(
    export, tmp_path
):
    model = exports.network(SHAPE)
    model.get_layer("logits").bias.assign(np.full(exports.CLASSES, np.nan))
    with pytest.raises(InputError, match="answers NaN or infinity to 19 of 19"):
        export(model).run()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("exact", [True, False])
def test_a_file_that_answers_nan_does_not_pass(export, exact):
    form = dataclasses.replace(formats.get("keras"), exact=exact)
    nan = float("nan")
    outcome = Outcome("keras", "x", 101, nan, 1.0, nan, 0.5, 1.0, 2.0)
    with pytest.raises(RunError, match="left in place"):
        export()._accept(form, outcome)


@pytest.mark.parametrize("name", ["prediction", "probabilities"])
def test_outputs_may_be_called_as_answers_are(tmp_path, monkeypatch, name):
    exports.run_here(monkeypatch)
    inputs = keras.Input((3,))
    named = {key: keras.layers.Dense(2, name=key)(inputs) for key in (name, "class")}
    model = keras.Model(inputs, named)
    model.compile(loss=dict.fromkeys(named, "mse"))
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    dataset = from_arrays((x, dict.fromkeys(named, y)), name="made up")
    config = ExportConfig(format=("saved_model",), check_images=5)
    (outcome,) = Export(model, dataset, None, config, tmp_path, "net").run()
    assert outcome.largest_difference < 1e-4


def test_a_name_of_the_settings_goes_before_the_usual_one(export, tmp_path):
    work = export(name="usual")
    assert work.name == work.source.name == "usual"
    named = ExportConfig(format=("keras",), name="mine")
    other = Export(
        work.source.model,
        work.dataset,
        work.source.task,
        named,
        tmp_path / "out",
        "usual",
    )
    assert other.name == other.source.name == "mine"
    folder = tmp_path / "train" / "seed 1"
    assert _default_name(tmp_path / "net.keras") == "net"
    assert " " not in _default_name(folder / "model.keras")


def test_a_path_that_goes_up_has_the_name_of_its_folder(tmp_path, monkeypatch):
    (tmp_path / "seed0" / "within").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "seed0" / "within")
    assert _default_name(Path("../model.keras")) == "seed0"
    assert _default_name(Path("model.keras")) == "within"


@pytest.mark.parametrize("write", [1, 2])
def test_an_export_to_a_full_disk_leaves_what_was_there(export, tmp_path, write):
    export(target=tmp_path, name="before").run()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with full_disk(write) as disk:
        try:
            export(target=tmp_path).run()
        except InputError as error:
            assert "No space left on device. Free some space." in str(error)
    if disk.full:
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    else:
        assert len(list(tmp_path.iterdir())) == len(before) + 2
