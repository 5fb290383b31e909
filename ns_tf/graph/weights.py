"""The weights of a model by layer and name; parts of them, and names to save them."""

import re
from collections.abc import Iterator, Mapping, Sequence

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.graph.channels import ChannelGraph, layer_of

Key = tuple[str, str]  # (layer, weight)
_NUMBERED = re.compile(r"^variable_\d+$")


def weights(model: keras.Model) -> dict[Key, keras.Variable]:
    """All variables of the model's layers by (layer name, weight name).

    Layers made of layers have several weights of one name; those after the first get
    their place among the layer's weights as a suffix, as in ("inner", "kernel.2").
    """
    return {
        (layer.name, name): weight
        for layer in model.layers
        for weight, name in zip(layer.weights, names(layer).values(), strict=True)
    }


def names(layer: keras.Layer) -> dict[int, str]:
    """What the weights of a layer are called in keys, by the weight's id, in order.

    A weight that was given no name is called "variable": the number that Keras puts
    behind it is another one in every copy of the layer.
    """
    called: dict[int, str] = {}
    for number, weight in enumerate(layer.weights):
        name = _NUMBERED.sub("variable", weight.name)
        taken = name in called.values()
        called[id(weight)] = f"{name}.{number}" if taken else name
    return called


def learnable(layer: keras.Layer) -> list[keras.Variable]:
    """The weights that a training moves unless they are frozen.

    Kernels, biases, gamma and beta, also those of layers with `trainable=False`; no
    moving statistics.

    Args:
        layer: A layer or a model; layers within count.
    """
    # Keras has no public list: all weights of a frozen layer are "non-trainable" there.
    within = layer._flatten_layers()
    found = {id(v): v for one in within for v in one._trainable_variables}
    return list(found.values())


def frozen(layer: keras.Layer) -> list[keras.Variable]:
    """Those of the `learnable` weights that no training moves."""
    return [variable for variable in learnable(layer) if not variable.trainable]


def held(layer: keras.Layer) -> list[keras.Variable]:
    """All weights of the frozen layers within a layer or model: statistics as well."""
    return [
        weight
        for one in layer._flatten_layers()
        if any(not variable.trainable for variable in one._trainable_variables)
        for weight in one._trainable_variables + one._non_trainable_variables
    ]


def partly_frozen(model: keras.Model) -> str | None:
    """A layer that trains with some of its weights frozen; None if there is none."""
    for layer in model._flatten_layers():
        if layer.trainable and any(not v.trainable for v in layer._trainable_variables):
            return layer.name
    return None


def check_floats(model: keras.Model) -> None:
    """Refuses a model of which layers are quantised, or weights have 16 bits.

    Raises:
        InputError: naming some of them.
    """
    quantised = [one.name for one in model.layers if one.quantization_mode]
    if quantised:
        raise InputError(
            f"{model.name!r} has quantised layers ({', '.join(quantised[:3])}): search "
            "or prune the model before model.quantize, and quantise what is left."
        )
    for (layer, _), weight in weights(model).items():
        if weight.dtype in ("bfloat16", "float16"):
            raise InputError(
                f"{model.name!r} has weights in {weight.dtype}, as of {layer!r}: small "
                "steps of a training would be lost. Make the model with the dtype "
                f"policy 'mixed_{weight.dtype}', whose weights are float32, and set "
                "them: set_weights(model.get_weights())."
            )


def trainable_keys(model: keras.Model) -> list[Key]:
    """The keys of `model.trainable_variables`, in their order."""
    by_variable = {id(weight): key for key, weight in weights(model).items()}
    return [by_variable[id(variable)] for variable in model.trainable_variables]


def values(model: keras.Model) -> dict[Key, np.ndarray]:
    """All weights of the model as arrays: copies, by (layer, weight)."""
    return {key: np.array(weight) for key, weight in weights(model).items()}


def assign(model: keras.Model, arrays: Mapping[Key, np.ndarray]) -> None:
    """Sets the model's weights.

    Args:
        model: Set in place.
        arrays: One array for every weight; other entries are ignored.

    Raises:
        KeyError: a weight is not among the arrays.
    """
    for key, weight in weights(model).items():
        weight.assign(arrays[key])


def kernels(
    model: keras.Model, graph: ChannelGraph
) -> Iterator[tuple[tuple, np.ndarray]]:
    """Kernels of the layers that make channels, with their axes.

    Selection matrices are not among them: the graph does not know them. What is given
    has a layer's filters last.

    Args:
        model: The network, or a copy of other sizes with the same names.
        graph: The network's channel graph.

    Yields:
        (channel numbers of each axis, None where none index it; the kernel). The last
        axis has the channels that the layer makes, wherever the layer has it.
    """
    arrays = weights(model)
    for key, place in making(model, graph):
        axes = tuple(_moved_to_end(graph.axes[key], place))
        yield axes, np.moveaxis(np.array(arrays[key]), place, -1)


def making(model: keras.Model, graph: ChannelGraph) -> Iterator[tuple[Key, int]]:
    """(kernel, its axis of filters) of the layers that make channels.

    This is the one place that knows where a layer's filters are.

    Args:
        model: The network, or a copy of other sizes with the same names.
        graph: The network's channel graph.
    """
    made: dict[Key, dict[int, None]] = {}  # Parts of a layer share its kernel.
    for maker, kernel in graph.kernels.items():
        made.setdefault((layer_of(maker), kernel.name), {})[kernel.makes] = None
    for key in weights(model):
        for place in made.get(key, ()):
            yield key, place


def _moved_to_end(items: Sequence, place: int) -> list:
    """The items with one of them moved behind the others.

    >>> _moved_to_end("abcd", -2)
    ['a', 'b', 'd', 'c']
    """
    rest = list(items)
    one = rest.pop(place)
    return [*rest, one]


def draws(model: keras.Model) -> dict[Key, np.ndarray]:
    """The states of the random generators in the model's layers (dropout, flips).

    Keras counts these states among a layer's variables and not among its weights.

    Returns:
        (layer, place among the layer's states) -> state.
    """
    return {key: np.array(state) for key, state in generators(model).items()}


def assign_draws(model: keras.Model, arrays: Mapping[Key, np.ndarray]) -> None:
    """Sets the states of random generators, so that layers draw on from there.

    Args:
        model: Set in place.
        arrays: As `draws` returns them. Generators that are not among them keep their
            state.
    """
    for key, state in generators(model).items():
        if key in arrays:
            state.assign(arrays[key])


def generators(model: keras.Model) -> dict[Key, keras.Variable]:
    """States of random generators, which are no weights, by (layer, place)."""
    states = {}
    for layer in model.layers:
        own = {id(weight) for weight in layer.weights}
        others = [state for state in layer.variables if id(state) not in own]
        states |= {(layer.name, str(i)): state for i, state in enumerate(others)}
    return states


def named(kind: str, arrays: Mapping[Key, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays by the names under which a checkpoint holds them: "kind/layer/weight".

    Keras allows no "/" in names of layers and weights, so `by_kind` can take the names
    apart again.

    Args:
        kind: What the arrays are: "weight", "slot", "draw"; without a "/".
        arrays: By (layer, weight).

    >>> sorted(named("slot", {("conv1", "kernel"): np.zeros(3), ("bn1", "beta"): 0.0}))
    ['slot/bn1/beta', 'slot/conv1/kernel']
    """
    return {f"{kind}/{layer}/{name}": array for (layer, name), array in arrays.items()}


def by_kind(state: Mapping[str, np.ndarray]) -> dict[str, dict[Key, np.ndarray]]:
    """Arrays grouped by the kind in their names: the inverse of `named`.

    Args:
        state: Arrays by name. Entries whose name does not consist of three parts
            are left out.

    Returns:
        Kind -> (layer, weight) -> array. A kind without arrays is absent.

    >>> by_kind({"weight/a/kernel": 2.0, "slot/a/kernel": 3.0, "scores": 5.0})
    {'weight': {('a', 'kernel'): 2.0}, 'slot': {('a', 'kernel'): 3.0}}
    """
    kinds: dict[str, dict[Key, np.ndarray]] = {}
    for name, array in state.items():
        parts = name.split("/")
        if len(parts) == 3:
            kind, layer, weight = parts
            kinds.setdefault(kind, {})[layer, weight] = array
    return kinds


def take(
    array: np.ndarray, axes: Sequence[np.ndarray | None], keep: np.ndarray
) -> np.ndarray:
    """The part of a weight that belongs to channels that stay.

    Args:
        array: The weight; axis i is indexed by the channels `axes[i]` (None: by none).
        axes: For each axis its channel numbers, or None. May be shorter than the
            array has axes; the others stay whole.
        keep: [channels] bool.

    >>> kernel = np.arange(6).reshape(2, 3)
    >>> keep = np.array([True, False, True])
    >>> take(kernel, (None, np.array([0, 1, 2])), keep).tolist()
    [[0, 2], [3, 5]]
    """
    for place, channels in enumerate(axes):
        if channels is not None:
            array = np.compress(stays(channels, keep), array, axis=place)
    return array


def thinned(
    array: np.ndarray, key: Key, graph: ChannelGraph, keep: np.ndarray
) -> np.ndarray:
    """What a layer of a smaller network gets of a weight, to compute the same.

    That is the part of the channels that stay. A layer that divides by the root of a
    number of channels divides by less if some go; such a weight takes that up.

    Args:
        array: The weight.
        key: Its name.
        graph: The channel graph.
        keep: [channels] bool.
    """
    array = take(array, graph.axes.get(key, ()), keep)
    scale = scale_of(key, graph, keep)
    return array if scale == 1.0 else array * scale


def scale_of(key: Key, graph: ChannelGraph, keep: np.ndarray) -> float:
    """What `thinned` multiplies a weight by: 1.0 for nearly all.

    Args:
        key: Of the weight.
        graph: The channel graph.
        keep: [channels] bool.
    """
    channels = graph.scaled.get(key)
    if channels is None or keep[channels].all():
        return 1.0
    return _root_scale(len(channels)) / _root_scale(keep[channels].sum())


def _root_scale(count: int) -> float:
    """1 / sqrt(count), as Keras multiplies by it: rounded to float32."""
    return float(np.float32(1 / np.sqrt(count)))


def stays(channels: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Which places of an axis stay; what is no channel always does.

    Args:
        channels: [axis] channel numbers; -1 is no channel.
        keep: [channels] bool.

    Returns:
        [axis] bool.

    >>> stays(np.array([1, 0, -1, 1]), np.array([False, True])).tolist()
    [True, False, True, True]
    """
    return np.append(keep, True)[channels]  # NONE is -1: the appended entry.
