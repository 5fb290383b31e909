"""Supernets of small networks that tests share."""

import keras
from small import problem, residual

from ns_tf.engine.runtime import Runtime
from ns_tf.run.watch import Watch
from ns_tf.slim.config import SupernetConfig
from ns_tf.slim.training import SupernetTraining
from ns_tf.slim.work import joined
from ns_tf.train.config import TrainConfig

RECIPE = TrainConfig(epochs=2, batch=16, rate=0.05)
TWO = SupernetConfig(shares=(0.5, 1.0))
# Norms of the universal kind; every share learns at every step, so few are traced.
ANY = SupernetConfig(
    shares=(0.5, 1.0), norms="shared", rule="all", calibration_images=32
)


def work():
    """Widths 8 and 7; the stem and the last convolution are joined."""
    return joined(problem(residual, (8, 7, 8)))


def dense(widths, *, input_shape, classes):
    """One width of a dense layer: what is traced in no time."""
    image = keras.Input(input_shape)
    x = keras.layers.GlobalAveragePooling2D()(image)
    x = keras.layers.Dense(widths[0], activation="relu", name="a")(x)
    return keras.Model(image, keras.layers.Dense(classes, name="logits")(x))


def training(config=TWO, watch=None, recipe=RECIPE) -> SupernetTraining:
    """A supernet before its first step."""
    return SupernetTraining(
        work(), config, recipe, Runtime(seed=3, watch=watch or Watch())
    )
