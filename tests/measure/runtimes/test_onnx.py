"""ONNX files for timing compute what the model does, images channels first."""

import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.measure.runtimes.onnx import written


def test_a_file_computes_what_the_model_does(handmade, randomise, rng):
    import onnxruntime

    model = randomise(handmade["residual"]())
    session = onnxruntime.InferenceSession(
        written(model, 3), providers=["CPUExecutionProvider"]
    )
    images = rng.normal(size=(3, 6, 7, 3)).astype(np.float32)
    (entry,) = session.get_inputs()
    assert entry.shape == [3, 3, 6, 7]
    (found,) = session.run(None, {entry.name: images.transpose(0, 3, 1, 2)})
    np.testing.assert_allclose(found, model(images, training=False), atol=1e-4)


def test_what_tf2onnx_refuses_is_told_in_one_line(handmade, monkeypatch):
    import tf2onnx

    def fail(*args, **kwargs):
        raise ValueError("no such operation\nmore")

    monkeypatch.setattr(tf2onnx.convert, "from_graph_def", fail)
    with pytest.raises(InputError, match="tf2onnx cannot convert .*no such operation"):
        written(handmade["chain"](), 1)
