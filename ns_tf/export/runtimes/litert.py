"""Runs a LiteRT file with ai-edge-litert, without TensorFlow.

Quantised probabilities are made floats again: scale * (value - zero).
"""

import sys

import numpy as np

sys.modules["tensorflow"] = None  # An import of it would fail.


def load(path):
    """A function of raw inputs `[n, ...]`, as images uint8: answers `[n, ...]`.

    Args:
        path: The file.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path)

    def run(images):
        (image,) = interpreter.get_input_details()
        (answer,) = interpreter.get_output_details()
        if tuple(image["shape"]) != images.shape:
            interpreter.resize_tensor_input(image["index"], images.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(image["index"], images.astype(image["dtype"]))
        interpreter.invoke()
        outputs = interpreter.get_tensor(answer["index"])
        scale, zero = answer["quantization"]
        if scale:  # A quantised file; 0 says that it is none.
            return (outputs.astype(np.float32) - zero) * np.float32(scale)
        return outputs

    interpreter.allocate_tensors()
    return run
