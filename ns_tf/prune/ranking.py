"""In which order channels go: scores of a trained network as a curve of widths."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from ns_tf.base import Curve, InputError
from ns_tf.networks.structure import Structure
from ns_tf.prune.removal import Prunable
from ns_tf.scaling.ranks import along, removals


@dataclasses.dataclass(frozen=True)
class Ranking:
    """In which order channels go, and the widths that are left after each.

    Layers of 2 and 3 filters, each score its filter's:

    >>> prunable = Prunable((np.array([0, 1]), np.array([2, 3, 4])), followers=())
    >>> ranking = Ranking.of(np.array([0.1, 0.2, 0.9, 0.3, 0.4]), prunable)
    >>> ranking.order.tolist()
    [0, 3, 4]
    >>> ranking.widths.tolist()
    [[2, 3], [1, 3], [1, 2], [1, 1]]
    """

    order: np.ndarray  # [removals] channel numbers; the first goes first.
    widths: np.ndarray  # [removals + 1, layers]; the first row is the whole network.

    @classmethod
    def of(
        cls,
        scores: np.ndarray,
        prunable: Prunable,
        *,
        min_width: int = 1,
        least_share: float = 0.0,
        prices: Sequence[float] | None = None,
    ) -> "Ranking":
        """The ranking by scores, the lowest first.

        Divided by what their layers cost, cheap channels go later:

        >>> prunable = Prunable((np.array([0, 1]), np.array([2, 3])), followers=())
        >>> scores = np.array([0.1, 0.4, 0.2, 0.3])
        >>> [Ranking.of(scores, prunable, prices=p).order.tolist()
        ...  for p in (None, (1.0, 4.0))]
        [[0, 2], [2, 0]]

        With channels that follow, two a filter, the filters of the first layer are
        worth 0.1 + 0.01 + 0.05 and 0.2 + 0.3 + 0.4:

        >>> follower = np.array([5, 6, 7, 8]), 0, 2
        >>> prunable = Prunable((np.array([0, 1]), np.array([2, 3, 4])), (follower,))
        >>> scores = np.array([0.1, 0.2, 0.15, 0.5, 0.17, 0.3, 0.01, 0.4, 0.05])
        >>> Ranking.of(scores, prunable).order.tolist()
        [2, 0, 4]

        Args:
            scores: [n]; equal ones go in the order of their channels.
            prunable: Which channels the widths count.
            min_width: Filters that every layer keeps; all, if it has no more.
            least_share: Share of its filters that a layer keeps until all layers have
                come down to that share.
            prices: [layers]: what a filter costs; scores are divided by it. Not if
                None.

        Raises:
            InputError: a score is not a number.
        """
        order, widths = removals(
            worth_of(scores, prunable),
            [len(own) for own in prunable.widths],
            min_width=min_width,
            least_share=least_share,
            prices=prices,
        )
        return cls(np.concatenate(prunable.widths)[order], widths)

    def curve(self, structure: Structure) -> Curve:
        """tau -> widths: the largest network on the ranking of at most tau parameters.

        Args:
            structure: Of the network; counts its parameters.
        """
        return along(self.widths, structure.params)


def worth_of(scores: np.ndarray, prunable: Prunable) -> np.ndarray:
    """[filters]: what each filter is worth, of one layer after another.

    Channels that follow go with a filter, the lowest first, and so does what they are
    worth: a price counts them too.

    Args:
        scores: [n].
        prunable: Which channels the widths count.

    Raises:
        InputError: a score is not a number.
    """
    sizes = [len(own) for own in prunable.widths]
    layer = np.repeat(np.arange(len(sizes)), sizes)
    scores = np.asarray(scores, float)
    worth = scores[np.concatenate(prunable.widths)]
    for channels, width, factor in prunable.followers:
        with_each = np.sort(scores[channels]).reshape(-1, factor).sum(axis=1)
        here = np.flatnonzero(layer == width)
        worth[here[np.argsort(worth[here], kind="stable")]] += with_each
    bad = layer[np.isnan(worth)]
    if len(bad):
        raise InputError(
            f"A score of layer {bad[0] + 1} is not a number: are the network's weights "
            "and the images finite?"
        )
    return worth
