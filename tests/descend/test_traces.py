"""The tables of a search are read as they were written; damage is named."""

import numpy as np
import pytest
from edits import edit, edit_json, text_of
from toys import NAMES, scored, toy_search, written

from ns_tf.base import InputError
from ns_tf.descend.record import read_search
from ns_tf.descend.traces import path_of
from ns_tf.run.folder import DESCENT

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


@pytest.mark.parametrize("what", ["trace", "history"])
def test_a_missing_table_is_an_error(tmp_path, what):
    written(tmp_path, toy_search(2))
    path_of(tmp_path, 1, what).unlink()
    with pytest.raises(InputError, match=f"{what}_01.csv"):
        read_search(tmp_path)
