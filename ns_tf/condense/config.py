"""Settings of `python -m ns_tf.condense`."""

import dataclasses

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.data.config import check_shape, classes, input_shape
from ns_tf.engine.config import LARGEST_SEED
from ns_tf.run.checks import above_zero, at_least, within
from ns_tf.run.option import option

# The budgets that epitomes reduce; multiply-adds by wrapped sampling alone.
REDUCED = ("params", "macs", "weight_bytes")
STARTS = FRESH, FITTED = "fresh", "fitted"  # How epitomes begin.


@dataclasses.dataclass(frozen=True)
class CondenseConfig:
    """Which network, which of its kernels become epitomes, and where it goes.

    Raises:
        InputError: no model, no file for the result, or a number out of range.
    """

    model: str = option(
        "", "A .keras file, or an architecture as vgg11 or name(option=value)."
    )
    input_shape: tuple[int, ...] = input_shape()
    classes: int = classes()
    widths: tuple[int, ...] = option(
        (), "Filters of every layer of an architecture; its own if empty."
    )
    sampling: str = option(
        "learned",
        "learned: blocks of a kernel begin where training puts them. wrapped: the "
        "epitome repeats along channels, and multiply-adds fall too. fixed: WSNet's.",
        choices=("learned", "wrapped", "fixed"),
    )
    where: tuple[str, ...] = option(
        (),
        "Layers, by name or pattern; all between the first and the last if empty.",
    )
    front: float = option(
        1.0, "Factor of the ratio in layers before images are halved twice."
    )
    start: str = option(
        FRESH,
        "How epitomes begin: fresh, or fitted to the kernels of a trained model by "
        "least squares.",
        choices=STARTS,
    )
    out: str = option("", "The .keras file that is written.")
    seed: int = option(0, "Of the fresh weights.", most=LARGEST_SEED)
    params: float | None = option(None, budgets.get("params").help)
    macs: float | None = option(None, budgets.get("macs").help)
    weight_bytes: float | None = option(None, budgets.get("weight_bytes").help)

    def __post_init__(self):
        if not self.model or not self.out.endswith(".keras"):
            raise InputError(
                "Say what is made smaller and where it goes: --model=mine.keras, or an "
                "architecture as vgg11, and --out=small.keras."
            )
        at_least(self, 0, "seed")
        within(self, 0, LARGEST_SEED, "seed")
        above_zero(self, "front", *self.targets)
        check_shape(self)

    @property
    def targets(self) -> dict[str, float]:
        """The budgets that are set, by name."""
        values = {name: getattr(self, name) for name in REDUCED}
        return {name: value for name, value in values.items() if value is not None}
