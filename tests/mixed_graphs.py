"""Random networks of all kinds of layers: images, sequences, tokens and vectors."""

import keras
import numpy as np

layers, ops = keras.layers, keras.ops
ACTIVATIONS = "relu silu gelu tanh sigmoid elu leaky_relu linear".split()
WIDTHS = (4, 6)
TOKENS = 9


class Mixed:
    """Draws a network call by call.

    Args:
        rng: Decides everything.
    """

    def __init__(self, rng: np.random.Generator):
        self.rng = rng

    def model(self, calls: int = 7) -> keras.Model:
        """A network of so many calls between its input and its logits."""
        x = inputs = self.some(
            [
                lambda: keras.Input((4, 6, 3)),
                lambda: keras.Input((5, 3)),
                lambda: keras.Input((5,), dtype="int32"),
            ]
        )
        if len(x.shape) == 2:
            x = layers.Embedding(TOKENS, self.width())(x)
        x = self.made(x)
        for _ in range(calls - 1):
            x = self.some(self.choices(x))
        x = self.some(
            [
                lambda: layers.Flatten()(x),
                lambda: ops.mean(x, axis=list(range(1, len(x.shape) - 1))),
                lambda: ops.max(x, axis=list(range(1, len(x.shape) - 1))),
            ]
            if len(x.shape) > 2
            else [lambda: layers.BatchNormalization()(x)]
        )
        return keras.Model(inputs, layers.Dense(5, name="logits")(x))

    def some(self, choices: list):
        """What one of several functions returns."""
        return choices[self.rng.integers(len(choices))]()

    def width(self) -> int:
        return int(self.rng.choice(WIDTHS))

    def activation(self) -> str:
        return str(self.rng.choice(ACTIVATIONS))

    def choices(self, x) -> list:
        """What may follow a tensor: of any rank, and of its own."""
        own = {4: self.of_maps, 3: self.of_sequences}.get(len(x.shape), lambda x: [])
        halves = [lambda: self.halves(x)] * 2 if x.shape[-1] % 2 == 0 else []
        return [
            lambda: self.made(x),
            lambda: self.made(x),
            lambda: layers.BatchNormalization()(x),
            lambda: self.norm(x),
            lambda: layers.Activation(self.activation())(x),
            lambda: layers.PReLU()(x),
            lambda: x * ops.sigmoid(x) - 0.5,
            lambda: self.joined(x),
            lambda: layers.Concatenate()([x, self.made(x)]),
            lambda: x[..., 1:],
            *halves,
            *own(x),
        ]

    def made(self, x):
        """New channels at the same pixels, steps or none."""
        width, name = self.width(), self.activation()
        dense = [
            lambda: layers.Dense(width, activation=name)(x),
            lambda: layers.EinsumDense("abc,cd->abd", (x.shape[1], width))(x),
        ]
        if len(x.shape) == 4:
            options = {"padding": "same", "activation": name}
            return self.some(
                [
                    *[lambda: layers.Conv2D(width, 3, **options)(x)] * 3,
                    lambda: layers.SeparableConv2D(width, 3, **options)(x),
                    lambda: layers.Conv2DTranspose(width, 3, **options)(x),
                    lambda: layers.Conv2D(
                        width, 1, groups=2 - x.shape[-1] % 2, **options
                    )(x),
                    dense[0],
                ]
            )
        if len(x.shape) == 3:
            steps = layers.TimeDistributed(layers.Dense(width, activation=name))
            return self.some(
                [
                    lambda: layers.Conv1D(width, 3, padding="same", activation=name)(x),
                    lambda: self.recurrent(x, width),
                    lambda: steps(x),
                    *dense,
                ]
            )
        return self.some(dense[:1])

    def recurrent(self, x, width: int):
        kind = self.rng.choice([layers.LSTM, layers.GRU, layers.SimpleRNN])
        layer = kind(width, return_sequences=True)
        if self.rng.integers(2):
            layer = layers.Bidirectional(layer, merge_mode="concat")
        return layer(x)

    def norm(self, x):
        """A norm over channels."""
        groups = 2 - x.shape[-1] % 2
        return self.some(
            [
                lambda: layers.LayerNormalization()(x),
                lambda: layers.RMSNormalization()(x),
                lambda: layers.UnitNormalization()(x),
                lambda: layers.GroupNormalization(groups)(x),
            ]
        )

    def joined(self, x):
        """With as many new channels; or squeezed and excited."""
        y = layers.Dense(x.shape[-1])(self.made(x))
        kind = self.rng.choice(
            [layers.Add, layers.Add, layers.Multiply, layers.Maximum]
        )
        if len(x.shape) == 4 and self.rng.integers(2):
            mean = ops.mean(y, axis=(1, 2), keepdims=True)
            return x * ops.sigmoid(mean)
        return kind()([x, y])

    def halves(self, x):
        """The two halves of the channels, apart or together again."""
        size = x.shape[-1] // 2
        one, other = self.some(
            [
                lambda: (x[..., :size], x[..., size:]),
                lambda: (x[..., ::2], x[..., 1::2]),
                lambda: ops.split(x, 2, axis=-1),
                lambda: ops.split(x, [1], axis=-1),
            ]
        )
        if one.shape[-1] == other.shape[-1] and self.rng.integers(2):
            return one * ops.sigmoid(other)
        return ops.concatenate([self.made(other), one], axis=-1)

    def of_maps(self, x) -> list:
        """What only images have."""
        _, height, width, channels = x.shape
        shuffle = []
        if channels % 2 == 0:
            shape = (height, width, 2, channels // 2)
            shuffle = [
                lambda: layers.Reshape((height, width, channels))(
                    layers.Permute((1, 2, 4, 3))(layers.Reshape(shape)(x))
                ),
                lambda: ops.reshape(x, (-1, height, 2 * width, channels // 2)),
            ]
        return [
            *shuffle,
            lambda: layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x),
            lambda: layers.MaxPooling2D(2, padding="same")(x),
            lambda: (
                layers.ZeroPadding2D(1)(layers.AveragePooling2D(2, 1)(x))
                if min(height, width) > 1
                else layers.UpSampling2D(2)(x)
            ),
            lambda: x * layers.Conv2D(1, 1, activation="sigmoid")(x),
            lambda: layers.Reshape((height * width, channels))(x),
            lambda: layers.Reshape((height, width * channels))(x),
            lambda: layers.Permute((2, 1, 3))(x),
        ]

    def of_sequences(self, x) -> list:
        """What only sequences have."""
        options = {"use_causal_mask": bool(self.rng.integers(2))}
        return [
            lambda: layers.MultiHeadAttention(2, 3)(x, x, **options),
            lambda: x + layers.MultiHeadAttention(2, 3, value_dim=2)(x, x, **options),
            lambda: layers.GroupQueryAttention(2, 4, 2)(x, x, **options),
            lambda: layers.UpSampling1D(2)(x[:, ::2]),
            lambda: layers.GRU(self.width())(x),
        ]
