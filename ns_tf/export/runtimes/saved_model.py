"""Runs a SavedModel with TensorFlow alone: no Keras, no ns_tf."""

import sys

sys.modules["keras"] = None  # An import of it would fail.


def load(path):
    """A function of raw inputs `[n, ...]`, as images uint8: answers `[n, ...]`.

    Args:
        path: The folder of a version.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    signature = loaded.signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    # The answer itself; a classifier names the best class beside it.
    names = ("probabilities", "prediction")
    (answer,) = (known for known in names if known in signature.structured_outputs)

    def run(inputs, loaded=loaded):  # A signature does not keep its model alive.
        return signature(**{name: tf.constant(inputs)})[answer].numpy()

    return run
