"""LiteRT files for timing compute what the model does."""

import numpy as np

from ns_tf.measure.runtimes.litert import written


def test_a_file_computes_what_the_model_does(handmade, randomise, rng):
    from ai_edge_litert.interpreter import Interpreter

    model = randomise(handmade["residual"]())
    interpreter = Interpreter(model_content=written(model, 3))
    interpreter.allocate_tensors()
    images = rng.normal(size=(3, 6, 7, 3)).astype(np.float32)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(found, model(images, training=False), atol=1e-4)
