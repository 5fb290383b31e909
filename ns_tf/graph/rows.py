"""How many entries of a tensor's first axis are one example's.

It is one as a rule. A reshape may take windows of an image into that axis: then those
of one example follow one another there. A weight, and what is made of weights alone,
has no axis of examples. Both matter wherever gates, which are a row for each example,
meet a tensor, and wherever entries of one example are counted.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.graph import rules
from ns_tf.graph.calls import Tensor
from ns_tf.graph.channels import Call
from ns_tf.graph.own_weights import Fixed, OwnWeight

Shape = tuple[int | None, ...]
# Operations whose `axis` is one of what they make.
_NEW_AXES = ("ExpandDims", "Stack", "OneHot", "Linspace", "Geomspace", "Logspace")
_FEWER_AXES = ("Squeeze", "Take")  # No axis means: whatever goes, or all entries.
_MANY = 99_991  # Examples; a prime that no axis of a network has for its length.


class Rows:
    """Counts rows while the calls of a model are visited.

    Args:
        model: Functional.

    Attributes:
        batch: How many examples the model takes; None is any number.
        of: Tensor -> the number; 0 without an axis of examples, None if not known.
    """

    def __init__(self, model: keras.Model):
        self.batch: int | None = model.inputs[0].shape[0]
        self.of: dict[Tensor, int | None] = {}
        # Tensor -> (number, axis) where that axis is not the first.
        self._turned: dict[Tensor, tuple[int, int]] = {}
        self._lengths = {n for one in model.inputs for n in one.shape[1:] if n}
        every = model._nodes_by_depth.values()
        self._own = {id(node) for nodes in every for node in nodes}

    @property
    def counted(self) -> dict[Tensor, int]:
        """The numbers that are known and are not 1."""
        return {tensor: n for tensor, n in self.of.items() if n not in (None, 1)}

    def enter(self, tensor: Tensor, shape: Shape) -> None:
        """Notes an input of the model.

        Args:
            tensor: The input.
            shape: Its shape.
        """
        self.of[tensor] = int(shape[:1] == (self.batch,))

    def note(
        self,
        operation: keras.Operation,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        shapes: Mapping[Tensor, Shape],
    ) -> None:
        """Notes what a call puts out.

        Args:
            operation: What is called.
            inputs: What it reads, noted before.
            outputs: Its outputs, of which the first one tells.
            shapes: Of these tensors.
        """
        rows = [self.of[tensor] for tensor in inputs]
        axes = [0] * len(rows)
        if not isinstance(operation, keras.Layer):
            for place, tensor in enumerate(inputs):
                known = (rows[place], 0)
                rows[place], axes[place] = self._turned.get(tensor, known)
        reads, makes = [shapes[tensor] for tensor in inputs], shapes[outputs[0]]
        # Of an operation that other models have as well.
        own = [node for node in operation._inbound_nodes if id(node) in self._own]
        arguments = own[outputs[0][1]].arguments
        found, axis = self._rows(operation, arguments, rows, axes, reads, makes)
        self.of |= dict.fromkeys(outputs, None if axis else found)
        if axis and found:
            self._turned[outputs[0]] = found, axis

    def hold(
        self,
        walk: rules.Walk,
        call: Call,
        arrays: Sequence[np.ndarray],
        effect: rules.Effect,
    ) -> None:
        """Freezes channels that no row of gates would fit.

        Args:
            walk: Takes the reasons.
            call: Whose tensors are noted.
            arrays: Channel numbers of its inputs.
            effect: Of the call.
        """
        if None in [self.of[tensor] for tensor in (*call.inputs, call.output)]:
            reason = f"{call.name!r} has not a fixed number of rows for each example"
            every = [arrays, effect.output, effect.others, effect.axes, effect.gates]
            for channels in rules.arrays_in(every):
                walk.freeze(channels, reason)
            return
        places = {*call.crossing, *call.reads}
        if call.kind in (rules.MAKE, rules.STATISTICS):
            places = {*range(len(arrays))} - {*call.joins}
        reason = f"{call.name!r} reads it where there is no axis of examples"
        for place in sorted(places):
            if not self.of[call.inputs[place]]:
                walk.freeze(arrays[place], reason)
        if call.gates is not None and not self.of[call.inputs[0]]:
            walk.freeze(call.gates, reason)

    def _rows(
        self,
        operation: keras.Operation,
        arguments: Any,
        rows: Sequence[int | None],
        axes: Sequence[int],
        reads: Sequence[Shape],
        makes: Shape,
    ) -> tuple[int | None, int]:
        """Rows of what a call puts out, and their axis, by those of what it reads."""
        if isinstance(operation, (Fixed, OwnWeight)) or not any(n != 0 for n in rows):
            return 0, 0
        if None in rows:
            return None, 0
        most = max(rows)
        layer = isinstance(operation, keras.Layer)
        if layer and not isinstance(operation, keras.layers.Concatenate):
            same = makes[:1] == (self.batch and self.batch * most,)
            return (most if same else 0), 0
        asked = getattr(operation, "newshape", ())
        shapes = [
            _with(self._known(shape, asked), axis, _MANY * n) if n else shape
            for n, axis, shape in zip(rows, axes, reads, strict=True)
        ]
        found, axis = self._of_operation(operation, arguments, shapes, makes)
        # Another operation would put the rows of an example apart, as a concatenation.
        kept = found in (0, most) or hasattr(operation, "newshape")
        if found == most and any(
            n and _moves(operation, arguments, place, axis, len(shape))
            for place, (n, axis, shape) in enumerate(
                zip(rows, axes, reads, strict=True)
            )
        ):
            return None, 0
        # So would a reshape that takes other axes together with them.
        apart = hasattr(operation, "newshape") and any((*axes, axis))
        return (found, axis) if kept and not apart else (None, 0)

    def _of_operation(
        self,
        operation: keras.Operation,
        arguments: Any,
        shapes: Sequence[Shape],
        makes: Shape,
    ) -> tuple[int | None, int]:
        """Rows by the shape of what an operation makes of very many examples."""
        if self.batch is not None:
            whole = makes and makes[0] is not None and makes[0] % self.batch == 0
            return (makes[0] // self.batch if whole else 0), 0
        made = _shape_of_many(operation, arguments, shapes)
        if made is None or len(made) != len(makes):
            return None, 0
        pairs = enumerate(zip(makes, made, strict=True))
        moved = [place for place, (a, b) in pairs if a is None and b is not None]
        if not moved and (not makes or makes[0] is not None):
            return 0, 0
        if len(moved) != 1 or made[moved[0]] % _MANY:
            return None, 0
        return made[moved[0]] // _MANY, moved[0]

    def _known(self, shape: Shape, asked: Sequence[int]) -> Shape:
        """A shape with the lengths that Keras lost and a reshape asks for again.

        They are those that an input of the model has; others may be of windows.
        """
        again = (*asked[: len(shape)], *shape[len(asked) :])
        pairs = zip(shape, again, strict=True)
        return tuple(b if a is None and b in self._lengths else a for a, b in pairs)


def _moves(
    operation: keras.Operation, arguments: Any, place: int, axis: int, rank: int
) -> bool:
    """Whether an operation may put examples, along an axis, into other places.

    One that works along their axis may, as a flip, a sort or a sum of those before.

    Args:
        operation: What is called.
        arguments: Of the call.
        place: Of the input that has the examples.
        axis: Along which it has them.
        rank: Axes of that input.
    """
    kind = type(operation).__name__
    if kind == "GetItem":
        return _step(arguments, axis, rank) not in (None, 1)
    if kind == "Rot90":
        return axis in {one % rank for one in operation.axes}
    if kind in _NEW_AXES or not hasattr(operation, "axis"):
        return False
    if kind == "Take":  # Its axis is one of what is taken from.
        table = arguments.args[0] if arguments.args else arguments.kwargs["x"]
        if arguments.keras_tensors[place] is not table:
            return False
    if operation.axis is None:
        return kind not in _FEWER_AXES
    return axis in {one % rank for one in np.atleast_1d(operation.axis).tolist()}


def _step(arguments: Any, axis: int, rank: int) -> int | None:
    """The step of the slice along an axis, in `x[key]`; None for what is no slice."""
    key = [*arguments.args[1:], *arguments.kwargs.values()][0]
    key = key if isinstance(key, (list, tuple)) else [key]
    key = [one for one in key if one is not None]
    for place, one in enumerate(key):
        if one is Ellipsis:
            key[place : place + 1] = [slice(None)] * (rank - len(key) + 1)
            break
    one = key[axis] if axis < len(key) else None
    return one.step if isinstance(one, slice) else None


def _with(shape: Shape, axis: int, length: int) -> Shape:
    """A shape with another length of an axis.

    >>> _with((None, 3, 5), 1, 7)
    (None, 7, 5)
    """
    return (*shape[:axis], length, *shape[axis + 1 :])


def _shape_of_many(
    operation: keras.Operation, arguments: Any, shapes: Sequence[Shape]
) -> Shape | None:
    """The shape of an operation's first output for inputs of other shapes."""
    given = iter(shapes)

    def put(x):
        if not isinstance(x, keras.KerasTensor):
            return x
        return keras.KerasTensor(next(given), x.dtype)

    args, kwargs = keras.tree.map_structure(put, (arguments.args, arguments.kwargs))
    try:
        made = operation.compute_output_spec(*args, **kwargs)
    except Exception:  # Keras raises what it likes: it is for no other number.
        return None
    return tuple(keras.tree.flatten(made)[0].shape)
