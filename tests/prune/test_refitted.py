"""A network that is cut and fitted again for a look: by hand, and better than cut."""

import numpy as np
import pytest
from trained import learned, pruner

from ns_tf.prune import refitted
from ns_tf.prune.refitted import RefittedNetwork


def test_a_look_is_what_the_cut_with_that_repair_gives(monkeypatch):
    forgotten = []
    monkeypatch.setattr(refitted, "forget_kernels", lambda: forgotten.append(1))
    model, problem = learned()
    asked = {"method": "magnitude", "macs": 0.5}
    made = pruner(model, problem.dataset, repair="least_squares", **asked)
    proxy, task = made.proxy(1024), problem.task
    seen = RefittedNetwork(model, made.graph, made.problem.structure, task, proxy)
    images, labels = (np.concatenate(x) for x in zip(*proxy.batches(), strict=True))

    def loss_and_score(network):
        logits = np.array(network(images, training=False), float)
        logits -= np.logaddexp.reduce(logits, axis=1, keepdims=True)
        right = logits.argmax(axis=1) == labels
        return -logits[np.arange(len(labels)), labels].mean(), right.mean()

    keep = np.ones(made.size, bool)
    own = seen.worth(keep)
    np.testing.assert_allclose([own.loss, own.score], loss_and_score(model), rtol=1e-4)
    keep = made.chosen(made.score(), (6, 8, 8))
    found = seen.worth(keep)
    small, _ = made.cut_and_repair(keep)
    expected = loss_and_score(small)
    np.testing.assert_allclose([found.loss, found.score], expected, rtol=1e-4)
    bare, _ = loss_and_score(made.cut(keep))
    assert own.loss < found.loss < bare
    assert len(forgotten) == 2, "kernels of every network would fill the memory"


@pytest.mark.slow
def test_an_agent_may_be_rewarded_by_it():
    model, problem = learned()
    text = "amc(random=1, episodes=1, images=16, refit=True)"
    made = pruner(model, problem.dataset, method="amc", allocation=text, macs=0.5)
    found = made.solve(made.score())
    assert 0 < found.costs["macs"] <= found.targets["macs"]
