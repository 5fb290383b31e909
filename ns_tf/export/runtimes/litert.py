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
    # With recurrent layers a file takes one example at a time.
    alone = any(one["shape_signature"][0] == 1 for one in inputs.values())

    def run(given, interpreter=interpreter):
        named = given if isinstance(given, dict) else dict.fromkeys(inputs, given)
        named = {key: named[key].astype(one["dtype"]) for key, one in inputs.items()}
        number = len(next(iter(named.values())))
        size = 1 if alone else number
        found = [
            signature(**{key: rows[at : at + size] for key, rows in named.items()})
            for at in range(0, number, size)
        ]
        answers = {
            key: _floats(np.concatenate([one[key] for one in found]), details)
            for key, details in outputs.items()
        }
        return answers if len(answers) > 1 else next(iter(answers.values()))

    return run


def _floats(outputs, details):
    """Outputs as floats; a quantised file states scale and zero, 0 if it is none."""
    scale, zero = details["quantization"]
    if scale:
        return (outputs.astype(np.float32) - zero) * np.float32(scale)
    return outputs
