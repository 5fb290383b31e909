"""Multiply-adds of products that read weights of layers of one's own.

A kernel whose mean is taken off, or that is scaled, is no kernel of a layer of Keras's:
an operation reads what is made of a weight. What it multiplies is counted for the
weight of the most entries that it is made of.
"""

import collections
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import keras

from ns_tf.graph.calls import Tensor
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.own_weights import PRODUCTS, OwnWeight

Shape = Sequence[int | None]  # With the batch axis, where there is one.


def products(model: keras.Model, graph: ChannelGraph) -> Mapping[int, Fraction]:
    """Multiply-adds for each entry of weights that products read, by the weight's id.

    Args:
        model: Functional.
        graph: Its channel graph.

    Returns:
        Of the weights of layers `OwnWeight` alone, over all calls. A product of an
        unknown kind, as an `einsum` with an ellipsis, is left out.
    """
    operations = {operation.name: operation for operation in model.operations}
    # Tensor without examples -> the weight of the most entries that it is made of.
    made_of: dict[Tensor, keras.Variable] = {}
    found: dict[int, Fraction] = collections.Counter()
    for call in graph.calls:
        operation = operations[call.name]
        if isinstance(operation, OwnWeight):
            made_of[call.output] = operation.weight
            continue
        known = [made_of[tensor] for tensor in call.inputs if tensor in made_of]
        if not known:
            continue
        rows = graph.rows.get(call.output, 1)
        weight = max(known, key=_entries_of)
        if not rows:
            made_of[call.output] = weight
        elif type(operation).__name__ in PRODUCTS:
            reads = [graph.shapes[tensor] for tensor in call.inputs]
            own = [tensor in made_of for tensor in call.inputs]
            count = rows * _multiply_adds(
                operation, reads, own, graph.shapes[call.output]
            )
            found[id(weight)] += Fraction(count, _entries_of(weight))
    return found


def _entries_of(weight: keras.Variable) -> int:
    """How many numbers a weight has."""
    return math.prod(weight.shape)


def _entries(shape: Shape) -> int:
    """Entries of a tensor; an axis of unknown length counts as one."""
    return math.prod(n or 1 for n in shape)


def _multiply_adds(
    operation: keras.Operation,
    reads: Sequence[Shape],
    own: Sequence[bool],
    makes: Shape,
) -> int:
    """Multiply-adds of a product, of one example or of a row of it.

    Args:
        operation: One of `PRODUCTS`.
        reads: Shapes of the tensors that it reads.
        own: Which of them are made of weights; the others begin with the examples.
        makes: The shape of what it makes.
    """
    kind = type(operation).__name__
    sizes = [_entries(x if one else x[1:]) for x, one in zip(reads, own, strict=True)]
    if "Conv" in kind:
        pixels = _pixels(operation, reads[0] if "Transpose" in kind else makes)
        return sum(size for size, one in zip(sizes, own, strict=True) if one) * pixels
    if len(reads) != 2:
        return 0
    if kind == "Einsum":
        return _of_letters(operation.subscripts, reads)
    if kind == "Matmul":  # Each number that it makes is a sum along the last axis.
        return _entries(makes[1:]) * (reads[0][-1] or 1)
    # Axes of one, those of the other, and what both have and sum over.
    return math.isqrt(sizes[0] * sizes[1] * _entries(makes[1:]))


def _pixels(operation: keras.Operation, shape: Shape) -> int:
    """Positions of a tensor: all of its axes but the batch's and the channels'."""
    layout = operation.data_format or keras.config.image_data_format()
    return _entries(shape[2:] if layout == "channels_first" else shape[1:-1])


def _of_letters(equation: str, reads: Sequence[Shape]) -> int:
    """The product of the lengths of all axes; 0 if some of them have no letters.

    >>> _of_letters("bti,oi->bto", [(None, 5, 3), (7, 3)])
    105
    """
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    if any(len(term) != len(shape) for term, shape in zip(terms, reads, strict=True)):
        return 0
    lengths: dict[str, int] = {}
    for term, shape in zip(terms, reads, strict=True):
        lengths |= {letter: n for letter, n in zip(term, shape, strict=True) if n}
    return math.prod(lengths.values())
