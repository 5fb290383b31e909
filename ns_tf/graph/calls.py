"""The calls of a functional model, from `get_config()` (the `.keras` format)."""

import contextlib
import dataclasses
import math
import reprlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from ns_tf.base import InputError, reason_of

Tensor = tuple[str, int, int]  # (operation, call, output), as Keras names a tensor.
Inputs = list[tuple[Tensor, tuple]]  # Input tensors of a call with their shapes.
Node = tuple[str, Inputs, tuple[Tensor, ...]]  # (operation, inputs, outputs).


@dataclasses.dataclass(frozen=True)
class Place:
    """A tensor among the arguments of a call: its place among the call's inputs."""

    number: int


def has_graph(operation: keras.Operation) -> bool:
    """Whether an operation is a model that `functional` accepts.

    Args:
        operation: A layer, a model or an operation such as `keras.ops.add`.

    Returns:
        True for sequential and functional models and their subclasses. False for one
        that overrides `call`: its graph is not what it computes.
    """
    graph = isinstance(operation, keras.Sequential) or hasattr(operation, "operations")
    return graph and not _overrides_call(operation)


def functional(model: keras.Model) -> keras.Model:
    """The model as a plain functional one, whose configuration holds its graph.

    Sequential models and subclasses (KerasHub's backbones) are wrapped; the wrapper
    has the same layers, weights and name. A subclass has to be wrapped because its
    `get_config()` holds the arguments of its constructor in place of the graph.

    Args:
        model: Sequential, functional, or a subclass of either.

    Returns:
        The model itself if it is a plain functional one.

    Raises:
        InputError: the model has no graph, is not built, or overrides `call`.
    """
    kind = type(model).__name__
    sequential = isinstance(model, keras.Sequential)
    if not sequential and not (
        hasattr(model, "operations") and hasattr(model, "inputs")
    ):
        if not isinstance(model, keras.Model):
            raise InputError(
                f"Expected a functional or sequential model; got {reprlib.repr(model)}."
            )
        raise InputError(
            f"Expected a functional or sequential model; {model.name!r} is a "
            f"{kind} without a graph. Write it as keras.Model(inputs, outputs)."
        )
    if _overrides_call(model):
        raise InputError(
            f"Expected a functional or sequential model; {model.name!r} is a {kind} "
            "that overrides `call`, so its graph is not what it computes. Write it as "
            "keras.Model(inputs, outputs)."
        )
    if sequential:
        if not model.built:
            raise InputError(
                f"{model.name!r} is not built yet: begin it with a keras.Input."
            )
        ends = alone(model.inputs), alone(model.outputs)
        return keras.Model(*ends, name=model.name)
    if type(model) is keras_class(model):
        return model
    return keras.Model(model.input, model.output, name=model.name)


def alone(structure: Any) -> Any:
    """The tensor of a structure that has one; the structure itself if it has more.

    >>> alone(["x"]), alone({"a": "x"}), alone(["x", "y"])
    ('x', 'x', ['x', 'y'])

    Args:
        structure: Of tensors, as a model takes and gives them.
    """
    tensors = keras.tree.flatten(structure)
    return tensors[0] if len(tensors) == 1 else structure


def input_names(model: keras.Model) -> tuple[str, ...]:
    """The names of a model's inputs, in the order of `model.inputs`.

    Args:
        model: Functional.
    """
    # The tensor of an Input without a name has another name than its layer.
    return tuple(tensor._keras_history.operation.name for tensor in model.inputs)


def uncompiled(model: keras.Model) -> keras.Model:
    """The model without optimizer, loss and metrics, which a copy would have as well.

    An optimizer cannot be made where networks are built without values.

    Args:
        model: Functional.

    Returns:
        The model itself if it is not compiled; else another one of the same layers.
    """
    if not model.compiled:
        return model
    return keras.Model(model.input, model.output, name=model.name)


def keras_class(operation: keras.Operation) -> type:
    """The class of Keras's that an operation is of, or is derived from.

    >>> class Own(keras.layers.Dense):
    ...     pass
    >>> keras_class(Own(3)).__name__
    'Dense'

    Args:
        operation: A layer, model or operation.
    """
    return next(
        one
        for one in type(operation).__mro__
        if one.__module__.partition(".")[0] == "keras"
    )


def _overrides_call(model: keras.Model) -> bool:
    """Whether a subclass computes something else than its graph."""
    base = keras_class(model)
    return any(
        getattr(type(model), name) is not getattr(base, name)
        for name in ("call", "__call__")
    )


def graph_config(model: keras.Model) -> dict[str, Any]:
    """The configuration of a plain functional model, calls counted from 0 throughout.

    In `output_layers`, and there alone, Keras counts the calls of a functional model
    within the model from 1.

    Args:
        model: As `functional` returns it.

    Returns:
        Its `get_config()`, with `output_layers` as a list of tensors.

    Raises:
        InputError: a layer's settings cannot be written down.
    """
    try:
        config = model.get_config()
    except Exception as error:  # Keras and classes of the user raise what they like.
        raise InputError(
            f"The settings of {model.name!r} cannot be written down: "
            f"{reason_of(error)} Register "
            "your functions and classes with "
            "@keras.saving.register_keras_serializable()."
        ) from error
    nested = {one.name for one in model.operations if hasattr(one, "operations")}
    config["output_layers"] = [
        [name, call - (name in nested), output]
        for name, call, output in tensors_in(config["output_layers"])
    ]
    return config


def nodes(config: dict[str, Any]) -> Iterator[Node]:
    """Every call of a model: its operation, its input tensors, its output tensors.

    Args:
        config: As `graph_config` returns it.

    Yields:
        (operation, [(input tensor, shape)], output tensors). Output 0 is always among
        the output tensors; another one is if a call or the model's end reads it.
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


def _keras_tensors(value: Any) -> Iterator[tuple[Tensor, tuple]]:
    """(name, shape) of all tensors anywhere in a call's serialised arguments."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            config = value["config"]
            yield tuple(config["keras_history"]), tuple(config["shape"])
            return
        value = [value[name] for name in sorted(value)]  # As `keras.tree.flatten`.
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return
    for item in value:
        yield from _keras_tensors(item)


def arguments(node: dict[str, Any]) -> tuple[list, dict[str, Any]]:
    """The arguments of a call, tensors replaced by their places.

    What Keras does not read, as a lambda, is as it is written.

    >>> x = {"class_name": "__keras_tensor__", "config": {}}
    >>> arguments({"args": [x, 0.5], "kwargs": {"mask": x}})
    ([Place(number=0), 0.5], {'mask': Place(number=1)})

    Args:
        node: An entry of `inbound_nodes` in a model's configuration.
    """
    found: list[Place] = []

    def read(value):
        if isinstance(value, (list, tuple)):
            return [read(one) for one in value]
        if not isinstance(value, dict):
            return value
        if value.get("class_name") == "__keras_tensor__":
            found.append(Place(len(found)))
            return found[-1]
        if "class_name" in value:
            with contextlib.suppress(Exception):  # Code, as of a scan, is not run.
                return keras.saving.deserialize_keras_object(value)
            return value
        return {name: read(value[name]) for name in sorted(value)}

    return read(node["args"]), read(node["kwargs"])


def entries(shape: Sequence[int | None]) -> float:
    """Entries of an example; not a number if that is not known.

    >>> entries((None, 2, 3)), entries((None, None, 3))
    (6.0, nan)

    Args:
        shape: Of a tensor; its first axis is that of examples.
    """
    return float(math.prod(math.nan if n is None else n for n in shape[1:]))


def tensors_in(layers: Any) -> list[Tensor]:
    """The tensors named in `output_layers`.

    Args:
        layers: One name, [operation, call, output], or a list or dictionary of them.

    >>> tensors_in(["logits", 0, 0])
    [('logits', 0, 0)]
    >>> tensors_in({"one": ["a", 0, 0], "other": [["b", 1, 0], ["b", 1, 1]]})
    [('a', 0, 0), ('b', 1, 0), ('b', 1, 1)]
    """
    tensor = isinstance(layers, (list, tuple)) and len(layers) == 3
    if tensor and isinstance(layers[0], str):
        return [tuple(layers)]
    # Keras gives outputs in the order of their sorted names.
    values = [layers[k] for k in sorted(layers)] if isinstance(layers, dict) else layers
    return [tensor for item in values for tensor in tensors_in(item)]


def ordered(nodes: Sequence[Node]) -> list[Node]:
    """The calls in an order in which every input is computed before it is read.

    Args:
        nodes: As `nodes` yields them, in any order.

    Raises:
        InputError: a call needs its own output.

    >>> x, y, z = (("x", 0, 0), ("y", 0, 0), ("z", 0, 0))
    >>> calls = [("z", [(y, ())], (z,)), ("y", [(x, ())], (y,)), ("x", [], (x,))]
    >>> [name for name, _, _ in ordered(calls)]
    ['x', 'y', 'z']
    """
    readers: dict[Tensor, list[int]] = {}
    missing = [len({tensor for tensor, _ in inputs}) for _, inputs, _ in nodes]
    for number, (_, inputs, _) in enumerate(nodes):
        for tensor in {tensor for tensor, _ in inputs}:
            readers.setdefault(tensor, []).append(number)
    order: list[int] = []
    ready = [number for number, count in enumerate(missing) if not count]
    while ready:
        order += ready
        following = []
        for number in ready:
            for reader in (r for t in nodes[number][2] for r in readers.get(t, ())):
                missing[reader] -= 1
                if not missing[reader]:
                    following.append(reader)
        ready = sorted(following)
    if len(order) < len(nodes):
        stuck = min(set(range(len(nodes))) - set(order))
        raise InputError(f"The model's graph has a loop at {nodes[stuck][0]!r}.")
    return [nodes[number] for number in order]
