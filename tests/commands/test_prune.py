"""`python -m ns_tf.prune` as a hostile and as a new user meet it."""

import json
import os
import signal
import subprocess
import sys
import time

import exports
import keras
import numpy as np
import pytest
from edits import values_of
from notebooks import mine
from places import ROOT
from trained import learned
from verbs import contents, refused

SHORT = (
    *("--finetune_epochs=1", "--finetune_batch=500", "--proxy_images=64"),
    *("--dataset=digits", "--image_size=8"),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The path of a network that has learned the digits."""
    path = tmp_path_factory.mktemp("model") / "mine.keras"
    learned()[0].save(path)
    return path


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Models that cannot be pruned, by what is wrong with them."""
    folder = tmp_path_factory.mktemp("others")
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(7, 3, name="swish", activation="swish")(image)
    x = keras.layers.Conv2D(5, 3, name="next", activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    ends = [keras.layers.Dense(10, name=f"end{i}")(x) for i in (1, 2)]
    keras.Model(image, ends[0]).save(folder / "no_relu.keras")
    keras.Model(image, ends).save(folder / "two.keras")
    mine(classes=7).save(folder / "classes.keras")
    bare = keras.layers.Conv2D(5, 3, name="bare", use_bias=False, activation="relu")
    x = keras.layers.GlobalAveragePooling2D()(bare(keras.layers.Conv2D(7, 3)(image)))
    keras.Model(image, keras.layers.Dense(10)(x)).save(folder / "bare.keras")
    return folder


def test_a_model_file_becomes_a_smaller_one(command, model, tmp_path):
    asked = (f"--model={model}", *SHORT, "--macs=0.5", f"--run_dir={tmp_path / 'run'}")
    code, out, err = command("prune", *asked)
    assert code == 0, err
    assert "score: " in err and "steps" in err  # Progress.
    (folder,) = (tmp_path / "run" / "train").iterdir()
    told = values_of(folder / "pruned.json")
    assert told["costs"]["macs"] <= told["targets"]["macs"]
    assert "trained" in out and "repaired" in out and str(folder) in out
    small = keras.saving.load_model(folder / "model.keras")
    assert small.get_layer("conv1").filters == told["widths"][0]
    before = contents(tmp_path)
    assert command("prune", *asked) == (0, out, "")
    assert contents(tmp_path) == before


@pytest.mark.slow
def test_what_is_left_is_exported_with_the_pixels_that_it_takes(
    command, tmp_path, monkeypatch
):
    """A network of pixels from 0 to 1: the export has to feed it the same."""
    exports.run_here(monkeypatch)
    model, problem = learned()
    data = problem.dataset
    image = keras.Input(model.inputs[0].shape[1:])
    scale = keras.layers.DepthwiseConv2D(1, name="scale")
    front = keras.models.clone_model(model)
    whole = keras.Model(image, _called(front, scale(image)))
    scale.set_weights([1 / data.std.reshape(1, 1, 1, 1), -data.mean / data.std])
    for layer in model.layers[1:]:
        whole.get_layer(layer.name).set_weights(layer.get_weights())
    whole.save(tmp_path / "unit.keras")
    run_dir = f"--run_dir={tmp_path / 'run'}"
    asked = (f"--model={tmp_path / 'unit.keras'}", *SHORT, "--macs=0.8", run_dir)
    code, out, err = command("prune", *asked, "--method=magnitude")
    assert code == 0, err
    assert "pixels unit" in out
    out_dir = f"--out_dir={tmp_path / 'out'}"
    code, out, err = command(
        "export", run_dir, "--format=keras", out_dir, "--check_images=60"
    )
    assert code == 0, err
    (file,) = (tmp_path / "out").glob("*.keras")
    deployed = keras.saving.load_model(file)
    pixels, labels = data.validation.images, data.validation.labels
    right = np.argmax(deployed(pixels.astype("float32")), axis=1) == labels
    (folder,) = (tmp_path / "run" / "train").iterdir()
    told = json.loads((folder / "result.json").read_text())
    assert right.mean() == pytest.approx(told["validation_accuracy"], abs=0.02)


def _called(model, x):
    """The layers of a sequential graph, called on another tensor."""
    for layer in model.layers[1:]:
        x = layer(x)
    return x


BAD = {
    "": ["Say which network: --model"],
    "--model=MODEL": ["Give the data"],
    "--model=nowhere.keras --dataset=digits": ["nowhere.keras", "there is none"],
    "--model=MODEL --dataset=digts": ["Did you mean 'digits'"],
    "--model=MODEL --dataset=digits": ["Give a budget, as --macs=0.5"],
    "--model=MODEL --dataset=digits --macs=1e12": ["more than the trained network has"],
    "--model=MODEL --dataset=digits --macs=2": ["cannot be met", "widths 1,1,1"],
    "--model=MODEL --dataset=digits --macs=0.5 --keep=conv9": ["Did you mean 'conv"],
    "--model=MODEL --dataset=digits --macs=0.5 --method=tylor": ["Unknown method"],
    "--model=MODEL --dataset=digits --macs=0.5 --repair=men": ["Did you mean 'mean'"],
    "--model=MODEL --dataset=digits --macs=0.5 --recipe=distill": ["'distil'"],
    "--model=MODEL --dataset=digits --macs=0.5 --pixels=units": ["--pixels"],
    "--model=OTHERS/classes.keras --dataset=digits --macs=0.5": ["puts out 7 values"],
    "--model=OTHERS/two.keras --dataset=digits --macs=0.5": [
        "2 outputs",
        "compile it with a loss for each",
    ],
    "--model=OTHERS/no_relu.keras --dataset=digits --macs=0.5 --method=apoz": [
        "none behind the filters of 'swish'"
    ],
    "--model=OTHERS/no_relu.keras --dataset=digits --macs=0.5 --method=gamma": [
        "batch norms"
    ],
    "--model=OTHERS/bare.keras --dataset=digits --macs=0.5 --repair=mean": [
        "'bare' reads filters that go, and has neither a bias nor a batch norm"
    ],
}


@pytest.mark.parametrize("arguments", BAD)
def test_what_cannot_be_pruned_is_refused_in_one_line_and_nothing_is_written(
    command, model, others, tmp_path, arguments
):
    asked = arguments.replace("MODEL", str(model)).replace("OTHERS", str(others))
    result = command("prune", f"--run_dir={tmp_path / 'run'}", *asked.split())
    refused(result, *BAD[arguments])
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_process_that_is_killed_at_any_moment_ends_as_one_that_is_not(
    model, tmp_path
):
    """kill -9 after ever more seconds, until nothing is left to kill."""

    def started(folder):
        asked = (f"--run_dir={folder}", f"--model={model}", *SHORT, "--macs=0.5")
        more = ("--method=curl_kl", "--finetune_epochs=40", "--checkpoint_seconds=0")
        command = [sys.executable, "-m", "ns_tf.prune", *asked, *more, "--threads=1"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    assert started(tmp_path / "one").wait(600) == 0
    kills, seconds = 0, 4.0
    while True:
        work = started(tmp_path / "other")
        try:
            assert work.wait(seconds) == 0
            break
        except subprocess.TimeoutExpired:
            work.send_signal(signal.SIGKILL)
            work.wait()
            kills, seconds = kills + 1, seconds + 2.0
            time.sleep(0.1)
    assert kills >= 2
    one, other = (
        next((tmp_path / name / "train").iterdir()) for name in ("one", "other")
    )
    for name in ("history.csv", "widths.json"):
        assert (one / name).read_text() == (other / name).read_text()
    told = [values_of(folder / "pruned.json") for folder in (one, other)]
    assert told[0]["channels"] == told[1]["channels"]
    assert told[0]["accuracies"] == told[1]["accuracies"]
    both = [keras.saving.load_model(folder / "model.keras") for folder in (one, other)]
    for first, second in zip(*(net.weights for net in both), strict=True):
        np.testing.assert_array_equal(first, second)
