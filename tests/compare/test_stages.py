"""Scores and seconds by stage, read from the folders of pruned networks."""

import json

import pytest

from ns_tf.base import InputError
from ns_tf.compare import stages
from ns_tf.compare.verdicts import Line
from ns_tf.problem.score import ACCURACY

SECONDS = {"score": 2.0, "solve": 0.25, "cut": 3.0, "tune": 60.0}


def pruned(folder, cut, seconds=SECONDS):
    """The folders of a network that nobody pruned, and of what it was pruned from."""
    own, trunk = folder / f"cell{cut}", folder / f"trunk{cut}"
    scores = {"trained": 0.75, "cut": cut, "repaired": 0.5, "tuned": 0.5}
    told = {"version": 1, "accuracies": scores, "seconds": seconds}
    result = {
        **{"version": 1, "score": "accuracy", "epochs": 3},
        **{"validation_accuracy": 0.625, "test_accuracy": 0.5, "seconds": 7.0},
    }
    for path in (own, trunk):
        path.mkdir()
        (path / "result.json").write_text(json.dumps(result))
    (own / "pruned.json").write_text(json.dumps(told))
    return own, trunk


def test_a_row_has_a_value_a_seed_and_the_training_says_the_last_of_them(tmp_path):
    folders = [pruned(tmp_path, cut) for cut in (0.125, 0.375)]
    scores, seconds = stages.read(folders)
    assert scores["cut"] == (0.125, 0.375) and scores["tuned"] == (0.625, 0.625)
    assert seconds["train"] == seconds["tune"] == (7.0, 7.0)
    assert seconds["score"] == (2.0, 2.0) and list(seconds) == list(stages.STEPS)
    row = Line("mine", "macs=0.5", (3,), {}, (), (), ())
    assert stages.markdown([row], ACCURACY) == [] and stages.read([]) == ({}, {})
    row = Line(**{**vars(row), "stages": scores, "stage_seconds": seconds})
    text = "\n".join(stages.markdown([row], ACCURACY))
    assert "| mine | macs=0.5 | 75.00 | 25.00 | 50.00 | 62.50 | 7.0 | 2.0 |" in text
    assert len(stages.cells("a", "b", row, ACCURACY)) == len(stages.header(ACCURACY))


def test_a_result_of_before_there_were_stages_has_none(tmp_path):
    own, trunk = pruned(tmp_path, 0.125)
    (own / "pruned.json").unlink()
    assert stages.read([(own, trunk)]) == ({}, {})


def test_damage_is_named(tmp_path):
    own, trunk = pruned(tmp_path, 0.125)
    (own / "pruned.json").write_text(json.dumps({"version": 1, "accuracies": {}}))
    with pytest.raises(InputError, match="pruned.json"):
        stages.read([(own, trunk)])
