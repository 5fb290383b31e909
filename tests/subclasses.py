"""Subclasses of functional and sequential models, as KerasHub's backbones are.

Their `get_config()` holds the arguments of their constructor, not their graph.
"""

import keras

layers = keras.layers


def _stack(widths, classes: int):
    """image[6, 7, 3] - a - BN - ReLU - b - average - logits."""
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(widths[0], 3, name="a")(image)
    x = layers.ReLU(name="a_relu")(layers.BatchNormalization(name="a_bn")(x))
    x = layers.Conv2D(widths[1], 3, name="b")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return image, layers.Dense(classes, name="logits")(x)


@keras.saving.register_keras_serializable("ns_tf_tests")
class Backbone(keras.Model):
    """A functional subclass: its constructor makes the graph."""

    def __init__(self, widths=(11, 13), classes=5, **options):
        image, logits = _stack(widths, classes)
        super().__init__(inputs=image, outputs=logits, **options)
        self.widths, self.classes = tuple(widths), classes

    def get_config(self):
        config = {"widths": list(self.widths), "classes": self.classes}
        return {**config, "name": self.name}


@keras.saving.register_keras_serializable("ns_tf_tests")
class Doubled(Backbone):
    """Computes twice what its graph does."""

    def call(self, x, training=None, mask=None):
        return 2 * super().call(x, training=training)


@keras.saving.register_keras_serializable("ns_tf_tests")
class Nameless(Backbone):
    """Leaves its name out of its configuration."""

    def get_config(self):
        return {"widths": list(self.widths), "classes": self.classes}


@keras.saving.register_keras_serializable("ns_tf_tests")
class Adapted(keras.Model):
    """Begins with a Normalization, of which its configuration says nothing."""

    def __init__(self, width=7, **options):
        image = keras.Input((6, 7, 3), name="image")
        x = layers.Normalization(name="normal")(image)
        x = layers.Conv2D(width, 1, name="a")(x)
        super().__init__(inputs=image, outputs=x, **options)
        self.width = width

    def get_config(self):
        return {"width": self.width, "name": self.name}


@keras.saving.register_keras_serializable("ns_tf_tests")
class Stack(keras.Sequential):
    """A sequential subclass."""

    def __init__(self, width=11, **options):
        image = keras.Input((6, 7, 3), name="image")
        stack = [layers.Conv2D(width, 3, name="a"), layers.GlobalAveragePooling2D()]
        super().__init__([image, *stack, layers.Dense(5, name="logits")], **options)
        self.width = width

    def get_config(self):
        return {"width": self.width, "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


@keras.saving.register_keras_serializable("ns_tf_tests")
class DoubledStack(Stack):
    """Computes twice what its layers do."""

    def call(self, x, training=None, mask=None):
        return 2 * super().call(x, training=training)


def around(inner: keras.Model) -> keras.Model:
    """image - first[7] - (mix to 3) - inner - last[17] - logits[5]."""
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(7, 1, name="first")(image)
    x = inner(layers.Conv2D(3, 1, name="mix")(x))
    if len(x.shape) == 4:
        x = layers.GlobalAveragePooling2D(name="mean")(x)
    x = layers.Dense(17, activation="relu", name="last")(x)
    return keras.Model(image, layers.Dense(5, name="end")(x), name="around")
