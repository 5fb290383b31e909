"""Settings of `python -m ns_tf.condense`."""

import dataclasses

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.budgets import BUDGETS
from ns_tf.data.config import LARGEST_SIDE, MOST_CLASSES
from ns_tf.run.checks import above_zero, at_least, check_image_shape
from ns_tf.run.option import option


@dataclasses.dataclass(frozen=True)
class _Condense:
    """Which network, which of its kernels become epitomes, and where it goes.

    Raises:
        InputError: no model, no file for the result, or a number out of range.
    """

    model: str = option(
        "", "A .keras file, or an architecture as vgg11 or name(option=value)."
    )
    input_shape: tuple[int, ...] = option(
        (32, 32, 3),
        "Height, width and channels of an image, for an architecture.",
        most=LARGEST_SIDE,
    )
    classes: int = option(
        10, "Number of classes, for an architecture.", most=MOST_CLASSES
    )
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
    out: str = option("", "The .keras file that is written.")
    seed: int = option(0, "Of the fresh weights.")

    def __post_init__(self):
        if not self.model or not self.out.endswith(".keras"):
            raise InputError(
                "Say what is made smaller and where it goes: --model=mine.keras, or an "
                "architecture as vgg11, and --out=small.keras."
            )
        at_least(self, 1, "classes")
        at_least(self, 0, "seed")
        above_zero(self, "front", *self.targets)
        check_image_shape(self)

    @property
    def targets(self) -> dict[str, float]:
        """The budgets that are set, by name."""
        values = {name: getattr(self, name) for name in exact_budgets()}
        return {name: value for name, value in values.items() if value is not None}


def exact_budgets() -> list[str]:
    """Names of the budgets that are counted, not measured."""
    return [name for name in BUDGETS.names() if not budgets.get(name).measured]


# With a field for every exact budget, which commands have as flags.
CondenseConfig = dataclasses.make_dataclass(
    "CondenseConfig",
    [
        (name, float | None, option(None, budgets.get(name).help))
        for name in exact_budgets()
    ],
    bases=(_Condense,),
    frozen=True,
    namespace={"__doc__": _Condense.__doc__, "__module__": __name__},
)
