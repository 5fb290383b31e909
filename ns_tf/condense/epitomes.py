"""A network with epitomes in place of kernels, within budgets."""

import dataclasses
import math
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.condense.config import FITTED, FRESH, REDUCED, STARTS
from ns_tf.condense.fitting import fitted
from ns_tf.condense.layers import REPLACED, chosen, front_layers
from ns_tf.condense.sizes import LEAST_SHARE, settings_of
from ns_tf.graph import weights
from ns_tf.graph.calls import uncompiled
from ns_tf.graph.compilation import carried
from ns_tf.graph.flat import flat
from ns_tf.graph.remake import config_of, copied
from ns_tf.graph.weights import Key
from ns_tf.networks.from_model import from_model
from ns_tf.networks.layers.sampling import LEARNED, SAMPLINGS, WRAPPED
from ns_tf.networks.structure import Structure, as_it_is, shapes_only
from ns_tf.prune.targets import budgets_of
from ns_tf.registry import unknown
from ns_tf.run.checks import is_positive
from ns_tf.scaling.grid import text

_HALVINGS = 14  # Of a range of ratios of length 1: until less than 1 / 16,000.
Settings = Mapping[str, Mapping[str, Any]]  # Layer -> arguments of its epitome's layer.


@dataclasses.dataclass(frozen=True, eq=False)
class _Case:
    """A network whose kernels are to become epitomes.

    Args:
        model: Flat.
        kernels: Layer -> the shape of its kernel, of the layers that are chosen.
        sampling: Of all epitomes.
        factors: Layer -> factor of its share of parameters.
    """

    model: keras.Model
    kernels: Mapping[str, tuple[int, ...]]
    sampling: str
    factors: Mapping[str, float]

    def settings(self, share: float) -> dict[str, Mapping[str, Any]]:
        """What replaces which layer, if each kernel may have a share of its entries."""
        found = {
            name: settings_of(self.sampling, kernel, share * self.factors[name])
            for name, kernel in self.kernels.items()
        }
        return {name: one for name, one in found.items() if one is not None}

    def costs(self, names: Sequence[str], settings: Settings) -> dict[str, int]:
        """What the network with epitomes costs, by exact budget."""
        structure = counted(shapes_only(condensed, self.model, settings))
        return costs_of(structure, names)


def epitomise(
    model: keras.Model,
    *,
    sampling: str = LEARNED,
    where: str | Sequence[str] = (),
    front: float = 1.0,
    start: str = FRESH,
    **targets: float,
) -> keras.Model:
    """The network with epitomes in place of kernels, within budgets.

    Kernels of convolutions and dense layers become arrays that are smaller by one
    ratio, from which layers of ns_tf make kernels of the size that they had. The ratio
    is the largest at which the network that is built is within all budgets.

    Source: Zhou et al., Neural Epitome Search, ICLR 2020; fixed sampling is that of Jin
    et al., WSNet, ICML 2018.

    Args:
        model: Functional or sequential; not changed. Layers that stay have its weights
            in the result. A trained kernel is far from any that a smaller array makes,
            so the result has to be trained.
        sampling: "learned", "wrapped" (multiply-adds fall as well) or "fixed".
        where: Names of layers, or patterns ("block2*"). If empty: all convolutions and
            dense layers but those that read the inputs and those that make the outputs.
            A layer whose epitome would be no smaller stays as it is.
        front: Factor of the ratio in layers that put out more than a quarter of the
            image's height. Variants "-A" of the paper have a larger ratio there.
        start: How epitomes begin: "fresh", or "fitted" to the kernels of a trained
            model by least squares, with the biases that their layers had.
        **targets: Budgets by name: `params`, `weight_bytes`, of wrapped sampling also
            `macs`. Up to 1 they are shares of the model's own cost. With several, all
            hold.

    Returns:
        A new flat model, never over a budget.

    Raises:
        InputError: what was asked for cannot be done, in one line.

    >>> image = keras.Input((16, 16, 3))
    >>> x = keras.layers.Conv2D(16, 3, name="a")(image)
    >>> x = keras.layers.Conv2D(32, 3, name="b")(x)
    >>> x = keras.layers.GlobalAveragePooling2D()(x)
    >>> model = keras.Model(image, keras.layers.Dense(10, name="logits")(x))
    >>> small = epitomise(model, params=0.5)
    >>> model.count_params(), small.count_params(), small.get_layer("b").epitome
    (5418, 2626, (3, 3, 10, 20))
    """
    whole = flat(model, blocks=True)
    if not isinstance(start, str) or start not in STARTS:
        raise InputError(f"start is one of {', '.join(STARTS)}; got {start!r}.")
    settings = settings_within(
        whole, sampling=sampling, where=where, front=front, **targets
    )
    small = condensed(whole, settings)
    own, given = weights.values(small), weights.values(whole)
    new = () if start == FITTED else settings
    arrays = {key: a for key, a in given.items() if key in own and key[0] not in new}
    weights.assign(small, own | arrays)
    if start == FITTED:
        _fit(small, given, settings)
    return carried(whole, small)


def _fit(
    small: keras.Model, given: Mapping[Key, np.ndarray], names: Iterable[str]
) -> None:
    """Fits epitomes to kernels.

    Args:
        small: With epitomes; changed in place.
        given: Weights of the model, kernels among them.
        names: Of the layers with epitomes.
    """
    for name in names:
        layer, starts = small.get_layer(name), None
        if layer.raw_starts is not None:
            starts = layer.how.positions(ops.convert_to_tensor(layer.raw_starts))
            starts = ops.convert_to_numpy(starts)
        layer.stored.assign(fitted(layer.how, given[name, "kernel"], starts))


def settings_within(
    whole: keras.Model,
    *,
    sampling: str = LEARNED,
    where: str | Sequence[str] = (),
    front: float = 1.0,
    **targets: float,
) -> Settings:
    """Which layers get epitomes, and how large ones, for a network within budgets.

    Args:
        whole: Flat.
        sampling: As of `epitomise`, as all that follows.
        where: Names of layers, or patterns.
        front: Factor of the ratio in front layers.
        **targets: Budgets by name.

    Returns:
        Layer -> arguments of its epitome's layer; no layer if the network is within
        the budgets as it is.

    Raises:
        InputError: what was asked for cannot be done, in one line.
    """
    if not isinstance(sampling, str) or sampling not in SAMPLINGS:
        raise InputError(
            f"sampling is one of {', '.join(SAMPLINGS)}; got {sampling!r}."
        )
    if not is_positive(front):
        raise InputError(f"front is a positive factor; got {front!r}.")
    structure = counted(whole)
    asked = _targets(structure, targets, sampling)
    layers = chosen(whole, _names(where))
    early = front_layers(whole) if front != 1 else set()
    case = _Case(
        whole,
        {layer.name: tuple(layer.kernel.shape) for layer in layers},
        sampling,
        {layer.name: front if layer.name in early else 1.0 for layer in layers},
    )
    return _largest(case, asked, costs_of(structure, asked))


def _names(where: str | Sequence[str]) -> list[str]:
    """Names of layers, or patterns, one by one.

    Raises:
        InputError: they are no text.
    """
    names = where.split(",") if isinstance(where, str) else where
    if not isinstance(names, Iterable) or not all(isinstance(n, str) for n in names):
        raise InputError(
            "where has names of layers, or patterns, as where='block2*'; got "
            f"{reprlib.repr(where)}."
        )
    return [name for name in names if name]


def condensed(whole: keras.Model, settings: Settings) -> keras.Model:
    """The network with epitomes, of fresh weights, not compiled.

    Args:
        whole: Flat; not changed.
        settings: Layer -> arguments of its epitome's layer; others stay as they are.
    """

    def made(layer: keras.Operation) -> keras.Operation:
        if not isinstance(layer, keras.layers.Layer):
            return layer
        if layer.name not in settings:
            return copied(layer)
        return replacement(layer, settings[layer.name])

    return keras.models.clone_model(uncompiled(whole), clone_function=made)


def replacement(layer: keras.Layer, settings: Mapping[str, Any]) -> keras.Layer:
    """A layer whose kernel is made of an epitome, not built.

    Args:
        layer: A convolution or a dense layer.
        settings: Arguments of the new layer that say what its epitome is.
    """
    config = config_of(layer)
    names = (
        *("name", "trainable", "dtype", "filters", "kernel_size", "strides"),
        *("padding", "dilation_rate", "units", "use_bias", "activation"),
    )
    same = {name: config[name] for name in names if name in config}
    return REPLACED[type(layer)].from_config({**same, **settings})


def costs_of(structure: Structure, names: Sequence[str]) -> dict[str, int]:
    """What a network costs as it is.

    Args:
        structure: Of the network.
        names: Of exact budgets.
    """
    widths = np.array(structure.architecture.widths, np.int64)
    return {name: int(budgets.get(name).cost(structure)(widths)) for name in names}


def counted(model: keras.Model) -> Structure:
    """The structure of a model as it is; it need not have a free width.

    Args:
        model: Functional or sequential.
    """
    return as_it_is(from_model(model, fixed=True))


def _targets(
    structure: Structure, targets: Mapping[str, float], sampling: str
) -> dict[str, float]:
    """The budgets in their own units.

    Raises:
        InputError: none, or one that epitomes or this sampling do not reduce; or as
            `budgets_of`.
    """
    if not targets:
        raise InputError(f"Give a budget, as params=0.5: {', '.join(REDUCED)}.")
    for name in targets:
        if name not in REDUCED:
            raise unknown("budget of epitomes", name, REDUCED)
    found = budgets_of(targets, structure, structure.architecture.widths)
    if sampling != WRAPPED and found.targets.get("macs", np.inf) < found.own.get(
        "macs", 0
    ):
        raise InputError(
            f"With {sampling} sampling the whole kernel is computed, so multiply-adds "
            "do not fall; give sampling='wrapped', or leave macs out."
        )
    return dict(found.targets)


def _largest(
    case: _Case, targets: Mapping[str, float], own: Mapping[str, int]
) -> Settings:
    """The epitomes of the largest ratio at which a network is within all budgets.

    Raises:
        InputError: there is none.
    """
    if _within(own, targets):
        return {}

    def within(settings: Settings) -> bool:
        return _within(case.costs(list(targets), settings), targets)

    factors = case.factors.values()
    # At the high end the layer of the least factor has its whole kernel.
    low, high = LEAST_SHARE / max(factors), max(1.0, 1 / min(factors))
    best = case.settings(low)
    if not within(best):
        least = case.costs(list(targets), best)
        told = ", ".join(f"{name}={least[name]:,}" for name in targets)
        asked = ", ".join(f"{name}={text(value)}" for name, value in targets.items())
        raise InputError(
            f"No epitomes of {len(case.kernels)} layers meet {asked}; the smallest "
            f"leave {told}. Ask for more, or name more layers by where."
        )
    longer = math.frexp(high)[1] - 1  # In powers of two.
    for _ in range(_HALVINGS + longer):
        middle = (low + high) / 2
        settings = case.settings(middle)
        if settings == best or within(settings):
            low, best = middle, settings
        else:
            high = middle
    return best


def _within(costs: Mapping[str, float], targets: Mapping[str, float]) -> bool:
    """Whether costs are within all budgets."""
    return all(costs[name] <= most for name, most in targets.items())
