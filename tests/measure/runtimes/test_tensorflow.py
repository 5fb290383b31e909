"""TensorFlow's runtime: the whole network runs, little is copied."""

import keras
import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.engine import execution
from ns_tf.measure.runtimes.tensorflow import begin, tensorflow


def test_every_layer_runs_once_a_pass(monkeypatch):
    seen = []
    monkeypatch.setattr(execution, "set_threads", seen.append)

    class Counted(keras.layers.Layer):
        def call(self, x):
            import tensorflow as tf

            return tf.numpy_function(
                lambda y: (seen.append(y.shape), y)[1], [x], "float32"
            )

        def compute_output_shape(self, shape):
            return shape

    inputs = keras.Input((4, 5, 3))
    run = tensorflow(keras.Model(inputs, Counted()(inputs)), 2, 7)
    assert run() > 0 and run() > 0
    begin(5)
    assert seen.pop() == 5 and seen == [7, (2, 4, 5, 3), (2, 4, 5, 3)]


def test_other_threads_than_tensorflow_started_with_are_refused(handmade):
    np.zeros(1), keras.ops.zeros(1)
    with pytest.raises(InputError, match="--threads=61 comes too late"):
        tensorflow(handmade["chain"](), 1, 61)
