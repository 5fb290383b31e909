"""What filters are worth: values that searches record and plans read."""

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class EventScores:
    """What filters were worth at each pruning event, by the criterion's scores."""

    removed: np.ndarray  # [events]: the highest score among the filters that went.
    # [events, layers]: the lowest score among the filters of each layer that stayed.
    lowest: np.ndarray
    loss: np.ndarray  # [events]: mean training loss since the event before.
    # Whose scores they are; None is the usual one, of an older record.
    criterion: str | None = None


@dataclasses.dataclass(frozen=True)
class Fall:
    """The slope of ln S over ln tau near a size."""

    exponent: float  # p: S falls as tau^-p.
    error: float  # Standard error of p, as if events were independent; they are not.
    tau_range: tuple[float, float]  # Smallest and largest tau of the events.
    events: int


@dataclasses.dataclass(frozen=True, eq=False)
class FilterScores:
    """What every filter of a network is worth to it, in place of a curve.

    Layers that identities join are one set and lose filters together.
    """

    sets: np.ndarray  # [layers]: the set of each, counted from 0 in their order.
    scores: tuple[np.ndarray, ...]  # By set: [filters], the highest score first.

    law = tau_range = None  # As curves have them.

    @classmethod
    def of(
        cls, sets: np.ndarray, flat: np.ndarray, widths: Sequence[int]
    ) -> "FilterScores":
        """The scores of `flat`.

        >>> scores = FilterScores.of(np.array([0, 1, 0]), np.arange(5.0), (2, 3, 2))
        >>> [own.tolist() for own in scores.scores], scores.widths.tolist()
        ([[0.0, 1.0], [2.0, 3.0, 4.0]], [2, 3, 2])

        Args:
            sets: [layers]: the set of each.
            flat: [filters of all sets], of one set after another.
            widths: [layers]: filters of the network.

        Raises:
            ValueError: `flat` is of another number of filters.
        """
        firsts = np.unique(sets, return_index=True)[1]
        ends = np.cumsum(np.array(widths)[firsts])
        if len(flat) != ends[-1]:
            raise ValueError(f"{len(flat)} scores of {ends[-1]} filters")
        return cls(sets, tuple(np.split(flat, ends[:-1])))

    @property
    def flat(self) -> np.ndarray:
        """[filters of all sets], of one set after another."""
        return np.concatenate(self.scores)

    @property
    def widths(self) -> np.ndarray:
        """[layers]: filters of the network whose scores they are."""
        return np.array([len(own) for own in self.scores])[self.sets]
