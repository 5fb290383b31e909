"""What may change in a network, what stays and why: `explain`, without data."""

from pathlib import Path

import keras

from ns_tf.base import Architecture
from ns_tf.inspect.config import InspectConfig
from ns_tf.inspect.explanation import Explanation as Explanation
from ns_tf.inspect.reading import read
from ns_tf.run.option import made


def explain(
    model: keras.Model | Architecture | str | Path,
    *,
    input_shape: tuple[int, ...] = (),
    classes: int = 10,
) -> Explanation:
    """Every width of a network, what stays as it is and why, and what it can cost.

    Printed it is a table; `to_json` gives the same to programs, and `draw("net.svg")`
    a picture whose colours are the widths. The model is not changed, and no data are
    read.

    Args:
        model: A functional or sequential `keras.Model`, an `Architecture`, the path of
            a `.keras` file, a run folder, or an architecture's name.
        input_shape: (height, width, channels) of an image, for an architecture;
            (32, 32, 3) if empty. The shape of an example, for a model that leaves
            lengths open.
        classes: Number of classes, for an architecture.

    Returns:
        The explanation; also of a model that cannot be searched, with the reason.

    Raises:
        InputError: no such model, or one without a graph.
    """
    asked = {"input_shape": input_shape, "classes": classes}
    asked = made(InspectConfig, {"model": "given", **asked})
    return Explanation.of(read(model, asked.input_shape, asked.classes))
