"""What users and run folders rely on, as the commands show it.

No inner module of ns_tf is imported here: modules move, this stays. The recorded form
is tests/goldens/contract.json, which tools/update_contract.py writes.
"""

import concurrent.futures
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from edits import edit, text_of, values_of

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "goldens" / "contract.json"
RUNS = ROOT / "docs" / "runs"
FINISHED = RUNS / "table1_vgg11_cifar10_short"
DATA = ROOT.parent / "shared" / "tfds"
VERBS = ("descend", "plan", "train", "compare", "report", "export", "tune")
NAMES = """
    Architecture DescentState InputError Plan Progress PruneTrace RunError Scaling
    ScalingLaw Search analyse architecture architecture_descent at_cost from_arrays
    from_model from_tf_data load power_law search
""".split()
# Imports every module first: one that bears a public name would hide it.
PROGRAM = """
import contextlib, importlib, inspect, json, pkgutil, sys
import ns_tf
for module in pkgutil.walk_packages(ns_tf.__path__, "ns_tf."):
    if not module.name.endswith("__main__"):
        with contextlib.suppress(ImportError):
            importlib.import_module(module.name)


def kind(found):
    called = "function" if callable(found) else type(found).__name__
    return "class" if inspect.isclass(found) else called


print(json.dumps({name: kind(getattr(ns_tf, name, None)) for name in sys.argv[1:]}))
"""
# Runs commands [module, arguments, file of the output] one after the other. Each has a
# process of its own, a fork of this one: TensorFlow is imported once for all of them.
IN_TURN = """
import json, os, runpy, sys
import tensorflow

for module, arguments, out in json.loads(sys.argv[1]):
    process = os.fork()
    if not process:
        with open(out, "w") as file:
            os.dup2(file.fileno(), 1)
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        sys.exit()
    if os.waitpid(process, 0)[1]:
        sys.exit(f"{module} {arguments} failed")
"""
SEARCH = (
    "--architecture=vgg11",
    "--dataset=digits",
    "--ratio=0.0625",
    "--pretrain_epochs=1",
    "--search_batch=64",
    "--steps_per_event=2",
    "--filters_per_event=4",
    "--threads=1",
    "--seed=0",
)
TRAINING = ("--params=20000", "--epochs=2", "--threads=1", "--seed=0")
COMPARISON = (
    "--methods=uniform,neuralscale",
    "--budgets=params=20000",
    "--seeds=0",
    "--epochs=1",
    "--threads=1",
    "--latency_batch=7",
    "--latency_warmup=1",
    "--latency_repeats=3",
)


# Commands.


def run(verb, *arguments, cwd=ROOT):
    """The finished process of a command."""
    return _python("-m", f"ns_tf.{verb}", *map(str, arguments), cwd=cwd)


def output(verb, *arguments):
    """What a command prints, which has to succeed."""
    done = run(verb, *arguments)
    assert done.returncode == 0, f"{verb}: {done.stderr}"
    return done.stdout


def in_turn(folder, commands):
    """What commands (verb, *arguments) print, which all have to succeed."""
    files = [folder / f"output_{number}.txt" for number in range(len(commands))]
    asked = [
        (f"ns_tf.{verb}", arguments, str(file))
        for (verb, *arguments), file in zip(commands, files, strict=True)
    ]
    done = _python("-c", IN_TURN, json.dumps(asked), timeout=1800)
    assert done.returncode == 0, done.stderr
    return [file.read_text() for file in files]


def _python(*arguments, cwd=ROOT, timeout=600):
    paths = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
    own = {
        "PYTHONPATH": os.pathsep.join(paths),
        "COLUMNS": "100",
        "CUDA_VISIBLE_DEVICES": "-1",  # Figures are those of the processor.
        "TF_ENABLE_ONEDNN_OPTS": "1",
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def flags(verb):
    """Flags in a command's help: {name: {"takes": metavar or choices, "default"}}."""
    found = {}
    for part in re.split(r"^  --", output(verb, "--help"), flags=re.MULTILINE)[1:]:
        head, _, told = part.split("\n\n")[0].partition("\n")
        name, _, takes = head.partition("=")
        default = re.search(r"\(default: (.*)\)$", " ".join(told.split()))
        found[name] = {"takes": takes, "default": default and default[1]}
    return found


def flagfiles():
    """{path: the command that takes it}, of flags/ and of finished run folders."""
    found = {}
    for path in sorted((ROOT / "flags").rglob("*.flags")):
        named = re.search(
            r"^# Command: +python -m ns_tf\.(\w+)", path.read_text(), re.M
        )
        # One without a command is included by others, which search.
        found[str(path.relative_to(ROOT))] = named[1] if named else "descend"
    kinds = {"descent": "descend", "comparison": "compare", "result": "train"}
    for kind, verb in kinds.items():
        for path in sorted(RUNS.rglob(f"{kind}.json")):
            if path.with_name("pruned.json").exists():
                continue  # No flagfile: the folder above names the model.
            kept = path.with_name("run.flags")
            if kept.exists():  # Not of a model whose file is not kept.
                found[str(kept.relative_to(ROOT))] = verb
    return found


# Recorded results.


def maker():
    """What floating figures depend on."""
    told = Path("/proc/cpuinfo")
    text = told.read_text() if told.exists() else ""
    model = re.search(r"^model name\s*: (.*)", text, re.MULTILINE)
    sets = re.findall(r"\b(?:avx|amx|fma)\w*", text)
    versions = {n: importlib.metadata.version(n) for n in ("tensorflow", "keras")}
    return {
        "processor": model[1] if model else platform.processor(),
        "instructions": " ".join(sorted(set(sets))),
        **versions,
    }


def record(folder):
    """Everything that takes long, from runs in the folder; two processes at a time."""
    search, comparison = folder / "search", folder / "comparison"
    continued, there = folder / "continued", f"--run_dir={search}"
    commands = [
        ("plan", there, "--params=20000", "--output=json"),
        ("train", there, *TRAINING),
        ("export", there, "--format=keras,saved_model,litert"),
        ("compare", f"--run_dir={comparison}", f"--search={search}", *COMPARISON),
        ("report", there, f"--comparison={comparison}"),
        *_to_continue(continued),
    ]
    with concurrent.futures.ThreadPoolExecutor(1) as beside:
        names = beside.submit(_names)
        finished = beside.submit(_finished, folder)
        _, plan, *_ = in_turn(folder, [("descend", there, *SEARCH), *commands])
    found = {
        "names": names.result(),
        "finished": finished.result(),
        "continued": _continued(continued),
        "written": _written(folder, search, comparison),
        "figures": {
            "search": _search(search),
            "plan": json.loads(plan),
            "training": _training(search),
            "comparison": _comparison(comparison),
            "export": _export(search),
        },
    }
    return json.loads(json.dumps(found))


def _names():
    done = _python("-c", PROGRAM, *NAMES)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _finished(folder):
    """What plan and report make of the finished runs of docs/runs."""
    widths, reports = {}, []
    for path in sorted(RUNS.glob("*/descent.json")):
        asked = (f"--run_dir={path.parent}", "--ratio=0.25", "--output=widths")
        widths[path.parent.name] = output("plan", *asked).strip()
    for path in sorted(RUNS.glob("*/comparison.json")):
        page = folder / f"{path.parent.name}.html"
        output("report", f"--run_dir={path.parent}", f"--out={page}")
        reports += [path.parent.name] if page.exists() else []
    return {"widths": widths, "reports": reports}


def _to_continue(folder):
    """Copies a finished comparison; the command, if its data are here."""
    if not DATA.is_dir():
        return []
    shutil.copytree(FINISHED, folder)
    kept = folder / "run.flags"  # At a hundredth of what measuring latency takes.
    edit(kept, lambda text: re.sub(r"(--latency_\w+)=\d+", r"\1=1", text))
    asked = (f"--flagfile={kept}", f"--run_dir={folder}", f"--data_dir={DATA}")
    return [("compare", *asked, f"--search={RUNS / 'vgg11_cifar10_short'}")]


def _continued(folder):
    """What compare leaves of a finished comparison; None where its data are not."""
    if not folder.exists():
        return None
    rows = json.loads((folder / "comparison.json").read_text())["rows"]
    names = [str(p.relative_to(folder)) for p in folder.glob("cells/*/result.json")]
    same = [n for n in names if text_of(folder / n) == text_of(FINISHED / n)]
    accuracies = {row["method"]: row["accuracies"] for row in rows}
    return {"unchanged": sorted(same), "accuracies": accuracies}


def _written(folder, search, comparison):
    """What is the same on every machine: {what: {folder or file: what it holds}}."""

    def beginnings(pattern, begin):
        paths = sorted(p for top in (search, comparison) for p in top.rglob(pattern))
        return {str(path.relative_to(folder)): begin(path) for path in paths}

    def lines(path):
        return text_of(path).replace(str(folder), "FOLDER").split("\n")

    page = (search / "report.html").read_text()
    return {
        "files": {top.name: _files(top) for top in (search, comparison)},
        "flags": beginnings("run.flags", lines),
        "keys": beginnings("*.json", lambda p: sorted(values_of(p))),
        "headers": beginnings("*.csv", lambda p: lines(p)[0]),
        "headings": re.findall(r"<h2[^>]*>(.*?)</h2>", page),
    }


def _files(folder):
    """Names of what is below the folder; neither locks nor checkpoints."""
    paths = (p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    names = (str(p) for p in paths if "checkpoints" not in p.parts)
    events = r"(events\.out\.tfevents)\..*"  # Time, machine and process follow.
    return sorted(re.sub(events, r"\1", n) for n in names if not n.endswith(".lock"))


def _search(folder):
    text = text_of(folder / "descent.json")
    text = re.sub(r'"seconds": [^,\n]+', '"seconds": 0', text)
    found = {"descent.json": json.loads(text), "sha256": {"descent.json": _sha(text)}}
    for name in ("trace_01.csv", "history_01.csv"):
        found["sha256"][name] = _sha(text_of(folder / name))
    return found


def _sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def _training(folder):
    (path,) = folder.glob("train/*/result.json")
    history = text_of(path.with_name("history.csv")).splitlines()
    return {"result.json": _without_time(path), "history.csv": history}


def _comparison(folder):
    told = _without_time(folder / "comparison.json")
    kept = {name: told[name] for name in ("rows", "differences", "gaps")}
    return {"cells.json": values_of(folder / "cells.json"), **kept}


def _export(folder):
    (path,) = folder.glob("train/*/export/*.export.json")
    told = _without_time(path)
    for one in told["files"]:
        one["path"] = str(Path(one["path"]).relative_to(folder))
        del one["largest_difference"]  # Of rounding, far below what is allowed.
        if one["format"] == "saved_model":  # It holds names of functions, numbered.
            one["bytes"] = round(one["bytes"], -4)
    return told


def _without_time(path):
    """A JSON file without what a clock tells."""

    def left(pairs):
        return {n: v for n, v in pairs if not re.search(r"seconds|_ms$|date", n)}

    return json.loads(text_of(path), object_pairs_hook=left)


# Comparing.


def check_form(found, kept, where=""):
    """Keys, types and lengths are the same; what is not set may be anything."""
    if found is None or kept is None:
        return
    assert type(found) is type(kept), where
    if isinstance(kept, dict):
        assert set(kept) <= set(found), where
        for name in kept:
            check_form(found[name], kept[name], f"{where} {name}")
    if isinstance(kept, list):
        assert len(found) == len(kept), where
        for number, pair in enumerate(zip(found, kept, strict=True)):
            check_form(*pair, f"{where} {number}")


def reduced(found, kept):
    """What was found, without entries that the recorded form has not."""
    if isinstance(found, dict) and isinstance(kept, dict):
        return {n: reduced(found[n], kept[n]) for n in found if n in kept}
    if isinstance(found, list) and isinstance(kept, list) and len(found) == len(kept):
        return [reduced(*pair) for pair in zip(found, kept, strict=True)]
    return found


def set_lines(lines):
    """Lines of a flagfile that set a flag; of anything else, all lines."""
    return [line for line in lines if not line.startswith("#")]


def differences(old, new, where=""):
    """Lines `where: old -> new` of all that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = sorted({*old, *new})
        parts = ((old.get(n), new.get(n), f"{where}/{n}") for n in names)
        return [line for part in parts for line in differences(*part)]
    return [] if old == new else [f"{where}: {json.dumps(old)} -> {json.dumps(new)}"]
