"""Runs an ONNX file with ONNX Runtime, without TensorFlow."""

import sys

sys.modules["tensorflow"] = None  # An import of it would fail.


def load(path):
    """A function of raw inputs `[n, ...]`, as images uint8: answers `[n, ...]`.

    Args:
        path: The file.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (name,) = (entry.name for entry in session.get_inputs())
    return lambda inputs: session.run(None, {name: inputs})[0]
