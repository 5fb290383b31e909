"""Runs a SavedModel with TensorFlow alone: no Keras, no ns_tf."""

import sys

sys.modules["keras"] = None  # An import of it would fail.


def load(path):
    """A function of raw inputs `[n, ...]`, as images uint8: answers `[n, ...]`.

    Of several inputs it takes a dictionary by name, of several outputs it gives one.

    Args:
        path: The folder of a version.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    signature = loaded.signatures["serving_default"]
    names = list(signature.structured_input_signature[1])
    # The answer itself; a classifier names the best class beside it.
    known = ("probabilities", "prediction")
    answer = [name for name in known if name in signature.structured_outputs]

    def run(inputs, loaded=loaded):  # A signature does not keep its model alive.
        given = inputs if isinstance(inputs, dict) else {names[0]: inputs}
        found = signature(**{name: tf.constant(x) for name, x in given.items()})
        if answer:
            return found[answer[0]].numpy()
        return {name: values.numpy() for name, values in found.items()}

    return run
