"""The number that says how good a network is, and how it is shown."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Score:
    """The number that says how good a network is; higher is better.

    Args:
        name: In files and tables, as "accuracy".
        unit: Of the number as it is shown, as "%"; empty for a pure number.
        scale: Factor from the number in files to the number that is shown.
        digits: Decimals that are shown.
    """

    name: str
    unit: str
    scale: float
    digits: int = 2

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> "Score":
        """The score that a table's figures are of; files of old say none: accuracy.

        Args:
            about: May have the fields of a score under "score".

        >>> Score.of({}).name
        'accuracy'
        """
        return cls(**about["score"]) if "score" in about else ACCURACY

    @property
    def label(self) -> str:
        """Name and unit, as headings and axes have them.

        >>> Score("accuracy", "%", 100.0).label, Score("r2", "", 1.0).label
        ('accuracy, %', 'r2')
        """
        return self.heading(self.name)

    def heading(self, what: str) -> str:
        """What a figure of the score is of, with its unit.

        >>> Score("accuracy", "%", 100.0).heading("trained")
        'trained, %'
        """
        return f"{what}, {self.unit}" if self.unit else what

    def number(self, value: float) -> str:
        """The score as it is shown, without its unit.

        >>> Score("r2", "", 1.0, digits=4).number(0.93125)
        '0.9313'
        """
        return f"{self.scale * value:.{self.digits}f}"

    def spread(self, statistic: tuple[float, float], seeds: int) -> str:
        """Mean and deviation as they are shown; the mean alone for one seed.

        >>> Score("accuracy", "%", 100.0).spread((0.9312, 0.002), seeds=3)
        '93.12 ± 0.20'

        Args:
            statistic: Mean and standard deviation; NaN for no seeds.
            seeds: How many trainings they are of.
        """
        mean, std = statistic
        if math.isnan(mean):
            return "-"
        if seeds == 1:
            return self.number(mean)
        return f"{self.number(mean)} ± {self.number(std)}"

    def text(self, value: float) -> str:
        """The score as it is shown.

        >>> Score("accuracy", "%", 100.0).text(0.9312)
        '93.12 %'
        """
        return f"{self.number(value)} {self.unit}".rstrip()


ACCURACY = Score("accuracy", "%", 100.0)
