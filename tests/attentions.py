"""Attentions that layers of somebody's own compute, as KerasHub has them."""

import keras

layers, ops = keras.layers, keras.ops
register = keras.saving.register_keras_serializable("ns_tf_tests")


@register
class Biased(layers.Layer):
    """An attention with a mask by name, a bias that the next one takes, and a cache."""

    def __init__(self, first, **options):
        super().__init__(**options)
        self.first = first
        self.inner = [layers.Dense(6, name=name) for name in ("q", "k", "v")]
        self.outer = layers.Dense(5, name="o")

    def build(self, shape):
        for one in self.inner:
            one.build(shape)
        self.outer.build((*shape[:-1], 6))
        if self.first:
            self.table = self.add_weight(shape=(7, 2), name="table")

    def call(self, x, mask=None, bias=None, cache=None):
        batch, steps = ops.shape(x)[:2]
        query, key, value = (
            ops.reshape(one(x), (batch, -1, 2, 3)) for one in self.inner
        )
        scores = ops.einsum("bqnd,bknd->bnqk", query, key)
        if bias is None:
            places = ops.arange(steps)
            apart = ops.minimum(ops.abs(places[:, None] - places), 6)
            bias = ops.transpose(ops.take(self.table, apart, axis=0), (2, 0, 1))
            bias = ops.expand_dims(bias, 0)
            if mask is not None:
                mask = ops.cast(mask[:, None, None, :], bias.dtype)
                bias = bias + (1.0 - mask) * -9.0
        weights = ops.softmax(scores + ops.cast(bias, scores.dtype))
        y = ops.einsum("bnqk,bknd->bqnd", weights, value)
        return self.outer(ops.reshape(y, (batch, -1, 6))), bias, cache


@register
class Encoding(layers.Layer):
    """An attention within, that is given its mask."""

    def __init__(self, first=True, **options):
        super().__init__(**options)
        self.attention = Biased(first, name="attention")

    def call(self, x, attention_mask=None, bias=None):
        y, bias, _ = self.attention(x, mask=attention_mask, bias=bias)
        return x + y, bias


def biased(x):
    """As T5: the mask is computed, the second block reads the bias of the first."""
    x = layers.Dense(5, name="a")(layers.Reshape((8, 9))(x))
    mask = ops.cast(ops.max(x, axis=-1) > 0.0, "int32")
    x, bias = Encoding(name="one")(x, attention_mask=mask)
    x, _ = Encoding(False, name="two")(x, attention_mask=mask, bias=bias)
    return layers.GlobalAveragePooling1D()(x)


@register
class Window(layers.Layer):
    """An attention within windows, of which each has a mask: rows of the batch."""

    def build(self, shape):
        self.inner = layers.Dense(12, name="qkv")
        self.outer = layers.Dense(shape[-1], name="o")
        self.table = self.add_weight(shape=(7, 2), name="table")
        super().build(shape)

    def call(self, x, mask=None):
        rows, steps = ops.shape(x)[:2]
        y = ops.reshape(self.inner(x), (rows, steps, 3, 2, 2))
        query, key, value = ops.unstack(ops.transpose(y, (2, 0, 3, 1, 4)), axis=0)
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        places = ops.arange(steps)[:, None] - ops.arange(steps) + steps - 1
        bias = ops.take(self.table, places, axis=0)
        scores = scores + ops.transpose(bias, (2, 0, 1))
        if mask is not None:
            count = ops.shape(mask)[0]
            scores = ops.reshape(scores, (rows // count, count, 2, steps, steps))
            scores = scores + ops.expand_dims(mask, 1)[None]
            scores = ops.reshape(scores, (-1, 2, steps, steps))
        y = ops.matmul(ops.softmax(scores), value)
        y = ops.reshape(ops.transpose(y, (0, 2, 1, 3)), (rows, steps, 4))
        return self.outer(y)


@register
class Shifted(layers.Layer):
    """Windows of four steps, moved by two, whose masks are made of numbers."""

    def __init__(self, **options):
        super().__init__(**options)
        self.attention = Window(name="attention")

    def call(self, x):
        batch, steps, channels = ops.shape(x)
        y = ops.reshape(ops.roll(x, -2, 1), (-1, 4, channels))
        sides = ops.reshape(ops.roll(ops.arange(steps), -2) < 2, (-1, 4))
        apart = ops.cast(sides[:, None] != sides[:, :, None], x.dtype)
        y = self.attention(y, mask=apart * -100.0)
        y = ops.reshape(y, (ops.shape(y)[0] // 2, steps, channels))
        return x + ops.reshape(ops.roll(y, 2, 1), (batch, steps, channels))


def shifted(x):
    """As Swin: windows that are moved, behind those of another block."""
    x = layers.Dense(4, name="a")(layers.Reshape((8, 9))(x))
    x = Shifted(name="one")(x)
    x = layers.Dense(5, activation="relu", name="b")(x)
    return layers.GlobalAveragePooling1D()(x)


@register
class Rotation(layers.Layer):
    """Turns pairs of channels by angles of their place. It has no configuration."""

    def call(self, tensors):
        turned = [self._turned(x) for x in tensors]
        return turned[0] if len(turned) == 1 else turned

    def _turned(self, x):
        shape, rank = ops.shape(x), ops.ndim(x)
        rates = 1.0 / (1.0 + ops.arange(shape[-1] // 2, dtype=self.compute_dtype))
        places = ops.arange(shape[1], dtype=self.compute_dtype)
        angles = ops.tile(places[:, None] * rates, (1, 2))
        if (rank or 0) == 4:
            angles = angles[:, None]
        left, right = ops.split(x, 2, axis=-1)
        other = ops.reshape(ops.stack((-right, left), axis=-2), shape)
        return x * ops.cos(angles) + other * ops.sin(angles)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


@register
class Rotating(layers.Layer):
    """Four heads of queries and two of keys, both turned by the one layer."""

    def build(self, shape):
        def heads(number, name):
            options = {"output_shape": (None, number, 4), "name": name}
            dense = layers.EinsumDense("bsm,mnh->bsnh", **options)
            dense.build((None, None, shape[-1]))
            return dense

        self.query, self.key, self.value = heads(4, "q"), heads(2, "k"), heads(2, "v")
        self.outer = layers.Dense(shape[-1], name="o")
        self.outer.build((None, None, 16))
        self.rotation = Rotation()
        self.rotation.build(None)

    def call(self, x):
        query, key = self.rotation([self.query(x)]), self.rotation([self.key(x)])
        key, value = (ops.repeat(one, 2, axis=2) for one in (key, self.value(x)))
        weights = ops.softmax(ops.einsum("bqnd,bknd->bnqk", query, key) / 2.0)
        y = ops.einsum("bnqk,bknd->bqnd", weights, value)
        return x + self.outer(ops.reshape(y, (ops.shape(x)[0], -1, 16)))


def rotated(x):
    """As LLaMA: places turn queries and keys, of which there are not as many."""
    x = layers.Dense(5, name="a")(layers.Reshape((6, 12))(x))
    x = layers.LayerNormalization()(Rotating(name="one")(x))
    return layers.GlobalAveragePooling1D()(x)
