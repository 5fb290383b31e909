"""Layers made again from their configurations, at other sizes."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.graph.channels import ChannelGraph


def resized(layer, graph: ChannelGraph, length: Callable[[np.ndarray], int], **changes):
    """A copy of the layer for axes of other lengths, weights not set.

    What a Normalization adapted to stays: `keras_graph.with_statistics`.

    Args:
        layer: Of the traced model.
        graph: Its channel graph.
        length: Channels of an axis -> its new length.
        **changes: Other entries of its configuration.

    Raises:
        InputError: as `keras_graph.remade`.
    """
    config = {**layer.get_config(), **changes}
    axes = graph.axes.get((layer.name, "kernel"))
    if axes is not None and axes[-1] is not None:
        config["units" if "units" in config else "filters"] = int(length(axes[-1]))
    if "target_shape" in config:
        output = graph.channels[layer.name, 0, 0]
        config["target_shape"] = (*config["target_shape"][:-1], int(length(output)))
    return remade(layer, with_statistics(layer, config))


def remade(layer: keras.Layer, config: Mapping[str, Any]) -> keras.Layer:
    """A layer of the same class with this configuration, not built.

    Raises:
        InputError: Keras cannot make it: a Lambda, a function that is not registered.
    """
    return _attempt(layer, lambda: type(layer).from_config(dict(config)))


def with_statistics(layer: keras.Layer, config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a layer, with what a Normalization in it adapted to fixed.

    No weight to be learned: a network that is made anew has it from the beginning.

    Args:
        layer: A layer, or a model within the model.
        config: Its configuration, as its `get_config` gives it.
    """
    if "layers" in config:  # A class of one's own may make its layers itself.
        inner = {one.name: one for one in layer.layers}
        return {**config, "layers": [_within(inner, one) for one in config["layers"]]}
    if isinstance(layer, keras.layers.Normalization) and layer.input_mean is None:
        adapted = {"mean": layer.adapt_mean, "variance": layer.adapt_variance}
        return {**config, **{name: np.array(v).tolist() for name, v in adapted.items()}}
    return dict(config)


def _within(layers: Mapping[str, keras.Layer], entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of a model's configuration, likewise."""
    layer = layers.get(entry["config"].get("name"))  # None: an operation, an input.
    if layer is None:
        return entry
    return {**entry, "config": with_statistics(layer, entry["config"])}


def check_readable(model: keras.Model) -> None:
    """Refuses a model that no other process could read from its `.keras` file.

    Raises:
        InputError: naming the layer; as `remade`, or its class is not registered.
    """
    saving = keras.saving
    for layer in model.layers:
        _attempt(
            layer,
            lambda layer=layer: saving.deserialize_keras_object(
                saving.serialize_keras_object(layer), safe_mode=True
            ),
        )


def _attempt(layer: keras.Layer, make: Callable[[], keras.Layer]) -> keras.Layer:
    try:
        return make()
    except Exception as error:  # Keras raises what its parts raise.
        told = str(error).rpartition("Exception encountered: ")[-1]
        told = re.split(r"\. |\n", told, maxsplit=1)[0].removesuffix(".")
        raise InputError(
            f"Layer {layer.name!r} cannot be made again from its configuration: "
            f"{told}. Register your classes and functions with "
            "@keras.saving.register_keras_serializable(); write a Lambda as a class."
        ) from error
