"""Whole networks are measured by the runtime of the device file."""

import dataclasses

import pytest
from laws import law, toy_device
from toys import toy_architecture, toy_search

from ns_tf.base import InputError
from ns_tf.measure.whole import begin, clock
from ns_tf.networks.structure import analyse


def test_a_clock_runs_what_the_device_file_says():
    structure = analyse(toy_architecture(), (11, 11, 3), 5)
    device = toy_device(toy_search(), batch=3)
    found = clock(structure, device)((5, 7, 11))
    assert found == pytest.approx(3 * law(structure.build((5, 7, 11))))
    begin(device)  # The law's runtime needs nothing.
    with pytest.raises(InputError, match="Unknown runtime"):
        begin(dataclasses.replace(device, runtime="lw"))
    with pytest.raises(InputError, match="Unknown runtime"):
        clock(structure, dataclasses.replace(device, runtime="lw"))
