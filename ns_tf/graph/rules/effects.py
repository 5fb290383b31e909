"""What a rule returns, what it may ask, and how it is found by a layer's class."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.graph.passing import passes

# Kinds of calls. They decide where gates go.
INPUT = "input"  # An input of the model.
MAKE = "make"  # Reads channels and makes others.
NORM = "norm"  # Batch norm: scales and shifts each channel by gamma and beta.
CHANNELWISE = "channelwise"  # Works within channels; a zero channel may become another.
THROUGH = "through"  # Works within channels and keeps a zero channel zero.
ADD = "add"  # Adds channels of its inputs.
JOIN = "join"  # Combines channels of its inputs; zero channels stay zero.
STATISTICS = "statistics"  # Scales channels by statistics over several channels.
UNKNOWN = "unknown"  # No rule: what it reads is frozen.


@dataclasses.dataclass(frozen=True)
class Kernel:
    """The weight by which a layer makes its channels.

    Attributes:
        name: Of the weight.
        reads: Its axis of channels that are read; None if it reads none.
        makes: Its axis of channels that are made.
        window: Whether an output is the sum over a window, which `kernel_size` and its
            like describe, of inputs times kernel: a plain convolution or dense layer.

    >>> Kernel("embeddings", reads=None)
    Kernel(name='embeddings', reads=None, makes=-1, window=False)
    """

    name: str
    reads: int | None = -2
    makes: int = -1
    window: bool = False


def mapped(function: Callable[[np.ndarray], Any], setting: Any) -> Any:
    """A setting with something else in place of channel numbers.

    >>> mapped(len, {"shape": (4, np.array([5, 7]))})
    {'shape': (4, 2)}

    Args:
        function: Of channel numbers.
        setting: An array, or what arrays stand in.
    """
    if isinstance(setting, np.ndarray):
        return function(setting)
    if isinstance(setting, Mapping):
        return {name: mapped(function, one) for name, one in setting.items()}
    if isinstance(setting, (list, tuple)):
        return type(setting)(mapped(function, one) for one in setting)
    if isinstance(setting, slice):
        ends = setting.start, setting.stop
        return slice(*(mapped(function, one) for one in ends), setting.step)
    return setting


def arrays_in(setting: Any) -> list[np.ndarray]:
    """The channel numbers in a setting, in order.

    >>> arrays_in({"shape": (4, np.array([5, 7]))})
    [array([5, 7])]

    Args:
        setting: An array, or what arrays stand in.
    """
    found: list[np.ndarray] = []
    mapped(found.append, setting)
    return found


@dataclasses.dataclass(frozen=True)
class Effect:
    """What one call does to channels; what a rule returns.

    Attributes:
        kind: `MAKE`, `NORM`, `CHANNELWISE`, `THROUGH`, `ADD`, `JOIN` or `STATISTICS`.
            Say `CHANNELWISE` where in doubt between it and `THROUGH` or `JOIN`: gates
            are then placed behind the call.
        output: [channels] channel numbers along the output's last axis.
        axes: Weight name -> for each axis its channel numbers `[axis]`, or None for an
            axis that no channels index. A weight that is not named keeps its size.
        crossing: Places of inputs of a join whose channels are in another group than
            the output's (see `Walk.same_group`).
        reads: Places of inputs of a join whose channels act on others here, as those
            that a product sums over. One gate before them has to be enough.
        joins: Places of inputs of a call of the kind `MAKE` whose channels become
            the output's, to be tied, and act on no others, as a state at the start.
        scales: Of a call of the kind `THROUGH`: whether a positive factor before it is
            the same factor behind it, as for a ReLU or a pooling. A batch norm before
            it may then be the gate of what leaves behind it.
        settings: Entries of the layer's configuration that follow channels: name ->
            the channel numbers that it counts, or a list, tuple or dictionary in which
            they stand.
        arguments: Arguments of the call that follow channels: place or name -> the
            same, for operations that have no such configuration.
        kernel: The weight by which a layer makes its channels. None for one of the kind
            `MAKE` whose `axes` name a "kernel": then it is that one, `[..., in, out]`.
        others: Channel numbers `[channels]` of a call's further outputs, in order.
        gates: Channel numbers `[gates]` of the gates that the layer takes where
            channels act on others within it (`ns_tf.graph.within`); None if it takes
            none.
        within: Of channels that are made and read within the layer: their maker, as
            "layer/heads", -> the weight that makes them.
        scaled: Weight -> channels `[n]` of which the layer divides by the root of the
            number. Where k of n are left, the weight is multiplied by sqrt(k / n).

    >>> Effect(THROUGH, np.array([3, 4, 5])).axes
    {}
    """

    kind: str
    output: np.ndarray
    axes: Mapping[str, tuple] = dataclasses.field(default_factory=dict)
    crossing: tuple[int, ...] = ()
    reads: tuple[int, ...] = ()
    joins: tuple[int, ...] = ()
    scales: bool = False
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    arguments: Mapping[int | str, Any] = dataclasses.field(default_factory=dict)
    kernel: Kernel | None = None
    others: tuple[np.ndarray, ...] = ()
    gates: np.ndarray | None = None
    within: Mapping[str, Kernel] = dataclasses.field(default_factory=dict)
    scaled: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.kernel is None and self.kind == MAKE and "kernel" in self.axes:
            object.__setattr__(self, "kernel", Kernel("kernel"))


class Walk(Protocol):
    """What a rule may call on its first argument."""

    def make(self, name: str, size: int) -> np.ndarray:
        """New channels `[size]` of the layer; the same ones if it is called again.

        Those that stay within a layer have a name such as "layer/heads".
        """

    def tie(self, one: np.ndarray, other: np.ndarray) -> None:
        """Makes channels `[size]` and `[size]` one: removed together or not at all."""

    def part(self, channels: np.ndarray) -> None:
        """Says that a slice ends behind channels `[size]`; others are apart."""

    def freeze(self, channels: np.ndarray, reason: str) -> None:
        """Keeps channels `[size]` from being removed; the reason is shown to users."""

    def same_group(self, one: np.ndarray, other: np.ndarray) -> bool:
        """Whether a join may tie channels `[size]` and `[size]`.

        Not those that a reference graph has in two groups, which have one size here.
        """

    def joined_in_reference(self, name: str, inputs: list[np.ndarray]) -> int:
        """Which input of the join `name` is in its output's group; 0 if unknown."""

    def follows(self, name: str, entry: str, otherwise: bool) -> bool:
        """Whether a setting of a layer follows channels in the reference, if any."""

    def arguments(self) -> tuple[list, dict[str, Any]]:
        """The arguments of the call, by position and by name.

        Tensors are `ns_tf.graph.calls.Place(i)`, with i as in `inputs`; constants are
        themselves.
        """

    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of the call's first output, batch axis included."""


Rule = Callable[[Walk, keras.Operation, list[np.ndarray], list[tuple]], Effect | None]
_RULES: dict[str, Rule] = {}
_FOLDED: set[Rule] = set()  # Rules that take channels along several axes.
_PACKAGE = __name__.rpartition(".")[0]


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Decorator: the rule of layers and operations whose classes have these names.

    The rule is called for every call of such a layer, as `rule(walk, layer, inputs,
    shapes)`:

    * walk: a `Walk`, for new channels, ties and reasons to freeze.
    * layer: the layer or operation, built.
    * inputs: for every input tensor its channel numbers `[channels]`; -1 is no channel.
    * shapes: for every input tensor its shape, batch axis included.

    It returns the `Effect`, or None for a layer that cannot be followed after all, for
    its settings say. A later rule of the same name replaces the earlier one. Layers
    with `data_format="channels_first"` are never followed.

    Args:
        *names: Class names, such as "Conv2D". Those of `keras.ops` are names of
            operation classes, such as "Relu" and "Add".

    Returns:
        The decorator; it returns the rule unchanged.

    Raises:
        TypeError: no name is given, as in `@rule` without parentheses.
    """
    if not names or not all(isinstance(name, str) for name in names):
        raise TypeError('Expected class names, as in @rule("Conv2D", "Dense").')

    def add(function: Rule) -> Rule:
        _RULES.update(dict.fromkeys(names, function))
        return function

    return add


def is_known(operation: keras.Operation) -> bool:
    """Whether its class has a rule.

    Args:
        operation: A layer or operation.

    >>> is_known(keras.layers.Dense(3)), is_known(keras.layers.Layer())
    (True, False)
    """
    return _rule_of(operation) is not None


def _rule_of(operation: keras.Operation) -> Rule | None:
    """The rule of its class."""
    known = _RULES.get(type(operation).__name__)
    package, _, module = (known.__module__ or "" if known else "").rpartition(".")
    # A class of the user's may have the name of one of Keras's.
    if package == _PACKAGE:
        library = "keras_hub" if module == "hub" else "keras"
        if type(operation).__module__.partition(".")[0] not in (library, "ns_tf"):
            return None
    return known


def folded(function: Rule) -> Rule:
    """Decorator: the rule takes inputs whose channels lie along several last axes.

    Args:
        function: A rule; `inputs` may hold arrays of several axes.
    """
    _FOLDED.add(function)
    return function


def apply(
    walk: Walk,
    operation: keras.Operation,
    inputs: list[np.ndarray],
    shapes: list[tuple],
    output_shape: Sequence[int | None],
) -> Effect:
    """The effect of one call; an operation without a rule freezes what it reads.

    Args:
        walk: Takes ties and reasons to freeze.
        operation: What is called.
        inputs: For every input tensor its channel numbers `[channels]`.
        shapes: For every input tensor its shape.
        output_shape: Of the first output.

    Returns:
        The rule's effect, or one of the kind `UNKNOWN` whose output has no channels.

    Raises:
        InputError: the rule's output has not as many channels as the tensor.
    """
    kind = type(operation).__name__
    known = _rule_of(operation)
    channels_last = getattr(operation, "data_format", None) != "channels_first"
    if known not in _FOLDED:  # Channels along several axes are for few.
        reason = f"{kind} {operation.name!r} reads it along another axis than the last"
        inputs = [
            _unfolded(walk, channels, shape, reason)
            for channels, shape in zip(inputs, shapes, strict=True)
        ]
    effect = known(walk, operation, inputs, shapes) if known and channels_last else None
    if known is None and passes(operation, shapes, walk.arguments()):
        return Effect(CHANNELWISE, inputs[0])
    size = output_shape[-1] if len(output_shape) > 1 and output_shape[-1] else 0
    if effect is None:
        return opaque(
            walk, f"{kind} {operation.name!r} cannot be followed", inputs, size
        )
    if size and effect.output.shape[-1] != size:
        raise InputError(
            f"The rule of {kind} says that {operation.name!r} puts out "
            f"{effect.output.shape[-1]} channels; it puts out {size}."
        )
    return effect


def _unfolded(
    walk: Walk, channels: np.ndarray, shape: tuple, reason: str
) -> np.ndarray:
    """Channels along the last axis; those that a transposition moved away stay."""
    if channels.ndim == 1:
        return channels
    walk.freeze(channels, reason)
    return np.full(shape[-1], -1)


def opaque(walk: Walk, reason: str, inputs: list[np.ndarray], size: int) -> Effect:
    """The effect of a call of which nothing is known: its inputs are frozen.

    Args:
        walk: Takes the reason.
        reason: Why, for users.
        inputs: For every input tensor its channel numbers `[channels]`.
        size: Channels that come out.
    """
    for channels in inputs:
        walk.freeze(channels, reason)
    return Effect(UNKNOWN, np.full(size, -1))


def hold_unread(
    walk: Walk,
    name: str,
    inputs: Sequence[np.ndarray],
    effect: Effect,
    ties: Sequence[tuple[np.ndarray, np.ndarray]],
) -> None:
    """Freezes channels of further inputs of which a rule says nothing: masks.

    Args:
        walk: Takes the reason.
        name: Of the layer.
        inputs: For every input tensor its channel numbers.
        effect: What the rule says.
        ties: Those that the rule made.
    """
    told = [effect.output, effect.axes, effect.others, ties]
    known = np.concatenate([channels.ravel() for channels in arrays_in(told)])
    places = {*effect.joins, *effect.reads, *effect.crossing}
    for place, channels in enumerate(inputs[1:], start=1):
        if place not in places and not np.isin(channels, known).all():
            walk.freeze(channels, f"{name!r} reads it as a mask")
