"""A tuning as a user runs it: trials kept, added, killed, shared out to workers."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import exports
import pytest
import tunings
from edits import edit, values_of
from picked import picked
from places import ROOT
from verbs import contents, refused

from ns_tf.descend.record import read_search
from ns_tf.run import files
from ns_tf.tune import leaderboard

pytestmark = pytest.mark.usefixtures("hasty")
SEARCH = (
    "--dataset=digits",
    "--image_size=16",
    "--pretrain_epochs=0",
    "--search_batch=64",
    "--filters_per_event=3",
    "--steps_per_event=1",
    "--stop_fraction=0.2",
)
RECIPE = ("--epochs=2", "--batch=350", "--rate=0.05", "--schedule=cosine")
SPACE = "params=900..4000,rate=0.01..0.2,augmentation=none|crop"


@pytest.fixture(scope="module")
def flagfile(network, tmp_path_factory):
    """The flagfile of a search that takes 12 steps."""
    path = tmp_path_factory.mktemp("flagfile") / "small.flags"
    path.write_text("\n".join([network, *SEARCH]))
    return path


@pytest.fixture(scope="module")
def law(network, tmp_path_factory):
    """The run folder of such a search, its law made up; to be read only."""
    folder = tmp_path_factory.mktemp("law") / "run"
    tunings.law(folder, network)
    return folder


@pytest.fixture(scope="module")
def tuned(status, law, tmp_path_factory):
    """A finished tuning of three trials; to be read only."""
    folder = tmp_path_factory.mktemp("tuned") / "run"
    assert status("tune", *asked(folder, law), "--max_trials=3") == 0
    return folder


@pytest.fixture
def instant(monkeypatch):
    """Trainings end at once."""
    return tunings.instant(monkeypatch)


def asked(folder, search, *more):
    return (
        f"--run_dir={folder}",
        f"--search={search}",
        f"--space={SPACE}",
        *RECIPE,
        *more,
    )


def outcome(folder):
    """By trial: all that tuning.json has, but for the time."""
    rows = values_of(folder / "tuning.json")["rows"]
    for row in rows:
        del row["seconds"]
    return {row["trial"]: row for row in rows}


def test_every_trial_is_on_the_law_within_its_budget_and_trained_by_its_recipe(
    tuned, law
):
    from ns_tf import load

    rows, search = outcome(tuned), load(law)
    assert sorted(rows) == ["trial_0000", "trial_0001", "trial_0002"]
    for name, row in rows.items():
        values = row["values"]
        plan = search.plan(params=values["params"])
        assert row["widths"] == list(plan.widths)
        assert row["params"] == plan.params <= values["params"]
        flags = (tuned / "train" / name / "run.flags").read_text()
        for flag in ("rate", "augmentation"):
            assert f"--{flag}={values[flag]}\n" in flags
        kept = json.loads((tuned / "train" / name / "result.json").read_text())
        for statistic in ("validation_accuracy", "test_accuracy", "params", "macs"):
            assert row[statistic] == kept[statistic]
    assert len({row["values"]["params"] for row in rows.values()}) == 3


def test_table_figure_and_front_tell_the_trials(tuned):
    rows = outcome(tuned)
    best = [row["validation_accuracy"] for row in rows.values()]
    assert best == sorted(best, reverse=True)
    points = [(row["params"], row["validation_accuracy"]) for row in rows.values()]
    for row, (cost, accuracy) in zip(rows.values(), points, strict=True):
        beaten = any(
            c <= cost and a >= accuracy and (c, a) != (cost, accuracy)
            for c, a in points
        )
        assert row["front"] != beaten
    text = (tuned / "table.md").read_text()
    for name, row in rows.items():
        (line,) = (line for line in text.split("\n") if name in line)
        assert f"{row['params']:,}" in line and ("*" in line) == row["front"]
    header = (tuned / "table.csv").read_text().split("\n")[0].split(",")
    assert header[:4] == ["params<=", "rate", "augmentation", "trial"]
    assert len(set(header)) == len(header)
    picture = tuned / "plots" / "accuracy_params.png"
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_a_trial_can_be_exported(tuned, command, tmp_path, monkeypatch):
    exports.run_here(monkeypatch)
    code, out, err = command(
        "export",
        f"--run_dir={tuned}",
        "--training=trial_0001",
        "--format=keras",
        f"--out_dir={tmp_path}",
        "--check_images=11",
    )
    assert code == 0, err
    assert (tmp_path / "trial_0001.keras").exists()


@pytest.fixture
def copied_tuning(tuned, tmp_path):
    return Path(shutil.copytree(tuned, tmp_path / "copied"))


def again(command, folder, *changes):
    flagfile = folder / "run.flags"
    return command("tune", f"--flagfile={flagfile}", f"--run_dir={folder}", *changes)


def test_the_same_command_again_trains_nothing(command, copied_tuning):
    before, told = contents(copied_tuning / "train"), outcome(copied_tuning)
    code, out, err = again(command, copied_tuning)
    assert code == 0, err
    assert "3 trials, 3 done before" in out
    assert contents(copied_tuning / "train") == before
    assert outcome(copied_tuning) == told


def test_the_table_is_written_as_trials_end(
    command, copied_tuning, monkeypatch, instant
):
    written, write = [], leaderboard.write

    def kept(work):
        rows, text = write(work)
        written.append(text)
        return rows, text

    monkeypatch.setattr(leaderboard, "write", kept)
    code, _, err = again(command, copied_tuning, "--max_trials=5")
    assert code == 0, err
    told = ["So far: 4 of 5 trials." in text for text in written]
    assert told == [True, False, False]
    assert "So far" not in written[-1]


def test_trials_can_be_added(command, copied_tuning, instant):
    before = outcome(copied_tuning)
    code, out, err = again(command, copied_tuning, "--max_trials=4")
    assert code == 0 and "4 trials, 3 done before" in out, err
    after = outcome(copied_tuning)
    assert sorted(after) == [*sorted(before), "trial_0003"]
    for name, row in before.items():
        assert {**after[name], "front": 0} == {**row, "front": 0}


def test_another_space_is_refused_and_nothing_is_written(command, copied_tuning):
    before = contents(copied_tuning)
    refused(again(command, copied_tuning, "--space=params=900..5000"), "--space")
    assert contents(copied_tuning) == before


def test_a_search_that_changed_is_refused(command, copied_tuning, law, tmp_path):
    other = Path(shutil.copytree(law, tmp_path / "other"))
    asked = (f"--search={law}", f"--search={other}")
    edit(copied_tuning / "run.flags", lambda text: text.replace(*asked))
    assert again(command, copied_tuning)[0] == 0, "a copy is the same search"
    path = other / "descent.json"
    kept = values_of(path)
    kept["states"][0]["law"]["alpha"][0] *= 1.5
    files.write_json(path, kept)
    refused(again(command, copied_tuning), "changed since the tuning")


@pytest.mark.parametrize("tuner", picked({"hyperband"}, ["bayesian", "hyperband"]))
def test_other_tuners(command, law, tmp_path, tuner, instant):
    """Hyperband trains the best of its short ones again, and longer."""
    code, out, err = command(
        "tune",
        *asked(tmp_path, law, f"--tuner={tuner}"),
        *(["--random_trials=3"] if tuner == "bayesian" else []),
        "--epochs=3",
        "--max_trials=4",
    )
    assert code == 0, err
    rows = outcome(tmp_path)
    if tuner == "bayesian":
        assert len(rows) == 4
        return
    longer = [row for row in rows.values() if "tuner/trial_id" in row["values"]]
    assert longer
    for row in longer:
        before = rows[f"trial_{int(row['values']['tuner/trial_id']):04d}"]
        assert before["widths"] == row["widths"] and before["epochs"] < row["epochs"]
        result = tmp_path / "train" / row["trial"] / "result.json"
        assert json.loads(result.read_text())["epochs"] == row["epochs"]


@pytest.mark.slow
def test_the_numbers_of_a_search_are_tuned_under_a_cap(
    command, flagfile, tmp_path, instant
):
    code, out, err = command(
        "tune",
        f"--run_dir={tmp_path / 'run'}",
        "--tune=search",
        f"--search={flagfile}",
        "--space=pretrain_epochs=0..1,filters_per_event=3..5,steps_per_event=1..9",
        "--max_search_steps=30",
        "--params=2000",
        "--max_trials=2",
        *RECIPE,
    )
    assert code == 0, err
    rows = outcome(tmp_path / "run")
    assert len(rows) == 2
    for name, row in rows.items():
        assert 0 < row["search_steps"] <= 30 and row["params"] <= 2000
        folder = tmp_path / "run" / "trials" / name / "search"
        flags = (folder / "run.flags").read_text()
        for flag, value in row["values"].items():
            assert f"--{flag}={value}\n" in flags
        (state,) = read_search(folder).states
        removed = 19 + 23 - 9
        events = -(-removed // row["values"]["filters_per_event"])
        steps = row["values"]["pretrain_epochs"] * 22
        steps += events * row["values"]["steps_per_event"]
        assert row["search_steps"] == steps
    picture = tmp_path / "run" / "plots" / "accuracy_search_steps.png"
    assert picture.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.slow
def test_values_that_do_not_go_together_are_a_trial_that_failed(
    command, flagfile, tmp_path, instant
):
    """Each alone is sound: too few removals are left where both are drawn."""
    code, out, err = command(
        "tune",
        f"--run_dir={tmp_path}",
        "--tune=search",
        f"--search={flagfile}",
        "--space=filters_per_event=3|5,stop_fraction=0.2|0.5",
        "--params=2000",
        "--max_trials=4",
        *RECIPE,
    )
    assert code == 0, err
    rows = outcome(tmp_path).values()
    failed = [row["values"] for row in rows if row["failure"]]
    assert failed == [{"filters_per_event": 5, "stop_fraction": 0.5}]


def test_networks_of_another_image_size_are_within_their_budget_too(
    command, searched, tmp_path, instant
):
    """Multiply-adds are those of the images that are trained on."""
    code, out, err = command(
        "tune",
        *asked(tmp_path, searched),
        "--image_size=40",
        "--space=macs=200000..600000",
        "--max_trials=2",
    )
    assert code == 0, err
    for row in outcome(tmp_path).values():
        assert 0.9 * row["values"]["macs"] < row["macs"] <= row["values"]["macs"]


def test_epochs_can_be_tuned_and_are_told(command, law, tmp_path, instant):
    space = "--space=params=2000,epochs=1|3"
    code, out, err = command("tune", *asked(tmp_path, law), space, "--max_trials=5")
    assert code == 0, err
    rows = outcome(tmp_path).values()
    assert len(rows) == 2, "there are no more"
    assert all(row["epochs"] == row["values"]["epochs"] for row in rows)


@pytest.mark.slow
def test_a_search_by_flagfile_is_done_first(command, flagfile, tmp_path, instant):
    code, out, err = command("tune", *asked(tmp_path, flagfile), "--max_trials=1")
    assert code == 0, err
    assert (tmp_path / "searches" / "small" / "descent.json").exists()
    assert len(outcome(tmp_path)) == 1


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_the_worst_trial(command, law, tmp_path):
    space = "--space=params=900..4000,rate=0.01|1e30"
    code, out, err = command(
        "tune",
        *asked(tmp_path, law),
        space,
        "--max_trials=4",
        "--schedule=constant",
        "--epochs=1",
    )
    assert code == 0, err
    rows = list(outcome(tmp_path).values())
    failed = [row for row in rows if row["failure"]]
    assert failed and all("loss" in row["failure"] for row in failed)
    assert all(row["values"]["rate"] == 1e30 for row in failed)
    assert rows[-len(failed) :] == failed and not any(row["front"] for row in failed)
    assert again(command, tmp_path)[0] == 0


BAD = {
    "--space=param=1..2": ["Did you mean 'params'?"],
    "--space=rate": ["NAME=LOW..HIGH"],
    "--space=rate=0.1..0.2": ["Give a budget"],
    "--space=params=3..4000": ["params=3 cannot be met"],
    "--space=params=900..4000,round_to=64": ["cannot be met"],
    "--space=params=900..4000,batch=64|5000": ["5000 is too large"],
    "--space=params=900..4000 --params=2000": ["give it once"],
    "--search=nowhere": ["no search at nowhere"],
    "--search=": ["needs a search"],
    "--tuner=grid": ["--tuner=grid", "random, hyperband, bayesian"],
    "--max_trials=0": ["--max_trials", "got 0"],
    "--workers=0": ["--workers", "got 0"],
    "--random_trials=0": ["--random_trials", "got 0"],
    "--random_trials=3": ["--random_trials goes with --tuner=bayesian"],
    "--tuner=hyperband --space=params=900..4000,epochs=1|2": ["leave epochs out"],
    "--space=params=900..4000 --max_width=5": ["cannot be met", "the largest"],
    "--space=ratio=0.5..1e30": ["ratio lies between 0 and 100"],
    "--space=params=900..4000,round_to=1|2 --round_to=4": ["give it once"],
    "--hyperband_factor=1": ["--hyperband_factor", "got 1"],
    "--hyperband_factor=4": ["--hyperband_factor goes with --tuner=hyperband"],
    "--max_search_steps=5": ["--max_search_steps goes with --tune=search"],
    "--tune=search": ["needs the flagfile of a search"],
    "--architecture=vgg11 --image_size=32": ["is of another network"],
    "--dataset=digt": ["Did you mean 'digits'?"],
    "--precision=int8": ["--precision=int8"],
}


@pytest.mark.parametrize("arguments", BAD)
def test_what_cannot_be_tuned_is_refused_and_nothing_is_written(
    command, law, tmp_path, arguments
):
    result = command("tune", *asked(tmp_path / "run", law), *arguments.split())
    refused(result, *BAD[arguments])
    assert not list(tmp_path.iterdir())


BAD_SEARCHES = {
    "--params=3": ["params=3 cannot be met"],
    "--space=rate=0.1..0.2 --params=2000": ["Unknown hyperparameter 'rate'"],
    "--params=2000 --max_search_steps=3": ["takes at least", "the cap is 3"],
    "--params=2000 --space=pretrain_epochs=1|2,search_batch=16|64 "
    "--max_search_steps=60": ["takes at least", "the cap is 60"],
    "--params=2000 --dataset=digits": ["are those of the flagfile"],
    "--params=2000 --space=filters_per_event=3..60": ["at least"],
    "--params=2000 --space=search_batch=64|5000": ["5000 is too large"],
    "--space=steps_per_event=1..3": ["Give a budget"],
}


@pytest.mark.parametrize("arguments", BAD_SEARCHES)
def test_searches_that_cannot_be_tuned_are_refused(
    command, flagfile, tmp_path, arguments
):
    space = "--space=filters_per_event=3..5,steps_per_event=1..3"
    result = command(
        "tune",
        f"--run_dir={tmp_path / 'run'}",
        "--tune=search",
        f"--search={flagfile}",
        space,
        *RECIPE,
        *arguments.split(),
    )
    refused(result, *BAD_SEARCHES[arguments])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["trials", "trial", "source", "result"])
def test_damage_is_found_before_anything_is_written(command, copied_tuning, name):
    path = next(copied_tuning.rglob(f"{name}.json"))
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    before = contents(copied_tuning)
    refused(again(command, copied_tuning), f"{path} is damaged")
    assert contents(copied_tuning) == before


# Processes.


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "ns_tf.tune", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def worker_processes(folder):
    """The processes that work for the tuning in this folder, by what began them."""
    flagfile = f"--flagfile={folder / 'worker.flags'}"
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if flagfile in path.read_text().split("\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_two_workers_share_eight_trials_none_twice_though_one_is_killed(
    tuned, law, tmp_path
):
    folder = tmp_path / "run"
    process = start(*asked(folder, law), "--max_trials=8", "--workers=2", "--threads=1")
    end = time.monotonic() + 300
    while len(list(folder.glob("train/*/result.json"))) < 2:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    os.kill(worker_processes(folder)[0], signal.SIGKILL)
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 0, out
    rows = outcome(folder)
    assert len(rows) == 8
    # What was drawn depends on nothing but the seed.
    for name, row in outcome(tuned).items():
        assert rows[name]["values"] == row["values"]
        assert rows[name]["widths"] == row["widths"]


@pytest.mark.slow
def test_killed_anywhere_and_continued_the_outcome_is_the_same(law, tmp_path, rng):
    arguments = (*asked(tmp_path / "straight", law), "--max_trials=3", "--threads=1")
    begun = time.monotonic()
    process = start(*arguments)
    out, _ = process.communicate()
    assert process.returncode == 0, out
    seconds = time.monotonic() - begun
    arguments = (*asked(tmp_path / "killed", law), "--max_trials=3", "--threads=1")
    kills = 0
    while True:
        process = start(*arguments, "--checkpoint_seconds=0")
        try:
            process.wait(rng.uniform(0.4, 0.9) * seconds if kills < 4 else None)
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    assert process.returncode == 0 and kills
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "straight")
