"""Reading the folder of a training."""

import pytest

from ns_tf.base import InputError
from ns_tf.run import files
from ns_tf.run.folder import FAILURE, RESULT, WIDTHS
from ns_tf.train.results import (
    has_ended,
    kept_part,
    kept_widths,
    read_failure,
    read_result,
    score_in,
    training_in,
    write_failure,
)


def finished(folder, **values):
    """A folder with a result."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(folder / RESULT, {"version": 1, **values})
    return folder


def test_a_training_has_ended_when_it_has_a_result_or_a_failure(tmp_path):
    assert not has_ended(tmp_path)
    assert has_ended(finished(tmp_path / "done"))
    write_failure(tmp_path / "failed", "the loss is nan")
    assert has_ended(tmp_path / "failed")


def test_why_a_training_failed_is_kept(tmp_path):
    folder = tmp_path / "a" / "failed"  # It is made.
    assert read_failure(folder) is None
    write_failure(folder, ValueError("the loss is nan"))
    assert read_failure(folder) == "the loss is nan"
    (folder / FAILURE).write_text("{")
    with pytest.raises(InputError, match="failure .* is damaged"):
        read_failure(folder)


def test_a_result_comes_back_and_one_that_is_missing_or_of_another_kind_does_not(
    tmp_path,
):
    with pytest.raises(InputError, match="There is no result"):
        read_result(tmp_path)
    assert read_result(finished(tmp_path, seed=3)) == {"version": 1, "seed": 3}
    finished(tmp_path, version=2)
    with pytest.raises(InputError, match="version 2; this ns_tf reads version 1"):
        read_result(tmp_path)


def test_a_score_is_found_by_the_name_that_the_task_gives_it():
    result = {"score": "map", "test_map": 0.25, "best_test_map": None}
    assert score_in(result, "test") == 0.25
    assert score_in(result, "best_test") is None
    assert score_in({"validation_accuracy": 0.5}, "validation") == 0.5  # An older one.
    with pytest.raises(KeyError):
        score_in(result, "validation")


def test_widths_are_those_of_the_beginning_or_in_older_folders_of_the_result(tmp_path):
    assert kept_widths(tmp_path) is None
    finished(tmp_path, widths=[3, 5])
    assert kept_widths(tmp_path) == (3, 5)
    assert kept_part(tmp_path) is None
    files.write_json(tmp_path / WIDTHS, {"version": 1, "widths": [7, 11]})
    assert kept_widths(tmp_path) == (7, 11)
    assert kept_part(tmp_path) is None
    files.write_json(tmp_path / WIDTHS, {"version": 1})
    with pytest.raises(InputError, match="damaged .'widths'"):
        kept_widths(tmp_path)


def test_a_training_is_the_folder_itself_or_the_only_one_below(tmp_path):
    alone = finished(tmp_path / "alone")
    assert training_in(alone, None) == alone
    for kind in ("train", "cells"):
        only = finished(tmp_path / kind / kind / "it")
        assert training_in(tmp_path / kind, None) == only
        assert training_in(tmp_path / kind, "it") == only


def test_one_of_several_trainings_is_told_by_its_name(tmp_path):
    names = [f"t{i}" for i in range(11)]
    for name in names:
        finished(tmp_path / "train" / name)
    assert training_in(tmp_path, "t3") == tmp_path / "train" / "t3"
    with pytest.raises(
        InputError, match="holds 11 .* as --training=t0. .* t1, .*, ..."
    ) as caught:
        training_in(tmp_path, None)
    assert f"by its folder, {tmp_path / 'train' / 't0'}, or" in str(caught.value)
    with pytest.raises(InputError, match="say which one"):
        training_in(tmp_path, "t12")


def test_without_a_training_it_says_how_to_get_one(tmp_path):
    (tmp_path / "train" / "begun").mkdir(parents=True)
    with pytest.raises(InputError, match="holds no finished training. Train first"):
        training_in(tmp_path, None)
