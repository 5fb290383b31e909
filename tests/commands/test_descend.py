"""`python -m ns_tf.descend` as a hostile and as a new user meet it."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toys import DEFAULT, macs, params, toy_search
from verbs import ROOT, SMOKE, contents, locked, refused

from ns_tf.budgets import BUDGETS
from ns_tf.descend import __main__ as command_of_descend
from ns_tf.run import files


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
    "--architecture=vg11": ["Unknown architecture", "Did you mean 'vgg11'?"],
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
    plans = [line for line in out.splitlines() if "python -m ns_tf.plan" in line]
    assert [line.partition("=")[2].partition("=")[0] for line in plans] == [
        f"{copied} --params",
        f"{copied} --macs",
    ]
    assert "or --flash, --latency_ms, --litert_bytes, --peak_ram" in out
    assert contents(copied) == before
    for line in plans:  # As it stands, it is a plan.
        _, _, *arguments = line.split()
        code, plan, err = command("plan", *arguments[1:])
        assert (code, err) == (0, "") and "conv8" in plan


def test_the_flags_kept_in_the_run_folder_repeat_the_search(command, copied):
    kept = f"--flagfile={copied / 'run.flags'}"
    code, _, err = command("descend", kept, f"--run_dir={copied}")
    assert (code, err) == (0, "")


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_with_exit_1_and_names_the_step(
    command, tmp_path
):
    run_dir = f"--run_dir={tmp_path / 'run'}"
    code, _, err = command("descend", *SMOKE, run_dir, "--pretrain_rate=1e9")
    assert code == 1
    last = err.splitlines()[-1]
    assert re.search(r"The loss is (nan|inf) at training step \d+\. Lower the", last)
    assert "Traceback" not in err


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


@pytest.mark.slow
def test_the_smoke_flagfile_as_it_is_gives_a_search(command, tmp_path):
    smoke = f"--flagfile={ROOT}/flags/smoke.flags"
    code, out, err = command("descend", smoke, f"--run_dir={tmp_path / 'run'}")
    assert code == 0, err
    assert "conv8" in out


# What it prints.


def test_the_table_has_a_row_a_layer_with_its_law_and_its_widths():
    record = toy_search(2)
    header, *rows = command_of_descend.table(record).splitlines()
    assert header.split() == ["layer", "alpha", "beta", "R2", *"it 1 it 2 next".split()]
    law = record.states[-1].law
    for i, (name, row) in enumerate(zip(record.names, rows, strict=True)):
        widths = [state.widths[i] for state in record.states]
        widths.append(record.states[-1].scaling.widths[i])
        numbers = [f"{law.alpha[i]:.4g}", f"{law.beta[i]:.3f}", f"{law.r2[i]:.3f}"]
        assert row.split() == [name, *numbers, *map(str, widths)]


def test_the_next_steps_are_plans_of_a_quarter_by_several_budgets():
    record = toy_search(1)
    lines = command_of_descend.next_steps("runs/x", record).splitlines()
    plan = "python -m ns_tf.plan --run_dir=runs/x"
    assert f"  {plan} --params={params(DEFAULT) // 4}" in lines
    assert f"  {plan} --macs={macs(DEFAULT) // 4}" in lines
    others = sorted(set(BUDGETS.names()) - {"params", "macs"})
    assert lines[-1] == "  or " + ", ".join(f"--{name}" for name in others)
    assert "--run_dir='a b/x' --params" in command_of_descend.next_steps(
        "a b/x", record
    )
