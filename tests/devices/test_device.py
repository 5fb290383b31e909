"""Device files: read as they were written, refused where they are of something else."""

import dataclasses
import json

import numpy as np
import pytest
from edits import values_of
from laws import toy_device, toy_ms
from toys import macs, toy_search

from ns_tf.base import InputError
from ns_tf.devices.device import Whole, read_device
from ns_tf.networks.costs import CostPolynomial

SEARCH = toy_search()


@pytest.fixture
def device(tmp_path):
    whole = (Whole((5, 7, 11), 8.0, toy_ms((5, 7, 11))),)
    return toy_device(SEARCH, whole=whole).write(tmp_path / "device.json")


def test_a_file_is_read_as_it_was_written(device):
    again = read_device(device.path)
    assert again.network.names == device.network.names and again.uses == device.uses
    assert (again.about, again.offset, again.whole) == (
        device.about,
        device.offset,
        device.whole,
    )
    assert again.ms((5, 7, 11)) == device.ms((5, 7, 11)) == toy_ms((5, 7, 11))
    assert read_device(device) is device


def test_it_says_what_was_measured_and_how_well_it_adds_up(device):
    assert device.about == "law, 1 thread, batch 1, on a toy"
    text = str(device)
    assert "3 layers of 2 shapes, 20 times" in text and "8 ms measured" in text
    assert f"({100 * (toy_ms((5, 7, 11)) / 8 - 1):+.1f} %)" in text
    assert device.held == [] and "Timed as they are" not in text


def test_widths_that_no_table_tells_are_named(device):
    some = dataclasses.replace(device, uses=device.uses[:1])
    told = {
        w for form in (some.uses[0].reads, some.uses[0].makes) for w, _ in form.times
    }
    rest = [name for w, name in enumerate(device.network.names) if w not in told]
    assert rest and some.held == rest
    assert f"Timed as they are: {', '.join(rest)}." in str(some)


def test_limits_are_the_smaller_of_two(device):
    assert device.limits() == [64, 64, 64]
    assert device.limits(9) == [9, 9, 9] and device.limits([9, 99, 5]) == [9, 64, 5]


def test_its_own_network_is_known_and_others_are_refused(device):
    own = device.network
    given = [own.names, own.input_shape, own.classes, own.macs]
    device.check(*given)
    device.check(*given[:3], None)
    assert int(own.macs(np.array([5, 7, 11]))) == macs((5, 7, 11))
    others = {
        0: (("a", "b", "d"), "of another network, toy: widths a,b,c"),
        1: ((7, 7, 3), "inputs 11x11x3"),
        2: (9, "5 classes"),
        3: (CostPolynomial.collect("MACs", []), "other multiply-adds"),
    }
    for place, (value, told) in others.items():
        with pytest.raises(InputError, match=told):
            device.check(*given[:place], value, *given[place + 1 :])


@pytest.mark.parametrize(
    "path, value, told",
    [
        (("version",), 9, "version 9"),
        (("step",), 0, "step is 0"),
        (("whole", 0, "by_table"), 0, "no time"),
        (("whole", 0, "widths"), [5], "other widths"),
        (("offset_ms",), -1, "offset_ms is -1"),
        (("tables", 1, "ms", 0, 0), None, "have holes"),
        (("tables", 1, "ms", 0, 0), -1, "negative"),
        (("tables", 1, "ms", 0, 0), 999, "fall where it grows"),
        (("uses", 0, "table"), 7, "no table for"),
        (("network", "largest"), [5], "largest is not"),
        (("network", "names"), None, "damaged"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(device, path, value, told):
    data = values_of(device.path)
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    device.path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=told) as refusal:
        read_device(device.path)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_says_how_it_is_made(tmp_path):
    with pytest.raises(InputError, match="python -m ns_tf.measure"):
        read_device(tmp_path / "none.json")


@pytest.mark.parametrize("given", [5, None, ["device.json"]])
def test_what_is_no_path_is_refused(given):
    with pytest.raises(InputError, match="device is the path of a file"):
        read_device(given)
