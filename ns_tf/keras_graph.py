"""The calls of a functional model, from `get_config()` (the `.keras` format)."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError

Tensor = tuple[str, int, int]  # (operation, call, output): Keras's name of a tensor.


def has_graph(operation: keras.Operation) -> bool:
    """Whether an operation is a model that `functional` takes."""
    return isinstance(operation, keras.Sequential) or hasattr(operation, "operations")


def functional(model: keras.Model) -> keras.Model:
    """The model as one that has a graph; a sequential one is wrapped, sharing weights.

    Raises:
        InputError: for a subclassed model.
    """
    if isinstance(model, keras.Sequential):
        if not model.built:
            raise InputError(
                f"{model.name!r} is not built yet: begin it with a keras.Input."
            )
        return keras.Model(model.inputs, model.outputs, name=model.name)
    if not hasattr(model, "operations") or not hasattr(model, "inputs"):
        raise InputError(
            f"Expected a functional or sequential model; {model.name!r} is a "
            f"{type(model).__name__} without a graph. Write it as "
            "keras.Model(inputs, outputs)."
        )
    return model


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


def nodes(config: dict):
    """(operation, [(input tensor, shape)], output tensors) of every call.

    Of several outputs the first, and those that something reads.
    """
    inputs = {
        (layer["name"], number): list(_keras_tensors(node))
        for layer in config["layers"]
        for number, node in enumerate(layer["inbound_nodes"] or [[]])
    }
    read = {tensor for tensors in inputs.values() for tensor, _ in tensors}
    read |= set(tensors_in(config["output_layers"]))
    outputs = {call: {(*call, 0)} for call in inputs}
    for tensor in read:
        outputs[tensor[:2]].add(tensor)
    for call, tensors in inputs.items():
        yield call[0], tensors, tuple(sorted(outputs[call]))


def _keras_tensors(value):
    """(name, shape) of all tensors anywhere in a call's serialised arguments."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            config = value["config"]
            yield tuple(config["keras_history"]), tuple(config["shape"])
            return
        value = value.values()
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return
    for item in value:
        yield from _keras_tensors(item)


def tensors_in(layers) -> list[Tensor]:
    """Tensor names in `output_layers`, which is one name or a nest of them."""
    if len(layers) == 3 and isinstance(layers[0], str):
        return [tuple(layers)]
    values = layers.values() if isinstance(layers, dict) else layers
    return [tensor for item in values for tensor in tensors_in(item)]


def ordered(nodes: list) -> list:
    """The calls in an order in which every input is there before it is read."""
    done, order, waiting = set(), [], list(nodes)
    while waiting:
        ready = [node for node in waiting if all(t in done for t, _ in node[1])]
        if not ready:
            raise InputError(f"The model's graph has a loop at {waiting[0][0]!r}.")
        order += ready
        done |= {tensor for node in ready for tensor in node[2]}
        waiting = [node for node in waiting if node[2][0] not in done]
    return order
