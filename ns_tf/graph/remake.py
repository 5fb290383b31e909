"""Layers made again from their configurations, at other sizes."""

import inspect
import re
import types
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.graph import activations
from ns_tf.graph.adapted import with_statistics
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.initial import fitted
from ns_tf.graph.rules import mapped

# Options of attentions and of recurrent layers that their configurations leave out.
_NOT_WRITTEN = ("_flash_attention", "use_cudnn")
_ACTIVATIONS = "activation", "recurrent_activation"
_INNER = "layer", "forward_layer", "backward_layer", "cell", "cells"  # Of wrappers.


def resized(
    layer: keras.Operation,
    graph: ChannelGraph,
    length: Callable[[np.ndarray], int],
    **changes: Any,
) -> keras.Operation:
    """A copy of the layer for axes of other lengths, weights not set.

    An operation that is no layer is shared, unless channels set its configuration.

    The statistics that a Normalization adapted to are kept: see `with_statistics`.

    Args:
        layer: Of the model that the graph was read from.
        graph: The model's channel graph.
        length: Channels of an axis -> its new length.
        **changes: Other entries of its configuration.

    Returns:
        A layer of the same class and name, not built.

    Raises:
        InputError: as `remade` and `with_statistics`.
    """
    settings = graph.settings.get(layer.name)
    if settings is None and not isinstance(layer, keras.layers.Layer):
        return layer
    sizes = mapped(lambda axis: int(length(axis)), settings or {})
    config = _merged({**_unbuilt(config_of(layer)), **changes}, sizes)
    if isinstance(layer, keras.layers.Layer):
        config = fitted(layer, config, graph, length)
    return remade(layer, with_statistics(layer, config))


def recalled(
    graph: ChannelGraph, length: Callable[[np.ndarray], int]
) -> Callable[..., Any]:
    """How `keras.models.clone_model` calls layers for axes of other lengths.

    Args:
        graph: The model's channel graph.
        length: Channels of an axis -> its new length.
    """

    def call(operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        changes = mapped(
            lambda axis: int(length(axis)), graph.arguments.get(operation.name, {})
        )
        args = tuple(changes.get(place, one) for place, one in enumerate(args))
        named = {name: changes.get(name, one) for name, one in kwargs.items()}
        return operation(*args, **named)

    return call


def config_of(layer: keras.Layer) -> dict[str, Any]:
    """The configuration of a layer.

    Args:
        layer: Of any class.

    Raises:
        InputError: its class cannot write it down.
    """
    if type(layer) is keras.layers.Identity:
        # Keras writes none down for one that was made with a dtype policy, as within
        # another layer.
        dtype = layer.dtype_policy.name
        return {"name": layer.name, "trainable": layer.trainable, "dtype": dtype}
    return _attempt(layer, layer.get_config)


def copied(layer: keras.Layer, **changes: Any) -> keras.Layer:
    """A layer of the same class and configuration, with its statistics, not built.

    Args:
        layer: The original.
        **changes: Other entries of its configuration.

    Raises:
        InputError: as `remade` and `with_statistics`.
    """
    config = {**config_of(layer), **changes}
    return remade(layer, with_statistics(layer, config))


def _merged(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with other entries, also those of configurations within.

    >>> _merged({"a": 1, "within": {"units": 5, "b": 2}}, {"within": {"units": 3}})
    {'a': 1, 'within': {'units': 3, 'b': 2}}
    """
    return {**config, **{n: _changed(config[n], one) for n, one in changes.items()}}


def _changed(entry: Any, change: Any) -> Any:
    """An entry of a configuration, changed: layers within keep what is not named."""
    if isinstance(change, Mapping):
        return _merged(entry, change)
    layers = isinstance(change, (list, tuple)) and all(
        isinstance(one, Mapping) for one in change
    )
    if layers:
        return [_merged(a, b) for a, b in zip(entry, change, strict=True)]
    return change


def _unbuilt(config: Any) -> Any:
    """A configuration without the shapes that layers within were built for."""
    if isinstance(config, dict):
        return {n: _unbuilt(one) for n, one in config.items() if n != "build_config"}
    if isinstance(config, (list, tuple)):
        return type(config)(_unbuilt(one) for one in config)
    return config


def remade(layer: keras.Layer, config: Mapping[str, Any]) -> keras.Layer:
    """A layer of the same class with this configuration, not built.

    Args:
        layer: The original.
        config: As its `get_config` gives it, or changed.

    Raises:
        InputError: Keras cannot make it (a Lambda, a function that is not registered),
            its activation is a layer with weights, or its class leaves the name out of
            `get_config`: weights are found by the names of layers.
    """
    check_activations(layer)
    config = _taken(layer, config)
    name = config.get("name", layer.name)
    copy = _attempt(layer, lambda: type(layer).from_config(dict(config)))
    # The default `get_config` of a class without one leaves out an automatic name;
    # without weights nothing is keyed by it.
    if not getattr(layer, "weights", ()):
        copy.name = name
    if copy.name != name:
        raise InputError(
            f"Layer {layer.name!r} cannot be made again from its configuration: its "
            f"copy is called {copy.name!r}. Put the name into what "
            f"{type(layer).__name__}.get_config() returns, and pass it on in __init__."
        )
    _check_functions(layer, copy)
    for option in _NOT_WRITTEN:
        if hasattr(layer, option):
            setattr(copy, option, getattr(layer, option))
    return keep_frozen(layer, copy)


def check_activations(layer: keras.Operation) -> None:
    """Refuses activations that no copy of a layer can have.

    Args:
        layer: Of the model; layers within Keras's wrappers are looked at as well.

    Raises:
        InputError: an activation is a layer with weights, or a lambda.
    """
    activation = getattr(layer, "activation", None)
    if activations.has_weights(activation):
        raise InputError(
            f"Layer {layer.name!r} has a layer as its activation, whose weights Keras "
            "makes at the first call alone. Call the "
            f"{activations.name_of(activation)} behind it."
        )
    if type(layer).__module__.partition(".")[0] != "keras":
        return  # One of the user's may make its activation itself.
    for name in _ACTIVATIONS:
        own = getattr(layer, name, None)
        function = isinstance(own, types.FunctionType)
        if function and keras.saving.get_registered_name(own) == "<lambda>":
            raise InputError(
                f"Layer {layer.name!r} has a lambda as its {name}, which no copy of it "
                "would have. Write it as a function that is registered with "
                "@keras.saving.register_keras_serializable()."
            )
    for inner in keras.tree.flatten([getattr(layer, one, None) for one in _INNER]):
        check_activations(inner)


def _taken(layer: keras.Layer, config: Mapping[str, Any]) -> dict[str, Any]:
    """What the constructor of a layer takes of its configuration.

    Some layers of KerasHub (ViTPatchingAndEmbedding) write down what they compute too.
    """
    if type(layer).__module__.partition(".")[0] != "keras_hub":
        return dict(config)
    names: set[str] = set()
    for one in type(layer).__mro__:
        parameters = inspect.signature(one.__init__).parameters.values()
        names.update(each.name for each in parameters)
        if not any(each.kind is each.VAR_KEYWORD for each in parameters):
            break  # What it does not name it does not pass on either.
    return {name: value for name, value in config.items() if name in names}


def keep_frozen(layer: keras.Layer, copy: keras.Layer) -> keras.Layer:
    """The copy of a layer, frozen where the layer is.

    The configuration of a subclass of a model need not say which layers are.

    Args:
        layer: The original; an operation that is no layer may come too.
        copy: Made of its configuration; set in place.
    """
    if not isinstance(layer, keras.layers.Layer):
        return copy
    pairs = zip(layer._flatten_layers(), copy._flatten_layers(), strict=False)
    for one, other in pairs:
        if not any(inner.trainable for inner in one._flatten_layers()):
            other.trainable = False
    return copy


def _check_functions(layer: keras.Layer, copy: keras.Layer) -> None:
    """Refuses a copy that computes with another function of the same name.

    Keras finds functions by their names: of a user's own `relu`, not registered, it
    would silently make its own, and of `keras.ops.gelu` the other formula.
    """
    for name in _ACTIVATIONS:
        own, made = getattr(layer, name, None), getattr(copy, name, None)
        function = isinstance(own, types.FunctionType) and made is not own
        if function and not activations.same(own, made):
            raise InputError(
                f"Layer {layer.name!r} cannot be made again from its configuration: "
                f"its {name} {own.__name__!r} would become another function. Give the "
                "name of one of Keras's, or register your own with "
                "@keras.saving.register_keras_serializable()."
            )
    inner = [
        keras.tree.flatten([getattr(one, name, None) for name in _INNER])
        for one in (layer, copy)
    ]
    for one, other in zip(*inner, strict=False):
        if one is not None and other is not None:
            _check_functions(one, other)


def check_readable(model: keras.Model) -> None:
    """Refuses a model that no other process could read from its `.keras` file.

    Args:
        model: Functional; every layer is serialised and read again.

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
    """What `make` makes; Keras's errors become an `InputError` of one sentence."""
    try:
        return make()
    except Exception as error:  # Keras raises what its parts raise.
        message = repr(error) if isinstance(error, KeyError) else str(error)
        reason = message.rpartition("Exception encountered: ")[-1]
        reason = re.split(r"\. |\n", reason, maxsplit=1)[0].removesuffix(".")
        raise InputError(
            f"Layer {layer.name!r} cannot be made again from its configuration: "
            f"{reason}. Register your classes and functions with "
            "@keras.saving.register_keras_serializable(); write a Lambda as a class."
        ) from error
