"""Settings that say which network learns which data."""

import dataclasses

from ns_tf.data.config import LARGEST_SIDE, check_numbers, train_images
from ns_tf.run.config import check_name
from ns_tf.run.option import option


@dataclasses.dataclass(frozen=True)
class ProblemConfig:
    """The network and its data; what is empty is taken from the search or training.

    `ns_tf.problem.resolve.resolve` fills it in from the flags of a run folder.

    Raises:
        InputError: a number is out of range; names the flag.
    """

    architecture: str | None = option(
        None, "As ns_tf.descend takes it.", inherited=True
    )
    dataset: str | None = option(None, "As ns_tf.descend takes it.", inherited=True)
    task: str | None = option(None, "As ns_tf.descend takes it.", inherited=True)
    data_dir: str | None = option(
        None, "Where TFDS data sets are prepared.", identity=False, own=True
    )
    image_size: int | None = option(
        None,
        "Height and width that images are resized to.",
        inherited=True,
        most=LARGEST_SIDE,
    )
    validation_fraction: float | None = option(
        None,
        "Share of the training images held out where a set has no such split.",
        inherited=True,
    )
    split_seed: int | None = option(
        None, "Chooses which images these are.", inherited=True
    )
    pixels: str | None = option(
        None,
        "How networks that do not scale pixels get them: normalised by the training "
        "images (if empty), unit (0 to 1) or given (as they are).",
        choices=("normalised", "unit", "given"),
        inherited=True,
    )
    train_images: int | None = train_images(inherited=True)

    def __post_init__(self):
        check_numbers(self)


@dataclasses.dataclass(frozen=True)
class NetworkConfig(ProblemConfig):
    """A network to be trained: its data, and widths in place of a budget's.

    Raises:
        InputError: the name is none that a folder can have, or a number is out of
            range.
    """

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
        super().__post_init__()
        check_name(self.name)
