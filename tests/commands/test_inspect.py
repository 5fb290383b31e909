"""`python -m ns_tf.inspect`: without data, in seconds, on whatever is a model."""

import json
import re
import subprocess
import sys

from places import ROOT
from verbs import refused

HEAVY = {"tensorflow", "keras", "matplotlib", "scipy"}


def test_a_file_is_explained_in_words_and_as_json(command, handmade, tmp_path):
    handmade["residual"]().save(tmp_path / "mine.keras")
    asked = ("inspect", f"--model={tmp_path}/mine.keras")
    code, out, _ = command(*asked, f"--picture={tmp_path}/net.svg")
    assert code == 0 and "widths are free" in out and "What stays" in out
    assert (tmp_path / "net.svg").read_text().startswith("<svg")
    code, out, _ = command(*asked, "--output=json")
    told = json.loads(out)
    assert code == 0 and told["widths"] and told["refused"] is None


def test_an_architecture_is_explained(command):
    asked = ("--model=vgg11", "--input_shape=32,32,1", "--classes=7")
    code, out, _ = command("inspect", *asked)
    assert code == 0 and "8 widths are free" in out


def test_what_is_no_model_is_refused_in_one_line(command, tmp_path):
    refused(command("inspect"), "--model=FILE.keras")
    refused(command("inspect", "--model=vg11"), "Did you mean 'vgg11'")
    refused(command("inspect", f"--model={tmp_path}"), "no finished training")
    refused(command("inspect", "--model=none.keras"), "there is none")


def test_help_is_quick():
    argv = [sys.executable, "-X", "importtime", "-m", "ns_tf.inspect", "--help"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "python -m ns_tf.inspect" in done.stdout
    assert not HEAVY & {
        line.split("|")[-1].strip() for line in done.stderr.splitlines()
    }
    for name in ("model", "input_shape", "classes", "output", "picture"):
        assert re.search(rf"^  --{name}\b", done.stdout, re.MULTILINE)
