"""Settings of `python -m ns_tf.inspect`."""

import dataclasses

from ns_tf.base import InputError
from ns_tf.data.config import check_shape, classes, input_shape
from ns_tf.run.option import option


@dataclasses.dataclass(frozen=True)
class InspectConfig:
    """What is inspected, and what is shown of it.

    Raises:
        InputError: no model, or a shape that is none.
    """

    model: str = option(
        "",
        "A .keras file, the run folder of a search or a training, or an architecture "
        "as vgg11 or name(option=value).",
    )
    input_shape: tuple[int, ...] = input_shape()
    classes: int = classes()
    output: str = option(
        "table", "table for people, json for programs.", choices=("table", "json")
    )
    picture: str | None = option(
        None,
        "Where a picture of the network goes, an SVG whose colours are the widths.",
    )

    def __post_init__(self):
        if not self.model:
            raise InputError(
                "Say what is inspected: --model=FILE.keras, a run folder, or an "
                "architecture as vgg11."
            )
        check_shape(self)
