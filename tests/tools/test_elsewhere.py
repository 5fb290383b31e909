"""Cells that are trained elsewhere: packed, trained with JAX, taken back."""

import ast
import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import toolbox
from edits import text_of
from places import ROOT
from verbs import refused

from ns_tf.base import InputError
from ns_tf.data import sources
from ns_tf.networks import architectures

SEEDS = (0, 3)
HISTORY = [[1, 0.01, 1.5, 1.2, 0.8, 0.25], [2, 0.01, 1.4, 1.1, 0.4, 0.5]]
NO_TENSORFLOW = "import sys; sys.modules['tensorflow'] = None"


@pytest.fixture
def elsewhere():
    """Imports a script of tools/elsewhere by its name."""
    with toolbox.scripts("elsewhere") as script:
        yield script


@pytest.fixture
def packing(elsewhere):
    """The script that packs and unpacks images."""
    return elsewhere("images")


@pytest.fixture
def carry(elsewhere, capfd):
    """Runs cells.py: exit code, standard output, standard error."""

    def carry(*arguments):
        capfd.readouterr()
        return toolbox.status(elsewhere("cells"), *arguments), *capfd.readouterr()

    return carry


def colours(rng, sizes=(67, 13, 17), shape=(32, 32, 3)):
    """A data set with three splits, as `arrays:` takes it."""
    names = ("train", "validation", "test")
    made = {}
    for name, size in zip(names, sizes, strict=True):
        made[f"x_{name}"] = rng.integers(0, 256, (size, *shape), dtype=np.uint8)
        made[f"y_{name}"] = np.arange(size) % 3
    return made


@pytest.fixture
def flags(tmp_path, rng):
    """A comparison of one network from two seeds, on colours."""
    path = tmp_path / "colours.npz"
    np.savez(path, **colours(rng))
    return (
        f"--run_dir={tmp_path / 'runs'}",
        "--architecture=vgg11",
        f"--dataset=arrays:{path}",
        "--methods=uniform",
        "--budgets=ratio=0.05",
        f"--seeds={','.join(map(str, SEEDS))}",
        "--epochs=2",
        "--batch=11",
        "--rate=0.01",
        "--latency_repeats=1",
        "--latency_warmup=0",
    )


def trained(path, *flags):
    """(exit code, output, errors) of training.py with JAX, TensorFlow out of reach."""
    (path / "sitecustomize.py").write_text(NO_TENSORFLOW)
    places = [path, ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "elsewhere" / "training.py", *flags],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "PYTHONPATH": os.pathsep.join(map(str, places)),
        },
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("bytes_of_part", [1, 10**9])
def test_images_are_unpacked_as_they_were(
    bytes_of_part, packing, monkeypatch, tmp_path, rng
):
    monkeypatch.setattr(packing, "PART_BYTES", bytes_of_part)
    monkeypatch.setattr(packing, "ROWS", 1)
    np.savez(tmp_path / "colours.npz", **colours(rng, (101, 53, 7), (5, 11, 3)))
    dataset = sources.load(f"arrays:{tmp_path / 'colours.npz'}")
    folder = tmp_path / "packed"
    folder.mkdir()
    paths = packing.write(dataset, folder)
    assert (len(paths) > 1) == (bytes_of_part == 1)
    told = json.loads(json.dumps(packing.facts(dataset)))
    found = packing.read(folder, told)
    for name in ("train", "validation", "test"):
        one, other = getattr(found, name), getattr(dataset, name)
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(one.labels, other.labels)
    assert found.image_shape == (5, 11, 3) and found.classes == 3
    assert not found.as_given
    raw = packing.facts(dataclasses.replace(dataset, as_given=True))
    assert packing.read(folder, raw).as_given
    np.testing.assert_array_equal(found.mean, dataset.mean)
    paths[-1].unlink()
    with pytest.raises(InputError, match="lacks a part"):
        packing.read(folder, told)


def test_grey_images_are_refused(packing, tmp_path):
    with pytest.raises(InputError, match="8-bit colours"):
        packing.write(sources.load("digits"), tmp_path)
    assert not list(tmp_path.iterdir())


def made_up(task, accuracies):
    """What the other machine could have answered."""
    history = [[e, 0.01, 1.5, 1.2, v, t] for e, (v, t) in enumerate(accuracies, 1)]
    return {
        cell["name"]: {
            "history": history,
            "test_losses": [0.7, 0.9],
            "seconds": 120,
            "together": 2,
            "device": "Abacus 3",
        }
        for cell in task["cells"]
    }


def test_results_become_cells_of_the_comparison(flags, tmp_path, command, carry):
    code, _, err = carry(*flags, f"--carried={tmp_path / 'there'}")
    assert code == 0, err
    task = json.loads((tmp_path / "there" / "task.json").read_text())
    assert [cell["seed"] for cell in task["cells"]] == list(SEEDS)
    assert task["train"]["batch"] == 11
    # The epoch that validation chooses is not the best on test images.
    answer = made_up(task, [(0.8, 0.25), (0.4, 0.5)])
    (tmp_path / "results.json").write_text(json.dumps(answer))
    taking = (*flags, f"--results={tmp_path / 'results.json'}")
    code, out, err = carry(*taking)
    assert code == 0, err
    assert "took 2 of 2 cells" in out
    assert "took 0 of 2 cells" in carry(*taking)[1]
    assert not list((tmp_path / "runs").rglob("*.keras"))
    for name in answer:
        folder = tmp_path / "runs" / "cells" / name
        kept = json.loads((folder / "result.json").read_text())
        assert (kept["best_epoch"], kept["test_accuracy"]) == (1, 0.25)
        assert (kept["test_loss"], kept["best_test_accuracy"]) == (0.7, 0.5)
        assert kept["seconds"] == 60
        assert len(text_of(folder / "history.csv").splitlines()) == 3
    code, out, err = command("compare", *flags)
    assert code == 0, err
    assert "2 done before" in out
    assert "| uniform † |" in out
    assert "† Not trained by ns_tf.train but elsewhere: Abacus 3, float32." in out
    code, out, err = command("report", flags[0])
    assert code == 0, err
    assert "Abacus 3" in (tmp_path / "runs" / "report.html").read_text()


def test_results_of_another_recipe_are_refused(flags, tmp_path, carry):
    code, _, err = carry(*flags, f"--carried={tmp_path / 'there'}")
    assert code == 0, err
    task = json.loads((tmp_path / "there" / "task.json").read_text())
    (tmp_path / "results.json").write_text(json.dumps(made_up(task, [(0.8, 0.25)])))
    taken = carry(*flags, f"--results={tmp_path / 'results.json'}")
    refused(taken, "1 epochs", "the recipe 2")
    assert not (tmp_path / "runs" / "cells").exists()
    refused(carry(*flags), "--carried", "--results")


def test_a_network_from_a_file_is_refused(flags, tmp_path, carry):
    path = tmp_path / "mine.keras"
    architectures.get("vgg11").build((3,) * 8, input_shape=(32, 32, 3), classes=3).save(
        path
    )
    asked = (*flags, f"--architecture=keras:{path}", f"--carried={tmp_path / 'there'}")
    refused(carry(*asked), "mine.keras is a file", "ns_tf.compare")
    assert not (tmp_path / "there").exists()


def test_a_loss_that_was_not_finite_there_is_a_failure_here(flags, tmp_path, carry):
    assert carry(*flags, f"--carried={tmp_path / 'there'}")[0] == 0
    task = json.loads((tmp_path / "there" / "task.json").read_text())
    answer = made_up(task, [(0.8, 0.25), (0.1, 0.1)])
    name = next(iter(answer))
    answer[name]["history"] = [[*row[:3], None, *row[4:]] for row in HISTORY]
    (tmp_path / "results.json").write_text(json.dumps(answer))
    assert carry(*flags, f"--results={tmp_path / 'results.json'}")[0] == 0
    folder = tmp_path / "runs" / "cells" / name
    failure = json.loads((folder / "failure.json").read_text())
    assert "not finite" in failure["error"] and "Abacus 3" in failure["error"]
    assert not (folder / "result.json").exists()


def imported_at_once(path):
    """Names of the modules that a file imports when it is imported itself."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_what_travels_imports_no_tensorflow():
    """The other machine has none; `training.py` is run without it in a slow test."""
    scripts = ROOT / "tools" / "elsewhere"
    open_ = [scripts / "training.py", scripts / "images.py"]
    open_ += sorted((ROOT / "ns_tf" / "networks" / "architectures").glob("*.py"))
    open_ += sorted((ROOT / "ns_tf" / "problem" / "tasks").glob("*.py"))
    seen = set()
    while open_:
        path = open_.pop()
        if path in seen or not path.exists():
            continue
        seen.add(path)
        for name in imported_at_once(path):
            assert name.partition(".")[0] not in ("tensorflow", "keras_tuner"), path
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                place = ROOT.joinpath(*parts[:end])
                open_ += [place / "__init__.py", place.with_suffix(".py")]
    assert ROOT / "ns_tf" / "data" / "batches.py" in seen
    assert ROOT / "ns_tf" / "problem" / "tasks" / "classification.py" in seen


@pytest.mark.slow  # XLA compiles four programs.
def test_jax_trains_the_cells(flags, tmp_path, carry):
    pytest.importorskip("jax", reason="JAX is not installed; pip install jax")
    there = tmp_path / "there"
    code, _, err = carry(*flags, f"--carried={there}")
    assert code == 0, err
    answers = {}
    for how in ("matmul", "library"):
        out = tmp_path / f"{how}.json"
        asked = (f"--carried={there}", f"--out={out}", f"--convolutions={how}")
        code, _, err = trained(tmp_path, *asked)
        assert code == 0, err
        answers[how] = json.loads(out.read_text())
    assert len(answers["matmul"]) == 2
    for name, one in answers["matmul"].items():
        other = answers["library"][name]
        np.testing.assert_allclose(one["history"], other["history"], atol=1e-4)
        assert all(0 <= score <= 1 for row in one["history"] for score in row[4:])
    losses = [np.array(one["history"])[:, 2] for one in answers["matmul"].values()]
    assert not np.allclose(*losses)  # Each seed has its own.
    code, out, err = carry(*flags, f"--results={tmp_path / 'matmul.json'}")
    assert code == 0, err
    assert "took 2 of 2 cells" in out


def test_products_of_matrices_are_the_convolutions(elsewhere, rng):
    jax = pytest.importorskip("jax", reason="JAX is not installed; pip install jax")
    views = elsewhere("convolutions").shifted
    x = rng.normal(size=(2, 7, 5, 3)).astype("float32")
    kernel = rng.normal(size=(3, 3, 3, 11)).astype("float32")
    for strides in ((1, 1), (2, 2), (1, 2)):
        wanted = jax.lax.conv_general_dilated(
            x, kernel, strides, "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        columns = np.concatenate(views(x, (3, 3), strides), -1)
        np.testing.assert_allclose(
            columns @ kernel.reshape(-1, 11), wanted, rtol=1e-4, atol=1e-4
        )
