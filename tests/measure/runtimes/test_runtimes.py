"""Every runtime times a network, its files are files, and names are known."""

import dataclasses

import pytest
from laws import by_law  # noqa: F401  It registers the runtime "law".

from ns_tf.base import InputError
from ns_tf.engine import execution
from ns_tf.measure import runtimes
from ns_tf.measure.runtimes import RUNTIMES, example, timed


@pytest.mark.parametrize("name", ["tf", "litert", "onnx"])
def test_a_network_is_timed(name, handmade, monkeypatch):
    # TensorFlow has started in this process, with all cores.
    monkeypatch.setattr(execution, "set_threads", lambda count: None)
    member = runtimes.get(name)
    member.check()
    run = member.ready(handmade["concat"](), 2, 1)
    assert 0 < run() < 1e5 and run() > 0
    assert (member.written is None) == (member.suffix is None)


def test_names_are_known_and_others_refused():
    assert {"tf", "litert", "onnx", "law"} <= set(RUNTIMES.names())
    with pytest.raises(InputError, match="Did you mean 'litert'"):
        runtimes.get("lite")


def test_what_a_runtime_cannot_run_is_told_in_one_line(handmade):
    def broken(model, batch, threads):
        raise ValueError("No such kernel.")

    law, model = runtimes.get("law"), handmade["concat"]()
    late = dataclasses.replace(law, make=lambda *given: lambda: broken(*given))
    for member in (dataclasses.replace(law, make=broken), late):
        with pytest.raises(InputError, match="--runtime=law cannot run .*: No such"):
            member.ready(model, 2, 1)
    member = dataclasses.replace(law, written=lambda model, batch: broken(model, 1, 1))
    with pytest.raises(InputError, match="give another --runtime: No such kernel"):
        member.file(model, 2)


def test_times_are_milliseconds(monkeypatch):
    now = iter([5.0, 5.25])
    monkeypatch.setattr(runtimes.time, "perf_counter", lambda: next(now))
    assert timed(lambda: None)() == 250


def test_examples_are_no_zeros():
    assert example((2, 3), "float32").tolist() == [[0.5] * 3] * 2
    assert example((2,), "int32").tolist() == [1, 1]
