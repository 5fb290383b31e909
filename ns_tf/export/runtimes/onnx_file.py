"""Runs an ONNX file with ONNX Runtime, without TensorFlow."""

import sys

sys.modules["tensorflow"] = None  # An import of it would fail.


def load(path):
    """A function of images uint8 `[n, h, w, c]`: probabilities `[n, classes]`.

    Args:
        path: The file.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: session.run(["probabilities"], {"image": images})[0]
