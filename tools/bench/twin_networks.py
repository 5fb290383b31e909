"""Small Keras networks of six families, to prune in Keras and in PyTorch."""

import keras
from keras import layers

SHAPE = (16, 16, 3)  # Of an image.
CLASSES = 10


def _conv(x, filters: int, size: int = 3, stride: int = 1):
    return layers.Conv2D(filters, size, strides=stride, padding="same")(x)


def _unit(x, filters: int, size: int = 3, stride: int = 1):
    """Convolution, batch norm, ReLU."""
    x = layers.BatchNormalization()(_conv(x, filters, size, stride))
    return layers.ReLU(max_value=6.0)(x)


def _classifier(image, x) -> keras.Model:
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(CLASSES)(x))


def vgg() -> keras.Model:
    """A chain with two dense layers behind what is flattened."""
    x = image = keras.Input(SHAPE)
    for filters in (11, 17, 23):
        x = layers.MaxPooling2D()(_unit(x, filters))
    x = layers.ReLU()(layers.Dense(29)(layers.Flatten()(x)))
    return keras.Model(image, layers.Dense(CLASSES)(x))


def resnet() -> keras.Model:
    """Additions over identities and over a projection."""
    image = keras.Input(SHAPE)
    x = _unit(image, 13)
    for filters, stride in ((13, 1), (19, 2), (19, 1)):
        y = layers.BatchNormalization()(_conv(_unit(x, filters, 3, stride), filters))
        shortcut = x if stride == 1 else _conv(x, filters, 1, stride)
        x = layers.ReLU()(layers.Add()([shortcut, y]))
    return _classifier(image, x)


def mobilenet() -> keras.Model:
    """Inverted bottlenecks: depthwise convolutions between wide and narrow ones."""
    image = keras.Input(SHAPE)
    x = _unit(image, 7)
    for filters, stride in ((11, 1), (11, 1), (13, 2)):
        y = _unit(x, 4 * x.shape[-1], 1)
        y = layers.DepthwiseConv2D(3, strides=stride, padding="same")(y)
        y = layers.ReLU(max_value=6.0)(layers.BatchNormalization()(y))
        y = layers.BatchNormalization()(_conv(y, filters, 1))
        joined = stride == 1 and x.shape[-1] == filters
        x = layers.Add()([x, y]) if joined else y
    return _classifier(image, _unit(x, 31, 1))


def densenet() -> keras.Model:
    """Every layer reads all before it, concatenated."""
    image = keras.Input(SHAPE)
    x = _conv(image, 11)
    for filters in (5, 7, 5):
        y = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Concatenate()([x, _conv(y, filters)])
    return _classifier(image, _unit(x, 17, 1))


def unet() -> keras.Model:
    """An encoder, a decoder, and what goes across; one answer a pixel."""
    image = keras.Input(SHAPE)
    fine = _unit(image, 7)
    coarse = _unit(layers.MaxPooling2D()(fine), 13)
    x = _unit(layers.MaxPooling2D()(coarse), 19)
    for across, filters in ((coarse, 11), (fine, 5)):
        x = layers.Concatenate()([layers.UpSampling2D()(x), across])
        x = _unit(x, filters)
    return keras.Model(image, _conv(x, CLASSES, 1))


def squeeze_excite() -> keras.Model:
    """Channels that are scaled by what a small network says of the whole map."""
    image = keras.Input(SHAPE)
    x = _unit(image, 13)
    for filters in (17, 19):
        x = _unit(x, filters)
        y = layers.GlobalAveragePooling2D(keepdims=True)(x)
        y = _conv(layers.ReLU()(_conv(y, 5, 1)), filters, 1)
        x = layers.Multiply()([x, layers.Activation("sigmoid")(y)])
    return _classifier(image, x)


NETWORKS = {
    make.__name__: make
    for make in (vgg, resnet, mobilenet, densenet, unet, squeeze_excite)
}
