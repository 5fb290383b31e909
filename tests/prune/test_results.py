"""What the folder of a pruned network tells."""

import subprocess
import sys

import pytest

from ns_tf.base import InputError
from ns_tf.prune.results import told_in


def test_a_folder_that_holds_none_is_named(tmp_path):
    with pytest.raises(InputError, match="no pruned network"):
        told_in(tmp_path)


def test_it_is_read_without_keras():
    """A report of a comparison has to answer at once."""
    code = "import sys, ns_tf.prune.results; print('keras' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert told.stdout.strip() == "False", told.stderr
