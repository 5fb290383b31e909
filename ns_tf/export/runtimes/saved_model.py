"""Runs a SavedModel with TensorFlow alone: no Keras, no ns_tf."""

import sys

sys.modules["keras"] = None  # An import of it would fail.


def load(path):
    """A function of images uint8 `[n, h, w, c]`: probabilities `[n, classes]`.

    Args:
        path: The folder of a version.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    signature = loaded.signatures["serving_default"]

    def run(images, loaded=loaded):  # A signature does not keep its model alive.
        return signature(image=tf.constant(images))["probabilities"].numpy()

    return run
