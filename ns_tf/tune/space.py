"""What a tuning may vary: hyperparameters by name, and the values that each takes.

A hyperparameter is a `Range` or a few `Choices`. Drawn values are rounded to few digits
(`tidy`): then they can be read in a table, and stay the same when keras-tuner sends
them to a worker as 32-bit floats.
"""

import dataclasses
import math
import reprlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ns_tf.base import InputError
from ns_tf.registry import unknown
from ns_tf.run.option import Kind, options

if TYPE_CHECKING:
    import keras_tuner

DIGITS = 4  # Significant digits of a drawn number.
_WIDE = 3  # From this ratio of the ends on, a range is drawn on a logarithmic scale.


@dataclasses.dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, both among them.

    >>> Range(0.01, 0.3, whole=False).tidy(0.123456)
    0.1235
    """

    low: float
    high: float
    whole: bool  # Whether it has whole numbers alone.

    @property
    def ends(self) -> tuple[float, float]:
        """(low, high): all values lie between them."""
        return self.low, self.high

    def declare(self, name: str, hp: "keras_tuner.HyperParameters") -> None:
        """Adds the range to keras-tuner's hyperparameters.

        Where high is at least three times low, values are drawn on a logarithmic scale.
        """
        wide = self.low > 0 and self.high >= _WIDE * self.low
        sampling = "log" if wide else "linear"
        add = hp.Int if self.whole else hp.Float
        add(name, self.low, self.high, sampling=sampling)

    def tidy(self, value: float) -> float:
        """The number with `DIGITS` significant digits, within the range."""
        if self.whole:  # keras-tuner can draw one above `high`.
            return min(max(int(value), self.low), self.high)
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


@dataclasses.dataclass(frozen=True)
class Choices:
    """A few values; a single one is the value of all trials.

    >>> Choices((0.1, 0.3)).tidy(0.30000001192092896)
    0.3
    """

    values: tuple

    @property
    def ends(self) -> tuple:
        """All values: any of them may be an end."""
        return self.values

    def declare(self, name: str, hp: "keras_tuner.HyperParameters") -> None:
        """Adds the choices to keras-tuner's hyperparameters."""
        hp.Choice(name, list(self.values))

    def tidy(self, value: Any) -> Any:
        """The nearest of the values if they are floats; other types are unchanged."""
        if isinstance(value, float):
            return min(self.values, key=lambda known: abs(known - value))
        return value


class Space:
    """Hyperparameters by name.

    Args:
        members: By name: a text as in `--space` ("0.01..0.3", "1|8", "0.9"); or a pair
            (low, high) for a range, a list of choices, one value.
        kinds: What may be tuned, and of what type it is.

    Attributes:
        members: A `Range` or `Choices` by name.

    Raises:
        InputError: a name that is not among `kinds`, or values that make no sense.
    """

    def __init__(self, members: Mapping[str, Any], kinds: Mapping[str, Kind]):
        if not isinstance(members, Mapping):
            raise InputError(
                "A space is a dictionary of hyperparameters by name, as "
                f'{{"params": (20_000, 200_000)}}; got {reprlib.repr(members)}.'
            )
        for name in members:
            if name not in kinds:
                raise unknown("hyperparameter", name, sorted(kinds))
        self.members: dict[str, Range | Choices] = {
            name: _from_text(name, value, kinds[name])
            if isinstance(value, str)
            else _from_value(name, value, kinds[name])
            for name, value in members.items()
        }

    def declare(self, hp: "keras_tuner.HyperParameters") -> None:
        """Adds all hyperparameters to keras-tuner's."""
        for name, member in self.members.items():
            member.declare(name, hp)

    def values(self, hp: "keras_tuner.HyperParameters") -> dict[str, Any]:
        """The values of a trial by name, rounded."""
        return self.tidy({name: hp.get(name) for name in self.members})

    def tidy(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values, rounded; those that are not of this space stay as they are."""
        return {
            name: self.members[name].tidy(value) if name in self.members else value
            for name, value in values.items()
        }


def parse(texts: Iterable[str]) -> dict[str, str]:
    """The texts of values by the names of their hyperparameters.

    >>> parse(["rate=0.01..0.3", "round_to=1|8", "momentum=0.9"])
    {'rate': '0.01..0.3', 'round_to': '1|8', 'momentum': '0.9'}

    Raises:
        InputError: a text that is none of these, or a name given twice.
    """
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(
                "A hyperparameter is NAME=LOW..HIGH, NAME=A|B|C or NAME=VALUE, for "
                f"instance rate=0.01..0.3; got {text!r}."
            )
        if values.setdefault(name, value) != value:
            raise InputError(f"The hyperparameter {name} is given twice; give it once.")
    return values


def scalar_options(*config_classes: type) -> dict[str, Kind]:
    """Types of the options that take a single value, by name.

    Args:
        *config_classes: Dataclasses of `ns_tf.run.option.option`s.
    """
    return {
        field.name: kind
        for one in config_classes
        for field, kind in options(one)
        if not kind.many
    }


def _from_text(name: str, text: str, kind: Kind) -> Range | Choices:
    """The hyperparameter that a flag's text means: LOW..HIGH, A|B|C or a value."""
    try:
        if ".." in text:
            low, _, high = text.partition("..")
            return _range(name, kind.parse(low), kind.parse(high), kind)
        return _choices(name, [kind.parse(part) for part in text.split("|")])
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"The hyperparameter {name}={text}: {error}") from error


def _from_value(name: str, value: Any, kind: Kind) -> Range | Choices:
    """The hyperparameter that a Python value means: a pair, a list, or one value."""
    try:
        if isinstance(value, tuple):
            low, high = map(kind.coerce, value)
            return _range(name, low, high, kind)
        values = value if isinstance(value, list) else [value]
        return _choices(name, [kind.parse(kind.text(one)) for one in values])
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The hyperparameter {name} takes (low, high), a list of values or one "
            f"value; got {value!r}: {error}"
        ) from error


def _range(name: str, low: Any, high: Any, kind: Kind) -> Range:
    """The range between two finite numbers of which the first is smaller."""
    numbers = kind.item in (int, float) and None not in (low, high)
    if not numbers or not -math.inf < low < high < math.inf:
        raise InputError(
            f"The range of the hyperparameter {name} goes from a smaller number to a "
            f"larger one; got {low}..{high}."
        )
    return Range(low, high, kind.item is int)


def _choices(name: str, values: list) -> Choices:
    """Choices of one or more values, all different."""
    if not values or len(set(values)) < len(values) or None in values:
        text = "|".join(map(str, values)) or "none"
        raise InputError(
            f"The choices of the hyperparameter {name} are one or more, all "
            f"different; got {text}."
        )
    return Choices(tuple(values))
