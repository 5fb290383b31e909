"""Networks of many kinds of layers, as functions of their widths: (builder, widths)."""

import functools

import keras

layers = keras.layers


def conv(x, width, name, size=3, stride=1, relu=True):
    """Convolution, batch norm, and a ReLU if asked."""
    x = layers.Conv2D(
        width, size, strides=stride, padding="same", use_bias=False, name=name
    )(x)
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def end(image, x, classes):
    """The average over pixels, and a dense layer."""
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x))


def residual(widths, *, input_shape, classes, first="a"):
    """Two blocks, of which one projects; `first` decides which branch runs first."""
    image = keras.Input(input_shape, name="image")
    x = conv(image, widths[0], "stem")
    last = "z" if first == "a" else "a"
    short = conv(x, widths[2], f"{last}_short", 1, 2, relu=False)
    y = conv(x, widths[1], f"{first}_one", stride=2)
    y = conv(y, widths[2], "two", relu=False)
    x = layers.ReLU(name="sum_relu")(layers.Add(name="sum")([y, short]))
    y = conv(conv(x, widths[3], "three"), widths[2], "four", relu=False)
    x = layers.ReLU(name="end_relu")(layers.Add(name="end")([x, y]))
    return end(image, x, classes)


def inception(widths, *, input_shape, classes):
    """Branches that are concatenated, one of them behind a pool."""
    image = keras.Input(input_shape, name="image")
    x = conv(image, widths[0], "stem")
    a = conv(x, widths[1], "a", 1)
    b = conv(conv(x, widths[2], "b1", 1), widths[3], "b2")
    c = layers.MaxPooling2D(3, strides=1, padding="same", name="pool")(x)
    x = layers.Concatenate(name="all")([a, b, conv(c, widths[4], "c", 1)])
    return end(image, layers.MaxPooling2D(name="half")(x), classes)


def dense_blocks(widths, *, input_shape, classes):
    """Every layer reads all before it; the end is flat."""
    image = keras.Input(input_shape, name="image")
    x = layers.MaxPooling2D(4, name="pool")(conv(image, widths[0], "stem"))
    for i, width in enumerate(widths[1:-1]):
        x = layers.Concatenate(name=f"join{i}")([x, conv(x, width, f"conv{i}")])
    x = layers.Dense(widths[-1], activation="relu", name="dense")(
        layers.Flatten(name="flatten")(x)
    )
    return keras.Model(image, layers.Dense(classes, name="logits")(x))


def mobile(widths, *, input_shape, classes):
    """Depthwise convolutions behind borders of zeros, capped ReLUs."""
    image = keras.Input(input_shape, name="image")
    x = conv(image, widths[0], "stem", stride=2)
    for i, width in enumerate(widths[1:]):
        x = layers.ZeroPadding2D(1, name=f"pad{i}")(x)
        x = layers.DepthwiseConv2D(3, strides=1 + i % 2, name=f"depth{i}")(x)
        x = layers.BatchNormalization(name=f"depth{i}_bn")(x)
        x = layers.ReLU(6.0, name=f"depth{i}_relu")(x)
        x = conv(x, width, f"point{i}", 1)
    x = layers.GlobalMaxPooling2D(name="most")(layers.Dropout(0.1, name="drop")(x))
    return keras.Model(
        image, layers.Dense(classes, activation="softmax", name="end")(x)
    )


def squeezed(widths, *, input_shape, classes, activation="silu", gate="sigmoid"):
    """Squeeze and excite, with a smooth activation."""
    image = keras.Input(input_shape, name="image")
    x = conv(image, widths[0], "stem", stride=2)
    y = layers.Conv2D(widths[1], 1, use_bias=False, name="expand")(x)
    y = layers.Activation(activation, name="act")(
        layers.BatchNormalization(name="n")(y)
    )
    s = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(y)
    s = layers.Conv2D(widths[2], 1, activation="relu", name="reduce")(s)
    s = layers.Conv2D(widths[1], 1, activation=gate, name="excite")(s)
    x = conv(layers.Multiply(name="scale")([y, s]), widths[3], "project", 1, relu=False)
    return end(image, x, classes)


def unet(widths, *, input_shape, classes):
    """Two scales down and up, an interpolation and a transposed convolution."""
    image = keras.Input(input_shape, name="image")
    a = conv(image, widths[0], "a")
    b = conv(layers.MaxPooling2D(name="down1")(a), widths[1], "b")
    x = conv(layers.MaxPooling2D(name="down2")(b), widths[2], "c")
    x = layers.UpSampling2D(interpolation="bilinear", name="up1")(x)
    x = conv(layers.Concatenate(name="join1")([x, b]), widths[3], "d")
    x = layers.Conv2DTranspose(
        widths[4], 3, strides=2, padding="same", use_bias=False, name="up2"
    )(x)
    x = layers.ReLU(name="up2_relu")(layers.BatchNormalization(name="up2_bn")(x))
    x = conv(layers.Concatenate(name="join2")([x, a]), widths[5], "e")
    return end(image, x, classes)


def preactivated(widths, *, input_shape, classes):
    """Norms before convolutions, and a shortcut that is an identity."""
    image = keras.Input(input_shape, name="image")
    x = layers.Conv2D(widths[0], 3, padding="same", name="stem")(image)
    for i in range(2):
        y = layers.ReLU(name=f"r{i}")(layers.BatchNormalization(name=f"n{i}")(x))
        y = layers.Conv2D(widths[1 + i], 3, padding="same", name=f"in{i}")(y)
        y = layers.ReLU(name=f"s{i}")(layers.BatchNormalization(name=f"m{i}")(y))
        y = layers.Conv2D(widths[0], 3, padding="same", name=f"out{i}")(y)
        x = layers.Add(name=f"add{i}")([x, y])
    x = layers.ReLU(name="last_relu")(layers.BatchNormalization(name="last")(x))
    return end(image, x, classes)


def summed(widths, *, input_shape, classes):
    """Five branches in one sum, their names in another order than their making."""
    image = keras.Input(input_shape, name="image")
    x = conv(image, widths[0], "m", stride=2)
    parts = [
        conv(conv(x, widths[1], "z9", 1), widths[2], "c", 3, 2),
        conv(conv(x, widths[3], "b"), widths[2], "z1", 3, 2),
        conv(layers.MaxPooling2D(name="aa")(x), widths[2], "zz", 1),
        conv(conv(x, widths[4], "conv10", 1), widths[2], "conv1", 1, 2),
        conv(conv(x, widths[5], "conv1a", 1), widths[2], "Conv", 1, 2),
    ]
    x = layers.ReLU(name="q")(layers.Add(name="p")(parts))
    return end(image, layers.Average(name="k")([x, conv(x, widths[2], "h")]), classes)


HANDMADE = {
    "residual, the shortcut last": (residual, (11, 17, 23, 29)),
    "residual, the shortcut first": (
        functools.partial(residual, first="z"),
        (11, 17, 23, 29),
    ),
    "concatenation": (inception, (7, 11, 5, 13, 17)),
    "dense blocks": (dense_blocks, (7, 11, 13, 17, 31)),
    "depthwise": (mobile, (11, 17, 23, 29)),
    "squeeze and excite": (squeezed, (11, 37, 5, 17)),
    "squeeze and excite, hard": (
        functools.partial(squeezed, activation="hard_silu", gate="hard_sigmoid"),
        (11, 37, 5, 17),
    ),
    "U-Net": (unet, (7, 11, 13, 17, 19, 5)),
    "pre-activation": (preactivated, (13, 17, 11)),
    "five branches": (summed, (7, 5, 13, 23, 29, 31)),
}
