"""Runs a LiteRT file with ai-edge-litert, without TensorFlow.

Quantised probabilities are made floats again: scale * (value - zero).
"""

import sys

import numpy as np

sys.modules["tensorflow"] = None  # An import of it would fail.


def load(path):
    """A function of raw inputs `[n, ...]`, as images uint8: answers `[n, ...]`.

    Of several inputs it takes a dictionary by name, of several outputs it gives one.

    Args:
        path: The file.
    """
    from ai_edge_litert.interpreter import Interpreter

    # A runner has what its interpreter holds, but does not keep it alive.
    interpreter = Interpreter(path)
    signature = interpreter.get_signature_runner()
    inputs, outputs = signature.get_input_details(), signature.get_output_details()

    def run(given, interpreter=interpreter):
        named = given if isinstance(given, dict) else dict.fromkeys(inputs, given)
        found = signature(
            **{key: named[key].astype(one["dtype"]) for key, one in inputs.items()}
        )
        answers = {key: _floats(found[key], one) for key, one in outputs.items()}
        return answers if len(answers) > 1 else next(iter(answers.values()))

    return run


def _floats(outputs, details):
    """Outputs as floats; a quantised file states scale and zero, 0 if it is none."""
    scale, zero = details["quantization"]
    if scale:
        return (outputs.astype(np.float32) - zero) * np.float32(scale)
    return outputs
