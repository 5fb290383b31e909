"""Runs an ONNX file with ONNX Runtime, without TensorFlow."""

import sys

sys.modules["tensorflow"] = None  # An import of it would fail.


def load(path):
    """A function of raw inputs `[n, ...]`, as images uint8: answers `[n, ...]`.

    Of several inputs it takes a dictionary by name, of several outputs it gives one.

    Args:
        path: The file.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = [entry.name for entry in session.get_inputs()]
    outputs = [entry.name for entry in session.get_outputs()]

    def run(given):
        given = given if isinstance(given, dict) else {inputs[0]: given}
        found = session.run(outputs, given)
        return dict(zip(outputs, found, strict=True)) if found[1:] else found[0]

    return run
