"""Networks take turns; what was measured is kept for the same machine and batch."""

import json

import numpy as np
import pytest
from toys import params, toy_comparison

from ns_tf.budgets import latency
from ns_tf.compare import latencies
from ns_tf.run import files
from ns_tf.run.watch import Watch

MEASURE = {"latency_batch": 2, "latency_warmup": 1, "latency_repeats": 3}


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """(a comparison of one network, its times): 1, 2 and 6 ms a weight."""

    def forward_pass(model, image_shape, batch):
        times = iter([100.0, 1.0, 2.0, 6.0])  # The first warms up.
        return lambda: model.count_params() * next(times)

    monkeypatch.setattr(latency, "forward_pass", forward_pass)
    work = toy_comparison(tmp_path, solver=MEASURE, seeds=(3, 5))
    with work:
        listed = work.prepare()
    found = latencies.measured(work, list(listed.values()), Watch())
    return work, listed, found


def test_networks_take_turns_and_the_warm_up_does_not_count(measured):
    work, listed, found = measured
    assert json.loads((work.folder / "latency.json").read_text())["ms"] == found
    widths = listed["uniform_params2003_seed3"].widths
    assert list(found) == [f"toy {','.join(map(str, widths))}"], "seeds share it"
    ((median, p95),) = found.values()
    assert median == 2.0 * params(widths)
    assert p95 == pytest.approx(np.percentile([1.0, 2.0, 6.0], 95) * params(widths))


def test_times_of_another_machine_batch_or_number_of_threads_are_not_taken(measured):
    work, _, found = measured
    assert latencies.kept(work) == found and "cores" in latencies.machine()
    for key, value in (("machine", "a Cray"), ("batch", 3), ("threads", 7)):
        kept = json.loads((work.folder / "latency.json").read_text())
        files.write_json(work.folder / "latency.json", {**kept, key: value})
        assert latencies.kept(work) == {}
        files.write_json(work.folder / "latency.json", kept)
