"""What the folder of a pruned network tells."""

import json
import math
import subprocess
import sys

import pytest

from ns_tf.base import InputError
from ns_tf.prune.results import told_in, tuning_seconds, write_told
from ns_tf.run import files


def test_a_folder_that_holds_none_is_named(tmp_path):
    with pytest.raises(InputError, match="no pruned network"):
        told_in(tmp_path)


def test_the_seconds_of_all_recipes_count(tmp_path):
    for name, seconds in ((".", 7), ("earlier/1_distil", 3), ("earlier/2_plain", 2)):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        result = {"version": 1, "seconds": seconds}
        files.write_json(tmp_path / name / "result.json", result)
    assert tuning_seconds(tmp_path) == 12


def test_a_cut_network_may_be_infinitely_bad(tmp_path):
    """As by the exponential of its loss."""
    scores = {"trained": 0.5, "cut": -math.inf, "repaired": 0.25}
    told = {"version": 1, "accuracies": scores, "seconds": {}}
    write_told(tmp_path, told)
    assert told_in(tmp_path) == told


@pytest.mark.parametrize(
    "changed",
    [
        {"widths": None},
        {"widths": [3, "4"]},
        {"widths": [3, -1]},
        {"channels": {}},
        {"targets": []},
        {"costs": 3},
        {"accuracies": "x"},
    ],
)
def test_a_record_of_another_form_is_damaged(changed, tmp_path):
    """As one that was changed by hand, and its checksum taken out."""
    told = {"version": 1, "widths": [3, 4], "accuracies": {}, "seconds": {}}
    (tmp_path / "pruned.json").write_text(json.dumps({**told, **changed}))
    with pytest.raises(InputError, match=r"pruned\.json is damaged"):
        told_in(tmp_path)


def test_it_is_read_without_keras():
    """A report of a comparison has to answer at once."""
    code = "import sys, ns_tf.prune.results; print('keras' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert told.stdout.strip() == "False", told.stderr
