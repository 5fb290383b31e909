"""`python -m ns_tf.plan`: plans in every form, refusals, damaged searches."""

import importlib.util
import json
import os
import subprocess
import sys
import time

import pytest
from edits import edit, edit_json, text_of
from laws import toy_device, toy_ms
from verbs import ROOT, contents, refused

from ns_tf.descend.record import read_search

FINISHED = ("--run_dir=docs/runs/vgg11_cifar10_short", "--params=600000")
HEAVY = {"tensorflow", "keras", "keras_tuner", "matplotlib", "scipy"}
BAD_PLAN = {
    "": ["Give a budget", "params"],
    "--params=0": ["--params is a number above 0; got 0"],
    "--params=-5": ["--params is a number above 0; got -5"],
    "--params=nan": ["--params is a number above 0; got nan"],
    "--params=inf": ["--params is a number above 0; got inf"],
    "--params=many": ["--params=many", "expected a number"],
    "--params=1": ["params=1 cannot be met", "the smallest network"],
    "--params=1e15": ["cannot be met", "the largest"],
    "--macs=10": ["macs=10 cannot be met"],
    "--parms=3000": ["'parms'", "Did you mean: params"],
    "--ratio=0": ["--ratio is a number above 0; got 0"],
    "--ratio=nan": ["--ratio", "got nan"],
    "--ratio=1e6": ["--ratio", "between 0 and 100"],
    "--params=3000 --iteration=7": ["iterations 1 to 1", "--iteration=7"],
    "--params=3000 --iteration=0": ["--iteration is a whole number of at least 1"],
    "--params=3000 --iteration=-1": ["--iteration is a whole number of at least 1"],
    "--params=3000 --method=morph": ["--method=morph", "neuralscale, divisible"],
    "--params=3000 --round_to=0": ["--round_to", "got 0"],
    "--params=3000 --round_to=64": ["cannot be met", "every width 64"],
    "--params=3000 --min_width=0": ["--min_width", "got 0"],
    "--params=3000 --max_width=0": ["--max_width", "got 0"],
    "--params=3000 --min_width=9 --max_width=8": ["--min_width=9", "--max_width=8"],
    "--params=1e8 --max_width=16": ["cannot be met", "every width 16", "--max_width"],
    "--params=3000 --output=xml": ["--output=xml", "table, json, widths"],
    "--latency_ms=0": ["--latency_ms is a number above 0; got 0"],
    "--latency_ms=1 --latency_batch=0": ["--latency_batch", "got 0"],
    "--params=3000 --price_exponent=2": ["goes with --method=priced"],
    "--macs=3e6 --price_exponent=0": ["--price_exponent is a number above 0; got 0"],
    "--latency_ms=1 --method=priced": ["latency_ms has no price", "neuralscale"],
    "--params=3000 --refine=1": ["--refine is a whole number of at least 2; got 1"],
    "--params=3000 --refine=3 --method=uniform": ["--refine chooses", "leave out"],
    "--params=3000 --refine=3 --dataset=nope": ["Unknown data set 'nope'"],
    "--params=3000 --refine=3 --refine_batch=9999": ["batch of 9999 is too large"],
    "--params=3000 --refine_epochs=9": ["--refine_epochs goes with --refine."],
    "--params=3000 --device=none.json": ["--device goes with --latency_ms."],
    "--params=3000 --device=none.json --device_here": ["goes with --latency_ms."],
    "--params=3000 --architecture=resnet56": ["--architecture goes with --refine."],
    "--params=3000 --dataset=nope": ["--dataset goes with --refine."],
    "--params=1 --refine=3": ["params=1 cannot be met"],
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
    edit(copied / "history_01.csv", lambda text: "".join(text.splitlines(True)[:4]))
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
        edit_json(folder / "descent.json", change)

    return damage


def _cut(name, size):
    return lambda folder: os.truncate(folder / name, size)


def _cell(folder):
    lines = text_of(folder / "trace_01.csv").splitlines(True)
    lines[2] = lines[2].replace(lines[2].split(",")[1], "many", 1)
    (folder / "trace_01.csv").write_text("".join(lines))


def _drop_rows(name):
    def damage(folder):
        lines = text_of(folder / name).splitlines(True)
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


def test_a_plan_by_a_device_file_needs_no_tensorflow_either(tmp_path):
    """Not even where it cannot be imported, and it takes less than a second of work."""
    search = read_search(ROOT / "docs/runs/vgg11_cifar10_short")
    device = toy_device(search, largest=512).write(tmp_path / "device.json")
    blocked = f"import sys; sys.modules.update(dict.fromkeys({sorted(HEAVY)}))"
    asked = ["--latency_ms=40", f"--device={device.path}", "--output=json", FINISHED[0]]
    code = (
        f"{blocked}; sys.argv = {['plan', *asked]}; import runpy, time; "
        "start = time.process_time(); "
        "import atexit; atexit.register(lambda: print(time.process_time() - start)); "
        "runpy.run_module('ns_tf.plan', run_name='__main__')"
    )
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    *told, seconds = done.stdout.splitlines()
    plan = json.loads("\n".join(told))
    assert plan["method"] == "priced" and float(seconds) < 1
    took = toy_ms(list(plan["widths"].values()))
    assert plan["costs"]["latency_ms"] == pytest.approx(took) and 38.8 < took <= 40


def test_a_plan_needs_neither_tensorflow_nor_keras_and_is_quick():
    """It imports NumPy and absl; the time is what else the machine does."""
    argv = [sys.executable, "-X", "importtime", "-m", "ns_tf.plan", *FINISHED]
    start = time.monotonic()
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60)
    seconds = time.monotonic() - start
    assert done.returncode == 0 and "conv8" in done.stdout
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "ns_tf.plan.plan" in imported and not HEAVY & imported
    packages = {name.partition(".")[0] for name in imported}
    outside = {p for p in packages if (ROOT / p).is_dir() or importable(p)}
    assert outside <= {"numpy", "absl", "ns_tf"}
    # 0.2 s on an idle core; the bar is 1 s.
    assert seconds < 5


def importable(package):
    """Whether it is installed beside Python, and no file that installs paths."""
    if package in sys.stdlib_module_names or package.startswith("_"):
        return False
    spec = importlib.util.find_spec(package)
    return spec is not None and bool(spec.submodule_search_locations)
