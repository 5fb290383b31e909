"""The commands as a hostile and as a new user meet them.

Verbs run inside this process, which pays for TensorFlow once; what needs a process of
its own (`--help`, what is imported) gets one.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from verbs import FLAGFILES, PLAIN, ROOT, SHORT, SMOKE, contents, locked, refused

from ns_tf.networks import architectures
from ns_tf.run import files, flags

VERBS = ("descend", "plan", "train", "compare", "report", "export")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Image folders: two classes, one class, a class without images, a broken image."""
    root, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    folders = {"good": "ab", "one": "a", "lacking": "a", "broken": "ab", "none": ""}
    for name, classes in folders.items():
        (root / name).mkdir()
        for label in classes:
            (root / name / label).mkdir()
            for i in range(11):
                pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / name / label / f"{i}.png")
    (root / "lacking" / "b").mkdir()
    (root / "none" / "a").mkdir()
    (root / "none" / "b").mkdir()
    broken = root / "broken" / "b" / "3.png"
    broken.write_bytes(broken.read_bytes()[:500])
    return root


# A new user's and a hostile user's flags, and what the one line has to say.
BAD_SEARCH = {
    "--architecture=vgg12": ["Unknown architecture", "Did you mean 'vgg11'?"],
    "--architecture=vgg11(depth=3)": ["Unknown option of vgg11 'depth'"],
    "--architecture=vgg11(": ["got 'vgg11('"],
    "--architecture=": ["got ''"],
    "--architecture=keras:/nowhere.keras": ["/nowhere.keras", "there is none"],
    "--dataset=digts": ["Unknown data set 'digts'", "Did you mean 'digits'?"],
    "--dataset=": ["Unknown data set ''", "digits"],
    "--dataset=folder:/nowhere": ["folder of class folders", "'/nowhere'"],
    "--dataset=arrays:/nowhere.npz": [".npz", "/nowhere.npz"],
    "--criterion=taylor": ["Unknown criterion", "Did you mean 'taylor_fo'?"],
    "--strategy=miror": ["--strategy=miror", "one_device, mirrored"],
    "--at_min_width=halt": ["--at_min_width=halt", "exempt, stop"],
    "--sede=3": ["'sede'", "Did you mean: seed"],
    "--seed": ["Missing value for flag --seed"],
    "stray": ["got 'stray'"],
    "--flagfile=nowhere.flags": ["nowhere.flags", "Check the path"],
    "--widths=8,8": ["vgg11 has 8 widths; got 2: 8,8"],
    "--widths=8,8,8,8,8,8,8,0": ["at least 1", "width 8", "is 0"],
    "--widths=-3,8,8,8,8,8,8,8": ["at least 1", "width 1", "is -3"],
    "--widths=8.5,8,8,8,8,8,8,8": ["--widths=8.5", "whole number"],
    "--widths=8,,8": ["--widths=8,,8", "whole number"],
    "--ratio=0": ["--ratio is a number above 0; got 0"],
    "--ratio=-1": ["--ratio is a number above 0; got -1"],
    "--ratio=nan": ["--ratio is a number above 0; got nan"],
    "--ratio=inf": ["--ratio is a number above 0; got inf"],
    "--ratio=half": ["--ratio=half", "expected a number"],
    "--iterations=0": ["--iterations", "at least 1; got 0"],
    "--iterations=1.5": ["--iterations=1.5", "whole number"],
    "--tolerance=-1": ["--tolerance", "got -1"],
    "--stop_fraction=2": ["--stop_fraction lies between 0 and 1; got 2"],
    "--stop_fraction=nan": ["--stop_fraction", "got nan"],
    "--pretrain_epochs=-1": ["--pretrain_epochs", "got -1"],
    "--pretrain_rate=0": ["--pretrain_rate is a number above 0; got 0"],
    "--pretrain_rate=nan": ["--pretrain_rate", "got nan"],
    "--rate_decay=0.5": ["--rate_decay", "got 0.5"],
    "--search_momentum=2": ["--search_momentum", "got 2"],
    "--search_batch=0": ["--search_batch", "got 0"],
    "--search_batch=100000": ["1437 training images", "100000 is too large"],
    "--steps_per_event=0": ["--steps_per_event", "got 0"],
    "--rebuild=maybe": ["--rebuild=maybe", "pays, always, never"],
    "--precision=float16": ["--precision=float16", "mixed_float16"],
    "--seed=-1": ["--seed", "got -1"],
    "--split_seed=-1": ["seed", "got -1"],
    "--threads=-1": ["--threads", "got -1"],
    "--checkpoint_seconds=nan": ["--checkpoint_seconds", "got nan"],
    "--image_size=16": ["vgg11 cannot be built", "16x16x1", "--image_size"],
    "--image_size=0": ["--image_size", "got 0"],
    "--validation_fraction=0": ["--validation_fraction", "got 0"],
    "--validation_fraction=1.5": ["--validation_fraction", "got 1.5"],
    "--validation_fraction=nan": ["--validation_fraction", "got nan"],
}
HOPELESS = ("--filters_per_event=1000", "--stop_fraction=1", "--prune_min_width=1000")


@pytest.mark.parametrize("argument", BAD_SEARCH)
def test_a_search_that_cannot_be_is_refused_and_nothing_is_written(
    command, tmp_path, argument
):
    run_dir = tmp_path / "new" / "run"
    result = command("descend", *SMOKE, f"--run_dir={run_dir}", argument)
    refused(result, *BAD_SEARCH[argument])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("argument", HOPELESS)
def test_a_search_of_too_few_events_is_refused_before_it_starts(
    command, tmp_path, argument
):
    asked = (*SMOKE, "--pretrain_epochs=0", argument)
    result = command("descend", f"--run_dir={tmp_path / 'run'}", *asked)
    refused(result, argument.partition("=")[0])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "folder, told",
    {
        "one": ["at least 2 classes", "found a"],
        "lacking": ["b without any"],
        "none": ["Expected images"],
        "broken": ["broken/b/3.png", "cannot be read"],
        "missing": ["there is none"],
        "good/a": ["at least 2 classes"],
        "good/a/0.png": ["folder of class folders"],
    }.items(),
)
def test_an_image_folder_that_is_none_is_refused_and_named(
    command, tmp_path, pictures, folder, told
):
    data = f"--dataset=folder:{pictures / folder}"
    result = command("descend", *SMOKE, f"--run_dir={tmp_path / 'run'}", data)
    refused(result, str(pictures / folder), *told)
    assert not list(tmp_path.iterdir())


def test_a_batch_larger_than_a_folder_of_images_is_refused(command, tmp_path, pictures):
    data = f"--dataset=folder:{pictures / 'good'}"
    result = command("descend", *SMOKE, f"--run_dir={tmp_path / 'run'}", data)
    refused(result, "a batch of 64 is too large")
    assert not list(tmp_path.iterdir())


def test_a_tfds_set_that_nobody_prepared_is_refused_where_there_is_no_network(
    command, tmp_path, monkeypatch
):
    from ns_tf.data.sources import tfds

    monkeypatch.setattr(tfds, "_online", lambda: False)
    data = ("--dataset=fashion_mnist", f"--data_dir={tmp_path / 'data'}")
    result = command("descend", *SMOKE, f"--run_dir={tmp_path / 'run'}", *data)
    refused(result, "fashion_mnist", "no network", "--data_dir")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_asks_for_its_run_folder(command, verb):
    told = "--run_dir or --model" if verb == "export" else "--run_dir=runs/NAME"
    refused(command(verb), told)


def test_a_folder_of_something_else_is_never_written_to(command, tmp_path):
    (tmp_path / "thesis.tex").write_text("ten years of work")
    before = contents(tmp_path)
    result = command("descend", *SMOKE, f"--run_dir={tmp_path}")
    refused(result, "'thesis.tex'", "no run folder")
    assert contents(tmp_path) == before


def test_a_run_folder_that_cannot_be_made_is_refused(command, tmp_path):
    (tmp_path / "file").write_text("a file")
    for place in (tmp_path / "file", tmp_path / "file" / "run", Path("/proc/no/run")):
        result = command("descend", *SMOKE, f"--run_dir={place}")
        refused(result, str(place), "cannot be a run folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_run_folder_that_may_not_be_written_is_refused(command, tmp_path):
    tmp_path.chmod(0o500)
    result = command("descend", *SMOKE, f"--run_dir={tmp_path / 'run'}")
    refused(result, "Permission denied", "another --run_dir")


def test_a_run_folder_of_other_flags_is_refused_and_the_flags_are_named(
    command, copied
):
    before = contents(copied)
    result = command("descend", *SMOKE, f"--run_dir={copied}", "--seed=3")
    refused(result, "other flags", "--seed: 0 -> 3", str(copied / "run.flags"))
    assert contents(copied) == before


def test_two_processes_cannot_write_to_one_run_folder(command, copied):
    with locked(copied):
        result = command("descend", *SMOKE, f"--run_dir={copied}")
    refused(result, str(copied), "in use by another process")


def test_a_finished_search_is_told_again_at_once_and_changes_nothing(command, copied):
    before = contents(copied)
    code, out, err = command("descend", *SMOKE, f"--run_dir={copied}")
    assert (code, err) == (0, "")
    assert "conv8" in out
    assert "python -m ns_tf.plan --run_dir=" in out
    assert contents(copied) == before


def test_the_flags_kept_in_the_run_folder_repeat_the_search(command, copied):
    kept = f"--flagfile={copied / 'run.flags'}"
    code, _, err = command("descend", kept, f"--run_dir={copied}")
    assert (code, err) == (0, "")


def test_a_loss_that_is_not_finite_ends_with_exit_1_and_names_the_step(
    command, tmp_path
):
    run_dir = f"--run_dir={tmp_path / 'run'}"
    code, _, err = command("descend", *SMOKE, run_dir, "--pretrain_rate=1e9")
    assert code == 1
    last = err.splitlines()[-1]
    assert re.search(r"The loss is (nan|inf) at training step \d+\. Lower the", last)
    assert "Traceback" not in err
    plain = ("--architecture=vgg11", "--dataset=digits", "--widths=4,4,4,4,4,4,4,4")
    code, _, err = command("train", run_dir, *plain, "--rate=1e9", "--batch=64")
    assert code == 1
    assert re.search(r"The loss is (nan|inf) at training step", err.splitlines()[-1])


# --- Plans.

BAD_PLAN = {
    "": ["Give a budget", "params"],
    "--params=0": ["params is a positive, finite number; got 0"],
    "--params=-5": ["params is a positive, finite number; got -5"],
    "--params=nan": ["params is a positive, finite number; got nan"],
    "--params=inf": ["params is a positive, finite number; got inf"],
    "--params=many": ["--params=many", "expected a number"],
    "--params=1": ["params=1 cannot be met", "the smallest network"],
    "--params=1e15": ["cannot be met", "the largest"],
    "--macs=10": ["macs=10 cannot be met"],
    "--parms=3000": ["'parms'", "Did you mean: params"],
    "--ratio=0": ["--ratio is a number above 0; got 0"],
    "--ratio=nan": ["--ratio", "got nan"],
    "--ratio=1e6": ["--ratio", "between 0 and 100"],
    "--params=3000 --iteration=7": ["iterations 1 to 1", "--iteration=7"],
    "--params=3000 --iteration=0": ["iterations 1 to 1", "--iteration=0"],
    "--params=3000 --iteration=-1": ["iterations 1 to 1", "--iteration=-1"],
    "--params=3000 --method=morph": ["--method=morph", "neuralscale, uniform"],
    "--params=3000 --round_to=0": ["--round_to", "got 0"],
    "--params=3000 --round_to=64": ["cannot be met", "every width 64"],
    "--params=3000 --min_width=0": ["--min_width", "got 0"],
    "--params=3000 --max_width=0": ["--max_width", "got 0"],
    "--params=3000 --min_width=9 --max_width=8": ["--min_width=9", "--max_width=8"],
    "--params=1e8 --max_width=16": ["cannot be met", "every width 16", "--max_width"],
    "--params=3000 --output=xml": ["--output=xml", "table, json, widths"],
    "--latency_ms=0": ["latency_ms is a positive, finite number; got 0"],
    "--latency_ms=1 --latency_batch=0": ["--latency_batch", "got 0"],
}


@pytest.mark.parametrize("arguments", BAD_PLAN)
def test_a_plan_that_cannot_be_is_refused(command, searched, arguments):
    before = contents(searched)
    result = command("plan", f"--run_dir={searched}", *arguments.split())
    refused(result, *BAD_PLAN[arguments])
    assert result[1] == ""
    assert contents(searched) == before


def test_an_iteration_that_does_not_exist_is_refused_by_every_method(command, searched):
    asked = ("--params=3000", "--method=uniform", "--iteration=7")
    refused(command("plan", f"--run_dir={searched}", *asked), "--iteration=7")


def test_morphnet_needs_a_pruning_that_reached_half(command, copied):
    history = copied / "history_01.csv"
    history.write_text("".join(history.read_text().splitlines(True)[:4]))
    asked = ("--params=3000", "--method=morphnet")
    result = command("plan", f"--run_dir={copied}", *asked)
    refused(result)


@pytest.mark.parametrize("place", ["empty", "nowhere"])
def test_a_plan_without_a_search_says_how_to_search(command, tmp_path, place):
    (tmp_path / "empty").mkdir()
    result = command("plan", f"--run_dir={tmp_path / place}", "--params=3000")
    refused(result, "no descent.json", "python -m ns_tf.descend", str(tmp_path / place))
    assert contents(tmp_path) == {}


def _edit(change):
    def damage(folder):
        data = json.loads((folder / "descent.json").read_text())
        change(data)
        (folder / "descent.json").write_text(json.dumps(data))

    return damage


def _cut(name, size):
    return lambda folder: os.truncate(folder / name, size)


def _cell(folder):
    lines = (folder / "trace_01.csv").read_text().splitlines(True)
    lines[2] = lines[2].replace(lines[2].split(",")[1], "many", 1)
    (folder / "trace_01.csv").write_text("".join(lines))


def _drop_rows(name):
    def damage(folder):
        lines = (folder / name).read_text().splitlines(True)
        (folder / name).write_text("".join(lines[:9]))

    return damage


DAMAGE = {
    "a truncated descent.json": (_cut("descent.json", 1500), "descent.json is dam"),
    "an empty descent.json": (_cut("descent.json", 0), "descent.json is damaged"),
    "a wrong version": (_edit(lambda data: data.update(version=2)), "of version 2"),
    "a key less": (_edit(lambda data: data.pop("names")), "descent.json is damaged"),
    "a law less": (_edit(lambda d: d["states"][0].pop("law")), "descent.json is dam"),
    "a layer less": (
        _edit(lambda data: data["states"][0]["law"]["beta"].pop()),
        "descent.json is damaged",
    ),
    "no state": (_edit(lambda data: data.update(states=[])), "no finished iteration"),
    "a missing trace": (lambda f: (f / "trace_01.csv").unlink(), "trace_01.csv"),
    "a missing history": (lambda f: (f / "history_01.csv").unlink(), "history_01.csv"),
    "a truncated trace": (_cut("trace_01.csv", 100), "trace_01.csv is damaged"),
}
UNSEEN_DAMAGE = {
    "a word in a trace": (_cell, "trace_01.csv"),
    "a trace of fewer rows": (_drop_rows("trace_01.csv"), "trace_01.csv"),
    "a history of fewer rows": (_drop_rows("history_01.csv"), "history_01.csv"),
    "no default widths": (
        _edit(lambda data: data.update(default_widths=[])),
        "descent.json is damaged",
    ),
    "a seed width of 0": (
        _edit(lambda data: data["seed_widths"].__setitem__(0, 0)),
        "descent.json is damaged",
    ),
    "no seed widths": (
        _edit(lambda data: data.update(seed_widths=[])),
        "descent.json is damaged",
    ),
    "no costs": (_edit(lambda d: d.update(costs={})), "descent.json is damaged"),
    "no range": (
        _edit(lambda data: data["states"][0]["law"].update(tau_range=[])),
        "descent.json is damaged",
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_search_is_refused_and_the_file_is_named(command, copied, what):
    damage, told = DAMAGE[what]
    damage(copied)
    before = contents(copied)
    refused(command("plan", f"--run_dir={copied}", "--params=3000"), told)
    assert contents(copied) == before


@pytest.mark.parametrize("what", UNSEEN_DAMAGE)
def test_damage_deeper_in_a_search_is_refused_and_the_file_is_named(
    command, copied, what
):
    damage, told = UNSEEN_DAMAGE[what]
    damage(copied)
    refused(command("plan", f"--run_dir={copied}", "--params=3000"), told)


def test_a_search_goes_on_from_no_damaged_file(command, copied):
    (copied / "descent.json").write_text("{")
    before = contents(copied)
    result = command("descend", *SMOKE, f"--run_dir={copied}")
    refused(result, "descent.json is damaged")
    assert contents(copied) == before


def _checkpoint(folder):
    """Makes the folder one of a search that was stopped; where its checkpoint is."""
    for name in ("descent.json", "trace_01.csv", "history_01.csv"):
        (folder / name).unlink()
    (folder / "checkpoints").mkdir(exist_ok=True)
    return folder / "checkpoints" / "prune_01.npz"


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_a_damaged_checkpoint_is_refused_and_named(command, copied, data):
    path = _checkpoint(copied)
    path.write_bytes(data)
    result = command("descend", *SMOKE, f"--run_dir={copied}")
    refused(result, "prune_01.npz is damaged")
    assert path.read_bytes() == data


def test_a_checkpoint_without_its_arrays_is_refused_and_named(command, copied):
    facts = {"steps": 1, "events": 0, "stopped": False}
    files.write_arrays(_checkpoint(copied), {}, facts)
    result = command("descend", *SMOKE, f"--run_dir={copied}")
    refused(result, "prune_01.npz")


@pytest.fixture(params=["", "--round_to=4", "--method=uniform", "--method=morphnet"])
def planned(request, command, searched):
    """A plan in every form: (json, widths, table)."""
    forms = {}
    asked = (f"--run_dir={searched}", "--params=3000", *request.param.split())
    for form in ("json", "widths", "table"):
        code, out, err = command("plan", *asked, f"--output={form}")
        assert (code, err) == (0, "")
        forms[form] = out
    return forms


def test_a_plan_says_the_same_in_every_form_and_keeps_to_the_budget(planned):
    told = json.loads(planned["json"])
    widths = [int(width) for width in planned["widths"].split(",")]
    assert planned["widths"].count("\n") == 1
    assert list(told["widths"].values()) == widths
    assert told["targets"] == {"params": 3000}
    assert 0 < told["costs"]["params"] <= 3000
    assert list(told["widths"])[0] in planned["table"]
    assert f"{told['costs']['params']:,} of 3,000" in planned["table"]


def test_the_widths_of_a_plan_are_trained_once_and_by_one_recipe(
    command, searched, tmp_path
):
    asked = (f"--run_dir={searched}", "--params=3000", "--output=widths")
    _, widths, _ = command("plan", *asked)
    run_dir = tmp_path / "plain"
    train = (f"--run_dir={run_dir}", *PLAIN, f"--widths={widths.strip()}")
    code, out, err = command("train", *train, "--name=mine")
    assert code == 0, err
    result = json.loads((run_dir / "train" / "mine" / "result.json").read_text())
    assert result["widths"] == [int(width) for width in widths.split(",")]
    assert 0 < result["params"] <= 3000
    assert f"{100 * result['test_accuracy']:.2f} %" in out
    before = contents(run_dir)
    assert command("train", *train, "--name=mine") == (0, out, "")
    other = command("train", *train, "--name=mine", "--epochs=2")
    refused(other, "other flags", "--epochs: 1 -> 2")
    assert contents(run_dir) == before


def test_a_training_is_not_another_networks_after_the_search_went_on(command, copied):
    asked = (f"--run_dir={copied}", "--params=3000", "--epochs=1", "--batch=350")
    code, out, err = command("train", *asked)
    assert code == 0, err
    told = json.loads((copied / "descent.json").read_text())
    alpha = told["states"][-1]["law"]["alpha"]
    alpha[0] *= 3  # As of another iteration.
    (copied / "descent.json").write_text(json.dumps(told))
    before = contents(copied)
    refused(command("train", *asked), "trains the widths", "--name")
    assert contents(copied) == before


def test_widths_that_were_measured_are_kept_by_their_training(
    command, copied, monkeypatch
):
    from ns_tf.budgets import latency

    monkeypatch.setattr(
        latency, "measure", lambda model, *_, **__: model.count_params() / 3000
    )
    asked = (f"--run_dir={copied}", "--latency_ms=1", "--epochs=1", "--batch=350")
    code, out, err = command("train", *asked)
    assert code == 0, err
    # The machine is slower now.
    monkeypatch.setattr(
        latency, "measure", lambda model, *_, **__: model.count_params() / 2000
    )
    assert command("train", *asked) == (0, out, "")


def test_a_plan_needs_neither_tensorflow_nor_keras_and_is_quick(searched):
    code = (
        "import runpy, sys\n"
        "try:\n"
        "    runpy.run_module('ns_tf.plan', run_name='__main__', alter_sys=True)\n"
        "finally:\n"
        "    heavy = {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)\n"
        "    print(sorted(heavy), file=sys.stderr)\n"
    )
    argv = [sys.executable, "-c", code, f"--run_dir={searched}", "--params=3000"]
    start = time.monotonic()
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60)
    seconds = time.monotonic() - start
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert "conv8" in done.stdout
    # 0.6 s on an idle core; the bar is 1.5 s.
    assert seconds < 5


# --- Trainings.

BAD_TRAINING = {
    "": ["holds no search", "--architecture", "--dataset", "--widths"],
    "--architecture=vgg11": ["--dataset is missing"],
    "--architecture=vgg11 --dataset=digits": ["needs a search of vgg11", "--widths"],
    "--architecture=vgg11 --dataset=digits --params=3000": ["needs a search of vgg11"],
    "--architecture=vgg11 --dataset=digits --method=uniform": ["Give a budget"],
    "--architecture=vgg1 --dataset=digits": ["Did you mean 'vgg11'?"],
    "--architecture=vgg11 --dataset=digt --widths=4": ["Did you mean 'digits'?"],
    "--architecture=vgg11 --dataset=digits --widths=4,4": ["8 widths; got 2: 4,4"],
    "--architecture=vgg11 --dataset=digits --widths=4,4,4,4,4,4,4,0": ["width 8"],
}
BAD_RECIPE = {
    "--epochs=0": ["--epochs", "got 0"],
    "--batch=0": ["--batch", "got 0"],
    "--batch=5000": ["1437 training images", "5000 is too large"],
    "--rate=0": ["--rate is a number above 0; got 0"],
    "--rate=nan": ["--rate", "got nan"],
    "--rate_divisor=0": ["--rate_divisor", "got 0"],
    "--rate_drops=0": ["--rate_drops", "epochs from 1"],
    "--momentum=2": ["--momentum", "got 2"],
    "--weight_decay=-1": ["--weight_decay", "got -1"],
    "--schedule=fast": ["--schedule=fast", "step, cosine, constant"],
    "--image_size=8": ["vgg11 cannot be built", "8x8x1"],
    "--dataset=digt": ["Did you mean 'digits'?"],
    "--strategy=all": ["--strategy=all", "mirrored"],
}


@pytest.mark.parametrize("arguments", BAD_TRAINING)
def test_a_training_of_nothing_is_refused_and_nothing_is_written(
    command, tmp_path, arguments
):
    run_dir = f"--run_dir={tmp_path / 'run'}"
    refused(command("train", run_dir, *arguments.split()), *BAD_TRAINING[arguments])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("argument", BAD_RECIPE)
def test_a_recipe_that_cannot_be_is_refused_and_nothing_is_written(
    command, tmp_path, argument
):
    network = (*PLAIN, "--widths=4,4,4,4,4,4,4,4")
    result = command("train", f"--run_dir={tmp_path / 'run'}", *network, argument)
    refused(result, *BAD_RECIPE[argument])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments, told",
    {
        "": "Give a budget",
        "--params=1": "cannot be met",
        "--params=3000 --iteration=3": "iterations 1 to 1",
        "--params=3000 --architecture=preact_resnet18": "search of preact_resnet18",
        "--params=3000 --dataset=nowhere": "Unknown data set 'nowhere'",
    }.items(),
)
def test_a_training_that_the_search_cannot_give_is_refused(
    command, searched, arguments, told
):
    before = contents(searched)
    asked = (f"--run_dir={searched}", *SHORT, *arguments.split())
    refused(command("train", *asked), told)
    assert contents(searched) == before


@pytest.mark.parametrize("text", [None, b"", b"\xff\xfe"])
def test_a_training_needs_the_flags_of_the_search(command, copied, text):
    (copied / "run.flags").unlink()
    if text is not None:
        (copied / "run.flags").write_bytes(text)
    asked = (f"--run_dir={copied}", "--params=3000", *SHORT)
    refused(command("train", *asked), "run.flags")


def test_a_seed_that_keras_cannot_have_is_refused(command, tmp_path):
    network = (*PLAIN, "--widths=4,4,4,4,4,4,4,4", "--seed=5000000000")
    refused(command("train", f"--run_dir={tmp_path / 'run'}", *network), "--seed")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../../../outside", "/outside"])
def test_a_training_stays_in_its_run_folder(command, tmp_path, name):
    name = name if name[0] != "/" else f"{tmp_path}{name}"
    network = (*PLAIN, "--widths=4,4,4,4,4,4,4,4", f"--name={name}")
    result = command("train", f"--run_dir={tmp_path / 'deep' / 'run'}", *network)
    refused(result, "--name")
    assert not list(tmp_path.iterdir())


# --- Help and flagfiles.


@pytest.mark.parametrize("verb", VERBS)
def test_help_names_every_flag_and_does_not_import_tensorflow(verb, flags_of):
    argv = [sys.executable, "-X", "importtime", "-m", f"ns_tf.{verb}", "--help"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "absl.flags" in imported
    assert not {"tensorflow", "keras", "matplotlib"} & imported
    assert f"python -m ns_tf.{verb}" in done.stdout
    with flags_of(verb) as configs:
        names = [name for config in configs for name in config.__dataclass_fields__]
    for name in ["run_dir", "flagfile", "debug", *names]:
        assert re.search(rf"^  --(\[no\])?{name}\b", done.stdout, re.MULTILINE), name


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
    found = re.search(r"Command: +python -m ns_tf\.(\w+) (.*)", header)
    if found is None:  # One that others include.
        assert re.search(r"Included by .*command: see there", header)
    verb, arguments = found.groups() if found else ("descend", "")
    if found:
        assert f"--flagfile={path.relative_to(ROOT)}" in arguments
        assert "--run_dir=" in arguments
        assert "Takes:" in header
    with flags_of(verb) as configs:
        flags.parse([verb, f"--flagfile={path}", *arguments.split(), "--run_dir=x"])
        made = [flags.read(config) for config in configs]
    named = [config.architecture for config in made if hasattr(config, "architecture")]
    for name in filter(None, named):
        assert architectures.get(name).name == name


@pytest.mark.slow
def test_the_smoke_flagfile_as_it_is_gives_a_search(command, tmp_path):
    smoke = f"--flagfile={ROOT}/flags/smoke.flags"
    code, out, err = command("descend", smoke, f"--run_dir={tmp_path / 'run'}")
    assert code == 0, err
    assert "conv8" in out
