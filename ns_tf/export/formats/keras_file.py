"""`.keras` files for programs that have Keras.

The deployed model has layers of Keras's alone, so loading it needs nothing of ns_tf.
"""

from pathlib import Path

from ns_tf.export.formats import Source, file_format


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
    source.deployed().save(path)
