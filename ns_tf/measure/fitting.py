"""From times as they were measured to the tables of a device."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from ns_tf.base import InputError, Widths
from ns_tf.devices.cost import TableCost
from ns_tf.devices.device import Device, Whole
from ns_tf.devices.tables import Table, checked, monotone, posynomial
from ns_tf.measure.survey import Shape, Survey

# How far a time may be from the nearest monotone table, beyond its spread.
_SPREADS = 3.0
_SHARE = 0.1  # Of the time itself.
_MS = 2e-3
_TRIED = 21  # Times that layers may take less by in a network, from 0 to their least.
_ENOUGH = 6  # Whole networks; fewer do not tell weights from layers.
_EXACT = 1e-12  # An error of rounding.


@dataclasses.dataclass(frozen=True, eq=False)
class Times:
    """Times of a layer shape [passes, r, m] in ms, without those of an empty network.

    A layer that is timed in turns with others has two: of the first pass of a turn and
    of the second (`ns_tf.measure.timing.in_turns`).
    """

    ms: np.ndarray
    spread: np.ndarray  # Half of the distance between the quartiles.

    @classmethod
    def of(
        cls, shape: Shape, ms: np.ndarray, spread: np.ndarray, empty: np.ndarray
    ) -> "Times":
        """The times of `shape.points`.

        Args:
            shape: The layer shape.
            ms: [passes, points] of whole passes.
            spread: Likewise.
            empty: [passes] of an empty network.
        """
        size = (len(ms), len(shape.reads), len(shape.makes))
        own = np.maximum(ms - np.asarray(empty)[:, None], 0.0)
        return cls(own.reshape(size), np.reshape(spread, size))

    def scaled(self, factor: float) -> "Times":
        """So many times these times."""
        return Times(factor * self.ms, factor * self.spread)

    @property
    def smooth(self) -> np.ndarray:
        """The nearest times that fall nowhere where the layer grows."""
        return np.stack([monotone(one) for one in self.ms])

    @property
    def off(self) -> np.ndarray:
        """How far each time is from `smooth`, in ms."""
        return np.abs(self.smooth - self.ms)

    @property
    def noisy(self) -> np.ndarray:
        """Which times are further off than noise explains."""
        slack = np.maximum(_SPREADS * self.spread, _SHARE * self.ms) + _MS
        return self.off > slack


@dataclasses.dataclass(frozen=True)
class Setup:
    """What the times are of."""

    runtime: str
    threads: int
    batch: int
    machine: str


def device_of(
    survey: Survey,
    times: Sequence[Times],
    whole: Sequence[float],
    empty: float,
    setup: Setup,
) -> Device:
    """The device of measured times.

    Times are made monotone. A network takes an offset; of each kind of pass so many
    times its layers; and so much for each of its weights, which layers that are timed
    alone find in the caches. All are fitted to the whole networks. So is how much less
    a layer takes there than in a pass of its own.

    Args:
        survey: What was measured.
        times: Of every layer shape.
        whole: Milliseconds of `survey.networks`; none if they were not measured.
        empty: Milliseconds of an empty network.
        setup: Runtime and machine.
    """
    passes = list(zip(*(one.smooth for one in times), strict=True))
    fit = _Fit(0.0, empty, (1.0,) + (0.0,) * (len(passes) - 1))
    known = whole[: len(survey.whole)]
    if len(known) > 1:
        fit = _best_fit(survey, passes, known)
    tables = [
        _table(shape, fit.of(shape, one))
        for shape, *one in zip(survey.shapes, *passes, strict=True)
    ]
    by_table = TableCost(tables, survey.uses, offset=fit.offset)(
        _array(survey, survey.networks)
    )
    return Device(
        network=survey.network,
        **dataclasses.asdict(setup),
        tables=tuple(tables),
        uses=survey.uses,
        offset=fit.offset,
        step=survey.step,
        whole=tuple(map(Whole, survey.networks, whole, by_table.tolist())),
    )


@dataclasses.dataclass(frozen=True)
class _Fit:
    """Whole networks as sums of layers."""

    less: float  # ms that every layer takes less than alone.
    offset: float  # ms of the network beside its layers.
    factors: Sequence[float]  # Of the passes.
    fetch: float = 0.0  # ms that a million weights take beside that.
    error: float = 0.0  # Mean square of the relative errors.

    def of(self, shape: Shape, passes: Sequence[np.ndarray]) -> np.ndarray:
        """Milliseconds of a layer shape in a network, [r, m].

        Args:
            shape: The layer shape.
            passes: [passes] times [r, m] of it alone.
        """
        ms = self.fetch * shape.weights if self.fetch else 0.0
        for factor, one in zip(self.factors, passes, strict=True):
            ms = ms + factor * without(one, self.less)
        return ms


def _best_fit(
    survey: Survey, passes: Sequence[Sequence[np.ndarray]], whole: Sequence[float]
) -> _Fit:
    """The fit of least error; of equal ones that which takes least off the layers.

    Args:
        survey: What was measured.
        passes: [passes][shapes] times [r, m].
        whole: [networks] in ms.
    """
    widths, fits = _array(survey, survey.whole), []
    weights = _sums(survey, [shape.weights for shape in survey.shapes], 0.0, widths)
    most = float(np.median([ms.min() for ms in passes[0]]))
    for less in np.linspace(0, most, _TRIED):
        sums = [*(_sums(survey, ms, less, widths) for ms in passes), weights]
        if len(whole) < _ENOUGH:
            sums[-1] = np.zeros(len(widths))
        offset, *factors, fetch = found = fitted(np.array(sums), whole)
        error = found @ np.array([np.ones(len(widths)), *sums]) / np.array(whole) - 1
        square = float(np.mean(error**2))
        fits.append(_Fit(float(less), offset, factors, fetch, square))
    least = min(fit.error for fit in fits)
    return next(fit for fit in fits if fit.error <= 1.01 * least + _EXACT)


def _sums(
    survey: Survey, ms: Sequence[np.ndarray], less: float, widths: np.ndarray
) -> np.ndarray:
    """Milliseconds [networks] of all layers, at widths [networks, layers]."""
    none = np.zeros(4)
    tables = [
        Table(shape.unit.about, shape.reads, shape.makes, without(one, less), none)
        for shape, one in zip(survey.shapes, ms, strict=True)
    ]
    return TableCost(tables, survey.uses)(widths)


def without(ms: np.ndarray, less: float) -> np.ndarray:
    """Times of so much less, none below 0.

    >>> without(np.array([0.5, 3.0]), 1.0).tolist()
    [0.0, 2.0]
    """
    return np.maximum(ms - less, 0.0)


def _array(survey: Survey, widths: Sequence[Widths]) -> np.ndarray:
    """Lists of widths of a survey's network as one array [networks, layers]."""
    return np.array(widths, int).reshape(-1, len(survey.network.names))


def fitted(sums: np.ndarray, whole: Sequence[float]) -> list[float]:
    """Offset and factors, at least 0, of whole = offset + sum of factors · sums.

    Non-negative least squares of the relative errors.

    >>> fitted(np.array([[1.0, 2.0, 4.0]]), [2.5, 4.5, 8.5])
    [0.5, 2.0]

    Args:
        sums: [sums, networks] over their layers.
        whole: [networks], in ms.
    """
    from scipy.optimize import nnls

    scale = np.array(whole)
    columns = np.stack([np.ones(len(scale)), *sums], axis=-1) / scale[:, None]
    return nnls(columns, np.ones(len(scale)))[0].round(9).tolist()


def check_monotone(shape: Shape, times: Times, source: str) -> None:
    """Refuses times that fall where a layer grows by more than noise explains.

    Args:
        shape: The layer shape.
        times: Of it.
        source: Where they are from, for the error.

    Raises:
        InputError: naming the entry that is furthest off.
    """
    if times.noisy.any():
        off = times.off * times.noisy
        k, r, m = np.unravel_index(np.argmax(off), off.shape)
        raise InputError(
            f"{source}: {shape.unit.about} takes {times.ms[k, r, m]:.4g} ms at "
            f"{shape.reads[r]} channels read and {shape.makes[m]} made; a smaller one "
            "takes longer, or a larger one less, by more than noise explains. Measure "
            "again, the machine idle."
        )


def _table(shape: Shape, ms: np.ndarray) -> Table:
    """The table of a layer shape.

    Args:
        shape: The layer shape.
        ms: [r, m], falling nowhere.
    """
    about = shape.unit.about
    ms = checked(ms, (len(shape.reads), len(shape.makes)), about)
    price = posynomial(shape.reads, shape.makes, ms)
    return Table(about, shape.reads, shape.makes, ms, price)
