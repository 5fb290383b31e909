"""Runs a SavedModel with TensorFlow alone: no Keras, no ns_tf."""

import sys

sys.modules["keras"] = None  # An import of it would fail.


def load(path):
    """A function of raw inputs `[n, ...]`, as images uint8: answers `[n, ...]`.

    Of several inputs it takes a dictionary by name, of several outputs it gives one:
    also where a task has more than its answer in numbers, as the best class.

    Args:
        path: The folder of a version.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    signature = loaded.signatures["serving_default"]
    names = list(signature.structured_input_signature[1])
    # Texts are names of classes, which stand beside an answer.
    wanted = [
        name
        for name, one in signature.structured_outputs.items()
        if one.dtype != tf.string
    ]

    def run(inputs, loaded=loaded):  # A signature does not keep its model alive.
        given = inputs if isinstance(inputs, dict) else {names[0]: inputs}
        found = signature(**{name: tf.constant(x) for name, x in given.items()})
        answers = {name: found[name].numpy() for name in wanted}
        return answers if len(answers) > 1 else answers[wanted[0]]

    return run
