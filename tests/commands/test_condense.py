"""`python -m ns_tf.condense`, and what other commands do with its file."""

import re
import subprocess
import sys

import keras
from places import ROOT
from verbs import refused

HEAVY = {"tensorflow", "keras", "matplotlib", "scipy"}


def test_a_network_of_epitomes_is_made_and_trained(command, tmp_path):
    small, run_dir = tmp_path / "small.keras", tmp_path / "run"
    asked = ("--model=lenet5", "--input_shape=16,16,1", "--widths=5,7,11")
    code, out, _ = command("condense", *asked, "--params=0.6", f"--out={small}")
    assert code == 0 and f"Network: {small}" in out and "conv2" in out
    data = ("--dataset=digits", "--image_size=16")
    trained = (f"--run_dir={run_dir}", f"--architecture=keras:{small}", *data)
    quick = ("--epochs=1", "--batch=700", "--rate=0.01")
    code, out, _ = command("train", *trained, *quick)
    assert code == 0 and "widths fixed" in out
    kept = keras.models.load_model(run_dir / "train" / "fixed_seed0" / "model.keras")
    assert kept.count_params() == keras.models.load_model(small).count_params()
    refused(command("train", *trained, *quick, "--params=100"), "no width that is free")
    # What needs widths says why there are none.
    told = "the epitome of 'conv2'"
    search = (f"--run_dir={tmp_path / 'search'}", *trained[1:])
    refused(command("descend", *search), "no layer whose width is free", told)
    prune = (f"--run_dir={tmp_path / 'cut'}", f"--model={small}", *data, "--macs=0.5")
    refused(command("prune", *prune), "no layer whose width is free", told)


def test_what_cannot_be_is_refused(command, tmp_path):
    out = f"--out={tmp_path / 'small.keras'}"
    refused(command("condense"), "--model=mine.keras")
    refused(command("condense", "--model=vg11", out, "--params=0.5"), "'vgg11'")
    refused(command("condense", "--model=vgg11", out), "Give a budget")
    refused(command("condense", "--model=none.keras", out, "--params=1"), "none")
    assert not list(tmp_path.iterdir())


def test_help_is_quick():
    argv = [sys.executable, "-X", "importtime", "-m", "ns_tf.condense", "--help"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "python -m ns_tf.condense" in done.stdout
    assert not HEAVY & {
        line.split("|")[-1].strip() for line in done.stderr.splitlines()
    }
    for name in ("model", "out", "sampling", "where", "front", "params", "macs"):
        assert re.search(rf"^  --{name}\b", done.stdout, re.MULTILINE)
