"""The weights of a model by layer and name; taking parts of them."""

from collections.abc import Mapping

import keras
import numpy as np

Key = tuple[str, str]  # (layer, weight)


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


def named(kind: str, arrays: Mapping[Key, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays by the names that checkpoints use: "kind/layer/weight"."""
    return {f"{kind}/{layer}/{weight}": a for (layer, weight), a in arrays.items()}


def by_kind(state: Mapping[str, np.ndarray]) -> dict[str, dict[Key, np.ndarray]]:
    """The arrays that `named` named, by kind; other entries are left out."""
    kinds: dict[str, dict[Key, np.ndarray]] = {}
    for name, array in state.items():
        if name.count("/") >= 2:
            kind, key = name.split("/", 1)
            layer, weight = key.rsplit("/", 1)
            kinds.setdefault(kind, {})[layer, weight] = array
    return kinds
