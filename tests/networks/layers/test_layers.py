"""What every layer of the package has, so that files and graphs know it."""

import keras
import pytest

from ns_tf.graph.rules import is_known
from ns_tf.networks import layers

KINDS = [getattr(layers, name) for name in layers.__all__ if name != "EpitomeLayer"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_layer_can_be_read_from_a_file_and_has_a_rule(kind):
    assert keras.saving.get_registered_object(f"ns_tf>{kind.__name__}") is kind
    assert issubclass(kind, layers.EpitomeLayer)
    arguments = {} if kind is layers.EpitomeDense else {"kernel_size": 3}
    assert is_known(kind(5, sampling="fixed", **arguments))
