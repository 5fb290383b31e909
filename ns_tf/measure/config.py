"""Settings of `python -m ns_tf.measure`."""

import dataclasses

from ns_tf.base import InputError
from ns_tf.data.config import check_shape, classes, input_shape
from ns_tf.run.checks import LARGEST_RATIO, above_zero, at_least, within
from ns_tf.run.option import option


@dataclasses.dataclass(frozen=True)
class MeasureConfig:
    """What is measured, on what, and how finely.

    Raises:
        InputError: no network or two, or a number out of range; names the flag.
    """

    run_dir: str | None = option(None, "Run folder of a search, whose network it is.")
    model: str | None = option(
        None, "A .keras file or an architecture as vgg11, in place of --run_dir."
    )
    input_shape: tuple[int, ...] = input_shape()
    classes: int = classes()
    runtime: str = option("litert", "What runs the layers: tf, litert or onnx.")
    threads: int = option(1, "CPU threads of an operation.")
    batch: int = option(1, "Examples in one pass.")
    step: int = option(8, "Channels are measured at multiples of this, and at 1.")
    points: int = option(
        7, "The most numbers of channels on one axis of a table; twice for one axis."
    )
    up_to: float = option(
        1.0,
        "Largest width of a layer, times its width in the network; widths that no "
        "layer reads or makes, as heads, stay.",
    )
    rounds: int = option(15, "How often each layer is timed; the median counts.")
    networks: int = option(
        12,
        "Whole networks that the sum of layers is fitted to, and a third of them again "
        "at widths between those of the tables.",
    )
    out: str | None = option(
        None, "The device file; device.json in --run_dir or beside the model if empty."
    )
    write_models: str | None = option(
        None,
        "Folder for the models to time elsewhere, and times.csv to fill in; nothing is "
        "measured here.",
    )
    import_: str | None = option(
        None, "A filled-in times.csv, in place of measuring here."
    )
    machine: str | None = option(
        None, "What the device is called; this machine in words if empty."
    )

    def __post_init__(self):
        if (self.run_dir is None) == (self.model is None):
            raise InputError(
                "Say which network is measured: either --run_dir of a search, or "
                "--model=FILE.keras or an architecture."
            )
        if self.run_dir and self.input_shape:
            raise InputError(
                "--input_shape is of --model; a search has its own. Leave it out."
            )
        if self.run_dir and self.classes != MeasureConfig.classes:
            raise InputError(
                "--classes are of --model; a search has its own. Leave them out."
            )
        if self.write_models and self.import_:
            raise InputError(
                "--write_models comes first, --import when the times are filled in; "
                "give one of them."
            )
        at_least(self, 1, "threads", "batch", "step", "rounds")
        at_least(self, 2, "points")
        at_least(self, 0, "networks")
        above_zero(self, "up_to")
        within(self, 0, LARGEST_RATIO, "up_to")
        check_shape(self)
