"""Exported files give the Keras model's answers, or are not there."""

import json
import os
from pathlib import Path

import exports
import keras
import numpy as np
import pytest
import tensorflow as tf
from verbs import contents, refused

from ns_tf.export import check, formats, work
from ns_tf.export.formats import EXACT, FORMATS

EXPORTED = "saved_model,keras,litert,litert_int8,onnx"


@pytest.fixture(scope="module")
def trained(status, network, tmp_path_factory):
    """A run folder with one short training of a small network on the digits."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    asked = (
        network,
        "--dataset=digits",
        "--image_size=16",
        "--widths=11,13",
        "--epochs=2",
        "--batch=100",
        "--rate=0.05",
        "--name=small",
    )
    assert status("train", f"--run_dir={folder}", *asked) == 0
    return folder


@pytest.fixture(
    scope="module",
    params=[("saved_model", "keras_file"), pytest.param((), marks=pytest.mark.slow)],
    ids=["TensorFlow here", "all in processes"],
)
def exported(request, status, trained, tmp_path_factory):
    """All formats of that network; what needs TensorFlow may run in this process."""
    target = tmp_path_factory.mktemp("exported") / "models"
    asked = (f"--run_dir={trained}", f"--out_dir={target}", f"--format={EXPORTED}")
    more = ("--name=net", "--check_images=150", "--int8_points=20")
    with pytest.MonkeyPatch.context() as patch:
        exports.run_here(patch, only=request.param)
        assert status("export", *asked, *more) == 0
    return target


def test_every_format_agrees_with_keras_in_its_own_runtime(exported):
    told = json.loads((exported / "net.export.json").read_text())
    found = {one["format"]: one for one in told["files"]}
    assert list(found) == EXPORTED.split(",")
    assert told["images"] == 150
    for name, one in found.items():
        path = Path(one["path"])
        assert path.exists() and one["bytes"] == check._size(path)
        assert 0 < one["p50_ms"] <= one["p95_ms"]
        if name != "litert_int8":
            assert one["largest_difference"] <= EXACT
            assert one["agreement"] == 1 and one["accuracy"] == one["keras_accuracy"]
    assert found["litert_int8"]["bytes"] < found["litert"]["bytes"]
    weights = 4 * (1598 + 2 * 24)  # The parameters, and two statistics a filter.
    variables = exported / "net/1/variables/variables.data-00000-of-00001"
    assert weights <= variables.stat().st_size < 1.5 * weights
    assert sorted(p.name for p in exported.iterdir()) == [
        "net",
        "net.export.json",
        "net.keras",
        "net.onnx",
        "net.tflite",
        "net_int8.tflite",
    ]


@pytest.fixture
def here(monkeypatch):
    """Files are run in this process."""
    exports.run_here(monkeypatch)


def test_the_next_export_is_the_next_version_and_nothing_is_replaced(
    command, trained, exported, here
):
    before = contents(exported / "net" / "1")
    asked = (f"--run_dir={trained}", f"--out_dir={exported}", "--name=net")
    more = ("--check_images=50", "--resize")
    refused(command("export", *asked, *more, "--version=1"), "is never replaced")
    code, out, err = command("export", *asked, *more)
    assert code == 0, err
    assert contents(exported / "net" / "1") == before
    resized = tf.saved_model.load(str(exported / "net" / "2"))
    images = np.full((2, 17, 51, 1), 128, np.uint8)
    answers = resized.signatures["serving_default"](image=tf.constant(images))
    np.testing.assert_allclose(answers["probabilities"].numpy().sum(-1), 1, rtol=1e-5)


def test_a_keras_file_of_somebody_and_mixed_precision(command, tmp_path, here):
    image = keras.Input((32, 32, 1))
    x = keras.layers.Conv2D(3, 3, dtype="mixed_bfloat16")(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(10, activation="softmax", dtype="float32")(x)
    keras.Model(image, x).save(tmp_path / "mine.keras")
    asked = (f"--model={tmp_path / 'mine.keras'}", "--dataset=digits")
    code, out, err = command("export", *asked, "--format=keras", "--check_images=20")
    assert code == 0, err
    made = keras.saving.load_model(tmp_path / "export" / "mine.keras")
    answers = made.predict(np.zeros((1, 32, 32, 1), np.uint8), verbose=0)
    np.testing.assert_allclose(answers.sum(), 1, rtol=1e-5)


@pytest.mark.parametrize("kind", ["float32", "uint8"])
def test_a_model_that_scales_pixels_itself_gets_them_as_they_are(
    command, tmp_path, rng, kind, here
):
    image = keras.Input((32, 32, 1), dtype=kind)
    x = keras.layers.Rescaling(1 / 127.5, -1)(image)
    x = keras.layers.Conv2D(3, 3)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    own = keras.Model(image, keras.layers.Dense(10, activation="softmax")(x))
    own.save(tmp_path / "mine.keras")
    asked = (f"--model={tmp_path / 'mine.keras'}", "--dataset=digits")
    code, out, err = command("export", *asked, "--format=keras", "--check_images=20")
    assert code == 0, err
    made = keras.saving.load_model(tmp_path / "export" / "mine.keras")
    pixels = rng.integers(0, 256, (7, 32, 32, 1), dtype=np.uint8)
    wanted = own.predict(pixels, verbose=0)
    np.testing.assert_allclose(made.predict(pixels, verbose=0), wanted, atol=1e-5)


def test_a_file_that_disagrees_is_not_left_in_place(
    command, trained, tmp_path, monkeypatch, here
):
    def wrong(source, path):
        source.model.layers[1].bias.assign_add(source.model.layers[1].bias + 3)
        source.deployed().save(path)

    member = formats.get("keras")
    monkeypatch.setitem(
        FORMATS._members,
        "keras",
        work.dataclasses.replace(member, write=wrong),
    )
    asked = (f"--run_dir={trained}", f"--out_dir={tmp_path / 'deep' / 'models'}")
    code, out, err = command("export", *asked, "--format=keras", "--check_images=20")
    assert code == 1 and "disagrees with the Keras model" in err
    assert not list(tmp_path.iterdir())


BAD = {
    "--format=litrt": ["Did you mean 'litert'?"],
    "--format=": ["--format is one or more"],
    "--format=keras,keras": ["all different"],
    "--name=../x": ["--name"],
    "--version=0": ["--version"],
    "--check_images=0": ["--check_images", "got 0"],
    "--calibration_images=0": ["--calibration_images", "got 0"],
    "--int8_points=-1": ["--int8_points"],
    "--training=large": ["holds 1 finished trainings", "small"],
    "--dataset=cifr10": ["Did you mean"],
    "--image_size=32": ["takes inputs (16, 16, 1)", "(32, 32, 1)"],
    "--model=x.keras": ["either --run_dir or --model"],
}


@pytest.mark.parametrize("argument", BAD)
def test_what_cannot_be_exported_is_refused(command, trained, tmp_path, argument):
    asked = (f"--run_dir={trained}", f"--out_dir={tmp_path / 'models'}", argument)
    refused(command("export", *asked), *BAD[argument])
    assert not list(tmp_path.iterdir())


def test_a_folder_without_a_training_is_refused(command, tmp_path, searched):
    refused(command("export", f"--run_dir={tmp_path}"), "no finished training")
    refused(command("export", f"--run_dir={searched}"), "no finished training")
    model = tmp_path / "m.keras"
    refused(command("export", f"--model={model}", "--dataset=digits"), "no such file")
    model.write_bytes(b"PK no model")
    refused(command("export", f"--model={model}"), "Give the --dataset")
    refused(command("export", f"--model={model}", "--dataset=digits"), "m.keras")


def test_a_package_that_is_missing_is_named(command, trained, monkeypatch):
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    result = command("export", f"--run_dir={trained}", "--format=litert")
    refused(result, "ai_edge_litert", "pip install")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_target_that_may_not_be_written_is_refused(command, trained, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    asked = (f"--run_dir={trained}", f"--out_dir={tmp_path / 'locked' / 'models'}")
    refused(command("export", *asked, "--format=keras"), "cannot be written")


def test_a_full_disk_leaves_nothing_behind(command, trained, tmp_path, monkeypatch):
    def full(source, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    member = formats.get("keras")
    monkeypatch.setitem(
        FORMATS._members,
        "keras",
        work.dataclasses.replace(member, write=full),
    )
    asked = (f"--run_dir={trained}", f"--out_dir={tmp_path / 'models'}")
    code, _, err = command("export", *asked, "--format=keras")
    assert code == 2 and "Traceback" not in err
    told = err.splitlines()[-1]
    assert "No space left" in told and "Give another --out_dir" in told
    assert not list(tmp_path.iterdir())
