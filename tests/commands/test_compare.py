"""A comparison as a user runs it: cells kept, added, killed, shared out to workers."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import toolbox
from edits import edit, text_of, values_of
from verbs import FLAGFILES, ROOT, contents, locked, refused

from ns_tf.compare import cells
from ns_tf.compare.cells import FINETUNE, TRUNK
from ns_tf.compare.config import CompareConfig
from ns_tf.compare.proposals import parse_budget
from ns_tf.engine.config import LARGEST_SEED
from ns_tf.plan.methods import Entry
from ns_tf.run import files
from ns_tf.run import flags as run_flags
from ns_tf.run.flagfile import as_flagfile

pytestmark = pytest.mark.usefixtures("hasty")
RECIPE = ("--epochs=2", "--batch=350", "--rate=0.05", "--schedule=cosine")
SMALL = (
    "--budgets=params=2000",
    "--seeds=3,5",
    "--latency_batch=7",
    "--latency_warmup=1",
    "--latency_repeats=5",
    *RECIPE,
)
MEASURED = ("seconds", "latency_ms", "latency_p95_ms")


def outcome(folder):
    """comparison.json without what a clock has measured."""
    table = values_of(folder / "comparison.json")
    del table["date"]
    for row in table["rows"]:
        for name in MEASURED:
            del row[name]
    return table


def results(folder):
    """By cell: what its training wrote, but for the time."""
    cells = {}
    for path in sorted(folder.glob("cells/*/result.json")):
        cells[path.parent.name] = values_of(path)
        del cells[path.parent.name]["seconds"]
    return cells


@pytest.fixture(scope="module")
def compared(status, network, tmp_path_factory):
    """A finished comparison of every kind of method; to be read only."""
    folder = tmp_path_factory.mktemp("compared") / "run"
    widths = tmp_path_factory.mktemp("widths") / "widths.json"
    widths.write_text(json.dumps({"widths": [5, 30]}))
    asked = (
        f"--run_dir={folder}",
        network,
        "--dataset=digits",
        "--image_size=16",
        f"--methods=uniform,li_l1,conv_cut,mine=file:{widths}",
        "--finetune_epochs=1",
        *SMALL,
    )
    assert status("compare", *asked) == 0
    return folder


def test_every_cell_is_trained_by_the_recipe_and_within_its_budget(compared):
    found = results(compared)
    listed = cells.read(compared)
    assert sorted(found) == sorted(listed)
    kinds = [cell.kind for cell in listed.values()]
    assert kinds.count(TRUNK) == 2 and kinds.count(FINETUNE) == 2
    for name, cell in listed.items():
        assert found[name]["widths"] == list(cell.widths)
        assert found[name]["seed"] == cell.seed in (3, 5)
        if cell.kind == TRUNK:
            continue
        assert found[name]["params"] <= 2000
        assert found[name]["epochs"] == (1 if cell.kind == FINETUNE else 2)
        header, rows = files.read_csv(compared / "cells" / name / "history.csv")
        tested = [row[header.index("test_accuracy")] for row in rows]
        assert found[name]["best_test_accuracy"] == max(tested)
        assert found[name]["test_accuracy"] in tested


def test_the_outcome_holds_what_the_cells_hold(compared):
    told, found = outcome(compared), results(compared)
    assert [row["method"] for row in told["rows"]] == ["uniform", "li_l1", "mine"]
    (gap,) = told["gaps"]
    assert gap.startswith("conv_cut at params=2000: ") and "no shortcuts" in gap
    listed = cells.read(compared).values()
    for row in told["rows"]:
        names = [cell.name for cell in listed if cell.method == row["method"]]
        accuracies = [found[name]["test_accuracy"] for name in names]
        assert row["accuracies"] == accuracies and len(accuracies) == 2
        assert row["accuracy_mean"] == pytest.approx(np.mean(accuracies))
        assert row["accuracy_std"] == pytest.approx(np.std(accuracies))
    pairs = {frozenset((d["better"], d["worse"])) for d in told["differences"]}
    assert len(pairs) == 3
    text = (compared / "table.md").read_text()
    assert (
        "| li_l1 |" in text and "## Verdict" in text and "Not there: conv_cut" in text
    )
    for name in ("accuracy_params", "accuracy_macs", "accuracy_latency_ms"):
        assert (compared / "plots" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"


def test_fine_tuning_starts_from_the_trained_network(compared):
    """One epoch at a hundredth of the rate changes little of what two had taught."""
    for seed in (3, 5):
        trunk, tuned = (
            keras.saving.load_model(compared / "cells" / name / "model.keras")
            for name in (f"trunk_seed{seed}", f"li_l1_params2000_seed{seed}")
        )
        kernel, thin = trunk.layers[1].kernel.numpy(), tuned.layers[1].kernel.numpy()
        kept = np.sort(np.argsort(np.abs(kernel).sum((0, 1, 2)))[-thin.shape[-1] :])
        apart = np.abs(thin - kernel[..., kept]).max()
        assert 0 < apart < 0.02 < np.abs(kernel[..., kept]).max()


@pytest.fixture
def copied_comparison(compared, tmp_path):
    return Path(shutil.copytree(compared, tmp_path / "copied"))


def again(command, folder, *changes):
    flagfile = folder / "run.flags"
    return command("compare", f"--flagfile={flagfile}", f"--run_dir={folder}", *changes)


def test_the_same_command_again_trains_nothing_and_says_the_same(
    command, copied_comparison
):
    before = contents(copied_comparison / "cells")
    told = outcome(copied_comparison)
    times = (copied_comparison / "latency.json").read_bytes()
    code, out, err = again(command, copied_comparison)
    assert code == 0, err
    assert "8 cells, 8 done before" in out
    assert contents(copied_comparison / "cells") == before
    assert outcome(copied_comparison) == told
    assert (copied_comparison / "latency.json").read_bytes() == times


@pytest.mark.slow
def test_seeds_methods_and_budgets_can_be_added(command, copied_comparison):
    before = results(copied_comparison)
    code, out, err = again(
        command,
        copied_comparison,
        "--methods=uniform",
        "--seeds=3,7",
        "--budgets=params=2000,macs=100000",
    )
    assert code == 0, err
    assert "4 cells, 1 done before" in out
    after = results(copied_comparison)
    assert set(after) - set(before) == {
        "uniform_params2000_seed7",
        "uniform_macs100000_seed3",
        "uniform_macs100000_seed7",
    }
    assert all(after[name] == before[name] for name in before)
    rows = outcome(copied_comparison)["rows"]
    assert [row["budget"] for row in rows] == ["params=2000", "macs=100000"]
    assert rows[1]["macs"] <= 100_000
    flags = (copied_comparison / "run.flags").read_text()
    assert "--seeds=3,7\n" in flags, "those that make this table"


@pytest.mark.slow
def test_while_cells_are_worked_on_the_tables_say_what_there_is(
    command, copied_comparison, monkeypatch
):
    """As somebody sees it who looks at them, or stops the comparison, then."""
    from ns_tf.compare import outcome as compare_outcome

    def stopped(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(compare_outcome, "write", stopped)
    changes = "--methods=uniform,new=uniform", "--seeds=3,7"
    code, out, err = again(command, copied_comparison, *changes)
    assert code == 130, err
    text = (copied_comparison / "table.md").read_text()
    assert "So far: 3 of 4 cells are done." in text
    first, second = outcome(copied_comparison)["rows"]
    found = results(copied_comparison)
    assert [first["method"], second["method"]] == ["uniform", "new"]
    for row, seeds in ((first, (3, 7)), (second, (3,))):
        names = [f"{row['method']}_params2000_seed{seed}" for seed in seeds]
        assert row["accuracies"] == [found[name]["test_accuracy"] for name in names]
    code, _, err = command("report", f"--run_dir={copied_comparison}")
    assert code == 0, err
    page = (copied_comparison / "report.html").read_text()
    assert "So far: 3 of 4 cells are done." in page
    monkeypatch.undo()
    assert again(command, copied_comparison, *changes)[0] == 0
    assert "So far" not in (copied_comparison / "table.md").read_text()


@pytest.mark.parametrize(
    "name",
    ["latency.json", "cells.json", "cells/uniform_params2000_seed3/result.json"],
)
def test_what_its_tables_need_is_read_before_anything_is_written(
    command, copied_comparison, name
):
    path = copied_comparison / name
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    before = contents(copied_comparison)
    result = again(command, copied_comparison, "--seeds=3,7")
    refused(result, str(path), "damaged")
    assert contents(copied_comparison) == before


def test_another_recipe_is_refused_and_nothing_is_written(command, copied_comparison):
    before = contents(copied_comparison)
    refused(again(command, copied_comparison, "--rate=0.1"), "--rate: 0.05 -> 0.1")
    assert contents(copied_comparison) == before


def test_widths_that_changed_under_the_same_label_are_refused(
    command, copied_comparison, tmp_path
):
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"widths": [30, 5]}))
    before = contents(copied_comparison)
    result = again(command, copied_comparison, f"--methods=uniform,mine=file:{other}")
    refused(result, "mine at params=2000 had the widths", "another label")
    assert contents(copied_comparison) == before


@pytest.mark.slow
def test_a_label_that_was_another_method_is_refused(command, copied_comparison):
    """Also where the widths are the same."""
    asked = ("--methods=small=uniform", "--seeds=3")
    assert again(command, copied_comparison, *asked)[0] == 0
    before = contents(copied_comparison)
    result = again(command, copied_comparison, "--methods=small=li_l1")
    refused(result, "small at params=2000 was another method", "another label")
    assert contents(copied_comparison) == before


@pytest.mark.slow
def test_cells_whose_trunk_has_no_network_any_more_are_refused(
    command, copied_comparison
):
    """As in a copy of the records alone."""
    trunk = copied_comparison / "cells" / "trunk_seed3"
    (trunk / "model.keras").unlink()
    asked = ("--methods=li_l1", "--seeds=3")
    assert again(command, copied_comparison, *asked)[0] == 0, "what is done is done"
    before = contents(copied_comparison)
    result = again(command, copied_comparison, *asked, "--budgets=params=1900")
    refused(result, f"Delete {trunk}: it is trained again")
    assert contents(copied_comparison) == before
    shutil.rmtree(trunk)
    result = again(command, copied_comparison, *asked, "--budgets=params=1900")
    assert result[0] == 0 and "2 cells, 0 done before" in result[1], result[2]


def test_a_label_that_was_used_before_keeps_its_widths(
    command, copied_comparison, tmp_path
):
    """Also when a run in between did not ask for it."""
    assert again(command, copied_comparison, "--methods=uniform")[0] == 0
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"widths": [30, 5]}))
    result = again(command, copied_comparison, f"--methods=uniform,mine=file:{other}")
    refused(result, "mine at params=2000 had the widths")


def test_labels_that_mean_one_folder_are_refused(command, copied_comparison):
    before = contents(copied_comparison)
    result = again(command, copied_comparison, "--methods=a b=uniform,a-b=li_l1")
    refused(result, "'a b' and 'a-b' would be kept in one folder")
    assert contents(copied_comparison) == before


def test_only_one_process_at_a_time(command, copied_comparison):
    with locked(copied_comparison):
        refused(again(command, copied_comparison), "in use by another process")


@pytest.mark.slow
def test_data_that_changed_with_the_search_are_refused(command, searched, tmp_path):
    """The search says which images are held out; its results are of these alone."""
    other = Path(shutil.copytree(searched, tmp_path / "other"))
    assert "--split_seed=0" in text_of(other / "run.flags")
    edit(other / "run.flags", lambda text: text.replace("seed=0", "seed=5"))
    brief = ("--seeds=3", "--epochs=1", "--batch=1437")
    asked = (f"--run_dir={tmp_path / 'run'}", "--methods=uniform", *SMALL, *brief)
    assert command("compare", f"--search={searched}", *asked)[0] == 0
    before = contents(tmp_path / "run")
    result = command("compare", f"--search={other}", *asked)
    refused(result, "--split_seed=0", "is 5")
    assert contents(tmp_path / "run") == before


def test_a_search_by_flagfile_is_looked_at_before_it_is_begun(
    command, searched, tmp_path
):
    (tmp_path / "x.flags").write_text((searched / "run.flags").read_text())
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x.flags").write_text((searched / "run.flags").read_text())
    flagfile, deep = tmp_path / "x.flags", tmp_path / "deep" / "x.flags"
    for arguments, told in (
        (["--methods=neuralscale@2"], "is of 1 iterations"),
        (["--methods=neuralscale", "--batch=5000"], "5000 is too large"),
        (["--methods=neuralscale", "--architecture=preact_resnet18"], "other network"),
        (["--methods=uniform,neuralscale", "--budgets=params=3"], "cannot be met"),
        ([f"--methods=neuralscale,morphnet:{deep}"], "kept in one folder"),
    ):
        asked = (f"--run_dir={tmp_path / 'run'}", f"--search={flagfile}", *SMALL)
        refused(command("compare", *asked, *arguments), told)
        assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_a_result_and_not_tried_again(
    command, network, tmp_path
):
    asked = (
        f"--run_dir={tmp_path / 'run'}",
        network,
        "--dataset=digits",
        "--image_size=16",
        "--methods=uniform,li_l1",
        *SMALL,
        "--seeds=3",
        "--rate=1e30",
        "--schedule=constant",
    )
    code, out, err = command("compare", *asked)
    assert code == 0, err
    (row, tuned) = outcome(tmp_path / "run")["rows"]
    assert row["accuracies"] == [] and row["accuracy_mean"] is None
    assert "loss" in row["failures"][0]
    assert "which it starts from, failed" in tuned["failures"][0]
    code, out, err = command("compare", *asked)
    assert code == 0 and "3 cells, 3 done before" in out, err


BAD = {
    "--methods=uniforn": ["Did you mean 'uniform'?"],
    "--methods=": ["--methods are one or more"],
    "--methods=uniform,uniform": ["all different"],
    "--methods=uniform,x=uniform,x=li_l1": ["Two methods are called 'x'"],
    "--methods=neuralscale": ["needs a search", "--search=RUN_DIR"],
    "--methods=neuralscale:nowhere": ["no search at nowhere"],
    "--methods=neuralscale:nowhere.flags": ["nowhere.flags", "cannot be read"],
    "--methods=file": ["file needs a path"],
    "--methods=conv_cut": ["No method can do any budget", "no shortcuts"],
    "--methods=file:nowhere.json": ["nowhere.json"],
    "--search=nowhere --methods=morphnet": ["nowhere"],
    "--search=nowhere": ["no search at nowhere"],
    "--budgets=param=3": ["Did you mean 'params'?"],
    "--budgets=params=3": ["cannot be met"],
    "--budgets=": ["--budgets are one or more"],
    "--budgets=params": ["positive number"],
    "--budgets=params=3+params=5": ["gives params twice"],
    "--seeds=": ["--seeds are one or more"],
    "--seeds=1,1": ["all different"],
    "--seeds=-1": ["--seeds lie between 0"],
    f"--seeds={LARGEST_SEED + 1}": [f"at most {LARGEST_SEED}"],
    "--seeds=a": ["--seeds=a", "whole number"],
    "--workers=0": ["--workers", "got 0"],
    "--finetune_epochs=-1": ["--finetune_epochs", "got -1"],
    "--finetune_rate=0": ["--finetune_rate", "above 0"],
    "--batch=5000": ["5000 is too large"],
    "--round_to=0": ["--round_to", "got 0"],
    "--latency_repeats=0": ["--latency_repeats", "got 0"],
    "--dataset=digt": ["Did you mean 'digits'?"],
}


@pytest.mark.parametrize("arguments", BAD)
def test_what_cannot_be_compared_is_refused_and_nothing_is_written(
    command, tmp_path, arguments
):
    asked = (
        f"--run_dir={tmp_path / 'run'}",
        "--architecture=vgg11",
        "--dataset=digits",
        "--methods=uniform",
        *SMALL,
        *arguments.split(),
    )
    refused(command("compare", *asked), *BAD[arguments])
    assert not list(tmp_path.iterdir())


def test_without_a_search_or_names_it_says_what_is_missing(command, tmp_path):
    result = command("compare", f"--run_dir={tmp_path / 'run'}", "--methods=uniform")
    refused(result, "--architecture")


def test_a_search_of_another_network_is_refused(command, searched, tmp_path):
    result = command(
        "compare",
        f"--run_dir={tmp_path / 'run'}",
        "--architecture=preact_resnet18",
        "--dataset=digits",
        f"--methods=neuralscale:{searched}",
        *SMALL,
    )
    refused(result, "another network", "preact_resnet18")
    assert not list(tmp_path.iterdir())


def test_a_copy_without_networks_goes_on_elsewhere(
    command, copied_comparison, tmp_path, capfd
):
    """What `tools/keep_records.py` keeps is text, and no done cell is done again."""
    (copied_comparison / "cells" / "uniform_params2000_seed5" / "result.json").unlink()

    def keep(out_dir):
        with toolbox.scripts() as script:
            given = f"--run_dir={copied_comparison}", f"--out_dir={out_dir}"
            return toolbox.status(script("keep_records"), *given)

    assert keep(copied_comparison.parent) == 2
    assert "is a run folder" in capfd.readouterr().err
    for _ in range(2):  # The second copy takes the place of the first.
        assert keep(tmp_path / "kept") == 0
    kept = tmp_path / "kept" / copied_comparison.name
    suffixes = {Path(name).suffix for name in contents(kept)}
    assert suffixes == {".json", ".csv", ".md", ".flags"}
    assert not (kept / "cells" / "uniform_params2000_seed5").exists()
    before = results(kept)
    assert len(before) == 7
    code, out, err = again(command, kept)
    assert code == 0 and "8 cells, 7 done before" in out, err
    after = results(kept)
    assert len(after) == 8 and all(after[name] == before[name] for name in before)
    assert outcome(kept)["rows"] == outcome(copied_comparison)["rows"]


@pytest.fixture
def with_search(searched, tmp_path):
    """A folder with the flagfile of a search, which a comparison has done before."""
    shutil.copy(searched / "run.flags", tmp_path / "search.flags")

    def with_search(name):
        folder = tmp_path / name
        shutil.copytree(searched, folder / "searches" / "search")
        return folder

    return with_search


def test_a_search_that_is_not_the_flagfiles_any_more_is_refused(command, with_search):
    folder = with_search("run")
    argv = arguments(folder, 1, "--seeds=3", "--epochs=1")[3:]
    files.write_lines(folder / "run.flags", _flags([None] * 3 + argv))
    flagfile = folder.parent / "search.flags"
    assert "\n--seed=0" in text_of(flagfile)
    edit(flagfile, lambda text: text.replace("\n--seed=0", "\n--seed=5"))
    before = contents(folder)
    refused(command("compare", *argv), "holds a search of other flags (--seed: 0 -> 5)")
    assert contents(folder) == before


# In processes of their own.


def arguments(folder, workers, *more):
    return [
        sys.executable,
        "-m",
        "ns_tf.compare",
        f"--run_dir={folder}",
        f"--search={folder.parent / 'search.flags'}",
        "--methods=uniform,neuralscale",
        *SMALL,
        f"--workers={workers}",
        "--checkpoint_seconds=0",
        *more,
    ]


def run(argv, seconds=300):
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, timeout=seconds)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def begun(folder, *more):
    """The folder as a comparison of these flags left it after its search."""
    files.write_lines(folder / "run.flags", _flags(arguments(folder, 1, *more)))
    return folder


@pytest.mark.slow
def test_killed_and_with_two_workers_it_comes_to_the_same(with_search, status):
    """The search is done by flagfile; cells in one go, or killed and then by two."""
    straight, killed = (begun(with_search(name)) for name in ("straight", "killed"))
    assert status("compare", *arguments(straight, 1, "--seeds=3")[3:]) == 0
    process = subprocess.Popen(
        arguments(killed, 1, "--seeds=3"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    end = time.monotonic() + 120
    while not list(killed.glob("cells/*/checkpoint.npz")):
        assert process.poll() is None and time.monotonic() < end, process.stdout.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    run(arguments(killed, 2, "--seeds=3"))
    assert results(killed) == results(straight)
    assert outcome(killed) == outcome(straight)
    assert len(results(straight)) == 2


def _flags(argv):
    """run.flags of a comparison that these arguments make."""
    from ns_tf.engine.config import ExecutionConfig
    from ns_tf.plan.config import SolverConfig
    from ns_tf.problem.config import ProblemConfig
    from ns_tf.run.config import RunConfig
    from ns_tf.train.config import TrainConfig

    classes = (
        RunConfig,
        ProblemConfig,
        CompareConfig,
        SolverConfig,
        TrainConfig,
        ExecutionConfig,
    )
    path = Path(argv[3].partition("=")[2]).parent / "all.flags"
    path.write_text("\n".join(argv[3:]))
    _, *kept = run_flags.read_file(str(path), *classes).values()
    return as_flagfile(kept)


@pytest.mark.slow
@pytest.mark.parametrize("wait", [3, 9, 17])
def test_kill_anywhere_any_number_of_times(with_search, wait, rng):
    more = ("--threads=1", "--epochs=9", "--seeds=3,5,7")
    names = "straight", "killed"
    straight, killed = (begun(with_search(name), *more) for name in names)
    run(arguments(straight, 1, *more))
    for _ in range(4):
        process = subprocess.Popen(arguments(killed, 2, *more), cwd=ROOT)
        time.sleep(wait + rng.uniform(0, 3))
        process.kill()
        process.wait()
    run(arguments(killed, 2, *more))
    assert outcome(killed) == outcome(straight)


@pytest.mark.slow
def test_processes_that_were_started_by_hand_share_the_cells(tmp_path):
    """As on several machines, here on one; the workers are there before the chief."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    argv = [
        *(sys.executable, "-m", "ns_tf.compare", f"--run_dir={tmp_path / 'run'}"),
        *("--architecture=vgg11", "--dataset=digits", "--methods=uniform"),
        *SMALL,
        "--threads=1",
    ]
    for seeds in (2, 4):  # The workers must not take the first table for all there is.
        processes = {}
        for name in ("worker_a", "worker_b", "chief"):
            environment = {
                **os.environ,
                "KERASTUNER_TUNER_ID": name,
                "KERASTUNER_ORACLE_IP": "127.0.0.1",
                "KERASTUNER_ORACLE_PORT": port,
            }
            asked = [*argv, f"--seeds={','.join(map(str, range(seeds)))}"]
            processes[name] = subprocess.Popen(asked, cwd=ROOT, env=environment)
            time.sleep(3)
        statuses = {name: one.wait(timeout=300) for name, one in processes.items()}
        assert statuses == dict.fromkeys(processes, 0)
        assert len(results(tmp_path / "run")) == seeds
        (row,) = outcome(tmp_path / "run")["rows"]
        assert len(row["accuracies"]) == seeds


@pytest.mark.slow
def test_two_workers_take_clearly_less_time_than_one(with_search):
    more = ("--threads=1", "--epochs=40", "--seeds=3,5,7")
    seconds = {}
    for workers in (1, 2):
        folder = begun(with_search(f"workers{workers}"), *more)
        start = time.monotonic()
        run(arguments(folder, workers, *more))
        seconds[workers] = time.monotonic() - start
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one core")
    assert seconds[2] < 0.8 * seconds[1], seconds


COMPARISONS = [
    path
    for path in FLAGFILES
    if "python -m ns_tf.compare" in path.read_text() and path.parent.name == "flags"
]


@pytest.mark.parametrize("path", COMPARISONS, ids=lambda path: path.stem)
def test_a_flagfile_names_methods_and_searches_that_exist(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    from ns_tf.engine.config import ExecutionConfig
    from ns_tf.problem.config import ProblemConfig
    from ns_tf.train.config import TrainConfig

    read = run_flags.read_file(
        str(path),
        CompareConfig,
        TrainConfig,
        ExecutionConfig,
        ProblemConfig,
    )
    config = read[CompareConfig]
    sources = [config.search]
    for text in config.methods:
        entry = Entry.parse(text)
        sources.append(entry.source)
    for source in filter(None, sources):
        assert Path(source).is_file(), source
    for text in config.budgets:
        assert parse_budget(text)
    assert read[TrainConfig].epochs > 1
