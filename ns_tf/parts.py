"""Arrays by input and by output: one value, or one for each of several.

A network with one input has one array of inputs, one shape, one mean. One with several
has `Parts` of them. Whatever is done for an input is done by `each`, so nothing else
asks how many there are. In batches parts are tuples, as TensorFlow makes them.
"""

from collections.abc import Callable, Sequence
from typing import Any


class Parts(tuple):
    """What belongs to several inputs or outputs of a network, in the network's order.

    Arrays, shapes, means: whatever a network with one input has once is one value
    there, and `Parts` of values where there are several. `each` treats both alike.
    """

    __slots__ = ()


def each(function: Callable[..., Any], *values: Any) -> Any:
    """The function of each part, as `Parts`; of the values where nothing has parts.

    >>> each(lambda x, y: x + y, 2, 3), each(lambda x, y: x + y, Parts((2, 5)), 3)
    (5, (5, 8))

    Args:
        function: Of one part of each value.
        *values: `Parts` of one length, or single values that belong to all parts.
    """
    lengths = {len(value) for value in values if isinstance(value, Parts)}
    if not lengths:
        return function(*values)
    (length,) = lengths
    rows = (v if isinstance(v, Parts) else (v,) * length for v in values)
    return Parts(map(function, *rows))


def parts(value: Any) -> tuple:
    """The parts of a value; a value without parts is the only one.

    >>> parts(Parts((2, 3))), parts((2, 3))
    ((2, 3), ((2, 3),))
    """
    return value if isinstance(value, Parts) else (value,)


def plain(value: Any) -> Any:
    """Parts as a tuple, which TensorFlow's functions take; any other value as it is.

    >>> type(plain(Parts((2, 3)))), plain([5])
    (<class 'tuple'>, [5])
    """
    return tuple(value) if isinstance(value, Parts) else value


def first(batch: Any) -> Any:
    """The first array of inputs or targets, of which there may be a tuple.

    >>> first(([2, 3], [5, 7])), first([11, 13])
    ([2, 3], [11, 13])
    """
    return batch[0] if isinstance(batch, tuple) else batch


def shape_text(shape: Any) -> str:
    """The shape of an example for people; of several inputs one after the other.

    >>> shape_text((32, 16, 3)), shape_text(Parts([(8, 8, 1), (5,)]))
    ('32x16x3', '8x8x1, 5')
    """
    texts = each(lambda one: "x".join("?" if n is None else str(n) for n in one), shape)
    return ", ".join(parts(texts))


def brackets(shape: Any) -> str:
    """The shape of an example in brackets; of several inputs one after the other.

    >>> brackets((5, 7)), brackets(Parts([(5, 7), (3,)]))
    ('[5, 7]', '[5, 7], [3]')
    """
    return ", ".join(str(list(one)) for one in parts(shape))


def shape_from(sizes: Sequence) -> Any:
    """A shape of lists, as JSON has it: a tuple, or `Parts` of them.

    >>> shape_from([32, 16, 3]), shape_from([[8, 8, 1], [5]])
    ((32, 16, 3), ((8, 8, 1), (5,)))
    """
    if sizes and all(isinstance(one, (list, tuple)) for one in sizes):
        return Parts(map(tuple, sizes))
    return tuple(sizes)
