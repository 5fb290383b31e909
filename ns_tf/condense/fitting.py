"""Epitomes that begin at trained kernels: least squares.

Where blocks begin is given, so a kernel is linear in its epitome, and the nearest
kernel that an epitome makes is that of a linear least squares problem.
"""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
from keras import ops
from scipy.sparse.linalg import LinearOperator, lsqr

from ns_tf.networks.layers.sampling import LEARNED, Sampling, interpolated

_TOLERANCE = 1e-8  # Of `lsqr`, relative.


def fitted(
    how: Sampling, kernel: np.ndarray, starts: np.ndarray | None = None
) -> np.ndarray:
    """The epitome whose kernel is nearest to a kernel, by the sum of squares.

    Of wrapped and fixed sampling each entry is the mean of those of the kernel that it
    stands for. Of learned sampling, which mixes entries, LSQR finds it.

    >>> from ns_tf.networks.layers.sampling import sampling_of
    >>> how = sampling_of("wrapped", (2, 4), epitome=(1, 2))
    >>> fitted(how, np.array([[1.0, 5.0, 3.0, 7.0], [0.0, 0.0, 4.0, 0.0]])).tolist()
    [[2.0, 3.0]]

    Args:
        how: The sampling.
        kernel: As `Sampling.kernel`.
        starts: [blocks made, blocks read, axes], of learned sampling: where blocks
            begin.

    Returns:
        As `Sampling.epitome`.
    """
    values = np.asarray(kernel, float)
    if how.kind == LEARNED:
        return _by_lsqr(how, values, np.asarray(starts, float))
    size = int(np.prod(how.epitome))
    numbers = np.arange(size, dtype=np.float64).reshape(how.epitome)
    entry = ops.convert_to_numpy(how.made(numbers)).astype(int).ravel()
    sums = np.bincount(entry, values.ravel(), size)
    return (sums / np.bincount(entry, minlength=size)).reshape(how.epitome)


def _by_lsqr(how: Sampling, kernel: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The epitome of learned sampling.

    Args:
        how: The sampling.
        kernel: As `Sampling.kernel`.
        starts: [blocks made, blocks read, axes].
    """
    blocks = list(_blocks(how, starts))

    def makes(flat: np.ndarray) -> np.ndarray:
        epitome, made = flat.reshape(how.epitome), np.zeros(how.kernel)
        for place, matrices in blocks:
            made[place] = _along(epitome, matrices)
        return made.ravel()

    def gathers(flat: np.ndarray) -> np.ndarray:
        parts, found = flat.reshape(how.kernel), np.zeros(how.epitome)
        for place, matrices in blocks:
            found += _along(parts[place], [matrix.T for matrix in matrices])
        return found.ravel()

    return _solved(makes, gathers, kernel.ravel(), int(np.prod(how.epitome))).reshape(
        how.epitome
    )


def _solved(
    makes: Callable, gathers: Callable, values: np.ndarray, size: int
) -> np.ndarray:
    """The x [size] for which makes(x) is nearest to values.

    Args:
        makes: A linear function.
        gathers: Its transpose.
        values: [n].
        size: Of x.
    """
    operator = LinearOperator((len(values), size), matvec=makes, rmatvec=gathers)
    return lsqr(operator, values, atol=_TOLERANCE, btol=_TOLERANCE)[0]


def _blocks(
    how: Sampling, starts: np.ndarray
) -> Iterator[tuple[tuple[slice, ...], list[np.ndarray]]]:
    """(its place in the kernel, a matrix an axis [taps, entries]) of every block.

    What is more than the channels of the kernel is cut off.
    """
    window, sizes = len(how.kernel) - 2, how.epitome[-2:]
    for made, read in itertools.product(*map(range, how.blocks)):
        first = np.multiply((read, made), sizes)
        last = np.minimum(first + sizes, how.kernel[-2:])
        place = (*[slice(None)] * window, *map(slice, first, last))
        taps = (*how.kernel[:window], *(last - first))
        yield (
            place,
            [
                _matrix(size, start, count, wrap=axis >= window)
                for axis, (size, start, count) in enumerate(
                    zip(how.epitome, starts[made, read], taps, strict=True)
                )
            ],
        )


def _matrix(size: int, start: float, taps: int, *, wrap: bool) -> np.ndarray:
    """[taps, size]: what `interpolated` multiplies an axis by.

    >>> _matrix(3, 1.25, 2, wrap=True).tolist()
    [[0.0, 0.75, 0.25], [0.25, 0.0, 0.75]]
    """
    if not wrap and size == taps:
        return np.eye(size)
    return ops.convert_to_numpy(
        interpolated(np.eye(size), np.float64(start), taps, axis=0, wrap=wrap)
    )


def _along(values: np.ndarray, matrices: list[np.ndarray]) -> np.ndarray:
    """Values of which every axis is multiplied by its matrix."""
    for axis, matrix in enumerate(matrices):
        values = np.moveaxis(np.tensordot(matrix, values, (1, axis)), 0, axis)
    return values
