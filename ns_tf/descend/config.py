"""Settings of a search: which network, from which widths, how many iterations."""

import dataclasses

from ns_tf.base import InputError
from ns_tf.run.checks import LARGEST_RATIO, above_zero, at_least, within
from ns_tf.run.option import option


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """Architecture descent (algorithm 4).

    `iterations` and `tolerance` may change when a search continues.

    >>> SearchConfig(iterations=0)
    Traceback (most recent call last):
    ...
    ns_tf.base.InputError: --iterations is a whole number of at least 1; got 0.

    Raises:
        InputError: a number out of its range.
    """

    architecture: str = option(
        "vgg11",
        "vgg11, vgg16, vgg19, preact_resnet18, resnet56, resnet110, mobilenet_v2, "
        "lenet5, lenet300_100, with options as vgg11(ratio=0.25); or keras:/path of a "
        "saved .keras model.",
    )
    ratio: float = option(
        1.0, "The seed network: this multiple of the architecture's default widths."
    )
    widths: tuple[int, ...] = option(
        (), "The seed network's widths, in place of --ratio."
    )
    weights: str | None = option(
        None,
        "What the first network begins with: own (the weights of the model that is "
        "searched, at its own widths, one iteration: the filters that a later network "
        "has more would have no weights to begin with) or fresh. If empty, own for a "
        "model with --pretrain_epochs=0, else fresh.",
        choices=("own", "fresh"),
    )
    iterations: int = option(
        1,
        "Iterations of prune, fit, scale; the paper reports 1 and 15.",
        identity=False,
    )
    tolerance: int = option(
        0, "End when no width moved by more than this many filters.", identity=False
    )

    def __post_init__(self):
        at_least(self, 1, "iterations")
        at_least(self, 0, "tolerance")
        above_zero(self, "ratio")
        within(self, 0, LARGEST_RATIO, "ratio")
        if self.weights not in (None, "own", "fresh"):
            raise InputError(f"--weights is own or fresh; got {self.weights!r}.")
