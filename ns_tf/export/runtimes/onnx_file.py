"""Runs an ONNX file with ONNX Runtime, without TensorFlow."""

import sys

sys.modules["tensorflow"] = None


def load(path):
    """images uint8 -> probabilities."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: session.run(["probabilities"], {"image": images})[0]
