"""The values that flow through ns_tf, and its two kinds of error.

All values are immutable. tau is the size of a network: its trainable parameters, as the
paper counts it. phi_l, here `widths`, is the number of filters of layer l.
"""

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf.parts import shape_from, shape_text
from ns_tf.scores import EventScores, FilterScores

if TYPE_CHECKING:
    import keras

PART = re.compile(r"/\d+$")  # In names of parts of a layer's channels: "stem/2".
Widths = tuple[int, ...]  # Filters of every layer that has a width, in forward order.


class InputError(ValueError):
    """Settings or input that cannot be used.

    The message is one line: what was expected, what came, what to do. Commands print it
    and exit 2.
    """


class Unpriced(InputError):
    """A budget that filters have no price in: measured, and no polynomial of widths."""


class RunError(RuntimeError):
    """Work under way that failed, as by a loss of NaN. Commands print it and exit 1."""


@dataclasses.dataclass(frozen=True)
class Curve:
    """Widths as a function of a network's size: tau -> [layers], not yet whole.

    >>> Curve(lambda tau: np.sqrt(tau) * np.array([1.0, 2.0]))(9.0).tolist()
    [3.0, 6.0]
    """

    at: Callable[[float], np.ndarray]
    start: float = 1.0  # The tau at which the solver begins.
    tau_range: tuple[float, float] | None = None  # Of the law that was fitted, if any.
    # The formula in plain numbers, from which a page can draw the curve again.
    terms: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    law: "ScalingLaw | None" = None  # That it is along, if any.

    def __call__(self, tau: float) -> np.ndarray:
        """Widths [layers] at this size."""
        return self.at(tau)


@dataclasses.dataclass(frozen=True)
class Cost:
    """What networks cost in one unit, as a function of their widths.

    An exact cost is quick and takes any number of networks at once. A measured cost is
    slow, takes one network [layers] at a time, and may differ from one measurement to
    the next.

    >>> entries = Cost(lambda widths: 9 * widths.prod(axis=-1))
    >>> entries(np.array([[2, 3], [5, 7]])).tolist()
    [54, 315]
    """

    of: Callable[[np.ndarray], Any]  # Whole widths [..., layers] -> costs [...].
    measured: bool = False
    # Of a measured cost that repeats itself: an exact one that differs from it by
    # little more than a constant.
    estimate: "Cost | None" = None

    def __call__(self, widths: np.ndarray) -> Any:
        """Costs [...] of whole widths [..., layers]."""
        return self.of(widths)


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A network whose layers can have any width.

    What its builder makes is the only description of it: costs are counted on the
    built network, the channel graph is read off it.
    """

    name: str  # As `--architecture` takes it, arguments included.
    widths: Widths  # The default widths.
    builder: Callable[..., Any]  # (widths, *, input_shape, classes) -> keras.Model
    # The user's `keras.Model` that the architecture was made of, if it was made of one.
    source: Any = dataclasses.field(default=None, repr=False, compare=False)

    def build(
        self,
        widths: Sequence[int] | None = None,
        *,
        input_shape: tuple[int, int, int],
        classes: int,
    ) -> "keras.Model":
        """The `keras.Model` of these widths; its output is logits `[batch, classes]`.

        Args:
            widths: Filters of every layer; the default widths if None.
            input_shape: (height, width, channels) of an image; `Parts` of shapes, if
                the network has several inputs.
            classes: Number of classes.

        Raises:
            InputError: if the widths are not as many positive whole numbers as the
                architecture has layers, or the images are too small for it.
        """
        widths = check_widths(self, self.widths if widths is None else widths)
        if not isinstance(classes, (int, np.integer)) or classes < 1:
            raise InputError(f"Expected a number of classes from 1; got {classes!r}.")
        try:
            return self.builder(
                widths, input_shape=shape_from(input_shape), classes=classes
            )
        except InputError:
            raise
        except ValueError as error:
            size = shape_text(shape_from(input_shape))
            reason = reason_of(error)
            raise InputError(
                f"{self.name} cannot be built for images of {size}: {reason} "
                "Give larger images (--image_size) or another architecture."
            ) from error


def check_widths(architecture: Architecture, widths: Sequence[int]) -> Widths:
    """The widths as a tuple of int, if they fit the architecture.

    >>> check_widths(Architecture("two", (8, 16), builder=None), np.array([3, 5]))
    (3, 5)

    Args:
        architecture: Says how many widths there are.
        widths: Filters of every layer; whole numbers of any library.

    Raises:
        InputError: wrong number of widths, or one that is no positive whole number.
    """
    try:
        widths = tuple(widths)  # Of an array of no axis it cannot be told otherwise.
    except TypeError as error:
        raise InputError(f"Expected a list of widths; got {widths!r}.") from error
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


def reason_of(error: Exception) -> str:
    """What Keras's message says first, beside the traceback of the call.

    Lines that a sentence was broken into are put together.

    >>> reason_of(ValueError("Exception encountered when calling F.\\n\\nToo small."))
    'Too small.'
    >>> reason_of(ValueError("Object A needs\\na method\\nthat B has.\\n\\nExample:"))
    'Object A needs a method that B has.'
    """
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    paragraphs = re.split(r"\n\s*\n", plain)
    told = [one for one in paragraphs if not one.startswith("Exception encountered")]
    lines = [line.strip() for line in (told or paragraphs)[0].splitlines()]
    # A line that a small letter follows is no end of a sentence.
    ends = (i for i, line in enumerate(lines[1:], 1) if not line[:1].islower())
    return " ".join(lines[: next(ends, len(lines))]) or type(error).__name__


@contextlib.contextmanager
def refusing(told: str) -> Iterator[None]:
    """Makes an `InputError` of whatever is raised within; one passes as it is.

    >>> with refusing("'mine' cannot be copied"):
    ...     raise ValueError("Too small.")
    Traceback (most recent call last):
        ...
    ns_tf.base.InputError: 'mine' cannot be copied: Too small.

    Args:
        told: What does not work; the reason is put behind it.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # Keras and classes of the user raise what they like.
        raise InputError(f"{told}: {reason_of(error)}") from error


def _short(widths: Sequence[int]) -> str:
    """Widths as `--widths` takes them; of more than 20 the first and the last ones.

    >>> _short((16, *range(2, 99), 64))
    '16,2,3,4,5,6,7,8,...,98,64'
    """
    texts = [str(width) for width in widths]
    if len(texts) > 20:
        texts[8:-2] = ["..."]
    return ",".join(texts)


@dataclasses.dataclass(frozen=True)
class PruneTrace:
    """The widths and the size of a network after each pruning event (algorithm 1).

    A law is fitted to `widths` and `tau`, which begin at the first event after which
    every layer had lost at least one filter; for a law by layer they are all events.
    `history` has all events.
    """

    widths: np.ndarray  # [steps, layers], int.
    tau: np.ndarray  # [steps]: trainable parameters of a network of these widths.
    names: tuple[str, ...] = ()  # [layers]: the layer whose filters a width counts.
    history: np.ndarray | None = None  # [events, layers]: widths after every event.
    scores: EventScores | None = None  # Of all events; older searches kept none.
    seconds: float = 0.0  # Of the steps and events, over all processes; not kept.
    # Before the first event; None if they do not compare layers, or were not kept.
    whole: FilterScores | None = None


@dataclasses.dataclass(frozen=True)
class ScalingLaw:
    """phi_l(tau) = alpha_l · tau ** beta_l for every layer l (eq. 5).

    >>> law = ScalingLaw(np.array([2.0, 0.5]), np.array([0.25, 0.5]))
    >>> law.widths(10_000).tolist()
    [20.0, 50.0]
    """

    alpha: np.ndarray  # [layers]
    beta: np.ndarray  # [layers]
    r2: np.ndarray | None = None  # [layers]: share of the variance of ln phi explained.
    residual: np.ndarray | None = None  # [layers]: root mean square of ln phi - ln fit.
    tau_range: tuple[float, float] | None = None  # Smallest and largest tau fitted.
    # Of a law that is fitted layer by layer (`ns_tf.scaling.law.fit_by_layer`), else
    # None: the rows that each layer has of its own, and the standard error of its beta,
    # NaN where the beta is not fitted. Both [layers].
    rows: np.ndarray | None = None
    error: np.ndarray | None = None

    def widths(self, tau: float | np.ndarray) -> np.ndarray:
        """Widths [..., layers], not yet whole.

        Args:
            tau: Size of the network: a number, or [..., 1].
        """
        return np.asarray(self.alpha) * np.asarray(tau, float) ** np.asarray(self.beta)


# An exponent from which on prices count as their limit, the curve of the law: widths
# differ by 1e-6 of them at most.
ENDLESS = 1e6


@dataclasses.dataclass(frozen=True)
class PriceLaw:
    """What more filters are worth, in place of a curve tau -> widths."""

    law: ScalingLaw
    exponent: float  # p: one more filter is worth tau^-p; infinite for the law's curve.
    source: str = "given"  # Of p; "assumed" if nothing says it.
    # What the last filter was worth to networks of some sizes, by the record: a plan
    # reads p off these [events]. None if p is as it is.
    worth: np.ndarray | None = None
    sizes: np.ndarray | None = None
    # Whose curve the limit of large exponents is; `law` if None.
    limit: ScalingLaw | None = None

    @property
    def along(self) -> ScalingLaw | None:
        """The law whose curve the widths are on, to the filter; None at a price."""
        return (self.limit or self.law) if self.exponent >= ENDLESS else None

    @property
    def tau_range(self) -> tuple[float, float] | None:
        """The recorded range of the law."""
        return (self.along or self.law).tau_range


Along = Curve | PriceLaw | FilterScores  # What the widths of a plan follow.


@dataclasses.dataclass(frozen=True)
class Scaling:
    """Whole widths that meet every budget (algorithm 3)."""

    widths: Widths
    tau: float  # Position on the curve, before the widths were made whole.
    costs: Mapping[str, float]  # By budget: cost of these widths, at most the target.
    targets: Mapping[str, float]  # By budget: the largest cost allowed.


@dataclasses.dataclass(frozen=True)
class DescentState:
    """One iteration of architecture descent (algorithm 4)."""

    iteration: int  # From 1.
    widths: Widths  # The network that was pruned in this iteration.
    law: ScalingLaw  # Fitted to its trace.
    trace: PruneTrace
    scaling: Scaling  # The widths of the next iteration: the law at the seed's size.
    seconds: float  # Of pruning, fitting and scaling, over all processes.
