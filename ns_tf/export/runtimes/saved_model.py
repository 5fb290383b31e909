"""Runs a SavedModel with TensorFlow alone: no Keras, no ns_tf."""

import sys

sys.modules["keras"] = None  # An import of it would fail.


def load(path):
    """images uint8 -> probabilities."""
    import tensorflow as tf

    signature = tf.saved_model.load(path).signatures["serving_default"]
    load.kept = signature
    return lambda images: signature(image=tf.constant(images))["probabilities"].numpy()
