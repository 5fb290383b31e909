"""The thinner network, with the weights of the channels that stay.

Two ways to a smaller network, for two uses:

* `rebuild` copies the *seed's graph* at smaller sizes. An identity shortcut stays an
  identity: where it joins widths that have come apart it becomes a fixed 0/1 selection
  matrix, so the thin network computes exactly what the masked one would.
* `inherit` fills what the *builder* makes at the new widths, as a user would train it.
  A projection that appears there where an identity was starts as the selection matrix.
"""

from collections.abc import Mapping

import keras
import numpy as np

from ns_tf.channels import NONE, ChannelGraph, match, resized
from ns_tf.gates import Gate, Gates
from ns_tf.keras_graph import functional

Key = tuple[str, str]  # (layer, weight)
SELECT = "select"


def weights(model: keras.Model) -> dict[Key, keras.Variable]:
    """All variables of the model's layers by (layer name, weight name)."""
    found = {}
    for layer in model.layers:
        for number, weight in enumerate(layer.weights):
            key = (layer.name, weight.name)
            # Layers made of layers have several weights of one name.
            found[
                key if key not in found else (layer.name, f"{weight.name}.{number}")
            ] = weight
    return found


def trainable_keys(model: keras.Model) -> list[Key]:
    """The keys of `model.trainable_variables`, in their order."""
    by_variable = {id(weight): key for key, weight in weights(model).items()}
    return [by_variable[id(variable)] for variable in model.trainable_variables]


def values(model: keras.Model) -> dict[Key, np.ndarray]:
    """All weights of the model as arrays."""
    return {key: np.array(weight) for key, weight in weights(model).items()}


def assign(model: keras.Model, arrays: Mapping[Key, np.ndarray]) -> None:
    """Sets the model's weights; every one of them must be among the arrays."""
    for key, weight in weights(model).items():
        weight.assign(arrays[key])


def draws(model: keras.Model) -> dict[Key, np.ndarray]:
    """How far the layers that draw random numbers, as dropout does, have come.

    Keras counts these states among a layer's variables and not among its weights.
    """
    return {key: np.array(state) for key, state in _draws(model).items()}


def assign_draws(model: keras.Model, arrays: Mapping[Key, np.ndarray]) -> None:
    """Lets these layers go on from there; what is not among the arrays starts anew."""
    for key, state in _draws(model).items():
        if key in arrays:
            state.assign(arrays[key])


def _draws(model: keras.Model) -> dict[Key, keras.Variable]:
    found = {}
    for layer in model.layers:
        own = {id(weight) for weight in layer.weights}
        others = [state for state in layer.variables if id(state) not in own]
        found |= {(layer.name, str(i)): state for i, state in enumerate(others)}
    return found


def take(array: np.ndarray, axes, keep: np.ndarray) -> np.ndarray:
    """The part of a weight that belongs to channels that stay.

    Args:
        array: The weight; axis i is indexed by the channels `axes[i]` (None: by none).
        axes: A channel number array or None an axis.
        keep: [channels] bool.
    """
    for place, channels in enumerate(axes):
        if channels is not None:
            array = np.compress(stays(channels, keep), array, axis=place)
    return array


def stays(channels: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """[axis] bool: which places of an axis stay; what is no channel always does."""
    return np.append(keep, True)[channels]  # NONE is -1, the last.


def rebuild(
    model: keras.Model, graph: ChannelGraph, keep: np.ndarray, gates: Gates
) -> tuple[keras.Model, dict[Key, tuple]]:
    """The seed's graph with the channels `keep` [channels] alone; weights are not set.

    Args:
        model: The seed network.
        graph: Its channel graph.
        keep: [channels] bool, never all False within a group.
        gates: Where `Gate` layers go.

    Returns:
        The new model, and the axes of the weights that it has beside the seed's: gates
        and selection matrices, in the seed's channel numbers.
    """
    editor = _Editor(graph, keep, gates)
    if not editor.changes:
        return model, {}
    thin = keras.models.clone_model(
        functional(model), clone_function=editor.clone, call_function=editor.call
    )
    return thin, editor.extra


class _Editor:
    """The two functions that `keras.models.clone_model` takes."""

    def __init__(self, graph: ChannelGraph, keep: np.ndarray, gates: Gates):
        self.graph = graph
        self.keep = keep
        self.gates = gates
        self.gated: dict[tuple, keras.KerasTensor] = {}
        self.made: dict[int, tuple] = {}  # id of a copy -> (copy, tensor).
        self.by_name = {}
        for call in graph.calls:
            self.by_name.setdefault(call.name, []).append(call)
        self.extra: dict[Key, tuple] = {}
        self.changes = bool(gates.edges) or not keep.all()

    def clone(self, layer):
        """The layer at its new size."""
        if not isinstance(layer, keras.layers.Layer):
            return layer
        return resized(layer, self.graph, lambda axis: stays(axis, self.keep).sum())

    def call(self, layer, *args, **kwargs):
        """Calls the layer, its inputs gated and aligned where that is due."""
        given = keras.tree.flatten((args, kwargs))
        tensors = [x for x in given if isinstance(x, keras.KerasTensor)]
        number, call = self._which(layer.name, tensors)
        places = iter(range(len(tensors)))

        def edit(x):
            if not isinstance(x, keras.KerasTensor):
                return x
            return self._edge(x, call, number, next(places))

        args, kwargs = keras.tree.map_structure(edit, (args, kwargs))
        output = layer(*args, **kwargs)
        self.made[id(output)] = (output, call.output)
        return output

    def _which(self, name: str, tensors: list):
        """Number and record of the call that reads copies of these tensors.

        Keras copies the calls of a shared layer in an order of its own.
        """
        for number, call in enumerate(self.by_name[name]):
            pairs = zip(tensors, call.inputs, strict=True)
            # The model's inputs are copied without a call to this.
            if all(self.made.get(id(x), (x, t))[1] == t for x, t in pairs):
                return number, call
        raise AssertionError(f"no call of {name!r} reads what its copy reads")

    def _edge(self, x, call, number, place):
        """The tensor x as the call reads it at this input."""
        tensor = call.inputs[place]
        if (call.name, number, place) in self.gates.edges:
            x = self._gate(x, tensor)
        if place in call.crossing:
            x = self._select(x, tensor, call, place)
        return x

    def _gate(self, x, tensor):
        if tensor not in self.gated:
            name = "_".join(str(part) for part in tensor) + "_gate"
            self.gated[tensor] = Gate(name=name, dtype=_policy(x))(x)
            self.extra[name, "gate"] = (self.graph.channels[tensor],)
        return self.gated[tensor]

    def _select(self, x, tensor, call, place):
        """x with the channels of `call`'s output: those that both have, zeros else."""
        source, target = self.graph.channels[tensor], self.graph.channels[call.output]
        kept = stays(source, self.keep), stays(target, self.keep)
        if np.array_equal(*kept):
            return x
        name = f"{call.name}_{SELECT}{place}"
        layer = keras.layers.Conv2D(
            int(kept[1].sum()),
            1,
            use_bias=False,
            trainable=False,
            name=name,
            dtype=_policy(x),
        )
        self.extra[name, "kernel"] = (None, None, source, target)
        return layer(x)


def _policy(x: keras.KerasTensor) -> str:
    """The dtype policy of a layer that leaves the dtype of its input as it is."""
    return f"mixed_{x.dtype}" if x.dtype in ("bfloat16", "float16") else x.dtype


def selection(size: int) -> np.ndarray:
    """[1, 1, size, size]: a 1x1 convolution that changes nothing; `take` thins it."""
    return np.eye(size, dtype=np.float32)[None, None]


def inherit(
    model: keras.Model,
    graph: ChannelGraph,
    keep: np.ndarray,
    thin: keras.Model,
    thin_graph: ChannelGraph,
) -> None:
    """Fills `thin`, which the builder made at the widths of `keep`, from `model`.

    Channels that stay keep all their values. A projection that appears in `thin`, where
    widths that were joined by an identity have come apart, starts as the selection
    matrix of what both ends still have, and a batch norm behind it as an identity.

    The outputs are the masked model's where the builder's network can compute them: not
    where two widths have come to agree again (a projection became an identity), nor
    where a new projection reads something else than the identity did (the
    pre-activation of PreAct ResNet).

    Args:
        model: The network to inherit from.
        graph: Its channel graph.
        keep: [channels of graph] bool.
        thin: Set in place.
        thin_graph: Its channel graph.
    """
    old = _old_numbers(graph, keep, thin_graph)
    arrays = values(model)
    follows = crossings(graph)
    epsilon = {layer.name: getattr(layer, "epsilon", 0.0) for layer in thin.layers}
    for (layer, name), variable in weights(thin).items():
        axes = graph.axes.get((layer, name), ())
        if (layer, name) in arrays:
            variable.assign(take(arrays[layer, name], axes, keep))
        elif name == "kernel":
            *_, source, target = thin_graph.axes[layer, name]
            wanted = np.array([follows.get(int(c), NONE) for c in old[target]])
            variable.assign((old[source][:, None] == wanted)[None, None])
        else:
            neutral = {"gamma": 1.0, "moving_variance": 1.0 - epsilon[layer]}
            variable.assign(np.full(variable.shape, neutral.get(name, 0.0)))


def _old_numbers(graph, keep, thin_graph) -> np.ndarray:
    """[channels of thin_graph]: the numbers that they had in `graph`."""
    old = np.empty(len(thin_graph.owner), int)
    for group in thin_graph.groups:
        before = graph.groups[match(group, graph)]
        old[group.channels] = before.channels[keep[before.channels]]
    return old


def crossings(graph: ChannelGraph) -> dict[int, int]:
    """Channel -> the channel of another group that an identity adds to it."""
    return {
        int(target): int(source)
        for call in graph.calls
        for place in call.crossing
        for source, target in zip(
            graph.channels[call.inputs[place]], graph.channels[call.output], strict=True
        )
    }
