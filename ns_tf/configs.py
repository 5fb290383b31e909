"""Every setting, with its default and its help: the fields here are the flags.

Nothing heavier than NumPy is imported, so that `--help` and a mistyped flag are
answered at once.
"""

import dataclasses
import math
import re
from collections.abc import Sequence

from ns_tf import criteria
from ns_tf.base import InputError
from ns_tf.budget_configs import LARGEST_RATIO, BudgetConfig, SolverConfig
from ns_tf.checks import above_zero, at_least, within
from ns_tf.flagset import option

__all__ = ["BudgetConfig", "SolverConfig"]  # And what is defined here.

FOLDER_NAME = r"[\w+-][\w.+-]{0,99}"
LARGEST_SEED = 2**32 - 1  # NumPy's.


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The data set."""

    dataset: str = option(
        "digits",
        "digits (embedded), cifar10, cifar100, the TFDS name of any image "
        "classification set, folder:/path with a folder a class, or arrays:/path.npz "
        "with x_train, y_train and, if there are any, x_test, y_test.",
    )
    data_dir: str | None = option(
        None,
        "Where TFDS data sets are prepared; TFDS's own place if empty.",
        identity=False,
    )
    image_size: int | None = option(
        None, "Height and width that images are resized to; the set's own if empty."
    )
    validation_fraction: float = option(
        0.1,
        "Share of the training images held out where a set has no validation split.",
    )
    split_seed: int = option(0, "Chooses which images these are.")


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Where it is kept."""

    run_dir: str = option("", "The run folder, runs/NAME for instance.", identity=False)

    def __post_init__(self):
        if not self.run_dir:
            raise InputError("Say where the run is kept: --run_dir=runs/NAME.")


@dataclasses.dataclass(frozen=True)
class ExecutionConfig:
    """How it runs."""

    strategy: str = option(
        "auto",
        "tf.distribute strategy; auto mirrors over the GPUs if there are several.",
        choices=("auto", "one_device", "mirrored", "multi_worker"),
    )
    precision: str = option(
        "float32",
        "float32, or a mixed policy of Keras's: lower precision inside the layers, "
        "float32 weights.",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
    )
    jit_compile: bool = option(
        False,
        "Compile forward and backward passes with XLA. Every rebuild compiles again, "
        "and on CPU the steps are slower. Results are the same bits only with the same "
        "setting.",
        identity=False,
    )
    threads: int = option(
        0,
        "CPU threads of an operation; 0 for all cores. Results are the same bits only "
        "at the same number.",
        identity=False,
    )
    checkpoint_seconds: float = option(
        60.0,
        "Seconds between two checkpoints: what a killed run can lose.",
        identity=False,
    )

    def __post_init__(self):
        at_least(self, 0, "threads", "checkpoint_seconds")


@dataclasses.dataclass(frozen=True)
class RuntimeConfig(ExecutionConfig):
    """How it runs."""

    seed: int = option(0, "Of weights, order of images and augmentation.")

    def __post_init__(self):
        super().__post_init__()
        at_least(self, 0, "seed")
        within(self, 0, LARGEST_SEED, "seed")


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """Architecture descent (algorithm 4)."""

    architecture: str = option(
        "vgg11",
        "vgg11, preact_resnet18, mobilenet_v2, with options as name(option=value); or "
        "keras:/path of a saved .keras model.",
    )
    ratio: float = option(
        1.0, "The seed network: this multiple of the architecture's default widths."
    )
    widths: tuple[int, ...] = option(
        (), "The seed network's widths, in place of --ratio."
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


@dataclasses.dataclass(frozen=True)
class PruneConfig:
    """Iterative pruning (algorithm 1); the defaults are the paper's for CIFAR."""

    pretrain_epochs: int = option(10, "Epochs of training before pruning begins (P).")
    pretrain_rate: float = option(0.1, "Learning rate of these epochs.")
    prune_rate: float = option(0.01, "Learning rate while pruning.")
    rate_decay: float = option(1.5, "What --prune_rate is divided by, again and again.")
    rate_decay_epochs: int = option(10, "Epochs between two such divisions.")
    search_batch: int = option(256, "Images a training step of the search.")
    search_momentum: float = option(0.5, "Momentum of the search's SGD.")
    search_weight_decay: float = option(5e-4, "Weight decay of the search's SGD.")
    criterion: str = option(
        "taylor_fo", "How filters are scored: taylor_fo, magnitude or random."
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
        criteria.get(self.criterion)
        at_least(self, 0, "pretrain_epochs", "search_momentum", "search_weight_decay")
        at_least(self, 1, "rate_decay_epochs", "search_batch", "filters_per_event")
        at_least(self, 1, "steps_per_event", "prune_min_width", "rate_decay")
        above_zero(self, "pretrain_rate", "prune_rate")
        within(self, 0, 1, "stop_fraction", "search_momentum")

    def stop_at(self, widths: Sequence[int]) -> int:
        """Filters left at which the pruning of a network of these widths ends."""
        least = sum(min(width, self.prune_min_width) for width in widths)
        return max(least, math.ceil(self.stop_fraction * sum(widths)))

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """Learning rate of a training step, counted from 0."""
        epoch = step // steps_per_epoch - self.pretrain_epochs
        if epoch < 0:
            return self.pretrain_rate
        return self.prune_rate / self.rate_decay ** (epoch // self.rate_decay_epochs)

    def steps(self, widths: Sequence[int], steps_per_epoch: int) -> int:
        """Training steps that the pruning takes unless a layer ends it early."""
        remove = max(0, sum(widths) - self.stop_at(widths))
        events = math.ceil(remove / self.filters_per_event)
        return self.pretrain_epochs * steps_per_epoch + events * self.steps_per_event


@dataclasses.dataclass(frozen=True)
class OutputConfig:
    """What is printed."""

    output: str = option(
        "table",
        "table for people, json for programs, widths as a list for --widths.",
        choices=("table", "json", "widths"),
    )


@dataclasses.dataclass(frozen=True)
class TaskConfig:
    """The network and its data; what is left empty is the search's."""

    architecture: str | None = option(None, "As ns_tf.descend takes it.")
    dataset: str | None = option(None, "As ns_tf.descend takes it.")
    data_dir: str | None = option(
        None, "Where TFDS data sets are prepared.", identity=False
    )
    image_size: int | None = option(
        None, "Height and width that images are resized to."
    )
    validation_fraction: float | None = option(
        None, "Share of the training images held out where a set has no such split."
    )
    split_seed: int | None = option(None, "Chooses which images these are.")


@dataclasses.dataclass(frozen=True)
class NetworkConfig(TaskConfig):
    """The network and its data; what is left empty is the search's."""

    widths: tuple[int, ...] = option(
        (), "Filters of every layer, in place of a budget."
    )
    name: str | None = option(
        None,
        "Folder of the training within the run folder; named by method, budget and "
        "seed if empty.",
        identity=False,
    )

    def __post_init__(self):
        if self.name is not None and not re.fullmatch(FOLDER_NAME, self.name):
            raise InputError(
                "--name is a folder's name of letters, digits, '.', '_', '+' and '-', "
                f"at most 100 of them; got {self.name!r}."
            )


@dataclasses.dataclass(frozen=True)
class CurveConfig:
    """Whose widths."""

    method: str = option(
        "neuralscale",
        "neuralscale: along the law; uniform: the default widths times one number; "
        "morphnet: the widths at half the filters, times one number.",
        choices=("neuralscale", "uniform", "morphnet"),
    )
    iteration: int | None = option(None, "Iteration of the search; the last if empty.")


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Training from scratch; the defaults are the paper's recipe for CIFAR."""

    epochs: int = option(300, "Epochs.")
    batch: int = option(128, "Images a training step.")
    rate: float = option(0.1, "Learning rate at the start.")
    schedule: str = option(
        "step",
        "step divides the rate at --rate_drops, cosine lets it fall to 0, constant "
        "leaves it.",
        choices=("step", "cosine", "constant"),
    )
    rate_drops: tuple[int, ...] = option(
        (100, 200, 250), "Epochs after which the rate is divided."
    )
    rate_divisor: float = option(10.0, "What it is divided by.")
    warmup_epochs: int = option(0, "Epochs over which the rate first rises from 0.")
    momentum: float = option(0.5, "Momentum of SGD.")
    weight_decay: float = option(5e-4, "Weight decay of SGD.")
    augmentation: str = option(
        "own",
        "How training images are varied: as the data set does (own), not at all, "
        "mirrored, moved within a border, or both.",
        choices=("own", "none", "flip", "crop", "both"),
    )
    test_every_epoch: bool = option(
        False,
        "Also test after every epoch, for the paper's statistic (the best of them); it "
        "chooses nothing.",
    )

    def __post_init__(self):
        at_least(self, 1, "epochs", "batch", "rate_divisor")
        at_least(self, 0, "warmup_epochs", "weight_decay", "momentum")
        above_zero(self, "rate")
        within(self, 0, 1, "momentum")
        if any(drop < 1 for drop in self.rate_drops):
            raise InputError(f"--rate_drops are epochs from 1; got {self.rate_drops}.")

    def rate_at(self, step: int, steps_per_epoch: int) -> float:
        """Learning rate of a training step, counted from 0."""
        warmup = self.warmup_epochs * steps_per_epoch
        if step < warmup:
            return self.rate * (step + 1) / warmup
        epoch = step // steps_per_epoch
        if self.schedule == "step":
            return self.rate / self.rate_divisor ** sum(
                d <= epoch for d in self.rate_drops
            )
        if self.schedule == "cosine":
            done = (step - warmup) / max(1, self.epochs * steps_per_epoch - warmup)
            return self.rate * (1 + math.cos(math.pi * done)) / 2
        return self.rate
