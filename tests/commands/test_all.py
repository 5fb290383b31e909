"""What holds for every command: run folders, help, flagfiles.

Commands run inside this process, which pays for TensorFlow once; what needs a process
of its own (`--help`, what is imported) gets one.
"""

import math
import re
import subprocess
import sys

import pytest
from verbs import FLAGFILES, ROOT, configs_of, refused

from ns_tf.base import InputError
from ns_tf.networks import architectures
from ns_tf.run import flags
from ns_tf.run.option import options

VERBS = (
    *("descend", "plan", "train", "prune", "slim"),
    *("compare", "report", "export", "tune"),
)
HEAVY = {"tensorflow", "keras", "keras_tuner", "matplotlib", "scipy"}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_asks_for_its_run_folder(command, verb):
    missing = "--run_dir or --model" if verb == "export" else "--run_dir=runs/NAME"
    refused(command(verb), missing)


@pytest.mark.parametrize("verb", VERBS)
def test_help_names_every_flag_and_does_not_import_tensorflow(verb, flags_of):
    argv = [sys.executable, "-X", "importtime", "-m", f"ns_tf.{verb}", "--help"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "absl.flags" in imported
    assert not HEAVY & imported
    assert f"python -m ns_tf.{verb}" in done.stdout
    with flags_of(verb) as configs:
        names = [name for config in configs for name in config.__dataclass_fields__]
    for name in ["run_dir", "flagfile", "debug", *names]:
        assert re.search(rf"^  --(\[no\])?{name}\b", done.stdout, re.MULTILINE), name


def settings_classes():
    """Every class of settings that a command has as flags."""
    verbs = [path.parent.name for path in (ROOT / "ns_tf").glob("*/__main__.py")]
    found = {config for verb in verbs for config in configs_of(verb)}
    return sorted(found, key=lambda config: config.__name__)


@pytest.mark.parametrize("config", settings_classes(), ids=lambda c: c.__name__)
def test_numbers_that_no_use_can_take_are_refused_though_nothing_uses_them(config):
    asked = {}
    if "input_shape" in config.__dataclass_fields__:  # They ask for a model.
        asked = {"model": "vgg11", "out": "small.keras"}
    asked = {n: v for n, v in asked.items() if n in config.__dataclass_fields__}
    for field, kind in options(config):
        # Widths are used wherever they are given.
        if kind.item in (int, float) and field.name != "widths":
            for value in (-7, math.nan)[: 1 if kind.item is int else 2]:
                given = {field.name: (value,) if kind.many else value}
                with pytest.raises(InputError, match=f"--{field.name}"):
                    config(**asked, **given)


def test_a_plan_refuses_data_that_no_training_could_have(command):
    refused(command("plan", "--run_dir=x", "--train_images=-7"), "--train_images is a")


def _header(path):
    """The comment that a flagfile begins with, without its line ends."""
    lines = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip().removesuffix("\\"))
    return " ".join(lines)


@pytest.mark.parametrize("path", FLAGFILES, ids=lambda path: path.stem)
def test_a_flagfile_parses_and_its_head_has_the_command(path, flags_of, monkeypatch):
    monkeypatch.chdir(ROOT)
    header = _header(path)
    line = re.search(r"Command: +python -m ns_tf\.(\w+) (.*)", header)
    if line is None:  # One that others include.
        assert re.search(r"Included by .*command: see there", header)
    verb, arguments = line.groups() if line else ("descend", "")
    if line:
        assert f"--flagfile={path.relative_to(ROOT)}" in arguments
        assert "--run_dir=" in arguments
        assert "Takes:" in header
    with flags_of(verb) as configs:
        flags.parse([verb, f"--flagfile={path}", *arguments.split(), "--run_dir=x"])
        settings = [flags.read(config) for config in configs]
    for name in filter(None, (getattr(one, "architecture", None) for one in settings)):
        assert architectures.get(name).name == name
