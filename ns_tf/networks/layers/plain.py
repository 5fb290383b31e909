"""Networks of epitomes as networks of Keras's own layers."""

import keras

from ns_tf.graph.calls import uncompiled
from ns_tf.graph.compilation import carried
from ns_tf.graph.flat import flat
from ns_tf.graph.remake import copied
from ns_tf.graph.weights import assign
from ns_tf.graph.weights import values as values_of
from ns_tf.networks.layers.base import EpitomeLayer


def has_epitomes(model: keras.Model) -> bool:
    """Whether a layer of a model, or of a model within, is made of an epitome.

    Args:
        model: Functional, or one of which that can be made.
    """
    return any(isinstance(one, EpitomeLayer) for one in model._flatten_layers())


def as_plain(model: keras.Model) -> keras.Model:
    """The model with the kernels that its epitomes make, of Keras's own layers.

    It answers the same, and needs nothing of ns_tf to be loaded. Its layers have
    kernels of full size: it is as large as the network that the epitomes replaced.

    Args:
        model: Functional or sequential; not changed.

    Returns:
        A new flat model; the model itself if it has no epitome.

    Raises:
        InputError: a layer cannot be made again from its configuration.
    """
    if not has_epitomes(model):
        return model
    whole = flat(model)

    def made(layer: keras.Operation) -> keras.Operation:
        if isinstance(layer, EpitomeLayer):
            return layer.plain()
        return copied(layer) if isinstance(layer, keras.layers.Layer) else layer

    plain = keras.models.clone_model(uncompiled(whole), clone_function=made)
    arrays = values_of(whole)
    for layer in whole.layers:
        if isinstance(layer, EpitomeLayer):
            arrays[layer.name, "kernel"] = keras.ops.convert_to_numpy(layer.made())
    assign(plain, arrays)
    return carried(whole, plain)
