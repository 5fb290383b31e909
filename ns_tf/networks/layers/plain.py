"""Networks of epitomes as networks of Keras's own layers."""

import keras

from ns_tf.base import InputError
from ns_tf.graph.calls import uncompiled
from ns_tf.graph.compilation import carried
from ns_tf.graph.flat import flat
from ns_tf.graph.remake import copied
from ns_tf.graph.weights import assign
from ns_tf.graph.weights import values as values_of
from ns_tf.networks.layers.base import EpitomeLayer


def has_epitomes(layer: keras.Layer) -> bool:
    """Whether a layer or model, or a layer within it, is made of an epitome.

    Args:
        layer: Any layer or model.
    """
    return any(isinstance(one, EpitomeLayer) for one in layer._flatten_layers())


def as_plain(model: keras.Model) -> keras.Model:
    """The model with the kernels that its epitomes make, of Keras's own layers.

    It answers the same, and needs nothing of ns_tf to be loaded. Its layers have
    kernels of full size: it is as large as the network that the epitomes replaced.
    Layers that are made of layers are seen through (`ns_tf.graph.flat.flat`); a weight
    of such a layer's own becomes an `OwnWeight`, which is of ns_tf.

    Args:
        model: Functional or sequential; not changed.

    Returns:
        A new flat model; the model itself if it has no epitome.

    Raises:
        InputError: a layer cannot be made again from its configuration, or has epitomes
            within and cannot be seen through.
    """
    if not isinstance(model, keras.Model):
        raise InputError(f"Expected a functional or sequential model; got {model!r}.")
    if not has_epitomes(model):
        return model
    whole = flat(model, blocks=True)

    def made(layer: keras.Operation) -> keras.Operation:
        if isinstance(layer, EpitomeLayer):
            return layer.plain()
        return copied(layer) if isinstance(layer, keras.layers.Layer) else layer

    plain = keras.models.clone_model(uncompiled(whole), clone_function=made)
    left = [one.name for one in plain.layers if has_epitomes(one)]
    if left:
        raise InputError(
            f"{left[0]!r} has epitomes within and cannot be seen through, so their "
            "kernels cannot be made: call its layers in the model itself."
        )
    arrays = values_of(whole)
    for layer in whole.layers:
        if isinstance(layer, EpitomeLayer):
            arrays[layer.name, "kernel"] = keras.ops.convert_to_numpy(layer.made())
    assign(plain, arrays)
    return carried(whole, plain)
