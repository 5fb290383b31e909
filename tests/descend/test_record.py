"""A search is read as it was written, to the last bit; damage is refused and named."""

import dataclasses
import json

import numpy as np
import pytest
from edits import edit, edit_json, text_of
from places import ROOT
from toys import DEFAULT, NAMES, macs, params, toy_architecture, toy_search, written

from ns_tf.base import InputError
from ns_tf.descend.record import (
    new_search,
    read_search,
    search_in,
    write_search,
)
from ns_tf.descend.traces import path_of
from ns_tf.networks.structure import analyse
from ns_tf.scaling.config import Wishes

WISHES = Wishes(keep="a", widths_between={"b": (2, 99)})
FINISHED = sorted((ROOT / "docs" / "runs").glob("*/descent.json"))


@pytest.fixture
def folder(tmp_path):
    """A run folder of a search of two iterations."""
    return written(tmp_path, toy_search())


def test_a_record_is_read_as_written(folder):
    record, again = toy_search(), read_search(folder)
    for field in ("architecture", "dataset", "input_shape", "classes", "names"):
        assert getattr(again, field) == getattr(record, field)
    assert again.default_widths == again.seed_widths == DEFAULT
    assert len(again.states) == 2
    for state, copy in zip(record.states, again.states, strict=True):
        assert (copy.iteration, copy.widths) == (state.iteration, state.widths)
        assert copy.scaling == state.scaling and copy.seconds == state.seconds
        assert copy.law.tau_range == state.law.tau_range
        for name in ("alpha", "beta", "r2", "residual"):
            np.testing.assert_array_equal(
                getattr(copy.law, name), getattr(state.law, name)
            )
        for name in ("widths", "tau", "history"):
            np.testing.assert_array_equal(
                getattr(copy.trace, name), getattr(state.trace, name)
            )


def test_a_law_fitted_layer_by_layer_is_read_as_written(tmp_path):
    record = toy_search()
    last = record.states[-1]
    error = np.array([0.03, np.nan, 0.05])
    law = dataclasses.replace(last.law, rows=np.array([11, 0, 7]), error=error)
    state = dataclasses.replace(last, law=law)
    states = (*record.states[:-1], state)
    again = read_search(
        written(tmp_path, dataclasses.replace(record, states=states))
    ).states
    np.testing.assert_array_equal(again[-1].law.rows, law.rows)
    np.testing.assert_array_equal(again[-1].law.error, error)
    assert again[0].law.rows is None and again[0].law.error is None


def test_costs_of_a_record_are_those_of_the_network(folder):
    costs = read_search(folder).costs
    for widths in (DEFAULT, (1, 1, 1), (3, 5, 7)):
        assert int(costs["params"](np.array(widths))) == params(widths)
        assert int(costs["macs"](np.array(widths))) == macs(widths)


@pytest.mark.parametrize("path", FINISHED, ids=lambda path: path.parent.name)
def test_a_finished_search_is_written_byte_by_byte_as_it_is(path, tmp_path):
    written(tmp_path, read_search(path.parent))
    names = {p.name for p in path.parent.iterdir()} - {"run.flags"}
    assert {p.name for p in tmp_path.iterdir()} == names
    for name in names:
        assert text_of(tmp_path / name) == text_of(path.parent / name)


def test_a_write_touches_the_files_of_the_last_iteration_alone(folder):
    first = path_of(folder, 1)
    first.write_text("of another time")
    write_search(folder, toy_search())
    assert first.read_text() == "of another time"


def test_a_folder_without_a_search_says_how_to_search(tmp_path):
    assert search_in(tmp_path) is None
    with pytest.raises(InputError, match="python -m ns_tf.descend --run_dir="):
        read_search(tmp_path)


def test_the_search_in_a_folder_is_the_one_it_holds(folder):
    assert search_in(folder).names == NAMES


def test_states_count_from_one_and_the_last_is_the_default():
    record = toy_search(3)
    assert record.state() is record.states[2] is record.state(3)
    assert record.state(1) is record.states[0]
    for iteration in (0, -1, 4):
        with pytest.raises(InputError, match="iterations 1 to 3"):
            record.state(iteration)
    with pytest.raises(InputError, match="no finished iteration"):
        dataclasses.replace(record, states=()).state()


def test_a_record_names_the_task_that_is_no_usual_one(tmp_path):
    record = dataclasses.replace(toy_search(1), task="segmentation(ignore=7)")
    write_search(tmp_path, record)
    assert read_search(tmp_path).task == "segmentation(ignore=7)"
    write_search(tmp_path, toy_search(1))
    assert "task" not in json.loads((tmp_path / "descent.json").read_text())


def test_a_new_search_counts_what_the_network_has():
    structure = analyse(toy_architecture(), (11, 11, 3), 5)
    record = new_search(structure, "data", [3, 5, 7])
    assert record.states == () and record.seed_widths == (3, 5, 7)
    assert record.default_widths == DEFAULT and record.names == NAMES
    model = structure.build((3, 5, 7))
    count = int(record.costs["params"](np.array((3, 5, 7))))
    assert count == model.count_params() == params((3, 5, 7))


@pytest.mark.parametrize("key", ["names", "costs", "states", "seed_widths", "classes"])
def test_a_missing_key_is_damage(folder, key):
    edit_json(folder / "descent.json", lambda data: data.pop(key))
    with pytest.raises(InputError, match="descent.json is damaged"):
        read_search(folder)


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda d: d["states"][0]["law"]["beta"].pop(), "beta has 2 values for 3"),
        (lambda d: d["default_widths"].append(5), "default_widths has 4 values"),
        (lambda d: d["states"][1]["widths"].__setitem__(0, 0), "no positive whole"),
        (lambda d: d["costs"].pop("params"), "no cost polynomial of the parameters"),
        (lambda d: d["states"][0]["law"].update(tau_range=[5, 3]), "tau_range from 5"),
        (lambda d: d["states"][0]["scaling"]["widths"].pop(), "widths has 2 values"),
        (lambda d: d["states"][0]["law"].update(alpha=[1, -1, 1]), "a law of alpha"),
        (lambda d: d["states"][1]["law"].update(beta=[1, None, 1]), "a law of alpha"),
        (lambda d: d.update(layers=[["a"], [], ["c"]]), "a width of no layer"),
    ],
)
def test_values_that_cannot_be_are_damage_and_named(folder, change, told):
    edit_json(folder / "descent.json", change)
    with pytest.raises(InputError, match=told):
        read_search(folder)


@pytest.mark.parametrize("name", ["trace_01.csv", "trace_02.csv", "history_02.csv"])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("a,", "x,", 1),
        lambda text: "".join(text.splitlines(True)[:-1]),
        lambda text: text.replace(text.splitlines()[2].split(",")[0], "2.5"),
        lambda text: text[:-9],
    ],
    ids=["another layer", "a row less", "half a filter", "cut"],
)
def test_a_damaged_trace_is_named(folder, name, change):
    path = folder / name
    edit(path, change)
    with pytest.raises(InputError, match=f"{name}"):
        read_search(folder)


def test_wishes_and_the_layers_of_a_width_are_kept(tmp_path):
    makers = (("a", "twin"), ("b",), ("c",))
    record = dataclasses.replace(toy_search(), makers=makers, wishes=WISHES)
    again = read_search(written(tmp_path, record))
    assert (again.makers, again.wishes) == (makers, WISHES)
    assert again.bounds(Wishes(keep="twin")).each[0].places == (0,)


def test_an_older_record_knows_its_widths_by_their_names():
    bounds = toy_search().bounds(Wishes(keep="b"))
    assert (bounds.each[0].places, bounds.own) == ((1,), DEFAULT)
