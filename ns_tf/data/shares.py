"""Which rows of a batch each replica computes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


def even(size: int, replicas: int) -> list[slice]:
    """The rows of a batch by replica: in order, the first ones have those left over.

    `tf.distribute.MirroredStrategy` deals a batch out in the same way.

    >>> [(rows.start, rows.stop) for rows in even(7, 3)]
    [(0, 3), (3, 5), (5, 7)]

    Args:
        size: Rows of the batch; some replicas have none if there are fewer.
        replicas: How many there are.
    """
    counts = [len(rows) for rows in np.array_split(np.arange(size), replicas)]
    stops = np.cumsum(counts).tolist()
    return list(map(slice, [0, *stops], stops))


def rows_of(
    shares: Sequence[slice], place: "tf.Tensor", value: "tf.Tensor"
) -> "tf.Tensor":
    """The rows of one share; all, if the only share is the whole batch.

    Args:
        shares: Rows of a batch.
        place: Which of them.
        value: [batch, ...].
    """
    import tensorflow as tf

    sizes = {rows.stop - rows.start for rows in shares}
    if sizes == {value.shape[0]}:
        return value
    bounds = tf.constant([(rows.start, rows.stop) for rows in shares])
    start, stop = tf.unstack(bounds[place])
    size = sizes.pop() if len(sizes) == 1 else None
    return tf.ensure_shape(value[start:stop], [size, *value.shape[1:]])
