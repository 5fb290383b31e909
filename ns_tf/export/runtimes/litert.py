"""Runs a LiteRT file with ai-edge-litert, without TensorFlow."""

import sys

import numpy as np

sys.modules["tensorflow"] = None


def load(path):
    """images uint8 -> probabilities."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path)

    def run(images):
        (given,), (made,) = (
            interpreter.get_input_details(),
            interpreter.get_output_details(),
        )
        if tuple(given["shape"]) != images.shape:
            interpreter.resize_tensor_input(given["index"], images.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], images.astype(given["dtype"]))
        interpreter.invoke()
        outputs = interpreter.get_tensor(made["index"])
        scale, zero = made["quantization"]
        if scale:
            return (outputs.astype(np.float32) - zero) * np.float32(scale)
        return outputs

    interpreter.allocate_tensors()
    return run
