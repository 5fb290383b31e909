"""What the trainer asks of gates: what they do unless they say otherwise."""

import pytest
from trained import learned

from ns_tf.prune.gates import LearnedGates, scales
from ns_tf.prune.pressure import steered


def test_gates_say_what_differs():
    model, problem = learned()
    gates = LearnedGates()
    gates.network = model
    assert [id(v) for v in gates.variables] == [id(v) for v in model.trainable_weights]
    assert len(gates.undecayed) == len(scales(model)) == 6
    assert gates.steered(1.0, 1.0, 0.1) == steered(1.0, 1.0, 0.1)
    assert gates.teacher is None and gates.watch == () and gates.state() == {}
    assert set(gates.weights()) and callable(gates.objective(problem.task))
    for missing in (gates.alive, gates.scores, lambda: gates.probe([], [])):
        with pytest.raises(NotImplementedError):
            missing()
