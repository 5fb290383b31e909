"""A `.keras` file: standard layers alone, so it needs Keras and nothing of ns_tf."""

from ns_tf.export.formats import file_format


@file_format(
    "keras",
    file="{name}.keras",
    help="A Keras model, normalisation and softmax inside.",
    runtime="keras_file",
)
def keras_file(source, path):
    """The deployed model, saved."""
    source.deployed().save(path)
