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
        reads, makes = [shapes[tensor] for tensor in inputs], shapes[outputs[0]]
        # Of an operation that other models have as well.
        own = [node for node in operation._inbound_nodes if id(node) in self._own]
        arguments = own[outputs[0][1]].arguments
        found = self._rows(operation, arguments, rows, reads, makes)
        self.of |= dict.fromkeys(outputs, found)

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
        reads: Sequence[Shape],
        makes: Shape,
    ) -> int | None:
        """Rows of what a call puts out, by those of what it reads."""
        if isinstance(operation, (Fixed, OwnWeight)) or not any(n != 0 for n in rows):
            return 0
        if None in rows:
            return None
        most = max(rows)
        layer = isinstance(operation, keras.Layer)
        if layer and not isinstance(operation, keras.layers.Concatenate):
            same = makes[:1] == (self.batch and self.batch * most,)
            return most if same else 0
        found = self._of_operation(operation, arguments, rows, reads, makes)
        # Another operation would put the rows of an example apart, as a concatenation.
        kept = found in (0, most) or hasattr(operation, "newshape")
        return found if kept else None

    def _of_operation(
        self,
        operation: keras.Operation,
        arguments: Any,
        rows: Sequence[int],
        reads: Sequence[Shape],
        makes: Shape,
    ) -> int | None:
        """Rows by the shape of what an operation makes of very many examples."""
        if self.batch is not None:
            whole = makes and makes[0] is not None and makes[0] % self.batch == 0
            return makes[0] // self.batch if whole else 0
        many = [
            (_MANY * n, *shape[1:]) if n else shape
            for n, shape in zip(rows, reads, strict=True)
        ]
        made = _shape_of_many(operation, arguments, many)
        if made is None or len(made) != len(makes):
            return None
        moved = [a is None and b is not None for a, b in zip(makes, made, strict=True)]
        if not any(moved) and (not makes or makes[0] is not None):
            return 0
        whole = moved[0] and not any(moved[1:]) and made[0] % _MANY == 0
        return made[0] // _MANY if whole else None


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
