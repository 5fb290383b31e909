"""Times of forward passes: how many, of what, in which unit."""

import counted
import numpy as np
import pytest

from ns_tf import budgets
from ns_tf.budgets import Measure, latency


class Model:
    """Stands for a network; keeps what it is called with when it is traced."""

    def __init__(self):
        self.shapes, self.training = [], []

    def __call__(self, images, training):
        self.shapes.append(tuple(images.shape))
        self.training.append(training)
        return images[..., 0]


def readings(monkeypatch, milliseconds):
    """Makes the clock tell these times, one a pass."""
    now, steps = [0.0], iter(milliseconds)

    def read():
        read.count += 1
        if read.count % 2 == 0:
            now[0] += next(steps) / 1e3
        return now[0]

    read.count = 0
    monkeypatch.setattr(latency.time, "perf_counter", read)


def test_the_warm_up_is_left_out_and_times_are_milliseconds(monkeypatch):
    readings(monkeypatch, [900, 800, 3, 5, 7, 11])
    times = latency.timings(Model(), (3, 2, 1), batch=5, warmup=2, repeats=4)
    np.testing.assert_allclose(times, [3, 5, 7, 11])


def test_the_first_pass_is_never_timed_for_it_traces(monkeypatch):
    readings(monkeypatch, [900, 3, 5])
    times = latency.timings(Model(), (3, 2, 1), batch=5, warmup=0, repeats=2)
    np.testing.assert_allclose(times, [3, 5])


def test_the_measure_is_the_median(monkeypatch):
    readings(monkeypatch, [900, 3, 700, 5, 7, 2])
    assert latency.measure(
        Model(), (3, 2, 1), batch=5, warmup=1, repeats=5
    ) == pytest.approx(5)


def test_a_pass_is_one_batch_in_inference_mode():
    model = Model()
    timed = latency.forward_pass(model, (3, 2, 1), batch=5)
    assert timed() > 0 and timed() > 0
    assert model.shapes == [(5, 3, 2, 1)], "traced once"
    assert model.training == [False]


def test_percentiles_are_median_and_95th():
    median, p95 = latency.percentiles(np.array([1.0, 2.0, 3.0, 40.0]))
    assert (median, p95) == (2.5, pytest.approx(3 + 0.85 * 37))
    assert type(median) is float


def test_the_budget_times_the_network_of_the_widths(monkeypatch):
    structure, calls = counted.structure(), []

    def measure(model, input_shape, **options):
        calls.append((model.count_params(), input_shape, options))
        return 13.0

    monkeypatch.setattr(latency, "measure", measure)
    cost = budgets.get("latency_ms").cost(structure, Measure(5, 3, 7))
    assert cost.measured and cost.estimate is None
    assert cost(np.array([13, 2])) == 13.0
    entries = counted.parameters(13, 2) + counted.statistics(13, 2)
    assert calls == [(entries, (8, 9, 3), {"batch": 5, "warmup": 3, "repeats": 7})]


def test_a_real_network_takes_time():
    cost = budgets.get("latency_ms").cost(counted.structure(), Measure(2, 1, 3))
    assert 0 < cost(np.array([7, 11])) < 60_000
