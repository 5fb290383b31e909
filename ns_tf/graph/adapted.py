"""What preprocessing layers adapted to, written into their configurations.

`adapt` measures means and variances, or a vocabulary, and `get_config` leaves them out:
Keras keeps them beside the configuration. A layer that is made again would lose them.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError

_LOOKUPS = keras.layers.IntegerLookup, keras.layers.StringLookup


def with_statistics(layer: keras.Layer, config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a layer, with what it has adapted to written in.

    `Normalization.get_config()` leaves out the mean and variance that `adapt` measured:
    they are weights. In the configuration they become constants, so a network that is
    made again has them whatever its weights are. So it is with the vocabulary of an
    `IntegerLookup`, which is no weight.

    Args:
        layer: A layer, or a model within the model.
        config: Its configuration, as its `get_config` gives it.

    Returns:
        A new configuration; what was measured is in lists.

    Raises:
        InputError: the layer is a subclass of a model whose configuration does not
            hold its layers, and one of them was adapted.
    """
    if "layers" in config:  # A class of one's own may make its layers itself.
        inner = {one.name: one for one in layer.layers}
        return {**config, "layers": [_within(inner, one) for one in config["layers"]]}
    _refuse_hidden_statistics(layer, layer)
    return {**config, **_adapted(layer)}


def _within(layers: Mapping[str, keras.Layer], entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of a model's list of layers, statistics written in.

    Operations and inputs are no layers of the model; their entries stay.
    """
    layer = layers.get(entry["config"].get("name"))
    if layer is None:
        return entry
    return {**entry, "config": with_statistics(layer, entry["config"])}


def _refuse_hidden_statistics(model: keras.Layer, layer: keras.Layer) -> None:
    """Refuses a model within the model that would lose what it adapted to.

    Args:
        model: Named in the error.
        layer: The model, or a layer in it.
    """
    for inner in getattr(layer, "layers", ()):
        if _adapted(inner):
            raise InputError(
                f"Layer {model.name!r} cannot be made again from its configuration: "
                f"{inner.name!r} in it has adapted to data, and the configuration of "
                f"{type(model).__name__} does not hold what it measured. Give that "
                f"{type(inner).__name__} {_remedy(inner)}."
            )
        _refuse_hidden_statistics(model, inner)


def _remedy(layer: keras.Layer) -> str:
    """What to give such a layer in place of data."""
    return "its vocabulary" if isinstance(layer, _LOOKUPS) else "its mean and variance"


def _adapted(layer: keras.Layer) -> dict[str, list]:
    """Entries of the configuration of a layer that it adapted to, or that were set.

    Those that its constructor was given are in its configuration.
    """
    if isinstance(layer, keras.layers.Normalization) and layer.input_mean is None:
        found = {"mean": layer.adapt_mean, "variance": layer.adapt_variance}
        return {name: np.array(value).tolist() for name, value in found.items()}
    if not isinstance(layer, _LOOKUPS) or layer.input_vocabulary is not None:
        return {}
    words = [getattr(w, "item", lambda w=w: w)() for w in layer.get_vocabulary(False)]
    if not words:
        return {}
    entries = {"vocabulary": words}
    if layer.output_mode == "tf_idf":
        others = len(layer.get_vocabulary()) - len(words)  # They come first.
        weights = np.array(layer.idf_weights)[others : others + len(words)]
        entries["idf_weights"] = weights.tolist()
    return entries
