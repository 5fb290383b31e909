"""Layers that are made of layers, as users and KerasHub write them."""

import keras
import numpy as np

layers, ops = keras.layers, keras.ops
register = keras.saving.register_keras_serializable("ns_tf_tests")


@register
class Block(layers.Layer):
    """x + narrow(dropout(relu(norm(wide(x)))))."""

    def __init__(self, width=13, rate=0.0, **options):
        super().__init__(**options)
        self.width, self.rate = width, rate

    def build(self, shape):
        self.wide = layers.Conv2D(self.width, 3, padding="same", name="wide")
        self.norm = layers.BatchNormalization(name="norm")
        self.drop = layers.Dropout(self.rate, name="drop")
        self.narrow = layers.Conv2D(shape[-1], 1, name="narrow")
        self.wide.build(shape)
        inner = (*shape[:-1], self.width)
        self.norm.build(inner)
        self.narrow.build(inner)

    def call(self, x, training=None):
        y = ops.relu(self.norm(self.wide(x), training=training))
        return x + self.narrow(self.drop(y, training=training))

    def get_config(self):
        return {**super().get_config(), "width": self.width, "rate": self.rate}


@register
class Gated(layers.Layer):
    """A block and a squeeze-and-excite, in a list."""

    def __init__(self, **options):
        super().__init__(**options)
        self.first = layers.Conv2D(11, 1, name="first")
        self.inner = [Block(7, name="inner")]
        self.gate = layers.Dense(11, activation="sigmoid", name="gate")

    def call(self, x, scale=1.0):
        x = self.first(x)
        for one in self.inner:
            x = one(x)
        return x * self.gate(ops.mean(x, axis=(1, 2), keepdims=True)) * scale


@register
class Positioned(layers.Layer):
    """To a row of pixels and back, as attention does."""

    def __init__(self, **options):
        super().__init__(**options)
        self.dense = layers.Dense(11, name="dense")

    def call(self, x):
        batch, height, width, channels = ops.shape(x)
        rows = self.dense(ops.reshape(x, (batch, -1, channels)))
        return ops.reshape(rows, (batch, height, width, channels))


@register
class Scaled(Positioned):
    """Has a weight beside its layer's, which is no attribute."""

    def build(self, shape):
        self.scales = [self.add_weight(shape=(1,), name="scale")]

    def call(self, x):
        return self.dense(x) * self.scales[0]


@register
class Standard(layers.Layer):
    """A norm by the root mean square, whose gain is 1 + a weight; then an offset."""

    def build(self, shape):
        self.scale = self.add_weight(shape=shape[-1:], name="scale")
        self.offset = self.add_weight(shape=(1, *shape[-2:]), name="offset")
        self.dense = layers.Dense(shape[-1], name="dense")
        self.dense.build(shape)

    def call(self, x):
        mean = ops.mean(ops.square(x), axis=-1, keepdims=True)
        gain = 1 + ops.cast(self.scale, x.dtype)
        y = x * ops.rsqrt(mean + 0.1) * gain
        return x + self.dense(y + self.offset)


@register
class Phased(Positioned):
    """Does something else in training."""

    def call(self, x, training=None):
        return 2 * self.dense(x) if training else self.dense(x)


@register
class TwoFaced(Positioned):
    """Does something else with numbers than with symbols."""

    def call(self, x):
        factor = 1.0 if isinstance(x, keras.KerasTensor) else 2.0
        return self.dense(x) * factor


@register
class Noted(Positioned):
    """Adds to the loss."""

    def call(self, x):
        self.add_loss(ops.mean(x))
        return self.dense(x)


@register
class Causal(layers.Layer):
    """A step of a text sees those before it; the mask is made for each example."""

    def __init__(self, **options):
        super().__init__(**options)
        self.attention = layers.MultiHeadAttention(2, 3, name="attention")
        self.wide = layers.Dense(13, activation="relu", name="wide")
        self.narrow = layers.Dense(11, name="narrow")

    def call(self, x):
        batch, steps, channels = ops.shape(x)
        places = ops.arange(steps)
        mask = ops.broadcast_to(places[:, None] >= places, (batch, steps, steps))
        x = x + self.attention(x, x, attention_mask=mask)
        x = ops.reshape(x, (batch, steps * channels))
        x = ops.reshape(x, (batch, steps, channels))
        return x + self.narrow(self.wide(x))


@register
class Cached(layers.MultiHeadAttention):
    """An attention that takes and gives a cache, as layers that write texts do."""

    def call(self, query, value, cache=None, training=None):
        query, key = self._query_dense(query), self._key_dense(value)
        value = self._value_dense(value)
        if cache is not None:
            key, value = cache[0], cache[1]
        y, _ = self._compute_attention(query, key, value, training=training)
        return self._output_dense(y), cache


@register
class Decoding(layers.Layer):
    """Asks a block within it for two things, of which one is nothing; gives two."""

    def __init__(self, **options):
        super().__init__(**options)
        self.attention = Cached(2, 3, name="attention")
        self.wide = layers.Dense(13, activation="relu", name="wide")
        self.narrow = layers.Dense(11, name="narrow")

    def build(self, shape):
        self.attention.build(shape, shape)
        self.wide.build(shape)
        self.narrow.build((*shape[:-1], 13))

    def call(self, x):
        y, cache = self.attention(x, x, cache=None)
        return x + self.narrow(self.wide(y)), ops.zeros(
            (0, 5)
        ) if cache is None else cache


@register
class Looked(layers.Layer):
    """Adds what a table has for each place, and a branch times a number."""

    def __init__(self, **options):
        super().__init__(**options)
        self.table = layers.Embedding(7, 11, name="table")
        self.dense = layers.Dense(11, name="dense")

    def build(self, shape):
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
        self.table.build()
        self.dense.build(shape)

    def call(self, x):
        x = x + self.table(ops.arange(ops.shape(x)[-2]))
        return x + self.scale * self.dense(x)


@register
class Classed(layers.Layer):
    """Puts a token of its own before those of every example, and adds places."""

    def build(self, shape):
        self.token = self.add_weight(shape=(1, 1, shape[-1]), name="token")
        self.places = self.add_weight(shape=(1, shape[1] + 1, shape[-1]), name="places")

    def call(self, x):
        token = ops.repeat(self.token, ops.shape(x)[0], axis=0)
        return ops.concatenate([token, x], axis=1) + self.places


@register
class Fused(layers.Layer):
    """Weighs three tensors by a weight that is normalised, as BiFPN does."""

    def build(self, shape):
        self.gains = self.add_weight(shape=(3,), initializer="ones", name="gains")

    def call(self, x):
        gains = ops.relu(self.gains)
        gains = gains / (ops.sum(gains) + 0.1)
        return gains[0] * x + gains[1] * ops.tanh(x) + ops.sin(x) * gains[2]


@register
class Waves(layers.Layer):
    """Adds sines; without weights."""

    def call(self, x):
        steps, channels = x.shape[-2:]
        angles = np.arange(steps)[:, None] * (1.0 + np.arange(channels))
        return x + ops.convert_to_tensor(np.sin(angles), x.dtype)


@register
class Counted(Positioned):
    """Does something else to every example."""

    def call(self, x):
        numbers = ops.reshape(ops.arange(ops.shape(x)[0]), (-1, 1, 1, 1))
        return self.dense(x) + ops.cast(numbers, x.dtype)


@register
class DropPath(layers.Layer):
    """Drops all channels of some examples in a training. It has no `get_config`."""

    def __init__(self, rate=0.5, **options):
        super().__init__(**options)
        self.rate, self.draws = rate, keras.random.SeedGenerator(1)

    def call(self, x, training=None):
        if not training:
            return x
        shape = (ops.shape(x)[0], *(1,) * (len(x.shape) - 1))
        kept = keras.random.uniform(shape, seed=self.draws) > self.rate
        return x / (1 - self.rate) * ops.cast(kept, x.dtype)
