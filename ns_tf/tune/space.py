"""What a tuning may vary: hyperparameters by name, and the values that each takes."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

from ns_tf.base import InputError
from ns_tf.registry import unknown
from ns_tf.run.option import Kind, options

DIGITS = 4  # Significant ones of a drawn number.
_WIDE = 3  # Ranges whose ends differ by this factor are drawn by ratios.


@dataclasses.dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`."""

    low: float
    high: float
    whole: bool

    @property
    def ends(self) -> tuple:
        """The values between which all lie."""
        return self.low, self.high

    def declare(self, name: str, hp: Any) -> None:
        """Adds it to keras-tuner's hyperparameters."""
        wide = self.low > 0 and self.high >= _WIDE * self.low
        sampling = "log" if wide else "linear"
        add = hp.Int if self.whole else hp.Float
        add(name, self.low, self.high, sampling=sampling)

    def tidy(self, value: float) -> float:
        """The number in few digits: as it is told, and as 32 bits can hold it."""
        if self.whole:  # keras-tuner's own may lie one above.
            return min(max(int(value), self.low), self.high)
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


@dataclasses.dataclass(frozen=True)
class Choices:
    """A few values; if it is one, it is set for all trials."""

    values: tuple

    @property
    def ends(self) -> tuple:
        """All of them."""
        return self.values

    def declare(self, name: str, hp: Any) -> None:
        """Adds it to keras-tuner's hyperparameters."""
        hp.Choice(name, list(self.values))

    def tidy(self, value: Any) -> Any:
        """The nearest of them, if they are numbers: 32 bits changed it a little."""
        if isinstance(value, float):
            return min(self.values, key=lambda known: abs(known - value))
        return value


class Space:
    """Hyperparameters by name.

    Args:
        given: By name: a text as `parse` takes them; or a pair (low, high) for a
            range, a list of choices, one value.
        kinds: What may be tuned, and of what type it is.

    Raises:
        InputError: a name that is not among `kinds`, or values that make no sense.
    """

    def __init__(self, given: Mapping[str, Any], kinds: Mapping[str, Kind]):
        for name in given:
            if name not in kinds:
                raise unknown("hyperparameter", name, sorted(kinds))
        self.members = {
            name: _from_text(name, value, kinds[name])
            if isinstance(value, str)
            else _from_value(name, value, kinds[name])
            for name, value in given.items()
        }

    def declare(self, hp: Any) -> None:
        """Adds all to keras-tuner's `HyperParameters`."""
        for name, member in self.members.items():
            member.declare(name, hp)

    def values(self, hp: Any) -> dict[str, Any]:
        """Their values in a trial."""
        return self.tidy({name: hp.get(name) for name in self.members})

    def tidy(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values in few digits; those of other names stay as they are."""
        return {
            name: self.members[name].tidy(value) if name in self.members else value
            for name, value in values.items()
        }


def parse(texts: Iterable[str]) -> dict[str, str]:
    """Values by name, of texts like rate=0.01..0.3, round_to=1|8, momentum=0.9.

    Raises:
        InputError: a text that is none of these, or a name given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(
                "A hyperparameter is NAME=LOW..HIGH, NAME=A|B|C or NAME=VALUE, for "
                f"instance rate=0.01..0.3; got {text!r}."
            )
        if found.setdefault(name, value) != value:
            raise InputError(f"The hyperparameter {name} is given twice; give it once.")
    return found


def scalar_options(*config_classes: type) -> dict[str, Kind]:
    """The options of these classes that have one value, by name."""
    return {
        field.name: kind
        for one in config_classes
        for field, kind in options(one)
        if not kind.many
    }


def _from_text(name: str, text: str, kind: Kind) -> Range | Choices:
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
    try:
        if isinstance(value, tuple):
            low, high = map(kind.coerce, value)
            return _range(name, low, high, kind)
        many = value if isinstance(value, list) else [value]
        return _choices(name, [kind.parse(kind.text(one)) for one in many])
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The hyperparameter {name} takes (low, high), a list of values or one "
            f"value; got {value!r}: {error}"
        ) from error


def _range(name: str, low: Any, high: Any, kind: Kind) -> Range:
    numbers = kind.item in (int, float) and None not in (low, high)
    if not numbers or not -math.inf < low < high < math.inf:
        raise InputError(
            f"The range of the hyperparameter {name} goes from a smaller number to a "
            f"larger one; got {low}..{high}."
        )
    return Range(low, high, kind.item is int)


def _choices(name: str, values: list) -> Choices:
    if not values or len(set(values)) < len(values) or None in values:
        told = "|".join(map(str, values)) or "none"
        raise InputError(
            f"The choices of the hyperparameter {name} are one or more, all "
            f"different; got {told}."
        )
    return Choices(tuple(values))
