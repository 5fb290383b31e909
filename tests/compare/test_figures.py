"""Figures of a comparison's networks: by a device, counted, or why there are none."""

import dataclasses

import keras
import numpy as np
import pytest
from laws import toy_device, toy_ms
from toys import DEFAULT, params, toy_comparison, toy_problem, trained

from ns_tf.base import InputError
from ns_tf.budgets import latency
from ns_tf.compare import latencies, outcome
from ns_tf.compare.figures import Network
from ns_tf.descend.record import new_search
from ns_tf.networks.structure import analyse
from ns_tf.run import files

STRUCTURE = toy_problem().structure
SEARCH = new_search(STRUCTURE, "noise", DEFAULT)


@pytest.fixture
def compared(tmp_path, monkeypatch):
    """A comparison by a device file; nothing may be measured."""
    monkeypatch.setattr(latency, "forward_pass", lambda *_: pytest.fail("measured"))
    device = toy_device(SEARCH, largest=40).write(tmp_path / "device.json")
    solver = {"device": str(device.path)}
    work = toy_comparison(tmp_path / "run", solver=solver, seeds=(3,))
    with work:
        listed = work.prepare()
    for cell in listed.values():
        trained(work, cell, 0.5)
    return work, listed


def test_with_a_device_milliseconds_are_those_of_its_tables(compared):
    work, listed = compared
    text = outcome.write(work, listed)
    told = files.read_json(work.folder / "comparison.json", what="", version=1)
    (line,) = told["rows"]
    assert line["device_ms"] == pytest.approx(toy_ms(line["widths"]))
    assert "latency_ms" not in line and not (work.folder / "latency.json").exists()
    assert "| ms by device | RAM, bytes |" in text
    assert f"Latency: by the tables of {work.solver.device}: law, 1 thread" in text
    assert (work.folder / "plots" / "accuracy_device_ms.png").exists()
    assert line["params"] == params(line["widths"]) and told["unknown"] == []
    for name in ("macs", "peak_ram", "weight_bytes_int8"):
        assert line[name] == SEARCH.costs[name](np.array(line["widths"]))


def test_the_device_of_another_network_is_refused_before_anything(tmp_path):
    other = toy_device(dataclasses.replace(SEARCH, classes=7)).write(
        tmp_path / "device.json"
    )
    with pytest.raises(InputError, match="of another network"):
        toy_comparison(tmp_path / "run", solver={"device": str(other.path)})
    assert not (tmp_path / "run").exists()


def test_networks_that_the_tables_do_not_reach_have_no_milliseconds():
    device = toy_device(SEARCH, largest=40)
    assert Network(STRUCTURE, (3, 5, 40), device=device).device_ms() > 0
    with pytest.raises(InputError, match="do not reach widths 3,5,41"):
        Network(STRUCTURE, (3, 5, 41), device=device).device_ms()
    assert Network(STRUCTURE, (3, 5, 41)).device_ms() is None


def test_a_network_that_a_budget_refuses_has_the_reason():
    def build(widths, *, input_shape, classes):
        x = image = keras.Input(input_shape)
        x = keras.layers.Conv2D(widths[0], 3, name="a")(x)
        x = keras.layers.LayerNormalization(name="odd")(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(image, keras.layers.Dense(classes)(x))

    architecture = dataclasses.replace(
        STRUCTURE.architecture, builder=build, widths=(5,), name="normed"
    )
    network = Network(analyse(architecture, (11, 11, 3), 5), (5,))
    assert network.count("params") > 0
    with pytest.raises(InputError, match="peak_ram cannot be counted on normed: .*odd"):
        network.count("peak_ram")


def test_a_file_that_cannot_be_written_is_a_reason_too():
    assert Network(STRUCTURE, (3, 5, 7)).flash() is None
    assert Network(STRUCTURE, (3, 5, 7), file=1019).flash() == 1019
    with pytest.raises(InputError, match="LiteRT refuses"):
        Network(STRUCTURE, (3, 5, 7), file="LiteRT refuses it.").flash()


def test_measured_milliseconds_are_told_as_they_were_measured(tmp_path):
    work = toy_comparison(tmp_path, solver={"latency_batch": 7})
    assert latencies.about(work).startswith("one forward pass of 7 images")
