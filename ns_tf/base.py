"""The values that flow through ns_tf: immutable, without logic of their own."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Widths = tuple[int, ...]  # Filters of every layer that has a width, in forward order.


class InputError(ValueError):
    """What was asked for cannot be done: says what was expected, what came, what to do.

    Commands print it as one line and exit 2.
    """


class RunError(RuntimeError):
    """Work that was under way failed (a loss of NaN, say). Commands exit 1."""


@dataclasses.dataclass(frozen=True)
class Curve:
    """Widths as a function of a network's size: tau -> [layers], not yet whole."""

    at: Callable[[float], np.ndarray]
    start: float = 1.0  # The tau at which a search along it begins.
    tau_range: tuple[float, float] | None = None  # Recorded by a search; None: none.
    terms: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # For the page.

    def __call__(self, tau: float) -> np.ndarray:
        """Widths [layers] at this size."""
        return self.at(tau)


@dataclasses.dataclass(frozen=True)
class Cost:
    """What networks cost in one unit, as a function of their widths."""

    of: Callable[[np.ndarray], Any]  # Whole widths [..., layers] -> costs [...].
    # A measured cost is slow and takes one network [layers] at a time; two measurements
    # of one network may differ.
    measured: bool = False
    # An exact cost that differs from this measured one by little more than a constant.
    estimate: "Cost | None" = None

    def __call__(self, widths: np.ndarray) -> Any:
        """Costs [...] of whole widths [..., layers]."""
        return self.of(widths)


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A network whose layers can have any width.

    `builder(widths, *, input_shape, classes)` is the only truth about it: costs are
    counted on what it makes, the channel graph is read off what it makes.
    """

    name: str  # As `--architecture` takes it, arguments included.
    widths: Widths  # The default widths.
    builder: Callable[..., Any]
    source: Any = dataclasses.field(default=None, repr=False, compare=False)  # A model.

    def build(
        self,
        widths: Sequence[int] | None = None,
        *,
        input_shape: tuple[int, int, int],
        classes: int,
    ):
        """The `keras.Model` of these widths; its output is logits `[batch, classes]`.

        Args:
            widths: Filters of every layer; the default widths if None.
            input_shape: (height, width, channels) of an image.
            classes: Number of classes.

        Raises:
            InputError: if the widths are not as many positive whole numbers as the
                architecture has layers, or the images are too small for it.
        """
        widths = check_widths(self, self.widths if widths is None else widths)
        if not isinstance(classes, (int, np.integer)) or classes < 1:
            raise InputError(f"Expected a number of classes from 1; got {classes!r}.")
        try:
            return self.builder(widths, input_shape=tuple(input_shape), classes=classes)
        except InputError:
            raise
        except ValueError as error:
            size = "x".join(str(n) for n in input_shape)
            reason = _reason(error)
            raise InputError(
                f"{self.name} cannot be built for images of {size}: {reason} "
                "Give larger images (--image_size) or another architecture."
            ) from error


def check_widths(architecture: Architecture, widths: Sequence[int]) -> Widths:
    """The widths as a tuple of int, if they fit the architecture.

    Raises:
        InputError: wrong number of widths, or one that is no positive whole number.
    """
    if not isinstance(widths, Iterable):
        raise InputError(f"Expected a list of widths; got {widths!r}.")
    widths = tuple(widths)
    expected = len(architecture.widths)
    if len(widths) != expected:
        raise InputError(
            f"{architecture.name} has {expected} widths; got {len(widths)}: "
            f"{_short(widths)}. Its default is {_short(architecture.widths)}."
        )
    for place, width in enumerate(widths, 1):
        whole = isinstance(width, (int, np.integer)) and not isinstance(width, bool)
        if not whole or width < 1:
            raise InputError(
                f"Widths are whole numbers of at least 1; width {place} of "
                f"{architecture.name} is {width!r}."
            )
    return tuple(int(width) for width in widths)


def _reason(error: Exception) -> str:
    """What Keras says went wrong, without its account of the call."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("Exception encountered")]
    return (told or lines or [type(error).__name__])[0]


def _short(widths: Sequence[int]) -> str:
    return ",".join(str(width) for width in widths)


@dataclasses.dataclass(frozen=True)
class PruneTrace:
    """What pruning left after each event (algorithm 1).

    Only events after which every layer had lost at least one filter are recorded.
    """

    widths: np.ndarray  # [steps, layers], int.
    tau: (
        np.ndarray
    )  # [steps]: trainable parameters of the network built at these widths.
    names: tuple[str, ...] = ()  # [layers]: the layer that each width belongs to.
    history: np.ndarray | None = (
        None  # [events, layers]: after every event, from the first.
    )


@dataclasses.dataclass(frozen=True)
class ScalingLaw:
    """phi_l(tau) = alpha_l * tau ** beta_l for every layer l (eq. 5)."""

    alpha: np.ndarray  # [layers]
    beta: np.ndarray  # [layers]
    r2: np.ndarray | None = None  # [layers]: share of the variance of ln phi explained.
    residual: np.ndarray | None = None  # [layers]: rms of ln phi - ln fit.
    tau_range: tuple[float, float] | None = None  # Smallest and largest tau fitted.

    def widths(self, tau) -> np.ndarray:
        """Widths [..., layers], not yet whole, at tau: a number or [..., 1]."""
        return np.asarray(self.alpha) * np.asarray(tau, float) ** np.asarray(self.beta)


@dataclasses.dataclass(frozen=True)
class Scaling:
    """Whole widths that meet every budget."""

    widths: Widths
    tau: float  # Position on the curve, before the widths were made whole.
    costs: Mapping[str, float]  # By budget: what these widths cost; at most the target.
    targets: Mapping[str, float]  # By budget: what was allowed.


@dataclasses.dataclass(frozen=True)
class DescentState:
    """One iteration of architecture descent (algorithm 4)."""

    iteration: int  # From 1.
    widths: Widths  # The network that was pruned in this iteration.
    law: ScalingLaw  # Fitted to its trace.
    trace: PruneTrace
    scaling: Scaling  # The widths of the next iteration: the law at the seed's size.
    seconds: float  # Wall time of the iteration.
