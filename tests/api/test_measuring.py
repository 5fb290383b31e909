"""From Python: a network is measured, and plans take the device or its file."""

import numpy as np
import pytest
from laws import law
from searches import made_up
from toys import toy_architecture

import ns_tf
from ns_tf.api.searches import Search
from ns_tf.descend.record import new_search
from ns_tf.networks.structure import analyse

HOW = {"runtime": "law", "points": 3, "networks": 3, "rounds": 1}


def test_a_search_is_measured_and_planned(tmp_path):
    structure = analyse(toy_architecture(), (11, 11, 3), 5)
    record = new_search(structure, "data", (13, 17, 19))
    search = Search(made_up(record, np.random.default_rng(7)), structure.architecture)
    path = tmp_path / "device.json"
    device = ns_tf.measured(search, path, **HOW)
    assert device.network.names == ("a", "b", "c") and path.exists()
    for given in (device, path, str(path)):
        plan = search.plan(latency_ms=0.6, device=given)
        took = law(structure.build(plan.widths))
        assert 0.97 * 0.6 < took <= 0.6 + 1e-9
        assert plan.scaling.costs["latency_ms"] == pytest.approx(took)
        assert "device: law, 1 thread" in str(plan) and plan.to_json()["device"]


def test_a_model_is_measured_and_options_are_checked(handmade, tmp_path):
    device = ns_tf.measured(handmade["chain"](), tmp_path / "a.json", **HOW)
    assert device.network.names == ("a", "b")
    with pytest.raises(ns_tf.InputError, match="Did you mean 'runtime'"):
        ns_tf.measured("vgg11", tmp_path / "b.json", runtme="law")
