"""The tables of a search are read as they were written; damage is named."""

import dataclasses

import numpy as np
import pytest
from edits import edit, edit_json, text_of
from toys import NAMES, scored, toy_search, written

from ns_tf.base import InputError
from ns_tf.descend.record import read_search
from ns_tf.descend.traces import path_of
from ns_tf.run.folder import DESCENT
from ns_tf.scores import FilterScores

PARTS = ("removed", "lowest", "loss")


def test_scores_are_read_to_the_last_bit(tmp_path):
    record = scored(toy_search(2))
    first, last = read_search(written(tmp_path, record)).states
    assert first.trace.scores is None
    for part in PARTS:
        np.testing.assert_array_equal(
            getattr(last.trace.scores, part),
            getattr(record.states[-1].trace.scores, part),
        )
    header = text_of(path_of(tmp_path, 2, "scores")).splitlines()[0]
    assert header == ",".join([*NAMES, "removed", "loss"])


def test_scores_that_are_not_known_are_read_as_such(tmp_path):
    record = scored(toy_search(1))
    scores = record.states[0].trace.scores
    scores.removed[0], scores.lowest[1, 2] = np.nan, np.inf
    again = read_search(written(tmp_path, record)).states[0].trace.scores
    assert np.isnan(again.removed[0]) and again.lowest[1, 2] == np.inf


def test_whose_scores_they_are_is_kept(tmp_path):
    record = scored(toy_search(1), criterion="magnitude")
    again = read_search(written(tmp_path, record)).states[0].trace.scores
    assert again.criterion == "magnitude"


def test_a_search_without_scores_writes_none(tmp_path):
    written(tmp_path, toy_search(2))
    assert not path_of(tmp_path, 2, "scores").exists()


@pytest.mark.parametrize("criterion", ["taylor_fo", "magnitude"])
def test_scores_that_were_kept_and_are_gone_are_missed(tmp_path, criterion):
    written(tmp_path, scored(toy_search(), criterion=criterion))
    path_of(tmp_path, 2, "scores").unlink()
    with pytest.raises(InputError, match="no scores at .*scores_02.csv"):
        read_search(tmp_path)


def test_an_older_record_does_not_say_whether_scores_were_kept(tmp_path):
    written(tmp_path, scored(toy_search()))
    edit_json(tmp_path / DESCENT, lambda data: data["states"][-1].pop("criterion"))
    assert read_search(tmp_path).states[-1].trace.scores is not None
    path_of(tmp_path, 2, "scores").unlink()
    assert read_search(tmp_path).states[-1].trace.scores is None


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda text: text.replace("removed", "gone"), "expected 13 rows of a,b,c"),
        (lambda text: text + text.splitlines()[-1] + "\n", "14 rows"),
        (lambda text: text.replace("0.75", "many"), "many"),
    ],
)
def test_damaged_scores_are_named(tmp_path, change, told):
    written(tmp_path, scored(toy_search(2)))
    path = path_of(tmp_path, 2, "scores")
    edit(path, change)
    with pytest.raises(InputError, match=f"scores_02.csv is damaged.*{told}"):
        read_search(tmp_path)


def test_scores_of_all_filters_are_read_to_the_last_bit(tmp_path):
    record = toy_search(1)
    own = record.states[0].trace.whole
    joined = FilterScores(np.array([0, 1, 0]), own.scores[:2])
    for sets, widths in ((own, (13, 17, 19)), (joined, (13, 17, 13))):
        trace = dataclasses.replace(record.states[0].trace, whole=sets)
        state = dataclasses.replace(record.states[0], trace=trace, widths=widths)
        changed = dataclasses.replace(record, states=(state,))
        found = read_search(written(tmp_path, changed)).states[0].trace.whole
        assert found.sets.tolist() == sets.sets.tolist()
        assert [n.tolist() for n in found.scores] == [n.tolist() for n in sets.scores]


@pytest.mark.parametrize(
    "sets, change, told",
    [
        (None, lambda text: text.replace("set,", "group,"), "expected set,score"),
        (None, lambda text: text + text.splitlines()[-1] + "\n", "50 scores of 49"),
        (None, lambda text: text.replace("\n0,", "\n1,", 1), "its sets are not"),
        (None, lambda text: text.replace("1,3.0", "1,nan"), "no number"),
        ([0, 1, 0], None, "sets are not|scores of"),
        ([0, 2, 3], None, "sets of layers"),
        ([0.0, 1.0, 2.0], None, "sets of layers"),
        ([0, 1], None, "scores of 30"),
        ("many", None, "sets"),
    ],
)
def test_damaged_scores_of_all_filters_are_named(tmp_path, sets, change, told):
    written(tmp_path, toy_search(1))
    path = path_of(tmp_path, 1, "filters")
    if sets is not None:
        edit_json(tmp_path / DESCENT, lambda d: d["states"][0].update(sets=sets))
    else:
        edit(path, change)
    with pytest.raises(InputError, match=f"filters_01.csv is damaged.*({told})"):
        read_search(tmp_path)


@pytest.mark.parametrize("what", ["trace", "history", "filters"])
def test_a_missing_table_is_an_error(tmp_path, what):
    written(tmp_path, toy_search(2))
    path_of(tmp_path, 1, what).unlink()
    with pytest.raises(InputError, match=f"{what}_01.csv"):
        read_search(tmp_path)
