"""Tables of cells that nobody trained: what they hold, and what they lack so far."""

import dataclasses
import json

import pytest
from edits import edit_json, values_of
from toys import params, toy_comparison, trained

from ns_tf.base import InputError, RunError
from ns_tf.budgets import latency
from ns_tf.compare import outcome
from ns_tf.compare.jobs import Jobs
from ns_tf.compare.outcome import so_far, write
from ns_tf.run import files
from ns_tf.train.results import write_failure

MEASURE = {"latency_batch": 2, "latency_warmup": 1, "latency_repeats": 3}
SCORES = {("uniform", 3): 0.75, ("uniform", 5): 0.5, ("li_l1", 3): 0.25}


@pytest.fixture
def compared(tmp_path, monkeypatch):
    """A comparison whose cells have the scores above; li_l1's seed 5 failed."""

    def forward_pass(model, image_shape, batch):
        assert (image_shape, batch) == ((11, 11, 3), 2)
        times = iter([100.0, 1.0, 2.0, 6.0])  # The first warms up.
        return lambda: model.count_params() * next(times)

    monkeypatch.setattr(latency, "forward_pass", forward_pass)
    work = toy_comparison(
        tmp_path, solver=MEASURE, methods=("uniform", "li_l1"), seeds=(3, 5)
    )
    with work:
        listed = work.prepare()
    for cell in listed.values():
        score = SCORES.get((cell.method, cell.seed), 0.125)
        trained(work, cell, score, best=score + 0.125, seconds=30.0 * cell.seed)
    failed = work.jobs.folder_of(listed["li_l1_params2003_seed5"])
    (failed / "result.json").unlink()
    write_failure(failed, "The loss is nan at training step 3.")
    return work, listed


def table(work):
    return json.loads((work.folder / "comparison.json").read_text())


def test_the_tables_hold_what_the_cells_hold(compared):
    work, listed = compared
    text = write(work, listed)
    uniform, li_l1 = table(work)["rows"]
    widths = listed["uniform_params2003_seed3"].widths
    assert (uniform["method"], uniform["widths"]) == ("uniform", list(widths))
    costs = work.jobs.costs(listed["uniform_params2003_seed3"])
    assert (uniform["params"], uniform["macs"]) == (params(widths), costs["macs"])
    assert uniform["accuracies"] == [0.75, 0.5]
    assert uniform["best_epochs"] == [0.875, 0.625]
    assert (uniform["accuracy_mean"], uniform["accuracy_std"]) == (0.625, 0.125)
    assert uniform["seconds"] == [90.0, 150.0]
    assert li_l1["accuracies"] == [0.25] and "nan" in li_l1["failures"][0]
    assert uniform["latency_ms"] == 2.0 * params(widths)
    assert (work.folder / "table.md").read_text() == text
    assert "| 62.50 ± 12.50 |" in text and "1 (1 failed)" in text
    for axis in ("params", "latency_ms"):
        path = work.folder / "plots" / f"accuracy_{axis}.png"
        assert path.read_bytes()[:4] == b"\x89PNG"
    header, rows = files.read_csv(work.folder / "table.csv")
    assert rows[0][header.index("params")] == params(widths)


def test_the_training_of_a_pruned_row_is_that_of_all_its_recipes(compared):
    work, listed = compared
    cell = listed["li_l1_params2003_seed3"]
    earlier = work.jobs.folder_of(cell) / "earlier" / "1_distil"
    earlier.mkdir(parents=True)
    files.write_json(earlier / "result.json", {"version": 1, "seconds": 11.0})
    so_far(work, {**listed, "more": dataclasses.replace(cell, name="more")})
    assert table(work)["rows"][1]["seconds"] == [101.0]


def test_trunks_are_in_no_table(compared):
    work, listed = compared
    write(work, listed)
    assert len(table(work)["rows"]) == 2 and "trunk" not in str(table(work)["rows"])


def test_the_figures_of_a_table_without_all_cells_are_removed(compared):
    work, listed = compared
    write(work, listed)
    folder = work.jobs.folder_of(listed["uniform_params2003_seed5"])
    (folder / "result.json").unlink()
    so_far(work, listed)
    data = table(work)
    assert data["missing"] == "So far: 5 of 6 cells are done."
    assert [len(row["accuracies"]) for row in data["rows"]] == [1, 1]
    assert "So far: 5 of 6" in (work.folder / "table.md").read_text()
    assert not list((work.folder / "plots").iterdir())
    with pytest.raises(RunError, match="1 of 6 cells are not done, uniform_params2003"):
        write(work, listed)


def test_before_the_first_cell_and_after_the_last_there_is_nothing_to_say(
    compared, monkeypatch
):
    work, listed = compared
    so_far(work, listed)
    assert not (work.folder / "comparison.json").exists()
    monkeypatch.setattr(Jobs, "folder_of", lambda jobs, cell: work.folder / "nowhere")
    so_far(work, listed)
    assert not (work.folder / "comparison.json").exists()


def test_the_first_pass_is_never_timed(compared):
    """It traces: the factor 100 would show in the median of 1, 2 and 6."""
    work, listed = compared
    work.solver = dataclasses.replace(work.solver, latency_warmup=0)
    write(work, listed)
    uniform = table(work)["rows"][0]
    assert uniform["latency_ms"] == 2.0 * params(uniform["widths"])


def test_latency_is_measured_once_and_again_when_a_network_is_new(
    compared, monkeypatch
):
    work, listed = compared
    write(work, listed)
    before = (work.folder / "latency.json").read_bytes()
    kept = values_of(work.folder / "latency.json")
    assert kept["warmup"] == 1 and kept["repeats"] == 3 and "cores" in kept["machine"]
    monkeypatch.setattr(latency, "forward_pass", lambda *_: pytest.fail("measured"))
    write(work, listed)
    assert (work.folder / "latency.json").read_bytes() == before
    kept["ms"] = {"toy 1,1,1": [1.0, 2.0]}
    files.write_json(work.folder / "latency.json", kept)
    with pytest.raises(pytest.fail.Exception, match="measured"):
        write(work, listed)


@pytest.mark.parametrize("key", ["test_accuracy", "best_test_accuracy", "seconds"])
def test_a_result_without_its_numbers_is_damage(compared, key):
    work, listed = compared
    path = work.jobs.folder_of(listed["uniform_params2003_seed3"]) / "result.json"
    edit_json(path, lambda result: result.pop(key))
    with pytest.raises(InputError, match="result.json is damaged"):
        write(work, listed)


def test_results_of_another_score_are_read_by_its_name(compared):
    work, listed = compared
    path = work.jobs.folder_of(listed["uniform_params2003_seed3"]) / "result.json"
    result = values_of(path)
    result["score"] = "dice"
    for name in ("test", "best_test"):
        result[f"{name}_dice"] = result.pop(f"{name}_accuracy")
    path.write_text(json.dumps(result))
    write(work, listed)
    assert table(work)["rows"][0]["accuracies"] == [0.75, 0.5]


def test_who_trained_elsewhere_is_marked(compared):
    work, listed = compared
    trained(work, listed["uniform_params2003_seed3"], 0.75, elsewhere="by JAX")
    text = write(work, listed)
    assert "| uniform † |" in text and "elsewhere: by JAX." in text
    assert table(work)["rows"][0]["elsewhere"] == ["by JAX"]


def test_groups_are_by_budget_and_method_in_the_order_of_the_list(compared):
    _, listed = compared
    cells = [cell for cell in listed.values() if cell.budget]
    groups = outcome._groups(cells)
    assert list(groups) == [("params=2003", "uniform"), ("params=2003", "li_l1")]
    assert [cell.seed for cell in groups["params=2003", "uniform"]] == [3, 5]
