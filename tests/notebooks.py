"""What a user types in a notebook: a small model, and a search of seconds."""

import keras
import numpy as np
from keras import layers

WIDTHS = (11, 17, 13)
OPTIONS = {
    "search_batch": 64,
    "pretrain_epochs": 1,
    "pretrain_rate": 0.05,
    "filters_per_event": 2,
    "steps_per_event": 1,
    "stop_fraction": 0.25,
}
SHORT = {"epochs": 2, "batch": 97, "rate": 0.05}


def mine(widths=WIDTHS, name="mine", image=(8, 8, 1), classes=10):
    """What a user has: a small Keras model."""
    x = inputs = keras.Input(image)
    for i, width in enumerate(widths, 1):
        x = layers.Conv2D(width, 3, padding="same", name=f"conv{i}")(x)
        x = layers.BatchNormalization(name=f"bn{i}")(x)
        x = layers.ReLU(name=f"relu{i}")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(inputs, layers.Dense(classes, name="out")(x), name=name)


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
