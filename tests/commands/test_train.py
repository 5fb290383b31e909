"""`python -m ns_tf.train` as a hostile and as a new user meet it."""

import json
import re

import pytest
import tunings
from edits import values_of
from verbs import PLAIN, SHORT, contents, refused

from ns_tf.run import files

BAD_TRAINING = {
    "": ["holds no search", "--architecture", "--dataset", "--widths"],
    "--architecture=vgg11": ["--dataset is missing"],
    "--architecture=vgg11 --dataset=digits": ["needs a search of vgg11", "--widths"],
    "--architecture=vgg11 --dataset=digits --params=3000": ["needs a search of vgg11"],
    "--architecture=vgg11 --dataset=digits --method=uniform": ["Give a budget"],
    "--architecture=vg11 --dataset=digits": ["Did you mean 'vgg11'?"],
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


def test_the_widths_of_a_plan_are_trained_once_and_by_one_recipe(
    command, network, small, tmp_path
):
    asked = (f"--run_dir={small}", "--params=3000", "--output=widths")
    _, widths, _ = command("plan", *asked)
    run_dir = tmp_path / "plain"
    plain = (network, "--dataset=digits", "--image_size=16", *SHORT)
    train = (f"--run_dir={run_dir}", *plain, f"--widths={widths.strip()}")
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


@pytest.fixture
def small(network, tmp_path):
    """The run folder of a search of a small network; its law is made up."""
    tunings.law(tmp_path / "small", network)
    return tmp_path / "small"


def test_a_training_is_not_another_networks_after_the_search_went_on(command, small):
    asked = (f"--run_dir={small}", "--params=3000", "--epochs=1", "--batch=350")
    code, out, err = command("train", *asked)
    assert code == 0, err
    told = values_of(small / "descent.json")
    told["states"][-1]["law"]["alpha"][0] *= 3  # As of another iteration.
    files.write_json(small / "descent.json", told)
    before = contents(small)
    refused(command("train", *asked), "trains the widths", "--name")
    assert contents(small) == before


def test_widths_that_were_measured_are_kept_by_their_training(
    command, small, monkeypatch
):
    from ns_tf.budgets import latency

    monkeypatch.setattr(
        latency, "measure", lambda model, *_, **__: model.count_params() / 3000
    )
    asked = (f"--run_dir={small}", "--latency_ms=1", "--epochs=1", "--batch=350")
    code, out, err = command("train", *asked)
    assert code == 0, err
    # The machine is slower now.
    monkeypatch.setattr(
        latency, "measure", lambda model, *_, **__: model.count_params() / 2000
    )
    assert command("train", *asked) == (0, out, "")


def test_a_loss_that_is_not_finite_ends_with_exit_1_and_names_the_step(
    command, tmp_path
):
    run_dir = f"--run_dir={tmp_path / 'run'}"
    plain = ("--architecture=vgg11", "--dataset=digits", "--widths=4,4,4,4,4,4,4,4")
    code, _, err = command("train", run_dir, *plain, "--rate=1e9", "--batch=64")
    assert code == 1
    assert re.search(r"The loss is (nan|inf) at training step", err.splitlines()[-1])
    assert "Traceback" not in err
