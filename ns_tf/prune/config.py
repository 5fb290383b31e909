"""Settings of iterative pruning, and of pruning a network that is trained already."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from ns_tf.base import InputError
from ns_tf.data.config import LARGEST_SIDE, DataConfig, check_numbers, train_images
from ns_tf.prune import criteria, method
from ns_tf.prune.method import CHANNEL, LEVELS, WEIGHT
from ns_tf.prune.rounds import REOPEN, STAY
from ns_tf.prune.strength import AUTO, strength_text
from ns_tf.run.checks import above_zero, at_least, at_least_if_set, within
from ns_tf.run.option import option
from ns_tf.train.config import TrainConfig, augmentation


@dataclasses.dataclass(frozen=True)
class PruneConfig:
    """Numbers of iterative pruning (algorithm 1); the defaults are the paper's.

    Of a network of 41 filters, with 175 steps an epoch:

    >>> config = PruneConfig()
    >>> config.stop_at([13, 11, 17])
    3
    >>> config.steps([13, 11, 17], steps_per_epoch=175)
    1950
    >>> [round(config.rate(epoch * 175, 175), 6) for epoch in (0, 9, 10, 19, 20, 30)]
    [0.1, 0.1, 0.01, 0.01, 0.006667, 0.004444]

    Raises:
        InputError: a number is out of range, or there is no such criterion; names the
            flag.
    """

    pretrain_epochs: int = option(10, "Epochs of training before pruning begins (P).")
    pretrain_rate: float = option(0.1, "Learning rate of these epochs.")
    prune_rate: float = option(0.01, "Learning rate while pruning.")
    rate_decay: float = option(1.5, "What --prune_rate is divided by, again and again.")
    rate_decay_epochs: int = option(10, "Epochs between two such divisions.")
    search_batch: int = option(256, "Images a training step of the search.")
    search_momentum: float = option(0.5, "Momentum of the search's SGD.")
    search_weight_decay: float = option(5e-4, "Weight decay of the search's SGD.")
    criterion: str = option(
        "taylor_fo", "How filters are scored: taylor_fo, gdp, magnitude or random."
    )
    filters_per_event: int = option(10, "Filters removed at once, over all layers.")
    steps_per_event: int = option(50, "Training steps between two removals.")
    stop_fraction: float = option(0.05, "Stop when this share of the filters is left.")
    prune_min_width: int = option(1, "Filters that pruning leaves every layer.")
    at_min_width: str = option(
        "exempt",
        "What a layer at its minimum does: take no further part (exempt), or end the "
        "pruning (stop), as in the paper.",
        choices=("exempt", "stop"),
    )
    rebuild: str = option(
        "pays",
        "When the network is built anew without what was removed, a matter of speed "
        "alone: when it pays, always (at every removal) or never (masks only).",
        choices=("pays", "always", "never"),
    )

    def __post_init__(self):
        if not criteria.get(self.criterion).in_search:
            raise InputError(
                f"--criterion={self.criterion} reads what only a trained network has. "
                "A search takes taylor_fo, gdp, magnitude or random. A trained network "
                "is pruned by it: ns_tf.trained(model, data)"
                f".prune(method={self.criterion!r})."
            )
        at_least(self, 0, "pretrain_epochs", "search_momentum", "search_weight_decay")
        at_least(self, 1, "rate_decay_epochs", "search_batch", "filters_per_event")
        at_least(self, 1, "steps_per_event", "prune_min_width", "rate_decay")
        above_zero(self, "pretrain_rate", "prune_rate")
        within(self, 0, 1, "stop_fraction", "search_momentum")

    def stop_at(self, widths: Sequence[int], least: Sequence[int] | None = None) -> int:
        """How many filters are left when pruning ends.

        `stop_fraction` of all filters, rounded up, but at least every layer's minimum:

        >>> PruneConfig(stop_fraction=0.5).stop_at([13, 11, 17])
        21
        >>> PruneConfig(prune_min_width=12).stop_at([13, 11, 17])
        35

        Args:
            widths: Of the network that is pruned, [layers].
            least: Every layer's minimum, [layers]; `prune_min_width` if None.
        """
        if least is None:
            least = [min(width, self.prune_min_width) for width in widths]
        return max(int(sum(least)), math.ceil(self.stop_fraction * sum(widths)))

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """Learning rate of a training step.

        `pretrain_rate` for P epochs, then prune_rate / d^floor(e / E) in the e-th epoch
        after them, with d = `rate_decay` and E = `rate_decay_epochs`:

        >>> config = PruneConfig(pretrain_epochs=1, rate_decay=2.0, rate_decay_epochs=3)
        >>> [config.rate(7 * epoch, steps_per_epoch=7) for epoch in (0, 1, 3, 4, 7)]
        [0.1, 0.01, 0.01, 0.005, 0.0025]

        Args:
            step: Counted from 0.
            steps_per_epoch: Full batches in the training split.
        """
        epoch = step // steps_per_epoch - self.pretrain_epochs
        if epoch < 0:
            return self.pretrain_rate
        return self.prune_rate / self.rate_decay ** (epoch // self.rate_decay_epochs)

    def steps(
        self,
        widths: Sequence[int],
        steps_per_epoch: int,
        least: Sequence[int] | None = None,
    ) -> int:
        """Training steps that pruning takes.

        P epochs and then ceil(filters to remove / filters an event) events. With
        --at_min_width=stop a layer may end it earlier.

        >>> config = PruneConfig(pretrain_epochs=2, stop_fraction=0.5)
        >>> config.steps([13, 11, 17], steps_per_epoch=11)  # 2 * 11 + 2 * 50
        122

        Args:
            widths: Of the network that is pruned, [layers].
            steps_per_epoch: Full batches in the training split.
            least: As of `stop_at`.
        """
        remove = max(0, sum(widths) - self.stop_at(widths, least))
        events = math.ceil(remove / self.filters_per_event)
        return self.pretrain_epochs * steps_per_epoch + events * self.steps_per_event


@dataclasses.dataclass(frozen=True)
class SourceConfig:
    """The trained network and its data."""

    model: str = option(
        "", "A trained .keras model, or the run folder of a training of ns_tf."
    )
    dataset: str | None = option(
        None, "The data it was trained on, as ns_tf.descend takes it."
    )
    task: str | None = option(None, "What targets mean, as ns_tf.descend takes it.")
    data_dir: str | None = option(
        None, "Where TFDS data sets are prepared.", identity=False, own=True
    )
    image_size: int | None = option(
        None,
        "Height and width that images are resized to; the model's own if empty.",
        most=LARGEST_SIDE,
    )
    validation_fraction: float | None = option(
        None, "Share of the training images held out where a set has no such split."
    )
    split_seed: int | None = option(None, "Chooses which images these are.")
    train_images: int | None = train_images()
    pixels: str | None = option(
        None,
        "How the model was given its pixels: normalised by the training images, unit "
        "(0 to 1), given (as they are); the one of least loss if empty.",
        choices=("normalised", "unit", "given"),
    )

    def __post_init__(self):
        check_numbers(self)

    @property
    def data(self) -> dict[str, Any]:
        """The options of the data set that are set, by name.

        >>> SourceConfig(dataset="digits", split_seed=3).data
        {'split_seed': 3}
        """
        names = (field.name for field in dataclasses.fields(DataConfig))
        values = {name: getattr(self, name) for name in names if name != "dataset"}
        return {name: value for name, value in values.items() if value is not None}


@dataclasses.dataclass(frozen=True)
class CutConfig:
    """How a trained network is cut: which channels go, how many, what is repaired.

    >>> CutConfig(proxy_batch=0)
    Traceback (most recent call last):
    ...
    ns_tf.base.InputError: --proxy_batch is a whole number of at least 1; got 0.

    Raises:
        InputError: a number is out of range, or there is no such criterion; names the
            flag.
    """

    method: str = option(
        "taylor_fo",
        "The criterion: taylor_fo, taylor_fg, taylor_2016, magnitude, gamma, apoz, "
        "curl_kl, gdp, thinet, thinet_omp, lasso, amc, autoslim, last (of a supernet) "
        "or random; or gates that learn: slimming, morphnet, group_lasso, "
        "logistic_sigmoid, sss, gal, autoprune, autopruner or gradual. What follows is "
        "the method's own if empty.",
    )
    level: str = option(
        CHANNEL,
        "What goes, by methods that can: channels, whole blocks (depth), or single "
        "weights, which makes nothing faster.",
        choices=LEVELS,
    )
    nonzero: float | None = option(
        None, "Budget of --level=weight: weights not zero, a share or a number."
    )
    allocation: str | None = option(
        None,
        "How many channels go in each layer: ranking (the lowest scores of all "
        "layers), uniform, morphnet, law (of --search); greedy and amc, which run the "
        "network to find out.",
    )
    search: str | None = option(
        None, "Of --allocation=law: the run folder of a search of the same network."
    )
    repair: str | None = option(
        None,
        "What is repaired before training: statistics, mean, scale, least_squares or "
        "none; several as one+other.",
    )
    weigh: float | None = option(
        None,
        "Of ranking and morphnet: scores are divided by this power of what a filter "
        "costs; 1 if empty, or 0 where sizes alone are budgets. Of greedy, in the same "
        "way, the rise of the loss; 0 if empty.",
    )
    least_share: float | None = option(
        None,
        "Of ranking and morphnet: share of its channels that a layer keeps until all "
        "have come down to it; the method's own if empty, 0.25 of most.",
    )
    rounds: int | None = option(
        None,
        "Times that channels are scored: after each round but the last some close, on "
        "the way to the budgets.",
    )
    closed: str | None = option(
        None,
        "What channels do that earlier rounds closed: stay, or reopen by their scores.",
        choices=(STAY, REOPEN),
    )
    proxy_images: int | None = option(
        None, "Training images that scores and repairs read."
    )
    proxy_batch: int = option(128, "Images of a minibatch of them.")
    strength: str | float = option(
        AUTO,
        "Of gates that learn: how hard they are pulled on. auto follows the budgets; a "
        "number stays, and 1 is about what the budgets need. Of slimming a number is "
        "the paper's lambda.",
    )
    gate_epochs: int | None = option(None, "Epochs in which gates learn.")
    gate_rate: float = option(0.01, "Learning rate of the weights in these epochs.")
    gate_schedule: str = option(
        "constant",
        "Of this rate: constant leaves it, step divides it by 10 after half and after "
        "three quarters of the epochs, cosine lets it fall to 0.",
        choices=("constant", "step", "cosine"),
    )
    gate_weight_decay: float = option(5e-4, "Weight decay in these epochs.")
    gate_batch: int = option(128, "Images a training step, at most all.")

    def __post_init__(self):
        method.check_level(self.method, self.level)
        if self.nonzero is not None and self.level != WEIGHT:
            raise InputError("--nonzero goes with --level=weight; else give --params.")
        at_least(self, 1, "proxy_batch", "gate_batch")
        at_least(self, 0, "gate_weight_decay")
        above_zero(self, "gate_rate", *["nonzero"] * (self.nonzero is not None))
        # The same text from the command line and from Python.
        object.__setattr__(self, "strength", strength_text(self.strength))
        at_least_if_set(self, 1, "proxy_images", "rounds", "gate_epochs")
        at_least_if_set(self, 0, "weigh")
        within(self, 0, 1, *["least_share"] * (self.least_share is not None))
        if self.closed not in (None, STAY, REOPEN):
            raise InputError(f"--closed is {STAY} or {REOPEN}; got {self.closed!r}.")


@dataclasses.dataclass(frozen=True)
class FinetuneConfig:
    """How what is left of a trained network is trained on.

    Raises:
        InputError: a number is out of range; names the flag.
    """

    recipe: str | None = option(
        None,
        "How: plain, distil (from the whole network too), refine (from labels that it "
        "refines, and six images of each), scratch or scratch_b (from fresh weights); "
        "one after another as distil+refine; the method's own if empty.",
    )
    finetune_epochs: int = option(10, "Epochs after the cut; 0 trains nothing.")
    finetune_rate: float | None = option(
        None,
        "Learning rate at the start; the recipe's if empty. A recipe behind another "
        "has its own.",
    )
    finetune_schedule: str = option(
        "cosine",
        "cosine lets the rate fall to 0, constant leaves it.",
        choices=("cosine", "constant"),
    )
    finetune_batch: int = option(128, "Images a training step, at most all.")
    finetune_momentum: float = option(0.9, "Momentum of SGD.")
    finetune_weight_decay: float = option(5e-4, "Weight decay of SGD.")
    augmentation: str = augmentation()

    def __post_init__(self):
        at_least(self, 0, "finetune_epochs", "finetune_momentum")
        at_least(self, 0, "finetune_weight_decay")
        at_least(self, 1, "finetune_batch")
        if self.finetune_rate is not None:
            above_zero(self, "finetune_rate")
        within(self, 0, 1, "finetune_momentum")

    def settings(
        self, images: int, *, rate: float = 0.01, times: float = 1.0
    ) -> TrainConfig:
        """The settings of the training after the cut: SGD.

        >>> FinetuneConfig(finetune_epochs=3).settings(50, times=2.0).epochs
        6

        Args:
            images: In the training split.
            rate: Learning rate at the start, where none is given.
            times: Factor on the epochs.
        """
        return TrainConfig(
            epochs=max(1, round(times * self.finetune_epochs)),
            batch=min(self.finetune_batch, images),
            rate=rate if self.finetune_rate is None else self.finetune_rate,
            schedule=self.finetune_schedule,
            momentum=self.finetune_momentum,
            weight_decay=self.finetune_weight_decay,
            augmentation=self.augmentation,
        )
