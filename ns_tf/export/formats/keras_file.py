"""`.keras` files for programs that have Keras.

The deployed model has layers of Keras's alone, so loading it needs nothing of ns_tf.
Weights that are layers of ns_tf in the network are numbers in the file.
"""

import dataclasses
from pathlib import Path

from ns_tf.export.formats import Source, file_format
from ns_tf.graph.own_weights import as_numbers


@file_format(
    "keras",
    file="{name}.keras",
    help="A Keras model, normalisation and softmax inside.",
    runtime="keras_file",
    several=True,
)
def keras_file(source: Source, path: Path) -> None:
    """Saves the deployed model.

    Args:
        source: The network, and what belongs to it.
        path: The file.
    """
    model = as_numbers(source.model)
    dataclasses.replace(source, model=model).deployed().save(path)
