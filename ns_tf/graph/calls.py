"""The calls of a functional model, from `get_config()` (the `.keras` format)."""

import keras

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
