"""AutoPruner (Luo and Wu, Pattern Recognition 2020)."""

from typing import Any

import numpy as np

from ns_tf.prune.formulas import GeneratedGates
from ns_tf.prune.gatings import gating
from ns_tf.prune.method import BLOCK, CHANNEL

_SOFT, _HARD = 0.1, 100.0  # The sharpness at the beginning and at the end.
_LAST = 0.8  # Share of the steps after which gates that are not told apart speed it up,
_FASTER = 10.0  # by that much a step,
_APART = 0.9  # until that share of every layer's gates
_LOW, _HIGH = 0.1, 0.9  # lies outside of these.
_BEGIN = 0.1  # Of the strength: the weight of a penalty before anything is known.


@gating(
    "autopruner",
    help="A generator a layer makes binary gates of what the layer computes.",
    scope="layer",
    allocation="uniform",
    units=False,
    levels=(CHANNEL, BLOCK),
)
class Autopruner(GeneratedGates):
    """gate = sigmoid(alpha u), u of a generator, and a penalty on the share kept.

    The generator of a layer takes the mean of its outputs over the batch, pools it and
    convolves it with a kernel as large as the map (`ns_tf.graph.generated`).

    >>> import keras
    >>> u = keras.ops.convert_to_tensor([0.3, -0.1])
    >>> gates = keras.ops.convert_to_numpy(Autopruner().code(u, 10.0))
    >>> gates.round(6).tolist() == np.float32([0.952574, 0.268941]).tolist()
    True

    To the loss comes the sum over layers of weight (mean gate - r)^2, r the share of
    channels that a layer keeps. Of the gates 0.9, 0.8, 0.7, 0.6, r = 0.5, weight 10:

    >>> round(Autopruner().penalty(0.75, 0.5, 10.0), 6)
    0.625

    The weight is 100 |share pruned - (1 - r)|, and 10 at first. 70 % pruned, r = 0.4:

    >>> round(Autopruner().weight(100.0, 0.3, 0.4), 6)
    10.0

    alpha grows from 0.1 to 100, and by 10 more a step in the last fifth while a layer
    has less than 90 % of its gates outside of 0.1 to 0.9.

    Departures: all layers learn at once, as the paper's MobileNetV2 does, in
    `gate_epochs`. Maps are pooled to at most 8 x 8 before they are convolved.

    Of whole blocks (`level=block`) the paper gives no formula, so this is ours: a
    generator reads what a block's branch puts out, its code is one number, and r is the
    share of all blocks that the budgets leave. Whether 90 % are told apart is asked of
    all blocks together.
    """

    first = 100.0

    def sharpness(self, progress: float) -> float:
        """alpha, linear from 0.1 to 100."""
        return _SOFT + (_HARD - _SOFT) * progress

    def sharpened(self, codes: list[np.ndarray], progress: float) -> float:
        """10 in the last fifth, while a layer's gates are not told apart; else 0."""
        if progress < _LAST:
            return 0.0
        return _FASTER if min(map(told_apart, codes)) < _APART else 0.0

    def code(self, made: Any, sharpness: Any) -> Any:
        """sigmoid(alpha u), [channels]."""
        from keras import ops

        return ops.sigmoid(sharpness * made)

    def penalty(self, mean: Any, share: Any, weight: Any) -> Any:
        """weight (mean - share)^2, [layers]."""
        return weight * (mean - share) ** 2

    def weight(self, strength: float, kept: float | None, share: float) -> float:
        """strength |share kept - r|; a tenth of the strength at first."""
        return strength * (_BEGIN if kept is None else abs(kept - share))


def told_apart(gates: np.ndarray) -> float:
    """Share of gates outside of 0.1 to 0.9.

    >>> told_apart(np.array([0.05, 0.5, 0.95, 1.0]))
    0.75

    Args:
        gates: Of a layer.
    """
    return float(((gates < _LOW) | (gates > _HIGH)).mean())
