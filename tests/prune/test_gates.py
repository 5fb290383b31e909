"""What the trainer asks of gates: what they do unless they say otherwise."""

import keras
import pytest
from trained import learned

from ns_tf.networks.layers import EpitomeDense
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


def test_where_blocks_of_epitomes_begin_has_no_decay():
    x = image = keras.Input((16,))
    x = EpitomeDense(24, epitome=(8, 12), name="e")(x)
    gates = LearnedGates()
    gates.network = keras.Model(image, keras.layers.BatchNormalization(name="n")(x))
    layer, norm = (gates.network.get_layer(name) for name in "en")
    found = [norm.gamma, norm.beta, layer.raw_starts]
    assert [id(v) for v in gates.undecayed] == [id(v) for v in found]
