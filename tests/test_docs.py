"""The blocks of the guides run as they stand, but for flags that make them short."""

import json
import re
import shlex
import shutil
import subprocess

import exports
import numpy as np
import pytest
from google.protobuf import text_format
from laws import by_law  # noqa: F401  It registers the runtime "law".
from serving import Server
from tensorflow_serving.config import model_server_config_pb2
from verbs import ROOT, SMOKE

# What is appended to a command of the verb.
BRIEF = {
    "descend": SMOKE,
    "prune": ("--finetune_epochs=1", "--proxy_images=64"),
    # One of 20 images is 5 points, which a network of one epoch loses by rounding.
    "export": ("--check_images=20", "--calibration_images=10", "--int8_points=100"),
    # Times by a law: those of this machine are nobody's business here.
    "measure": ("--runtime=law", "--points=2", "--networks=2", "--rounds=1"),
    "tune": (
        "--epochs=1",
        "--batch=700",
        "--max_trials=1",
        "--workers=1",
        "--threads=0",
    ),
}


def blocks(document):
    """(language, text) of every fenced block that has a language."""
    text = (ROOT / document).read_text()
    return re.findall(r"```(\w+)\n(.*?)```", text, re.S)


def commands(block):
    """The command lines of a block of bash, in words."""
    joined = block.replace("\\\n", " ")
    return [shlex.split(line, comments=True) for line in joined.split("\n") if line]


@pytest.fixture
def run(status, capfd, monkeypatch):
    """Runs a command line of a document; fails with what it said."""
    exports.run_here(monkeypatch)

    def run(words, *more):
        assert words[:2] == ["python", "-m"], words
        verb = words[2].removeprefix("ns_tf.")
        code = status(verb, *words[3:], *BRIEF.get(verb, ()), *more)
        out, err = capfd.readouterr()
        assert code == 0, err
        return out

    return run


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder with the project's flagfiles."""
    (tmp_path / "flags").symlink_to(ROOT / "flags")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_guide_to_tuning(here, run, capfd):
    (start, export, own, searches) = blocks("docs/tuning.md")
    descend, tune = commands(start[1])
    run(descend)
    out = run(tune)
    assert "Best on validation images: trial_0000" in out
    (words,) = commands(export[1])
    run(words)
    assert (here / "models" / "trial_0000.keras").exists()
    assert own[0] == "python"
    exec(compile(own[1], "docs/tuning.md", "exec"), {})
    assert "parameters: (" in capfd.readouterr().out
    (words,) = commands(searches[1])
    out = run(words)
    (row,) = json.loads((here / "runs/tune_search/tuning.json").read_text())["rows"]
    assert row["search_steps"] <= 600


def test_the_guide_to_inspecting(here, run, capfd):
    command, own = blocks("docs/inspecting.md")
    (words,) = commands(command[1])
    assert "8 widths are free" in run(words)
    assert (here / "vgg11.svg").exists()
    exec(compile(own[1], "docs/inspecting.md", "exec"), {})
    assert "'mix' mixes channels" in capfd.readouterr().out


@pytest.mark.slow
def test_the_guide_to_devices(copied, here, run, capfd):
    start, own, write, read = blocks("docs/devices.md")
    (here / "runs").mkdir()
    shutil.copytree(copied, here / "runs" / "vgg11")
    measure, plan = commands(start[1])
    run(measure)
    assert "device: law" in run(plan)
    exec(compile(own[1], "docs/devices.md", "exec"), {})
    assert "4 shapes" in capfd.readouterr().out
    (words,) = commands(write[1])
    run(words)
    table = here / "phone" / "times.csv"
    lines = [line.split(",") for line in table.read_text().splitlines()]
    for line in lines[1:]:
        line[-2] = (here / "phone" / line[0]).read_text().split()[1]
    table.write_text("".join(",".join(line) + "\n" for line in lines))
    (words,) = commands(read[1])
    assert "on my phone" in run(words)


@pytest.mark.slow
def test_the_guide_to_data(here, run, capfd):
    (_, program), (_, command) = blocks("docs/data.md")
    names = {}
    exec(compile(program, "docs/data.md", "exec"), names)
    capfd.readouterr()
    small = names["small"]
    assert small.problem.task.score.name == "kind_accuracy" and small.score > 0.3
    assert small.costs["params"] <= small.targets["params"]
    for kind in ("keras", "tflite", "onnx"):
        assert (here / "models" / f"pen_digits.{kind}").exists()
    (words,) = commands(command)
    assert "keep their size: kind" in run(words)


@pytest.mark.slow
def test_the_guide_to_pruning(here, run, capfd):
    *programs, command = blocks("docs/pruning.md")
    names = {}
    for language, text in programs:
        assert language == "python"
        exec(compile(text, "docs/pruning.md", "exec"), names)
        capfd.readouterr()
    assert names["mine"].score > 0.8 and names["mine"].pixels != "given"
    assert names["repaired"].accuracies["repaired"] > 0.5
    assert names["inherited"].count_params() < names["model"].count_params() / 2
    for name in ("again", "back", "slim", "agent"):
        small = names[name]
        assert small.costs["macs"] <= small.targets["macs"]
    for name in ("sparse", "learned"):
        small = names[name]
        weights = [np.array(v) for v in small.model.trainable_variables]
        # Of biases, which stay, one may be 0 all the same.
        assert sum(map(np.count_nonzero, weights)) <= small.costs["nonzero"]
    one, other, export = commands(command[1])
    run(one)
    (scores,) = (here / "runs/small/scores").iterdir()
    before = scores.stat().st_mtime_ns
    run(other)
    assert scores.stat().st_mtime_ns == before
    run(export)
    assert len(list((here / "runs/small/train").iterdir())) == 2


@pytest.mark.slow
def test_the_guide_to_epitomes(here, run, capfd):
    (_, program), (_, command) = blocks("docs/epitomes.md")
    names = {}
    exec(compile(program, "docs/epitomes.md", "exec"), names)
    assert "(3, 23, 23)" in capfd.readouterr().out
    assert names["plain"].count_params() == names["model"].count_params()
    condense, train, export = commands(command)
    assert "conv2" in run(condense)
    assert "widths fixed" in run(train)
    assert "saved_model" in run(export)


@pytest.fixture
def trained(status, searched, here):
    """`runs/vgg11` with a search and a training: what the guide to serving takes."""
    shutil.copytree(searched, here / "runs" / "vgg11")
    asked = (
        "--run_dir=runs/vgg11",
        "--widths=5,5,7,7,7,7,7,11",
        "--epochs=1",
        "--batch=700",
    )
    assert status("train", *asked) == 0
    return here


@pytest.mark.slow
def test_the_guide_to_serving(trained, run, rng):
    (export, sizes, serve, config) = blocks("docs/serving.md")
    install, words = commands(export[1])
    assert install == ["pip", "install", "-e", ".[export]"]
    out = run(words)
    assert "litert_int8" in out and (trained / "models/vgg11/1").is_dir()
    (words,) = commands(sizes[1])
    assert "litert_bytes: " in run(words)
    docker, curl = commands(serve[1])
    _check_mount(docker, trained)
    _check_curl(serve[1], trained, rng)
    parsed = model_server_config_pb2.ModelServerConfig()
    text_format.Parse(config[1], parsed)
    (one,) = parsed.model_config_list.config
    assert (one.name, one.model_platform) == ("vgg11", "tensorflow")
    assert one.base_path == "/models/vgg11"


def _check_mount(words, here):
    """The folder that is mounted is the exported one, at the image's own place."""
    mount = dict(
        part.split("=", 1) for part in words[words.index("--mount") + 1].split(",")
    )
    assert mount["source"] == "$PWD/models/vgg11"
    name = words[words.index("-e") + 1].partition("=")[2]
    assert mount["target"] == f"/models/{name}" == "/models/vgg11"
    assert words[-1] == "tensorflow/serving"


def _check_curl(block, here, rng):
    """The line as it stands, but for the port of the server that is there."""
    if not all(map(shutil.which, ("bash", "curl", "base64"))):
        pytest.skip("no bash, curl or base64 here")
    from PIL import Image

    pixels = rng.integers(0, 256, (32, 32), dtype=np.uint8)
    Image.fromarray(pixels).save(here / "cat.png")
    line = block[block.index("curl") :]
    with Server(here / "models" / "vgg11") as server:
        line = line.replace("8501", str(server.rest_port))
        done = subprocess.run(
            ["bash", "-c", line], cwd=here, capture_output=True, text=True
        )
    (answer,) = json.loads(done.stdout)["predictions"]
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-5)


RUNS = ROOT / "docs" / "runs"


TABLES = sorted(RUNS.glob("*/table.md"))


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.parent.name)
def test_results_have_the_rows_of_the_records(table):
    """Figures of a kept comparison stand in the results as the command told them."""
    text = (ROOT / "docs" / "results.md").read_text()
    above, _, _ = table.read_text().partition("## Verdict")
    header, _, *rows = [line for line in above.split("\n") if line.startswith("|")]
    assert header in text and rows
    for row in rows:
        assert row in text


def test_a_kept_search_plans_what_its_comparison_trained(status, capfd):
    code = status(
        "plan",
        f"--run_dir={RUNS / 'vgg11_cifar10_short'}",
        "--ratio=0.25",
        "--output=widths",
    )
    widths, err = capfd.readouterr()
    assert code == 0, err
    planned = [int(width) for width in widths.split(",")]
    folder = RUNS / "table1_vgg11_cifar10_short"
    trained = {
        cell["method"]: cell["widths"]
        for cell in json.loads((folder / "cells.json").read_text())["cells"]
    }
    assert trained["neuralscale@2"] == planned


@pytest.mark.slow
def test_the_guide_to_microcontrollers(run, monkeypatch):
    monkeypatch.chdir(ROOT)
    ((_, block),) = blocks("docs/microcontrollers.md")
    (words,) = commands(block)
    out = run(words)
    assert "peak_ram: " in out and "flash: " in out
