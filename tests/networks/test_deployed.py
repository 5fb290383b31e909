"""A network as it is deployed: pixels in, probabilities out; its LiteRT file."""

import keras
import numpy as np
from graphs import headed

from ns_tf.networks.deployed import litert

layers = keras.layers


def test_a_litert_file_does_not_augment(rng):
    from ai_edge_litert.interpreter import Interpreter

    inner = keras.Sequential([layers.RandomFlip(), layers.RandomTranslation(0.2, 0.2)])
    network = headed([inner, layers.RandomRotation(0.1)])
    reader = Interpreter(model_content=litert(network))
    reader.allocate_tensors()
    images = rng.normal(size=(1, 8, 8, 3)).astype("float32")
    reader.set_tensor(reader.get_input_details()[0]["index"], images)
    reader.invoke()
    answer = reader.get_tensor(reader.get_output_details()[0]["index"])
    np.testing.assert_allclose(answer, network(images, training=False), atol=1e-5)
