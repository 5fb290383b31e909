"""`python -m ns_tf.measure`: device files, models for elsewhere, refusals."""

import csv
import json
import subprocess
import sys

import pytest
import tunings
from laws import by_law  # noqa: F401  It registers the runtime "law".
from places import ROOT
from verbs import refused

HEAVY = {"tensorflow", "keras", "matplotlib", "scipy"}
LITTLE = ("--runtime=law", "--points=2", "--networks=2", "--rounds=1")


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    from conftest import HANDMADE

    folder = tmp_path_factory.mktemp("mine")
    HANDMADE["chain"]().save(folder / "mine.keras")
    return folder / "mine.keras"


def test_a_model_is_measured_and_the_same_command_measures_nothing(
    command, mine, tmp_path
):
    asked = ("measure", f"--model={mine}", f"--out={tmp_path}/device.json", *LITTLE)
    code, out, err = command(*asked)
    assert code == 0 and "measured" in out and "device.json" in out, err
    before = (tmp_path / "device.json").stat().st_mtime_ns
    assert command(*asked)[0] == 0
    assert (tmp_path / "device.json").stat().st_mtime_ns == before
    refused(command(*asked, "--batch=2"), "other settings", "--out")


def test_a_search_is_measured_where_it_is_and_planned(command, network, tmp_path):
    """Its law is made up."""
    copied = tmp_path / "run"
    tunings.law(copied, network)
    code, _, err = command("measure", f"--run_dir={copied}", *LITTLE)
    assert code == 0, err
    told = json.loads((copied / "device.json").read_text())
    assert told["network"]["names"][0] == "conv1" and told["runtime"] == "law"
    budget = told["whole"][1]["ms"]
    asked = (f"--latency_ms={budget}", f"--device={copied}/device.json")
    code, out, err = command("plan", f"--run_dir={copied}", *asked, "--output=json")
    assert code == 0, err
    plan = json.loads(out)
    assert 0.9 * budget < plan["costs"]["latency_ms"] <= budget  # Tables have steps.
    assert plan["method"] == "ranking" and "law, 1 thread" in plan["device"]
    code, out, err = command("plan", f"--run_dir={copied}", *asked, "--device_here")
    assert code == 0 and "latency_ms" in out, err


def test_models_are_written_and_times_read(command, mine, tmp_path):
    asked = ("measure", f"--model={mine}", *LITTLE)
    code, out, err = command(*asked, f"--write_models={tmp_path}/models")
    table = tmp_path / "models" / "times.csv"
    assert code == 0 and str(table) in out, err
    rows = list(csv.reader(table.open()))
    for row in rows[1:]:
        row[2] = (table.parent / row[0]).read_text().split()[1]
    with table.open("w") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    there = (f"--import={table}", f"--out={tmp_path}/phone.json", "--machine=a phone")
    code, out, err = command(*asked, *there)
    assert code == 0 and "on a phone" in out, err
    rows[3][2] = ""
    with table.open("w") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    refused(command(*asked, *there), "has holes: 1 of", rows[3][0].removesuffix(".txt"))


@pytest.mark.parametrize(
    "flags, told",
    [
        ((), "either --run_dir of a search, or --model"),
        (("--model=vg11",), "Did you mean 'vgg11'"),
        (("--model=vgg11", "--runtime=lite"), "Did you mean 'litert'"),
        (("--model=vgg11", "--points=1"), "--points"),
        (("--run_dir=nowhere",), "no descent.json"),
        (("--model=vgg11", "--import=none.csv"), "no table of times at none.csv"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(command, flags, told):
    refused(command("measure", *flags), told)


def test_a_device_file_that_does_not_fit_is_refused(command, searched, tmp_path):
    asked = ("plan", f"--run_dir={searched}", "--latency_ms=1")
    refused(command(*asked, f"--device={tmp_path}/none.json"), "no device file")
    (tmp_path / "bad.json").write_text("{}")
    refused(command(*asked, f"--device={tmp_path}/bad.json"), "version None")
    refused(command(*asked, "--device_here"), "--device_here goes with --device")


def test_help_is_quick():
    argv = [sys.executable, "-X", "importtime", "-m", "ns_tf.measure", "--help"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "--import=TEXT" in done.stdout
    names = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert not HEAVY & names
