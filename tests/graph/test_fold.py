"""Gates put into kernels: the network computes what it did with its gates."""

import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.graph import weights
from ns_tf.graph.fold import folded, folds
from ns_tf.graph.gated import GatedNetwork
from ns_tf.graph.walk import channel_graph


@pytest.mark.parametrize(
    "name", ["chain", "concat", "dense_block", "flatten", "depthwise", "residual"]
)
def test_a_folded_network_computes_what_its_gates_did(
    name, handmade, randomise, rng, float64
):
    model = randomise(handmade[name]())
    graph = channel_graph(model)
    gates = np.where(graph.frozen, 1.0, rng.uniform(0, 2, len(graph.owner)))
    images, network = rng.normal(size=(3, 6, 7, 3)), GatedNetwork(model, graph)
    expected = network.model([images, network.rows(3, gates)], training=False)
    weights.assign(model, folded(weights.values(model), folds(graph), gates))
    found = model(images, training=False)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_an_edge_without_a_kernel_of_its_own_is_refused_by_name():
    """A norm over channels reads them, and so do the units of a recurrent layer."""
    import keras

    for layer in (
        keras.layers.LayerNormalization(name="over"),
        keras.layers.SimpleRNN(5, name="over", return_sequences=True),
    ):
        x = image = keras.Input((7, 3))
        x = layer(keras.layers.Conv1D(11, 3, name="a")(x))
        x = keras.layers.GlobalAveragePooling1D()(x)
        model = keras.Model(image, keras.layers.Dense(5, name="logits")(x))
        with pytest.raises(InputError, match="'over' has no such kernel"):
            folds(channel_graph(model))
